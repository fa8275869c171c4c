//! The options that change what codemods look for and write.

use std::num::NonZeroU32;
use std::sync::Arc;

use ruff_python_ast::{PythonVersion, Stmt};
use ruff_python_parser::parse_module;

use crate::support::blocking::Table;

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

/// Checks a value of `cancellation.cleanup`. `Err` says what was expected.
pub fn check_cleanup(text: &str) -> Result<(), &'static str> {
    const EXPECTED: &str = "expected one line of Python that can stand in a coroutine";
    let function = format!("async def cleanup():\n    {text}\n");
    let module = parse_module(&function).map_err(|_| EXPECTED)?;
    match module.syntax().body.as_slice() {
        [Stmt::FunctionDef(function)]
            if !text.contains(['\n', '\r'])
                && !matches!(function.body.as_slice(), [Stmt::Raise(_)]) =>
        {
            Ok(())
        }
        _ => Err(EXPECTED),
    }
}

/// The options of all codemods, for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The oldest Python the code must run on.
    pub target_version: PythonVersion,
    /// `gather.guard`
    pub gather_guard: GatherGuard,
    /// `tasks.strategy`
    pub task_strategy: TaskStrategy,
    /// `cancellation.cleanup`
    pub cancellation_cleanup: Option<String>,
    /// `concurrency.limit`
    pub concurrency_limit: NonZeroU32,
    /// The calls that block: the tool's own table, with what `blocking` says.
    pub blocking: Arc<Table>,
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
            gather_guard: GatherGuard::default(),
            task_strategy: TaskStrategy::default(),
            cancellation_cleanup: None,
            concurrency_limit: LIMIT,
            blocking: Table::builtin(),
        }
    }
}
