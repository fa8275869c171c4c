//! What becomes of the variables of a block that moves into a function.

use asyncfix_analysis::answers::flow::Exits;
use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_syntax::depth::Depth;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use crate::blocking::block::{Block, bound_by_alias};
use crate::file::File;

/// What becomes of the variables that a block uses.
#[derive(Default)]
pub(super) struct Variables {
    /// They are given back.
    pub(super) returned: Vec<String>,
    /// They stay variables of the function around.
    pub(super) outside: Vec<String>,
    /// They are given to the new function.
    pub(super) parameters: Vec<String>,
    /// Why that is unsafe.
    pub(super) unsafe_because: Option<String>,
}

/// What becomes of the variables of `block`, the statement at `site`. `function` is around it, and
/// `scope` is its scope.
///
/// `Err` with the reason where the block cannot become a function.
pub(super) fn of_block<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    function: &'a ast::StmtFunctionDef,
    scope: FileScopeId,
    block: &Block<'a, '_, '_>,
) -> Result<Variables, String> {
    let semantics = &file.semantics;
    let range = site.node.range();
    let mut variables = Variables::default();
    let around = Around::of(function, range);
    let is_in_loop = site
        .enclosing_in_function()
        .any(|(node, _)| matches!(node, AnyNodeRef::StmtFor(_) | AnyNodeRef::StmtWhile(_)));
    for name in block.bound_names() {
        if semantics.is_declared_outside(name, scope) {
            return Err(format!(
                "the block assigns `{name}`, which is not a local variable"
            ));
        }
        if block.deleted.contains(name) {
            return Err(format!("the block deletes `{name}`"));
        }
        let is_own_scope =
            |load: &ast::ExprName| semantics.scope_of(ast::ExprRef::from(load)) == Some(scope);
        let from_inside = |load: &ast::ExprName| {
            semantics.bindings(load).is_none_or(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_some_and(|at| range.contains_range(at))
                })
            })
        };
        let loads = || around.loads.iter().filter(|load| load.id == name);
        // Without a binding in the function, its name would mean that of the module.
        let is_only_binding = !around.bound.contains(name);
        let is_used = around.rebound.contains(name)
            || loads().any(|load| from_inside(load))
            || is_only_binding && loads().any(|load| semantics.is_use_of(load, scope));
        let is_bound = |elsewhere: &dyn Fn(TextRange) -> bool| {
            semantics.lookup(name, scope).is_none_or(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_none_or(elsewhere)
                })
            })
        };
        let is_bound_outside = is_bound(&|at| !range.contains_range(at));
        let is_bound_before =
            is_bound(&|at| !range.contains_range(at) && (is_in_loop || at.start() < range.start()));
        // What an earlier turn of a loop has left.
        let may_be_unbound =
            block.loads.iter().chain(&block.augmented).any(|load| {
                load.id == name && is_own_scope(load) && semantics.may_be_unbound(load)
            });
        let definite = block.definite.contains(name);
        // What the block finds bound when it starts.
        let comes_in = is_bound_outside
            && (may_be_unbound
                || block.augmented.iter().any(|target| target.id == name)
                || block.loads.iter().any(|load| {
                    load.id == name
                        && semantics.bindings(load).is_none_or(|definitions| {
                            definitions.iter().any(|definition| {
                                semantics
                                    .definition_range(*definition)
                                    .is_none_or(|at| !range.contains_range(at))
                            })
                        })
                }));
        if !is_bound_outside && may_be_unbound {
            return Err(format!("the block may read `{name}` before assigning it"));
        }
        if !is_used && !comes_in {
            continue;
        }
        if is_used && block.closes(name) {
            return Err(format!("the block closes `{name}`, which is used after it"));
        }
        let is_last = block.last.contains(name);
        let needs_place = comes_in || !definite || !is_last && is_caught(file, site, name);
        if is_bound_before || is_bound_outside && needs_place {
            variables.unsafe_because.get_or_insert_with(|| {
                format!("the block reassigns `{name}`, which has a value already")
            });
            if !needs_place {
                variables.returned.push(name.to_owned());
            } else if is_only_binding {
                return Err(format!(
                    "only the block assigns `{name}`, which another function uses"
                ));
            } else {
                variables.outside.push(name.to_owned());
            }
            continue;
        }
        if !definite {
            return Err(format!(
                "`{name}` is not assigned on every path through the block"
            ));
        }
        if needs_place {
            variables.unsafe_because.get_or_insert_with(|| {
                format!("after an exception later in the block, `{name}` would be unassigned")
            });
        }
        variables.returned.push(name.to_owned());
    }
    let given = bound_in_loop(file, site, range, &block.loads).into_iter();
    variables.parameters = given
        .filter(|name| !block.bound_names().contains(name))
        .map(str::to_owned)
        .collect();
    Ok(variables)
}

/// Whether an exception of the block may be caught in the same function where somebody asks for `name` after it.
fn is_caught(file: &File<'_, '_>, site: &Site<'_, '_>, name: &str) -> bool {
    site.enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::StmtTry(statement) => {
                let mut body = statement.body.iter();
                body.any(|inner| inner.range().contains_range(child.range()))
                    && asks_after(file, statement, name)
            }
            AnyNodeRef::StmtWith(statement) => statement.items.iter().any(|item| {
                matches!(&item.context_expr, Expr::Call(call)
                if file.semantics.means(&call.func, &["contextlib.suppress"]))
            }),
            _ => false,
        })
}

