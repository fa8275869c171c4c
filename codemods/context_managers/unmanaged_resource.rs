//! AF601 unmanaged-resource: what is opened and not closed by a context manager stays open when
//! something goes wrong.

use std::ops::RangeInclusive;

use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, NodeKind, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashSet;

use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::key::opening_key;
use crate::outline::last_name;
use crate::rule::Rule;
use crate::site::{Owner, Place, Site, suites_in};
use crate::spelling::Hints;
use crate::support::blocks;
use crate::support::locks;
use crate::support::resources::{
    CALL, Form, Resource, callable_classes, is_opening_method, opened, opening_names, opening_paths,
};
use crate::traces::search::Sought;
use crate::{Candidate, Codemod};

/// The codemod of AF601.
pub struct UnmanagedResource;

static RULE: Rule = Rule {
    code: "AF601",
    name: "unmanaged-resource",
    pitfall: "not using context managers",
    page: include_str!("AF601.md"),
    default: true,
    equivalents: &[],
};

const SHARED: &str = "the statement shares its line with another one";

/// Methods that may close an object, whatever the table says: an object with such a call is closed
/// in a way of its own.
const CLOSING: [&str; 16] = [
    "__aenter__",
    "__aexit__",
    "aclose",
    "cleanup",
    "close",
    "closed",
    "detach",
    "disconnect",
    "dispose",
    "end_session",
    "quit",
    "release",
    "reset",
    "shutdown",
    "stop",
    "terminate",
];

/// Arguments by which an object is given another one that it closes with itself.
const PARTS: [&str; 10] = [
    "bind",
    "client",
    "connection",
    "connection_pool",
    "connector",
    "engine",
    "http_client",
    "pool",
    "session",
    "transport",
];

impl Codemod for UnmanagedResource {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        opening_names()
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::StmtAssign, NodeKind::StmtAnnAssign]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let Some(opening) = Opening::of(site.node) else {
            return Candidate::No;
        };
        let callee = &opening.call.func;
        let is_opening = spellings
            .last_names(callee)
            .flat_map(opening_paths)
            .any(|path| spellings.allow(callee, &[path]));
        let method =
            last_name(callee).filter(|name| callee.is_attribute_expr() && is_opening_method(name));
        let may_be_object = callable_classes()
            .iter()
            .filter_map(|path| path.split('.').next())
            .any(|package| spellings.import(package));
        let sought = |key| Candidate::If(key, Sought::Receiver(key));
        let candidate = match method {
            _ if is_opening => Candidate::Yes,
            Some(_) if may_be_object => Candidate::Yes,
            Some(method) => sought(opening_key(method)),
            None if may_be_object => sought(opening_key(CALL)),
            None => Candidate::No,
        };
        candidate.and(|| site.is_asynchronous(false))
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let opening = Opening::of(site.node)?;
        let Owner::Function(function) = file.surroundings(site).owner else {
            return None;
        };
        let mut rows = opened(file, opening.call, opening.awaited);
        // What cannot be entered has no use for the tuple, and the call for nothing else.
        rows.retain(|row| {
            row.place_in_tuple().is_some() == opening.is_tuple
                && (!opening.is_tuple || row.form == Form::None)
                && !row.is_idle(file, opening.call)
        });
        let object = opening.object(&rows)?;
        let name = &object.id;
        let scope = file.semantics.function_scope(function)?;
        if file.semantics.is_declared_outside(name, scope)
            || file.semantics.lookup(name, scope)?.len() != 1
        {
            return None;
        }
        let mut uses = Uses {
            name,
            ancestors: Vec::new(),
            found: Vec::new(),
        };
        uses.visit_body(&function.body);
        let uses = uses.found;
        if uses.is_empty() || uses.iter().any(|used| used.kind == UseKind::Kept) {
            return None;
        }
        if is_fixture(function) && closes_behind_yield(function, object) {
            return None;
        }
        let managed = Managed {
            file,
            function,
            opening,
            object,
            place: site.place()?,
            rows,
            uses,
        };
        let (message, rewrite) = managed.rewrite(site)?;
        Some(Finding {
            rule: &RULE,
            range: opening.call.range(),
            message: format!("`{name}` {message}"),
            remedy: match rewrite {
                Ok(rewrite) => Remedy::Rewrite(rewrite),
                Err(reason) => Remedy::NotFixed(reason),
            },
        })
    }
}

