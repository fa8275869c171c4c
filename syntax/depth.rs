//! How deep a walk through a function's code is in the functions and classes inside of it.

use ruff_python_ast::AnyNodeRef;

/// Counts the functions, classes and lambdas around the node that a walk is at, those that it started in aside.
#[derive(Debug, Default)]
pub struct Depth(usize);

impl Depth {
    /// To be called for each node that the walk enters, when all is done that belongs to what is around it.
    pub fn enter(&mut self, node: AnyNodeRef<'_>) {
        self.0 += usize::from(has_own_names(node));
    }

    /// To be called for each node that the walk leaves.
    pub fn leave(&mut self, node: AnyNodeRef<'_>) {
        self.0 -= usize::from(has_own_names(node) && self.0 > 0);
    }

    /// Whether the walk is in one of them: names that are bound there are others.
    pub fn is_inside(&self) -> bool {
        self.0 > 0
    }
}

fn has_own_names(node: AnyNodeRef<'_>) -> bool {
    matches!(
        node,
        AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) | AnyNodeRef::ExprLambda(_)
    )
}
