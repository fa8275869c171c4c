//! Which rules run: `select`, `extend-select` and `ignore`, from the configuration and then from
//! the command line.

use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::rule::{Rule, nearest};

/// One layer of choices. Each selector is a code, a prefix of codes, a name, or `ALL`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    /// Replaces what was selected before.
    pub select: Option<Vec<String>>,
    /// Adds to what was selected before.
    pub extend_select: Vec<String>,
    /// Takes away, unless the selection above is more specific.
    pub ignore: Vec<String>,
}

/// The codes of the rules that run, in the order of the registry.
pub type Codes = Vec<&'static str>;

/// The rules that run when `layers` are laid over the defaults, the last one on top.
pub fn resolve(layers: &[&Layer]) -> Codes {
    let mut enabled: Vec<(&'static Rule, bool)> = CODEMODS
        .iter()
        .map(|codemod| (codemod.rule(), codemod.rule().default))
        .collect();
    for layer in layers {
        for (rule, on) in &mut enabled {
            let best = |selectors: &[String]| {
                selectors
                    .iter()
                    .map(|selector| rule.specificity(selector))
                    .max()
                    .unwrap_or(0)
            };
            let selected = layer.select.as_deref().map_or(0, best);
            let added = selected.max(best(&layer.extend_select));
            let ignored = best(&layer.ignore);
            if layer.select.is_some() {
                *on = false;
            }
            if added > 0 {
                *on = true;
            }
            if ignored > 0 && ignored >= added {
                *on = false;
            }
        }
    }
    enabled
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(rule, _)| rule.code)
        .collect()
}

/// Checks that `selector` means at least one rule. `Err` names the nearest code or name.
pub fn check(selector: &str) -> Result<(), String> {
    if CODEMODS
        .iter()
        .any(|codemod| codemod.rule().is_selected_by(selector))
    {
        return Ok(());
    }
    if let Some(rule) = equivalent(selector) {
        return Err(format!(
            "`{selector}` is a rule of another linter: use `{}`",
            rule.code
        ));
    }
    let known = CODEMODS
        .iter()
        .flat_map(|codemod| [codemod.rule().code, codemod.rule().name]);
    let hint = nearest(selector, known)
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default();
    Err(format!(
        "unknown rule `{selector}`{hint} (see `asyncfix rule --all`)"
    ))
}

/// The rule that finds what the rule of another linter with this code or name finds.
pub fn equivalent(code: &str) -> Option<&'static Rule> {
    let mut rules = CODEMODS.iter().map(|codemod| codemod.rule());
    rules.find(|rule| {
        rule.equivalents
            .iter()
            .any(|other| other.eq_ignore_ascii_case(code))
    })
}