/// A statement that may open something: `name = call(…)` or `one, other = call(…)`, awaited or not.
#[derive(Clone, Copy)]
struct Opening<'a> {
    targets: &'a [Expr],
    /// Whether the call gives a tuple of these.
    is_tuple: bool,
    call: &'a ast::ExprCall,
    awaited: bool,
}

impl<'a> Opening<'a> {
    fn of(node: AnyNodeRef<'a>) -> Option<Self> {
        let (target, value) = match node {
            AnyNodeRef::StmtAssign(statement) => match statement.targets.as_slice() {
                [target] => (target, &*statement.value),
                _ => return None,
            },
            AnyNodeRef::StmtAnnAssign(statement) => {
                (&*statement.target, statement.value.as_deref()?)
            }
            _ => return None,
        };
        let (targets, is_tuple) = match target {
            Expr::Name(_) => (std::slice::from_ref(target), false),
            Expr::Tuple(tuple) => (tuple.elts.as_slice(), true),
            _ => return None,
        };
        let (call, awaited) = match value {
            Expr::Call(call) => (call, false),
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => (call, true),
                _ => return None,
            },
            _ => return None,
        };
        Some(Self {
            targets,
            is_tuple,
            call,
            awaited,
        })
    }

    /// The name of the object that one of `rows` says is opened.
    fn object(&self, rows: &[&Resource]) -> Option<&'a ast::ExprName> {
        let index = rows.first()?.place_in_tuple().unwrap_or(0);
        self.targets.get(index)?.as_name_expr()
    }
}

/// A use of the object.
struct Used<'a> {
    range: TextRange,
    kind: UseKind<'a>,
}

#[derive(Clone, Copy, PartialEq)]
enum UseKind<'a> {
    /// `name.attribute`
    Receiver(&'a str),
    /// An argument of a call, or what a loop iterates over.
    Argument,
    /// `yield name`
    Yielded,
    /// Anything else: it may outlive the function, or be managed already.
    Kept,
}

/// Collects the uses of a name.
struct Uses<'a, 'n> {
    name: &'n str,
    ancestors: Vec<AnyNodeRef<'a>>,
    found: Vec<Used<'a>>,
}

impl<'a> SourceOrderVisitor<'a> for Uses<'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprName(name) = node
            && name.id == self.name
            && name.ctx != ExprContext::Store
        {
            let kind = match self.ancestors.last() {
                Some(AnyNodeRef::ExprAttribute(attribute))
                    if attribute.ctx == ExprContext::Load =>
                {
                    UseKind::Receiver(&attribute.attr)
                }
                Some(
                    AnyNodeRef::Arguments(_) | AnyNodeRef::Keyword(_) | AnyNodeRef::StmtFor(_),
                ) => UseKind::Argument,
                Some(AnyNodeRef::ExprYield(_)) => UseKind::Yielded,
                _ => UseKind::Kept,
            };
            let is_captured = self.ancestors.iter().any(|node| {
                matches!(
                    node,
                    AnyNodeRef::StmtFunctionDef(_)
                        | AnyNodeRef::StmtClassDef(_)
                        | AnyNodeRef::ExprLambda(_)
                        | AnyNodeRef::ExprGenerator(_)
                )
            });
            let kind = if is_captured { UseKind::Kept } else { kind };
            self.found.push(Used {
                range: name.range(),
                kind,
            });
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}

