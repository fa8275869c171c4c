//! AF801 dangling-task: a task that nothing refers to can be collected before it is done.

use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, NodeKind, PythonVersion, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};
use ty_python_core::scope::FileScopeId;

use super::keepers;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::outline::last_name;
use crate::project::Library;
use crate::rule::Rule;
use crate::semantics::{ClassOf, Origin};
use crate::settings::TaskStrategy;
use crate::site::{Obstacle, Owner, Place, Site};
use crate::spelling::Hints;
use crate::support::coroutines::{self, Ending};
use crate::support::slots::Slot;
use crate::support::{imports, names};
use crate::{Candidate, Codemod};

/// The codemod of AF801.
pub struct DanglingTask;

static RULE: Rule = Rule {
    code: "AF801",
    name: "dangling-task",
    pitfall: "not awaiting tasks",
    page: include_str!("AF801.md"),
    default: true,
    equivalents: &[
        "RUF006",
        "unused-awaitable",
        "unused-coroutine",
        "asyncio-dangling-task",
    ],
};

impl Codemod for DanglingTask {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["create_task", "ensure_future"]
    }

    fn in_plain_code(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprCall]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let AnyNodeRef::ExprCall(call) = site.node else {
            return Candidate::No;
        };
        let method = matches!(&*call.func, Expr::Attribute(attribute)
            if attribute.attr.as_str() == "create_task" && may_be_loop(&attribute.value));
        Candidate::when(
            (method
                || spellings.allow(
                    &call.func,
                    &["asyncio.create_task", "asyncio.ensure_future"],
                ))
                && fate(site, call).is_some(),
        )
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return None;
        };
        let library = file.library();
        if !matches!(library, None | Some(Library::Asyncio)) {
            return None;
        }
        let fate = fate(site, call)?;
        if let Fate::Lambda(lambda) = fate
            && !drops_result(file, site, lambda)
        {
            return None;
        }
        if !makes_task(file, call) {
            return None;
        }
        let surroundings = file.surroundings(site);
        let owner = surroundings.owner;
        // A finalizer may run when the loop is gone; nothing kept there would help.
        if matches!(owner, Owner::Function(function) if function.name.as_str() == "__del__") {
            return None;
        }
        let remedy = match fate {
            _ if surroundings.obstacle == Some(Obstacle::ClassBody) => {
                Remedy::NotFixed("a variable for the task would be one of the class".to_owned())
            }
            Fate::Comprehension => Remedy::NotFixed(
                "the task is made in a part of a larger expression, a list that is dropped as a whole"
                    .to_owned(),
            ),
            Fate::Decorator => Remedy::NotFixed(
                "a decorator is evaluated once, with no place to keep the task".to_owned(),
            ),
            Fate::Statement => Dangling::new(file, *site, call, owner)?.remedy(None),
            Fate::Unread(name) => Dangling::new(file, *site, call, owner)?.remedy(Some(name)),
            Fate::Lambda(_) => Remedy::NotFixed(
                "a lambda has no place to keep the task; make it a function".to_owned(),
            ),
            Fate::Operand => Remedy::NotFixed(
                "the task is made in a part of a larger expression; give it a statement of its own"
                    .to_owned(),
            ),
        };
        Some(Finding {
            rule: &RULE,
            range: call.range(),
            message: "nothing keeps a reference to this task: it can be garbage-collected before \
                      it is done"
                .to_owned(),
            remedy,
        })
    }
}

