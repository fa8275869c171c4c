//! Whether the author says that something is deliberate, which looks like a mistake.
//!
//! What is said is judged by its words: of a comment at the statement or close above it, of the
//! function's docstring, its name, and the reason for which a test is expected to fail. To be
//! wrong about them only means to hold back, but words in passing must not be enough: what is
//! deliberate has to be named too, or nothing else be said.

use asyncfix_syntax::lines::{is_blank, line_before};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Place, Site, suites_in};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::answers::indifference;
use crate::file::ParsedFile;

/// What code may do on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Keep the event loop waiting by sleeping.
    Sleep,
    /// Keep the event loop waiting otherwise.
    Block,
    /// Leave something open.
    Leak,
    /// End with the first error of several coroutines, without waiting for the others.
    FailFast,
}

impl Deed {
    /// Whether it keeps the event loop waiting.
    fn blocks(self) -> bool {
        matches!(self, Deed::Sleep | Deed::Block)
    }
}

/// How many lines above a statement a comment still speaks of it.
const LINES_ABOVE: u32 = 5;

/// A comment with no more words than these says nothing but that it is deliberate.
const FEW: usize = 4;

/// Among how many words at the start of a sentence its verb is.
const FIRST: usize = 2;

/// How many words before another one may negate it.
const BEFORE: usize = 4;

/// Words for what is deliberate. A `*` stands for the rest of a word, a space for one between two.
const DELIBERATE: &[&str] = &[
    "deliberate*",
    "intentional*",
    "on purpose",
    "purposely",
    "purposefully",
];

/// The same, where what blocks is named itself: they stand for much else.
const MEANT: &[&str] = &["intended", "intented", "by design", "is meant", "are meant"];

/// What a comment at a call that blocks may say, and nothing else: whoever writes it knows.
const BLOCKING: &[&str] = &["blocking", "blocks"];

/// With one of these before them, words mean the opposite.
const NEGATIONS: &[&str] = &[
    "not", "no", "nothing", "never", "without", "avoid*", "prevent*", "cannot", "nor", "would",
    "could", "may", "might",
];

/// The rule about variables that nothing reads, as linters call it.
const UNREAD: &str = "f841";

/// What a variable may be there for.
const REFERENCES: &[&str] = &["reference*", "ref", "refs"];

/// What is done with a reference that is there on purpose.
const KEEPING: &[&str] = &["keep*", "hold*", "hard", "strong", "retain*"];

/// What is still to be mended, or shown as a mistake, is not deliberate.
const TO_DO: &[&str] = &[
    "todo",
    "fixme",
    "xxx",
    "hack",
    "bad",
    "pitfall",
    "incorrect",
];

/// Words that name the deed, beside one that says it is deliberate.
fn named_by(deed: Deed) -> &'static [&'static str] {
    match deed {
        Deed::Sleep | Deed::Block => &[
            "block*",
            "sleep*",
            "sync",
            "synchronous*",
            "stall*",
            "freez*",
            "hang*",
            "pause*",
            "suspend*",
            "slow*",
            "not async*",
            "no async*",
            "no thread*",
        ],
        Deed::Leak => &[
            "leak*",
            "close*",
            "closing",
            "left open",
            "stay* open",
            "keep* open",
        ],
        Deed::FailFast => &[
            "return exceptions",
            "error*",
            "exception*",
            "fail*",
            "propagat*",
            "abort*",
        ],
    }
}

/// Words that are enough alone.
fn said_by(deed: Deed) -> &'static [&'static str] {
    match deed {
        Deed::Sleep | Deed::Block => &[
            "block* loop",
            "block* the loop",
            "block* event loop",
            "block* the event loop",
            "block* main coroutine",
            "block* the main coroutine",
            "stall* the loop",
            "stall* the event loop",
            "keep* it in the event loop",
            "keep* it within the event loop",
            "keep* this in the event loop",
            "keep* this within the event loop",
            "sync sleep",
            "synchronous sleep",
            "blocking sleep",
        ],
        Deed::Leak => &[
            "don't close",
            "do not close",
            "must not be closed",
            "mustn't be closed",
            "leak*",
        ],
        Deed::FailFast => &[
            "fail* fast",
            "failing fast",
            "fail* immediately",
            "fail* at once",
            "fail* early",
            "raise* immediately",
            "raise* at once",
            "raise* exceptions immediately",
            "raise* errors immediately",
            "raise* the first",
            "immediately raise*",
            "propagate* immediately",
            "propagate* at once",
            "propagate* the first",
            "immediately propagate*",
            "re raise* the first",
            "reraise* the first",
            "first error",
            "first exception",
            "first failure",
            "immediately if any",
            "immediately if one",
            "as soon as any",
            "as soon as one",
            "all or nothing",
        ],
    }
}

