//! What a configuration says about fixes: which of them are made, and which count as safe.

use asyncfix_codemods::finding::{Finding, Remedy};
use ruff_diagnostics::Applicability;

/// The options about fixes, each a list of codes, prefixes, names, or `ALL`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixes {
    /// `fixable`: only these rules are fixed. `None` where nobody says anything.
    pub fixable: Option<Vec<String>>,
    /// `unfixable`: these are not.
    pub unfixable: Vec<String>,
    /// `extend-safe-fixes`: their unsafe fixes count as safe.
    pub safe: Vec<String>,
    /// `extend-unsafe-fixes`: their safe fixes count as unsafe.
    pub not_safe: Vec<String>,
}

impl Fixes {
    /// Lays `over` on top.
    #[must_use]
    pub fn with(mut self, over: &Self) -> Self {
        if over.fixable.is_some() {
            self.fixable.clone_from(&over.fixable);
        }
        self.unfixable.extend(over.unfixable.iter().cloned());
        self.safe.extend(over.safe.iter().cloned());
        self.not_safe.extend(over.not_safe.iter().cloned());
        self
    }

    /// What becomes of a finding. Of two options that speak of its rule the more specific one counts, and of two that
    /// are equally specific the more careful one.
    pub fn apply(&self, mut finding: Finding) -> Finding {
        let rule = finding.rule;
        let best = |selectors: &[String]| {
            let found = selectors.iter().map(|selector| rule.specificity(selector));
            found.max().unwrap_or(0)
        };
        let Remedy::Rewrite(rewrite) = &mut finding.remedy else {
            return finding;
        };
        let fixable = self.fixable.as_deref().map_or(1, best);
        let unfixable = best(&self.unfixable);
        if fixable == 0 || unfixable > 0 && unfixable >= fixable {
            let reason = format!("the configuration turns fixes of {} off", rule.code);
            finding.remedy = Remedy::NotFixed(reason);
            return finding;
        }
        let (safe, not_safe) = (best(&self.safe), best(&self.not_safe));
        match rewrite.applicability {
            Applicability::Unsafe if safe > not_safe => {
                rewrite.applicability = Applicability::Safe;
                rewrite.unsafe_because = None;
            }
            Applicability::Safe if not_safe > 0 && not_safe >= safe => {
                rewrite.applicability = Applicability::Unsafe;
                let reason = format!("the configuration says so of {}", rule.code);
                rewrite.unsafe_because = Some(reason);
            }
            _ => {}
        }
        finding
    }
}
