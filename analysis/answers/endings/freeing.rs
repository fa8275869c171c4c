//! What brings about, or ends, what somebody else waits for.

use asyncfix_knowledge::endings::TABLE;
use asyncfix_knowledge::package_of;
use asyncfix_syntax::queries::{last_name, own_calls};
use ruff_python_ast::{self as ast, Stmt};

use crate::index::asked::Asked;
use crate::infer::types::ClassOf;
use crate::limits::{BODIES, Limit};
use crate::resolve::definitions::Function;
use crate::resolve::semantics::Semantics;

/// The first call in a suite that may bring about, or end, what somebody else waits for: by the name of a method, or
/// through functions of the project. Only those calls count of which `may_be` holds.
pub fn frees<'a>(
    semantics: &Semantics<'_>,
    project: Asked<'_>,
    suite: &'a [Stmt],
    may_be: impl Fn(&ast::ExprCall) -> bool,
) -> Option<&'a ast::ExprCall> {
    own_calls(suite)
        .into_iter()
        .find(|call| may_be(call) && does(semantics, project, call, BODIES))
}

/// Whether a function does so, in its own code or through others.
pub fn is_freeing<'db>(
    semantics: &Semantics<'db>,
    project: Asked<'_>,
    function: &Function<'db>,
) -> bool {
    in_function(semantics, project, function, BODIES)
}

fn does(semantics: &Semantics<'_>, project: Asked<'_>, call: &ast::ExprCall, depth: Limit) -> bool {
    let name = last_name(&call.func).unwrap_or_default();
    // Whoever talks to a server by a library comes to an end without that.
    let is_client = || {
        call.func.as_attribute_expr().is_some_and(|method| {
            matches!(semantics.class_of(&method.value), ClassOf::Known(class)
                if TABLE.clients.contains(package_of(&class)))
        })
    };
    let by_name = name.split('_').any(|word| TABLE.freeing.contains(word))
        || call.func.is_attribute_expr()
            && (TABLE.freeing_methods.contains(name)
                || call.arguments.is_empty() && TABLE.freeing_alone.contains(name));
    by_name && !is_client()
        || depth.less().is_some_and(|depth| {
            let functions = semantics.function_or_namesakes(&call.func);
            functions
                .iter()
                .any(|function| in_function(semantics, project, function, depth))
        })
}

fn in_function<'db>(
    semantics: &Semantics<'db>,
    project: Asked<'_>,
    function: &Function<'db>,
    depth: Limit,
) -> bool {
    let db = semantics.db();
    let is_own = semantics
        .file_of(function.definition())
        .is_some_and(|path| project.number_of(&path).is_some());
    let Some(node) = function.node(db).filter(|_| is_own) else {
        return false;
    };
    let own = semantics.of_function(function);
    own_calls(&node.body)
        .into_iter()
        .any(|call| does(&own, project, call, depth))
}
