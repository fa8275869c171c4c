//! Files that are opened by their numbers, and files that take the place of others once they are written.

use asyncfix_syntax::queries::argument;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use crate::blocking::file_uses::{Search, innermost};
use crate::blocking::files::Use;
use crate::blocking::folders::Visible;
use crate::blocking::locals::Source;
use crate::blocking::paths::Agreement;

impl<'a> Search<'_, 'a, '_> {
    /// The path of the file that has the number `handle`.
    pub(super) fn path_of_handle(
        &self,
        handle: &'a Expr,
        visible: Visible<'_, 'a>,
    ) -> Option<&'a Expr> {
        let semantics = &self.file.semantics;
        let made = match handle {
            Expr::Name(name) => {
                let (function, locals) = innermost(visible, &name.id)?;
                match locals.sources(&name.id)? {
                    [Source::Item(made)] => {
                        return semantics
                            .means(made_by(made)?, &["tempfile.mkstemp"])
                            .then(|| beside(function, made))?;
                    }
                    [Source::Value(made)] => *made,
                    _ => return None,
                }
            }
            other => other,
        };
        let opened = made.as_call_expr()?;
        let is_opened = semantics.means(&opened.func, &["os.open"]);
        is_opened.then(|| argument(opened, "path").or_else(|| argument(opened, "0")))?
    }
}

fn made_by(made: &Expr) -> Option<&Expr> {
    Some(&*made.as_call_expr()?.func)
}

/// The second of two variables that the two values of an expression are assigned to.
fn beside<'a>(function: &'a ast::StmtFunctionDef, made: &Expr) -> Option<&'a Expr> {
    struct Targets<'a> {
        made: TextRange,
        found: Option<&'a Expr>,
    }
    impl<'a> SourceOrderVisitor<'a> for Targets<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtAssign(assign) = node
                && assign.value.range() == self.made
                && let [Expr::Tuple(targets)] = &*assign.targets
            {
                self.found = targets.elts.get(1);
            }
            TraversalSignal::Traverse
        }
    }
    let mut targets = Targets {
        made: made.range(),
        found: None,
    };
    targets.visit_body(&function.body);
    targets.found
}

/// Adds to the uses what is written to a file which then takes the place of another one, as writing that.
pub(super) fn follow_replaced(uses: &mut Vec<Use>) {
    let moved = uses.iter().zip(uses.iter().skip(1));
    let moved = moved.filter(|(from, to)| {
        from.range == to.range
            && from.does.writes
            && to.does.writes
            && from.through.is_empty()
            && to.path.agreement != Agreement::Never
    });
    let written = |(from, to): (&Use, &Use)| {
        let before = uses.iter().filter(|other| {
            other.does.writes
                && other.function == from.function
                && other.range.start() < from.range.start()
                && other.path.is_same(&from.path)
        });
        let as_target = before.map(|other| Use {
            path: to.path.clone(),
            locks: other.locks.clone(),
            through: other.through.clone(),
            ..*other
        });
        as_target.collect::<Vec<_>>()
    };
    let written: Vec<_> = moved.flat_map(written).collect();
    uses.extend(written);
}

/// The file that is written by a block around `range`, which would be left half-written over an `await`.
pub(super) fn left_half_written<'u>(
    uses: &'u [Use],
    function: &ast::StmtFunctionDef,
    range: TextRange,
) -> Option<&'u Use> {
    struct Around<'u> {
        uses: &'u [Use],
        range: TextRange,
        found: Option<&'u Use>,
    }
    impl<'a> SourceOrderVisitor<'a> for Around<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if !node.range().contains_range(self.range) {
                return TraversalSignal::Skip;
            }
            if let AnyNodeRef::StmtWith(block) = node
                && block
                    .body
                    .iter()
                    .any(|inner| inner.range().contains_range(self.range))
            {
                let mut written = self.uses.iter().filter(|found| {
                    let is_entered =
                        |item: &ast::WithItem| item.context_expr.range() == found.range;
                    found.does.writes
                        && found.through.is_empty()
                        && found.path.agreement != Agreement::Never
                        && block.items.iter().any(is_entered)
                });
                self.found = self.found.or(written.next());
            }
            TraversalSignal::Traverse
        }
    }
    let mut around = Around {
        uses,
        range,
        found: None,
    };
    around.visit_body(&function.body);
    around.found
}
