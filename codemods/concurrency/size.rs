//! How many things a loop goes over, as far as the code says.

use asyncfix_analysis::limits::{Limit, NAMES};
use asyncfix_analysis::resolve::semantics::contains;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, CmpOp, Expr, Number, Operator, Stmt, UnaryOp};
use ruff_text_size::{Ranged, TextRange};

use super::fan_out::{FanOut, body_around};
use super::growing::grows;
use super::lists::ListName;
use super::turns::Turn;
use crate::file::File;

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many.
    Exactly(u64),
    /// Not more than that.
    AtMost(u64),
    /// As many as the program has decided to take at once.
    Chosen,
    /// It cannot be seen.
    Unknown,
}

impl Size {
    /// The size of a loop over this in which some elements may be left out.
    fn filtered(self) -> Self {
        match self {
            Self::Exactly(most) => Self::AtMost(most),
            other => other,
        }
    }

    /// The size of a loop over the one inside a loop over the other.
    fn times(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exactly(one), Self::Exactly(other)) => Self::Exactly(one.saturating_mul(other)),
            (
                Self::Exactly(one) | Self::AtMost(one),
                Self::Exactly(other) | Self::AtMost(other),
            ) => Self::AtMost(one.saturating_mul(other)),
            (Self::Chosen, Self::Exactly(1) | Self::AtMost(1) | Self::Chosen)
            | (Self::Exactly(1) | Self::AtMost(1), Self::Chosen) => Self::Chosen,
            _ => Self::Unknown,
        }
    }

    /// The size of both, one behind the other.
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exactly(one), Self::Exactly(other)) => Self::Exactly(one.saturating_add(other)),
            (
                Self::Exactly(one) | Self::AtMost(one),
                Self::Exactly(other) | Self::AtMost(other),
            ) => Self::AtMost(one.saturating_add(other)),
            (Self::Chosen, Self::Chosen) => Self::Chosen,
            _ => Self::Unknown,
        }
    }

    /// The size of the shorter one.
    fn shorter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exactly(one), Self::Exactly(other)) => Self::Exactly(one.min(other)),
            (
                Self::Exactly(one) | Self::AtMost(one),
                Self::Exactly(other) | Self::AtMost(other),
            ) => Self::AtMost(one.min(other)),
            (Self::Chosen, _) | (_, Self::Chosen) => Self::Chosen,
            (Self::Unknown, known) | (known, Self::Unknown) => known.filtered(),
        }
    }
}

/// How many coroutines a fan-out makes.
pub fn of<'a>(file: &File<'a, '_>, fan_out: &FanOut<'_, 'a>) -> Size {
    // `first, second = await asyncio.gather(*…)`
    if let Some(count) = fan_out.takers.unpacked {
        return exactly(count);
    }
    let search = Search {
        file,
        fan_out,
        body: body_around(&fan_out.statement).unwrap_or_default(),
    };
    let sizes = fan_out.turns.iter().map(|turn| search.turn(turn));
    let size = if fan_out.is_mapped() {
        sizes.reduce(Size::shorter)
    } else {
        sizes.reduce(Size::times)
    };
    match size.unwrap_or(Size::Unknown) {
        Size::Unknown if search.is_checked() => Size::Chosen,
        size => size,
    }
}

struct Search<'f, 's, 'a, 'db> {
    file: &'f File<'a, 'db>,
    fan_out: &'f FanOut<'s, 'a>,
    body: &'a [Stmt],
}