/// What becomes of the task that a call makes, where it is nothing good.
enum Fate<'a> {
    /// The call is the statement, or its value goes to `_`.
    Statement,
    /// The value goes to a local name that nothing reads.
    Unread(&'a ast::ExprName),
    /// The call is the body of a lambda, which may be given to something that drops what it returns.
    Lambda(&'a ast::ExprLambda),
    /// The call is in the argument of a decorator.
    Decorator,
    /// The call is the element of a list that is dropped.
    Comprehension,
    /// The call is an operand of an expression statement: `ready and create_task(…)`.
    Operand,
}

fn fate<'a>(site: &Site<'_, 'a>, call: &'a ast::ExprCall) -> Option<Fate<'a>> {
    let is_call = |expr: &Expr| expr.range() == call.range();
    match site.parent()? {
        AnyNodeRef::StmtExpr(statement) if is_call(&statement.value) => Some(Fate::Statement),
        AnyNodeRef::StmtAssign(statement) if is_call(&statement.value) => {
            let [Expr::Name(name)] = statement.targets.as_slice() else {
                return None;
            };
            if name.id == "_" {
                return Some(Fate::Statement);
            }
            let Owner::Function(function) = site.owner() else {
                return None;
            };
            (!is_read(&function.body, &name.id)).then_some(Fate::Unread(name))
        }
        AnyNodeRef::StmtAnnAssign(statement) if statement.value.as_deref().is_some_and(is_call) => {
            let Expr::Name(name) = &*statement.target else {
                return None;
            };
            let Owner::Function(function) = site.owner() else {
                return None;
            };
            (!is_read(&function.body, &name.id)).then_some(Fate::Unread(name))
        }
        AnyNodeRef::Arguments(_) if in_decorator(site) => Some(Fate::Decorator),
        AnyNodeRef::ExprListComp(comprehension) if is_call(&comprehension.elt) => {
            let dropped = matches!(site.outer()?.parent()?, AnyNodeRef::StmtExpr(_));
            dropped.then_some(Fate::Comprehension)
        }
        AnyNodeRef::ExprLambda(lambda) if is_call(&lambda.body) => Some(Fate::Lambda(lambda)),
        AnyNodeRef::ExprBoolOp(_) | AnyNodeRef::ExprIf(_) => {
            let outer = site.outer()?;
            let is_statement = matches!(outer.parent()?, AnyNodeRef::StmtExpr(_));
            let is_value = match outer.node {
                AnyNodeRef::ExprBoolOp(operation) => operation.values.last().is_some_and(is_call),
                AnyNodeRef::ExprIf(conditional) => !is_call(&conditional.test),
                _ => false,
            };
            (is_statement && is_value).then_some(Fate::Operand)
        }
        _ => None,
    }
}

/// Whether a local name is read in a function with this body or in a scope inside, or is more than
/// a local name: declared `global` or `nonlocal`.
fn is_read(body: &[Stmt], name: &str) -> bool {
    struct Reads<'n> {
        name: &'n str,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Reads<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= match node {
                AnyNodeRef::ExprName(other) => {
                    other.ctx != ExprContext::Store && other.id == self.name
                }
                AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
                | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                    names.iter().any(|other| other.as_str() == self.name)
                }
                _ => false,
            };
            if self.found {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut reads = Reads { name, found: false };
    reads.visit_body(body);
    reads.found
}

/// Whether the node is an argument of a decorator.
fn in_decorator(site: &Site<'_, '_>) -> bool {
    let mut outer = site.ancestors.iter().rev();
    matches!(outer.next(), Some(AnyNodeRef::Arguments(_)))
        && matches!(outer.next(), Some(AnyNodeRef::ExprCall(_)))
        && matches!(outer.next(), Some(AnyNodeRef::Decorator(_)))
}

/// Whether a lambda is given to a method of a loop or future that calls it and drops its result.
fn drops_result(file: &File<'_, '_>, site: &Site<'_, '_>, lambda: &ast::ExprLambda) -> bool {
    let Some(AnyNodeRef::ExprCall(user)) = site
        .ancestors
        .iter()
        .rev()
        .skip(1)
        .find(|node| !matches!(node, AnyNodeRef::Arguments(_) | AnyNodeRef::Keyword(_)))
    else {
        return false;
    };
    let Expr::Attribute(callee) = &*user.func else {
        return false;
    };
    let given = user
        .arguments
        .iter_source_order()
        .any(|argument| argument.value().range() == lambda.range());
    given
        && match callee.attr.as_str() {
            "call_soon"
            | "call_later"
            | "call_at"
            | "call_soon_threadsafe"
            | "add_signal_handler" => is_loop(file, &callee.value),
            "add_done_callback" => matches!(
                file.semantics.class_of(&callee.value),
                ClassOf::Known(class) if matches!(class.rsplit('.').next(), Some("Task" | "Future"))
            ),
            _ => false,
        }
}

