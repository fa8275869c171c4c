//! What the coroutine functions of a file call without `await`: how many callers a function has.

use asyncfix_knowledge::stdlib::is_stdlib;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use rustc_hash::FxHashMap;

use super::values::Value;
use super::writer::Writer;
use super::{Callee, Target};
use crate::facts::name::Name;
use crate::limits::BINDINGS;

/// The functions and methods that `function`, whose scope has this number, calls without awaiting what comes of it,
/// each with the number of calls. What comes from the standard library is left out.
pub(super) fn asked_by<'a>(
    writer: &Writer<'_, 'a>,
    function: &'a ast::StmtFunctionDef,
    scope: usize,
) -> Vec<(Callee, u32)> {
    let mut tally = Tally {
        writer,
        scope,
        counted: FxHashMap::default(),
    };
    tally.visit_body(&function.body);
    tally.counted.into_iter().collect()
}

struct Tally<'w, 's, 'a> {
    writer: &'w Writer<'s, 'a>,
    scope: usize,
    counted: FxHashMap<Callee, u32>,
}

impl<'a> Writer<'_, 'a> {
    /// What a call in `scope` is a call of, where that may be a function of the project.
    pub(super) fn callee_of_project(
        &self,
        call: &'a ast::ExprCall,
        scope: usize,
    ) -> Option<Callee> {
        let callee = match &*call.func {
            Expr::Attribute(attribute) => match self.value(&attribute.value, scope, BINDINGS)? {
                Value::Target(Target::Import(path)) => {
                    Callee::Plain(Target::Import(path.attribute(&attribute.attr)))
                }
                Value::Target(class @ Target::Class(_)) | Value::Instance(class) => {
                    Callee::Method(class, Name::new(&attribute.attr))
                }
                _ => return None,
            },
            func => match self.value(func, scope, BINDINGS)? {
                Value::Target(target) => Callee::Plain(target),
                _ => return None,
            },
        };
        let target = match &callee {
            Callee::Plain(target) | Callee::Method(target, _) => target,
        };
        match target {
            Target::Unknown => None,
            Target::Import(path) => {
                let root = path
                    .dotted()
                    .map(|path| path.split('.').next().unwrap_or_default());
                let is_elsewhere = root.is_some_and(|root| root == "builtins" || is_stdlib(root));
                (!is_elsewhere).then_some(callee)
            }
            Target::Function(_) | Target::Class(_) => Some(callee),
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Tally<'_, '_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprAwait(waited) => {
                if let Expr::Call(call) = &*waited.value {
                    self.visit_expr(&call.func);
                    self.visit_arguments(&call.arguments);
                    return TraversalSignal::Skip;
                }
            }
            AnyNodeRef::ExprCall(call) => {
                if let Some(callee) = self.writer.callee_of_project(call, self.scope) {
                    *self.counted.entry(callee).or_default() += 1;
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