impl<'a> Search<'_, '_, 'a, '_> {
    fn turn(&self, turn: &Turn<'a>) -> Size {
        if turn.is_async {
            return Size::Unknown;
        }
        let size = self.size(turn.iter, NAMES);
        if turn.is_filtered {
            size.filtered()
        } else {
            size
        }
    }

    fn size(&self, iter: &Expr, depth: Limit) -> Size {
        match iter {
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. }) => {
                let starred = elts.iter().filter_map(Expr::as_starred_expr);
                let parts = starred.clone().map(|part| self.size(&part.value, depth));
                parts.fold(exactly(elts.len() - starred.count()), Size::plus)
            }
            Expr::BinOp(operation) if operation.op == Operator::Add => self
                .size(&operation.left, depth)
                .plus(self.size(&operation.right, depth)),
            Expr::Dict(dict) if dict.items.iter().all(|item| item.key.is_some()) => {
                exactly(dict.items.len())
            }
            Expr::StringLiteral(literal) => exactly(literal.value.chars().count()),
            Expr::Subscript(subscript) => match &*subscript.slice {
                Expr::Slice(slice) => self.slice(&subscript.value, slice, depth),
                _ => Size::Unknown,
            },
            Expr::Call(call) => self.call(call, depth),
            Expr::Name(name) => self.name(name, depth),
            Expr::If(conditional) => {
                let one = self.size(&conditional.body, depth);
                let other = self.size(&conditional.orelse, depth);
                if one == other { one } else { Size::Unknown }
            }
            Expr::ListComp(ast::ExprListComp { generators, .. })
            | Expr::Generator(ast::ExprGenerator { generators, .. }) => generators
                .iter()
                .map(|comprehension| {
                    let size = self.size(&comprehension.iter, depth);
                    if comprehension.ifs.is_empty() {
                        size
                    } else {
                        size.filtered()
                    }
                })
                .reduce(Size::times)
                .unwrap_or(Size::Unknown),
            _ => Size::Unknown,
        }
    }

    fn slice(&self, value: &Expr, slice: &ast::ExprSlice, depth: Limit) -> Size {
        let upper = slice.upper.as_deref();
        let lower = slice.lower.as_deref();
        match (lower, upper) {
            // `items[:20]`
            (None, Some(upper)) => match self.integer(upper, depth) {
                Some(most) => u64::try_from(most).map_or(Size::Unknown, Size::AtMost),
                None => Size::Chosen,
            },
            // `items[start:start + step]`
            (Some(_), Some(_)) => Size::Chosen,
            // `items[-20:]`
            (Some(lower), None) => match self.integer(lower, depth) {
                Some(last) if last < 0 => Size::AtMost(last.unsigned_abs()),
                _ => self.size(value, depth).filtered(),
            },
            (None, None) => self.size(value, depth).filtered(),
        }
    }

    fn call(&self, call: &ast::ExprCall, depth: Limit) -> Size {
        let arguments = &*call.arguments.args;
        let semantics = &self.file.semantics;
        let means = |paths: &[&str]| semantics.means(&call.func, paths);
        if means(&["builtins.range"]) {
            return self.range(arguments, depth);
        }
        if means(&[
            "builtins.enumerate",
            "builtins.reversed",
            "builtins.sorted",
            "builtins.list",
            "builtins.tuple",
        ]) {
            return arguments
                .first()
                .map_or(Size::Unknown, |inner| self.size(inner, depth));
        }
        if means(&["builtins.set", "builtins.frozenset", "builtins.filter"]) {
            return arguments
                .last()
                .map_or(Size::Unknown, |inner| self.size(inner, depth).filtered());
        }
        if means(&["builtins.zip"]) {
            return arguments
                .iter()
                .map(|inner| self.size(inner, depth))
                .reduce(Size::shorter)
                .unwrap_or(Size::Unknown);
        }
        if means(&["itertools.chain"]) && !arguments.iter().any(Expr::is_starred_expr) {
            return arguments
                .iter()
                .map(|inner| self.size(inner, depth))
                .reduce(Size::plus)
                .unwrap_or(Size::Unknown);
        }
        // A number of elements that is given.
        let given = if means(&["itertools.islice", "random.sample"]) {
            arguments.last()
        } else if means(&["heapq.nlargest", "heapq.nsmallest"]) {
            arguments.first()
        } else {
            None
        };
        if let Some(given) = given {
            return match self.integer(given, depth) {
                Some(most) => u64::try_from(most).map_or(Size::Unknown, Size::AtMost),
                None => Size::Chosen,
            };
        }
        match &*call.func {
            Expr::Attribute(method)
                if arguments.is_empty()
                    && matches!(method.attr.as_str(), "items" | "keys" | "values" | "copy") =>
            {
                self.size(&method.value, depth)
            }
            _ => Size::Unknown,
        }
    }

    fn range(&self, arguments: &[Expr], depth: Limit) -> Size {
        let integer = |expr: &Expr| self.integer(expr, depth);
        let (start, end, step) = match arguments {
            [end] => (Some(0), integer(end), Some(1)),
            [start, end] => (integer(start), integer(end), Some(1)),
            [start, end, step] => (integer(start), integer(end), integer(step)),
            _ => return Size::Unknown,
        };
        let (Some(start), Some(end), Some(step)) = (start, end, step) else {
            return Size::Unknown;
        };
        let span = if step > 0 {
            end.saturating_sub(start)
        } else {
            start.saturating_sub(end)
        };
        let Some(step) = step.checked_abs().filter(|step| *step > 0) else {
            return Size::Unknown;
        };
        let span = u64::try_from(span.max(0)).unwrap_or_default();
        Size::Exactly(span.div_ceil(u64::try_from(step).unwrap_or(1)))
    }

    fn name(&self, name: &ast::ExprName, depth: Limit) -> Size {
        let Some(depth) = depth.less() else {
            return Size::Unknown;
        };
        // Batches are as small as somebody made them. Judged by names, because being wrong here only
        // means to hold back.
        if is_part(&name.id) || self.is_from_parts(name) {
            return Size::Chosen;
        }
        match self.value_of(name) {
            Some(value) if !grows(self.file.body(), &name.id, value) => self.size(value, depth),
            _ => Size::Unknown,
        }
    }

    /// The one value that `name` can have.
    fn value_of(&self, name: &ast::ExprName) -> Option<&Expr> {
        let semantics = &self.file.semantics;
        let definitions = semantics.bindings(name)?;
        let [definition] = definitions.as_slice() else {
            return None;
        };
        semantics.value_assigned(*definition)
    }

    /// Whether a loop around gives `name` one part of something after the other.
    fn is_from_parts(&self, name: &ast::ExprName) -> bool {
        let around = self
            .fan_out
            .statement
            .enclosing_in_function()
            .filter_map(|(node, _)| match node {
                AnyNodeRef::StmtFor(inner) => Some((&*inner.target, &*inner.iter)),
                _ => None,
            });
        let mut loops: Vec<(&Expr, &Expr)> = around.collect();
        loops.retain(|(target, _)| {
            contains(target, name.range())
                || matches!(target, Expr::Name(other) if other.id == name.id)
                || matches!(target, Expr::Tuple(tuple) if tuple.elts.iter().any(
                    |elt| matches!(elt, Expr::Name(other) if other.id == name.id)))
        });
        loops.iter().any(|(_, iter)| match iter {
            Expr::Call(call) => {
                last_name(&call.func).is_some_and(splits)
                    || call.arguments.args.iter().any(|argument| {
                        matches!(argument, Expr::Call(inner)
                            if last_name(&inner.func).is_some_and(splits))
                    })
            }
            other => last_name(other).is_some_and(splits),
        })
    }

    /// The value of an integer that is written down somewhere.
    fn integer(&self, expr: &Expr, depth: Limit) -> Option<i64> {
        match expr {
            Expr::NumberLiteral(literal) => match &literal.value {
                Number::Int(value) => value.as_i64(),
                _ => None,
            },
            Expr::UnaryOp(operation) if operation.op == UnaryOp::USub => {
                self.integer(&operation.operand, depth)?.checked_neg()
            }
            Expr::BinOp(operation) => {
                let left = self.integer(&operation.left, depth)?;
                let right = self.integer(&operation.right, depth)?;
                match operation.op {
                    Operator::Add => left.checked_add(right),
                    Operator::Sub => left.checked_sub(right),
                    Operator::Mult => left.checked_mul(right),
                    Operator::FloorDiv if right > 0 => Some(left.div_euclid(right)),
                    Operator::Pow => left.checked_pow(u32::try_from(right).ok()?),
                    _ => None,
                }
            }
            Expr::Name(name) => {
                let depth = depth.less()?;
                self.integer(self.value_of(name)?, depth)
            }
            _ => None,
        }
    }

    /// Whether the function compares the length of what is iterated over, or of the list that is
    /// filled, with something.
    fn is_checked(&self) -> bool {
        let list = self.fan_out.list.map(ListName::text);
        let mut watched: Vec<&str> = list.as_deref().into_iter().collect();
        for turn in &self.fan_out.turns {
            watched.push(self.file.text(turn.iter));
        }
        let mut search = LengthChecks {
            source: self.file.source,
            watched,
            found: false,
        };
        search.visit_body(self.body);
        search.found
    }
}

