//! What tests say of names and attributes, and type checkers forget inside of a new function.

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::file::File;

/// What code that moves into a function of its own uses of which a test outside of it says more than its declaration:
/// `if self.path is None: return`. Type checkers forget such tests inside of the new function, but for variables that
/// keep their value. `given` is what the new function gets as arguments.
pub fn forgotten_test<'a>(
    file: &File<'a, '_>,
    function: &'a ast::StmtFunctionDef,
    moved: TextRange,
    given: &[String],
) -> Option<String> {
    let mut places = Places {
        moved,
        tested: FxHashMap::default(),
        used: Vec::new(),
        bound: FxHashSet::default(),
        rebound: FxHashSet::default(),
        own: FxHashSet::default(),
    };
    places.visit_body(&function.body);
    let parameters = function.parameters.iter();
    places
        .bound
        .extend(parameters.map(|parameter| parameter.name().to_string()));
    let shown = |expr: &Expr| shown(file, expr.into());
    places.used.iter().find_map(|(place, used)| {
        let root = place.split(['.', '[']).next().unwrap_or_default();
        let is_own = places.own.contains(root) || given.iter().any(|name| name == place);
        let is_kept =
            place == root && places.bound.contains(root) && !places.rebound.contains(root);
        let tests = places.tested.get(place)?;
        let is_narrowed = || {
            let known = shown(used);
            tests
                .iter()
                .any(|test| known.is_none() || shown(test) != known)
        };
        (!is_own && !is_kept && is_narrowed()).then(|| place.clone())
    })
}

/// The type of an expression, as the type engine shows it.
pub fn shown(file: &File<'_, '_>, expr: ast::ExprRef<'_>) -> Option<String> {
    let semantics = &file.semantics;
    let env = semantics.model().program_environment();
    let ty = semantics.type_of(expr)?;
    let shown = ty.display(semantics.db(), &env).to_string();
    // That something is not empty is part of no declaration.
    Some(shown.replace(" & ~AlwaysFalsy", "").replace(['(', ')'], ""))
}

/// What may be narrowed by a test: names, attributes and items of these, as they are written.
struct Places<'a> {
    moved: TextRange,
    /// What tests outside of the moved code say something of, or what gets a value there.
    tested: FxHashMap<String, Vec<&'a Expr>>,
    /// What the moved code uses.
    used: Vec<(String, &'a Expr)>,
    /// Names that the function binds, those bound behind the moved code, and those bound in it.
    bound: FxHashSet<String>,
    rebound: FxHashSet<String>,
    own: FxHashSet<String>,
}

impl<'a> Places<'a> {
    fn test(&mut self, test: &'a Expr) {
        match test {
            Expr::BoolOp(operation) => operation.values.iter().for_each(|value| self.test(value)),
            Expr::UnaryOp(operation) => self.test(&operation.operand),
            Expr::Compare(compare) => {
                self.test(&compare.left);
                compare
                    .comparators
                    .iter()
                    .for_each(|value| self.test(value));
            }
            Expr::Named(named) => {
                self.test(&named.target);
                self.test(&named.value);
            }
            Expr::Call(call)
                if matches!(
                    last_name(&call.func),
                    Some("isinstance" | "issubclass" | "callable" | "hasattr")
                ) =>
            {
                call.arguments
                    .args
                    .iter()
                    .for_each(|value| self.test(value));
            }
            place => self.is_tested(place),
        }
    }

    fn is_tested(&mut self, place: &'a Expr) {
        if let Some(text) = place_of(place) {
            self.tested.entry(text).or_default().push(place);
        }
    }
}

/// A name, or an attribute or item of one, as it is written.
fn place_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => Some(format!(
            "{}.{}",
            place_of(&attribute.value)?,
            attribute.attr
        )),
        Expr::Subscript(subscript) => {
            let key = match &*subscript.slice {
                Expr::StringLiteral(text) => text.value.to_str().to_owned(),
                other => place_of(other)?,
            };
            Some(format!("{}[{key}]", place_of(&subscript.value)?))
        }
        _ => None,
    }
}

impl<'a> SourceOrderVisitor<'a> for Places<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.moved.contains_range(node.range()) {
            return TraversalSignal::Traverse;
        }
        match node {
            AnyNodeRef::StmtIf(inner) => self.test(&inner.test),
            AnyNodeRef::ElifElseClause(inner) => inner.test.iter().for_each(|test| self.test(test)),
            AnyNodeRef::StmtWhile(inner) => self.test(&inner.test),
            AnyNodeRef::StmtAssert(inner) => self.test(&inner.test),
            AnyNodeRef::StmtMatch(inner) => self.test(&inner.subject),
            AnyNodeRef::ExprIf(inner) => self.test(&inner.test),
            AnyNodeRef::ExprBoolOp(inner) => inner.values.iter().for_each(|value| self.test(value)),
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        let is_store = match expr {
            Expr::Name(name) => !name.ctx.is_load(),
            Expr::Attribute(attribute) => !attribute.ctx.is_load(),
            Expr::Subscript(subscript) => !subscript.ctx.is_load(),
            _ => {
                walk_expr(self, expr);
                return;
            }
        };
        if let Some(place) = place_of(expr) {
            let is_moved = self.moved.contains_range(expr.range());
            match (is_moved, is_store) {
                (true, false) => self.used.push((place, expr)),
                (true, true) if expr.is_name_expr() => {
                    self.own.insert(place);
                }
                (false, true) if expr.is_name_expr() => {
                    if expr.start() > self.moved.end() {
                        self.rebound.insert(place.clone());
                    }
                    self.bound.insert(place);
                }
                (false, true) => self.is_tested(expr),
                _ => {}
            }
        }
        walk_expr(self, expr);
    }
}
