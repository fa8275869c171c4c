//! Which rules run: `select`, `extend-select` and `ignore`, from the configuration and then from
//! the command line.

use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::rule::{RENAMED, Rule, Stability, nearest, renamed};

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

/// The rules that run when `layers` are laid over the defaults, the last one on top. Without `preview`, those in preview
/// run only where they are named.
pub fn resolve(layers: &[&Layer], preview: bool) -> Codes {
    let rules = CODEMODS.iter().map(|codemod| codemod.rule());
    resolve_among(rules, layers, preview)
}

/// The rules that some layer selects by their own code or name.
pub(crate) fn named(layers: &[&Layer]) -> Codes {
    let selectors = || {
        let selected = layers.iter().map(|layer| layer.select.iter().flatten());
        let added = layers.iter().map(|layer| &layer.extend_select);
        selected.flatten().chain(added.flatten())
    };
    let rules = CODEMODS.iter().map(|codemod| codemod.rule());
    rules
        .filter(|rule| selectors().any(|selector| rule.is_named_by(selector)))
        .map(|rule| rule.code)
        .collect()
}

fn resolve_among(
    rules: impl Iterator<Item = &'static Rule>,
    layers: &[&Layer],
    preview: bool,
) -> Codes {
    let is_open = |rule: &Rule| preview || rule.stability == Stability::Stable;
    let mut enabled: Vec<(&'static Rule, bool)> = rules
        .map(|rule| (rule, rule.default && is_open(rule)))
        .collect();
    for layer in layers {
        for (rule, on) in &mut enabled {
            let best = |selectors: &[String]| {
                selectors
                    .iter()
                    .filter(|selector| is_open(rule) || rule.is_named_by(selector))
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

/// A warning where a rule is called otherwise now.
pub fn warning(selector: &str) -> Option<String> {
    let now = renamed(selector, RENAMED)?;
    Some(format!("rule `{selector}` is now called `{now}`"))
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn rule(code: &'static str, name: &'static str, stability: Stability) -> Rule {
        Rule {
            code,
            name,
            finds: "",
            pitfall: "",
            page: "",
            default: true,
            stability,
            equivalents: &[],
        }
    }

    static OLD: Rule = rule("AF991", "old-rule", Stability::Stable);
    static NEW: Rule = rule("AF992", "new-rule", Stability::Preview);

    fn codes(select: Option<&[&str]>, extend: &[&str], ignore: &[&str], preview: bool) -> Codes {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let layer = Layer {
            select: select.map(owned),
            extend_select: owned(extend),
            ignore: owned(ignore),
        };
        resolve_among([&OLD, &NEW].into_iter(), &[&layer], preview)
    }

    #[test]
    fn a_rule_in_preview_runs_where_it_is_named_or_previews_are_wanted() {
        assert_eq!(codes(None, &[], &[], false), ["AF991"]);
        assert_eq!(codes(None, &[], &[], true), ["AF991", "AF992"]);
        for broad in ["ALL", "AF", "AF99"] {
            assert_eq!(codes(Some(&[broad]), &[], &[], false), ["AF991"]);
            assert_eq!(codes(None, &[broad], &[], false), ["AF991"]);
            assert_eq!(codes(Some(&[broad]), &[], &[], true), ["AF991", "AF992"]);
        }
        for exact in ["AF992", "af992", "new-rule"] {
            assert_eq!(codes(Some(&[exact]), &[], &[], false), ["AF992"]);
            assert_eq!(codes(None, &[exact], &[], false), ["AF991", "AF992"]);
        }
        assert_eq!(codes(None, &[], &["AF99"], true), [""; 0]);
        assert_eq!(codes(None, &["AF992"], &["AF99"], false), ["AF992"]);
        assert_eq!(codes(None, &["AF992"], &["AF992"], false), ["AF991"]);
    }
}
