//! Reading the cases of a Markdown page.

use std::fs;
use std::path::Path;

use asyncfix_codemods::codemod::Codemod;

/// What a case expects.
#[derive(Debug, Clone)]
pub enum Expectation {
    /// This text, with safe fixes alone.
    Fixed(String),
    /// This text with unsafe fixes, and nothing without them.
    FixedUnsafely(String),
    /// No finding.
    Unchanged,
    /// A finding that no fix exists for, with this in its reason.
    NotFixed(String),
}

#[derive(Debug, Clone)]
pub struct Case {
    /// The situation, as the page names it.
    pub heading: String,
    pub file: String,
    pub settings: String,
    pub others: Vec<(String, String)>,
    /// What becomes of other files.
    pub after: Vec<(String, String)>,
    pub source: String,
    pub expectation: Expectation,
}

/// Reads the cases of a Markdown page. Blocks without a marker before them are prose.
pub fn cases(page: &str, path: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut heading = String::new();
    let mut marker = String::new();
    let mut file = "main.py".to_owned();
    let mut other: Option<String> = None;
    let mut settings = String::new();
    let mut others = Vec::new();
    let mut is_after = false;
    let mut after = Vec::new();
    let mut before: Option<String> = None;
    let mut lines = page.lines().enumerate();
    let mut add = |heading: &str,
                   file: &mut String,
                   settings: &mut String,
                   others: &mut Vec<(String, String)>,
                   after: &mut Vec<(String, String)>,
                   source: String,
                   expectation: Expectation| {
        cases.push(Case {
            heading: heading.to_owned(),
            file: std::mem::replace(file, "main.py".to_owned()),
            settings: std::mem::take(settings),
            others: std::mem::take(others),
            after: std::mem::take(after),
            source,
            expectation,
        });
    };
    while let Some((number, line)) = lines.next() {
        if let Some(title) = line.trim_start_matches('#').strip_prefix(' ')
            && line.starts_with('#')
        {
            assert!(
                before.is_none(),
                "{path}:{number}: a ❌ block above this line has no ✅"
            );
            title.trim().clone_into(&mut heading);
            marker.clear();
        } else if line.starts_with('❌') || line.starts_with('✅') {
            line.trim().clone_into(&mut marker);
            if let Some(reason) = marker.strip_prefix("❌ not fixed:")
                && let Some(source) = before.take()
            {
                let expectation = Expectation::NotFixed(reason.trim().to_owned());
                add(
                    &heading,
                    &mut file,
                    &mut settings,
                    &mut others,
                    &mut after,
                    source,
                    expectation,
                );
                marker.clear();
            } else if marker == "✅ unchanged"
                && let Some(source) = before.take()
            {
                add(
                    &heading,
                    &mut file,
                    &mut settings,
                    &mut others,
                    &mut after,
                    source,
                    Expectation::Unchanged,
                );
                marker.clear();
            }
        } else if let Some(name) = line
            .strip_prefix("File `")
            .and_then(|rest| rest.strip_suffix("`:"))
        {
            name.clone_into(&mut file);
        } else if let Some((name, rest)) = line
            .strip_prefix('`')
            .and_then(|rest| rest.split_once('`'))
            .filter(|(_, rest)| [":", " becomes:"].contains(rest))
        {
            other = Some(name.to_owned());
            is_after = rest != ":";
        } else if let Some(language) = line.strip_prefix("```") {
            let mut text = String::new();
            for (_, line) in lines.by_ref() {
                if line == "```" {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            match (language, marker.as_str()) {
                ("python" | "toml" | "ini", _) if other.is_some() => {
                    let list = if is_after { &mut after } else { &mut others };
                    list.push((other.take().unwrap_or_default(), text));
                }
                ("toml", _) => settings = text,
                ("python", "❌") => before = Some(text),
                ("python", "✅ unchanged") => {
                    add(
                        &heading,
                        &mut file,
                        &mut settings,
                        &mut others,
                        &mut after,
                        text,
                        Expectation::Unchanged,
                    );
                    marker.clear();
                }
                ("python", "✅" | "✅ unsafe") => {
                    let source = before
                        .take()
                        .unwrap_or_else(|| panic!("{path}:{number}: ✅ without ❌"));
                    let expectation = if marker == "✅" {
                        Expectation::Fixed(text)
                    } else {
                        Expectation::FixedUnsafely(text)
                    };
                    add(
                        &heading,
                        &mut file,
                        &mut settings,
                        &mut others,
                        &mut after,
                        source,
                        expectation,
                    );
                    marker.clear();
                }
                _ => {}
            }
        }
    }
    assert!(before.is_none(), "{path}: the last ❌ block has no ✅");
    cases
}

/// All cases of a rule: those of its page, and the further ones. With `CASE` set, those whose heading holds that.
pub fn of(codemod: &dyn Codemod) -> Vec<Case> {
    let rule = codemod.rule();
    let mut all = cases(rule.page, rule.code);
    assert!(!all.is_empty(), "the page of {} has no pair", rule.code);
    let further = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(format!("{}.md", rule.code));
    if let Ok(text) = fs::read_to_string(&further) {
        all.extend(cases(&text, &further.display().to_string()));
    }
    if let Some(wanted) = chosen() {
        all.retain(|case| case.heading.contains(&wanted));
    }
    all
}

/// The part of a heading that `CASE` asks for.
pub fn chosen() -> Option<String> {
    std::env::var("CASE")
        .ok()
        .filter(|wanted| !wanted.is_empty())
}
