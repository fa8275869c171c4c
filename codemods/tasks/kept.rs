//! What is done with a task that nothing refers to: given to a group, awaited, or kept.

use asyncfix_analysis::answers::coroutines::{self, Ending};
use asyncfix_analysis::answers::duration::takes_long;
use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_analysis::settings::TaskStrategy;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Place, Site};
use asyncfix_syntax::words::snake_case;
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};

use super::{elements, keepers};
use crate::edit::aligned::realigned;
use crate::edit::insertion::Slot;
use crate::edit::{annotations, fresh_names, imports};
use crate::file::File;
use crate::finding::{Remedy, Rewrite};

/// A dropped task and its surroundings.
pub(super) struct Dangling<'f, 's, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) site: Site<'s, 'a>,
    pub(super) call: &'a ast::ExprCall,
    pub(super) owner: Owner<'a>,
    pub(super) place: Place<'a>,
    /// The call around it that adds a callback to the task.
    pub(super) callback: Option<&'a ast::ExprCall>,
}

impl<'f, 's, 'a, 'db> Dangling<'f, 's, 'a, 'db> {
    pub(super) fn new(
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
            callback: None,
        })
    }

    /// The line that adds the callback to the task, once that has a name.
    fn added_callback(&self, task: &str) -> Result<Option<String>, String> {
        let Some(callback) = self.callback else {
            return Ok(None);
        };
        let behind = TextRange::new(self.call.end(), callback.end());
        let text = self.file.text(behind);
        if self.file.comments.intersects(behind) || text.contains(['\n', '\r']) {
            return Err("create the task in its own statement".to_owned());
        }
        Ok(Some(format!("{task}{text}")))
    }

    /// The edit that takes the call of the callback away from the one that makes the task.
    fn without_callback(&self) -> Option<Edit> {
        let callback = self.callback?;
        Some(Edit::deletion(self.call.end(), callback.end()))
    }

    pub(super) fn remedy(&self, existing: Option<&ast::ExprName>) -> Remedy {
        match self.rewrite(existing) {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason),
        }
    }

    /// The same for a task that has its name, and callbacks that see to what it raises.
    pub(super) fn kept(&self, name: &ast::ExprName) -> Remedy {
        match self.kept_in_set(Some(name)) {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason),
        }
    }

    fn rewrite(&self, existing: Option<&ast::ExprName>) -> Result<Rewrite, String> {
        let strategy = self.file.settings.task_strategy;
        if strategy == TaskStrategy::Auto
            && self.callback.is_none()
            && let Some(rewrite) = self.in_task_group()
        {
            return Ok(rewrite);
        }
        if self.may_await()
            && self.callback.is_none()
            && let Some(rewrite) = self.awaited_at_end(existing)?
        {
            return Ok(rewrite);
        }
        if strategy != TaskStrategy::Set && self.is_once_in_module() {
            return self.kept_by_module();
        }
        self.kept_in_set(existing)
    }

    /// Whether the function may wait for the task at its end.
    pub(super) fn may_await(&self) -> bool {
        let is_wanted = match self.file.settings.task_strategy {
            TaskStrategy::Auto => {
                self.is_entry_point() && self.ending() == Ending::Ends && !self.takes_long()
            }
            TaskStrategy::Await => self.file.is_async(self.owner) && self.ending() != Ending::Never,
            TaskStrategy::Set => false,
        };
        // To await a task that the program has cancelled raises `CancelledError`.
        let memory = &self.file.tasks;
        is_wanted && !memory.cancels_all(self.file, self.owner, self.body())
    }

    fn is_entry_point(&self) -> bool {
        self.file.tasks.is_entry_point(self.file, self.owner)
    }

    /// How the coroutine of the task ends.
    fn ending(&self) -> Ending {
        match self.call.arguments.args.first() {
            Some(Expr::Call(coroutine)) => {
                coroutines::ending_of_call(&self.file.semantics, self.file.project, coroutine)
            }
            _ => Ending::Unknown,
        }
    }

    /// Whether the task is so long that a program should not wait for it at its end.
    fn takes_long(&self) -> bool {
        match self.call.arguments.args.first() {
            Some(Expr::Call(coroutine)) => takes_long(&self.file.semantics, coroutine),
            _ => false,
        }
    }

    /// Whether the code is the module's own and runs once, so that a variable of the module keeps the task.
    fn is_once_in_module(&self) -> bool {
        self.owner == Owner::Module
            && !self
                .site
                .enclosing_in_function()
                .any(|(node, _)| node.is_stmt_for() || node.is_stmt_while())
    }

    /// A variable of the module refers to the task as long as the program runs.
    fn kept_by_module(&self) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let task = self.fresh_name();
        let callback = self.added_callback(&task)?;
        let mut edits = self.store(&slot, &task);
        edits.extend(self.without_callback());
        edits.extend(callback.map(|line| slot.after(&[line])));
        let mut rewrite = Rewrite::safe(format!("Keep the task in the variable `{task}`"), edits);
        rewrite.alone_in = Some(self.scope_key());
        Ok(rewrite)
    }

    /// A name for the task: beside other tasks, that of what it does.
    pub(super) fn fresh_name(&self) -> String {
        let coroutine = match self.call.arguments.args.first() {
            Some(Expr::Call(coroutine)) => last_name(&coroutine.func),
            _ => None,
        };
        let of_coroutine = coroutine
            .map(|name| snake_case(name).trim_matches('_').to_owned())
            .filter(|name| !name.is_empty())
            .map(|name| format!("{name}_task"));
        match &of_coroutine {
            Some(name) if self.has_tasks_beside() => {
                // Of several objects, each may have one.
                let of_object = match self.call.arguments.args.first() {
                    Some(Expr::Call(coroutine)) => match &*coroutine.func {
                        Expr::Attribute(method) => last_name(&method.value),
                        _ => None,
                    },
                    _ => None,
                };
                let of_object = of_object
                    .map(|object| snake_case(object).trim_matches('_').to_owned())
                    .filter(|object| {
                        !object.is_empty() && !matches!(object.as_str(), "self" | "cls")
                    })
                    .map(|object| format!("{object}_{name}"));
                let wishes: Vec<&str> = std::iter::once(name.as_str())
                    .chain(of_object.as_deref())
                    .collect();
                fresh_names::fresh(self.file, self.owner, &wishes)
            }
            _ => fresh_names::fresh(self.file, self.owner, &["task", "background_task"]),
        }
    }

    /// The code around, of which each variable can have one task at a time.
    pub(super) fn body(&self) -> &'a [Stmt] {
        match self.owner {
            Owner::Function(function) => &function.body,
            Owner::Module | Owner::Lambda(_) => self.file.body(),
        }
    }

    /// The key of what is named in the code around, for [`Rewrite::alone_in`].
    pub(super) fn scope_key(&self) -> TextSize {
        match self.owner {
            Owner::Function(function) => function.start(),
            Owner::Module | Owner::Lambda(_) => TextSize::default(),
        }
    }

    /// Whether each task of the code around needs a variable of its own: it may be awaited at the end, or the variable
    /// alone keeps it.
    fn names_each_task(&self) -> bool {
        match self.owner {
            Owner::Module => true,
            Owner::Function(_) => match self.file.settings.task_strategy {
                TaskStrategy::Auto => self.is_entry_point(),
                TaskStrategy::Await => self.file.is_async(self.owner),
                TaskStrategy::Set => false,
            },
            Owner::Lambda(_) => false,
        }
    }

    /// Whether the task has to be told apart from others of the code around: from one that has a variable already, or
    /// from one that is dropped as well.
    fn has_tasks_beside(&self) -> bool {
        let tasks = self.file.tasks.beside(self.file, self.owner, self.body());
        tasks.bound > 0
            || self.names_each_task() && tasks.dropped.len() > 1
            || self.is_typed() && tasks.give_another_type(self.file, self.call)
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
        let ending = self.ending();
        // The group would never be left.
        if ending == Ending::Never {
            return None;
        }
        let reason = (ending != Ending::Ends).then_some(
            "the task group waits for the task, and asyncfix can't tell whether it ends",
        );
        let callee = TextRange::new(self.call.start(), self.call.arguments.start());
        let method = format!("{}.create_task", group.id);
        let columns = |text: &str| isize::try_from(text.chars().count()).unwrap_or_default();
        let by = columns(&method) - columns(self.file.text(callee));
        let inside = TextRange::new(self.call.arguments.start(), self.call.end());
        let mut edits = vec![Edit::range_replacement(method, callee)];
        edits.extend(realigned(self.file, inside, by));
        Some(
            Rewrite::safe(format!("Create it in the task group `{}`", group.id), edits)
                .unsafe_if(reason),
        )
    }

    /// `task = ` before the call, `_ = ` replaced if that is what stands there.
    pub(super) fn store(&self, slot: &Slot, task: &str) -> Vec<Edit> {
        let columns = |text: &str| isize::try_from(text.chars().count()).unwrap_or_default();
        let (mut edits, by): (Vec<Edit>, isize) = if let Stmt::Assign(assign) = self.place.statement
        {
            let target = assign.targets.first().map(Ranged::range);
            let replaced = target.map(|target| Edit::range_replacement(task.to_owned(), target));
            let old = target.map_or("", |target| self.file.text(target));
            let edits = slot.prefix("").into_iter().chain(replaced).collect();
            (edits, columns(task) - columns(old))
        } else {
            let head = format!("{task} = ");
            (slot.prefix(&head).into_iter().collect(), columns(&head))
        };
        if self.file.starts_line(self.place.statement.start()) {
            edits.extend(realigned(self.file, self.call.range(), by));
        }
        edits
    }

    /// The recipe of the Python documentation: a set keeps the task until it is done.
    /// <https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task>
    fn kept_in_set(&self, existing: Option<&ast::ExprName>) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let task = match existing {
            Some(name) => name.id.to_string(),
            None => self.fresh_name(),
        };
        let (set, new_set) = self.keeper()?;
        let mut edits = match existing {
            Some(_) => slot.prefix("").into_iter().collect(),
            None => self.store(&slot, &task),
        };
        let mut lines = vec![
            format!("{set}.add({task})"),
            format!("{task}.add_done_callback({set}.discard)"),
        ];
        lines.extend(self.added_callback(&task)?);
        edits.extend(self.without_callback());
        edits.push(slot.after(&lines));
        // `Future[None]` is no `Task[object]`, and people run type checkers.
        let is_annotated_otherwise = matches!(self.place.statement, Stmt::AnnAssign(assign)
            if type_name(&assign.annotation) != Some("Task"));
        let mut rewrite =
            Rewrite::safe(format!("Keep the task in `{set}` until it is done"), edits)
                .with_shared(new_set)
                .unsafe_if(
                    is_annotated_otherwise
                        .then_some("the annotation of the variable and of the set don't match"),
                );
        // The name that this one gets is taken then.
        if existing.is_none() && self.has_tasks_beside() {
            rewrite.alone_in = Some(self.scope_key());
        }
        Ok(rewrite)
    }

    fn is_typed(&self) -> bool {
        annotations::is_typed(self.file.body()) || self.file.settings.is_type_checked
    }

    /// The set to keep the task in, and the edits that make it if there is none yet.
    fn keeper(&self) -> Result<(String, Vec<Edit>), String> {
        let fits = |annotation: Option<&Expr>| {
            elements::fits(self.file, annotation, self.call, self.owner)
        };
        if let Some(class) = self.site.class()
            && self.has_self()
            && let Some(set) = keepers::in_instance(self.file, class, &self.site, &fits)
        {
            return Ok((set, Vec::new()));
        }
        if let Some(set) = keepers::in_module(self.file, &fits)
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

    /// How many blank lines stand between the imports, which end at `end`, and what is not defined by a function or
    /// class: as many as the project says, or as the file has.
    fn lines_after_imports(&self, end: TextSize) -> usize {
        let file = self.file;
        if let Some(lines) = file.settings.lines_after_imports {
            return usize::from(lines);
        }
        let next = file
            .body()
            .iter()
            .find(|statement| statement.start() >= end);
        // What Black wants before a definition is no style of the imports.
        let is_definition =
            next.is_some_and(|next| next.is_function_def_stmt() || next.is_class_def_stmt());
        let mut at = end;
        let mut lines = 0;
        while !is_definition && at < file.source.text_len() {
            let line = file.source.full_line_range(at);
            if !file.source[line].trim().is_empty() {
                return lines.max(1);
            }
            lines += 1;
            at = line.end();
        }
        1
    }

    /// `background_tasks = set()` after the imports, with the blank lines Black wants around it.
    fn new_set(&self, name: &str) -> Result<Vec<Edit>, String> {
        let file = self.file;
        let source = file.source;
        let newline = file.newline();
        let mut edits = Vec::new();
        if let Some(end) = imports::end_of_imports(file) {
            let at = source.full_line_end(end);
            let value = self.set_at(name, at, &mut edits)?;
            let follows_blank = source.full_line_str(at).trim().is_empty();
            let blank_after = if follows_blank { "" } else { newline };
            edits.push(if at > source.line_end(end) {
                let blank = newline.repeat(self.lines_after_imports(at));
                Edit::insertion(format!("{blank}{value}{newline}{blank_after}"), at)
            } else {
                Edit::insertion(format!("{newline}{newline}{value}"), at)
            });
            return Ok(edits);
        }
        if let Some(header) = imports::end_of_header(file) {
            let at = source.full_line_end(header);
            let value = self.set_at(name, at, &mut edits)?;
            edits.push(Edit::insertion(format!("{newline}{value}{newline}"), at));
            return Ok(edits);
        }
        let first = file
            .body()
            .iter()
            .find(|statement| {
                !matches!(statement, Stmt::Expr(expr) if expr.value.is_string_literal_expr())
            })
            .ok_or("there is no place to define the set")?;
        if !file.starts_line(first.start()) {
            return Err("there is no place to define the set".to_owned());
        }
        let at = source.line_start(first.start());
        let value = self.set_at(name, at, &mut edits)?;
        let definition = first.is_function_def_stmt() || first.is_class_def_stmt();
        let blank = newline.repeat(if definition { 2 } else { 1 });
        edits.push(Edit::insertion(format!("{value}{newline}{blank}"), at));
        Ok(edits)
    }

    /// What makes the set at `at`, where a module that is typed needs the name of the class, and the edit that brings
    /// that name.
    fn set_at(&self, name: &str, at: TextSize, edits: &mut Vec<Edit>) -> Result<String, String> {
        let file = self.file;
        if !self.is_typed() {
            return Ok(format!("{name} = set()"));
        }
        let task = imports::import(file, "asyncio", "Task", FileScopeId::global(), at)?;
        edits.extend(task.edit);
        // A set of tasks of anything: `Task` is covariant in its result.
        let class = format!("set[{}[object]]", task.expression);
        let is_plain = file.targets(PythonVersion::PY39) || annotations::are_postponed(file.body());
        let quote = if is_plain {
            String::new()
        } else {
            file.stylist.quote().to_string()
        };
        Ok(format!("{name}: {quote}{class}{quote} = set()"))
    }
}

/// The last name of the class that an annotation names, whatever is in its brackets.
fn type_name(annotation: &Expr) -> Option<&str> {
    match annotation {
        Expr::Subscript(generic) => last_name(&generic.value),
        other => last_name(other),
    }
}
