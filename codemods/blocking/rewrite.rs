//! What is written for a call that blocks: the awaited function in its place, or a thread that makes it.

use asyncfix_analysis::answers::blocking::{Called, called};
use asyncfix_analysis::answers::locks;
use asyncfix_analysis::facts::blocking_calls::unsafe_because;
use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_knowledge::blocking::{Kind, Row, is_consumer};
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::argument;
use asyncfix_syntax::site::{Owner, Site, Surroundings};
use ruff_diagnostics::Edit;
use ruff_python_ast::token::parenthesized_range;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::blocking::block::Block;
use crate::blocking::call::{HTTP, is_awaited, parts_of};
use crate::blocking::given::Given;
use crate::blocking::thread::{self, Runner};
use crate::blocking::variables::bound_in_loop;
use crate::blocking::{
    checked, exchanges, files, half_made, outlined, process_state, series, taken_away, typed,
};
use crate::edit::blocks::COMMENT;
use crate::edit::narrowed::forgotten_test;
use crate::edit::{annotations, imports};
use crate::file::File;
use crate::finding::Rewrite;

/// Whether the thread pool of a loop is shut down before a place.
struct ShutDown {
    before: TextSize,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for ShutDown {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprAttribute(attribute) = node
            && attribute.end() <= self.before
        {
            self.found |= matches!(
                (attribute.attr.as_str(), attribute.ctx),
                ("_executor_shutdown_called", ast::ExprContext::Store)
                    | ("shutdown_default_executor", ast::ExprContext::Load)
            );
        }
        TraversalSignal::Traverse
    }
}

/// A blocking call, and what is around it.
pub(super) struct Blocking<'f, 's, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) site: &'f Site<'s, 'a>,
    pub(super) call: &'a ast::ExprCall,
    pub(super) called: Called<'f>,
    pub(super) surroundings: Surroundings<'a>,
    pub(super) library: Option<Library>,
    /// What is given the call's result, and would call that in a thread.
    pub(super) given: Option<Given<'a>>,
}

