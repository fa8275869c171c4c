//! A `gather` inside of an expression: the call gets a statement of its own, before the one that it is part of.

use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::rewrite::{RESULTS, TITLE, WIDER};
use super::taken_apart::ASSIGN_FIRST;
use crate::edit::fresh_names;
use crate::edit::insertion::Slot;
use crate::finding::Rewrite;
use crate::gather::return_exceptions::Gather;

/// The same in a module without annotations, which somebody may check all the same.
const WIDER_IF_CHECKED: &str =
    "if type checkers look at this code, the results become `T | BaseException` to them";

/// Whether evaluating an expression has no effect and does not depend on when it happens.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Name(_)
        | Expr::StringLiteral(_)
        | Expr::BytesLiteral(_)
        | Expr::NumberLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NoneLiteral(_) => true,
        Expr::Attribute(attribute) => is_plain(&attribute.value),
        // `names[:5]`
        Expr::Subscript(subscript) => is_plain(&subscript.value) && is_plain(&subscript.slice),
        Expr::Slice(slice) => [&slice.lower, &slice.upper, &slice.step]
            .into_iter()
            .flatten()
            .all(|bound| is_plain(bound)),
        _ => false,
    }
}

impl Gather<'_, '_, '_, '_> {
    pub(super) fn rewrite_consumed(&self, argument: Edit) -> Result<Rewrite, String> {
        if self.is_whole_value() {
            return self.bind_first(argument, Some(self.wider()));
        }
        let slot = Slot::of(self.file, &self.place)?;
        // `if found := await gather(…):` has a name already.
        let (results, mut range) = if let Some((name, range)) = self.named() {
            (name.to_owned(), range)
        } else {
            let results = fresh_names::fresh(self.file, self.owner, RESULTS);
            (results, self.with_parentheses())
        };
        self.can_be_bound_first()?;
        // The call moves to a statement of its own, with its bytes, the new argument included.
        let call = self.file.text(self.awaited);
        if self.file.comments.intersects(self.awaited.range()) {
            return Err("the call holds a comment; assign the result first".to_owned());
        }
        self.keeps_order_of_strings(self.awaited.start())?;
        let at = (argument.start() - self.awaited.start()).to_usize();
        let (before, after) = call.split_at_checked(at).unwrap_or((call, ""));
        let mut text = format!(
            "{results} = {before}{}{after}",
            argument.content().unwrap_or_default()
        );
        if text.contains(['\n', '\r']) {
            text = self.moved_left(&text)?;
            range = self.with_space_around(range);
        }
        let mut lines = vec![text];
        lines.extend(self.guard(&results));
        let edits = [
            slot.before(&lines, ""),
            Some(Edit::range_replacement(results, range)),
        ];
        let rewrite = Rewrite::safe(TITLE, edits.into_iter().flatten().collect());
        Ok(rewrite.unsafe_if(Some(self.wider())))
    }