fn exactly(count: usize) -> Size {
    u64::try_from(count).map_or(Size::Unknown, Size::Exactly)
}

/// Whether a name is one for a part of something that was split, and not for all the parts.
fn is_part(name: &str) -> bool {
    name.to_ascii_lowercase()
        .split('_')
        .any(|word| matches!(word, "chunk" | "batch" | "slice" | "group" | "window"))
}

/// Whether something of this name splits, or is split.
fn splits(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "chunk",
        "batch",
        "slice",
        "grouper",
        "partition",
        "split",
        "window",
        "page",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Looks for `len(items) > 100` and the like.
struct LengthChecks<'n> {
    source: &'n str,
    watched: Vec<&'n str>,
    found: bool,
}

impl LengthChecks<'_> {
    fn is_length(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Call(call) => {
                last_name(&call.func) == Some("len")
                    && matches!(&*call.arguments.args, [only]
                        if self.watched.contains(&self.text(only.range())))
            }
            Expr::Named(named) => self.is_length(&named.value),
            _ => false,
        }
    }

    fn text(&self, range: TextRange) -> &str {
        self.source.get(range.to_std_range()).unwrap_or_default()
    }
}

impl<'a> SourceOrderVisitor<'a> for LengthChecks<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCompare(compare) = node {
            let orders = compare
                .ops
                .iter()
                .any(|op| matches!(op, CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE));
            let mut sides = std::iter::once(&*compare.left).chain(&compare.comparators);
            // Whether there is anything at all is another question.
            let small = |side: &Expr| {
                matches!(side, Expr::NumberLiteral(literal)
                    if matches!(&literal.value, Number::Int(value)
                        if value.as_i64().is_some_and(|value| value < 2)))
            };
            self.found |=
                orders && sides.clone().any(|side| self.is_length(side)) && !sides.any(small);
        }
        TraversalSignal::Traverse
    }
}
