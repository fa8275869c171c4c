//! A place in the tree: a node and everything around it.

use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Stmt};
use ruff_text_size::Ranged;

/// A node, seen from the module down to it.
#[derive(Clone, Copy)]
pub struct Site<'s, 'a> {
    /// The nodes around this one, outermost first, without the node itself.
    pub ancestors: &'s [AnyNodeRef<'a>],
    /// The node itself.
    pub node: AnyNodeRef<'a>,
}

/// The function, or what stands in for one, whose code a node is part of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Owner<'a> {
    /// The nearest function around the node, `async` or not.
    Function(&'a ast::StmtFunctionDef),
    /// A lambda.
    Lambda(&'a ast::ExprLambda),
    /// The module itself.
    Module,
}

/// Why `await` cannot stand at a place although the code around it is asynchronous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// In a generator expression: `await` would make it an asynchronous generator.
    GeneratorExpression,
    /// Directly in the body of a class.
    ClassBody,
    /// In a comprehension inside another one: not before Python 3.11 (bpo-33346).
    NestedComprehension,
    /// In a default argument, a decorator or an annotation.
    Signature,
}

impl Obstacle {
    /// The reason, for a finding that is not fixed.
    pub fn reason(self) -> &'static str {
        match self {
            Self::GeneratorExpression => {
                "`await` would turn this generator expression into an asynchronous generator"
            }
            Self::ClassBody => "`await` cannot stand directly in a class body",
            Self::NestedComprehension => {
                "`await` in a comprehension inside another one needs Python 3.11"
            }
            Self::Signature => "`await` does not belong in a default argument or decorator",
        }
    }
}

/// What a node is part of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surroundings<'a> {
    /// The function whose code it is.
    pub owner: Owner<'a>,
    /// What keeps `await` from standing here, however the owner is defined.
    pub obstacle: Option<Obstacle>,
}

/// A list of statements, and one of them.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// All statements of the suite.
    pub suite: &'a [Stmt],
    /// The index of the statement in it.
    pub index: usize,
    /// The statement.
    pub statement: &'a Stmt,
    /// The compound statement, or the clause of one, whose suite this is; `None` for the module.
    pub parent: Option<AnyNodeRef<'a>>,
}

