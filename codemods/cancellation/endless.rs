//! AF301 unhandled-cancellation: an endless loop that is cancelled without a word.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, ExprContext, NodeKind, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashSet;
use ty_python_core::scope::FileScopeId;

use super::callers::Callers;
use super::handlers::{self, own_code};
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::outline::yields;
use crate::project::Library;
use crate::rule::Rule;
use crate::semantics::instance_values;
use crate::site::{Owner, Place, Site};
use crate::spelling::Hints;
use crate::support::resources::{Resource, opened};
use crate::support::{coroutines, imports};
use crate::{Candidate, Codemod};

/// The codemod of AF301.
pub struct UnhandledCancellation;

static RULE: Rule = Rule {
    code: "AF301",
    name: "unhandled-cancellation",
    pitfall: "not handling cancellation",
    page: include_str!("AF301.md"),
    default: true,
    equivalents: &[],
};

/// Functions whose iterators have no end.
const COUNTERS: &[&str] = &["itertools.count"];

/// Functions that answer with a logger.
const LOGGERS: &[&str] = &["logging.getLogger", "structlog.get_logger"];

/// Functions whose result has a plain `close()`.
const PLAIN_OPENERS: &[&str] = &[
    "builtins.open",
    "io.open",
    "socket.socket",
    "socket.create_connection",
    "sqlite3.connect",
];

impl Codemod for UnhandledCancellation {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["while True", "while 1", "while(", "while (", "count("]
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::StmtWhile, NodeKind::StmtFor]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let body = match site.node {
            AnyNodeRef::StmtWhile(statement) if coroutines::is_endless(&statement.test) => {
                &statement.body
            }
            AnyNodeRef::StmtFor(statement)
                if matches!(&*statement.iter, Expr::Call(call)
                    if spellings.allow(&call.func, COUNTERS)) =>
            {
                &statement.body
            }
            _ => return Candidate::No,
        };
        Candidate::when(
            !coroutines::leaves_loop(body) && handlers::awaits(body) && is_unhandled(site, body),
        )
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        if !matches!(file.library(), None | Some(Library::Asyncio)) {
            return None;
        }
        let Owner::Function(function) = file.surroundings(site).owner else {
            return None;
        };
        let header_end = match site.node {
            AnyNodeRef::StmtWhile(statement) => statement.test.end(),
            AnyNodeRef::StmtFor(statement) => {
                let Expr::Call(call) = &*statement.iter else {
                    return None;
                };
                if !file.semantics.means(&call.func, COUNTERS) {
                    return None;
                }
                statement.iter.end()
            }
            _ => return None,
        };
        if file.is_test_code(Owner::Function(function)) {
            return None;
        }
        let endless = Endless {
            file,
            function,
            class: site.class(),
            place: site.place()?,
        };
        // Tasks of a program's own parts are cancelled all the time, and nothing is lost where they hold
        // nothing. A script speaks to the people who run it.
        let has_to_clean_up = !file.is_in_package()
            || file.settings.cancellation_cleanup.is_some()
            || !endless.closing().is_empty();
        if !has_to_clean_up || Callers::of(file, function, endless.class).watch_its_end() {
            return None;
        }
        let remedy = match endless.rewrite() {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason),
        };
        Some(Finding {
            rule: &RULE,
            range: TextRange::new(site.node.start(), header_end),
            message: "this loop ends only when its task is cancelled, and nothing cleans up then"
                .to_owned(),
            remedy,
        })
    }
}

