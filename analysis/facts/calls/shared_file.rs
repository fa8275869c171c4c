//! Files that a function writes whatever it is given.

use asyncfix_knowledge::blocking::Row;
use asyncfix_knowledge::conduct::names_a_path;
use asyncfix_syntax::lines::one_line;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};

use super::walk::Walk;
use super::{SharedFile, Target};
use crate::facts::file_access::paths;
use crate::facts::scopes::{Binding, Kind};
use crate::limits::{BINDINGS, Limit};

/// Whom a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    All,
    Object,
    Call,
}

impl<'a> Walk<'_, '_, 'a> {
    /// Notes what a call of the table writes, where that is the same for every call of the function.
    pub(super) fn writes(&mut self, call: &'a ast::ExprCall, row: &Row, is_method: bool) {
        if !row.uses_files() {
            return;
        }
        let receiver = match &*call.func {
            Expr::Attribute(method) if is_method => Some(&*method.value),
            _ => None,
        };
        let written = paths(call, row, receiver, true, &self.function.body).into_iter();
        let mut written = written.filter(|(_, does)| does.changes()).peekable();
        // Of a database, what other functions read is in order.
        self.written.changes_files |= written.peek().is_some() && row.database.is_none();
        if self.written.writes.is_some() {
            return;
        }
        self.written.writes = written.find_map(|(path, _)| {
            let is_of_object = match self.holder(path, BINDINGS) {
                Holder::All => false,
                Holder::Object => true,
                Holder::Call => return None,
            };
            Some(SharedFile {
                path: one_line(self.writer.text(path)).into_boxed_str(),
                is_of_object,
            })
        });
    }

    /// Whom what an expression stands for belongs to.
    pub(super) fn holder(&self, expr: &'a Expr, steps: Limit) -> Holder {
        let mut parts = Parts::default();
        parts.visit_expr(expr);
        let may_differ = |call: &&'a ast::ExprCall| match self.writer.target(&call.func, self.scope)
        {
            Target::Import(path) => !path.dotted().is_some_and(|path| {
                names_a_path(path) || path.starts_with("os.path.") || path.starts_with("os.getenv")
            }),
            // A method of what the expression is made of.
            _ => !call.func.is_attribute_expr(),
        };
        if parts.calls.iter().any(may_differ) {
            return Holder::Call;
        }
        let names = parts.names.iter();
        names
            .map(|name| self.holder_of_name(name, steps))
            .max()
            .unwrap_or(Holder::All)
    }

    fn holder_of_name(&self, name: &'a str, steps: Limit) -> Holder {
        let scopes = &self.writer.scopes.all;
        let Some(at) = self.writer.scope_of(name, self.scope) else {
            return Holder::All;
        };
        let Some(own) = scopes.get(at) else {
            return Holder::Call;
        };
        let Kind::Function(function) = own.kind else {
            return Holder::All;
        };
        if self
            .writer
            .scopes
            .own_class(function, own.parent, name)
            .is_some()
        {
            return Holder::Object;
        }
        match (own.bindings.get(name).map(Vec::as_slice), steps.less()) {
            (Some([Binding::Value(value)]), Some(steps)) if at == self.scope => {
                self.holder(value, steps)
            }
            _ => Holder::Call,
        }
    }
}

/// The names and calls that an expression is made of.
#[derive(Default)]
struct Parts<'a> {
    names: Vec<&'a str>,
    calls: Vec<&'a ast::ExprCall>,
}

impl<'a> SourceOrderVisitor<'a> for Parts<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => self.names.push(&name.id),
            AnyNodeRef::ExprCall(call) => self.calls.push(call),
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
