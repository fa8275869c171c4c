//! `asyncfix rule`: a rule's page, or the list of all rules.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::rule::Stability;
use termimad::crossterm::style::Color as Color16;
use termimad::{Alignment, MadSkin};

use super::{CLEAN, Stop};
use crate::args::Color;
use asyncfix_engine::selection;

pub(super) fn show(rule: Option<&str>, all: bool) -> Result<u8, Stop> {
    let mut out = io::stdout().lock();
    if all {
        let mut pitfall = "";
        for codemod in CODEMODS {
            let rule = codemod.rule();
            if rule.pitfall != pitfall {
                let gap = if pitfall.is_empty() { "" } else { "\n" };
                writeln!(out, "{gap}{}:", upper_first(rule.pitfall))?;
                pitfall = rule.pitfall;
            }
            let off = match (rule.stability, rule.default) {
                (Stability::Preview, _) => " (preview)",
                (Stability::Stable, true) => "",
                (Stability::Stable, false) => " (off by default)",
            };
            writeln!(out, "  {rule}: {}{off}", rule.finds)?;
        }
        return Ok(CLEAN);
    }
    let wanted = rule.unwrap_or_default();
    let found = asyncfix_codemods::rule(wanted).or_else(|| selection::equivalent(wanted));
    match found {
        Some(rule) => {
            if rule.stability == Stability::Preview {
                writeln!(
                    out,
                    "In preview: it runs with `preview = true`, or where {} is selected.\n",
                    rule.code
                )?;
            }
            write!(out, "{}", for_output(rule.page))?;
            Ok(CLEAN)
        }
        None => match selection::check(wanted) {
            Ok(()) => {
                for codemod in CODEMODS {
                    if codemod.rule().is_selected_by(wanted) {
                        writeln!(out, "{}\n", for_output(codemod.rule().page))?;
                    }
                }
                Ok(CLEAN)
            }
            Err(message) => Err(Stop::Error(message)),
        },
    }
}

/// A page as it is shown on a terminal; for programs and files, the Markdown that it is.
fn for_output(page: &str) -> Cow<'_, str> {
    if !Color::Auto.on(io::stdout().is_terminal()) {
        return Cow::Borrowed(page);
    }
    let mut skin = MadSkin::default();
    for header in &mut skin.headers {
        header.align = Alignment::Left;
    }
    skin.inline_code.object_style.background_color = None;
    skin.inline_code.set_fg(Color16::Cyan);
    skin.code_block.compound_style.object_style.background_color = None;
    Cow::Owned(skin.term_text(page).to_string())
}

/// The text with its first letter in upper case.
fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
