//! Which files the code of a module uses, and which of them other code may use at the same time.
//!
//! On the event loop, code without an `await` runs from its start to its end before anything else
//! does. In a thread it does not: two calls may then write one file at once, or one may read what
//! another has half written.

use asyncfix_analysis::answers::blocking::path_method;
use asyncfix_analysis::answers::entry_point::is_entry_point;
use asyncfix_analysis::answers::file_access::{Does, paths};
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_knowledge::conduct::{is_lock_of_loop, is_unique, names_a_path, only_reads};
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::blocking::helper_files::{is_given_to_another, is_used_by_others};
use crate::blocking::locals::{Locals, Source};
use crate::blocking::paths::{Agreement, Path, Shape};
use crate::blocking::through::{self, Defined, HelperCall};
use crate::blocking::{asked, folders, handles, patterns, taken_away};
use crate::file::File;

/// How many bindings are followed to find out what a path is made of.
const STEPS: usize = 6;

/// The same, where all of them are written out.
const WRITTEN_OUT: usize = 3;

/// One use of a file.
pub(super) struct Use {
    /// The call.
    pub(super) range: TextRange,
    pub(super) path: Path,
    pub(super) does: Does,
    /// The coroutine function around it, or else the outermost function.
    pub(super) function: Option<TextRange>,
    /// The locks of the event loop that are held, as they are written.
    pub(super) locks: Vec<String>,
    /// The functions of the module that are called to do it, one by the other.
    pub(super) through: Vec<TextRange>,
}

impl Use {
    /// Whether it changes what others may need. What a call has for itself it may remove as well.
    pub(super) fn changes_for_others(&self) -> bool {
        self.does.writes || self.does.removes && self.path.agreement == Agreement::Same
    }

    /// Whether both are what one function of the module does, each time as a whole.
    fn is_step_as(&self, other: &Self) -> bool {
        !self.through.is_empty() && self.through == other.through
    }

    /// Whether the function that is `other`'s takes part in this one.
    fn involves(&self, other: &Self) -> bool {
        let takes_part = |function: &TextRange| {
            self.function == Some(*function) || self.through.contains(function)
        };
        other.function.iter().chain(&other.through).any(takes_part)
    }

    /// Whether a lock keeps the two from running at the same time.
    pub(super) fn is_kept_apart_from(&self, other: &Self) -> bool {
        self.locks.iter().any(|lock| other.locks.contains(lock))
    }
}

/// The uses of files in a module, in source order.
#[derive(Default)]
pub struct FileUses {
    pub(super) uses: Vec<Use>,
}

impl FileUses {
    /// All uses of files in `file` that the table knows, methods by their names alone.
    pub fn of(file: &File<'_, '_>) -> Self {
        let mut search = Search {
            file,
            knows_folders: folders::are_of_interest(file),
            defined: Defined::of(file.body()),
            constants: patterns::constants(file.body()),
            functions: Vec::new(),
            entered: FxHashSet::default(),
            locks: Vec::new(),
            uses: Vec::new(),
            calls: Vec::new(),
        };
        search.visit_body(file.body());
        let mut uses = search.uses;
        handles::follow_replaced(&mut uses);
        through::follow(&mut uses, &search.calls);
        uses.sort_by_key(|found| found.range.start());
        Self { uses }
    }

    pub(super) fn within(&self, range: TextRange) -> &[Use] {
        let start = self
            .uses
            .partition_point(|found| found.range.start() < range.start());
        let end = self
            .uses
            .partition_point(|found| found.range.start() < range.end());
        self.uses.get(start..end).unwrap_or_default()
    }
}

