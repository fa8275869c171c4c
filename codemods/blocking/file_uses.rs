//! The walk over a module that finds which files it uses, and what their paths are made of.

use asyncfix_analysis::answers::blocking::path_method;
use asyncfix_analysis::facts::file_access::{Does, paths};
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::limits::{Limit, STEPS, WRITTEN_OUT};
use asyncfix_knowledge::blocking::Row;
use asyncfix_knowledge::conduct::{
    is_in_memory, is_lock_of_loop, is_unique, names_a_path, only_reads,
};
use asyncfix_syntax::lines::one_line;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Operator};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::blocking::commands;
use crate::blocking::files::Use;
use crate::blocking::folders::SAME;
use crate::blocking::listings::Listing;
use crate::blocking::locals::{Locals, Source};
use crate::blocking::objects;
use crate::blocking::paths::{Agreement, Path, Shape};
use crate::blocking::through::{self, Defined, HelperCall};
use crate::file::File;

/// Looks for the files that a module uses, function by function.
pub(super) struct Search<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    /// Whether it matters in which folder a path lies.
    pub(super) knows_folders: bool,
    /// The functions of the module.
    pub(super) defined: Defined<'a>,
    /// What the names of the module stand for.
    pub(super) constants: FxHashMap<&'a str, Option<&'a Expr>>,
    /// The functions around, and their variables.
    pub(super) functions: Vec<(&'a ast::StmtFunctionDef, Locals<'a>)>,
    /// Calls that are the item of a `with`, looked at with that.
    pub(super) entered: FxHashSet<TextRange>,
    /// The locks that are held, each with the statement that holds it.
    pub(super) locks: Vec<(TextRange, String)>,
    pub(super) uses: Vec<Use>,
    /// The words of commands that may name files.
    pub(super) commands: Vec<Use>,
    pub(super) listings: Vec<Listing>,
    pub(super) calls: Vec<HelperCall>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(function) => self
                .functions
                .push((function, Locals::of(self.file, function))),
            AnyNodeRef::StmtWith(statement) if statement.is_async => {
                for item in &statement.items {
                    if self.is_shared_lock(&item.context_expr) {
                        let lock = self.file.text(&item.context_expr).to_owned();
                        self.locks.push((statement.range(), lock));
                    }
                }
            }
            AnyNodeRef::StmtWith(statement) => {
                for item in &statement.items {
                    if let Expr::Call(call) = &item.context_expr {
                        let target = match item.optional_vars.as_deref() {
                            Some(Expr::Name(name)) => Some(name.id.as_str()),
                            _ => None,
                        };
                        let writes = target.is_none_or(|target| {
                            let mut writes = Writes {
                                file: self.file,
                                target,
                                found: false,
                            };
                            writes.visit_body(&statement.body);
                            writes.found
                        });
                        self.call(call, writes);
                        self.entered.insert(call.range());
                    }
                }
            }
            AnyNodeRef::ExprCall(call) if !self.entered.contains(&call.range()) => {
                self.call(call, true);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if node.is_stmt_function_def() {
            self.functions.pop();
        }
        self.locks.retain(|(range, _)| *range != node.range());
    }
}