/// A message, and the rewrite or the reason why there is none.
type Answer = Option<(&'static str, Result<Rewrite, String>)>;

/// An object that is opened by one statement of a suite.
struct Managed<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    opening: Opening<'a>,
    /// The variable that the object is bound to.
    object: &'a ast::ExprName,
    place: Place<'a>,
    rows: Vec<&'static Resource>,
    uses: Vec<Used<'a>>,
}

/// A close before the end, and the statement behind it that leaves.
struct Early<'a> {
    suite: &'a [Stmt],
    close: RangeInclusive<usize>,
    exit: &'a Stmt,
}

impl<'a> Managed<'_, 'a, '_> {
    fn rewrite(&self, site: &Site<'_, 'a>) -> Answer {
        let statements = self.place.suite;
        let whole = TextRange::new(self.place.statement.start(), statements.last()?.end());
        if self
            .uses
            .iter()
            .any(|used| !whole.contains_range(used.range))
        {
            return None;
        }
        let closes = self.closes_in(&self.function.body);
        if closes == 0 {
            return self.never_closed(site);
        }
        let first = self.first_of_body()?;
        if let Some(Stmt::Try(statement)) = statements.get(first)
            && let Some(answer) = self.before_try(statement, first, closes)
        {
            return Some(answer);
        }
        self.closed_in_suite(first, closes)
    }

    /// The index of the first statement behind the opening, and behind the statement that sets the
    /// object up where entering the block does that.
    fn first_of_body(&self) -> Option<usize> {
        let next = self.place.index + 1;
        let Some(setup) = self.rows.first().and_then(|row| row.setup.as_deref()) else {
            return Some(next);
        };
        let statement = self.place.suite.get(next)?;
        self.is_awaited_method(statement, setup).then_some(next + 1)
    }

    /// Later in the same suite: `await x.close()`.
    fn closed_in_suite(&self, first: usize, closes: usize) -> Answer {
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let (behind, row) =
            (first..suite.len()).find_map(|at| Some((at, self.closing(suite.get(at)?)?)))?;
        let held = suite.get(first..behind)?;
        if held.is_empty() {
            return None;
        }
        let mut early = Vec::new();
        self.early_closes(held, &mut early);
        let (end, waits) = self.end_of_close(suite, behind, row);
        let last = suite.get(end)?.end();
        if closes != early.len() + 1
            || self.closes_otherwise()
            || self.uses.iter().any(|used| used.range.start() > last)
        {
            return None;
        }
        let message = "is closed by hand: an exception or a cancellation in between leaves it open";
        // What is opened meanwhile is closed before it.
        let inner_end = self.end_of_inner(held, suite, end)?;
        let rewrite = || -> Result<Rewrite, String> {
            let lines = self.file.lines();
            let mut removals = Vec::new();
            for at in index + 1..first {
                removals.push(self.indented(lines.delete(suite, at)?));
            }
            for at in behind..=end {
                removals.push(if inner_end > end {
                    lines.delete(suite, at)?
                } else if row.form == Form::None {
                    let line = lines.line_of(suite.get(at).ok_or(SHARED)?).ok_or(SHARED)?;
                    let removal = Edit::range_deletion(line);
                    if at == behind {
                        lines.with_blank_lines_before(removal)
                    } else {
                        removal
                    }
                } else {
                    let removal = lines.delete(suite, at)?;
                    if at == behind && end + 1 == suite.len() {
                        lines.with_blank_lines_before(removal)
                    } else {
                        removal
                    }
                });
            }
            for early in &early {
                for at in early.close.clone() {
                    removals.push(lines.delete(early.suite, at)?);
                }
            }
            if !lines.stands_alone(statement) {
                return Err(SHARED.to_owned());
            }
            let mut edits;
            let moves;
            if row.form == Form::None {
                let held = if inner_end > end {
                    first..inner_end + 1
                } else {
                    first..behind
                };
                let block = lines
                    .block(suite, parent, held)
                    .ok_or("the block is empty")?;
                edits = block.wrap("try:", &self.finally(suite, behind..=end))?;
                moves = block.range();
            } else {
                let block = if inner_end > end {
                    lines.block(suite, parent, first..inner_end + 1)
                } else {
                    lines.between(suite, parent, first - 1, behind)
                };
                let block = block.ok_or(SHARED)?;
                edits = block.indented()?;
                moves = TextRange::new(statement.start(), block.range().end());
            }
            blocks::leave_out(&mut edits, &removals);
            let header = self.header(row, &removals)?;
            edits.extend(removals);
            if row.form != Form::None {
                edits.push(Edit::range_replacement(
                    format!("{header}:"),
                    statement.range(),
                ));
            }
            let mut rewrite = Rewrite::safe(title(row), edits);
            rewrite.moves = Some(moves);
            let returned = early
                .iter()
                .any(|close| !is_simple_exit(close.exit))
                .then_some("what is returned after an early close would be made while it is open");
            Ok(rewrite
                .unsafe_if(returned)
                .unsafe_if(row.more_than_close())
                .unsafe_if(waits))
        };
        Some((message, rewrite()))
    }

