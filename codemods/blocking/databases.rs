//! Helpers that ask a database and change it, one after the other.

use asyncfix_analysis::facts::database_files::says_that_it_changes;
use asyncfix_analysis::index::call_graph::Chain;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::Ranged;

use crate::blocking::helper::ends_with;
use crate::file::File;

/// Why others must not run between two helpers that use a database: `call`, whose chain is `chain`, and another one in
/// the code of `owner`.
pub(super) fn opened_between(
    file: &File<'_, '_>,
    call: &ast::ExprCall,
    chain: &Chain,
    owner: Owner<'_>,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let code = "AF209";
    if !ends_with(file, chain, code) {
        return None;
    }
    let mut others = Others {
        file,
        call,
        code,
        changes: may_change(file, call, chain),
        found: false,
    };
    others.visit_body(&function.body);
    others.found.then(|| {
        "another task may change the database between this and the other call of the function"
            .to_owned()
    })
}

/// Looks for another call that uses a database, where one of both changes it.
struct Others<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    call: &'f ast::ExprCall,
    code: &'f str,
    /// Whether the first one changes it.
    changes: bool,
    found: bool,
}

impl<'b> SourceOrderVisitor<'b> for Others<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        let semantics = &self.file.semantics;
        if let AnyNodeRef::ExprCall(call) = node
            && call.range() != self.call.range()
            && !self.found
            && let Some(function) = semantics.function_in_sight(&call.func)
            && let Some((place, name)) = semantics.place_of_function(&function)
            && let Some(chain) = self.file.project.blocking_chain(&place, &name)
            && ends_with(self.file, &chain, self.code)
        {
            self.found = self.changes || may_change(self.file, call, &chain);
        }
        match node {
            _ if self.found => TraversalSignal::Skip,
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
            _ => TraversalSignal::Traverse,
        }
    }
}

/// Whether a helper may change what is in a database: its code says so, or others do the work for it.
fn may_change(file: &File<'_, '_>, call: &ast::ExprCall, chain: &Chain) -> bool {
    let semantics = &file.semantics;
    if chain.names.len() != 2 {
        return true;
    }
    let function = semantics.function_in_sight(&call.func);
    let node = function
        .as_ref()
        .and_then(|function| function.node(semantics.db()));
    node.is_none_or(|node| says_that_it_changes(&node.body))
}