/// Whether a call schedules a coroutine on a loop and answers with its task.
pub(crate) fn makes_task(file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
    let Some(argument) = call.arguments.args.first() else {
        return false;
    };
    if file.semantics.means(&call.func, &["asyncio.create_task"]) {
        return true;
    }
    if file.semantics.means(&call.func, &["asyncio.ensure_future"]) {
        // A future that exists already runs without this call.
        return file
            .semantics
            .function_in_sight(callee_of(argument))
            .is_some()
            || !matches!(
                file.semantics.class_of(argument),
                ClassOf::Known(class) if is_future(&class)
            );
    }
    match &*call.func {
        Expr::Attribute(attribute) => {
            attribute.attr.as_str() == "create_task" && is_loop(file, &attribute.value)
        }
        _ => false,
    }
}

fn callee_of(expr: &Expr) -> &Expr {
    match expr {
        Expr::Call(call) => &call.func,
        other => other,
    }
}

fn is_future(class: &str) -> bool {
    let (module, name) = class.rsplit_once('.').unwrap_or_default();
    matches!(name, "Task" | "Future")
        && matches!(module.split('.').next(), Some("asyncio" | "_asyncio"))
}

/// The functions of asyncio that answer with an event loop.
const LOOP_SOURCES: [&str; 3] = [
    "asyncio.get_running_loop",
    "asyncio.get_event_loop",
    "asyncio.new_event_loop",
];

/// Whether an expression could be what [`is_loop`] says is one.
fn may_be_loop(receiver: &Expr) -> bool {
    match receiver {
        Expr::Call(_) | Expr::Name(_) => true,
        Expr::Attribute(attribute) => is_loop_name(&attribute.attr),
        _ => false,
    }
}

/// Whether an expression is an event loop: by its annotation, by what asyncio answers with, or,
/// where nothing else is said, by the places where programs keep it (`loop`, `self.loop`,
/// `client.loop`). Any other receiver of `create_task` may keep its tasks.
fn is_loop(file: &File<'_, '_>, receiver: &Expr) -> bool {
    match receiver {
        // A project's own `get_running_loop` is a wrapper of asyncio's.
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(attribute) if is_loop_source(&attribute.attr) => true,
            callee => file.semantics.means(callee, &LOOP_SOURCES),
        },
        Expr::Name(name) => match file.semantics.origins(name).as_slice() {
            [] => is_loop_name(&name.id),
            origins => origins.iter().all(|origin| match origin {
                Origin::Annotation(annotation) => names_loop(annotation),
                Origin::Value(value) => is_loop(file, value),
                Origin::Unknown => is_loop_name(&name.id),
            }),
        },
        Expr::Attribute(attribute) => {
            is_loop_name(&attribute.attr)
                && file
                    .semantics
                    .attribute_values(attribute)
                    .into_iter()
                    // What a constructor makes that is no loop is no loop.
                    .all(|value| !value.is_call_expr() || is_loop(file, value))
        }
        _ => false,
    }
}

/// The last name of the class that an annotation names, whatever is in its brackets.
fn type_name(annotation: &Expr) -> Option<&str> {
    match annotation {
        Expr::Subscript(generic) => last_name(&generic.value),
        other => last_name(other),
    }
}

/// Whether an annotation speaks of an event loop.
fn names_loop(annotation: &Expr) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::ExprName(name) => name.id.ends_with("EventLoop"),
                AnyNodeRef::ExprAttribute(attribute) => attribute.attr.ends_with("EventLoop"),
                AnyNodeRef::StringLiteral(literal) => literal.value.contains("EventLoop"),
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(false);
    search.visit_expr(annotation);
    search.0
}

fn is_loop_source(name: &str) -> bool {
    LOOP_SOURCES
        .iter()
        .any(|path| path.rsplit('.').next() == Some(name))
}