/// Whether code may ask for `name` after an exception in the body of a `try`: what cleans up does, or a handler that
/// goes on.
fn asks_after(file: &File<'_, '_>, statement: &ast::StmtTry, name: &str) -> bool {
    if mentions(&statement.finalbody, name) {
        return true;
    }
    statement
        .handlers
        .iter()
        .any(|ast::ExceptHandler::ExceptHandler(handler)| {
            let exits = Exits::of(file, &handler.body);
            let mut jumps = exits.jumps.iter();
            exits.falls
                || jumps.any(|jump| !jump.statement.is_return_stmt())
                || mentions(&handler.body, name)
        })
}

/// Whether a suite speaks of a name.
fn mentions(suite: &[Stmt], name: &str) -> bool {
    struct Search<'n> {
        name: &'n str,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= matches!(node, AnyNodeRef::ExprName(other) if other.id == self.name);
            TraversalSignal::Traverse
        }
    }
    let mut search = Search { name, found: false };
    search.visit_body(suite);
    search.found
}

/// The variables in `loads`, all in `range`, that a loop around has bound for certain. A function that
/// is made in a loop is given them: it would see what they are when it is called, and linters warn
/// of that (flake8-bugbear's B023).
pub(super) fn bound_in_loop<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    range: TextRange,
    loads: &[&'a ast::ExprName],
) -> Vec<&'a str> {
    let semantics = &file.semantics;
    let outermost = site
        .enclosing_in_function()
        .filter(|(node, child)| match node {
            AnyNodeRef::StmtFor(statement) => statement.iter.range() != child.range(),
            other => matches!(
                other,
                AnyNodeRef::StmtWhile(_)
                    | AnyNodeRef::ExprListComp(_)
                    | AnyNodeRef::ExprSetComp(_)
                    | AnyNodeRef::ExprDictComp(_)
            ),
        });
    let Some((turns, _)) = outermost.last() else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for load in loads {
        let is_bound_there = || {
            semantics
                .bindings(load)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|definition| semantics.definition_range(definition))
                .any(|at| turns.range().contains_range(at) && !range.contains_range(at))
        };
        if !names.contains(&load.id.as_str())
            && is_bound_there()
            // The block may well know when not to ask for it.
            && !semantics.may_be_unbound(load)
        {
            names.push(load.id.as_str());
        }
    }
    names
}

/// The names in a function, outside of one block.
struct Around<'a> {
    inside: TextRange,
    loads: Vec<&'a ast::ExprName>,
    /// Names that are changed, or deleted, or bound by an inner function.
    rebound: FxHashSet<&'a str>,
    /// Names that the function itself binds.
    bound: FxHashSet<&'a str>,
    depth: Depth,
    /// Whether the walk is at the target of a comprehension, which is a variable of its own.
    is_at_target: bool,
}

impl<'a> Around<'a> {
    fn of(function: &'a ast::StmtFunctionDef, inside: TextRange) -> Self {
        let parameters = function.parameters.iter();
        let mut around = Self {
            inside,
            loads: Vec::new(),
            rebound: FxHashSet::default(),
            bound: parameters
                .map(|parameter| parameter.name().as_str())
                .collect(),
            depth: Depth::default(),
            is_at_target: false,
        };
        around.visit_body(&function.body);
        around
    }

    fn bind(&mut self, name: &'a str) {
        if !self.depth.is_inside() && !self.is_at_target {
            self.bound.insert(name);
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Around<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.inside == node.range() && node.is_statement() {
            return TraversalSignal::Skip;
        }
        match node {
            AnyNodeRef::ExprName(name) => match name.ctx {
                ExprContext::Load => self.loads.push(name),
                ExprContext::Del => {
                    self.rebound.insert(&name.id);
                }
                ExprContext::Store => self.bind(&name.id),
                ExprContext::Invalid => {}
            },
            AnyNodeRef::StmtAugAssign(statement) => {
                if let Expr::Name(name) = &*statement.target {
                    self.rebound.insert(&name.id);
                }
            }
            AnyNodeRef::StmtNonlocal(statement) => {
                self.rebound
                    .extend(statement.names.iter().map(ast::Identifier::as_str));
            }
            AnyNodeRef::Alias(alias) => self.bind(bound_by_alias(alias)),
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                handler.name.iter().for_each(|name| self.bind(name));
            }
            AnyNodeRef::PatternMatchAs(pattern) => {
                pattern.name.iter().for_each(|name| self.bind(name));
            }
            AnyNodeRef::PatternMatchStar(pattern) => {
                pattern.name.iter().for_each(|name| self.bind(name));
            }
            AnyNodeRef::PatternMatchMapping(pattern) => {
                pattern.rest.iter().for_each(|name| self.bind(name));
            }
            AnyNodeRef::StmtFunctionDef(function) => self.bind(&function.name),
            AnyNodeRef::StmtClassDef(class) => self.bind(&class.name),
            _ => {}
        }
        self.depth.enter(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        self.depth.leave(node);
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        let around = std::mem::replace(&mut self.is_at_target, true);
        self.visit_expr(&comprehension.target);
        self.is_at_target = around;
        self.visit_expr(&comprehension.iter);
        for condition in &comprehension.ifs {
            self.visit_expr(condition);
        }
    }
}