    /// The index of the last statement right behind the close, which ends at `end`, that closes something
    /// `held` opens, or `end`. `None` where such a close comes later: blocks cannot overlap.
    fn end_of_inner(&self, held: &[Stmt], suite: &[Stmt], end: usize) -> Option<usize> {
        let inner: Vec<&str> = held
            .iter()
            .filter_map(|statement| Opening::of(statement.into()))
            .filter_map(|opening| {
                let rows = opened(self.file, opening.call, opening.awaited);
                opening.object(&rows)
            })
            .map(|object| object.id.as_str())
            .collect();
        let closes_inner = |statement: &Stmt| {
            let Stmt::Expr(statement) = statement else {
                return false;
            };
            let call = match &*statement.value {
                Expr::Await(awaited) => &awaited.value,
                _ => &statement.value,
            };
            matches!(&**call, Expr::Call(call)
                if matches!(&*call.func, Expr::Attribute(method)
                    if CLOSING.contains(&method.attr.as_str())
                        && matches!(&*method.value, Expr::Name(name)
                            if inner.contains(&name.id.as_str()))))
        };
        let rest = suite.get(end + 1..)?;
        let adjacent = rest.iter().take_while(|next| closes_inner(next)).count();
        let later = rest.iter().skip(adjacent).any(closes_inner);
        (!later).then_some(end + adjacent)
    }

    /// Right behind the opening: `try: … finally: await x.close()`.
    fn before_try(&self, statement: &'a ast::StmtTry, at: usize, closes: usize) -> Answer {
        let finalbody = statement.finalbody.as_slice();
        let (close, row) =
            (0..finalbody.len()).find_map(|at| Some((at, self.closing(finalbody.get(at)?)?)))?;
        let (end, waits) = self.end_of_close(finalbody, close, row);
        if closes != 1
            || end + 1 != finalbody.len()
            || row.form == Form::None
            // It is closed in every case already: only the same in fewer words is better.
            || row.more_than_close().is_some()
            || waits.is_some()
            || self.closes_otherwise()
            || self
                .uses
                .iter()
                .any(|used| used.range.start() > statement.end())
        {
            return None;
        }
        let rewrite = || -> Result<Rewrite, String> {
            let lines = self.file.lines();
            let Place { suite, index, .. } = self.place;
            if !lines.stands_alone(self.place.statement) {
                return Err(SHARED.to_owned());
            }
            let mut removals = Vec::new();
            for at in index..at {
                let removal = lines.delete(suite, at)?;
                removals.push(lines.with_blank_lines_behind(removal));
            }
            if close == 0 {
                let removal = lines.without_finally(finalbody)?;
                removals.push(lines.with_blank_lines_before(removal));
            } else {
                for at in close..=end {
                    removals.push(lines.delete(finalbody, at)?);
                }
            }
            let header = self.header(row, &removals)?;
            let is_bare =
                close == 0 && statement.handlers.is_empty() && statement.orelse.is_empty();
            let rewrite = if is_bare {
                let keyword = TextRange::at(statement.start(), TextSize::of("try"));
                removals.push(Edit::range_replacement(header, keyword));
                Rewrite::safe(title(row), removals)
            } else {
                let block = lines
                    .block(suite, self.place.parent, at..at + 1)
                    .ok_or("the block is empty")?;
                let mut edits = block.wrap(&format!("{header}:"), &[])?;
                blocks::leave_out(&mut edits, &removals);
                edits.extend(removals);
                let mut rewrite = Rewrite::safe(title(row), edits);
                rewrite.moves = Some(block.range());
                rewrite
            };
            Ok(rewrite)
        };
        Some((
            "is closed by hand, which its context manager does",
            rewrite(),
        ))
    }