fn is_loop_name(name: &str) -> bool {
    matches!(name, "loop" | "_loop" | "event_loop" | "_event_loop")
}

/// A dropped task and its surroundings.
struct Dangling<'f, 's, 'a, 'db> {
    file: &'f File<'a, 'db>,
    site: Site<'s, 'a>,
    call: &'a ast::ExprCall,
    owner: Owner<'a>,
    place: Place<'a>,
}

impl<'f, 's, 'a, 'db> Dangling<'f, 's, 'a, 'db> {
    fn new(
        file: &'f File<'a, 'db>,
        site: Site<'s, 'a>,
        call: &'a ast::ExprCall,
        owner: Owner<'a>,
    ) -> Option<Self> {
        if matches!(owner, Owner::Lambda(_)) {
            return None;
        }
        Some(Self {
            place: site.place()?,
            file,
            site,
            call,
            owner,
        })
    }

    fn remedy(&self, existing: Option<&ast::ExprName>) -> Remedy {
        match self.rewrite(existing) {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason),
        }
    }

    fn rewrite(&self, existing: Option<&ast::ExprName>) -> Result<Rewrite, String> {
        let strategy = self.file.settings.task_strategy;
        if strategy == TaskStrategy::Auto
            && let Some(rewrite) = self.in_task_group()
        {
            return Ok(rewrite);
        }
        let may_await = match strategy {
            TaskStrategy::Auto => self.is_entry_point() && self.ending() == Ending::Ends,
            TaskStrategy::Await => self.file.is_async(self.owner) && self.ending() != Ending::Never,
            TaskStrategy::Set => false,
        };
        if may_await && let Some(rewrite) = self.awaited_at_end(existing)? {
            return Ok(rewrite);
        }
        self.kept_in_set(existing)
    }

    /// How the coroutine of the task ends.
    fn ending(&self) -> Ending {
        match self.call.arguments.args.first() {
            Some(Expr::Call(coroutine)) => {
                coroutines::ending_of_call(&self.file.semantics, coroutine)
            }
            _ => Ending::Unknown,
        }
    }

    /// `async with asyncio.TaskGroup() as tg:` around the call takes the task.
    fn in_task_group(&self) -> Option<Rewrite> {
        let semantics = &self.file.semantics;
        let group = self
            .site
            .enclosing_in_function()
            .find_map(|(node, child)| {
                let AnyNodeRef::StmtWith(with) = node else {
                    return None;
                };
                let in_body = with
                    .body
                    .iter()
                    .any(|inner| inner.range().contains_range(child.range()));
                if !in_body || !with.is_async {
                    return None;
                }
                with.items.iter().find_map(|item| {
                    let Expr::Call(call) = &item.context_expr else {
                        return None;
                    };
                    let is_group = semantics.means(&call.func, &["asyncio.TaskGroup"]);
                    match item.optional_vars.as_deref() {
                        Some(Expr::Name(name)) if is_group => Some(name),
                        _ => None,
                    }
                })
            })?;
        // The group takes coroutines only, and `create_task` of a loop takes the same keywords.
        if !self.call.arguments.args.first()?.is_call_expr() || self.call.arguments.args.len() != 1
        {
            return None;
        }
        let reason = (self.ending() != Ending::Ends)
            .then_some("the group waits for the task, and it cannot be seen that it ends");
        let callee = TextRange::new(self.call.start(), self.call.arguments.start());
        Some(
            Rewrite::safe(
                format!("Give the task to `{}`", group.id),
                vec![Edit::range_replacement(
                    format!("{}.create_task", group.id),
                    callee,
                )],
            )
            .unsafe_if(reason),
        )
    }

    /// Whether the code is where a program starts and ends: module-level code that awaits, or a
    /// coroutine that the project gives to a new event loop.
    fn is_entry_point(&self) -> bool {
        match self.owner {
            Owner::Module => self.file.awaits_at_top_level(),
            Owner::Function(function) => {
                let at_module_level = self.file.body().iter().any(|statement| {
                    matches!(statement, Stmt::FunctionDef(other) if other.range() == function.range())
                });
                let module = self.file.semantics.module_name();
                let module = module
                    .as_deref()
                    .and_then(|module| module.rsplit('.').next())
                    .unwrap_or_default();
                function.is_async
                    && at_module_level
                    && (self.file.project.runs(module, &function.name)
                        || self.is_run_here(function))
            }
            Owner::Lambda(_) => false,
        }
    }

    /// Whether the file itself runs the coroutine of `function`.
    fn is_run_here(&self, function: &ast::StmtFunctionDef) -> bool {
        let mut runs = Runs {
            file: self.file,
            function: function.range(),
            found: false,
        };
        runs.visit_body(self.file.body());
        runs.found
    }

    /// `task = …` here, `await task` at the end of the function. `None` where the end may not be
    /// reached, or the statement does not stand on the function's own level.
    fn awaited_at_end(&self, existing: Option<&ast::ExprName>) -> Result<Option<Rewrite>, String> {
        let body = match self.owner {
            Owner::Function(function) => function.body.as_slice(),
            Owner::Module => self.file.body(),
            Owner::Lambda(_) => return Ok(None),
        };
        let own_level = std::ptr::eq(self.place.suite, body);
        let (Some(last), true) = (body.last(), own_level) else {
            return Ok(None);
        };
        let rest = body.get(self.place.index + 1..).unwrap_or_default();
        let before_last = rest.split_last().map_or(rest, |(_, before)| before);
        if coroutines::ending_of_suite(&self.file.semantics, rest) == Ending::Never
            || leaves_early(before_last)
            || rest.iter().any(|statement| exits(self.file, statement))
        {
            return Ok(None);
        }
        // Of two tasks under one name, an `await` at the end would wait for the last one only.
        let bound_again = existing.is_some_and(|name| {
            self.file
                .semantics
                .scope_of_owner(self.owner)
                .and_then(|scope| self.file.semantics.lookup(&name.id, scope))
                .is_none_or(|definitions| definitions.len() > 1)
        });
        if bound_again {
            return Ok(None);
        }
        let slot = Slot::of(self.file, &self.place)?;
        let task = match existing {
            Some(name) => name.id.to_string(),
            None => names::fresh(self.file, self.owner, &["task", "background_task"]),
        };
        let wait = vec![format!("await {task}")];
        let mut edits = Vec::new();
        if existing.is_none() {
            edits.extend(self.store(&slot, &task));
        } else {
            edits.extend(slot.prefix(""));
        }
        let is_last = self.place.index + 1 == body.len();
        let end = match last {
            _ if is_last => Some(slot.after(&wait)),
            Stmt::Return(statement)
                if statement.value.as_deref().is_none_or(|value| {
                    value.is_literal_expr() || value.is_name_expr() || value.is_attribute_expr()
                }) =>
            {
                self.slot_at(body, body.len() - 1)?.before(&wait, "")
            }
            last if leaves_early(std::slice::from_ref(last)) => None,
            Stmt::Expr(_) | Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::AugAssign(_) => {
                Some(self.slot_at(body, body.len() - 1)?.after(&wait))
            }
            // After the last line of a compound statement, at the function's own indentation.
            compound => Some(self.after_compound(compound, &slot.indent, &wait)),
        };
        let Some(end) = end else {
            return Ok(None);
        };
        edits.push(end);
        let mut rewrite =
            Rewrite::safe("Keep the task and await it before the program ends", edits);
        rewrite.alone_in = Some(body.first().map_or(TextSize::default(), Ranged::start));
        Ok(Some(rewrite))
    }

    fn slot_at(&self, suite: &'a [Stmt], index: usize) -> Result<Slot, String> {
        let statement = suite.get(index).ok_or("there is no such statement")?;
        let place = Place {
            suite,
            index,
            statement,
            parent: self.place.parent,
        };
        Ok(Slot::of(self.file, &place)?)
    }

    fn after_compound(&self, statement: &Stmt, indent: &str, lines: &[String]) -> Edit {
        let newline = self.file.newline();
        let source = self.file.source;
        let mut end = statement.end();
        // Comments that are indented like the block belong to it.
        loop {
            let line = source.full_line_range(source.full_line_end(end));
            let text = &source[line];
            let deeper = text.len() - text.trim_start().len() > indent.len();
            if line.is_empty() || !(deeper && text.trim_start().starts_with('#')) {
                break;
            }
            end = source.line_end(line.start());
        }
        let at = source.full_line_end(end);
        let ends_with_newline = at > source.line_end(end);
        // Black leaves a blank line after a function or class.
        let definition = statement.is_function_def_stmt() || statement.is_class_def_stmt();
        let blank = if definition && ends_with_newline {
            newline
        } else {
            ""
        };
        let text: String = std::iter::once(blank)
            .chain(lines.iter().flat_map(|line| {
                if ends_with_newline {
                    [indent, line, newline]
                } else {
                    [newline, indent, line]
                }
            }))
            .collect();
        Edit::insertion(text, at)
    }

    /// `task = ` before the call, `_ = ` replaced if that is what stands there.
    fn store(&self, slot: &Slot, task: &str) -> Vec<Edit> {
        match self.place.statement {
            Stmt::Assign(assign) => {
                let target = assign.targets.first().map(Ranged::range);
                let replaced =
                    target.map(|target| Edit::range_replacement(task.to_owned(), target));
                slot.prefix("").into_iter().chain(replaced).collect()
            }
            _ => slot.prefix(&format!("{task} = ")).into_iter().collect(),
        }
    }

    /// The recipe of the Python documentation: a set keeps the task until it is done.
    /// <https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task>
    fn kept_in_set(&self, existing: Option<&ast::ExprName>) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let task = match existing {
            Some(name) => name.id.to_string(),
            None => names::fresh(self.file, self.owner, &["task", "background_task"]),
        };
        let (set, new_set) = self.keeper()?;
        let mut edits = match existing {
            Some(_) => slot.prefix("").into_iter().collect(),
            None => self.store(&slot, &task),
        };
        edits.push(slot.after(&[
            format!("{set}.add({task})"),
            format!("{task}.add_done_callback({set}.discard)"),
        ]));
        // `Future[None]` is no `Task[object]`, and people run type checkers.
        let is_annotated_otherwise = matches!(self.place.statement, Stmt::AnnAssign(assign)
            if type_name(&assign.annotation) != Some("Task"));
        Ok(
            Rewrite::safe(format!("Keep the task in `{set}` until it is done"), edits)
                .with_shared(new_set)
                .unsafe_if(is_annotated_otherwise.then_some(
                    "the annotation does not say that it is a task, as that of the set does",
                )),
        )
    }

    /// The set to keep the task in, and the edits that make it if there is none yet.
    fn keeper(&self) -> Result<(String, Vec<Edit>), String> {
        if let Some(class) = self.site.class()
            && self.has_self()
            && let Some(set) = keepers::in_instance(self.file, class)
        {
            return Ok((set, Vec::new()));
        }
        if let Some(set) = keepers::in_module(self.file)
            && self.means_module_name(set)
        {
            return Ok((set.to_owned(), Vec::new()));
        }
        let name = keepers::fresh_name(self.file);
        Ok((name.clone(), self.new_set(&name)?))
    }

    /// Whether the function is a method that can reach its instance as `self`.
    fn has_self(&self) -> bool {
        self.file
            .semantics
            .scope_of_owner(self.owner)
            .and_then(|scope| self.file.semantics.lookup("self", scope))
            .is_some_and(|definitions| {
                matches!(definitions.as_slice(), [definition]
                    if definition.kind(self.file.semantics.db()).is_parameter_def())
            })
    }

    fn means_module_name(&self, name: &str) -> bool {
        self.file
            .semantics
            .scope_of_owner(self.owner)
            .and_then(|scope| self.file.semantics.lookup(name, scope))
            .is_some_and(|definitions| {
                definitions
                    .iter()
                    .all(|definition| definition.file_scope(self.file.semantics.db()).is_global())
            })
    }

    /// `background_tasks = set()` after the imports, with the blank lines Black wants around it.
    fn new_set(&self, name: &str) -> Result<Vec<Edit>, String> {
        let file = self.file;
        let newline = file.newline();
        let mut edits = Vec::new();
        let value = if keepers::is_typed(file) {
            let task = imports::import(
                file,
                "asyncio",
                "Task",
                FileScopeId::global(),
                self.call.start(),
            )?;
            edits.extend(task.edit);
            // A set of tasks of anything: `Task` is covariant in its result.
            if file.targets(PythonVersion::PY39) {
                format!("{name}: set[{}[object]] = set()", task.expression)
            } else {
                let quote = file.stylist.quote();
                format!(
                    "{name}: {quote}set[{}[object]]{quote} = set()",
                    task.expression
                )
            }
        } else {
            format!("{name} = set()")
        };
        let source = file.source;
        if let Some(end) = imports::end_of_imports(file) {
            let at = source.full_line_end(end);
            let follows_blank = source.full_line_str(at).trim().is_empty();
            let blank_after = if follows_blank { "" } else { newline };
            edits.push(if at > source.line_end(end) {
                Edit::insertion(format!("{newline}{value}{newline}{blank_after}"), at)
            } else {
                Edit::insertion(format!("{newline}{newline}{value}"), at)
            });
            return Ok(edits);
        }
        if let Some(header) = imports::end_of_header(file) {
            let at = source.full_line_end(header);
            edits.push(Edit::insertion(format!("{newline}{value}{newline}"), at));
            return Ok(edits);
        }
        let first = file
            .body()
            .iter()
            .find(|statement| {
                !matches!(statement, Stmt::Expr(expr) if expr.value.is_string_literal_expr())
            })
            .ok_or("there is no place for the set")?;
        if !file.starts_line(first.start()) {
            return Err("there is no place for the set".to_owned());
        }
        let at = source.line_start(first.start());
        let definition = first.is_function_def_stmt() || first.is_class_def_stmt();
        let blank = newline.repeat(if definition { 2 } else { 1 });
        edits.push(Edit::insertion(format!("{value}{newline}{blank}"), at));
        Ok(edits)
    }
}

