//! What has no end, and is no endless loop to look at: sleeping for ever, functions that call each other in a round.

use ruff_python_ast::{Expr, Number};
use ruff_text_size::Ranged;
use ty_python_core::definition::Definition;

use super::look::Look;
use crate::facts::loops::leaves_before;
use crate::limits::Limit;
use crate::resolve::bindings::Origin;
use crate::resolve::semantics::Semantics;

/// A function on the way to the code that is looked at.
pub(super) struct Entered<'db> {
    pub(super) function: Definition<'db>,
    /// What stood around the call of it.
    pub(super) branches: usize,
    pub(super) loops: usize,
    /// Whether it comes to what is called next, whenever it runs.
    pub(super) is_always: bool,
}

impl<'db> Look<'_, 'db> {
    /// Whether a function that is called here has led here, and always does: then nothing but its cancellation ends it.
    pub(super) fn is_round(&mut self, function: Definition<'db>, callee: &Expr) -> bool {
        if let Some(last) = self.path.last_mut() {
            last.is_always = !leaves_before(self.body, callee.start());
        }
        let Some(first) = self.path.iter().position(|one| one.function == function) else {
            return false;
        };
        let round = self.path.get(first..).unwrap_or_default();
        let is_as_before = round
            .first()
            .is_some_and(|one| (one.branches, one.loops) == (self.branches, self.loops));
        is_as_before && round.iter().all(|one| one.is_always)
    }
}

/// Whether a number is seen to be infinite: `float("inf")`, `math.inf`, or a name for one of them.
pub(super) fn is_infinite(semantics: &Semantics<'_>, number: &Expr, aliases: Limit) -> bool {
    let Some(aliases) = aliases.less() else {
        return false;
    };
    match number {
        Expr::Call(call) => {
            matches!(&*call.arguments.args, [Expr::StringLiteral(text)]
                if text.value.to_str().trim().parse::<f64>() == Ok(f64::INFINITY))
                && semantics.means(&call.func, &["builtins.float"])
        }
        // `1e999`
        Expr::NumberLiteral(literal) => {
            matches!(literal.value, Number::Float(value) if value.is_infinite())
        }
        Expr::Name(name) => {
            semantics.means(number, &["math.inf"])
                || matches!(semantics.origins(name).as_slice(), [Origin::Value(value)]
                    if is_infinite(semantics, value, aliases))
        }
        other => semantics.means(other, &["math.inf"]),
    }
}
