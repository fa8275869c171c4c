//! What is written for a `gather`: the argument, and the guard behind it.

use asyncfix_analysis::answers::coroutines::Member;
use asyncfix_analysis::answers::endings::Doubt;
use asyncfix_analysis::settings::GatherGuard;
use asyncfix_syntax::depth::Depth;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Owner;
use ruff_diagnostics::Edit;
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::results::{self, Consumption, Subject, consumption};
use super::{argument, typed};
use crate::edit::aligned::realigned;
use crate::edit::fresh_names;
use crate::edit::insertion::Slot;
use crate::finding::Rewrite;
use crate::gather::return_exceptions::{Gather, Use};

const ARGUMENT: &str = "return_exceptions=True";

const TITLE: &str =
    "Add `return_exceptions=True` and raise the first exception after all have finished";

/// Why a new list without an annotation is not for code that is checked strictly.
const UNTOLD: &str =
    "asyncfix can't tell the type of the new list, so type checkers would see `Any`";

/// Why typed code may not take the results as they are.
const WIDER: &str = "for type checkers the results become `T | BaseException`";

/// The same in a module without annotations, which somebody may check all the same.
const WIDER_IF_CHECKED: &str =
    "if type checkers look at this code, the results become `T | BaseException` to them";

/// Why there is no fix where the call is part of something that cannot be taken apart.
const ASSIGN_FIRST: &str = "assign the result of `gather` to a variable first";

/// What a new variable for the results is called.
const RESULTS: &[&str] = &["results", "gathered"];

/// Whether an annotation is that of a list, written without quotes.
fn is_list(annotation: &Expr) -> bool {
    match annotation {
        Expr::Subscript(subscript) => is_list(&subscript.value),
        other => matches!(last_name(other), Some("list" | "List")),
    }
}

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

/// Whether a local name of a function with this body is more than a local variable: declared
/// `global` or `nonlocal`, or used by a function or class inside.
fn is_shared(body: &[Stmt], name: &str) -> bool {
    struct Search<'n> {
        name: &'n str,
        depth: Depth,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
                | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                    self.found |= names.iter().any(|other| other.as_str() == self.name);
                }
                AnyNodeRef::ExprName(other) => {
                    self.found |= self.depth.is_inside() && other.id == self.name;
                }
                _ => {}
            }
            self.depth.enter(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, node: AnyNodeRef<'a>) {
            self.depth.leave(node);
        }
    }
    let mut search = Search {
        name,
        depth: Depth::default(),
        found: false,
    };
    search.visit_body(body);
    search.found
}

impl Gather<'_, '_, '_, '_> {
    /// `Ok(None)` where the call is better left alone without a word.
    pub(crate) fn rewrite(&self) -> Result<Option<Rewrite>, String> {
        let guard = self.file.settings.gather_guard;
        let argument = argument::append(self.file, self.call, ARGUMENT)
            .ok_or("`gather()` has no arguments")?;
        if guard == GatherGuard::Never {
            return Ok(self.argument_alone(argument));
        }
        if self.are_cancelled() {
            return Ok(self.argument_alone(argument));
        }
        match self.use_of_value() {
            Use::Bound(target, annotation) => {
                let consumption = self.consumption(target);
                let is_global = self.owner == Owner::Module && target.is_name_expr();
                let nobody_looks = consumption == Consumption::None
                    && (is_global && guard == GatherGuard::Auto || self.is_raised_again());
                // The checks are the guard; a handler around them would never run.
                if consumption == Consumption::Checked || nobody_looks {
                    return Ok(self.argument_alone(argument));
                }
                let rewrite = self.rewrite_bound(argument, target, annotation, consumption)?;
                Ok(Some(
                    rewrite
                        .unsafe_if(self.may_hang(Doubt::may_hang))
                        .unsafe_if(self.changes_order()),
                ))
            }
            Use::Discarded if self.is_raised_again() => Ok(self.argument_alone(argument)),
            Use::Discarded => self.rewrite_discarded(argument).map(Some),
            Use::Consumed if self.is_checked_where_consumed() => Ok(self.argument_alone(argument)),
            Use::Consumed => self
                .rewrite_consumed(argument)
                .map(|rewrite| Some(rewrite.unsafe_if(self.changes_order()))),
        }
    }