/// Whether nothing around an endless loop, or in it around what it awaits, sees a cancellation.
fn is_unhandled(site: &Site<'_, '_>, body: &[Stmt]) -> bool {
    let Some(function) = site
        .ancestors
        .iter()
        .rev()
        .find_map(|ancestor| ancestor.as_stmt_function_def())
    else {
        return false;
    };
    if !function.is_async {
        return false;
    }
    let handled_around = site
        .enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::StmtTry(statement) => {
                !statement.finalbody.is_empty() && !is_in(&statement.finalbody, child)
                    || is_in(&statement.body, child)
                        && (sees_cancellation(statement) || waits_for_error(statement))
            }
            AnyNodeRef::StmtWith(_) => true,
            // The loop around this one is where the finding stands.
            AnyNodeRef::StmtWhile(outer) => {
                coroutines::is_endless(&outer.test) && !coroutines::leaves_loop(&outer.body)
            }
            _ => false,
        });
    let mut inside = Handled(false);
    inside.visit_body(body);
    let mut raises = Raises(false);
    raises.visit_body(body);
    !handled_around && !inside.0 && !raises.0 && !yields(function)
}

fn is_in(suite: &[Stmt], node: AnyNodeRef<'_>) -> bool {
    suite
        .iter()
        .any(|statement| statement.range().contains_range(node.range()))
}

/// Whether a clause of the statement catches cancellations, by its spelling: being wrong means to
/// hold back.
fn sees_cancellation(statement: &ast::StmtTry) -> bool {
    statement.handlers.iter().any(|handler| {
        let ExceptHandler::ExceptHandler(handler) = handler;
        handler.type_.as_deref().is_none_or(|kind| {
            handlers::members(kind).iter().any(|kind| {
                let name = match kind {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(attribute) => attribute.attr.as_str(),
                    // `get_cancelled_exc_class()`, or a tuple kept elsewhere.
                    _ => return true,
                };
                name.contains("Cancel") || name == "BaseException"
            })
        })
    })
}

/// Whether a clause of the statement is for certain errors: then one of them ends the loop.
fn waits_for_error(statement: &ast::StmtTry) -> bool {
    statement.handlers.iter().any(|handler| {
        let ExceptHandler::ExceptHandler(handler) = handler;
        is_for_certain_errors(handler)
    })
}

fn is_for_certain_errors(handler: &ast::ExceptHandlerExceptHandler) -> bool {
    !matches!(handler.type_.as_deref(), Some(Expr::Name(name)) if name.id == "Exception")
}

/// Looks for a `raise` of a loop that is a way out: one of its own, or of a certain error it has
/// caught.
struct Raises(bool);

impl<'a> SourceOrderVisitor<'a> for Raises {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.0 |= node.is_stmt_raise();
        match node {
            AnyNodeRef::ExceptHandlerExceptHandler(handler) if !is_for_certain_errors(handler) => {
                TraversalSignal::Skip
            }
            _ => own_code(node),
        }
    }
}

/// Looks for a `try` around an `await` that does something on cancellation.
struct Handled(bool);

impl<'a> SourceOrderVisitor<'a> for Handled {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::StmtTry(statement) = node {
            self.0 |= (!statement.finalbody.is_empty() || sees_cancellation(statement))
                && handlers::awaits(&statement.body);
        }
        own_code(node)
    }
}

/// An endless loop that nothing watches.
struct Endless<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    /// The class around, where the function is a method.
    class: Option<&'a ast::StmtClassDef>,
    place: Place<'a>,
}

