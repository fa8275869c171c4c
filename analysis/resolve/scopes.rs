//! Which scope a name belongs to, and whether it is free there.

use asyncfix_syntax::site::Owner;
use ruff_python_ast::{self as ast};
use ty_python_core::scope::{FileScopeId, NodeWithScopeRef};

use crate::resolve::semantics::Semantics;

impl Semantics<'_> {
    /// The scope an expression is evaluated in.
    pub fn scope_of<'a>(&self, expr: impl Into<ast::ExprRef<'a>>) -> Option<FileScopeId> {
        self.index().try_expression_scope_id(&expr.into())
    }

    /// The scope of a function's body.
    pub fn function_scope(&self, function: &ast::StmtFunctionDef) -> Option<FileScopeId> {
        self.index()
            .try_node_scope(NodeWithScopeRef::Function(function))
    }

    /// Whether a function has a variable of its own with this name.
    pub fn has_variable(&self, function: &ast::StmtFunctionDef, name: &str) -> bool {
        self.function_scope(function).is_some_and(|scope| {
            let own = self.index().place_table(scope).symbol_by_name(name);
            own.is_some_and(ty_python_core::symbol::Symbol::is_local)
        })
    }

    /// Whether a function stands directly in the body of a class.
    pub fn is_method(&self, function: &ast::StmtFunctionDef) -> bool {
        self.function_scope(function)
            .is_some_and(|scope| self.index().class_definition_of_method(scope).is_some())
    }

    /// The scope of what a function, or the module, has in its body.
    pub fn scope_of_owner(&self, owner: Owner<'_>) -> Option<FileScopeId> {
        match owner {
            Owner::Function(function) => self.function_scope(function),
            Owner::Module => Some(FileScopeId::global()),
            Owner::Lambda(_) => None,
        }
    }

    /// Whether `name` is bound, used or declared in the scope of `owner`, in a scope around it that
    /// it can see, or anywhere inside it: a new variable of that name would meet another one.
    pub fn is_taken_in(&self, name: &str, owner: Owner<'_>) -> bool {
        self.names().mention(name)
            && self
                .scope_of_owner(owner)
                .is_none_or(|scope| self.is_taken(name, scope))
    }

    /// Whether `name` stands anywhere in the file, attributes aside.
    pub fn is_mentioned(&self, name: &str) -> bool {
        self.names().mention(name)
    }

    /// Like [`Self::is_taken_in`], for a scope.
    pub fn is_taken(&self, name: &str, scope: FileScopeId) -> bool {
        self.index()
            .ancestor_scopes(scope)
            .any(|(ancestor, _)| self.mentions(name, ancestor))
            || self.is_mentioned_inside(name, scope)
    }

    /// Whether `name` means, somewhere in a scope inside `scope`, what it means in `scope`: it is
    /// used there without a binding of that scope's own.
    fn is_mentioned_inside(&self, name: &str, scope: FileScopeId) -> bool {
        self.index().child_scopes(scope).any(|(child, _)| {
            match self.index().place_table(child).symbol_by_name(name) {
                Some(symbol) if symbol.is_local() => false,
                Some(_) => true,
                None => self.is_mentioned_inside(name, child),
            }
        })
    }

    fn mentions(&self, name: &str, scope: FileScopeId) -> bool {
        self.index().place_table(scope).symbol_id(name).is_some()
    }

    /// Whether `scope` declares `name` to be `global` or `nonlocal`.
    pub fn is_declared_outside(&self, name: &str, scope: FileScopeId) -> bool {
        self.index()
            .place_table(scope)
            .symbol_by_name(name)
            .is_some_and(|symbol| symbol.is_global() || symbol.is_nonlocal())
    }

    /// Whether the local symbol `name` of `scope` is more than a local variable: declared `global`
    /// or `nonlocal`, or used by a scope inside.
    pub fn is_shared(&self, name: &str, scope: FileScopeId) -> bool {
        self.index()
            .place_table(scope)
            .symbol_by_name(name)
            .is_none_or(|symbol| symbol.is_global() || symbol.is_nonlocal())
            || self.is_mentioned_inside(name, scope)
    }

    /// Whether a use of `name`, in `scope` or in a scope inside, means the variable of `scope`.
    pub fn is_use_of(&self, name: &ast::ExprName, scope: FileScopeId) -> bool {
        let Some(from) = self.scope_of(name) else {
            return true;
        };
        self.index()
            .visible_ancestor_scopes(from)
            .take_while(|(at, _)| *at != scope)
            .all(|(at, _)| {
                let symbol = self.index().place_table(at).symbol_by_name(&name.id);
                symbol.is_none_or(|symbol| !symbol.is_local())
            })
    }
}