/// Why what uses files in `range`, a part of the code of `owner`, may meet other code in a thread.
pub(super) fn meets_others(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    range: TextRange,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let all = file.file_uses();
    let own = all.within(range);
    let around = all.within(function.range());
    if let Some(written) = handles::left_half_written(around, function, range)
        && !is_run_once(file, function)
    {
        return Some(format!(
            "other tasks may find `{}` half-written while this waits",
            written.path.text
        ));
    }
    own.iter().find_map(|found| {
        let path = &found.path;
        if found.does.creates && path.agreement != Agreement::Never {
            return Some(format!(
                "on cancellation the thread may still create `{}`, and nobody would know",
                path.text
            ));
        }
        if found.does.writes && taken_away::is_taken_away(file, function, range, path) {
            return Some(format!(
                "on cancellation the thread may still write `{}` after it was removed",
                path.text
            ));
        }
        if path.agreement == Agreement::Never {
            return None;
        }
        let is_for_all = path.agreement == Agreement::Same;
        let may_clash = |other: &&Use| {
            let (one, other_one) = (found.does, other.does);
            other.path.agreement != Agreement::Never
                && (one.changes() || other_one.changes())
                && !(one.is_about_names() || other_one.is_about_names())
                // What a call has for itself it may remove as well.
                && (is_for_all || !one.removes && !other_one.removes)
                && !other.is_kept_apart_from(found)
        };
        let is_same = |other: &&Use| other.path.is_same(path) && may_clash(other);
        let again = found.does.reads && found.does.writes && found.locks.is_empty()
            || around
                .iter()
                .filter(is_same)
                .any(|other| other.range != found.range && !found.is_step_as(other))
            || found.through.is_empty() && is_given_to_another(file, function, found);
        // What the module does when it is imported is done before.
        let here = all
            .uses
            .iter()
            .filter(is_same)
            .any(|other| other.function.is_some() && !found.involves(other));
        let in_other_files = || {
            found.locks.is_empty()
                && !found.does.is_about_names()
                && is_used_by_others(file, function, &path.text)
        };
        let elsewhere = here || in_other_files();
        // What goes through a folder may come upon the file.
        let of_folder = || {
            let mut others = all.uses.iter();
            others.find_map(|other| {
                let is_other = other.function.is_some() && !found.involves(other);
                let folder = path.common_folder(&other.path).filter(|_| is_other)?;
                may_clash(&other).then_some(folder)
            })
        };
        let folder = if elsewhere { None } else { of_folder() };
        if !elsewhere && folder.is_none() && is_run_once(file, function) {
            return None;
        }
        let text = &path.text;
        if again {
            return Some("another task may read or write the same file in between".to_owned());
        }
        if let Some(folder) = folder {
            return Some(folders::reason(folder, found.does.changes()));
        }
        if elsewhere && !found.does.changes() {
            return Some(format!(
                "other code writes `{text}`, maybe at the same time"
            ));
        }
        if elsewhere && !is_for_all {
            return Some(format!("other code uses `{text}`, maybe at the same time"));
        }
        if is_for_all && found.does.changes() && (elsewhere || found.locks.is_empty()) {
            return Some(if found.does.removes {
                format!("other tasks may use `{text}` at the same time")
            } else {
                format!("two calls may write `{text}` at the same time")
            });
        }
        let is_answer =
            |which| asked::is_answer(function, &asked_about(around, found), found.range, which);
        if found.does.writes && is_answer(asked::Answer::Missing) {
            return Some(format!("another call may find `{text}` half-written"));
        }
        if (found.does.removes || found.does.makes) && is_answer(asked::Answer::Any) {
            return Some(OPENED_CHECK.to_owned());
        }
        // Callers may name a file that other code names in another way.
        let mut others = all.uses.iter();
        let may_meet = others.any(|other| {
            other.function.is_some()
                && !found.involves(other)
                && may_clash(&other)
                && path.pattern.may_meet(&other.path.pattern)
        });
        may_meet.then(|| patterns::reason(&path.text, found.does.changes()))
    })
}

/// Why an `await` between a test of a file and the change that follows is unsafe.
pub(super) const OPENED_CHECK: &str = "other tasks may run between the check and the change";

/// The calls before `changed` that ask about the same file.
fn asked_about(around: &[Use], changed: &Use) -> Vec<TextRange> {
    let asked = around.iter().filter(|other| {
        other.does.asks
            && other.range.start() < changed.range.start()
            && other.path.is_same(&changed.path)
            && !other.is_kept_apart_from(changed)
    });
    asked.map(|asked| asked.range).collect()
}

/// Whether what a call tells about a file is asked for to change the file behind it: two tasks may then be told the
/// same.
pub(super) fn is_asked_to_change(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    call: &ast::ExprCall,
) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let all = file.file_uses();
    let asked = all.within(call.range());
    let around = all.within(function.range());
    asked.iter().filter(|asked| asked.does.asks).any(|asked| {
        around.iter().any(|other| {
            other.range.start() >= call.end()
                && (other.does.changes() || other.does.makes)
                && other.path.is_same(&asked.path)
                && !other.is_kept_apart_from(asked)
        })
    })
}

/// Whether a coroutine function is where the program starts, and nothing else calls it.
pub(super) fn is_run_once(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    struct Uses<'n> {
        name: &'n str,
        found: usize,
    }
    impl<'a> SourceOrderVisitor<'a> for Uses<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(name) = node
                && name.id == self.name
            {
                self.found += 1;
            }
            TraversalSignal::Traverse
        }
    }
    if !is_entry_point(file, Owner::Function(function)) {
        return false;
    }
    let mut uses = Uses {
        name: &function.name,
        found: 0,
    };
    uses.visit_body(file.body());
    uses.found < 2
}