impl Endless<'_, '_, '_> {
    fn rewrite(&self) -> Result<Rewrite, String> {
        let file = self.file;
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let scope = file
            .semantics
            .function_scope(self.function)
            .ok_or("the scope is not known")?;
        let cancelled =
            imports::import(file, "asyncio", "CancelledError", scope, statement.start())?;
        let unit = file.indent_unit();
        let (cleanup, reason) = self.cleanup()?;
        let header = format!("except {}", cancelled.expression);
        let mut body: Vec<String> = cleanup.iter().map(|line| format!("{unit}{line}")).collect();
        body.push(format!("{unit}raise"));
        let (edits, moves) = if let Some(clause) = self.first_clause_around() {
            let indent = file.indentation_at(clause.start());
            let newline = file.newline();
            let body: String = body
                .iter()
                .flat_map(|line| [indent, line.as_str(), newline])
                .collect();
            let edit = handlers::clause_before(file, clause, &header, &body);
            (vec![edit], None)
        } else {
            let block = file
                .lines()
                .block(suite, parent, index..index + 1)
                .ok_or("the loop is not a statement of its own")?;
            body.insert(0, format!("{header}:"));
            (block.wrap("try:", &body)?, Some(block.range()))
        };
        let mut rewrite = Rewrite::safe("Clean up when the loop is cancelled", edits)
            .with_shared(cancelled.edit)
            .unsafe_if(reason);
        rewrite.moves = moves;
        Ok(rewrite)
    }

    /// The first clause of a `try` that holds nothing but the loop: one more clause is all it takes.
    fn first_clause_around(&self) -> Option<&ast::ExceptHandlerExceptHandler> {
        match self.place.parent {
            Some(AnyNodeRef::StmtTry(statement))
                if self.place.suite.len() == 1
                    && !statement.is_star
                    && self.place.suite.as_ptr() == statement.body.as_ptr() =>
            {
                let ExceptHandler::ExceptHandler(handler) = statement.handlers.first()?;
                Some(handler)
            }
            _ => None,
        }
    }

    /// The lines of the clean-up, and why they are unsafe if they are.
    fn cleanup(&self) -> Result<(Vec<String>, Option<&'static str>), String> {
        let file = self.file;
        if let Some(cleanup) = &file.settings.cancellation_cleanup {
            return Ok((vec![cleanup.clone()], None));
        }
        let closing = self.closing();
        if !closing.is_empty() {
            return Ok((closing, None));
        }
        let quote = file.stylist.quote();
        let name = &self.function.name;
        if let Some(logger) = self.logger().or_else(|| self.own_logger()) {
            return Ok((
                vec![format!(
                    "{logger}.info({quote}{name} cancelled, cleaning up{quote})"
                )],
                None,
            ));
        }
        let is_builtin = file
            .semantics
            .function_scope(self.function)
            .and_then(|scope| file.semantics.lookup("print", scope))
            .is_some_and(|definitions| definitions.is_empty());
        if !is_builtin {
            return Err("`print` is another name here".to_owned());
        }
        let mut output = Output {
            file,
            writes: false,
        };
        output.visit_body(file.body());
        let reason = output.writes.then_some(
            "this module writes to the standard output, where the new line would appear",
        );
        Ok((vec![format!("print({quote}Cleaning up...{quote})")], reason))
    }

    /// The statements that close what the function opens before the loop and closes nowhere.
    fn closing(&self) -> Vec<String> {
        let before = self.place.suite.iter().take(self.place.index);
        let mut closing: Vec<String> = before
            .filter_map(|statement| {
                let Stmt::Assign(assign) = statement else {
                    return None;
                };
                let [target] = assign.targets.as_slice() else {
                    return None;
                };
                let (call, awaited) = match &*assign.value {
                    Expr::Await(awaited) => (awaited.value.as_call_expr()?, true),
                    other => (other.as_call_expr()?, false),
                };
                let row = opened(self.file, call, awaited).into_iter().next();
                let name = match (target, row.and_then(Resource::place_in_tuple)) {
                    (Expr::Name(name), None) => name,
                    (Expr::Tuple(tuple), Some(index)) => tuple.elts.get(index)?.as_name_expr()?,
                    _ => return None,
                };
                let close = match row {
                    Some(row) => row.closing(&name.id)?,
                    None if self.file.semantics.means(&call.func, PLAIN_OPENERS) => {
                        format!("{}.close()", name.id)
                    }
                    None => return None,
                };
                self.is_owned(name).then_some(close)
            })
            .collect();
        // What was opened last goes first.
        closing.reverse();
        closing
    }

    /// Whether a variable is the function's alone, and closed nowhere: bound once, and then only
    /// its attributes are used, or it is lent to a call that is awaited.
    fn is_owned(&self, name: &ast::ExprName) -> bool {
        let mut uses = OwnUses {
            name: &name.id,
            stored: 0,
            lent: FxHashSet::default(),
            is_given_away: false,
        };
        uses.visit_body(&self.function.body);
        uses.stored == 1 && !uses.is_given_away
    }

    /// The logger that the class around keeps in an attribute, as `self.logger`.
    fn own_logger(&self) -> Option<String> {
        let class = self.class?;
        let receiver = self.function.parameters.iter_non_variadic_params().next()?;
        let is_logger = |value: &Expr| {
            matches!(value, Expr::Call(call)
                if self.file.semantics.means(&call.func, LOGGERS))
        };
        let attribute = class
            .body
            .iter()
            .filter_map(Stmt::as_function_def_stmt)
            .flat_map(|method| &method.body)
            .filter_map(Stmt::as_assign_stmt)
            .filter(|assign| is_logger(&assign.value))
            .find_map(|assign| match assign.targets.as_slice() {
                [Expr::Attribute(target)] if target.value.is_name_expr() => Some(&target.attr),
                _ => None,
            })?;
        instance_values(class, attribute)
            .into_iter()
            .all(is_logger)
            .then(|| format!("{}.{attribute}", receiver.name()))
    }

    /// The module's own logger, by its name.
    fn logger(&self) -> Option<String> {
        let file = self.file;
        let scope = file.semantics.function_scope(self.function)?;
        let bound = file.body().iter().find_map(|statement| match statement {
            Stmt::Assign(assign) => match (assign.targets.as_slice(), &*assign.value) {
                ([Expr::Name(name)], Expr::Call(call))
                    if file.semantics.means(&call.func, LOGGERS) =>
                {
                    Some(name.id.as_str())
                }
                _ => None,
            },
            Stmt::AnnAssign(assign) => match (&*assign.target, assign.value.as_deref()) {
                (Expr::Name(name), Some(Expr::Call(call)))
                    if file.semantics.means(&call.func, LOGGERS) =>
                {
                    Some(name.id.as_str())
                }
                _ => None,
            },
            Stmt::ImportFrom(import) if import.module.as_deref() == Some("loguru") => import
                .names
                .iter()
                .find(|alias| alias.name.as_str() == "logger" && alias.asname.is_none())
                .map(|alias| alias.name.as_str()),
            _ => None,
        })?;
        // Seen from the function, the name is the module's.
        let module = file.semantics.lookup(bound, FileScopeId::global())?;
        (file.semantics.lookup(bound, scope)? == module).then(|| bound.to_owned())
    }
}