    /// Why the results are not given on as safely as they were.
    fn wider(&self) -> &'static str {
        if self.is_typed() {
            WIDER
        } else {
            WIDER_IF_CHECKED
        }
    }

    /// The name that an assignment expression around the call gives its value, with the range of that expression.
    fn named(&self) -> Option<(&str, TextRange)> {
        let named = self.site.outer()?;
        let AnyNodeRef::ExprNamed(inner) = named.node else {
            return None;
        };
        let parenthesized = named.parent().and_then(|parent| {
            ast::token::parenthesized_range(inner.into(), parent, self.file.tokens())
        });
        let range = parenthesized.unwrap_or(inner.range());
        Some((self.file.text(&*inner.target), range))
    }

    /// The lines of a call that gets a statement of its own: as deep below that as they were below the line that the
    /// call starts on.
    fn moved_left(&self, text: &str) -> Result<String, String> {
        let file = self.file;
        if self.has_long_string() {
            return Err(
                "the call holds a string of several lines; assign the result first".to_owned(),
            );
        }
        let old = file.indentation_at(self.awaited.start());
        let own = file.indentation_at(self.place.statement.start());
        let Some(more) = old.strip_prefix(own) else {
            return Err(ASSIGN_FIRST.to_owned());
        };
        let mut moved = String::new();
        for line in text.split_inclusive('\n') {
            let rest = match line.strip_prefix(old) {
                Some(rest) if !moved.is_empty() && !more.is_empty() => {
                    moved.push_str(own);
                    rest
                }
                _ => line,
            };
            moved.push_str(rest);
        }
        Ok(moved)
    }

    /// Whether the call holds a string of several lines.
    fn has_long_string(&self) -> bool {
        let tokens = self.file.tokens().in_range(self.awaited.range());
        tokens.iter().any(|token| {
            matches!(
                token.kind(),
                TokenKind::String | TokenKind::FStringMiddle | TokenKind::TStringMiddle
            ) && self.file.text(token.range()).contains(['\n', '\r'])
        })
    }

    /// A range with the white space around it, where that is all that stands in brackets.
    fn with_space_around(&self, range: TextRange) -> TextRange {
        let source = self.file.source;
        let (before, behind) = (
            &source[..range.start().to_usize()],
            &source[range.end().to_usize()..],
        );
        let (left, right) = (before.trim_end(), behind.trim_start());
        let right = right.strip_prefix(',').map_or(right, str::trim_start);
        if !left.ends_with('(') || !right.starts_with(')') {
            return range;
        }
        let grown =
            |all: &str, rest: &str| TextSize::try_from(all.len() - rest.len()).unwrap_or_default();
        TextRange::new(
            range.start() - grown(before, left),
            range.end() + grown(behind, right),
        )
    }

    /// Whether the statement assigns or returns the value of the call and does nothing else.
    fn is_whole_value(&self) -> bool {
        let value = match self.place.statement {
            Stmt::Assign(statement) => Some(&*statement.value),
            Stmt::AnnAssign(statement) => statement.value.as_deref(),
            Stmt::Return(statement) => statement.value.as_deref(),
            _ => None,
        };
        value.is_some_and(|value| value.range() == self.awaited.range())
    }

    /// Whether the call can be evaluated before its statement without changing what happens when.
    fn can_be_bound_first(&self) -> Result<(), String> {
        let mut child = self.site.node;
        for ancestor in self.site.ancestors.iter().rev() {
            let moved_past = match ancestor {
                _ if ancestor.is_statement() => {
                    return match ancestor {
                        AnyNodeRef::StmtWhile(_) => {
                            Err("the call is in a loop condition".to_owned())
                        }
                        AnyNodeRef::StmtAssert(_) => {
                            Err("the call is inside an `assert`".to_owned())
                        }
                        AnyNodeRef::StmtIf(_)
                        | AnyNodeRef::StmtFor(_)
                        | AnyNodeRef::StmtReturn(_)
                        | AnyNodeRef::StmtAssign(_)
                        | AnyNodeRef::StmtAnnAssign(_)
                        | AnyNodeRef::StmtAugAssign(_)
                        | AnyNodeRef::StmtExpr(_) => Ok(()),
                        _ => Err(ASSIGN_FIRST.to_owned()),
                    };
                }
                AnyNodeRef::ExprCall(call) => {
                    is_plain(&call.func)
                        && call
                            .arguments
                            .iter_source_order()
                            .take_while(|argument| argument.end() <= self.site.node.start())
                            .all(|argument| is_plain(argument.value()))
                }
                AnyNodeRef::Arguments(_)
                | AnyNodeRef::Keyword(_)
                | AnyNodeRef::ExprStarred(_)
                | AnyNodeRef::ExprNamed(_)
                | AnyNodeRef::ExprUnaryOp(_)
                | AnyNodeRef::ExprAttribute(_) => true,
                // What stands behind it may not be evaluated at all.
                AnyNodeRef::ExprBoolOp(operation) => operation
                    .values
                    .first()
                    .is_some_and(|first| first.range() == child.range()),
                AnyNodeRef::ExprIf(either) => either.test.range() == child.range(),
                AnyNodeRef::ExprCompare(comparison) => {
                    comparison.left.range() == child.range()
                        || comparison.comparators.len() == 1 && is_plain(&comparison.left)
                }
                AnyNodeRef::ExprBinOp(operation) => {
                    operation.left.range() == child.range() || is_plain(&operation.left)
                }
                AnyNodeRef::ExprSubscript(subscript) => {
                    subscript.value.range().contains_range(child.range())
                }
                AnyNodeRef::ExprTuple(ast::ExprTuple { elts, .. })
                | AnyNodeRef::ExprList(ast::ExprList { elts, .. }) => elts
                    .iter()
                    .take_while(|elt| elt.end() <= self.site.node.start())
                    .all(is_plain),
                AnyNodeRef::ExprDict(dict) => dict
                    .items
                    .iter()
                    .flat_map(|item| item.key.as_ref().into_iter().chain([&item.value]))
                    .take_while(|part| part.end() <= self.site.node.start())
                    .all(is_plain),
                AnyNodeRef::Comprehension(comprehension) => {
                    comprehension.iter.range().contains_range(child.range())
                }
                AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
                | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
                | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. })
                | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. }) => generators
                    .first()
                    .is_some_and(|first| first.range() == child.range()),
                _ => false,
            };
            if !moved_past {
                return Err(ASSIGN_FIRST.to_owned());
            }
            child = *ancestor;
        }
        Err(ASSIGN_FIRST.to_owned())
    }
}