impl<'f, 'a> Search<'f, 'a, '_> {
    /// Whether an expression is a lock of the event loop, and not one of the function's own.
    fn is_shared_lock(&self, expr: &Expr) -> bool {
        let root = match expr {
            Expr::Name(name) => name,
            Expr::Attribute(attribute) => match &*attribute.value {
                Expr::Name(name) => name,
                _ => return false,
            },
            _ => return false,
        };
        let is_own = self
            .functions
            .last()
            .is_some_and(|(_, locals)| locals.sources(&root.id).is_some());
        !is_own
            && matches!(self.file.semantics.class_of(expr), ClassOf::Known(class)
                if is_lock_of_loop(&class))
            && !objects::is_of_many(self.file, expr)
    }

    /// `writes` is whether a file that is opened for both is written.
    fn call(&mut self, call: &'a ast::ExprCall, writes: bool) {
        if self.knows_folders
            && let Some(folder) = self.listed_here(call, self.visible(), STEPS)
        {
            self.listings.push(Listing {
                range: call.range(),
                folder,
                function: self.function(),
                locks: self.locks(),
            });
        }
        let path = self.file.semantics.qualified_name(&call.func);
        let table = &*self.file.settings.blocking;
        let of_function = path.as_deref().and_then(|path| table.function(path));
        let (row, receiver) = if let Some(row) = of_function {
            (row, None)
        } else {
            let row = path_method(self.file, call).or_else(|| self.method_of_joined(call));
            match (&*call.func, row) {
                (Expr::Attribute(callee), Some(row)) => (row, Some(&*callee.value)),
                _ => return self.helper_called(call),
            }
        };
        if row.code == commands::CODE {
            self.command(call);
        }
        let body = match self.functions.last() {
            Some((function, _)) => &function.body,
            None => self.file.body(),
        };
        let is_handle = path.as_deref() == Some("os.fdopen");
        for (path, does) in paths(call, row, receiver, writes, body) {
            let opened = is_handle.then(|| self.path_of_handle(path, self.visible()));
            self.add(call, opened.flatten().unwrap_or(path), does);
        }
    }

    /// The row of a method of a path that is put together in the function: `target = plugin.folder / Path(name)`.
    fn method_of_joined(&self, call: &'a ast::ExprCall) -> Option<&'f Row> {
        let Expr::Attribute(callee) = &*call.func else {
            return None;
        };
        let Expr::Name(name) = &*callee.value else {
            return None;
        };
        let (_, row) = self
            .file
            .settings
            .blocking
            .method("pathlib.Path", &callee.attr)?;
        let (_, locals) = innermost(self.visible(), &name.id)?;
        let Some([Source::Value(Expr::BinOp(join))]) = locals.sources(&name.id) else {
            return None;
        };
        let is_path = |part: &Expr| {
            let Expr::Call(made) = part else {
                return false;
            };
            let class = self.file.semantics.qualified_name(&made.func);
            class.is_some_and(|class| class.starts_with("pathlib."))
        };
        let is_joined = join.op == Operator::Div && (is_path(&join.left) || is_path(&join.right));
        (is_joined && row.uses_files()).then_some(row)
    }

    fn add(&mut self, call: &'a ast::ExprCall, path: &'a Expr, does: Does) {
        let path = self.path(path);
        self.uses.push(Use {
            range: call.range(),
            path: if does.fills { path.below() } else { path },
            does,
            function: self.function(),
            locks: self.locks(),
            through: Vec::new(),
        });
    }

    /// Notes a call of a function of the module, and what its parameters are given.
    fn helper_called(&mut self, call: &'a ast::ExprCall) {
        let Some(helper) = self.defined.called(self.file, call) else {
            return;
        };
        let given = through::given(&self.file.semantics, helper, call)
            .map(|(name, value)| (name, self.path(value)))
            .collect();
        self.calls.push(HelperCall {
            range: call.range(),
            function: self.function(),
            locks: self.locks(),
            helper: helper.range(),
            given,
        });
    }

    /// The functions around whose variables are to be seen, from the coroutine function on.
    pub(super) fn visible(&self) -> &[(&'a ast::StmtFunctionDef, Locals<'a>)] {
        let outermost = self
            .functions
            .iter()
            .rposition(|(_, locals)| locals.is_async)
            .unwrap_or_default();
        self.functions.get(outermost..).unwrap_or_default()
    }

    pub(super) fn function(&self) -> Option<TextRange> {
        self.visible().first().map(|(function, _)| function.range())
    }

    pub(super) fn locks(&self) -> Vec<String> {
        self.locks.iter().map(|(_, lock)| lock.clone()).collect()
    }

    pub(super) fn path(&self, path: &'a Expr) -> Path {
        self.path_in(path, self.visible(), STEPS)
    }

    /// The same where other functions are to be seen. `steps` is how far it is looked for its folder.
    pub(super) fn path_in(
        &self,
        path: &'a Expr,
        visible: &[(&'a ast::StmtFunctionDef, Locals<'a>)],
        steps: Limit,
    ) -> Path {
        let (text, is_own) = self.key(path, visible, STEPS);
        let function = visible.first().map(|(function, _)| function.range());
        let function = function.filter(|_| is_own);
        let folder = self
            .knows_folders
            .then(|| self.folder(path, visible, steps))
            .flatten();
        let agreement = match self.agreement(path, visible, &mut FxHashSet::default()) {
            Agreement::PerCall if self.may_be_written_out(path, visible, STEPS) => Agreement::Same,
            other => other,
        };
        Path {
            text: one_line(self.file.text(path)),
            key: (function.map(TextRange::start), text),
            shape: self.shape(path, visible, WRITTEN_OUT),
            pattern: self.pattern(path, visible, steps),
            agreement,
            folder,
        }
    }

    /// What a path is made of.
    fn shape(
        &self,
        path: &'a Expr,
        visible: &[(&'a ast::StmtFunctionDef, Locals<'a>)],
        steps: Limit,
    ) -> Shape {
        let path = self.unwrapped(path);
        let mut names = Names::default();
        names.visit_expr(path);
        let mut shape = Shape::default();
        let mut at = path.start();
        for name in names.found {
            shape.add_text(self.file.text(TextRange::new(at, name.start())));
            at = name.end();
            let id = name.id.as_str();
            match innermost(visible, id) {
                Some((_, locals)) if locals.receiver != Some(id) => {
                    match (locals.sources(id), steps.less()) {
                        (Some([Source::Value(value)]), Some(steps))
                            if !locals.parameters.contains(id) =>
                        {
                            shape.add(self.shape(value, visible, steps));
                        }
                        _ => shape.add_name(id),
                    }
                }
                _ => shape.add_text(id),
            }
        }
        shape.add_text(self.file.text(TextRange::new(at, path.end())));
        shape
    }

    /// The path that an expression names in another way: `Path(path)`, `str(path)`, `path.resolve()`.
    pub(super) fn unwrapped(&self, mut path: &'a Expr) -> &'a Expr {
        while let Expr::Call(call) = path
            && call.arguments.keywords.is_empty()
        {
            path = match (&*call.arguments.args, &*call.func) {
                ([], Expr::Attribute(method)) if SAME.contains(&method.attr.as_str()) => {
                    &method.value
                }
                ([inner], func) => {
                    let function = self.file.semantics.qualified_name(func);
                    if !function.is_some_and(|path| names_a_path(&path)) {
                        break;
                    }
                    inner
                }
                _ => break,
            };
        }
        path
    }

    /// What tells whether two paths are equal, and whether that is so in one function alone.
    fn key(
        &self,
        path: &'a Expr,
        visible: &[(&'a ast::StmtFunctionDef, Locals<'a>)],
        steps: Limit,
    ) -> (String, bool) {
        let file = self.file;
        let path = self.unwrapped(path);
        if let Expr::Name(name) = path
            && let Some(steps) = steps.less()
            && let Some((_, locals)) = innermost(visible, &name.id)
            && !locals.parameters.contains(name.id.as_str())
            && let Some([Source::Value(value)]) = locals.sources(&name.id)
        {
            match self.unwrapped(value) {
                value @ (Expr::Name(_) | Expr::Attribute(_) | Expr::StringLiteral(_)) => {
                    return self.key(value, visible, steps);
                }
                // What a call gives depends on when it is made, where it is made of variables.
                value @ Expr::Call(_) => {
                    let (text, is_own) = self.key(value, visible, steps);
                    if !is_own {
                        return (text, is_own);
                    }
                }
                _ => {}
            }
        }
        if let Expr::StringLiteral(literal) = path {
            return (format!("\"{}\"", literal.value.to_str()), false);
        }
        let text: String = file
            .text(path)
            .chars()
            .filter(|char| !char.is_whitespace())
            .collect();
        let mut names = Names::default();
        names.visit_expr(path);
        let is_own = names.found.iter().any(|name| {
            let name = name.id.as_str();
            innermost(visible, name).is_some_and(|(_, locals)| locals.receiver != Some(name))
        });
        (text, is_own)
    }

    /// How far the calls of the function agree on the value of an expression. `seen` has the names that were looked at:
    /// one that is made of many others, which are made of it, is looked at once.
    fn agreement(
        &self,
        expr: &'a Expr,
        visible: &[(&'a ast::StmtFunctionDef, Locals<'a>)],
        seen: &mut FxHashSet<&'a str>,
    ) -> Agreement {
        let mut names = Names::default();
        names.visit_expr(expr);
        let is_made_by = |call: &ast::ExprCall, which: fn(&str) -> bool| {
            let path = self.file.semantics.qualified_name(&call.func);
            path.is_some_and(|path| which(&path))
        };
        let is_memory =
            |expr: &Expr| matches!(expr, Expr::Call(call) if is_made_by(call, is_in_memory));
        if names.calls.iter().any(|call| is_made_by(call, is_unique)) || is_memory(expr) {
            return Agreement::Never;
        }
        // Names that are read out of an archive in memory are those of files that are not.
        let is_whole = expr.is_name_expr();
        let mut of_name = |name: &&'a ast::ExprName| {
            let name = name.id.as_str();
            let Some((_, locals)) = innermost(visible, name) else {
                return Agreement::Same;
            };
            if locals.receiver == Some(name) || !seen.insert(name) {
                return Agreement::Same;
            }
            let given = if locals.parameters.contains(name) {
                Agreement::PerCall
            } else {
                Agreement::Same
            };
            locals
                .sources(name)
                .unwrap_or_default()
                .iter()
                .map(|source| match source {
                    Source::Value(value) if !is_whole && is_memory(value) => Agreement::Same,
                    Source::Value(value) | Source::Item(value) => {
                        self.agreement(value, visible, seen)
                    }
                    Source::Other => Agreement::PerCall,
                })
                .max()
                .map_or(given, |most| most.max(given))
        };
        names
            .found
            .iter()
            .map(&mut of_name)
            .max()
            .unwrap_or(Agreement::Same)
    }
}

