//! Whether a collection is given more elements than it is made with.

use asyncfix_syntax::queries::{last_name, names_in};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, Stmt};

/// Whether the collection called `name`, made as `value`, is given more elements somewhere.
pub(super) fn grows(body: &[Stmt], name: &str, value: &Expr) -> bool {
    struct Grows<'n, 'a> {
        name: &'n str,
        value: &'n Expr,
        /// The names that loops give to what is in the collection.
        held: Vec<&'a str>,
        found: bool,
    }
    impl<'a> Grows<'_, 'a> {
        fn is_it(&self, expr: &Expr) -> bool {
            matches!(expr, Expr::Name(name) if name.id == self.name)
        }

        fn hold(&mut self, target: &'a Expr, iter: &'a Expr) {
            if names_in(iter).any(|part| self.is_it(part)) {
                self.held.extend(names_in(target).filter_map(last_name));
            }
        }

        /// Whether what has this key is there already.
        fn is_there(&self, key: &Expr) -> bool {
            match (self.value, key) {
                (Expr::Dict(dict), Expr::StringLiteral(key)) => dict.items.iter().any(|item| {
                    matches!(&item.key, Some(Expr::StringLiteral(other))
                        if other.value.to_str() == key.value.to_str())
                }),
                (Expr::Dict(_), Expr::Name(key)) => self.held.contains(&key.id.as_str()),
                (Expr::Dict(_), _) => false,
                // An element of a list takes the place of another one; a slice may be longer.
                (_, key) => !key.is_slice_expr(),
            }
        }
    }
    impl<'a> SourceOrderVisitor<'a> for Grows<'_, 'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFor(inner) => self.hold(&inner.target, &inner.iter),
                AnyNodeRef::Comprehension(inner) => self.hold(&inner.target, &inner.iter),
                _ => {}
            }
            self.found |= match node {
                AnyNodeRef::ExprCall(call) => matches!(&*call.func, Expr::Attribute(method)
                if self.is_it(&method.value)
                    && matches!(
                        method.attr.as_str(),
                        "append" | "add" | "extend" | "update" | "insert" | "setdefault"
                            | "appendleft"
                    )),
                AnyNodeRef::StmtAugAssign(assign) => self.is_it(&assign.target),
                AnyNodeRef::ExprSubscript(subscript) => {
                    subscript.ctx.is_store()
                        && self.is_it(&subscript.value)
                        && !self.is_there(&subscript.slice)
                }
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut search = Grows {
        name,
        value,
        held: Vec::new(),
        found: false,
    };
    search.visit_body(body);
    search.found
}
