//! Whether an author says that it is all the same whether the event loop is kept waiting: "we don't care about asyncio
//! here", "it's fine to block", "no need for a thread".
//!
//! Each clause is judged by itself: a word for not caring has to stand near one for what is not cared about, and what
//! is meant by that one has to end there, or go on with the place or the time. "asyncio warnings" are not asyncio.

use super::intent::words;

/// With a negation before them, and what is meant behind them.
const CARE: &[&str] = &["bother", "care", "cares", "mind", "worry"];

/// With a negation before them, and what is meant on either side.
const MATTER: &[&str] = &["matter", "matters"];

/// The same, about what would have to be used.
const NEED: &[&str] = &["necessary", "need", "needed", "needs", "required"];

/// Without a negation before them, and what is meant on either side.
const ALLOWED: &[&str] = &[
    "acceptable",
    "alright",
    "fine",
    "harmless",
    "ok",
    "okay",
    "tolerable",
];

const NEGATIONS: &[&str] = &["avoid", "cannot", "never", "no", "nobody", "not", "without"];

/// How many words before another one may negate it.
const BEFORE: usize = 3;

/// How far behind a word for not caring what is meant may be, and how far before it.
const REACH: usize = 5;
const REACH_BACK: usize = 8;

/// What may come behind the word for what is meant, if anything does.
const BEHIND: &[&str] = &[
    "after", "any", "anymore", "are", "as", "at", "because", "does", "doesn't", "during", "for",
    "here", "in", "is", "isn't", "not", "now", "on", "once", "since", "there", "this", "when",
    "while", "won't",
];

/// What may be blocked, and what blocks.
const BLOCKED: &[&str] = &[
    "asyncio",
    "call",
    "calls",
    "code",
    "everything",
    "io",
    "loop",
    "others",
    "thread",
];

/// Whether a text says so.
pub(super) fn is_said(text: &str) -> bool {
    let ends = [',', ';', ':', '!', '?', '(', ')', '–', '—', '\n'];
    text.split(ends)
        .flat_map(|part| part.split(". "))
        .any(|clause| {
            let all = words(clause);
            all.split(|word| word == "but").any(is_said_by)
        })
}

fn is_said_by(clause: &[String]) -> bool {
    clause.iter().enumerate().any(|(at, word)| {
        let is_one_of = |words: &[&str]| words.contains(&word.as_str());
        let behind = || at + 1..at + 1 + REACH;
        let on_either_side = || (at.saturating_sub(REACH_BACK)..at).chain(behind());
        if is_one_of(CARE) {
            is_negated(clause, at)
                && behind().any(|at| means_loop(clause, at) || means_blocking(clause, at))
        } else if is_one_of(MATTER) {
            is_negated(clause, at)
                && on_either_side().any(|at| means_loop(clause, at) || means_blocking(clause, at))
        } else if is_one_of(NEED) {
            is_negated(clause, at)
                && on_either_side().any(|at| means_loop(clause, at) || means_thread(clause, at))
        } else {
            is_one_of(ALLOWED)
                && !is_negated(clause, at)
                && on_either_side().any(|at| means_blocking(clause, at) && !is_negated(clause, at))
        }
    })
}

fn word(clause: &[String], at: usize) -> &str {
    clause.get(at).map_or("", String::as_str)
}

fn is_negated(clause: &[String], at: usize) -> bool {
    let before = clause.get(at.saturating_sub(BEFORE)..at);
    let mut before = before.unwrap_or_default().iter();
    before.any(|word| word.ends_with("n't") || NEGATIONS.contains(&word.as_str()))
}

/// Whether nothing more belongs to what the word at `at` means.
fn ends(clause: &[String], at: usize) -> bool {
    clause
        .get(at + 1)
        .is_none_or(|next| BEHIND.contains(&next.as_str()))
}

/// asyncio and its loop.
fn means_loop(clause: &[String], at: usize) -> bool {
    let before = || at.checked_sub(1).map_or("", |before| word(clause, before));
    match word(clause, at) {
        "asyncio" => ends(clause, at),
        // `async for` is something else.
        "async" | "asynchronous" => ends(clause, at) && word(clause, at + 1) != "for",
        "loop" => matches!(before(), "asyncio" | "event" | "main" | "the") && ends(clause, at),
        _ => false,
    }
}

fn means_thread(clause: &[String], at: usize) -> bool {
    let before = || at.checked_sub(1).map_or("", |before| word(clause, before));
    match word(clause, at) {
        "threads" | "executor" => ends(clause, at),
        "thread" => matches!(before(), "a" | "another" | "own" | "to") && ends(clause, at),
        _ => false,
    }
}

fn means_blocking(clause: &[String], at: usize) -> bool {
    let goes_on = || {
        let behind = clause.get(at + 1..).unwrap_or_default().iter();
        behind
            .take(REACH)
            .any(|word| BLOCKED.contains(&word.as_str()))
    };
    match word(clause, at) {
        "block" | "blocks" | "blocking" => ends(clause, at) || goes_on(),
        "sync" | "synchronous" | "synchronously" => {
            ends(clause, at) || BLOCKED.contains(&word(clause, at + 1))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_said;

    #[test]
    fn who_does_not_care_says_so() {
        for text in [
            "We don't really care about asyncio at this point, as we are shutting down",
            "it's fine to block here, nothing else runs",
            "no need for asyncio here",
            "We don't care about blocking here",
            "We do not care about the event loop any more",
            "Blocking is fine here",
            "blocking the event loop for a moment is acceptable",
            "OK to be synchronous: this runs once",
            "Doesn't matter if this blocks",
            "asyncio isn't needed here",
            "don't bother with asyncio here",
            "The loop is gone soon. Nobody minds, and no need for a thread here",
        ] {
            assert!(is_said(text), "{text}");
        }
    }

    #[test]
    fn who_mentions_it_does_not() {
        for text in [
            "asyncio does not care about this file",
            "We don't care about asyncio warnings here",
            "no need to block here",
            "It is not OK to block here",
            "fine, this does not block",
            "We don't care about the result, but this must not block",
            "no need for asyncio.Lock here",
            "we don't care about blocked users",
            "it's fine to sync the files",
            "This blocks the event loop",
            "the event loop runs this",
            "no need for async for here",
            "we need asyncio here",
            "It's fine to not block here",
        ] {
            assert!(!is_said(text), "{text}");
        }
    }
}