    /// `pages = await …`: the guard behind the statement, or a list that type checkers know as well as before.
    fn rewrite_bound(
        &self,
        argument: Edit,
        target: &Expr,
        annotation: Option<&Expr>,
        consumption: Consumption,
    ) -> Result<Rewrite, String> {
        let outlives = self.outlives_guard(target);
        let is_list = annotation.is_some_and(is_list);
        let wider = if annotation.is_some() {
            (!is_list).then_some("the annotated type doesn't allow exceptions")
        } else {
            let are_read = consumption == Consumption::Plain || outlives;
            let are_different = || {
                let arguments = &self.call.arguments.args;
                typed::are_different(self.file, arguments, &self.members)
            };
            (are_read && self.is_typed() && are_different()).then_some(WIDER)
        };
        if wider.is_none() && self.is_typed() && consumption == Consumption::Plain {
            return self.rebuild(argument, target, annotation, outlives);
        }
        if outlives {
            // Somebody else could see the exceptions before, or although, one is raised.
            return self.bind_first(argument, wider);
        }
        let slot = Slot::of(self.file, &self.place)?;
        let guard = self.guard(self.file.text(target));
        let edits = [Some(argument), slot.prefix(""), Some(slot.after(&guard))];
        Ok(Rewrite::safe(TITLE, edits.into_iter().flatten().collect()).unsafe_if(wider))
    }

    /// The results get a name of their own, and the target a list of them that holds no exceptions.
    fn rebuild(
        &self,
        argument: Edit,
        target: &Expr,
        annotation: Option<&Expr>,
        outlives: bool,
    ) -> Result<Rewrite, String> {
        let list = match target {
            _ if !outlives => self.file.text(target).to_owned(),
            Expr::Attribute(attribute) => self.fresh(&[&attribute.attr, "values"], &[]),
            _ => self.fresh(&["values", "items"], &[]),
        };
        let results = self.fresh(RESULTS, &[&list]);
        let is_bound_once = || {
            let scope = self.file.semantics.scope_of_owner(self.owner);
            let name = target.as_name_expr();
            name.zip(scope).is_some_and(|(name, scope)| {
                let definitions = self.file.semantics.lookup(&name.id, scope);
                definitions.is_some_and(|definitions| definitions.len() == 1)
            })
        };
        let is_new = outlives || is_bound_once();
        let annotation = match annotation {
            Some(annotation) => Some(self.file.text(annotation).to_owned()),
            None if is_new => typed::annotation_of_results(self.file, self.owner, &self.members),
            None => None,
        };
        let untold = (is_new && annotation.is_none() && self.file.settings.asks_for_annotations)
            .then_some(UNTOLD);
        let annotation =
            annotation.map_or_else(String::new, |annotation| format!(": {annotation}"));
        let mut lines = Vec::new();
        if outlives || !self.is_empty_list(target) {
            lines.push(format!("{list}{annotation} = []"));
        }
        lines.extend(self.guard_for(&results, Some(&list)));
        let rewrite =
            self.take_apart(argument, &results, lines, outlives.then_some(list.as_str()))?;
        Ok(rewrite.unsafe_if(untold))
    }

    /// Whether the name is that of an empty list already, made further up in the same suite, which nothing has used
    /// since.
    fn is_empty_list(&self, target: &Expr) -> bool {
        let Expr::Name(name) = target else {
            return false;
        };
        let before = self.place.suite.get(..self.place.index).unwrap_or_default();
        let made = before.iter().rposition(|statement| {
            any_over_body(
                std::slice::from_ref(statement),
                |expr| matches!(expr, Expr::Name(other) if other.id == name.id),
            )
        });
        let value = match made.and_then(|at| before.get(at)) {
            Some(Stmt::Assign(assign)) if assign.targets.len() == 1 => {
                assign.targets.first().zip(Some(&*assign.value))
            }
            Some(Stmt::AnnAssign(assign)) => Some(&*assign.target).zip(assign.value.as_deref()),
            _ => None,
        };
        let is_name = |expr: &Expr| matches!(expr, Expr::Name(other) if other.id == name.id);
        value.is_some_and(|(target, value)| {
            is_name(target) && matches!(value, Expr::List(list) if list.elts.is_empty())
        })
    }

    fn consumption(&self, target: &Expr) -> Consumption {
        let Some(subject) = Subject::of(target) else {
            return Consumption::Plain;
        };
        let class = self.site.class().map(|class| class.body.as_slice());
        consumption(
            &self.file.semantics,
            self.body,
            subject,
            self.place.statement.end(),
            class.unwrap_or_default(),
        )
    }

