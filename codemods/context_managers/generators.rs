//! Async generators: they are closed like a resource, and `contextlib.aclosing` makes a context manager of one.

use asyncfix_analysis::answers::{endings, takes_coroutine};
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_knowledge::resources::{CLOSES_GENERATOR, Form};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_text_size::Ranged;

use super::managed::{Managed, Opening};
use crate::edit::imports::{self, Imported};

impl<'a> Opening<'a> {
    /// Whether it may make a generator that the same suite closes, judged by the tree alone.
    pub(super) fn may_be_closed_generator(&self, site: &Site<'_, 'a>) -> bool {
        let ([Expr::Name(name)], false, Some(place)) = (self.targets, self.awaited, site.place())
        else {
            return false;
        };
        let closes = |statement: &Stmt| {
            matches!(statement, Stmt::Expr(only)
                if matches!(&*only.value, Expr::Await(awaited)
                    if matches!(&*awaited.value, Expr::Call(call)
                        if matches!(&*call.func, Expr::Attribute(method)
                            if method.attr.as_str() == CLOSES_GENERATOR
                                && matches!(&*method.value, Expr::Name(closed)
                                    if closed.id == name.id)))))
        };
        let behind = place.suite.get(place.index + 1..).unwrap_or_default();
        behind.iter().any(|statement| match statement {
            Stmt::Try(inner) => inner.finalbody.iter().any(closes),
            other => closes(other),
        })
    }
}

impl Managed<'_, '_, '_> {
    /// What makes a context manager of an object that is none.
    pub(super) fn aclosing(&self) -> Result<Imported, String> {
        if !self.file.targets(PythonVersion::PY310) {
            return Err("`contextlib.aclosing` needs Python 3.10".to_owned());
        }
        let scope = self.file.semantics.function_scope(self.function);
        let scope = scope.ok_or("its scope can't be found")?;
        let at = self.place.statement.start();
        imports::import(self.file, "contextlib", "aclosing", scope, at)
    }

    /// Why closing a generator whenever the block ends may fail: a task that the block has made may iterate over it.
    pub(super) fn may_be_running(&self, held: &[Stmt]) -> Option<String> {
        let row = self.rows.first()?;
        let mut search = Iterated {
            managed: self,
            found: false,
        };
        if row.form == Form::Aclosing {
            search.visit_body(held);
        }
        search.found.then(|| {
            format!(
                "if the block fails while a task iterates over `{}`, closing it raises another error",
                self.object.id
            )
        })
    }

    /// The import that the rewrite needs.
    pub(super) fn import(&self) -> Option<Edit> {
        let row = self.rows.first()?;
        (row.form == Form::Aclosing).then(|| self.aclosing().ok()?.edit)?
    }
}

/// Looks for a task, or a member of a `gather`, that is given the object.
struct Iterated<'m, 'f, 'a, 'db> {
    managed: &'m Managed<'f, 'a, 'db>,
    found: bool,
}

impl Iterated<'_, '_, '_, '_> {
    /// Whether what a call is given goes on beside the code. A group ends its tasks before the block ends that it
    /// stands in.
    fn goes_on(&self, call: &ast::ExprCall) -> bool {
        let semantics = &self.managed.file.semantics;
        let is_of_group = call.func.as_attribute_expr().is_some_and(|method| {
            semantics.class_of(&method.value)
                == ClassOf::Known("asyncio.taskgroups.TaskGroup".to_owned())
        });
        let is_gathered = endings::ends_with_arguments(semantics, &call.func)
            && last_name(&call.func) != Some("wait_for");
        takes_coroutine::spawns(&call.func) && !is_of_group || is_gathered
    }
}

impl<'n> SourceOrderVisitor<'n> for Iterated<'_, '_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'n>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && self.goes_on(call)
        {
            let mut given = call.arguments.iter_source_order();
            self.found |= given.any(|argument| names(argument.value(), &self.managed.object.id));
        }
        TraversalSignal::Traverse
    }
}

/// Whether a name stands in an expression, where it is not awaited.
fn names(expr: &Expr, name: &str) -> bool {
    struct Search<'n>(&'n str, bool);
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::ExprAwait(_) => return TraversalSignal::Skip,
                AnyNodeRef::ExprName(found) => self.1 |= found.id == self.0,
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(name, false);
    search.visit_expr(expr);
    search.1
}
