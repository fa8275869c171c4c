//! Code that is written twice, for synchronous and asynchronous callers, by intention.

use ruff_python_ast::AnyNodeRef;
use ruff_text_size::{Ranged, TextRange};

use crate::file::File;
use crate::site::Site;

/// Words in a condition that say which kind of function or caller a branch is for.
const CONDITIONS: [&str; 6] = [
    "iscoroutine",
    "isawaitable",
    "is_coroutine",
    "_IS_SYNC",
    "_IS_ASYNC",
    "IS_ASYNC",
];

/// Whether `site` stands in a branch for one kind of caller: `if _IS_SYNC:`, `if True:  # ASYNC`
/// (both as unasync and its like use them), or a branch on whether a function is a coroutine
/// function. Judged by names, because being wrong here only means to hold back.
pub fn has_twin(file: &File<'_, '_>, site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function().any(|(node, _)| {
        let AnyNodeRef::StmtIf(statement) = node else {
            return false;
        };
        let header_end = statement
            .body
            .first()
            .map_or(statement.end(), Ranged::start);
        let header = TextRange::new(statement.start(), header_end);
        let test = file.text(&*statement.test);
        CONDITIONS.iter().any(|word| test.contains(word))
            || file
                .comments
                .comments_in_range(header)
                .iter()
                .any(|comment| file.text(comment).trim_start_matches(['#', ' ']) == "ASYNC")
    })
}
