//! How much work it makes to tell the type of a name behind the conditions that were asked about it.
//!
//! The type engine keeps what is known of a name as alternatives: behind
//! `if isinstance(x, str) and x == "a"`, `x` is no string *or* not `"a"`. The next such condition
//! doubles the alternatives, and with twenty in a row the engine does not come to an end. Conditions
//! that leave one possibility each only add up, however many there are, and conditions about other
//! names do not count at all. So what is counted here is, for one name at a time, the alternatives
//! multiplied and the conditions added, the way the engine combines them.

use crate::limits::{ALTERNATIVES, CONDITIONS_ON_NAME};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_stmt};
use ruff_python_ast::{self as ast, AnyNodeRef, BoolOp, Expr, Stmt, UnaryOp};
use rustc_hash::FxHashMap;
use ty_python_core::place::{PlaceExpr, PlaceTable, ScopedPlaceId};

/// Whether the conditions in `body`, the code of the scope with the table `places`, are too many for
/// the type engine to be asked about anything there.
pub(crate) fn is_endless(body: &[Stmt], places: &PlaceTable) -> bool {
    let mut search = Conditions {
        places,
        work: FxHashMap::default(),
    };
    search.visit_body(body);
    search.work.values().any(|work| {
        !ALTERNATIVES.allows(work.alternatives) || !CONDITIONS_ON_NAME.allows(work.conditions)
    })
}

/// What the conditions on one name amount to.
#[derive(Clone, Copy)]
struct Work {
    alternatives: usize,
    conditions: usize,
}

/// How many alternatives a condition leaves for each name that it is about.
type Alternatives = FxHashMap<ScopedPlaceId, usize>;

/// The alternatives where a condition holds, and where it does not.
#[derive(Default)]
struct Outcome {
    holds: Alternatives,
    fails: Alternatives,
}

struct Conditions<'p> {
    places: &'p PlaceTable,
    work: FxHashMap<ScopedPlaceId, Work>,
}

impl Conditions<'_> {
    fn add(&mut self, condition: &Expr) {
        let outcome = self.outcome(condition);
        let mut most = outcome.holds;
        for (place, count) in outcome.fails {
            let known = most.entry(place).or_insert(1);
            *known = count.max(*known);
        }
        for (place, count) in most {
            let work = self.work.entry(place).or_insert(Work {
                alternatives: 1,
                conditions: 0,
            });
            work.alternatives = work.alternatives.saturating_mul(count);
            work.conditions += 1;
        }
    }

    fn outcome(&self, condition: &Expr) -> Outcome {
        match condition {
            Expr::UnaryOp(operation) if operation.op == UnaryOp::Not => {
                let Outcome { holds, fails } = self.outcome(&operation.operand);
                Outcome {
                    holds: fails,
                    fails: holds,
                }
            }
            Expr::BoolOp(operation) => {
                let (holds, fails): (Vec<_>, Vec<_>) = operation
                    .values
                    .iter()
                    .map(|value| self.outcome(value))
                    .map(|outcome| (outcome.holds, outcome.fails))
                    .unzip();
                match operation.op {
                    BoolOp::And => Outcome {
                        holds: all_of(holds),
                        fails: one_of(fails),
                    },
                    BoolOp::Or => Outcome {
                        holds: one_of(holds),
                        fails: all_of(fails),
                    },
                }
            }
            _ => {
                let mut asked = Alternatives::default();
                self.add_asked(condition, &mut asked);
                Outcome {
                    holds: asked.clone(),
                    fails: asked,
                }
            }
        }
    }

    /// Adds the names that a single test says something about: its operands, the arguments of a
    /// call such as `isinstance`, and what an operand is a member of, since `shape.kind == "circle"`
    /// tells what `shape` is.
    fn add_asked(&self, test: &Expr, asked: &mut Alternatives) {
        match test {
            Expr::Compare(compare) => {
                self.add_asked(&compare.left, asked);
                for comparator in &compare.comparators {
                    self.add_asked(comparator, asked);
                }
            }
            Expr::Call(call) => {
                for argument in &call.arguments.args {
                    self.add_place(argument, asked);
                }
            }
            Expr::Named(named) => {
                self.add_place(&named.target, asked);
                self.add_asked(&named.value, asked);
            }
            Expr::Attribute(ast::ExprAttribute { value, .. })
            | Expr::Subscript(ast::ExprSubscript { value, .. }) => {
                self.add_place(test, asked);
                self.add_place(value, asked);
            }
            _ => self.add_place(test, asked),
        }
    }

    fn add_place(&self, expr: &Expr, asked: &mut Alternatives) {
        if let Some(place) = PlaceExpr::try_from_expr(expr)
            && let Some(place) = self.places.place_id(&place)
        {
            asked.insert(place, 1);
        }
    }
}

/// What several conditions leave that all apply.
fn all_of(parts: Vec<Alternatives>) -> Alternatives {
    let mut all = Alternatives::default();
    for (place, count) in parts.into_iter().flatten() {
        let known = all.entry(place).or_insert(1);
        *known = count.saturating_mul(*known);
    }
    all
}

/// What several conditions leave one of which applies: nothing about a name that one of them does
/// not ask about.
fn one_of(parts: Vec<Alternatives>) -> Alternatives {
    let mut parts = parts.into_iter();
    let mut one = parts.next().unwrap_or_default();
    for part in parts {
        one.retain(|place, count| match part.get(place) {
            Some(more) => {
                *count = count.saturating_add(*more);
                true
            }
            None => false,
        });
    }
    one
}

impl<'a> SourceOrderVisitor<'a> for Conditions<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtIf(statement) => self.add(&statement.test),
            AnyNodeRef::StmtWhile(statement) => self.add(&statement.test),
            AnyNodeRef::StmtAssert(statement) => self.add(&statement.test),
            AnyNodeRef::ExprIf(conditional) => self.add(&conditional.test),
            AnyNodeRef::ElifElseClause(clause) => {
                if let Some(test) = &clause.test {
                    self.add(test);
                }
            }
            AnyNodeRef::StmtMatch(statement) => {
                for case in &statement.cases {
                    self.add(&statement.subject);
                    if let Some(guard) = &case.guard {
                        self.add(guard);
                    }
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    // Functions inside have conditions of their own.
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if !statement.is_function_def_stmt() {
            walk_stmt(self, statement);
        }
    }
}