/// What a function that sleeps may be there for: it begins so what it says of itself, and its name.
fn begins_with(deed: Deed) -> &'static [&'static str] {
    match deed {
        Deed::Sleep => &["stall", "stalls", "suspend", "suspends"],
        Deed::Block | Deed::Leak | Deed::FailFast => &[],
    }
}

/// The same as what is said, for the words of a function's name.
fn named_for(deed: Deed) -> &'static [&'static str] {
    match deed {
        Deed::Sleep | Deed::Block => &[
            "sync sleep",
            "blocking sleep",
            "block* loop",
            "block* event loop",
            "deliberate*",
            "intentional*",
        ],
        Deed::Leak => &["leak*"],
        Deed::FailFast => &["fail fast", "all or nothing"],
    }
}

/// Whether the author says that the code at `site` does this on purpose.
pub fn is_deliberate<'a>(file: &ParsedFile<'a, '_>, site: &Site<'_, 'a>, deed: Deed) -> bool {
    let own = callee_words(site.node);
    // What a function says of itself, it says of those that are in it.
    let mut around = site
        .ancestors
        .iter()
        .filter_map(|node| node.as_stmt_function_def());
    if around.any(|function| docstring(function).is_some_and(|text| says(&text, deed, &[], false)))
    {
        return true;
    }
    if let Owner::Function(function) = site.owner() {
        let name: Vec<String> = function.name.split('_').map(str::to_lowercase).collect();
        let named = named_for(deed)
            .iter()
            .any(|phrase| !unnegated(&name, phrase).is_empty())
            || begins(&name, deed);
        let above = || comment_above(file, file.source.line_start(function.start()));
        if named
            || above().is_some_and(|(text, _)| says(&text, deed, &own, false))
            || reasons(function).any(|text| says(text, deed, &[], false))
        {
            return true;
        }
    }
    deed.blocks() && expects_blocking(site)
        || comments(file, site)
            .iter()
            .any(|(text, is_near)| says(text, deed, &own, *is_near))
}

/// Whether the author says that the variable which is assigned at `site` is there to keep a reference: in a comment at
/// the statement, above it or right below, or by the code of the rule about variables that nothing reads.
pub fn keeps_reference<'a>(file: &ParsedFile<'a, '_>, site: &Site<'_, 'a>) -> bool {
    let below = site.place().and_then(|place| {
        let line = file.source.full_line_range(place.statement.end()).end();
        let line = file.source.full_line_range(line);
        let comments = file.comments.comments_in_range(line);
        let comment = comments.first()?;
        file.starts_line(comment.start())
            .then(|| text_of(file, *comment))
    });
    let near = comments(file, site);
    let near = near.into_iter().filter(|(_, is_near)| *is_near);
    near.map(|(text, _)| text).chain(below).any(|text| {
        let said = words(&text);
        let any = |phrases: &[&str]| {
            let mut phrases = phrases.iter();
            phrases.any(|phrase| !unnegated(&said, phrase).is_empty())
        };
        any(&[UNREAD]) || any(REFERENCES) && any(KEEPING) && !any(TO_DO)
    })
}

/// Whether the first words tell what a function is there for.
fn begins(words: &[String], deed: Deed) -> bool {
    let first = words.get(..FIRST.min(words.len())).unwrap_or_default();
    let mut phrases = begins_with(deed).iter();
    phrases.any(|phrase| !unnegated(first, phrase).is_empty())
}