pub(super) struct Search<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    /// Whether it matters in which folder a path lies.
    pub(super) knows_folders: bool,
    /// The functions of the module.
    pub(super) defined: Defined<'a>,
    /// What the names of the module stand for.
    pub(super) constants: FxHashMap<&'a str, Option<&'a Expr>>,
    /// The functions around, and their variables.
    functions: Vec<(&'a ast::StmtFunctionDef, Locals<'a>)>,
    /// Calls that are the item of a `with`, looked at with that.
    entered: FxHashSet<TextRange>,
    /// The locks that are held, each with the statement that holds it.
    locks: Vec<(TextRange, String)>,
    uses: Vec<Use>,
    calls: Vec<HelperCall>,
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

impl<'a> Search<'_, 'a, '_> {
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
    }

    /// `writes` is whether a file that is opened for both is written.
    fn call(&mut self, call: &'a ast::ExprCall, writes: bool) {
        let path = self.file.semantics.qualified_name(&call.func);
        let table = &*self.file.settings.blocking;
        let (row, receiver) = match path.as_deref().and_then(|path| table.function(path)) {
            Some(row) => (row, None),
            None => match (&*call.func, path_method(self.file, call)) {
                (Expr::Attribute(callee), Some(row)) => (row, Some(&*callee.value)),
                _ => return self.helper_called(call),
            },
        };
        let is_handle = path.as_deref() == Some("os.fdopen");
        for (path, does) in paths(call, row, receiver, writes) {
            let opened = is_handle.then(|| self.path_of_handle(path, self.visible()));
            self.add(call, opened.flatten().unwrap_or(path), does);
        }
    }

    fn add(&mut self, call: &'a ast::ExprCall, path: &'a Expr, does: Does) {
        self.uses.push(Use {
            range: call.range(),
            path: self.path(path),
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
        let given = through::given(self.file, helper, call)
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
    fn visible(&self) -> &[(&'a ast::StmtFunctionDef, Locals<'a>)] {
        let outermost = self
            .functions
            .iter()
            .rposition(|(_, locals)| locals.is_async)
            .unwrap_or_default();
        self.functions.get(outermost..).unwrap_or_default()
    }

    fn function(&self) -> Option<TextRange> {
        self.visible().first().map(|(function, _)| function.range())
    }

    fn locks(&self) -> Vec<String> {
        self.locks.iter().map(|(_, lock)| lock.clone()).collect()
    }

    fn path(&self, path: &'a Expr) -> Path {
        self.path_in(path, self.visible(), STEPS)
    }

    /// The same where other functions are to be seen. `steps` is how far it is looked for its folder.
    pub(super) fn path_in(
        &self,
        path: &'a Expr,
        visible: &[(&'a ast::StmtFunctionDef, Locals<'a>)],
        steps: usize,
    ) -> Path {
        let (text, is_own) = self.key(path, visible, STEPS);
        let function = visible.first().map(|(function, _)| function.range());
        let function = function.filter(|_| is_own);
        let folder = self
            .knows_folders
            .then(|| self.folder(path, visible, steps))
            .flatten();
        Path {
            text: one_line(self.file.text(path)),
            key: (function.map(TextRange::start), text),
            shape: self.shape(path, visible, WRITTEN_OUT),
            pattern: self.pattern(path, visible, steps),
            agreement: self.agreement(path, visible, &mut FxHashSet::default()),
            folder,
        }
    }

    /// What a path is made of.
    fn shape(
        &self,
        path: &'a Expr,
        visible: &[(&'a ast::StmtFunctionDef, Locals<'a>)],
        steps: usize,
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
                    match (locals.sources(id), steps.checked_sub(1)) {
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

    /// The path that an expression names in another way: `Path(path)`, `str(path)`.
    pub(super) fn unwrapped(&self, mut path: &'a Expr) -> &'a Expr {
        while let Expr::Call(call) = path
            && let [inner] = &*call.arguments.args
            && call.arguments.keywords.is_empty()
            && self
                .file
                .semantics
                .qualified_name(&call.func)
                .is_some_and(|path| names_a_path(&path))
        {
            path = inner;
        }
        path
    }

    /// What tells whether two paths are equal, and whether that is so in one function alone.
    fn key(
        &self,
        path: &'a Expr,
        visible: &[(&'a ast::StmtFunctionDef, Locals<'a>)],
        steps: usize,
    ) -> (String, bool) {
        let file = self.file;
        let path = self.unwrapped(path);
        if let Expr::Name(name) = path
            && let Some(steps) = steps.checked_sub(1)
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
        let is_unique = names.calls.iter().any(|call| {
            self.file
                .semantics
                .qualified_name(&call.func)
                .is_some_and(|path| is_unique(&path))
        });
        if is_unique {
            return Agreement::Never;
        }
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