/// The innermost function that has a variable of this name.
pub(super) fn innermost<'v, 'a>(
    visible: &'v [(&'a ast::StmtFunctionDef, Locals<'a>)],
    name: &str,
) -> Option<&'v (&'a ast::StmtFunctionDef, Locals<'a>)> {
    visible
        .iter()
        .rev()
        .find(|(_, locals)| locals.parameters.contains(name) || locals.sources(name).is_some())
}

/// The names and calls in an expression.
#[derive(Default)]
pub(super) struct Names<'a> {
    pub(super) found: Vec<&'a ast::ExprName>,
    calls: Vec<&'a ast::ExprCall>,
}

impl<'a> SourceOrderVisitor<'a> for Names<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprName(name) => self.found.push(name),
            AnyNodeRef::ExprCall(call) => self.calls.push(call),
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether an open file is written: by a method, or by what it is given to.
struct Writes<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    target: &'a str,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Writes<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_file = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id == self.target);
        if let AnyNodeRef::ExprCall(call) = node {
            let by_method = matches!(&*call.func, Expr::Attribute(method)
                if is_file(&method.value)
                    && matches!(method.attr.as_str(), "write" | "writelines" | "truncate"));
            let is_given = call
                .arguments
                .iter_source_order()
                .any(|argument| is_file(argument.value()));
            let is_read = || {
                self.file
                    .semantics
                    .qualified_name(&call.func)
                    .is_some_and(|path| only_reads(&path))
            };
            self.found |= by_method || is_given && !is_read();
        }
        TraversalSignal::Traverse
    }
}