/// Whether a text says so. `own` are words that name the call itself; `is_near` where the text stands
/// at the statement.
fn says(text: &str, deed: Deed, own: &[String], is_near: bool) -> bool {
    let all = words(text);
    if is_left_to_do(&all) {
        return false;
    }
    if deed.blocks() && indifference::is_said(text) {
        return true;
    }
    let sentences = text.split_inclusive(['.', '!', '?', ';']);
    // A dot inside of a name ends no sentence.
    let mut sentence = String::new();
    let mut judged = Vec::new();
    let mut rest = sentences.peekable();
    while let Some(part) = rest.next() {
        sentence.push_str(part);
        let ends = rest
            .peek()
            .is_none_or(|next| next.starts_with(char::is_whitespace));
        if ends {
            judged.push(words(&std::mem::take(&mut sentence)));
        }
    }
    judged.iter().any(|sentence| {
        let any = |phrases: &[&str]| {
            phrases
                .iter()
                .any(|phrase| !unnegated(sentence, phrase).is_empty())
        };
        let names = |phrases: &[&str]| {
            phrases
                .iter()
                .any(|phrase| !found(sentence, phrase).is_empty())
        };
        let names_call = sentence.iter().any(|word| own.contains(word));
        any(said_by(deed))
            || begins(sentence, deed)
            || any(DELIBERATE) && (names_call || names(named_by(deed)))
            || any(MEANT) && (names_call || names(&["block*", "sync", "synchronous*"]))
            || is_near && all.len() <= FEW && (any(DELIBERATE) || any(MEANT))
            || is_near && deed.blocks() && all.len() <= FEW && any(BLOCKING)
    })
}

/// Whether the words of a text say that something is still to be mended, or shown as a mistake.
pub fn is_left_to_do(words: &[String]) -> bool {
    TO_DO.iter().any(|phrase| !found(words, phrase).is_empty())
}

/// The words of a text in lower case.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .filter(|word| !word.is_empty())
        .map(|word| word.to_lowercase().replace('’', "'"))
        .collect()
}

/// Where a phrase stands among words.
fn found(words: &[String], phrase: &str) -> Vec<usize> {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    let is_it = |word: &String, wanted: &&str| match wanted.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == wanted,
    };
    words
        .windows(phrase.len())
        .enumerate()
        .filter(|(_, window)| {
            window
                .iter()
                .zip(&phrase)
                .all(|(word, wanted)| is_it(word, wanted))
        })
        .map(|(at, _)| at)
        .collect()
}

/// The same, where nothing before it negates it.
fn unnegated(words: &[String], phrase: &str) -> Vec<usize> {
    let mut places = found(words, phrase);
    places.retain(|at| {
        let before = words
            .get(at.saturating_sub(BEFORE)..*at)
            .unwrap_or_default();
        let is_other_way = ["instead of", "rather than"]
            .iter()
            .any(|phrase| found(before, phrase).contains(&before.len().saturating_sub(2)));
        !is_other_way
            && !before.iter().any(|word| word.ends_with("n't"))
            && NEGATIONS
                .iter()
                .all(|negation| found(before, negation).is_empty())
    });
    places
}

/// The names in a callee: `time` and `sleep` of `time.sleep(1)`.
fn callee_words(node: AnyNodeRef<'_>) -> Vec<String> {
    let mut callee = match node {
        AnyNodeRef::ExprCall(call) => &*call.func,
        _ => return Vec::new(),
    };
    let mut names = Vec::new();
    loop {
        names.extend(last_name(callee).map(str::to_lowercase));
        match callee {
            Expr::Attribute(attribute) => callee = &attribute.value,
            _ => return names,
        }
    }
}

