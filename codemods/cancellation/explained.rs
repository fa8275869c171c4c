//! What comments and docstrings say of a cancellation that ends somewhere.

use asyncfix_analysis::answers::cancellation::{CANCELLED, members};
use asyncfix_analysis::answers::intent;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::{Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange};

use super::handlers::Handler;
use crate::file::File;

/// Parts of words in comments that speak of cancellations. Being wrong about one only means to hold back.
const ABOUT_CANCELLATION: &[&str] = &["cancel", "shutdown", "shutting down", "shut down"];

/// The same, where the clause itself is for cancellations and the comment says why it does nothing.
const ABOUT_QUIET_END: &[&str] = &[
    "expected",
    "ignor",
    "quiet",
    "silent",
    "suppress",
    "not re-raise",
    "not reraise",
    "not raise",
    "n't re-raise",
    "n't reraise",
    "n't raise",
];

/// Parts of words in comments that say that something is done on purpose.
const PURPOSE: &[&str] = &["deliberate", "explicit", "intention", "purpose", "swallow"];

/// What a comment that names the cancellation says besides, where it tells why that ends there.
const REASONS: &[&str] = &[
    "because",
    "so that",
    "to ensure",
    "ensures",
    "to make sure",
    "to keep",
    "keep going",
    "keep running",
    "keeps running",
    "must not",
    "mustn't",
    "should not",
    "shouldn't",
    "not be interrupted",
    "survive",
    "may be cancelled by",
    "was cancelled by",
    "is cancelled by",
    "is cancelled when",
    "be cancelled when",
    "not us",
    "not ours",
    "not our own",
    "not this task",
    "the other task",
    "another task",
    "child task",
    "inner task",
];

/// What a docstring says of a function that keeps everything to itself. Being wrong about one only means
/// to hold back.
const DECLARATIONS: &[&str] = &["baseexception", "cancellederror", "never mask", "swallow"];

impl Handler<'_, '_, '_, '_> {
    /// Whether a comment in the handler, above it or behind the statement that follows, or the text above
    /// the function says that the end is a quiet one. What cannot be stopped has to say that it is meant so.
    pub(super) fn is_explained(&self) -> bool {
        if says_so(self.owner) {
            return true;
        }
        let next = self
            .site
            .place()
            .and_then(|place| place.suite.get(place.index + 1));
        let last = next.map_or(self.node.end(), Ranged::start);
        let lines = self.file.lines();
        let ranges = [
            TextRange::new(
                lines.start_with_comments(self.node.start()),
                self.file.source.line_end(last),
            ),
            TextRange::new(
                lines.start_with_comments(self.statement.start()),
                self.statement.start(),
            ),
        ];
        let is_named = self.node.type_.as_deref().is_some_and(|kind| {
            let mut kinds = members(kind).iter();
            kinds.any(|kind| self.file.semantics.means(kind, CANCELLED))
        });
        ranges
            .into_iter()
            .any(|range| is_explained(self.file, range, self.goes_on_for_ever(), is_named))
    }
}

/// Whether the text above a function says that it keeps everything to itself.
pub fn says_so(owner: Owner<'_>) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let Some(Stmt::Expr(first)) = function.body.first() else {
        return false;
    };
    let Expr::StringLiteral(text) = &*first.value else {
        return false;
    };
    let text = text.value.to_str().to_ascii_lowercase();
    DECLARATIONS.iter().any(|word| text.contains(word))
}

/// Whether a comment says why a cancellation ends there. `cannot_stop` where nothing else ends the task,
/// `is_named` where the code is about cancellations by name.
pub fn is_explained(
    file: &File<'_, '_>,
    range: TextRange,
    cannot_stop: bool,
    is_named: bool,
) -> bool {
    let speaks = |comment: &str, words: &[&str]| words.iter().any(|word| comment.contains(word));
    let comments: Vec<String> = file
        .comments
        .comments_in_range(range)
        .iter()
        .map(|comment| file.text(comment).to_ascii_lowercase())
        .collect();
    // A sentence may go over several lines.
    let lines: Vec<&str> = comments
        .iter()
        .map(|comment| comment.trim_start_matches(['#', ' ']))
        .collect();
    let all = lines.join(" ");
    let is_left_to_do = intent::is_left_to_do(&intent::words(&all));
    let is_reasoned = speaks(&all, ABOUT_CANCELLATION) && speaks(&all, REASONS) && !is_left_to_do;
    is_reasoned
        || comments.iter().any(|comment| {
            speaks(comment, PURPOSE)
                || !cannot_stop
                    && (speaks(comment, ABOUT_CANCELLATION)
                        || is_named && speaks(comment, ABOUT_QUIET_END))
        })
}
