//! AF001: suppression comments that suppress nothing, or cannot be read.

use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, NodeKind, Stmt};
use ruff_python_stdlib::sys::is_known_standard_library;
use ruff_source_file::LineRanges;
use ruff_text_size::{TextLen, TextRange};
use rustc_hash::FxHashSet;

use super::{Code, Directive, Reach, Suppressions, Word, is_for_programs, strip_noqa};
use crate::CODEMODS;
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability, nearest};

/// The rule of this codemod.
pub static RULE: Rule = Rule {
    code: "AF001",
    name: "unused-suppression",
    finds: "A comment that suppresses a rule where it finds nothing, or names a rule that does not exist",
    pitfall: "suppression comments",
    page: include_str!("AF001.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &["RUF100", "RUF102"],
};

/// What a comment that nothing is done about says to asyncfix.
const UNKNOWN_WORD: &str = "asyncfix doesn't know this comment, and it suppresses nothing";

/// Finds suppression comments that are of no use. It has nothing to do with nodes: it is asked when all others have been.
pub struct UnusedSuppression;

impl Codemod for UnusedSuppression {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["asyncfix:", "noqa: AF", "noqa:AF"]
    }

    fn in_plain_code(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[]
    }

    fn is_about_comments(&self) -> bool {
        true
    }

    fn candidate(&self, _hints: &Hints<'_>, _site: &Site<'_, '_>) -> Candidate {
        Candidate::No
    }

    fn check<'a>(&self, _file: &File<'a, '_>, _site: &Site<'_, 'a>) -> Option<Finding> {
        None
    }
}