    /// Nothing closes it, and it does not leave the function.
    fn never_closed(&self, site: &Site<'_, 'a>) -> Answer {
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let first = self.first_of_body()?;
        let row = *self.rows.first()?;
        // Closing it would close what it was given as well.
        let shares = self.opening.call.arguments.keywords.iter().any(|keyword| {
            keyword
                .arg
                .as_deref()
                .is_none_or(|name| PARTS.contains(&name))
        });
        // It may close it by itself, once all is sent.
        let drains = self
            .uses
            .iter()
            .any(|used| used.kind == UseKind::Receiver("drain"));
        // To wait for its end is not to bring it about: the other side does.
        let waits = self.rows.iter().any(|row| {
            row.then.as_deref().is_some_and(|then| {
                self.uses
                    .iter()
                    .any(|used| used.kind == UseKind::Receiver(then))
            })
        });
        if shares
            || drains
            || waits
            || self.rows.iter().any(|row| row.is_fine_unclosed())
            || row.owner_closes
            || self.closes_otherwise()
            || !self
                .uses
                .iter()
                .all(|used| matches!(used.kind, UseKind::Receiver(_)))
            || suite.get(first..).is_none_or(<[Stmt]>::is_empty)
        {
            return None;
        }
        let leaving = self.leaving(suite.get(first..)?);
        if leaving == Leaving::IsKept {
            return None;
        }
        let rewrite = || -> Result<Rewrite, String> {
            let lines = self.file.lines();
            let owner = self.file.surroundings(site).owner;
            let lock = locks::allow_await(self.file, site, owner)?;
            if !lines.stands_alone(statement) {
                return Err(SHARED.to_owned());
            }
            let block = lines
                .block(suite, parent, first..suite.len())
                .ok_or("the block is empty")?;
            let mut removals = Vec::new();
            for at in index + 1..first {
                removals.push(self.indented(lines.delete(suite, at)?));
            }
            let mut edits;
            if row.form == Form::None {
                let close = row.close.first().map_or("close", String::as_str);
                let name = &self.object.id;
                let unit = self.file.indent_unit();
                let call = if row.close_awaited.allows(true) {
                    format!("{unit}await {name}.{close}()")
                } else {
                    format!("{unit}{name}.{close}()")
                };
                let mut trailer = vec!["finally:".to_owned(), call];
                if let Some(then) = &row.then {
                    trailer.push(format!("{unit}await {name}.{then}()"));
                }
                edits = block.wrap("try:", &trailer)?;
            } else {
                edits = block.indented()?;
                edits.push(Edit::range_replacement(
                    format!("{}:", self.header(row, &removals)?),
                    statement.range(),
                ));
            }
            blocks::leave_out(&mut edits, &removals);
            edits.extend(removals);
            let mut rewrite = Rewrite::safe(title(row), edits);
            rewrite.moves = Some(TextRange::new(statement.start(), block.range().end()));
            Ok(rewrite
                .unsafe_if(
                    (leaving == Leaving::IsReturned)
                        .then_some("what it gave leaves the function, and may need it open"),
                )
                .unsafe_if(row.more_than_close())
                .unsafe_if(row.then.as_ref().map(
                    |_| "leaving the block also waits until it is closed, which this code does not",
                ))
                .unsafe_if(lock))
        };
        Some(("is never closed", rewrite()))
    }

