//! Names that are looked up in the namespace of their own module: `globals()["client"]`,
//! `sys.modules[__name__].client`.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use crate::file::File;

/// What looks up a name of the module for which `is_moved` is true, as it is written, or may do so.
pub(super) fn looks_up(
    file: &File<'_, '_>,
    suite: &[Stmt],
    is_moved: &dyn Fn(&str) -> bool,
) -> Option<&'static str> {
    let mut search = Search {
        file,
        is_moved,
        ancestors: Vec::new(),
        found: None,
    };
    search.visit_body(suite);
    search.found
}

struct Search<'s, 'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    is_moved: &'s dyn Fn(&str) -> bool,
    ancestors: Vec<AnyNodeRef<'s>>,
    found: Option<&'static str>,
}

impl Search<'_, '_, '_, '_> {
    /// What gives the namespace of the module, as it is written.
    fn namespace(&self, node: AnyNodeRef<'_>) -> Option<&'static str> {
        let semantics = &self.file.semantics;
        match node {
            AnyNodeRef::ExprCall(call) if semantics.means(&call.func, &["builtins.globals"]) => {
                Some("globals()")
            }
            AnyNodeRef::ExprSubscript(entry) => {
                let is_own = match &*entry.slice {
                    Expr::StringLiteral(name) => name.value.to_str() == "__main__",
                    Expr::Name(name) => name.id == "__name__",
                    _ => false,
                };
                (is_own && semantics.means(&entry.value, &["sys.modules"])).then_some("sys.modules")
            }
            AnyNodeRef::ExprName(name) if name.id == "__main__" => Some("__main__"),
            _ => None,
        }
    }

    /// The name that is looked up there. `None` where that is not told.
    fn looked_up(&self) -> Option<&str> {
        let mut around = self.ancestors.iter().rev();
        match around.next()? {
            AnyNodeRef::ExprSubscript(entry) => literal_of(&entry.slice),
            AnyNodeRef::ExprAttribute(attribute) if attribute.attr.as_str() == "get" => {
                let AnyNodeRef::ExprCall(call) = around.next()? else {
                    return None;
                };
                literal_of(call.arguments.args.first()?)
            }
            AnyNodeRef::ExprAttribute(attribute) => Some(attribute.attr.as_str()),
            AnyNodeRef::Arguments(arguments) => literal_of(arguments.args.get(1)?),
            _ => None,
        }
    }
}

fn literal_of(expr: &Expr) -> Option<&str> {
    let ast::ExprStringLiteral { value, .. } = expr.as_string_literal_expr()?;
    Some(value.to_str())
}

impl<'a> SourceOrderVisitor<'a> for Search<'a, '_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let Some(written) = self.namespace(node)
            && self.looked_up().is_none_or(|name| (self.is_moved)(name))
        {
            self.found.get_or_insert(written);
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
