//! What the function of a handler still does when the handler is through.

use asyncfix_analysis::answers::cancellation::CANCELLED;
use asyncfix_analysis::answers::flow::{Exits, Jump};
use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::{Owner, Site, suites_of};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextSize};

use super::handlers::Handler;
use super::suites;
use crate::file::File;

/// Where control gets from a handler that swallows a cancellation.
pub struct Outcome<'a> {
    /// Whether a loop around the handler may go on.
    pub goes_on: bool,
    /// The statements that may follow outside of such a loop.
    rest: Vec<&'a [Stmt]>,
}

impl<'a> Outcome<'a> {
    /// Where control gets from `handler` by its `exits`.
    pub fn of(handler: &Handler<'_, '_, 'a, '_>, exits: &Exits<'a>) -> Self {
        Self::from(
            handler.file,
            &handler.site,
            handler.owner,
            exits.falls,
            &exits.jumps,
        )
    }

    /// Where control gets from behind the statement at `site`, or by `jumps` in it.
    pub fn from(
        file: &File<'a, '_>,
        site: &Site<'_, 'a>,
        owner: Owner<'a>,
        falls: bool,
        jumps: &[Jump<'a>],
    ) -> Self {
        let mut outcome = Self {
            goes_on: false,
            rest: Vec::new(),
        };
        let mut levels: Vec<(AnyNodeRef<'a>, AnyNodeRef<'a>)> =
            site.enclosing_in_function().collect();
        if let Owner::Function(function) = owner {
            let outermost = levels.last().map_or(site.node, |(outermost, _)| *outermost);
            levels.push((function.into(), outermost));
        }
        outcome.follow(file, &levels, falls, jumps);
        outcome
    }

    /// Whether something is done afterwards that a cancellation on its way would skip, or an answer is
    /// returned.
    pub fn has_more_to_do(&self, file: &File<'_, '_>) -> bool {
        self.rest.iter().copied().flatten().any(|statement| {
            statement.is_raise_stmt()
                || returns_answer(statement)
                || !suites::is_idle(file, std::slice::from_ref(statement))
        })
    }

    /// Whether a value is returned in the statements that may follow.
    pub fn returns_answer(&self) -> bool {
        self.rest.iter().copied().flatten().any(returns_answer)
    }

    fn follow(
        &mut self,
        file: &File<'_, '_>,
        levels: &[(AnyNodeRef<'a>, AnyNodeRef<'a>)],
        falls: bool,
        jumps: &[Jump<'a>],
    ) {
        self.goes_on |= jumps.iter().any(|jump| jump.statement.is_continue_stmt());
        if jumps.iter().any(|jump| jump.statement.is_break_stmt())
            && let Some(inner) = levels.iter().position(|(around, _)| is_loop(*around))
        {
            self.fall(file, levels.get(inner + 1..).unwrap_or_default());
        }
        if falls {
            self.fall(file, levels);
        }
    }

    /// Follows control that gets behind the statement that the first of `levels` is about.
    fn fall(&mut self, file: &File<'_, '_>, levels: &[(AnyNodeRef<'a>, AnyNodeRef<'a>)]) {
        for (depth, (around, child)) in levels.iter().enumerate() {
            let behind = suites_of(*around).into_iter().find_map(|suite| {
                let at = suite
                    .iter()
                    .position(|statement| statement.range() == child.range())?;
                suite.get(at + 1..)
            });
            // The `else` of a `try` follows its body.
            let otherwise = match around {
                AnyNodeRef::StmtTry(statement)
                    if statement
                        .body
                        .last()
                        .is_some_and(|last| last.end() >= child.end()) =>
                {
                    statement.orelse.as_slice()
                }
                _ => &[],
            };
            for suite in [behind.unwrap_or_default(), otherwise] {
                if suite.is_empty() {
                    continue;
                }
                self.rest.push(suite);
                let exits = Exits::of(file, suite);
                self.follow(
                    file,
                    levels.get(depth..).unwrap_or_default(),
                    false,
                    &exits.jumps,
                );
                if !exits.falls {
                    return;
                }
            }
            if is_loop(*around) {
                self.goes_on = true;
                return;
            }
        }
    }
}

/// Whether a statement returns what the function has found out.
fn returns_answer(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Return(statement)
        if statement.value.as_deref().is_some_and(|value| !value.is_literal_expr()))
}

fn is_loop(node: AnyNodeRef<'_>) -> bool {
    matches!(node, AnyNodeRef::StmtWhile(_) | AnyNodeRef::StmtFor(_))
}

/// Whether a handler leaves word for what follows it: it binds a variable, or an item or attribute of
/// one, that is read after its statement.
pub fn leaves_word(handler: &Handler<'_, '_, '_, '_>) -> bool {
    let mut stored = Stored(Vec::new());
    stored.visit_body(&handler.node.body);
    let mut read = Read {
        file: handler.file,
        stored: stored.0,
        behind: handler.statement.end(),
        found: false,
    };
    read.visit_body(handler.code_of_owner());
    read.found
}

/// Whether the function raises a cancellation of its own behind the handler: the handler only puts it
/// off.
pub fn raises_later(handler: &Handler<'_, '_, '_, '_>) -> bool {
    struct Raises<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        behind: TextSize,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Raises<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtRaise(statement) = node
                && statement.start() >= self.behind
                && let Some(raised) = statement.exc.as_deref()
            {
                let class = match raised {
                    Expr::Call(call) => &*call.func,
                    other => other,
                };
                self.found |= self.file.semantics.means(class, CANCELLED);
            }
            own_code(node)
        }
    }
    let mut search = Raises {
        file: handler.file,
        behind: handler.node.end(),
        found: false,
    };
    search.visit_body(handler.code_of_owner());
    search.found
}

/// Collects what a suite stores.
struct Stored<'a>(Vec<&'a Expr>);

impl<'a> SourceOrderVisitor<'a> for Stored<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign) => self.0.extend(&assign.targets),
            AnyNodeRef::StmtAnnAssign(assign) => self.0.push(&assign.target),
            AnyNodeRef::StmtAugAssign(assign) => self.0.push(&assign.target),
            _ => {}
        }
        own_code(node)
    }
}

/// Looks for a use of what was stored.
struct Read<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    stored: Vec<&'f Expr>,
    behind: TextSize,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Read<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if node.start() >= self.behind {
            self.found |= match node {
                AnyNodeRef::ExprName(name) => {
                    name.ctx == ExprContext::Load
                        && self.stored.iter().any(|stored| match stored {
                            Expr::Name(other) => other.id == name.id,
                            Expr::Subscript(item) => {
                                matches!(&*item.value, Expr::Name(other) if other.id == name.id)
                            }
                            _ => false,
                        })
                }
                AnyNodeRef::ExprAttribute(attribute) => {
                    attribute.ctx == ExprContext::Load
                        && self.stored.iter().any(|stored| {
                            let stored = match stored {
                                Expr::Subscript(item) => &item.value,
                                other => *other,
                            };
                            stored.is_attribute_expr()
                                && self.file.text(stored) == self.file.text(attribute)
                        })
                }
                _ => false,
            };
        }
        TraversalSignal::Traverse
    }
}