impl<'s, 'a> Site<'s, 'a> {
    /// What the node is part of. `version_allows_nested` is whether the target version lets an
    /// asynchronous comprehension stand in a synchronous one.
    pub fn surroundings(&self, version_allows_nested: bool) -> Surroundings<'a> {
        let mut obstacle = None;
        let mut comprehensions = 0;
        let mut child = self.node;
        // The first iterable of a comprehension is evaluated in the scope around it (Python
        // language reference, 6.2.4); everything else in the comprehension is not.
        let mut in_iterable = false;
        let in_first_iterable =
            |generators: &[ast::Comprehension], child: AnyNodeRef<'_>, in_iterable: bool| {
                in_iterable
                    && generators
                        .first()
                        .is_some_and(|first| first.range() == child.range())
            };
        for ancestor in self.ancestors.iter().rev() {
            match ancestor {
                AnyNodeRef::StmtFunctionDef(function) => {
                    let in_body = function
                        .body
                        .first()
                        .is_some_and(|first| child.start() >= first.start());
                    if in_body {
                        return Surroundings {
                            owner: Owner::Function(function),
                            obstacle,
                        };
                    }
                    obstacle.get_or_insert(Obstacle::Signature);
                }
                AnyNodeRef::ExprLambda(lambda) => {
                    if contains(&*lambda.body, child) {
                        return Surroundings {
                            owner: Owner::Lambda(lambda),
                            obstacle,
                        };
                    }
                    obstacle.get_or_insert(Obstacle::Signature);
                }
                AnyNodeRef::StmtClassDef(class) => {
                    let in_body = class
                        .body
                        .first()
                        .is_some_and(|first| child.start() >= first.start());
                    if in_body {
                        obstacle.get_or_insert(Obstacle::ClassBody);
                    }
                }
                AnyNodeRef::Decorator(_) => {
                    obstacle.get_or_insert(Obstacle::Signature);
                }
                AnyNodeRef::Comprehension(comprehension) => {
                    in_iterable = contains(&comprehension.iter, child);
                }
                AnyNodeRef::ExprGenerator(generator)
                    if !in_first_iterable(&generator.generators, child, in_iterable) =>
                {
                    obstacle.get_or_insert(Obstacle::GeneratorExpression);
                }
                AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
                | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
                | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. })
                    if !in_first_iterable(generators, child, in_iterable) =>
                {
                    comprehensions += 1;
                    if comprehensions > 1 && !version_allows_nested {
                        obstacle.get_or_insert(Obstacle::NestedComprehension);
                    }
                }
                _ => {}
            }
            child = *ancestor;
        }
        Surroundings {
            owner: Owner::Module,
            obstacle,
        }
    }

    /// What the node is part of the code of.
    pub fn owner(&self) -> Owner<'a> {
        // The version only decides where `await` may stand.
        self.surroundings(true).owner
    }

    /// Whether the nearest function around the node is asynchronous, or the module itself where
    /// `module_awaits`.
    pub fn is_asynchronous(&self, module_awaits: bool) -> bool {
        self.ancestors
            .iter()
            .rev()
            .find_map(|node| match node {
                AnyNodeRef::StmtFunctionDef(function) => Some(function.is_async),
                AnyNodeRef::ExprLambda(_) => Some(false),
                _ => None,
            })
            .unwrap_or(module_awaits)
    }

    /// The nearest node around this one.
    pub fn parent(&self) -> Option<AnyNodeRef<'a>> {
        self.ancestors.last().copied()
    }

    /// The same place, one node further out.
    pub fn outer(&self) -> Option<Site<'s, 'a>> {
        let (node, ancestors) = self.ancestors.split_last()?;
        Some(Site {
            ancestors,
            node: *node,
        })
    }

    /// The nearest statement around the node, or the node itself if it is one.
    pub fn statement(&self) -> Option<Site<'s, 'a>> {
        let mut site = *self;
        while !site.node.is_statement() {
            site = site.outer()?;
        }
        Some(site)
    }

    /// The suite of the nearest statement.
    pub fn place(&self) -> Option<Place<'a>> {
        let site = self.statement()?;
        let parent = site.parent()?;
        suites_of(parent).into_iter().find_map(|suite| {
            let index = suite
                .binary_search_by_key(&site.node.start(), Ranged::start)
                .ok()?;
            let statement = suite.get(index)?;
            (statement.range() == site.node.range()).then_some(Place {
                suite,
                index,
                statement,
                parent: (!parent.is_mod_module()).then_some(parent),
            })
        })
    }

    /// The statements around the node up to the function it belongs to, innermost first, each with
    /// the child through which it is reached.
    pub fn enclosing_in_function(
        &self,
    ) -> impl Iterator<Item = (AnyNodeRef<'a>, AnyNodeRef<'a>)> + use<'s, 'a> {
        let mut child = self.node;
        self.ancestors
            .iter()
            .rev()
            .take_while(|node| {
                !matches!(
                    node,
                    AnyNodeRef::StmtFunctionDef(_)
                        | AnyNodeRef::ExprLambda(_)
                        | AnyNodeRef::StmtClassDef(_)
                )
            })
            .map(move |node| {
                let pair = (*node, child);
                child = *node;
                pair
            })
    }

    /// The class whose method the node is part of, when the owner is a method.
    pub fn class(&self) -> Option<&'a ast::StmtClassDef> {
        let mut in_function = false;
        for ancestor in self.ancestors.iter().rev() {
            match ancestor {
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::ExprLambda(_) => in_function = true,
                AnyNodeRef::StmtClassDef(class) => return in_function.then_some(class),
                _ => {}
            }
        }
        None
    }
}

fn contains(outer: impl Ranged, inner: impl Ranged) -> bool {
    outer.range().contains_range(inner.range())
}

/// The suites of a compound statement, of one of its clauses, or of the module.
pub fn suites_of(node: AnyNodeRef<'_>) -> Vec<&[Stmt]> {
    match node {
        AnyNodeRef::ModModule(module) => vec![&module.body],
        AnyNodeRef::StmtFunctionDef(function) => vec![&function.body],
        AnyNodeRef::StmtClassDef(class) => vec![&class.body],
        AnyNodeRef::StmtIf(statement) => vec![&statement.body],
        AnyNodeRef::ElifElseClause(clause) => vec![&clause.body],
        AnyNodeRef::StmtFor(statement) => vec![&statement.body, &statement.orelse],
        AnyNodeRef::StmtWhile(statement) => vec![&statement.body, &statement.orelse],
        AnyNodeRef::StmtWith(statement) => vec![&statement.body],
        AnyNodeRef::StmtTry(statement) => {
            vec![&statement.body, &statement.orelse, &statement.finalbody]
        }
        AnyNodeRef::ExceptHandlerExceptHandler(handler) => vec![&handler.body],
        AnyNodeRef::MatchCase(case) => vec![&case.body],
        _ => Vec::new(),
    }
}

/// The suites a statement holds, in source order, its clauses' included.
pub fn suites_in(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::If(inner) => std::iter::once(inner.body.as_slice())
            .chain(inner.elif_else_clauses.iter().map(|clause| &*clause.body))
            .collect(),
        Stmt::Try(inner) => std::iter::once(inner.body.as_slice())
            .chain(inner.handlers.iter().map(|handler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                handler.body.as_slice()
            }))
            .chain([inner.orelse.as_slice(), inner.finalbody.as_slice()])
            .collect(),
        Stmt::Match(inner) => inner
            .cases
            .iter()
            .map(|case| case.body.as_slice())
            .collect(),
        other => suites_of(other.into()),
    }
}
