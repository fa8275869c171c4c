//! AF301 unhandled-cancellation: an endless loop that is cancelled without a word.

use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::loops;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::settings::EndlessLoops;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::{awaits, yields};
use asyncfix_syntax::site::{Owner, Place, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, NodeKind, PythonVersion};
use ruff_source_file::UniversalNewlines;
use ruff_text_size::{Ranged, TextRange};

use super::callers::Callers;
use super::logged::Loggers;
use super::{handled, handlers, left_open, normal_end};
use crate::codemod::Codemod;
use crate::edit::imports;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF301.
pub struct UnhandledCancellation;

static RULE: Rule = Rule {
    code: "AF301",
    name: "unhandled-cancellation",
    finds: "an endless loop without clean-up on cancellation",
    pitfall: "not handling cancellation",
    page: include_str!("AF301.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

/// Functions whose iterators have no end.
const COUNTERS: &[&str] = &["itertools.count"];

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
            AnyNodeRef::StmtWhile(statement) if loops::is_endless(&statement.test) => {
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
        // Whether it awaits, and what handles a cancellation, other rules may change first.
        Candidate::when(handlers::may_be_asynchronous(site) && !loops::leaves_loop(body))
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        if !matches!(file.library(), None | Some(Library::Asyncio)) {
            return None;
        }
        let Owner::Function(function) = file.surroundings(site).owner else {
            return None;
        };
        let (header_end, body) = match site.node {
            AnyNodeRef::StmtWhile(statement) => (statement.test.end(), &statement.body),
            AnyNodeRef::StmtFor(statement) => {
                let Expr::Call(call) = &*statement.iter else {
                    return None;
                };
                if !file.semantics.means(&call.func, COUNTERS) {
                    return None;
                }
                (statement.iter.end(), &statement.body)
            }
            _ => return None,
        };
        if !awaits(body)
            || !function.is_async
            || yields(function)
            || handled::is_handled_around(file, site)
            || handled::is_handled_inside(file, body)
        {
            return None;
        }
        if file.is_test_code(Owner::Function(function)) {
            return None;
        }
        let class = site.class();
        let endless = Endless {
            file,
            function,
            class,
            place: site.place()?,
            closing: left_open::closing(file, site, function),
        };
        let is_held = !endless.closing.is_empty();
        if !is_held && normal_end::is_said(file, function, header_end) {
            return None;
        }
        // What a `with` around the loop opened, it closes.
        if !is_held && handled::is_managed(file, site) {
            return None;
        }
        let callers = Callers::of(file, function, class);
        // Tasks of a program's own parts are cancelled all the time, and a line for each is a matter of taste
        // where they hold nothing. A script speaks to the people who run it.
        let is_matter_of_taste = match file.settings.cancellation_endless {
            EndlessLoops::Held if !is_held => return None,
            EndlessLoops::Always | EndlessLoops::Held => None,
            EndlessLoops::Auto => {
                let is_quiet = !is_held && file.settings.cancellation_cleanup.is_none();
                let by_owner = || {
                    !file.starts_program()
                        && class.is_some_and(|class| callers.are_cancelled_by(file, class))
                };
                match is_quiet {
                    true if file.is_in_package() => Some(
                        "nothing is left open here, and a line for each cancelled task may be unwanted in a package",
                    ),
                    true if endless.would_indent() > MOST_LINES => Some(
                        "nothing is left open here, and the whole loop would be indented for a line that only says so",
                    ),
                    true if by_owner() => Some(
                        "nothing is left open here, and the class cancels this task whenever it stops",
                    ),
                    _ => None,
                }
            }
        };
        if callers.watch_its_end() {
            return None;
        }
        let is_caught = (!file.targets(PythonVersion::PY38)
            && handled::is_caught_as_error(file, body))
        .then_some(
            "before Python 3.8, `except Exception` in the loop catches the cancellation first",
        );
        let remedy = endless
            .rewrite()
            .map(|rewrite| rewrite.unsafe_if(is_matter_of_taste).unsafe_if(is_caught));
        let remedy = match remedy {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason),
        };
        Some(Finding::new(
            &RULE,
            TextRange::new(site.node.start(), header_end),
            "this endless loop has no clean-up for when its task is cancelled".to_owned(),
            remedy,
        ))
    }
}

/// A loop of more lines than this is not indented for a message alone.
const MOST_LINES: usize = 20;

/// An endless loop that nothing watches.
struct Endless<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    /// The class around, where the function is a method.
    class: Option<&'a ast::StmtClassDef>,
    place: Place<'a>,
    /// The lines that close what the function leaves open.
    closing: Vec<String>,
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
            .ok_or("asyncfix can't find the scope of this code")?;
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
                .ok_or("the loop shares its line with another statement")?;
            body.insert(0, format!("{header}:"));
            (block.wrap("try:", &body)?, Some(block.range()))
        };
        let mut rewrite = Rewrite::safe("Add a clean-up for `CancelledError`", edits)
            .with_shared(cancelled.edit)
            .unsafe_if(reason);
        rewrite.moves = moves;
        Ok(rewrite)
    }

    /// How many lines the rewrite indents.
    fn would_indent(&self) -> usize {
        if self.first_clause_around().is_some() {
            return 0;
        }
        let whole = self.place.statement.range();
        let text = self.file.source.get(whole.to_std_range());
        text.map_or(0, |text| text.universal_newlines().count())
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
        if !self.closing.is_empty() {
            return Ok((self.closing.clone(), None));
        }
        let quote = file.stylist.quote();
        let name = &self.function.name;
        let loggers = Loggers {
            file,
            function: self.function,
            class: self.class,
        };
        if let Some(logger) = loggers.find() {
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
            return Err("`print` is redefined in this scope".to_owned());
        }
        let mut output = Output {
            file,
            writes: false,
        };
        output.visit_body(file.body());
        let reason = output.writes.then_some(
            "this module writes its results to stdout, and the new line would be mixed in",
        );
        Ok((vec![format!("print({quote}Cleaning up...{quote})")], reason))
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
