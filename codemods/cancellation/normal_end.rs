//! Whether the author says of a function that to be cancelled is how it ends: "cancels this task below", "runs until
//! it is cancelled".

use asyncfix_analysis::answers::intent;
use ruff_python_ast as ast;
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::file::File;

/// What it is that is cancelled.
const ITSELF: &[&str] = &[
    "coroutine",
    "daemon",
    "it",
    "job",
    "loop",
    "task",
    "this",
    "us",
    "watcher",
    "we",
    "worker",
];

/// What may stand between "until" and "cancelled", beside that.
const BETWEEN: &[&str] = &[
    "be", "being", "e", "gets", "i", "is", "it's", "or", "stopped", "the", "was",
];

/// What is said of an exception that is counted on.
const COUNTED_ON: &[&str] = &[
    "propagates",
    "raised",
    "raises",
    "relies",
    "rely",
    "stops",
    "ends",
];

const NEGATIONS: &[&str] = &["cannot", "never", "no", "not", "without"];

/// How far apart the words may be.
const REACH: usize = 4;

/// Whether a comment above the function or in it, down to `end`, or its docstring says so.
pub(super) fn is_said(file: &File<'_, '_>, function: &ast::StmtFunctionDef, end: TextSize) -> bool {
    let above = intent::comment_above(file, file.source.line_start(function.start()));
    let inside = TextRange::new(function.name.end(), file.source.line_end(end));
    let comments: Vec<&str> = file
        .comments
        .comments_in_range(inside)
        .iter()
        .map(|comment| file.text(comment).trim_start_matches('#'))
        .collect();
    let texts = [
        above.map(|(text, _)| text),
        intent::docstring(function),
        Some(comments.join(" ")),
    ];
    texts.iter().flatten().any(|text| says_so(text))
}

fn says_so(text: &str) -> bool {
    let words = intent::words(text);
    let is_left_to_do = intent::is_left_to_do(&words);
    !is_left_to_do && (0..words.len()).any(|at| is_said_at(&words, at))
}

fn is_said_at(words: &[String], at: usize) -> bool {
    let is = |word: &String, all: &[&str]| all.contains(&word.as_str());
    let before = words.get(at.saturating_sub(REACH)..at).unwrap_or_default();
    let behind = words.get(at + 1..).unwrap_or_default();
    let behind = behind.get(..REACH.min(behind.len())).unwrap_or_default();
    let is_negated = before
        .iter()
        .any(|word| word.ends_with("n't") || is(word, NEGATIONS));
    if is_negated {
        return false;
    }
    match words.get(at).map_or("", String::as_str) {
        "cancel" | "cancels" | "cancelling" | "canceling" => matches!(behind, [first, second, ..]
            if is(first, &["this", "the"]) && is(second, ITSELF)),
        "cancelled" | "canceled" => {
            let until = before.iter().rposition(|word| word == "until");
            let up_to = until.and_then(|until| before.get(until + 1..));
            let is_until = up_to.is_some_and(|between| {
                between
                    .iter()
                    .all(|word| is(word, ITSELF) || is(word, BETWEEN))
            });
            is_until
                || matches!(before, [.., subject, verb]
                    if is(subject, ITSELF) && is(verb, &["gets", "is", "be", "are"]))
        }
        "cancellederror" => before.iter().chain(behind).any(|word| is(word, COUNTED_ON)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::says_so;

    #[test]
    fn what_is_cancelled_in_the_end_says_so() {
        for text in [
            "user_state out of \"away\", which cancels this task below.",
            "they can rely on `asyncio.CancelledError` raised.",
            "This daemon runs forever (until stopped, i.e. cancelled).",
            "Runs until cancelled",
            "this loop is cancelled on shutdown",
        ] {
            assert!(says_so(text), "{text}");
        }
    }

    #[test]
    fn what_speaks_of_other_cancellations_does_not() {
        for text in [
            "Cancel old orders every minute",
            "wait until the order is cancelled",
            "TODO: cancel this task on shutdown",
            "this task is never cancelled",
            "does not handle CancelledError yet",
            "a cancelled booking is skipped",
        ] {
            assert!(!says_so(text), "{text}");
        }
    }
}
