//! What type checkers see of the results.

use asyncfix_analysis::answers::coroutines::Member;
use asyncfix_analysis::answers::signature::Signature;
use asyncfix_syntax::queries::{last_name, names_in};
use asyncfix_syntax::site::Owner;
use ruff_python_ast::{Expr, PythonVersion};

use crate::file::File;

/// The annotation of a list of what the members give: `list[int]`. `None` where they do not all say it in the same
/// words, which mean the same in code of `owner`.
pub fn annotation_of_results(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    members: &[Member<'_>],
) -> Option<String> {
    if !file.targets(PythonVersion::PY39) {
        return None;
    }
    let (first, others) = members.split_first()?;
    let element = annotation_of_result(file, owner, *first)?;
    others
        .iter()
        .all(|other| annotation_of_result(file, owner, *other).as_ref() == Some(&element))
        .then(|| format!("list[{element}]"))
}

fn annotation_of_result(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    member: Member<'_>,
) -> Option<String> {
    let callee = member.callee()?;
    let function = file.semantics.function(callee)?;
    let node = function.node(file.semantics.db())?;
    if !node.is_async || !node.decorator_list.is_empty() {
        return None;
    }
    // A type variable means something else outside of the function. They are known by how they are spelled: without
    // an annotation, type checkers find the type themselves.
    let is_variable = |name: &str| name.len() < 3 || name.ends_with('T') || name.starts_with('_');
    if names_in(node.returns.as_deref()?)
        .filter_map(last_name)
        .any(is_variable)
    {
        return None;
    }
    Signature::of(&file.semantics, callee, 0)?.returns(file, owner)
}

/// Whether `gather` gives a tuple of different types, as type checkers see it: it is given several things, or tuples of
/// them, that are not made by the same function.
pub fn are_different(file: &File<'_, '_>, arguments: &[Expr], members: &[Member<'_>]) -> bool {
    let may_be_list = arguments.iter().any(|argument| match argument {
        Expr::Starred(starred) => !is_tuple(file, &starred.value),
        _ => false,
    });
    if may_be_list {
        return false;
    }
    let mut callees = members
        .iter()
        .map(|member| member.callee().map(|callee| file.text(callee)));
    let first = callees.next().flatten();
    first.is_none() || callees.any(|other| other != first)
}

/// Whether an expression is a tuple that is written out, or a name that has no other value.
fn is_tuple(file: &File<'_, '_>, expr: &Expr) -> bool {
    match expr {
        Expr::Tuple(_) => true,
        Expr::Name(name) => {
            let values = file.semantics.values_in_scope(name);
            !values.is_empty() && values.into_iter().all(Expr::is_tuple_expr)
        }
        _ => false,
    }
}