/// Looks for what becomes of a variable of a function.
struct OwnUses<'n> {
    name: &'n str,
    stored: usize,
    /// Where it is used and stays the function's: as an argument of a call that is awaited, or for
    /// an attribute of it.
    lent: FxHashSet<TextSize>,
    is_given_away: bool,
}

impl<'a> SourceOrderVisitor<'a> for OwnUses<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprAwait(awaited) => {
                if let Expr::Call(call) = &*awaited.value {
                    let arguments = call.arguments.iter_source_order();
                    self.lent
                        .extend(arguments.map(|argument| argument.value().start()));
                }
            }
            AnyNodeRef::ExprAttribute(attribute) => {
                if matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == self.name) {
                    self.lent.insert(attribute.value.start());
                    self.is_given_away |= attribute.attr.contains("close")
                        || attribute.attr.contains("shutdown")
                        || attribute.attr.contains("disconnect");
                }
            }
            AnyNodeRef::ExprName(name) if name.id.as_str() == self.name => match name.ctx {
                ExprContext::Store => self.stored += 1,
                ExprContext::Load => self.is_given_away |= !self.lent.contains(&name.start()),
                _ => self.is_given_away = true,
            },
            AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
            | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                self.is_given_away |= names.iter().any(|name| name.as_str() == self.name);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Looks for what a module writes for programs.
struct Output<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    /// It uses `sys.stdout`.
    writes: bool,
}

impl<'a> SourceOrderVisitor<'a> for Output<'_, '_, '_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        let semantics = &self.file.semantics;
        self.writes |= semantics.means(expr, &["sys.stdout"]);
        walk_expr(self, expr);
    }
}