/// The text that says what a function does.
pub fn docstring(function: &ast::StmtFunctionDef) -> Option<String> {
    match function.body.first()? {
        Stmt::Expr(first) => match &*first.value {
            Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// The reasons for which a test is expected to fail: `@pytest.mark.xfail(reason="…")`.
fn reasons(function: &ast::StmtFunctionDef) -> impl Iterator<Item = &str> {
    function.decorator_list.iter().filter_map(|decorator| {
        let Expr::Call(call) = &decorator.expression else {
            return None;
        };
        let reason = &call.arguments.find_keyword("reason")?.value;
        match reason {
            Expr::StringLiteral(text) if last_name(&call.func) == Some("xfail") => {
                Some(text.value.to_str())
            }
            _ => None,
        }
    })
}

/// Whether the code is expected to be told off for blocking: `with pytest.raises(BlockingError):`.
fn expects_blocking(site: &Site<'_, '_>) -> bool {
    let is_expected = |item: &ast::WithItem| {
        let Expr::Call(call) = &item.context_expr else {
            return false;
        };
        matches!(last_name(&call.func), Some("raises" | "assertRaises"))
            && call.arguments.args.first().is_some_and(|kind| {
                last_name(kind)
                    .is_some_and(|name| name.contains("Block") && name != "BlockingIOError")
            })
    };
    site.enclosing_in_function().any(
        |(node, _)| matches!(node, AnyNodeRef::StmtWith(with) if with.items.iter().any(is_expected)),
    )
}

/// The comments that speak of the statement at `site`, those on lines that follow each other joined, and
/// whether they stand at it or right above it.
fn comments<'a>(file: &ParsedFile<'a, '_>, site: &Site<'_, 'a>) -> Vec<(String, bool)> {
    let mut texts = Vec::new();
    let Some(place) = site.place() else {
        return texts;
    };
    // Of a compound statement only the header counts.
    let end = if suites_in(place.statement).is_empty() {
        place.statement.end()
    } else {
        site.node.end()
    };
    let own = TextRange::new(place.statement.start(), file.source.line_end(end));
    let inside = file.comments.comments_in_range(own);
    texts.extend(inside.iter().map(|range| (text_of(file, *range), true)));
    // What stands above the header of a block is about all of it.
    if let Some(around) = place.parent
        && around.is_statement()
        && !around.is_stmt_function_def()
        && !around.is_stmt_class_def()
    {
        let above = comment_above(file, file.source.line_start(around.start()));
        texts.extend(above.map(|(text, _)| (text, false)));
    }
    let mut is_near = true;
    let mut start = file.source.line_start(own.start());
    let mut count = 0;
    while count < LINES_ABOVE {
        if let Some((text, first)) = comment_above(file, start) {
            if is_near || !speaks_of_another(file, &place, &text, first, &callee_words(site.node)) {
                texts.push((text, is_near));
            }
            count += 1;
            start = first;
        }
        let Some(line) = line_before(file.source, start) else {
            break;
        };
        let text = &file.source[line];
        // What stands above a function is about the whole of it.
        if text.trim_start().starts_with("async def ") {
            break;
        }
        is_near &= is_blank(text);
        count += 1;
        start = line.start();
    }
    texts
}

/// The comment on the lines right above the one that begins at `start`, and where it begins.
pub fn comment_above(file: &ParsedFile<'_, '_>, mut start: TextSize) -> Option<(String, TextSize)> {
    let mut lines = Vec::new();
    while let Some(line) = line_before(file.source, start) {
        let comments = file.comments.comments_in_range(line);
        let Some(comment) = comments
            .first()
            .filter(|comment| file.starts_line(comment.start()))
        else {
            break;
        };
        lines.push(text_of(file, *comment));
        start = line.start();
    }
    lines.reverse();
    (!lines.is_empty()).then(|| (lines.join(" "), start))
}

/// What a comment says to people. What it says to asyncfix is no word of theirs: the name of a rule may be one.
fn text_of(file: &ParsedFile<'_, '_>, comment: TextRange) -> String {
    let text = file.source[comment].trim_start_matches('#');
    let parts = text
        .split('#')
        .filter(|part| !part.trim_start().starts_with("asyncfix:"));
    parts.collect::<Vec<_>>().join("#").trim().to_owned()
}

/// Whether a comment further up is about other code: it names what a statement in between calls, or
/// stands in another suite. One that names the call itself, by one of its `own` words, is about that as well, unless a
/// statement in between calls the same.
fn speaks_of_another(
    file: &ParsedFile<'_, '_>,
    place: &Place<'_>,
    text: &str,
    comment: TextSize,
    own: &[String],
) -> bool {
    struct Search {
        said: Vec<String>,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= callee_words(node)
                .iter()
                .any(|word| self.said.contains(word));
            TraversalSignal::Traverse
        }
    }
    let mut said = words(text);
    if said.iter().any(|word| own.contains(word)) {
        said.retain(|word| own.contains(word));
    }
    let mut search = Search { said, found: false };
    let before = place.suite.get(..place.index).unwrap_or_default();
    for statement in before.iter().filter(|before| before.start() > comment) {
        search.visit_stmt(statement);
    }
    let indentation = |at: TextSize| {
        let line = &file.source[file.source.line_range(at)];
        line.len() - line.trim_start().len()
    };
    search.found || indentation(comment) > indentation(place.statement.start())
}