    /// `None` where a `try` around the call waits for an error that would not be raised any more.
    fn argument_alone(&self, argument: Edit) -> Option<Rewrite> {
        (!self.errors_are_handled())
            .then(|| Rewrite::safe("Add `return_exceptions=True`", vec![argument]))
    }

    /// A new name, which is none of `others`.
    fn fresh(&self, wishes: &[&str], others: &[&str]) -> String {
        let wishes: Vec<&str> = wishes
            .iter()
            .copied()
            .filter(|wish| !others.contains(wish))
            .collect();
        fresh_names::fresh(self.file, self.owner, &wishes)
    }

    /// The loop that raises the first exception among `results`, as the lines of the file's style.
    fn guard(&self, results: &str) -> Vec<String> {
        self.guard_for(results, None)
    }

    /// The same, which puts everything else in `list`.
    fn guard_for(&self, results: &str, list: Option<&str>) -> Vec<String> {
        let others = [results, list.unwrap_or_default()];
        let result = self.fresh(&["result", "outcome", "item"], &others);
        let unit = self.file.indent_unit();
        // In an `except` clause the error says that it is another one, and keeps the cause that it has.
        let from = if self.handler().is_some() {
            format!(" from {result}.__cause__")
        } else {
            String::new()
        };
        let mut lines = vec![
            format!("for {result} in {results}:"),
            format!("{unit}if isinstance({result}, BaseException):"),
            format!("{unit}{unit}raise {result}{from}"),
        ];
        lines.extend(list.map(|list| format!("{unit}{list}.append({result})")));
        lines
    }