    /// What `async with` enters, and the name it binds, where something reads it once `removals` are gone.
    fn header(&self, row: &Resource, removals: &[Edit]) -> Result<String, String> {
        let call = self.opening.call;
        if self.file.text(&*call.func).contains(['\n', '\r']) {
            return Err("what is called stands on several lines".to_owned());
        }
        let manager = match row.form {
            Form::Receiver => match &*call.func {
                Expr::Attribute(method) => self.file.text(&*method.value).to_owned(),
                callee => self.file.text(callee).to_owned(),
            },
            Form::Awaited => format!("await {}", self.file.text(call)),
            Form::Call | Form::None => self.file.text(call).to_owned(),
        };
        let is_removed = |used: &Used<'_>| {
            let mut removals = removals.iter();
            removals.any(|removal| removal.range().contains_range(used.range))
        };
        if self.uses.iter().all(is_removed) {
            return Ok(format!("async with {manager}"));
        }
        Ok(format!("async with {manager} as {}", self.object.id))
    }

    /// The lines of a `finally` with the statements `closing` of a suite, and their comments.
    fn finally(&self, suite: &[Stmt], closing: RangeInclusive<usize>) -> Vec<String> {
        let unit = self.file.indent_unit();
        let lines = self.file.lines();
        let statements = suite.get(closing).unwrap_or_default().iter();
        std::iter::once("finally:".to_owned())
            .chain(statements.map(|statement| {
                let line = lines.line_of(statement).unwrap_or(statement.range());
                let text = self
                    .file
                    .text(TextRange::new(statement.start(), line.end()));
                format!("{unit}{}", text.trim_end())
            }))
            .collect()
    }

    /// The same removal, where a comment that stays goes into the block.
    fn indented(&self, removal: Edit) -> Edit {
        let keeps_comment = self.file.source[removal.end().to_usize()..].starts_with('#');
        if keeps_comment && removal.is_deletion() {
            Edit::range_replacement(self.file.indent_unit().to_owned(), removal.range())
        } else {
            removal
        }
    }

    /// The row by which a statement closes the object.
    fn closing(&self, statement: &Stmt) -> Option<&'static Resource> {
        let Stmt::Expr(statement) = statement else {
            return None;
        };
        let (call, awaited) = match &*statement.value {
            Expr::Await(awaited) => (awaited.value.as_call_expr()?, true),
            Expr::Call(call) => (call, false),
            _ => return None,
        };
        let method = call.func.as_attribute_expr()?;
        self.rows.iter().copied().find(|row| {
            row.close_awaited.allows(awaited)
                && if row.owner_closes {
                    let owner = self.opening.call.func.as_attribute_expr();
                    row.close.iter().any(|close| *close == *method.attr)
                        && owner.is_some_and(|owner| {
                            self.file.text(&*owner.value) == self.file.text(&*method.value)
                        })
                        && matches!(&*call.arguments.args, [Expr::Name(name)]
                            if name.id == self.object.id)
                        && call.arguments.keywords.is_empty()
                } else {
                    call.arguments.is_empty()
                        && row.close.iter().any(|close| {
                            self.file.text(method) == format!("{}.{close}", self.object.id)
                        })
                }
        })
    }

    fn is_awaited_method(&self, statement: &Stmt, method: &str) -> bool {
        let Stmt::Expr(statement) = statement else {
            return false;
        };
        let Expr::Await(awaited) = &*statement.value else {
            return false;
        };
        matches!(&*awaited.value, Expr::Call(call)
            if call.arguments.is_empty()
                && self.file.text(&*call.func) == format!("{}.{method}", self.object.id))
    }

    /// The index of the last statement of the close at `at`, and a reason where leaving the block
    /// waits for more than the program did.
    fn end_of_close(
        &self,
        suite: &[Stmt],
        at: usize,
        row: &Resource,
    ) -> (usize, Option<&'static str>) {
        let Some(then) = &row.then else {
            return (at, None);
        };
        match suite.get(at + 1) {
            Some(next) if self.is_awaited_method(next, then) => (at + 1, None),
            _ => (
                at,
                Some("leaving the block also waits until it is closed, which this code does not"),
            ),
        }
    }

    fn closes_in(&self, suite: &'a [Stmt]) -> usize {
        suite
            .iter()
            .map(|statement| {
                let inner: usize = suites_in(statement)
                    .into_iter()
                    .map(|suite| self.closes_in(suite))
                    .sum();
                usize::from(self.closing(statement).is_some()) + inner
            })
            .sum()
    }

    /// Whether it is closed in a way that is not seen through: by a method with arguments, in an
    /// expression, or by another method.
    fn closes_otherwise(&self) -> bool {
        let known = self.closes_in(&self.function.body);
        let setup = self.rows.first().and_then(|row| row.setup.as_deref());
        let then = self.rows.first().and_then(|row| row.then.as_deref());
        let by_method = self
            .uses
            .iter()
            .filter(|used| match used.kind {
                UseKind::Receiver(method) => {
                    self.rows.iter().any(|row| {
                        !row.owner_closes && row.close.iter().any(|close| close == method)
                    }) || CLOSING.contains(&method) && Some(method) != setup && Some(method) != then
                }
                _ => false,
            })
            .count();
        let by_owner = self.rows.iter().any(|row| row.owner_closes);
        if by_owner {
            by_method > 0
        } else {
            by_method != known
        }
    }

    /// The closes in `suite` and below with a `return` or `raise` right behind.
    fn early_closes(&self, suite: &'a [Stmt], found: &mut Vec<Early<'a>>) {
        for (index, statement) in suite.iter().enumerate() {
            if let Some(row) = self.closing(statement) {
                let (end, _) = self.end_of_close(suite, index, row);
                if let Some(exit @ (Stmt::Return(_) | Stmt::Raise(_))) = suite.get(end + 1) {
                    found.push(Early {
                        suite,
                        close: index..=end,
                        exit,
                    });
                }
            }
            if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                for inner in suites_in(statement) {
                    self.early_closes(inner, found);
                }
            }
        }
    }

    /// Whether what the object gave leaves the function.
    fn leaving(&self, body: &'a [Stmt]) -> Leaving {
        let mut derived = Derived {
            file: self.file,
            function: self.function,
            names: self.opening.targets.iter().filter_map(last_name).collect(),
            ancestors: Vec::new(),
            object: &self.object.id,
            leaving: Leaving::StaysHere,
        };
        // What is made of it by a later statement may be used by an earlier one of a loop.
        for _ in 0..2 {
            derived.visit_body(body);
        }
        derived.leaving
    }
}

