//! Pitfall 2: calls that block the event loop.
//!
//! The calls are rows of one table, `knowledge/data/blocking.toml`; each rule reports the rows with its code.

mod acted;
mod alone;
mod asked;
mod awaiting;
mod block;
pub mod call;
mod checked;
mod commands;
mod databases;
mod doubts;
mod either;
mod exchanges;
mod file_uses;
pub(crate) mod files;
mod folders;
mod gap;
mod given;
mod half_made;
mod handles;
pub mod helper;
mod helper_files;
mod listings;
mod locals;
mod lost;
mod objects;
mod outlined;
mod paths;
mod patterns;
mod process_state;
mod rewrite;
pub(crate) mod series;
mod shared_state;
pub(crate) mod state;
mod taken_away;
mod thread;
mod through;
mod typed;
mod variables;
mod worked_on;

use asyncfix_analysis::answers::intent::Deed;

use crate::blocking::call::BlockingCall;
use crate::rule::{Rule, Stability};

const PITFALL: &str = "blocking the event loop";

/// The codemod of AF201: `time.sleep` in a coroutine stops every other task of the loop.
pub static SLEEP: BlockingCall = BlockingCall {
    rule: &Rule {
        code: "AF201",
        name: "blocking-sleep",
        finds: "`time.sleep` in async code",
        pitfall: PITFALL,
        page: include_str!("AF201.md"),
        default: true,
        stability: Stability::Stable,
        equivalents: &["ASYNC251", "ASYNC101", "blocking-sleep-in-async-function"],
    },
    held_locks: false,
    is_silent_in_tests: false,
    may_be_alone: false,
    deed: Deed::Sleep,
};

/// The codemod of AF202: requests, and whatever else waits for another machine.
pub static HTTP: BlockingCall = BlockingCall {
    rule: &Rule {
        code: "AF202",
        name: "blocking-http",
        finds: "a blocking HTTP or network call in async code",
        pitfall: PITFALL,
        page: include_str!("AF202.md"),
        default: true,
        stability: Stability::Stable,
        equivalents: &[
            "ASYNC210",
            "ASYNC211",
            "ASYNC212",
            "ASYNC100",
            "blocking-http-call-in-async-function",
            "blocking-http-call-httpx-in-async-function",
        ],
    },
    held_locks: false,
    is_silent_in_tests: true,
    may_be_alone: false,
    deed: Deed::Block,
};

/// The codemod of AF203: waiting for another process.
pub static SUBPROCESS: BlockingCall = BlockingCall {
    rule: &Rule {
        code: "AF203",
        name: "blocking-subprocess",
        finds: "a blocking subprocess call in async code",
        pitfall: PITFALL,
        page: include_str!("AF203.md"),
        default: true,
        stability: Stability::Stable,
        equivalents: &[
            "ASYNC220",
            "ASYNC221",
            "ASYNC222",
            "ASYNC101",
            "ASYNC102",
            "create-subprocess-in-async-function",
            "run-process-in-async-function",
            "wait-for-process-in-async-function",
        ],
    },
    held_locks: false,
    is_silent_in_tests: true,
    may_be_alone: false,
    deed: Deed::Block,
};

/// The codemod of AF204: reading and writing files.
pub static FILE_IO: BlockingCall = BlockingCall {
    rule: &Rule {
        code: "AF204",
        name: "blocking-file-io",
        finds: "file access in async code",
        pitfall: PITFALL,
        page: include_str!("AF204.md"),
        default: true,
        stability: Stability::Stable,
        equivalents: &[
            "ASYNC230",
            "ASYNC231",
            "ASYNC232",
            "ASYNC240",
            "ASYNC101",
            "blocking-open-call-in-async-function",
            "blocking-path-method-in-async-function",
        ],
    },
    held_locks: false,
    is_silent_in_tests: true,
    may_be_alone: false,
    deed: Deed::Block,
};

/// The codemod of AF205: waiting for somebody to type something.
pub static INPUT: BlockingCall = BlockingCall {
    rule: &Rule {
        code: "AF205",
        name: "blocking-input",
        finds: "`input()` in async code",
        pitfall: PITFALL,
        page: include_str!("AF205.md"),
        default: true,
        stability: Stability::Stable,
        equivalents: &["ASYNC250", "blocking-input-in-async-function"],
    },
    held_locks: false,
    is_silent_in_tests: true,
    may_be_alone: true,
    deed: Deed::Block,
};

/// The codemod of AF207: waiting for other threads and processes, and servers that run for ever.
pub static WAIT: BlockingCall = BlockingCall {
    rule: &Rule {
        code: "AF207",
        name: "blocking-wait",
        finds: "a blocking wait (lock, queue, thread, future) in async code",
        pitfall: PITFALL,
        page: include_str!("AF207.md"),
        default: true,
        stability: Stability::Stable,
        equivalents: &[],
    },
    held_locks: true,
    is_silent_in_tests: true,
    may_be_alone: false,
    deed: Deed::Block,
};

/// The codemod of AF208: single calls of the system about a path.
pub static PATH_CALL: BlockingCall = BlockingCall {
    rule: &Rule {
        code: "AF208",
        name: "blocking-path-call",
        finds: "a file-system check in async code",
        pitfall: PITFALL,
        page: include_str!("AF208.md"),
        default: false,
        stability: Stability::Stable,
        equivalents: &[
            "ASYNC240",
            "ASYNC101",
            "blocking-path-method-in-async-function",
        ],
    },
    held_locks: false,
    is_silent_in_tests: true,
    may_be_alone: false,
    deed: Deed::Block,
};

/// The codemod of AF209: drivers of databases.
pub static DATABASE: BlockingCall = BlockingCall {
    rule: &Rule {
        code: "AF209",
        name: "blocking-database",
        finds: "a blocking database call in async code",
        pitfall: PITFALL,
        page: include_str!("AF209.md"),
        default: true,
        stability: Stability::Stable,
        equivalents: &[],
    },
    held_locks: false,
    is_silent_in_tests: true,
    may_be_alone: false,
    deed: Deed::Block,
};

/// The rule of ruff that reports a call of `name`, which belongs to the rule `code`, in a coroutine function.
fn code_in_ruff(code: &str, name: &str) -> Option<&'static str> {
    let is_path = name.starts_with("pathlib.") || name.starts_with("os.path.");
    let last = name.rsplit('.').next().unwrap_or_default();
    Some(match code {
        "AF201" => "ASYNC251",
        "AF202" => "ASYNC210",
        "AF203" if last == "Popen" => "ASYNC220",
        "AF203" if last.starts_with("wait") => "ASYNC222",
        "AF203" => "ASYNC221",
        "AF204" if last == "open" => "ASYNC230",
        "AF204" | "AF208" if is_path => "ASYNC240",
        "AF205" => "ASYNC250",
        _ => return None,
    })
}

/// The rules that rows of the table may belong to.
pub static CODES: [&Rule; 8] = [
    SLEEP.rule,
    HTTP.rule,
    SUBPROCESS.rule,
    FILE_IO.rule,
    INPUT.rule,
    WAIT.rule,
    PATH_CALL.rule,
    DATABASE.rule,
];