/// Whether a statement ends the program: `sys.exit()`.
fn exits(file: &File<'_, '_>, statement: &Stmt) -> bool {
    struct Exits<'f, 'a, 'db>(&'f File<'a, 'db>, bool);
    impl<'a> SourceOrderVisitor<'a> for Exits<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node {
                self.1 |= self.0.semantics.means(
                    &call.func,
                    &[
                        "sys.exit",
                        "builtins.exit",
                        "builtins.quit",
                        "os._exit",
                        "os.abort",
                    ],
                );
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Exits(file, false);
    search.visit_stmt(statement);
    search.1
}

/// Whether a `return` or `raise` in these statements leaves the function.
fn leaves_early(body: &[Stmt]) -> bool {
    struct Leaves(bool);
    impl<'a> SourceOrderVisitor<'a> for Leaves {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(node, AnyNodeRef::StmtReturn(_) | AnyNodeRef::StmtRaise(_));
            if node.is_expression()
                || matches!(
                    node,
                    AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_)
                )
            {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Leaves(false);
    search.visit_body(body);
    search.0
}

/// Looks for `asyncio.run(f())` and `loop.run_until_complete(f())` for one function of the file.
struct Runs<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: TextRange,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Runs<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && let Some(Expr::Call(argument)) = call.arguments.args.first()
            && let Expr::Name(name) = &*argument.func
            && self.is_runner(&call.func)
        {
            let semantics = &self.file.semantics;
            self.found |= semantics.bindings(name).is_some_and(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_some_and(|range| range == self.function)
                })
            });
        }
        TraversalSignal::Traverse
    }
}

impl Runs<'_, '_, '_> {
    fn is_runner(&self, callee: &Expr) -> bool {
        if self.file.semantics.means(callee, &["asyncio.run"]) {
            return true;
        }
        match callee {
            Expr::Attribute(attribute) => {
                attribute.attr.as_str() == "run_until_complete"
                    && is_loop(self.file, &attribute.value)
            }
            _ => false,
        }
    }
}
