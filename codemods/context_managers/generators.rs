//! Async generators: they are closed like a resource, and `contextlib.aclosing` makes a context manager of one.

use asyncfix_knowledge::resources::{CLOSES_GENERATOR, Form};
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::{Expr, PythonVersion, Stmt};
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

    /// The import that the rewrite needs.
    pub(super) fn import(&self) -> Option<Edit> {
        let row = self.rows.first()?;
        (row.form == Form::Aclosing).then(|| self.aclosing().ok()?.edit)?
    }
}
