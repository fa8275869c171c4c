//! What a rule is called, where its page stands, and how people select rules.

use std::fmt;

/// The identity of one codemod: its code, its name and its page.
#[derive(Debug)]
pub struct Rule {
    /// The code, `AF` and three digits; the first digit is the pitfall's number.
    pub code: &'static str,
    /// The name in kebab case, accepted wherever a code is.
    pub name: &'static str,
    /// What it finds, in a few words, for a list of all rules.
    pub finds: &'static str,
    /// The pitfall this rule belongs to, in words.
    pub pitfall: &'static str,
    /// The rule's page, in Markdown. The pairs on it are run as tests.
    pub page: &'static str,
    /// Whether the rule runs when nothing was selected.
    pub default: bool,
    /// Whether it may change in every version.
    pub stability: Stability,
    /// Codes and names of other linters for the same thing; a suppression comment that names one of them
    /// says that the author looked at this site and meant it.
    pub equivalents: &'static [&'static str],
}

/// Whether a rule may change in every version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// It changes only as a new version may change it.
    Stable,
    /// It is new: it runs where previews are wanted, or its exact code is selected.
    Preview,
}

/// What codes and names of rules were before, and the code of the rule now.
pub const RENAMED: &[(&str, &str)] = &[];

/// What a word is called now, by a table such as [`RENAMED`]. `None` where it was never called otherwise.
pub fn renamed<'t>(word: &str, table: &[(&str, &'t str)]) -> Option<&'t str> {
    let mut rows = table.iter();
    rows.find_map(|(old, new)| old.eq_ignore_ascii_case(word).then_some(*new))
}

/// The candidate that is most like `word`, if one is at all.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Rule {}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.name)
    }
}

impl Rule {
    /// Whether `selector` means this rule: its code, a prefix of it (`AF7`, `AF`), its name, or `ALL`.
    ///
    /// Case matters for names and not for codes, as in ruff.
    pub fn is_selected_by(&self, selector: &str) -> bool {
        let selector = renamed(selector, RENAMED).unwrap_or(selector);
        selector == self.name
            || selector.eq_ignore_ascii_case("ALL")
            || (selector.len() >= 2
                && self
                    .code
                    .get(..selector.len())
                    .is_some_and(|prefix| prefix.eq_ignore_ascii_case(selector)))
    }

    /// The address of the rule's page in the documentation.
    pub fn url(&self) -> String {
        format!("{}rules/{}/", env!("CARGO_PKG_HOMEPAGE"), self.code)
    }

    /// Whether `selector` means this rule and no other: its code, or its name.
    pub fn is_named_by(&self, selector: &str) -> bool {
        let selector = renamed(selector, RENAMED).unwrap_or(selector);
        selector == self.name || selector.eq_ignore_ascii_case(self.code)
    }

    /// Whether it runs where nothing was selected, and no preview is wanted.
    pub fn is_on_by_default(&self) -> bool {
        self.default && self.stability == Stability::Stable
    }

    /// How specific `selector` is for this rule: an exact code or name beats a prefix, a longer
    /// prefix beats a shorter one, anything beats `ALL`. Zero where it does not mean this rule.
    pub fn specificity(&self, selector: &str) -> usize {
        if !self.is_selected_by(selector) {
            0
        } else if self.is_named_by(selector) {
            self.code.len() + 1
        } else if selector.eq_ignore_ascii_case("ALL") {
            1
        } else {
            selector.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_was_called_otherwise() {
        let table = [("AF990", "AF201"), ("old-name", "AF201")];
        assert_eq!(renamed("af990", &table), Some("AF201"));
        assert_eq!(renamed("old-name", &table), Some("AF201"));
        assert_eq!(renamed("AF201", &table), None);
    }

    #[test]
    fn what_was_renamed_means_a_rule_of_today() {
        for (old, new) in RENAMED {
            assert!(crate::rule(new).is_some(), "{new}");
            let rules = crate::CODEMODS.iter().map(|codemod| codemod.rule());
            let mut codes = rules.flat_map(|rule| [rule.code, rule.name]);
            assert!(!codes.any(|code| code == *old), "{old}");
        }
    }
}
