//! Code that is written twice, for synchronous and asynchronous callers, by intention.

use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use crate::file::ParsedFile;

/// Words in a condition that say which kind of caller a branch is for.
const CALLERS: [&str; 3] = ["_IS_SYNC", "_IS_ASYNC", "IS_ASYNC"];

/// Words in the names of functions that tell what is a coroutine, or a coroutine function.
const QUESTIONS: [&str; 3] = ["iscoroutine", "isawaitable", "is_coroutine"];

/// Whether `site` stands in a branch for one kind of caller: `if _IS_SYNC:`, `if True:  # ASYNC`
/// (both as unasync and its like use them), or, where that counts, a branch on whether a function that has to do with it
/// is a coroutine function. Judged by names, because being wrong here only means to hold back.
pub fn has_twin(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>, counts_questions: bool) -> bool {
    site.enclosing_in_function().any(|(node, _)| {
        let AnyNodeRef::StmtIf(statement) = node else {
            return false;
        };
        let header_end = statement
            .body
            .first()
            .map_or(statement.end(), Ranged::start);
        let header = TextRange::new(statement.start(), header_end);
        let test = file.text(&*statement.test);
        CALLERS.iter().any(|word| test.contains(word))
            || counts_questions && asks_about(file, &statement.test, site.node)
            || file
                .comments
                .comments_in_range(header)
                .iter()
                .any(|comment| file.text(comment).trim_start_matches(['#', ' ']) == "ASYNC")
    })
}

/// Whether a condition may ask if `node` has to do with a coroutine. A question about a function may be
/// meant for all that are named in the same way: methods of one object, or plain names.
fn asks_about(file: &ParsedFile<'_, '_>, condition: &Expr, node: AnyNodeRef<'_>) -> bool {
    let text = file.text(condition);
    let words: usize = QUESTIONS
        .iter()
        .map(|word| text.matches(word).count())
        .sum();
    if words == 0 {
        return false;
    }
    let questions = Calls::within(condition.into(), &|call| {
        last_name(&call.func).is_some_and(|name| QUESTIONS.iter().any(|word| name.contains(word)))
    });
    let has_to_do = |question: &ast::ExprCall| {
        let Some(asked) = question.arguments.args.first() else {
            return true;
        };
        if last_name(&question.func).is_some_and(|name| name.contains("function")) {
            // What is true of one function may be true of those beside it.
            let beside = receiver(asked).map(|receiver| file.text(receiver));
            let asked = file.text(asked);
            let is_called = |call: &ast::ExprCall| {
                receiver(&call.func).map(|receiver| file.text(receiver)) == beside
                    || file.text(&*call.func).contains(asked)
            };
            !Calls::within(node, &is_called).is_empty()
        } else {
            file.text(node).contains(file.text(asked))
        }
    };
    // A word may stand for an answer that was given before.
    questions.len() < words || questions.into_iter().any(has_to_do)
}

/// What a method is taken from.
fn receiver(function: &Expr) -> Option<&Expr> {
    function.as_attribute_expr().map(|method| &*method.value)
}

/// Looks for calls.
struct Calls<'a, 'f> {
    is_sought: &'f dyn Fn(&ast::ExprCall) -> bool,
    found: Vec<&'a ast::ExprCall>,
}

impl<'a, 'f> Calls<'a, 'f> {
    fn within(
        node: AnyNodeRef<'a>,
        is_sought: &'f dyn Fn(&ast::ExprCall) -> bool,
    ) -> Vec<&'a ast::ExprCall> {
        let mut search = Calls {
            is_sought,
            found: Vec::new(),
        };
        search.enter_node(node);
        node.visit_source_order(&mut search);
        search.found
    }
}

impl<'a> SourceOrderVisitor<'a> for Calls<'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && (self.is_sought)(call)
        {
            self.found.push(call);
        }
        TraversalSignal::Traverse
    }
}