    fn rewrite_discarded(&self, argument: Edit) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let results = fresh_names::fresh(self.file, self.owner, RESULTS);
        let prefix = match self.place.statement {
            // `_ = await …`
            Stmt::Assign(assign) => {
                let head = TextRange::new(assign.start(), self.with_parentheses().start());
                Some(Edit::range_replacement(format!("{results} = "), head))
            }
            _ => slot.prefix(&format!("{results} = ")),
        };
        let mut edits: Vec<Edit> = prefix.into_iter().collect();
        let target = TextRange::new(
            self.place.statement.start(),
            self.with_parentheses().start(),
        );
        edits.extend(self.with_aligned(argument, target, &results));
        edits.push(slot.after(&self.guard(&results)));
        let is_unseen = self.members.is_empty()
            || self
                .members
                .iter()
                .any(|member| matches!(member, Member::Unseen));
        let hangs = self.may_hang(|_| true).or_else(|| {
            is_unseen.then(|| {
                "if one of these never finishes, an error in another would never be raised"
                    .to_owned()
            })
        });
        Ok(Rewrite::safe(TITLE, edits)
            .unsafe_if(hangs)
            .unsafe_if(self.changes_order()))
    }

    fn rewrite_consumed(&self, argument: Edit) -> Result<Rewrite, String> {
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

    /// `a, b = await …` and `return await …`: the call stays, what takes its value comes after the
    /// guard.
    fn bind_first(&self, argument: Edit, reason: Option<&str>) -> Result<Rewrite, String> {
        let results = fresh_names::fresh(self.file, self.owner, RESULTS);
        let lines = self.guard(&results);
        let rewrite = self.take_apart(argument, &results, lines, Some(&results))?;
        Ok(rewrite.unsafe_if(reason))
    }

    /// The call gives its value to `results`, `lines` follow, and then, where something is `given`, what took the
    /// value takes that.
    fn take_apart(
        &self,
        argument: Edit,
        results: &str,
        mut lines: Vec<String>,
        given: Option<&str>,
    ) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let outer = self.with_parentheses();
        let taker = &self.file.source[TextRange::new(self.place.statement.start(), outer.start())];
        // Parentheses that only hold the call on its line are not needed any more.
        let tight = TextRange::new(outer.start(), self.awaited.start()).len()
            + TextRange::new(self.awaited.end(), outer.end()).len()
            <= TextSize::from(2);
        let head = TextRange::new(
            self.place.statement.start(),
            if tight {
                self.awaited.start()
            } else {
                outer.start()
            },
        );
        if taker.contains(['\n', '\r']) {
            return Err(
                "multi-line expressions are not supported here; assign the result first".to_owned(),
            );
        }
        self.keeps_order_of_strings(outer.start())?;
        lines.extend(given.map(|given| format!("{taker}{given}")));
        let mut edits = vec![Edit::range_replacement(format!("{results} = "), head)];
        edits.extend(self.with_aligned(argument, head, results));
        edits.push(slot.after(&lines));
        if tight && outer.end() > self.awaited.end() {
            edits.push(Edit::deletion(self.awaited.end(), outer.end()));
        }
        edits.extend(slot.prefix(""));
        Ok(Rewrite::safe(TITLE, edits))
    }

    /// The edit of the new argument, and those that move the lines that are aligned with the call, where `results = `
    /// takes the place of `head` before it.
    fn with_aligned(&self, argument: Edit, head: TextRange, results: &str) -> Vec<Edit> {
        let file = self.file;
        if !file.starts_line(self.place.statement.start()) {
            return vec![argument];
        }
        let columns = |text: &str| isize::try_from(text.chars().count()).unwrap_or_default();
        let by = columns(results) + columns(" = ") - columns(&file.source[head]);
        let moved = realigned(file, self.call.range(), by);
        let last = self.call.arguments.iter_source_order().last();
        let last = last.map(|last| file.source.line_start(last.start()));
        // A line of its own is that of the argument before it.
        let is_of_last = |edit: &Edit| Some(edit.start()) == last;
        let argument = match (
            moved.iter().find(|edit| is_of_last(edit)),
            argument.content(),
        ) {
            (Some(by), Some(text)) => {
                let newline = file.newline();
                let columns = by.content().map_or(0, str::len);
                let text = match text.split_once(newline) {
                    Some((before, line)) if by.is_deletion() => {
                        let line = line.get(by.range().len().to_usize()..).unwrap_or(line);
                        format!("{before}{newline}{line}")
                    }
                    Some((before, line)) => {
                        format!("{before}{newline}{}{line}", " ".repeat(columns))
                    }
                    None => text.to_owned(),
                };
                Edit::range_replacement(text, argument.range())
            }
            _ => argument,
        };
        std::iter::once(argument).chain(moved).collect()
    }

    /// What takes the value stands behind the call afterwards: the strings of a file keep their order, so that it can
    /// be proved that none is lost.
    fn keeps_order_of_strings(&self, start: TextSize) -> Result<(), String> {
        let before = TextRange::new(self.place.statement.start(), start);
        if self.file.has_string(before) && self.file.has_string(self.awaited.range()) {
            return Err(ASSIGN_FIRST.to_owned());
        }
        Ok(())
    }

    /// Whether what is assigned to `target` can be read although the guard raises: an attribute, a
    /// name of another scope or used by one, or one that is read after a handler around the call.
    fn outlives_guard(&self, target: &Expr) -> bool {
        let Expr::Name(name) = target else {
            return true;
        };
        let shared = self.owner != Owner::Module && is_shared(self.body, &name.id);
        let bound_before = || {
            self.file
                .semantics
                .scope_of_owner(self.owner)
                .and_then(|scope| self.file.semantics.lookup(&name.id, scope))
                .is_none_or(|definitions| definitions.len() > 1)
        };
        shared || (self.errors_are_handled() || self.is_before_finally()) && bound_before()
    }

    /// Whether a `try` with a `finally` around the call could read the name.
    fn is_before_finally(&self) -> bool {
        self.site.enclosing_in_function().any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtTry(statement)
                if !statement.finalbody.is_empty()
                    && statement.body.iter().any(|s| s.range().contains_range(child.range())))
        })
    }

    /// `for r in await gather(…): if isinstance(r, Exception): …`, or every unpacked name checked.
    fn is_checked_where_consumed(&self) -> bool {
        match self.place.statement {
            Stmt::For(statement) if statement.iter.range() == self.awaited.range() => {
                results::are_checked(
                    &self.file.semantics,
                    &statement.body,
                    &statement.target,
                    statement.iter.end(),
                )
            }
            Stmt::Assign(statement) if statement.value.range() == self.awaited.range() => {
                match statement.targets.as_slice() {
                    [
                        Expr::Tuple(ast::ExprTuple { elts, .. })
                        | Expr::List(ast::ExprList { elts, .. }),
                    ] => elts.iter().all(|elt| {
                        let from = statement.end();
                        results::are_checked(&self.file.semantics, self.body, elt, from)
                    }),
                    _ => false,
                }
            }
            _ => false,
        }
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

    /// The range of the await with the parentheses that only it needs.
    fn with_parentheses(&self) -> TextRange {
        self.site
            .parent()
            .and_then(|parent| {
                ast::token::parenthesized_range(self.awaited.into(), parent, self.file.tokens())
            })
            .unwrap_or(self.awaited.range())
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
