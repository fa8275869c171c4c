//! A task of an entry point: the program awaits it before it ends.

use asyncfix_analysis::answers::timeouts::is_timeout;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::settings::TaskStrategy;
use asyncfix_syntax::site::{Owner, Place, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextSize};

use super::fate::Collection;
use super::kept::Dangling;
use super::leaving::leaves_early;
use crate::edit::fresh_names;
use crate::edit::insertion::Slot;
use crate::finding::Rewrite;

/// The suite at whose end a task can be awaited: that of the function, or of a `with` or `try` in it.
#[derive(Clone, Copy)]
struct Span<'a> {
    suite: &'a [Stmt],
    /// The statement of the suite that the task is made in.
    index: usize,
    parent: Option<AnyNodeRef<'a>>,
    /// Whether that statement makes the task itself, and is no branch or loop around it.
    is_direct: bool,
}

/// The list that tasks are collected in.
struct Collected {
    name: String,
    /// Whether it is there already, and awaited at the end.
    exists: bool,
}

impl<'a> Dangling<'_, '_, 'a, '_> {
    /// The task is stored here, and awaited where the code around it ends. `None` where the end may not be reached, or
    /// the task may not be awaited there.
    pub(super) fn awaited_at_end(
        &self,
        existing: Option<&ast::ExprName>,
    ) -> Result<Option<Rewrite>, String> {
        let body = self.body();
        let Some(span) = self.span(body) else {
            return Ok(None);
        };
        let is_own_level = span.is_direct && std::ptr::eq(span.suite, body);
        if self.file.settings.task_strategy == TaskStrategy::Await && !is_own_level {
            return Ok(None);
        }
        let around = span.suite.get(span.index);
        if around.is_some_and(|statement| self.file.tasks.is_end(self.file, statement))
            || (self.file.tasks).is_cut_off(self.file, span.suite, span.index + 1)
        {
            return Ok(None);
        }
        let semantics = &self.file.semantics;
        // Of two tasks under one name, an `await` at the end would wait for the last one only.
        let bound_again = span.is_direct
            && existing.is_some_and(|name| {
                semantics
                    .scope_of_owner(self.owner)
                    .and_then(|scope| semantics.lookup(&name.id, scope))
                    .is_none_or(|definitions| definitions.len() > 1)
            });
        if bound_again {
            return Ok(None);
        }
        let edits = if span.is_direct {
            self.awaited(span, existing)?
        } else {
            self.collected(span, body, existing)?
        };
        let Some(edits) = edits else {
            return Ok(None);
        };
        let mut rewrite = Rewrite::safe("Keep the task and await it at the end", edits);
        rewrite.alone_in = Some(self.scope_key());
        Ok(Some(rewrite))
    }

    /// All tasks of the collection that the task is put into are awaited where the code around it ends. `None` where the
    /// end may not be reached, or they may not be awaited there.
    pub(super) fn awaited_with_others(
        &self,
        collection: Collection<'_>,
    ) -> Result<Option<Rewrite>, String> {
        let body = self.body();
        let may_await = collection.is_of_one_kind && self.may_await();
        let Some(span) = self.span(body).filter(|_| may_await) else {
            return Ok(None);
        };
        let around = span.suite.get(span.index);
        if around.is_some_and(|statement| self.file.tasks.is_end(self.file, statement))
            || (self.file.tasks).is_cut_off(self.file, span.suite, span.index + 1)
        {
            return Ok(None);
        }
        let values = if collection.is_dictionary {
            ".values()"
        } else {
            ""
        };
        let task = self.loop_variable(body);
        let wait = [
            format!("for {task} in {}{values}:", collection.name),
            format!("{}await {task}", self.file.indent_unit()),
        ];
        let outer = self.slot_at(span, span.index)?;
        let Some(end) = self.at_end_of(span, &outer.indent, &wait)? else {
            return Ok(None);
        };
        let mut rewrite = Rewrite::safe("Await the tasks at the end", vec![end]);
        rewrite.alone_in = Some(self.scope_key());
        Ok(Some(rewrite))
    }

    /// The innermost suite around the task that is run to its end whenever it is run: that of the function, or of a
    /// `with` or `try`. Branches and loops over what is there are passed by.
    fn span(&self, body: &'a [Stmt]) -> Option<Span<'a>> {
        let mut found: Option<Span<'a>> = None;
        let mut place = self.place;
        let mut outer = self.site.statement()?.ancestors;
        let mut is_direct = true;
        loop {
            let is_body = std::ptr::eq(place.suite, body);
            let is_whole = is_body
                || match place.parent? {
                    AnyNodeRef::StmtWith(with) => self.may_wait_in(with),
                    // A handler would catch what the task raises, as if the code around had.
                    AnyNodeRef::StmtTry(statement) => {
                        statement.handlers.is_empty()
                            && std::ptr::eq(place.suite, &raw const *statement.body)
                    }
                    _ => false,
                };
            if is_whole && found.is_none() {
                found = Some(Span {
                    suite: place.suite,
                    index: place.index,
                    parent: place.parent,
                    is_direct,
                });
            }
            if is_body {
                return found;
            }
            match place.parent? {
                // The task may want the lock, so it is awaited when that is released.
                AnyNodeRef::StmtWith(with) if found.is_none() && self.is_of_locks(with) => {}
                // Waiting there would hold up what the block holds.
                AnyNodeRef::StmtWith(_) if found.is_none() => return None,
                // Each turn would wait for its own tasks.
                AnyNodeRef::StmtFor(statement) if statement.is_async || found.is_some() => {
                    return None;
                }
                // The list would grow for as long as the loop runs.
                AnyNodeRef::StmtWhile(_) => return None,
                _ => is_direct = false,
            }
            // The statement around, which the suite may be that of a clause of.
            loop {
                let (node, rest) = outer.split_last()?;
                outer = rest;
                if node.is_statement() {
                    let site = Site {
                        ancestors: outer,
                        node: *node,
                    };
                    place = site.place()?;
                    break;
                }
            }
        }
    }

    /// Whether the task may be awaited inside of a `with`: it lasts no longer than it has to, and nothing is held there
    /// that the task may want.
    fn may_wait_in(&self, with: &ast::StmtWith) -> bool {
        with.items.iter().all(|item| {
            let manager = &item.context_expr;
            let is_used = item
                .optional_vars
                .as_deref()
                .and_then(Expr::as_name_expr)
                .is_some_and(|name| self.uses(&name.id));
            is_timeout(manager)
                || match self.file.semantics.class_of(manager) {
                    ClassOf::Known(class) => is_used || !may_hold(&class),
                    _ => is_used,
                }
        })
    }

    /// Whether a `with` holds locks of asyncio and nothing else.
    fn is_of_locks(&self, with: &ast::StmtWith) -> bool {
        with.items.iter().all(|item| {
            matches!(self.file.semantics.class_of(&item.context_expr), ClassOf::Known(class)
                if class.starts_with("asyncio.") && may_hold(&class))
        })
    }

    /// Whether the call that makes the task uses a name.
    fn uses(&self, name: &str) -> bool {
        struct Search<'n>(&'n str, bool);
        impl<'a> SourceOrderVisitor<'a> for Search<'_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                self.1 |= matches!(node, AnyNodeRef::ExprName(name) if name.id == self.0);
                TraversalSignal::Traverse
            }
        }
        let mut search = Search(name, false);
        for argument in self.call.arguments.iter_source_order() {
            search.visit_expr(argument.value());
        }
        search.1
    }

    /// `task = …` here, and `await task` at the end.
    fn awaited(
        &self,
        span: Span<'a>,
        existing: Option<&ast::ExprName>,
    ) -> Result<Option<Vec<Edit>>, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let task = match existing {
            Some(name) => name.id.to_string(),
            None => self.fresh_name(),
        };
        let mut edits: Vec<Edit> = match existing {
            Some(_) => slot.prefix("").into_iter().collect(),
            None => self.store(&slot, &task),
        };
        let wait = vec![format!("await {task}")];
        let outer = self.slot_at(span, span.index)?;
        let Some(end) = self.at_end_of(span, &outer.indent, &wait)? else {
            return Ok(None);
        };
        edits.push(end);
        Ok(Some(edits))
    }

    /// The task goes to a list here, and all of the list are awaited at the end.
    fn collected(
        &self,
        span: Span<'a>,
        body: &'a [Stmt],
        existing: Option<&ast::ExprName>,
    ) -> Result<Option<Vec<Edit>>, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let outer = self.slot_at(span, span.index)?;
        let list = collected_in(span).unwrap_or_else(|| Collected {
            name: fresh_names::fresh(self.file, self.owner, &["tasks", "started_tasks"]),
            exists: false,
        });
        let tasks = &list.name;
        let mut edits = Vec::new();
        if !list.exists {
            edits.push(outer.above(self.file, &[format!("{tasks} = []")]));
        }
        let mut behind = None;
        if let Some(name) = existing {
            edits.extend(slot.prefix(""));
            behind = Some(slot.after(&[format!("{tasks}.append({})", name.id)]));
        } else {
            let open = format!("{tasks}.append(");
            match self.place.statement {
                Stmt::Assign(assign) => {
                    edits.extend(slot.prefix(""));
                    edits.push(Edit::replacement(open, assign.start(), self.call.start()));
                }
                _ => edits.extend(slot.prefix(&open)),
            }
            edits.push(Edit::insertion(")".to_owned(), self.call.end()));
        }
        if list.exists {
            edits.extend(behind);
            return Ok(Some(edits));
        }
        let task = self.loop_variable(body);
        let unit = self.file.indent_unit();
        let wait = [
            format!("for {task} in {tasks}:"),
            format!("{unit}await {task}"),
        ];
        let Some(end) = self.at_end_of(span, &outer.indent, &wait)? else {
            return Ok(None);
        };
        // Both may be due behind the same line.
        match behind {
            Some(behind) if behind.start() == end.start() => edits.push(Edit::insertion(
                [behind, end]
                    .iter()
                    .filter_map(Edit::content)
                    .collect::<String>(),
                self.place_end(),
            )),
            behind => {
                edits.extend(behind);
                edits.push(end);
            }
        }
        Ok(Some(edits))
    }

    fn place_end(&self) -> TextSize {
        self.file.source.full_line_end(self.place.statement.end())
    }

    /// The name that the tasks of a list have one after the other. At the end of a function, `task` will do, even where
    /// something else had that name before.
    fn loop_variable(&self, body: &[Stmt]) -> String {
        const NAME: &str = "task";
        let is_plain = match self.owner {
            Owner::Function(function) => {
                let mut uses = Uses {
                    name: NAME,
                    functions: 0,
                    is_bound: false,
                    is_elsewhere: false,
                };
                uses.visit_body(&function.body);
                let is_returned = body.last().is_some_and(|last| {
                    last.is_return_stmt() && {
                        let mut last_uses = Uses {
                            name: NAME,
                            functions: 1,
                            is_bound: false,
                            is_elsewhere: false,
                        };
                        last_uses.visit_stmt(last);
                        last_uses.is_elsewhere
                    }
                });
                uses.is_bound && !uses.is_elsewhere && !is_returned
            }
            _ => false,
        };
        if is_plain {
            NAME.to_owned()
        } else {
            fresh_names::fresh(self.file, self.owner, &[NAME, "background_task"])
        }
    }

    /// The edit that puts lines at the end of a suite. `None` where the end does something of its own.
    fn at_end_of(
        &self,
        span: Span<'a>,
        indent: &str,
        lines: &[String],
    ) -> Result<Option<Edit>, String> {
        let Some(last) = span.suite.last() else {
            return Ok(None);
        };
        let at = span.suite.len() - 1;
        Ok(match last {
            Stmt::Return(statement)
                if statement.value.as_deref().is_none_or(|value| {
                    value.is_literal_expr() || value.is_name_expr() || value.is_attribute_expr()
                }) =>
            {
                self.slot_at(span, at)?.before(lines, "")
            }
            last if leaves_early(std::slice::from_ref(last)) => None,
            Stmt::Expr(_) | Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::AugAssign(_) => {
                Some(self.slot_at(span, at)?.after(lines))
            }
            // After the last line of a compound statement, at the function's own indentation.
            compound => Some(self.after_compound(compound, indent, lines)),
        })
    }

    fn slot_at(&self, span: Span<'a>, index: usize) -> Result<Slot, String> {
        let statement = span.suite.get(index).ok_or("there is no such statement")?;
        let place = Place {
            suite: span.suite,
            index,
            statement,
            parent: span.parent,
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
}

/// Whether a context manager of this class may hold something that others wait for, or keep an exception to itself.
fn may_hold(class: &str) -> bool {
    let name = class.rsplit('.').next().unwrap_or(class);
    ["Lock", "Semaphore", "Condition", "Limiter", "Barrier"]
        .iter()
        .any(|word| name.contains(word))
        || class == "contextlib.suppress"
        || class.starts_with("contextlib._")
}

/// The list of tasks that the end of a suite awaits one after the other, where it is made in the suite before the
/// statement: what another task of the same program got.
fn collected_in(span: Span<'_>) -> Option<Collected> {
    let end = match span.suite.split_last()? {
        (Stmt::Return(_), before) => before.last()?,
        (end, _) => end,
    };
    let Stmt::For(waiting) = end else {
        return None;
    };
    let (Expr::Name(list), Expr::Name(task)) = (&*waiting.iter, &*waiting.target) else {
        return None;
    };
    let [Stmt::Expr(statement)] = waiting.body.as_slice() else {
        return None;
    };
    let awaits_it = matches!(&*statement.value, Expr::Await(awaited)
        if matches!(&*awaited.value, Expr::Name(name) if name.id == task.id));
    let is_made = span.suite.get(..span.index)?.iter().any(|statement| {
        matches!(statement, Stmt::Assign(assign)
            if matches!(assign.targets.as_slice(), [Expr::Name(name)] if name.id == list.id)
                && matches!(&*assign.value, Expr::List(value) if value.elts.is_empty()))
    });
    (awaits_it && is_made).then(|| Collected {
        name: list.id.to_string(),
        exists: true,
    })
}

/// Whether a name is bound in the code of a function, and used in functions inside of it or in other scopes.
struct Uses<'n> {
    name: &'n str,
    functions: usize,
    is_bound: bool,
    is_elsewhere: bool,
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::ExprLambda(_) => self.functions += 1,
            AnyNodeRef::ExprName(name) if name.id == self.name => {
                self.is_bound |= name.ctx == ExprContext::Store;
                self.is_elsewhere |= self.functions > 0;
            }
            AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
            | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                self.is_elsewhere |= names.iter().any(|other| other.as_str() == self.name);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if node.is_stmt_function_def() || node.is_expr_lambda() {
            self.functions -= 1;
        }
    }
}
