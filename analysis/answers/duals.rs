//! Code that is written twice, for synchronous and asynchronous callers, by intention.

use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Place, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::answers::flow::Exits;
use crate::file::ParsedFile;

/// Words in a condition that say which kind of caller a branch is for.
const CALLERS: [&str; 3] = ["_IS_SYNC", "_IS_ASYNC", "IS_ASYNC"];

/// Words in the names of functions that tell what is a coroutine, or a coroutine function.
const QUESTIONS: [&str; 3] = ["iscoroutine", "isawaitable", "is_coroutine"];

/// Whether `site` stands in a branch for one kind of caller: `if _IS_SYNC:`, `if True:  # ASYNC`
/// (both as unasync and its like use them), or, where that counts, a branch on whether a function that has to do with it
/// is a coroutine function, of a statement or an expression. Judged by names, because being wrong here only means to
/// hold back.
pub fn has_twin(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>, counts_questions: bool) -> bool {
    let counts_questions =
        counts_questions && QUESTIONS.iter().any(|word| file.source.contains(word));
    let is_for_callers = |test: &Expr| {
        let test = file.text(test);
        CALLERS.iter().any(|word| test.contains(word))
    };
    let asks = |test: &Expr| counts_questions && asks_about(file, test, site.node);
    let is_in_branch = site
        .enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::StmtIf(statement) => {
                let header_end = statement
                    .body
                    .first()
                    .map_or(statement.end(), Ranged::start);
                let header = TextRange::new(statement.start(), header_end);
                let mut clauses = statement.elif_else_clauses.iter();
                is_for_callers(&statement.test)
                    || asks(&statement.test)
                    || clauses.any(|clause| clause.test.as_ref().is_some_and(asks))
                    || file
                        .comments
                        .comments_in_range(header)
                        .iter()
                        .any(|comment| file.text(comment).trim_start_matches(['#', ' ']) == "ASYNC")
            }
            AnyNodeRef::ExprIf(either) => is_for_callers(&either.test) || asks(&either.test),
            AnyNodeRef::ExprBoolOp(several) => {
                let before = several.values.iter();
                before
                    .take_while(|value| value.end() <= child.start())
                    .any(asks)
            }
            _ => false,
        });
    is_in_branch || counts_questions && is_behind_branch(file, site)
}

/// Whether a branch before that is for coroutine functions leaves the code, so that `site` is for plain ones:
/// `if iscoroutinefunction(read): return await read()`.
fn is_behind_branch(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>) -> bool {
    let leaves = |statement: &Stmt| {
        matches!(statement, Stmt::If(branch)
            if !branch.test.is_unary_op_expr()
                && asks_about(file, &branch.test, site.node)
                && !Exits::of(file, &branch.body).falls)
    };
    let mut around = site.statement();
    while let Some(statement) = around
        && let Some(Place { suite, index, .. }) = statement.place()
    {
        if suite.iter().take(index).any(leaves) {
            return true;
        }
        let is_outermost = matches!(
            statement.parent(),
            Some(AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_)) | None
        );
        around = (!is_outermost)
            .then(|| statement.outer()?.statement())
            .flatten();
    }
    false
}

/// Whether a condition may ask if `node` has to do with a coroutine. A question about a function may be
/// meant for all that are named in the same way: methods of one object, or plain names.
fn asks_about(file: &ParsedFile<'_, '_>, condition: &Expr, node: AnyNodeRef<'_>) -> bool {
    let kept = match condition {
        Expr::UnaryOp(negated) => &*negated.operand,
        condition => condition,
    };
    // The answer may have been kept: `is_async = iscoroutinefunction(read)`.
    if kept.is_name_expr() {
        let mut values = file.semantics.values_behind(kept).into_iter();
        if values.any(|value| value.is_call_expr() && asks_about(file, value, node)) {
            return true;
        }
    }
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