/// Whether a function is a fixture of pytest, by its decorator's name: what stands behind its `yield`
/// runs in every case.
fn is_fixture(function: &ast::StmtFunctionDef) -> bool {
    function.decorator_list.iter().any(|decorator| {
        let decorator = match &decorator.expression {
            Expr::Call(call) => &call.func,
            other => other,
        };
        last_name(decorator) == Some("fixture")
    })
}

/// Whether `object` is used in a statement behind the only `yield` of a function, where that is one of
/// the function's own suite.
fn closes_behind_yield(function: &ast::StmtFunctionDef, object: &ast::ExprName) -> bool {
    let is_yield =
        |statement: &Stmt| matches!(statement, Stmt::Expr(only) if only.value.is_yield_expr());
    let Some(at) = function.body.iter().position(is_yield) else {
        return false;
    };
    let mut uses = Uses {
        name: &object.id,
        ancestors: Vec::new(),
        found: Vec::new(),
    };
    uses.visit_body(function.body.get(at + 1..).unwrap_or_default());
    !uses.found.is_empty()
}

fn title(row: &Resource) -> &'static str {
    if row.form == Form::None {
        "Close it in a `finally`"
    } else {
        "Close it with `async with`"
    }
}

/// Whether leaving by this statement makes nothing.
fn is_simple_exit(statement: &Stmt) -> bool {
    match statement {
        Stmt::Return(inner) => inner
            .value
            .as_deref()
            .is_none_or(|value| value.is_name_expr() || value.is_literal_expr()),
        Stmt::Raise(_) => true,
        _ => false,
    }
}

