//! What only a coroutine function may hold.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::site::Site;

/// What only a coroutine function may hold, directly in the body of a plain one.
pub struct Awaited<'a> {
    /// The `await`s.
    pub awaits: Vec<&'a ast::ExprAwait>,
    /// Whether one of them stands where it may run more than once: in a loop or a comprehension.
    pub repeats: bool,
    /// `async for` and `async with`, and asynchronous comprehensions: the place of the first, and which it is.
    pub other: Option<(TextRange, &'static str)>,
}

impl Awaited<'_> {
    /// The place of the first keyword that needs a coroutine function, and which it is. What is awaited is all right.
    pub fn first(&self) -> Option<(TextRange, &'static str)> {
        let awaits = self.awaits.iter();
        let awaits = awaits.map(|expr| {
            let range = TextRange::at(expr.start(), TextSize::of("await"));
            (range, "await")
        });
        awaits
            .chain(self.other)
            .min_by_key(|(range, _)| range.start())
    }
}

/// Everything in the body of `function` that needs a coroutine function.
pub fn awaited_in(function: &ast::StmtFunctionDef) -> Awaited<'_> {
    awaited_in_body(&function.body)
}

/// Everything in some statements that needs a coroutine function around them.
pub fn awaited_in_body(body: &[Stmt]) -> Awaited<'_> {
    struct Collect<'a> {
        found: Awaited<'a>,
        ancestors: Vec<AnyNodeRef<'a>>,
    }
    impl<'a> SourceOrderVisitor<'a> for Collect<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let site = Site {
                ancestors: &self.ancestors,
                node,
            };
            let other = match node {
                AnyNodeRef::ExprAwait(expr) => {
                    self.found.awaits.push(expr);
                    self.found.repeats |= repeats(&site);
                    None
                }
                AnyNodeRef::StmtFor(statement) if statement.is_async => Some("async for"),
                AnyNodeRef::StmtWith(statement) if statement.is_async => Some("async with"),
                AnyNodeRef::Comprehension(clause) if clause.is_async => Some("async for"),
                _ => None,
            };
            if let Some(other) = other {
                let range = TextRange::at(node.start(), TextSize::of("async"));
                self.found.other.get_or_insert((range, other));
            }
            self.ancestors.push(node);
            match node {
                AnyNodeRef::StmtFunctionDef(_)
                | AnyNodeRef::StmtClassDef(_)
                | AnyNodeRef::ExprLambda(_)
                // It is legal there: the generator is an asynchronous one.
                | AnyNodeRef::ExprGenerator(_) => TraversalSignal::Skip,
                _ => TraversalSignal::Traverse,
            }
        }

        fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
            self.ancestors.pop();
        }
    }
    let mut collect = Collect {
        found: Awaited {
            awaits: Vec::new(),
            repeats: false,
            other: None,
        },
        ancestors: Vec::new(),
    };
    collect.visit_body(body);
    collect.found
}

/// Whether the function holds something that needs a coroutine function.
pub fn needs_coroutine(function: &ast::StmtFunctionDef) -> bool {
    let found = awaited_in(function);
    !found.awaits.is_empty() || found.other.is_some()
}

/// Whether code at `site` may run more than once each time the function around it does.
pub fn repeats(site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::StmtFor(statement) => statement.iter.range() != child.range(),
            AnyNodeRef::StmtWhile(_)
            | AnyNodeRef::ExprGenerator(_)
            | AnyNodeRef::ExprListComp(_)
            | AnyNodeRef::ExprSetComp(_)
            | AnyNodeRef::ExprDictComp(_) => true,
            _ => false,
        })
}
