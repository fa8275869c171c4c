//! An `await` that takes what stands behind the coroutine: `await stock().get("apples")`.

use asyncfix_analysis::infer::after::Trailer;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::file::File;

/// What stands between a coroutine and the `await` around it.
pub(super) struct Late<'a> {
    awaited: &'a ast::ExprAwait,
    trailers: Vec<Trailer<'a>>,
}

impl<'a> Late<'a> {
    /// `None` where there is nothing, or no `await`.
    pub(super) fn of(site: &Site<'_, 'a>) -> Option<Self> {
        let mut child = site.node.range();
        let mut trailers = Vec::new();
        for node in site.ancestors.iter().rev() {
            match *node {
                AnyNodeRef::ExprAttribute(attribute) if attribute.value.range() == child => {
                    trailers.push(Trailer::Attribute(attribute));
                }
                AnyNodeRef::ExprCall(call) if call.func.range() == child => {
                    let called = match trailers.pop() {
                        Some(Trailer::Attribute(method)) => Trailer::Method(method),
                        other => {
                            trailers.extend(other);
                            Trailer::Call
                        }
                    };
                    trailers.push(called);
                }
                AnyNodeRef::ExprSubscript(subscript) if subscript.value.range() == child => {
                    trailers.push(Trailer::Item(&subscript.slice));
                }
                AnyNodeRef::ExprAwait(awaited) if !trailers.is_empty() => {
                    return Some(Self { awaited, trailers });
                }
                _ => return None,
            }
            child = node.range();
        }
        None
    }

    /// What awaiting the whole would mean, if the coroutine at `node` were awaited.
    pub(super) fn awaitability(&self, file: &File<'_, '_>, node: AnyNodeRef<'_>) -> Awaitability {
        match node {
            AnyNodeRef::ExprCall(call) => file.semantics.awaitability_after(call, &self.trailers),
            AnyNodeRef::ExprAttribute(property) => file
                .semantics
                .awaitability_after_property(property, &self.trailers),
            _ => Awaitability::Unknown,
        }
    }

    /// Whether no coroutine has what comes first, whatever it gives: an item. What an item is, is seldom anything to
    /// await.
    pub(super) fn fails(&self) -> bool {
        matches!(self.trailers.as_slice(), [Trailer::Item(_), rest @ ..]
            if rest.iter().all(|trailer| matches!(trailer, Trailer::Item(_))))
    }

    /// Why the `await` stays where it is.
    pub(super) fn reason(&self) -> String {
        let behind = match self.trailers.first() {
            Some(Trailer::Attribute(attribute) | Trailer::Method(attribute)) => {
                format!(".{}", attribute.attr)
            }
            Some(Trailer::Item(_)) => "[…]".to_owned(),
            Some(Trailer::Call) | None => "(…)".to_owned(),
        };
        format!("the `await` applies to the whole expression; write `(await f()){behind}`")
    }

    /// The edits that move the `await` to the coroutine.
    pub(super) fn moved(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Vec<Edit> {
        let keyword = TextRange::at(self.awaited.start(), TextSize::of("await"));
        let between = &file.source[TextRange::new(keyword.end(), site.node.start())];
        if between.chars().all(char::is_whitespace) {
            return vec![
                Edit::insertion("(".to_owned(), keyword.start()),
                Edit::insertion(")".to_owned(), site.node.end()),
            ];
        }
        let blank = between.len() - between.trim_start_matches([' ', '\t']).len();
        let end = keyword.end() + TextSize::try_from(blank).unwrap_or_default();
        let mut edits = vec![Edit::range_deletion(TextRange::new(keyword.start(), end))];
        edits.extend(file.await_edits(site, TextRange::empty(site.node.start()), ""));
        edits
    }
}
