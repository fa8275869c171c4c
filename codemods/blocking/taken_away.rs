//! Files that a function takes away when it ends: a thread whose coroutine is cancelled may still write them then.

use asyncfix_analysis::answers::cancellation::catches_cancellation;
use asyncfix_analysis::answers::coroutines;
use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::blocking::files::Use;
use crate::blocking::locals::{Locals, Source};
use crate::blocking::paths::Path;
use crate::file::File;
use asyncfix_syntax::lines::one_line;

/// Whether the `finally` of a `try` around `range`, or a handler that gets cancellations, takes away what is at `path`.
pub(super) fn is_taken_away(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    range: TextRange,
    path: &Path,
) -> bool {
    let mut collected = Collected {
        file,
        path,
        in_names: Vec::new(),
    };
    collected.visit_body(&function.body);
    let mut search = Search {
        file,
        range,
        is_it: &|expr| names(file, path, expr),
        collected: &collected.in_names,
        found: None,
    };
    search.visit_body(&function.body);
    search.found.is_some()
}

/// Why a process that a thread waits for may lose what it works with: a `finally` around `call`, or a handler that gets
/// cancellations, takes away what its arguments are made of.
pub(super) fn under_process<'a>(
    file: &File<'a, '_>,
    function: &'a ast::StmtFunctionDef,
    call: &'a ast::ExprCall,
) -> Option<String> {
    let locals = Locals::of(file, function);
    let mut used = Used::default();
    used.visit_arguments(&call.arguments);
    for name in used.0.clone() {
        if let Some([Source::Value(value)]) = locals.sources(name) {
            used.visit_expr(value);
        }
    }
    let mut search = Search {
        file,
        range: call.range(),
        is_it: &|expr| matches!(expr, Expr::Name(name) if used.0.contains(&name.id.as_str())),
        collected: &[],
        found: None,
    };
    search.visit_body(&function.body);
    let path = search.found?;
    Some(format!(
        "on cancellation the process goes on while `{path}` is removed"
    ))
}

/// The names in an expression.
#[derive(Default)]
struct Used<'a>(Vec<&'a str>);

impl<'a> SourceOrderVisitor<'a> for Used<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprName(name) = node {
            self.0.push(&name.id);
        }
        TraversalSignal::Traverse
    }
}

/// Looks for the collections that a path is put into: `written.append(path)`.
struct Collected<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    path: &'f Path,
    in_names: Vec<String>,
}

impl<'b> SourceOrderVisitor<'b> for Collected<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && let Expr::Attribute(method) = &*call.func
            && matches!(method.attr.as_str(), "append" | "add")
            && let [given] = &*call.arguments.args
            && names(self.file, self.path, given)
        {
            self.in_names
                .push(self.file.text(&*method.value).to_owned());
        }
        own_code(node)
    }
}

/// Whether an expression is the path, or a folder around it.
fn names(file: &File<'_, '_>, path: &Path, expr: &Expr) -> bool {
    is_written(file.text(expr), path)
}

/// Whether a text is how the path is written, or a folder around it.
pub(super) fn is_written(text: &str, path: &Path) -> bool {
    text == path.text
        || text == path.key.1
        || path
            .folder
            .as_ref()
            .is_some_and(|folder| is_written(text, &folder.path))
}

struct Search<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    range: TextRange,
    is_it: &'f dyn Fn(&Expr) -> bool,
    collected: &'f [String],
    /// What is taken away, as it is written.
    found: Option<String>,
}

impl<'b> SourceOrderVisitor<'b> for Search<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        let AnyNodeRef::StmtTry(statement) = node else {
            return own_code(node);
        };
        let is_inside = |inner: &Stmt| inner.range().contains_range(self.range);
        if statement.body.iter().any(is_inside) {
            let removed = removed_at_end_of(self.file, statement, self.is_it, self.collected);
            self.found = self.found.take().or(removed);
        }
        TraversalSignal::Traverse
    }
}

/// What the `finally` of a `try`, or a handler that gets cancellations, takes away, as it is written.
fn removed_at_end_of(
    file: &File<'_, '_>,
    statement: &ast::StmtTry,
    is_it: &dyn Fn(&Expr) -> bool,
    collected: &[String],
) -> Option<String> {
    let on_cancellation = statement.handlers.iter().filter_map(|handler| {
        let ExceptHandler::ExceptHandler(handler) = handler;
        catches_cancellation(file, handler).then_some(&handler.body)
    });
    let suites = on_cancellation.chain([&statement.finalbody]);
    let mut removal = Removal {
        file,
        is_it,
        collected,
        found: None,
    };
    suites.for_each(|suite| removal.visit_body(suite));
    removal.found
}

