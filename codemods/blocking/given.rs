//! A call whose result is given to what runs functions in threads: `to_thread(f(x))` calls `f` on the
//! loop, and would then call its result.

use asyncfix_analysis::answers::blocking::starter;
use asyncfix_knowledge::blocking::Starter;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::blocking::rewrite::Blocking;
use crate::blocking::thread::with_callee;
use crate::edit::blocks::COMMENT;
use crate::edit::imports;
use crate::file::File;
use crate::finding::Rewrite;

/// What a call's result is given to in the place of a function.
pub struct Given<'a> {
    starter: &'static Starter,
    to: &'a ast::ExprCall,
}

impl<'a> Given<'a> {
    /// What the result of the call at `site` is given to, if that runs functions in threads, and nothing
    /// is given with it that a function could be called with.
    pub fn of(file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Self> {
        let arguments = site.outer()?;
        let AnyNodeRef::Arguments(node) = arguments.node else {
            return None;
        };
        let AnyNodeRef::ExprCall(to) = arguments.outer()?.node else {
            return None;
        };
        let starter = starter(file, to)?;
        let is_function = node.args.len() == starter.position + 1
            && node
                .args
                .last()
                .is_some_and(|last| last.range() == site.node.range())
            && !node.args.iter().any(Expr::is_starred_expr)
            && (node.keywords.is_empty() || !starter.keywords);
        is_function.then_some(Self { starter, to })
    }

    /// The rewrite that gives the function, and its arguments behind it.
    pub fn rewrite(&self, blocking: &Blocking<'_, '_, 'a, '_>) -> Result<Rewrite, String> {
        let (file, call) = (blocking.file, blocking.call);
        let (mut text, replaced) = with_callee(file, call, blocking.callee())?;
        let close = TextRange::new(call.end() - TextSize::from(1), call.end());
        let is_partial = !call.arguments.keywords.is_empty() && !self.starter.keywords;
        let mut edits = Vec::new();
        let mut import = None;
        if is_partial {
            let imported = imports::import(
                file,
                "functools",
                "partial",
                blocking.scope()?,
                call.start(),
            )?;
            text = format!("{}({text}", imported.expression);
            import = imported.edit;
        } else {
            // The first line of the arguments is that of the call.
            text.drain(..text.len() - text.trim_start().len());
            let last = call
                .arguments
                .iter_source_order()
                .last()
                .map(|last| last.range().end());
            let behind = last.map(|last| TextRange::new(last, close.start()));
            let behind = behind.filter(|behind| file.text(*behind).contains(','));
            if let Some(behind) = behind
                && file.comments.intersects(behind)
            {
                return Err(COMMENT.to_owned());
            }
            edits.push(Edit::range_deletion(
                behind.map_or(close, |behind| behind.cover(close)),
            ));
        }
        edits.insert(
            0,
            Edit::range_replacement(text, TextRange::new(call.start(), replaced)),
        );
        let title = format!(
            "Pass the function and its arguments to `{}`",
            one_line(file.text(&*self.to.func))
        );
        Ok(Rewrite::safe(title, edits).with_shared(import))
    }
}

/// Whether a function may give another one, which is to be called.
pub fn gives_function(function: &ast::StmtFunctionDef) -> bool {
    #[derive(Default)]
    struct Search<'a> {
        inner: Vec<&'a str>,
        returned: Vec<&'a Expr>,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFunctionDef(inner) => {
                    self.inner.push(&inner.name);
                    TraversalSignal::Skip
                }
                AnyNodeRef::StmtClassDef(_) | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
                AnyNodeRef::StmtReturn(inner) => {
                    self.returned.extend(inner.value.as_deref());
                    TraversalSignal::Traverse
                }
                _ => TraversalSignal::Traverse,
            }
        }
    }
    let is_annotated = function
        .returns
        .as_deref()
        .is_some_and(|returns| match returns {
            Expr::Subscript(generic) => last_name(&generic.value) == Some("Callable"),
            other => last_name(other) == Some("Callable"),
        });
    let mut search = Search::default();
    search.visit_body(&function.body);
    is_annotated
        || search.returned.iter().any(|value| match value {
            Expr::Lambda(_) => true,
            Expr::Name(name) => search.inner.contains(&name.id.as_str()),
            Expr::Call(call) => last_name(&call.func) == Some("partial"),
            _ => false,
        })
}
