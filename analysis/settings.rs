//! The options that change what codemods look for and write.

use std::num::NonZeroU32;
use std::sync::Arc;

use asyncfix_knowledge::blocking::Table;
use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_python_parser::parse_module;
use rustc_hash::FxHashMap;

/// How many exceptions of a `gather` may pass unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GatherGuard {
    /// The guard is written where no code in sight looks at the results for exceptions.
    #[default]
    Auto,
    /// The guard is written after every rewritten call whose results are not checked by the code.
    Always,
    /// Only the argument is written; exceptions stay in the list of results.
    Never,
}

/// What becomes of a task nobody keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskStrategy {
    /// By place: awaited in an entry point, given to the task group around it, else kept in a set.
    #[default]
    Auto,
    /// Awaited at the end of the function wherever that is possible, else kept in a set.
    Await,
    /// Always kept in a set.
    Set,
}

/// Which endless loops get a clean-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndlessLoops {
    /// All; in a package, where nothing is left open, the rewrite is unsafe.
    #[default]
    Auto,
    /// All, safely.
    Always,
    /// Those whose function leaves something open.
    Held,
}

/// Checks a value of `cancellation.cleanup`. `Err` says what was expected.
pub fn check_cleanup(text: &str) -> Result<(), &'static str> {
    const EXPECTED: &str =
        "expected a single line of Python that is valid inside `async def` and does not leave it";
    let function = format!("async def cleanup():\n    {text}\n");
    let module = parse_module(&function).map_err(|_| EXPECTED)?;
    // What leaves the handler keeps it from raising the cancellation again.
    let leaves = |statement: &Stmt| match statement {
        Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::Pass(_) => {
            true
        }
        Stmt::Expr(inner) => any_over_expr(&inner.value, |expr| {
            matches!(expr, Expr::Yield(_) | Expr::YieldFrom(_))
        }),
        _ => false,
    };
    match module.syntax().body.as_slice() {
        [Stmt::FunctionDef(function)]
            if !text.contains(['\n', '\r']) && !function.body.iter().any(leaves) =>
        {
            Ok(())
        }
        _ => Err(EXPECTED),
    }
}

/// What the script of a package (`setup.py`) says about the versions of Python that it runs on: the text of
/// `python_requires`, where that is a string, or a name that is assigned one. `None` where it says nothing, or it
/// does not parse.
pub fn python_requires(script: &str) -> Option<String> {
    struct Search<'a> {
        given: Option<&'a Expr>,
        texts: FxHashMap<&'a str, &'a Expr>,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::Keyword(keyword)
                    if keyword.arg.as_deref() == Some("python_requires") =>
                {
                    self.given = Some(&keyword.value);
                }
                AnyNodeRef::StmtAssign(assignment) => {
                    if let [Expr::Name(name)] = assignment.targets.as_slice() {
                        self.texts.insert(&name.id, &assignment.value);
                    }
                }
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let module = parse_module(script).ok()?;
    let mut search = Search {
        given: None,
        texts: FxHashMap::default(),
    };
    search.visit_body(&module.syntax().body);
    let given = match search.given? {
        Expr::Name(name) => search.texts.get(name.id.as_str())?,
        given => given,
    };
    Some(given.as_string_literal_expr()?.value.to_str().to_owned())
}

/// Which versions of a distribution a project takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest major version.
    pub oldest: u64,
    /// The newest major version.
    pub newest: u64,
}

/// The options of all codemods, for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct Settings {
    /// The oldest Python the code must run on.
    pub target_version: PythonVersion,
    /// The versions that the project asks for, by the normalized names of distributions.
    pub requirements: Arc<FxHashMap<String, Versions>>,
    /// `gather.guard`
    pub gather_guard: GatherGuard,
    /// `tasks.strategy`
    pub task_strategy: TaskStrategy,
    /// `cancellation.cleanup`
    pub cancellation_cleanup: Option<String>,
    /// `cancellation.endless`
    pub cancellation_endless: EndlessLoops,
    /// `concurrency.limit`
    pub concurrency_limit: NonZeroU32,
    /// The calls that block: the tool's own table, with what `blocking` says.
    pub blocking: Arc<Table>,
    /// Whether blocking calls in tests are reported.
    pub blocking_in_tests: bool,
    /// `concurrency.tests`: whether AF501 looks at the code of tests.
    pub concurrency_in_tests: bool,
    /// Whether the project's type checker asks for annotations on every function.
    pub asks_for_annotations: bool,
    /// Whether the project has a type checker at all.
    pub is_type_checked: bool,
    /// Whether a type checker of the project takes a function with several signatures for all of them at once where it is
    /// passed on.
    pub loses_signatures: bool,
    /// Whether the project's tests may be coroutine functions without a mark.
    pub awaits_tests: bool,
    /// How long the project's formatter lets a line become.
    pub line_length: u16,
    /// How many blank lines the project wants behind the imports, where it says so.
    pub lines_after_imports: Option<u8>,
}

/// How many coroutines of one kind may run at once where nothing else is said.
const LIMIT: NonZeroU32 = match NonZeroU32::new(100) {
    Some(limit) => limit,
    None => NonZeroU32::MIN,
};

impl Default for Settings {
    fn default() -> Self {
        Self {
            target_version: PythonVersion::PY310,
            requirements: Arc::default(),
            gather_guard: GatherGuard::default(),
            task_strategy: TaskStrategy::default(),
            cancellation_cleanup: None,
            cancellation_endless: EndlessLoops::default(),
            concurrency_limit: LIMIT,
            blocking: Table::builtin(),
            blocking_in_tests: false,
            concurrency_in_tests: false,
            asks_for_annotations: false,
            is_type_checked: false,
            loses_signatures: false,
            awaits_tests: false,
            line_length: 88,
            lines_after_imports: None,
        }
    }
}
