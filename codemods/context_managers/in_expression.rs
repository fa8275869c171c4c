//! An object that is made, used once and forgotten in one expression: `(await Client().get(url)).text`.

use asyncfix_analysis::answers::resources::{is_idle, opened};
use asyncfix_knowledge::resources::{Form, Resource};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;

use super::closes::CLOSING;
use super::managed::{Answer, title};
use super::never_closed::{PARTS, STILL_NEEDED};
use super::plain::{Need, need_of, need_of_call};
use crate::edit::fresh_names;
use crate::file::File;
use crate::finding::Rewrite;

/// Why an object is not closed as soon as the statement is over.
const HOLDS: &str =
    "closing it here would end what it does; keep it, and close it where the program ends";

/// The awaited call of a method of what `call`, at `site`, makes.
pub(super) fn used_at_once<'s, 'a>(
    site: &Site<'s, 'a>,
    call: &ast::ExprCall,
) -> Option<(Site<'s, 'a>, &'a ast::ExprAttribute)> {
    let Some(AnyNodeRef::ExprAttribute(method)) = site.parent() else {
        return None;
    };
    let used = site.outer()?.outer()?;
    let AnyNodeRef::ExprCall(around) = used.node else {
        return None;
    };
    let is_receiver = method.value.range() == call.range() && around.func.range() == method.range();
    (is_receiver && matches!(used.parent(), Some(AnyNodeRef::ExprAwait(_))))
        .then_some((used, method))
}

/// What is wrong with the object that `call` makes, and what helps.
pub(super) fn answer<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
) -> Answer {
    let (used, method) = used_at_once(site, call)?;
    let row = *opened(file, call, false).first()?;
    let Owner::Function(function) = file.surroundings(site).owner else {
        return None;
    };
    let shares = call.arguments.keywords.iter().any(|keyword| {
        let name = keyword.arg.as_deref();
        name.is_none_or(|name| PARTS.contains(&name))
    });
    if !is_simple(row)
        || shares
        || CLOSING.contains(&method.attr.as_str())
        || is_idle(row, file, call)
        || !is_always_reached(&used)
    {
        return None;
    }
    let place = site.place()?;
    let given = match place.statement {
        Stmt::Expr(_) => None,
        Stmt::Return(inner) => inner.value.as_deref(),
        Stmt::Assign(inner) => match inner.targets.as_slice() {
            [Expr::Name(_)] => Some(&*inner.value),
            _ => return None,
        },
        _ => return None,
    };
    let AnyNodeRef::ExprCall(around) = used.node else {
        return None;
    };
    // What is taken from plain data is plain.
    let need = match given {
        Some(value) if need_of_call(file, around, true) != Need::Nothing => need_of(file, value),
        _ => Need::Nothing,
    };
    if need > Need::Unknown {
        return None;
    }
    let text = file.text(call);
    let wish = match last_name(&call.func) {
        Some(name) if name.ends_with("Session") => "session",
        Some(name) if name.ends_with("Client") => "client",
        _ => "connection",
    };
    let rewrite = || -> Result<Rewrite, String> {
        if row.holds {
            return Err(HOLDS.to_owned());
        }
        if text.contains(['\n', '\r']) {
            return Err("multi-line calls are not supported here".to_owned());
        }
        let name = fresh_names::fresh(file, Owner::Function(function), &[wish]);
        let block = file
            .lines()
            .statement(place.suite, place.parent, place.index)
            .ok_or("the block is empty")?;
        let mut edits = block.wrap(&format!("async with {text} as {name}:"), &[])?;
        edits.push(Edit::range_replacement(name, call.range()));
        let mut rewrite = Rewrite::safe(title(row), edits);
        rewrite.moves = Some(block.range());
        Ok(rewrite.unsafe_if((need == Need::Unknown).then_some(STILL_NEEDED)))
    };
    Some((format!("`{text}` is never closed"), rewrite()))
}

/// Whether entering what a row speaks of gives the object, and leaving it closes that and does nothing else.
fn is_simple(row: &Resource) -> bool {
    row.form == Form::Call
        && row.place_in_tuple().is_none()
        && row.setup.is_none()
        && row.opened_by.is_none()
        && row.then.is_none()
        && !row.owner_closes
        && !row.is_fine_unclosed()
        && row.more_than_close().is_none()
}

/// Whether an expression is evaluated whenever its statement is, once.
fn is_always_reached(site: &Site<'_, '_>) -> bool {
    let around = site.ancestors.iter().rev();
    around.take_while(|node| !node.is_statement()).all(|node| {
        matches!(
            node,
            AnyNodeRef::ExprAwait(_)
                | AnyNodeRef::ExprAttribute(_)
                | AnyNodeRef::ExprSubscript(_)
                | AnyNodeRef::ExprCall(_)
                | AnyNodeRef::Arguments(_)
                | AnyNodeRef::Keyword(_)
        )
    })
}
