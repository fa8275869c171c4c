//! What the code makes of the value that a call gives: uses it as it is, awaits it, or gives it on.

use asyncfix_analysis::answers::parameters::{awaits_parameter, takes_value};
use asyncfix_analysis::answers::signature::{Argument, Signature};
use asyncfix_analysis::answers::takes_coroutine::{self, Position};
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::limits::{BODIES, Limit};
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use crate::file::File;

/// What the code does with what a call gives.
#[derive(Clone)]
pub(super) enum Use {
    /// It uses it as it is.
    Value,
    /// It loops over it; with the edit that does so asynchronously.
    Loop(Edit),
    /// It loops over it asynchronously already.
    AsyncLoop,
    /// It takes it for a coroutine already: it awaits it, or gives it to a function of asyncio.
    Coroutine,
    /// It gives it on, to something that may take either; how it is written.
    Unclear(String),
}

/// What the code makes of the value at `site`, which is given on until it is used.
pub(super) fn use_of<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
    variables: Limit,
) -> Use {
    let unclear = || Use::Unclear(file.first_line(site.node));
    for (node, child) in site.enclosing_in_function() {
        match node {
            AnyNodeRef::ExprAwait(_) => return Use::Coroutine,
            AnyNodeRef::ExprCall(call)
                if call.func.range() != child.range() && is_kept_by(call) =>
            {
                let container = call
                    .func
                    .as_attribute_expr()
                    .and_then(|method| method.value.as_name_expr());
                return match (container, variables.less()) {
                    (Some(name), Some(left)) => use_of_variable(file, name, None, owner, left),
                    _ => unclear(),
                };
            }
            AnyNodeRef::ExprCall(call) if call.func.range() != child.range() => {
                return match taken_by(file, call, site.node.range()) {
                    Some(true) => Use::Coroutine,
                    Some(false) => Use::Value,
                    None => unclear(),
                };
            }
            AnyNodeRef::StmtAssign(statement) => {
                let [Expr::Name(name)] = statement.targets.as_slice() else {
                    return Use::Value;
                };
                return match variables.less() {
                    Some(left) => use_of_variable(file, name, Some(name.range()), owner, left),
                    None => unclear(),
                };
            }
            // It is given on as a part of something.
            AnyNodeRef::Arguments(_)
            | AnyNodeRef::Keyword(_)
            | AnyNodeRef::ExprStarred(_)
            | AnyNodeRef::ExprListComp(_)
            | AnyNodeRef::ExprSetComp(_)
            | AnyNodeRef::ExprGenerator(_)
            | AnyNodeRef::ExprList(_)
            | AnyNodeRef::ExprSet(_)
            | AnyNodeRef::ExprTuple(_) => {}
            _ => return Use::Value,
        }
    }
    Use::Value
}

/// Whether a method that is called puts what it is given into a collection.
fn is_kept_by(call: &ast::ExprCall) -> bool {
    matches!(&*call.func, Expr::Attribute(method)
    if matches!(
        method.attr.as_str(),
        "add" | "append" | "appendleft" | "extend" | "insert" | "put" | "put_nowait"
    ))
}

/// The same, for all that is made of a variable in the code of `owner`: of what is bound at `binding`, or, where that is
/// `None`, of the collection that it holds.
fn use_of_variable<'a>(
    file: &File<'a, '_>,
    name: &'a ast::ExprName,
    binding: Option<TextRange>,
    owner: Owner<'a>,
    variables: Limit,
) -> Use {
    struct Uses<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        name: &'a str,
        binding: Option<TextRange>,
        owner: Owner<'a>,
        variables: Limit,
        ancestors: Vec<AnyNodeRef<'a>>,
        found: Vec<Use>,
    }
    impl<'a> SourceOrderVisitor<'a> for Uses<'_, 'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(name) = node
                && name.id == self.name
                && name.ctx.is_load()
                && self.may_be_it(name)
            {
                let site = Site {
                    ancestors: &self.ancestors,
                    node,
                };
                let used = use_of(self.file, &site, self.owner, self.variables);
                self.found.push(used);
            }
            self.ancestors.push(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
            self.ancestors.pop();
        }
    }
    impl Uses<'_, '_, '_> {
        /// Whether a use of the name may find what is assigned here.
        fn may_be_it(&self, name: &ast::ExprName) -> bool {
            let semantics = &self.file.semantics;
            semantics.bindings(name).is_none_or(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .zip(self.binding)
                        .is_none_or(|(range, binding)| range.contains_range(binding))
                })
            })
        }
    }
    let (body, around) = match owner {
        Owner::Function(function) => (
            function.body.as_slice(),
            AnyNodeRef::StmtFunctionDef(function),
        ),
        _ => (file.body(), AnyNodeRef::ModModule(file.syntax())),
    };
    let mut uses = Uses {
        file,
        name: &name.id,
        binding,
        owner,
        variables,
        ancestors: vec![around],
        found: Vec::new(),
    };
    uses.visit_body(body);
    let coroutines = uses
        .found
        .iter()
        .filter(|used| matches!(used, Use::Coroutine));
    if uses.found.is_empty() || uses.found.iter().all(|used| matches!(used, Use::Value)) {
        Use::Value
    } else if coroutines.clone().count() == uses.found.len()
        || binding.is_none() && coroutines.clone().next().is_some()
    {
        Use::Coroutine
    } else {
        Use::Unclear(name.id.to_string())
    }
}

/// Whether a call takes the argument at `range` for a coroutine, and not for the value it gives. `None`
/// where that cannot be told.
fn taken_by(file: &File<'_, '_>, call: &ast::ExprCall, range: TextRange) -> Option<bool> {
    if let Some(position) = takes_coroutine::takes_coroutine(&file.semantics, &call.func) {
        let index = call
            .arguments
            .args
            .iter()
            .position(|argument| argument.range().contains_range(range));
        return Some(match position {
            Position::Every => true,
            Position::First => index == Some(0),
        });
    }
    if let Some(takes_value) = takes_value(&file.semantics, &call.func) {
        return takes_value.then_some(false);
    }
    if is_method_of_text(file, call) {
        return Some(false);
    }
    let argument = Argument::of(call, |expr| expr.range().contains_range(range))?;
    let signature = Signature::of(&file.semantics, &call.func, call.arguments.args.len());
    let said =
        signature.and_then(|signature| signature.takes_awaitable(file.semantics.db(), argument));
    said.or_else(|| awaits_parameter(&file.semantics, call, argument, BODIES))
}

/// Whether a method of a text is called: it takes nothing to await.
fn is_method_of_text(file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
    matches!(&*call.func, Expr::Attribute(method)
        if file.semantics.class_of(&method.value)
            == ClassOf::Known("builtins.str".to_owned())
            || method.value.is_string_literal_expr())
}