/// Functions that make something whose name nobody else knows.
const MAKING: [&str; 2] = ["tempfile.mkdtemp", "tempfile.mkstemp"];

/// Why what a call makes may be left where it is: it is made before the `try` that takes it away.
pub(super) fn left_when_cancelled<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &ast::ExprCall,
) -> Option<String> {
    let semantics = &file.semantics;
    if semantics.means(&call.func, &["tempfile.mkstemp"]) {
        return Some("on cancellation the file stays open, and nobody knows of it".to_owned());
    }
    let place = site.place()?;
    let behind = place.suite.get(place.index + 1..)?;
    let mut tries = behind.iter().filter_map(Stmt::as_try_stmt).peekable();
    tries.peek()?;
    let uses = file.file_uses().within(call.range());
    let made: Vec<&Path> = uses
        .iter()
        .filter(|found| found.does.makes)
        .map(|found| &found.path)
        .collect();
    let target = match place.statement {
        Stmt::Assign(assign) if semantics.means(&call.func, &MAKING) => {
            assign.targets.first().and_then(Expr::as_name_expr)
        }
        _ => None,
    };
    if made.is_empty() && target.is_none() {
        return None;
    }
    let is_it = |expr: &Expr| {
        made.iter().any(|path| names(file, path, expr))
            || matches!((expr, target), (Expr::Name(name), Some(target)) if name.id == target.id)
    };
    let left = tries.find_map(|statement| removed_at_end_of(file, statement, &is_it, &[]))?;
    Some(format!(
        "on cancellation the thread may still make `{left}`, and nothing removes it"
    ))
}

/// The file that is taken away and made anew by two calls of a function, of which `found` is one, as it is written.
pub(super) fn gap_in_between<'u>(around: &'u [Use], found: &'u Use) -> Option<&'u str> {
    let is_taken = |from: &Use| from.does.removes || is_moved_away(around, from);
    let is_gap = |from: &Use, to: &Use| {
        from.range.start() < to.range.start()
            && from.path.is_same(&to.path)
            && is_taken(from)
            && to.does.writes
            && !is_moved_away(around, to)
    };
    let mut others = around.iter().filter(|other| other.range != found.range);
    others
        .any(|other| is_gap(found, other) || is_gap(other, found))
        .then_some(&*found.path.text)
}

/// Whether a use is of the file that a call moves elsewhere: the first of two that it writes to.
fn is_moved_away(around: &[Use], found: &Use) -> bool {
    let mut same = around
        .iter()
        .filter(|other| other.range == found.range && other.does.writes);
    same.next()
        .is_some_and(|first| first.path.key == found.path.key)
        && same.next().is_some()
}

/// Looks for a call that takes the file away, itself or what it is given (`asyncio.to_thread(path.unlink)`), or all of
/// a collection that has it.
struct Removal<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    is_it: &'f dyn Fn(&Expr) -> bool,
    collected: &'f [String],
    found: Option<String>,
}

impl<'f, 'a, 'db> Removal<'f, 'a, 'db> {
    /// What is taken away in `parts`, where that is the path or a collection with this name.
    fn add(&mut self, collection: Option<String>, visit: impl Fn(&mut Parts<'f, 'a, 'db>)) {
        let mut parts = Parts {
            file: self.file,
            is_it: self.is_it,
            named: collection,
            takes_away: false,
        };
        visit(&mut parts);
        if parts.takes_away {
            self.found = self.found.take().or(parts.named);
        }
    }
}

impl<'b> SourceOrderVisitor<'b> for Removal<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node {
            self.add(None, |parts| parts.visit_expr(&Expr::Call(call.clone())));
        }
        if let AnyNodeRef::StmtFor(statement) = node {
            let items = self.file.text(&*statement.iter);
            let mut collected = self.collected.iter();
            let collection = collected.find(|name| *name == items).cloned();
            self.add(collection, |parts| parts.visit_body(&statement.body));
        }
        TraversalSignal::Traverse
    }
}

struct Parts<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    is_it: &'f dyn Fn(&Expr) -> bool,
    /// The path, as it is written.
    named: Option<String>,
    takes_away: bool,
}

impl SourceOrderVisitor<'_> for Parts<'_, '_, '_> {
    fn visit_expr(&mut self, expr: &Expr) {
        if self.named.is_none() && (self.is_it)(expr) {
            self.named = Some(one_line(self.file.text(expr)));
        }
        self.takes_away |= coroutines::takes_away(&self.file.semantics, expr);
        walk_expr(self, expr);
    }
}
