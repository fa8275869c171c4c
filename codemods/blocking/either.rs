//! Paths that are the same for every call in one of several cases: `path or "page.txt"`.

use asyncfix_analysis::limits::Limit;
use asyncfix_knowledge::conduct::names_a_path;
use ruff_python_ast::InterpolatedStringElement::{Interpolation, Literal};
use ruff_python_ast::{self as ast, BoolOp, Expr, Operator};

use crate::blocking::file_uses::{Search, innermost};
use crate::blocking::folders::Visible;

impl<'a> Search<'_, 'a, '_> {
    /// Whether a path may be one that is written out, as far as is seen: all its parts are, each in one of the cases.
    pub(super) fn may_be_written_out(
        &self,
        path: &Expr,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> bool {
        let Some(steps) = steps.less() else {
            return false;
        };
        let may_be = |part: &Expr| self.may_be_written_out(part, visible, steps);
        match path {
            Expr::StringLiteral(text) => !text.value.is_empty(),
            Expr::FString(text) => text.value.elements().all(|element| match element {
                Literal(_) => true,
                Interpolation(part) => may_be(&part.expression),
            }),
            Expr::BinOp(join) if matches!(join.op, Operator::Div | Operator::Add) => {
                may_be(&join.left) && may_be(&join.right)
            }
            Expr::Call(call) => self.joins(call) && call.arguments.args.iter().all(may_be),
            Expr::BoolOp(either) => match either.op {
                BoolOp::Or => either.values.iter().any(may_be),
                BoolOp::And => either.values.last().is_some_and(may_be),
            },
            Expr::If(either) => may_be(&either.body) || may_be(&either.orelse),
            Expr::Named(named) => may_be(&named.value),
            Expr::Name(name) if innermost(visible, &name.id).is_some() => {
                let values = self.file.semantics.values_behind(path);
                values.into_iter().any(may_be)
            }
            // What the module has under a name is the same for all.
            Expr::Name(name) => {
                let value = self.constants.get(name.id.as_str()).copied().flatten();
                value.is_some_and(may_be)
            }
            _ => false,
        }
    }

    /// Whether a call gives a path that is made of its arguments alone.
    fn joins(&self, call: &ast::ExprCall) -> bool {
        let path = self.file.semantics.qualified_name(&call.func);
        let joins = |path: &str| path == "os.path.join" || names_a_path(path);
        path.as_deref().is_some_and(joins)
            && !call.arguments.args.is_empty()
            && call.arguments.keywords.is_empty()
    }
}