impl<'a> Blocking<'_, '_, 'a, '_> {
    pub(super) fn row(&self) -> &Row {
        self.called.row
    }

    pub(super) fn owner(&self) -> Owner<'a> {
        self.surroundings.owner
    }

    /// The library to write for: the file's, or else asyncio.
    fn library(&self) -> Library {
        self.library.unwrap_or(Library::Asyncio)
    }

    pub(super) fn scope(&self) -> Result<FileScopeId, String> {
        match self.owner() {
            Owner::Function(function) => self.file.semantics.function_scope(function),
            _ => None,
        }
        .or_else(|| self.file.semantics.scope_of(&*self.call.func))
        .ok_or_else(|| "asyncfix has no rewrite for this call".to_owned())
    }

    /// How something is run in a thread here; `with_keywords` where it takes keyword arguments.
    pub(super) fn runner(&self, with_keywords: bool) -> Result<Runner, String> {
        Runner::of(
            self.file,
            self.library(),
            self.scope()?,
            self.call.start(),
            with_keywords,
        )
    }

    pub(super) fn rewrite(&self) -> Result<Rewrite, String> {
        let row = self.row();
        if row.kind == Kind::Report {
            let reason = row.reason.clone();
            return Err(
                reason.unwrap_or_else(|| "asyncfix has no rewrite for this call".to_owned())
            );
        }
        if let Some(given) = &self.given {
            let rewrite = given.rewrite(self)?;
            return Ok(rewrite.unsafe_if(unsafe_because(row, self.call)));
        }
        if let Some(obstacle) = self.surroundings.obstacle {
            return Err(obstacle.reason().to_owned());
        }
        if !matches!(row.kind, Kind::Replace | Kind::WrapFuture)
            && self.library() == Library::Asyncio
            && let Some(reason) = self.is_shut_down()
        {
            return Err(reason);
        }
        if let Some(keyword) = row.streams.iter().find(|keyword| {
            argument(self.call, keyword).is_some_and(
                |value| !matches!(value, Expr::BooleanLiteral(literal) if !literal.value),
            )
        }) {
            return Err(format!(
                "with `{keyword}=True`, reading the response blocks too"
            ));
        }
        let rewrite = match row.kind {
            Kind::Replace => self.replaced()?,
            Kind::WrapFuture => self.wrapped()?,
            Kind::Outline => outlined::rewrite(self)?,
            Kind::ToThread | Kind::Report if row.lazy => self.listed()?,
            Kind::ToThread | Kind::Report => self.moved()?,
        };
        let lock = locks::allow_await(self.file, self.site, self.owner())?;
        let state = process_state::held(self.file, self.site, self.owner())
            .or_else(|| half_made::left_empty(self.file, self.site, self.owner()));
        let ambiguous = self.library.is_none().then(|| {
            if self.file.project.drives_coroutines() {
                "the project drives coroutines manually; asyncfix can't tell whether asyncio runs this file"
            } else {
                "the project uses several async libraries; asyncfix can't tell which one runs this file"
            }
        });
        // What takes all of it at once makes no difference.
        let reason =
            unsafe_because(row, self.call).filter(|_| !row.lazy || self.consumer().is_none());
        Ok(rewrite
            .unsafe_if(reason)
            .unsafe_if(state)
            .unsafe_if(lock)
            .unsafe_if(self.cancelled_again())
            .unsafe_if(self.cut_short())
            .unsafe_if(self.interrupted())
            .unsafe_if(self.takes_from_listed())
            .unsafe_if(taken_away::left_when_cancelled(
                self.file, self.site, self.call,
            ))
            .unsafe_if(self.lost_update())
            .unsafe_if(self.opened_loop()?)
            .unsafe_if(self.opened_section())
            .unsafe_if(self.opened_for_caller())
            .unsafe_if(ambiguous))
    }

    /// `await asyncio.sleep(…)`
    fn replaced(&self) -> Result<Rewrite, String> {
        let (file, call) = (self.file, self.call);
        // Anything else raises today.
        if let Some(expected) = self.row().arguments
            && (call.arguments.args.len() != expected
                || call.arguments.args.iter().any(Expr::is_starred_expr)
                || !call.arguments.keywords.is_empty())
        {
            let number = match expected {
                1 => "one positional argument".to_owned(),
                other => format!("{other} positional arguments"),
            };
            return Err(format!("`{}` takes exactly {number}", self.called.name));
        }
        let module = self.library().module().unwrap_or("asyncio");
        let member = self.row().replacement.as_deref().unwrap_or("sleep");
        let imported = imports::import(file, module, member, self.scope()?, call.start())?;
        let callee = self.callee();
        let is_opened =
            !is_awaited(self.site) && checked::is_sleep_behind_check(file, self.site, self.owner());
        let edits = if is_awaited(self.site) {
            vec![Edit::range_replacement(imported.expression.clone(), callee)]
        } else {
            file.await_edits(self.site, callee, &imported.expression)
        };
        Ok(
            Rewrite::safe(format!("Await `{}`", imported.expression), edits)
                .with_shared(imported.edit)
                .unsafe_if(is_opened.then_some(files::OPENED_CHECK)),
        )
    }

    /// The callee, with what belongs to it.
    pub(super) fn callee(&self) -> TextRange {
        TextRange::new(self.call.start(), self.callee_end())
    }

    /// The end of the callee. Parentheses around it belong to it; the space before the arguments
    /// does not, otherwise.
    fn callee_end(&self) -> TextSize {
        if self.call.func.start() == self.call.start() {
            self.call.func.end()
        } else {
            self.call.arguments.start()
        }
    }

    /// `await asyncio.to_thread(f, …)`
    pub(super) fn moved(&self) -> Result<Rewrite, String> {
        let call = self.call;
        let rewrite = if holds_another(self.file, self.site, call, self.row()) {
            self.in_lambda(self.site, "", "")?
        } else {
            let runner = self.runner(!call.arguments.keywords.is_empty())?;
            let is_used = !matches!(self.site.parent(), Some(AnyNodeRef::StmtExpr(_)));
            let is_lost = self.row().overloaded
                && (runner.uses_partial() && self.is_typed()
                    || is_used && self.file.settings.loses_signatures);
            let is_apart = self.is_typed() && {
                let mut apart = self.row().apart.iter();
                apart.any(|at| {
                    let given = argument(call, &at.to_string());
                    given.is_some_and(|given| typed::may_be_several(self.file, given))
                })
            };
            let is_lost = is_lost || is_apart;
            // Inside of it, type checkers may forget what was tested before.
            let forgets = is_apart
                && matches!(self.owner(), Owner::Function(function)
                    if forgotten_test(self.file, function, call.range(), &[]).is_some());
            let in_lambda = is_lost.then(|| self.in_lambda(self.site, "", "").ok());
            if let Some(rewrite) = in_lambda.flatten().filter(|_| !forgets) {
                rewrite
            } else {
                let edits = runner.call_edits(self.file, self.site, call, self.callee())?;
                let is_refused = self
                    .is_typed()
                    .then(|| typed::wrong_operand(self.file, self.site, call))
                    .flatten();
                runner
                    .rewrite(edits)
                    .unsafe_if(is_lost.then_some(
                        "type checkers lose the type of its result where the function is passed on",
                    ))
                    .unsafe_if(is_refused)
            }
        };
        let others = self
            .row()
            .uses_files()
            .then(|| files::meets_others(self.file, self.owner(), call.range()))
            .flatten();
        let is_process = self.row().code == "AF203";
        let series = is_process
            .then(|| series::opened(self.file, self.owner(), call))
            .flatten();
        let exchange = (self.row().code == HTTP)
            .then(|| exchanges::opened(self.file, self.owner(), call))
            .flatten();
        let removed = match self.owner() {
            Owner::Function(function) if is_process => {
                taken_away::under_process(self.file, function, call)
            }
            _ => None,
        };
        Ok(rewrite
            .unsafe_if(others)
            .unsafe_if(self.opened_check())
            .unsafe_if(
                (is_process && checked::is_command_behind_check(self.file, self.owner(), call))
                    .then_some(files::OPENED_CHECK),
            )
            .unsafe_if(removed)
            .unsafe_if(series)
            .unsafe_if(exchange))
    }

    /// Whether type checkers look at the code. They take any result of `functools.partial` for the first of several.
    fn is_typed(&self) -> bool {
        annotations::is_typed(self.file.body()) || self.file.settings.is_type_checked
    }

    /// Why the loop's own threads run nothing any more where the call is.
    fn is_shut_down(&self) -> Option<String> {
        let Owner::Function(function) = self.owner() else {
            return None;
        };
        let mut search = ShutDown {
            before: self.call.start(),
            found: false,
        };
        search.visit_body(&function.body);
        search.found.then(|| {
            "the event loop's thread pool is shut down before this, and runs nothing more"
                .to_owned()
        })
    }

    /// `await asyncio.to_thread(lambda: list(f(…)))`, or the call around that consumes what it gives.
    fn listed(&self) -> Result<Rewrite, String> {
        if let Some(consumer) = self.consumer() {
            return self.in_lambda(&consumer, "", "");
        }
        if !self.is_looped_over() {
            return Err(
                "its result is an iterator, and a list can't stand for that; move the call and what reads the result into one function and run that in `asyncio.to_thread`"
                    .to_owned(),
            );
        }
        self.in_lambda(self.site, "list(", ")")
    }

    /// Whether a loop or a comprehension takes what the call gives, and nothing else does.
    fn is_looped_over(&self) -> bool {
        let is_it = |iter: &Expr| iter.range() == self.call.range();
        match self.site.parent() {
            Some(AnyNodeRef::StmtFor(statement)) => !statement.is_async && is_it(&statement.iter),
            Some(AnyNodeRef::Comprehension(clause)) => !clause.is_async && is_it(&clause.iter),
            _ => false,
        }
    }

    /// The expression at `site` in a lambda that runs in a thread.
    pub(super) fn in_lambda(
        &self,
        site: &Site<'_, 'a>,
        before: &str,
        behind: &str,
    ) -> Result<Rewrite, String> {
        let AnyNodeRef::ExprCall(whole) = site.node else {
            return Err("this is not a call".to_owned());
        };
        if let Some(reason) = thread::keeps_out_of_lambda(whole) {
            return Err(reason.to_owned());
        }
        let runner = self.runner(false)?;
        let given = bound_in_loop(
            self.file,
            site,
            whole.range(),
            &Block::of_call(self.file, whole).loads,
        );
        let (parameters, arguments) = match given.join(", ") {
            none if none.is_empty() => (String::new(), String::new()),
            names => (format!(" {names}"), format!(", {names}")),
        };
        let head = format!("{}lambda{parameters}: {before}", runner.head());
        let mut edits = self
            .file
            .await_edits(site, TextRange::empty(whole.start()), &head);
        edits.insert(
            1,
            Edit::insertion(format!("{behind}{arguments})"), whole.end()),
        );
        let is_refused = self
            .is_typed()
            .then(|| typed::wrong_operand(self.file, site, whole))
            .flatten();
        Ok(runner.rewrite(edits).unsafe_if(is_refused))
    }

    /// The call around this one that takes all that it gives before it returns.
    pub(super) fn consumer(&self) -> Option<Site<'_, 'a>> {
        let arguments = self.site.outer()?;
        if !matches!(arguments.node, AnyNodeRef::Arguments(_)) {
            return None;
        }
        let site = arguments.outer()?;
        let AnyNodeRef::ExprCall(call) = site.node else {
            return None;
        };
        self.file
            .semantics
            .qualified_name(&call.func)
            .is_some_and(|path| is_consumer(&path))
            .then_some(site)
    }

    /// `await asyncio.wrap_future(future)`
    fn wrapped(&self) -> Result<Rewrite, String> {
        let (file, call) = (self.file, self.call);
        let Expr::Attribute(callee) = &*call.func else {
            return Err("asyncfix has no rewrite for this call".to_owned());
        };
        if !call.arguments.is_empty() {
            return Err(
                "this call has a timeout; write `await asyncio.wait_for(asyncio.wrap_future(…), timeout)`"
                    .to_owned(),
            );
        }
        if !matches!(self.file.library(), None | Some(Library::Asyncio)) {
            return Err("only asyncio can await a `concurrent.futures.Future`".to_owned());
        }
        let receiver = parenthesized_range((&*callee.value).into(), callee.into(), file.tokens())
            .unwrap_or_else(|| callee.value.range());
        let behind = TextRange::new(receiver.end(), call.end());
        if file.comments.intersects(behind) {
            return Err(COMMENT.to_owned());
        }
        let imported =
            imports::import(file, "asyncio", "wrap_future", self.scope()?, call.start())?;
        let head = format!("{}(", imported.expression);
        let mut edits = file.await_edits(self.site, TextRange::empty(call.start()), &head);
        edits.insert(1, Edit::range_replacement(")".to_owned(), behind));
        Ok(
            Rewrite::safe(format!("Await `{}`", imported.expression), edits)
                .with_shared(imported.edit),
        )
    }
}

/// Whether a call is made of the result of another one that would go to a thread for the same rule: both can go at once.
fn holds_another<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    row: &Row,
) -> bool {
    parts_of(call).any(|inner| {
        called(file, site, inner, &row.code)
            .is_some_and(|called| called.row.kind == Kind::ToThread && !called.row.lazy)
    })
}