/// Whether what an object gave leaves the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    /// It does not.
    StaysHere,
    /// It is returned, yielded, or given to somebody.
    IsReturned,
    /// It is kept in an attribute, a container or a variable of the module.
    IsKept,
}

/// Looks for what an object gave where it leaves the function.
struct Derived<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    names: FxHashSet<&'a str>,
    ancestors: Vec<AnyNodeRef<'a>>,
    object: &'a str,
    leaving: Leaving,
}

impl<'a> Derived<'_, 'a, '_> {
    fn leaves(&mut self, leaving: Leaving) {
        self.leaving = self.leaving.max(leaving);
    }

    /// What happens to the value of a name of interest, seen from its place outwards.
    fn follow(&mut self, name: &'a ast::ExprName) {
        let mut child = name.range();
        // How it is used: awaiting the call of a method of what the object gave brings data.
        let mut awaited_calls = 0;
        for node in self.ancestors.clone().into_iter().rev() {
            match node {
                AnyNodeRef::ExprAwait(awaited) if awaited.value.is_call_expr() => {
                    awaited_calls += 1;
                }
                // Given away; where the whole is awaited it is used up.
                AnyNodeRef::Arguments(_) | AnyNodeRef::Keyword(_) if awaited_calls == 0 => {
                    self.leaves(Leaving::IsReturned);
                    return;
                }
                AnyNodeRef::StmtReturn(_)
                | AnyNodeRef::ExprYield(_)
                | AnyNodeRef::ExprYieldFrom(_) => {
                    if awaited_calls == 0 || name.id == self.object {
                        self.leaves(Leaving::IsReturned);
                    }
                    return;
                }
                // What awaiting a method of what the object gave brings is data.
                AnyNodeRef::StmtAssign(_) | AnyNodeRef::StmtAnnAssign(_)
                    if awaited_calls > 0 && name.id != self.object =>
                {
                    return;
                }
                AnyNodeRef::StmtAssign(statement) => {
                    if statement.value.range().contains_range(child) {
                        for target in &statement.targets {
                            self.bind(target);
                        }
                    }
                    return;
                }
                AnyNodeRef::StmtAnnAssign(statement) => {
                    self.bind(&statement.target);
                    return;
                }
                AnyNodeRef::StmtFor(statement) => {
                    if statement.iter.range().contains_range(child) {
                        self.bind(&statement.target);
                    }
                    return;
                }
                AnyNodeRef::WithItem(item) => {
                    if let Some(target) = &item.optional_vars {
                        self.bind(target);
                    }
                    return;
                }
                AnyNodeRef::ExprNamed(named) => {
                    self.bind(&named.target);
                }
                AnyNodeRef::Comprehension(_) => {}
                AnyNodeRef::ExprLambda(_) => {
                    self.leaves(Leaving::IsReturned);
                    return;
                }
                node if node.is_statement() => return,
                _ => {}
            }
            child = node.range();
        }
    }

    fn bind(&mut self, target: &'a Expr) {
        match target {
            Expr::Name(name) => {
                let scope = self.file.semantics.function_scope(self.function);
                if scope
                    .is_none_or(|scope| self.file.semantics.is_declared_outside(&name.id, scope))
                {
                    self.leaves(Leaving::IsKept);
                }
                self.names.insert(&name.id);
            }
            Expr::Tuple(tuple) => {
                for element in &tuple.elts {
                    self.bind(element);
                }
            }
            _ => self.leaves(Leaving::IsKept),
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Derived<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprName(name) = node
            && name.ctx == ExprContext::Load
            && self.names.contains(name.id.as_str())
        {
            self.follow(name);
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