/// What is wrong with a code in a comment.
enum Fault {
    /// The rules that it stands for find nothing there.
    Unused,
    /// No rule has it. With the nearest one that there is.
    Unknown(Option<&'static str>),
}

/// The comments for asyncfix that are of no use, after all findings of the file were held against them. `selected` has
/// the codes of the rules that run on the file: of others, nobody knows whether they would find something.
pub(crate) fn findings(
    file: &File<'_, '_>,
    suppressions: &Suppressions,
    selected: &[&'static str],
) -> Vec<Finding> {
    let directives = suppressions.directives.iter();
    // A file that is left alone keeps its other comments.
    let is_left_alone = directives.clone().any(|directive| {
        matches!(directive.reach, Reach::File)
            && directive.codes.is_none()
            && directive.is_used.get()
    });
    directives
        .filter(|directive| !is_left_alone || matches!(directive.reach, Reach::File))
        .filter_map(|directive| finding(file, directive, selected))
        .collect()
}

fn finding(
    file: &File<'_, '_>,
    directive: &Directive,
    selected: &[&'static str],
) -> Option<Finding> {
    if let Some(word) = &directive.own
        && word
            .meant
            .is_none_or(|meant| meant != &file.source[word.range])
    {
        return Some(misspelled(file, directive, word));
    }
    let Some(codes) = &directive.codes else {
        let runs_all = CODEMODS
            .iter()
            .map(|codemod| codemod.rule())
            .all(|rule| !rule.is_on_by_default() || selected.contains(&rule.code));
        // One for all linters is not for us to judge.
        if directive.own.is_none() || directive.is_used.get() || !runs_all {
            return None;
        }
        let message = "unused suppression: nothing is found here".to_owned();
        return Some(removed(file, directive, message, whole(file, directive)));
    };
    let faults: Vec<(&Code, Fault)> = codes
        .iter()
        .filter_map(|code| Some((code, fault(directive, code, selected)?)))
        .collect();
    let (first, fault) = faults.first()?;
    let message = match fault {
        Fault::Unused if faults.len() == 1 => {
            format!("unused suppression: `{}` finds nothing here", first.text)
        }
        Fault::Unused => {
            let names: Vec<String> = faults
                .iter()
                .map(|(code, _)| format!("`{}`", code.text))
                .collect();
            format!("unused suppression: {} find nothing here", names.join(", "))
        }
        Fault::Unknown(Some(near)) => {
            format!(
                "asyncfix has no rule `{}`; did you mean `{near}`?",
                first.text
            )
        }
        Fault::Unknown(None) => format!("asyncfix has no rule `{}`", first.text),
    };
    let kept: Vec<&Code> = codes
        .iter()
        .filter(|code| !faults.iter().any(|(faulty, _)| faulty.range == code.range))
        .collect();
    let edit = match (kept.as_slice(), codes.first(), codes.last()) {
        ([_, ..], Some(first), Some(last)) => {
            let kept: Vec<&str> = kept.iter().map(|code| code.text.as_str()).collect();
            let all = TextRange::new(first.range.start(), last.range.end());
            Edit::range_replacement(kept.join(", "), all)
        }
        _ => whole(file, directive),
    };
    Some(removed(file, directive, message, edit))
}

/// What is wrong with a code, if something is.
fn fault(directive: &Directive, code: &Code, selected: &[&'static str]) -> Option<Fault> {
    let is_own = directive.own.is_some();
    let rules: Vec<&Rule> = CODEMODS
        .iter()
        .map(|codemod| codemod.rule())
        .filter(|rule| {
            // In a list for several linters, the codes of others are theirs.
            if is_own {
                code.covers(rule)
            } else {
                rule.is_selected_by(&code.text) && code.text.starts_with("AF")
            }
        })
        .collect();
    if rules.is_empty() {
        let known = CODEMODS.iter().flat_map(|codemod| {
            let rule = codemod.rule();
            [rule.code, rule.name]
        });
        return is_own.then(|| Fault::Unknown(nearest(&code.text, known)));
    }
    let is_judged = rules.iter().all(|rule| selected.contains(&rule.code));
    // It is not asked about itself.
    let is_about_this = rules.iter().any(|rule| rule.code == RULE.code);
    (is_judged && !is_about_this && !code.is_used.get()).then_some(Fault::Unused)
}

fn misspelled(file: &File<'_, '_>, directive: &Directive, word: &Word) -> Finding {
    let written = &file.source[word.range];
    let (message, rewrite) = if let Some(meant) = word.meant {
        let edit = Edit::range_replacement(meant.to_owned(), word.range);
        let message = format!("asyncfix doesn't know `{written}`; did you mean `{meant}`?");
        (
            message,
            Rewrite::safe(format!("Write `{meant}`"), vec![edit]),
        )
    } else {
        let rewrite = Rewrite::safe("Remove the comment", vec![whole(file, directive)])
            .unsafe_if(Some("it may be a misspelled one"));
        (UNKNOWN_WORD.to_owned(), rewrite)
    };
    Finding::new(
        &RULE,
        directive.part,
        message,
        if_for_programs(file, directive, rewrite),
    )
}

fn removed(file: &File<'_, '_>, directive: &Directive, message: String, edit: Edit) -> Finding {
    let unseen = unresolved_import(file)
        .map(|package| format!("`{package}` is not installed here, so a mistake may not be seen"));
    let rewrite = Rewrite::safe("Remove the suppression", vec![edit]).unsafe_if(unseen);
    Finding::new(
        &RULE,
        directive.part,
        message,
        if_for_programs(file, directive, rewrite),
    )
}

/// A comment that also says something to people is left to them.
fn if_for_programs(file: &File<'_, '_>, directive: &Directive, rewrite: Rewrite) -> Remedy {
    if is_for_programs(&file.source[directive.comment]) {
        Remedy::Rewrite(rewrite)
    } else {
        Remedy::NotFixed("the comment also says something to people".to_owned())
    }
}

/// The edit that takes a directive out of its comment, or the comment out of the file.
fn whole(file: &File<'_, '_>, directive: &Directive) -> Edit {
    let (comment, part) = (directive.comment, directive.part);
    let is_last = part.end() == comment.end();
    if !is_last {
        return Edit::range_deletion(part);
    }
    if part.start() == comment.start() && file.starts_line(comment.start()) {
        return Edit::range_deletion(file.source.full_line_range(comment.start()));
    }
    let before = file.source[..part.start().to_usize()].trim_end_matches([' ', '\t']);
    Edit::range_deletion(TextRange::new(before.text_len(), part.end()))
}

/// A package that the file imports and nothing is known of: mistakes with what it defines are not seen.
fn unresolved_import(file: &File<'_, '_>) -> Option<String> {
    struct Imports(FxHashSet<String>);
    impl<'a> SourceOrderVisitor<'a> for Imports {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let mut add = |name: &str| {
                self.0.extend(name.split('.').next().map(str::to_owned));
            };
            match node {
                AnyNodeRef::StmtImport(import) => {
                    for alias in &import.names {
                        add(&alias.name);
                    }
                }
                AnyNodeRef::StmtImportFrom(import) if import.level == 0 => {
                    if let Some(module) = &import.module {
                        add(module);
                    }
                }
                _ => {}
            }
            if node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut imports = Imports(FxHashSet::default());
    let body: &[Stmt] = file.body();
    imports.visit_body(body);
    let minor = file.settings.target_version.minor;
    let mut unknown: Vec<String> = imports
        .0
        .into_iter()
        .filter(|name| {
            !is_known_standard_library(minor, name)
                && !file.project.owns(name)
                && !file.project.has_types_of(name)
        })
        .collect();
    unknown.sort();
    unknown.into_iter().next()
}

/// Whether a text has a comment that may be for asyncfix. Asked once for a file that has one of the words.
pub(crate) fn may_be_in(source: &str) -> bool {
    let mut lines = source.lines().filter_map(|line| line.split_once('#'));
    lines.any(|(_, comment)| {
        let mut parts = comment.split('#').map(str::trim);
        parts.any(|part| part.starts_with("asyncfix:") || strip_noqa(part).is_some())
    })
}
