//! AF601 unmanaged-resource: what is opened and not closed by a context manager stays open when
//! something goes wrong.

use std::ops::RangeInclusive;

use asyncfix_analysis::answers::decorators::is_fixture;
use asyncfix_analysis::answers::intent::{self, Deed};
use asyncfix_analysis::answers::resources::{is_idle, opened};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::opening_key;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_knowledge::resources::{
    CALL, Form, Resource, callable_classes, is_opening_method, opening_names, opening_paths,
};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Place, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind, PythonVersion, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::closes::CLOSING;
use super::in_expression;
use super::uses::{UseKind, Used, closes_behind_yield, uses_of};
use crate::codemod::Codemod;
use crate::edit::lines;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF601.
pub struct UnmanagedResource;

static RULE: Rule = Rule {
    code: "AF601",
    name: "unmanaged-resource",
    finds: "a session or connection without `async with`",
    pitfall: "not using context managers",
    page: include_str!("AF601.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

pub(super) const SHARED: &str = "there is another statement on the same line";

const EMPTY: &str = "the block is empty";

impl Codemod for UnmanagedResource {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        opening_names()
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[
            NodeKind::StmtAssign,
            NodeKind::StmtAnnAssign,
            NodeKind::ExprCall,
        ]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        if let AnyNodeRef::ExprCall(call) = site.node {
            let is_opening = || {
                let mut paths = spellings.last_names(&call.func).flat_map(opening_paths);
                paths.any(|path| spellings.allow(&call.func, &[path]))
            };
            return Candidate::when(
                in_expression::used_at_once(site, call).is_some()
                    && is_opening()
                    && site.is_asynchronous(false),
            );
        }
        let Some(opening) = Opening::of(site.node) else {
            return Candidate::No;
        };
        let callee = &opening.call.func;
        let is_opening = spellings
            .last_names(callee)
            .flat_map(opening_paths)
            .any(|path| spellings.allow(callee, &[path]));
        let method =
            last_name(callee).filter(|name| callee.is_attribute_expr() && is_opening_method(name));
        let may_be_object = callable_classes()
            .iter()
            .filter_map(|path| path.split('.').next())
            .any(|package| spellings.import(package));
        let sought = |key| Candidate::If(key, Sought::Receiver(key));
        let candidate = match method {
            _ if is_opening => Candidate::Yes,
            Some(_) if may_be_object => Candidate::Yes,
            Some(method) => sought(opening_key(method)),
            None if may_be_object => sought(opening_key(CALL)),
            None if opening.may_be_closed_generator(site) => Candidate::Yes,
            None => Candidate::No,
        };
        candidate.and(|| site.is_asynchronous(false))
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        if let AnyNodeRef::ExprCall(call) = site.node {
            let (message, rewrite) = in_expression::answer(file, site, call)?;
            if intent::is_deliberate(file, site, Deed::Leak) {
                return None;
            }
            return Some(Finding::new(
                &RULE,
                call.range(),
                message,
                match rewrite {
                    Ok(rewrite) => Remedy::Rewrite(rewrite),
                    Err(reason) => Remedy::NotFixed(reason),
                },
            ));
        }
        let opening = Opening::of(site.node)?;
        let Owner::Function(function) = file.surroundings(site).owner else {
            return None;
        };
        let mut rows = opened(file, opening.call, opening.awaited);
        // What cannot be entered has no use for the tuple, and the call for nothing else.
        rows.retain(|row| {
            row.place_in_tuple().is_some() == opening.is_tuple
                && (!opening.is_tuple || row.form == Form::None)
                && !is_idle(row, file, opening.call)
        });
        let object = opening.object(&rows)?;
        let name = &object.id;
        let scope = file.semantics.function_scope(function)?;
        // `name = None` may stand above.
        let bindings = file.semantics.lookup(name, scope)?.len();
        if file.semantics.is_declared_outside(name, scope) || !(1..=2).contains(&bindings) {
            return None;
        }
        let uses = uses_of(name, &function.body);
        if is_fixture(function) && closes_behind_yield(function, object) {
            return None;
        }
        let mut managed = Managed {
            file,
            function,
            opening,
            object,
            place: site.place()?,
            rows,
            uses,
        };
        let mut guards = Vec::new();
        managed.guards_in(&function.body, &mut guards);
        managed
            .uses
            .retain(|used| !guards.iter().any(|test| test.contains_range(used.range)));
        let is_kept = |used: &Used<'_>| used.kind == UseKind::Kept;
        if managed.uses.is_empty() || managed.uses.iter().any(is_kept) {
            return None;
        }
        let (message, rewrite) = if bindings == 1 {
            managed.rewrite(site)?
        } else {
            managed.opened_in_try(site)?
        };
        if intent::is_deliberate(file, site, Deed::Leak) {
            return None;
        }
        Some(Finding::new(
            &RULE,
            opening.call.range(),
            format!("`{name}` {message}"),
            match rewrite {
                Ok(rewrite) => Remedy::Rewrite(
                    rewrite
                        .with_shared(managed.import())
                        .unsafe_if(managed.is_narrowed()),
                ),
                Err(reason) => Remedy::NotFixed(reason),
            },
        ))
    }
}

/// A statement that may open something: `name = call(…)` or `one, other = call(…)`, awaited or not.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) targets: &'a [Expr],
    /// Whether the call gives a tuple of these.
    is_tuple: bool,
    pub(super) call: &'a ast::ExprCall,
    pub(super) awaited: bool,
}

impl<'a> Opening<'a> {
    fn of(node: AnyNodeRef<'a>) -> Option<Self> {
        let (target, value) = match node {
            AnyNodeRef::StmtAssign(statement) => match statement.targets.as_slice() {
                [target] => (target, &*statement.value),
                _ => return None,
            },
            AnyNodeRef::StmtAnnAssign(statement) => {
                (&*statement.target, statement.value.as_deref()?)
            }
            _ => return None,
        };
        let (targets, is_tuple) = match target {
            Expr::Name(_) => (std::slice::from_ref(target), false),
            Expr::Tuple(tuple) => (tuple.elts.as_slice(), true),
            _ => return None,
        };
        let (call, awaited) = match value {
            Expr::Call(call) => (call, false),
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => (call, true),
                _ => return None,
            },
            _ => return None,
        };
        Some(Self {
            targets,
            is_tuple,
            call,
            awaited,
        })
    }

    /// The name of the object that one of `rows` says is opened.
    fn object(&self, rows: &[&Resource]) -> Option<&'a ast::ExprName> {
        let index = rows.first()?.place_in_tuple().unwrap_or(0);
        self.targets.get(index)?.as_name_expr()
    }
}

/// A message, and the rewrite or the reason why there is none.
pub(super) type Answer = Option<(String, Result<Rewrite, String>)>;

/// An object that is opened by one statement of a suite.
pub(super) struct Managed<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) function: &'a ast::StmtFunctionDef,
    pub(super) opening: Opening<'a>,
    /// The variable that the object is bound to.
    pub(super) object: &'a ast::ExprName,
    pub(super) place: Place<'a>,
    pub(super) rows: Vec<&'static Resource>,
    /// Its uses, without those that only ask whether it is there.
    pub(super) uses: Vec<Used<'a>>,
}

impl<'a> Managed<'_, 'a, '_> {
    fn rewrite(&self, site: &Site<'_, 'a>) -> Answer {
        let statements = self.place.suite;
        let whole = TextRange::new(self.place.statement.start(), statements.last()?.end());
        if self
            .uses
            .iter()
            .any(|used| !whole.contains_range(used.range))
        {
            return None;
        }
        let closes = self.closes_in(&self.function.body);
        if closes == 0 {
            return self.never_closed(site);
        }
        let first = self.first_of_body()?;
        self.closed_in_try(first, closes)
            .or_else(|| self.closed_in_suite(first, closes))
    }

    /// The index of the first statement behind the opening, and behind the statement that sets the
    /// object up where entering the block does that.
    pub(super) fn first_of_body(&self) -> Option<usize> {
        let next = self.place.index + 1;
        let Some(setup) = self.rows.first().and_then(|row| row.setup.as_deref()) else {
            return Some(next);
        };
        let statement = self.place.suite.get(next)?;
        self.is_awaited_method(statement, setup).then_some(next + 1)
    }

    /// Later in the same suite: `await x.close()`.
    fn closed_in_suite(&self, first: usize, closes: usize) -> Answer {
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let (behind, row) =
            (first..suite.len()).find_map(|at| Some((at, self.closing(suite.get(at)?)?)))?;
        let held = suite.get(first..behind)?;
        if held.is_empty() {
            return None;
        }
        let mut early = Vec::new();
        self.early_closes(held, &mut early);
        let (end, waits) = self.end_of_close(suite, behind, row);
        let last = suite.get(end)?.end();
        if closes != early.len() + 1
            || self.closes_otherwise()
            || self.uses.iter().any(|used| used.range.start() > last)
        {
            return None;
        }
        let message = stays_open(suite.get(behind)?);
        // What is opened meanwhile is closed before it.
        let inner_end = self.end_of_inner(held, suite, end)?;
        let rewrite = || -> Result<Rewrite, String> {
            let lines = self.file.lines();
            let mut removals = self.without_setup(first)?;
            let is_managed = inner_end <= end && row.form != Form::None;
            if is_managed {
                removals.extend(lines.delete_together(suite, behind..=end)?);
            }
            for at in (behind..=end).filter(|_| !is_managed) {
                removals.push(if inner_end > end {
                    lines.delete(suite, at)?
                } else {
                    let line = lines.line_of(suite.get(at).ok_or(SHARED)?).ok_or(SHARED)?;
                    let removal = Edit::range_deletion(line);
                    if at == behind {
                        lines.with_blank_lines_before(removal)
                    } else {
                        removal
                    }
                });
            }
            for early in &early {
                for at in early.close.clone() {
                    removals.push(lines.delete(early.suite, at)?);
                }
            }
            if !lines.stands_alone(statement) {
                return Err(SHARED.to_owned());
            }
            let mut edits;
            let moves;
            let closes_suite = end + 1 == suite.len() && early.is_empty();
            if closes_suite && let Some(joined) = self.joined(row, first, &removals)? {
                edits = joined;
                edits.extend(removals);
                let mut rewrite = Rewrite::safe(title(row), edits);
                // What is opened in it joins the same header, once that is written.
                rewrite.moves = self.body(first);
                return Ok(rewrite
                    .unsafe_if(row.more_than_close())
                    .unsafe_if(self.opens_early(index))
                    .unsafe_if(waits));
            }
            if early.is_empty()
                && inner_end <= end
                && let Some(leading) = self.leading(row, held, &removals)?
            {
                edits = leading;
                edits.extend(removals);
                let mut rewrite = Rewrite::safe(title(row), edits);
                rewrite.moves = self.body(first);
                return Ok(rewrite
                    .unsafe_if(row.more_than_close())
                    .unsafe_if(self.opens_early(index))
                    .unsafe_if(waits));
            }
            if row.form == Form::None {
                let held = if inner_end > end {
                    first..inner_end + 1
                } else {
                    first..behind
                };
                let block = lines.block(suite, parent, held).ok_or(EMPTY)?;
                edits = block.wrap("try:", &self.finally(suite, behind..=end))?;
                moves = block.range();
            } else {
                let block = if inner_end > end {
                    lines.block(suite, parent, first..inner_end + 1)
                } else {
                    lines.between(suite, parent, first - 1, behind, false)
                };
                let block = block.ok_or(SHARED)?;
                edits = block.indented()?;
                removals.extend(lines.blank_lines_behind(suite.get(first - 1).ok_or(SHARED)?));
                moves = TextRange::new(statement.start(), block.range().end());
            }
            lines::leave_out(&mut edits, &removals);
            let header = self.header(row, &removals)?;
            edits.extend(removals);
            if row.form != Form::None {
                edits.push(Edit::range_replacement(
                    format!("{header}:"),
                    statement.range(),
                ));
            }
            let mut rewrite = Rewrite::safe(title(row), edits);
            rewrite.moves = Some(moves);
            let returned = early
                .iter()
                .any(|close| !is_simple_exit(close.exit))
                .then_some("the return value would now be computed before closing");
            Ok(rewrite
                .unsafe_if(returned)
                .unsafe_if(row.more_than_close())
                .unsafe_if(self.opens_early(index))
                .unsafe_if(waits))
        };
        Some((message, rewrite()))
    }

    /// The index of the last statement right behind the close, which ends at `end`, that closes something
    /// `held` opens, or `end`. `None` where such a close comes later: blocks cannot overlap.
    fn end_of_inner(&self, held: &[Stmt], suite: &[Stmt], end: usize) -> Option<usize> {
        let inner: Vec<&str> = held
            .iter()
            .filter_map(|statement| Opening::of(statement.into()))
            .filter_map(|opening| {
                let rows = opened(self.file, opening.call, opening.awaited);
                opening.object(&rows)
            })
            .map(|object| object.id.as_str())
            .collect();
        let closes_inner = |statement: &Stmt| {
            let Stmt::Expr(statement) = statement else {
                return false;
            };
            let call = match &*statement.value {
                Expr::Await(awaited) => &awaited.value,
                _ => &statement.value,
            };
            matches!(&**call, Expr::Call(call)
                if matches!(&*call.func, Expr::Attribute(method)
                    if CLOSING.contains(&method.attr.as_str())
                        && matches!(&*method.value, Expr::Name(name)
                            if inner.contains(&name.id.as_str()))))
        };
        let rest = suite.get(end + 1..)?;
        let adjacent = rest.iter().take_while(|next| closes_inner(next)).count();
        let later = rest.iter().skip(adjacent).any(closes_inner);
        (!later).then_some(end + adjacent)
    }

    /// What `async with` enters, and the name it binds, where something reads it once `removals` are gone.
    pub(super) fn header(&self, row: &Resource, removals: &[Edit]) -> Result<String, String> {
        Ok(format!("async with {}", self.item(row, removals)?))
    }

    /// The same, without the keywords.
    fn item(&self, row: &Resource, removals: &[Edit]) -> Result<String, String> {
        let call = self.opening.call;
        if self.file.text(&*call.func).contains(['\n', '\r']) {
            return Err("multi-line calls are not supported here".to_owned());
        }
        let entered = match (row.form, &*call.func) {
            (Form::Receiver, Expr::Attribute(method)) => method.value.range(),
            _ => call.range(),
        };
        let statement = self.place.statement.range();
        let comments = self.file.comments.comments_in_range(statement);
        if comments
            .iter()
            .any(|comment| !entered.contains_range(*comment))
        {
            return Err("the fix would remove a comment".to_owned());
        }
        let manager = match row.form {
            Form::Receiver => match &*call.func {
                Expr::Attribute(method) => self.file.text(&*method.value).to_owned(),
                callee => self.file.text(callee).to_owned(),
            },
            Form::Awaited => format!("await {}", self.file.text(call)),
            Form::Aclosing => {
                let closing = self.aclosing()?.expression;
                format!("{closing}({})", self.file.text(call))
            }
            Form::Call | Form::None => self.file.text(call).to_owned(),
        };
        let is_removed = |used: &Used<'_>| {
            let mut removals = removals.iter();
            removals.any(|removal| removal.range().contains_range(used.range))
        };
        if self.uses.iter().all(is_removed) {
            return Ok(manager);
        }
        Ok(format!("{manager} as {}", self.object.id))
    }

    /// What the object is open for, from the statement `first` of the suite on.
    pub(super) fn body(&self, first: usize) -> Option<TextRange> {
        let suite = self.place.suite;
        Some(TextRange::new(
            suite.get(first)?.start(),
            suite.last()?.end(),
        ))
    }

    /// The edits that put the object into the `async with` whose suite it is, where it is opened by the first
    /// statement of that. `None` where it is not.
    pub(super) fn joined(
        &self,
        row: &Resource,
        first: usize,
        removals: &[Edit],
    ) -> Result<Option<Vec<Edit>>, String> {
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let (Some(AnyNodeRef::StmtWith(with)), (0, 1)) = (parent, (index, first)) else {
            return Ok(None);
        };
        let lines = self.file.lines();
        let Some(last) = with.items.last().filter(|_| with.is_async) else {
            return Ok(None);
        };
        let header = self.file.source[last.end().to_usize()..].trim_start_matches([' ', '\t']);
        // One item a line.
        let is_open = header.strip_prefix(',').is_some_and(|rest| {
            let end = rest.trim_start();
            end.starts_with("):") && rest[..rest.len() - end.len()].contains(['\n', '\r'])
        });
        if row.form == Form::None
            || suite.len() < 2
            || !header.starts_with(':') && !is_open
            || !lines.stands_alone(statement)
            // It speaks of this line, and would speak of the header's.
            || lines.has_comment_behind(statement)
            || self.file.indentation_at(with.start()) == self.file.indentation_at(statement.start())
        {
            return Ok(None);
        }
        let removal = lines.delete(suite, index)?;
        let removal = lines.with_blank_lines_behind(removal);
        let item = self.item(row, removals)?;
        // The lines of its arguments would look like those of the body, unless all items are a step deeper than the
        // header, as this one is already.
        let is_long = item.contains(['\n', '\r']);
        let step = format!(
            "{}{}",
            self.file.indentation_at(with.start()),
            self.file.indent_unit()
        );
        if is_long && self.file.indentation_at(statement.start()) != step {
            return Ok(None);
        }
        let edits = if !is_open && !is_long && self.fits_beside(&item, last.end()) {
            vec![Edit::insertion(format!(", {item}"), last.end())]
        } else {
            self.on_lines(with, &item, with.items.len(), is_open)
        };
        Ok((!edits.is_empty()).then(|| edits.into_iter().chain([removal]).collect()))
    }

    /// The edits that put the object into the header of the `async with` that is all it is open for, before its items.
    /// `None` where `held` is something else, or the header can't have it.
    pub(super) fn leading(
        &self,
        row: &Resource,
        held: &[Stmt],
        removals: &[Edit],
    ) -> Result<Option<Vec<Edit>>, String> {
        let Place {
            suite,
            index,
            statement,
            ..
        } = self.place;
        let [Stmt::With(with)] = held else {
            return Ok(None);
        };
        let lines = self.file.lines();
        let (Some(first), Some(last)) = (with.items.first(), with.items.last()) else {
            return Ok(None);
        };
        let is_next = suite
            .get(index + 1)
            .is_some_and(|next| next.range() == with.range());
        let before = self.file.text(TextRange::new(with.start(), first.start()));
        let behind = &self.file.source[last.end().to_usize()..];
        let is_open = before.trim_end().ends_with('(') && before.contains(['\n', '\r']);
        let is_plain = before == "async with " && behind.starts_with(':');
        if row.form == Form::None
            || !with.is_async
            || !is_next
            || !is_open && !is_plain
            || self.file.comments.intersects(TextRange::new(with.start(), first.start()))
            || !lines.stands_alone(statement)
            // It speaks of this line, and would speak of the header's.
            || lines.has_comment_behind(statement)
        {
            return Ok(None);
        }
        let item = self.item(row, removals)?;
        if item.contains(['\n', '\r']) {
            return Ok(None);
        }
        let removal = lines.delete(suite, index)?;
        let removal = lines.with_blank_lines_behind(removal);
        let edits = if is_plain && self.fits_beside(&item, first.start()) {
            vec![Edit::insertion(format!("{item}, "), first.start())]
        } else {
            self.on_lines(with, &item, 0, is_open)
        };
        Ok((!edits.is_empty()).then(|| edits.into_iter().chain([removal]).collect()))
    }

    /// Whether an item, with its comma, can stand on the line at `at`.
    fn fits_beside(&self, item: &str, at: TextSize) -> bool {
        let line = self.file.source.line_str(at);
        let length = ", ".len() + item.chars().count() + line.chars().count();
        length <= usize::from(self.file.settings.line_length)
    }

    /// The edits that put one more item into the header of `with`, which has one a line then: as the first one or, where
    /// `at` is not 0, the last. None where it can't have that.
    fn on_lines(&self, with: &ast::StmtWith, item: &str, at: usize, is_open: bool) -> Vec<Edit> {
        let file = self.file;
        let (Some(first), Some(last)) = (with.items.first(), with.items.last()) else {
            return Vec::new();
        };
        let newline = file.newline();
        let indent = file.indentation_at(with.start());
        let start = format!("{newline}{indent}{}", file.indent_unit());
        if is_open && at == 0 {
            return vec![Edit::insertion(format!("{item},{start}"), first.start())];
        }
        if is_open {
            return vec![Edit::insertion(format!(",{start}{item}"), last.end())];
        }
        let header = TextRange::new(with.start(), last.end());
        if !file.targets(PythonVersion::PY310) || file.text(header).contains(['\n', '\r']) {
            return Vec::new();
        }
        let (leading, trailing) = if at == 0 {
            (format!("{item},{start}"), String::new())
        } else {
            (String::new(), format!("{start}{item},"))
        };
        let open = format!("({start}{leading}");
        let mut edits = vec![Edit::insertion(open, first.start())];
        for pair in with.items.windows(2) {
            if let [one, next] = pair {
                let between = TextRange::new(one.end(), next.start());
                edits.push(Edit::range_replacement(format!(",{start}"), between));
            }
        }
        let end = format!(",{trailing}{newline}{indent})");
        edits.push(Edit::insertion(end, last.end()));
        edits
    }

    /// The edits that remove what stands between the opening and the statement `first`: what entering the block does
    /// by itself.
    pub(super) fn without_setup(&self, first: usize) -> Result<Vec<Edit>, String> {
        let lines = self.file.lines();
        let Place { suite, index, .. } = self.place;
        let mut removals = Vec::new();
        for at in index + 1..first {
            removals.extend(lines.blank_lines_behind(suite.get(at - 1).ok_or(SHARED)?));
            removals.push(self.indented(lines.delete(suite, at)?));
        }
        Ok(removals)
    }

    /// Why entering the block is not the same as making the object, which is opened later, or looked at before.
    pub(super) fn opens_early(&self, opening: usize) -> Option<&'static str> {
        let entering = self.rows.first()?.enters.as_deref()?;
        let statement = self.place.suite.get(opening)?;
        let mut uses = self
            .uses
            .iter()
            .filter(|used| used.range.start() >= statement.end());
        let opens = match uses.next() {
            Some(Used {
                kind: UseKind::Receiver(method),
                is_awaited: true,
                ..
            }) => entering.iter().any(|known| known == "*" || known == method),
            _ => false,
        };
        (!opens).then_some("on entry it opens the connection, which this code does later")
    }

    /// Why a type checker of the project would complain about the block: an attribute is used that what entering gives
    /// does not have by its annotation.
    fn is_narrowed(&self) -> Option<String> {
        let known = self.rows.first()?.entered_as.as_deref()?;
        let lost = self.uses.iter().find_map(|used| match used.kind {
            UseKind::Receiver(name) if !known.iter().any(|other| other == name) => Some(name),
            _ => None,
        })?;
        self.file
            .settings
            .is_type_checked
            .then(|| format!("type checkers would not find `{lost}` on what `async with` gives"))
    }

    /// The lines of a `finally` with the statements `closing` of a suite, and their comments.
    pub(super) fn finally(&self, suite: &[Stmt], closing: RangeInclusive<usize>) -> Vec<String> {
        let unit = self.file.indent_unit();
        let lines = self.file.lines();
        let statements = suite.get(closing).unwrap_or_default().iter();
        std::iter::once("finally:".to_owned())
            .chain(statements.map(|statement| {
                let line = lines.line_of(statement).unwrap_or(statement.range());
                let text = self
                    .file
                    .text(TextRange::new(statement.start(), line.end()));
                format!("{unit}{}", text.trim_end())
            }))
            .collect()
    }

    /// The same removal, where a comment that stays goes into the block.
    pub(super) fn indented(&self, removal: Edit) -> Edit {
        let keeps_comment = self.file.source[removal.end().to_usize()..].starts_with('#');
        if keeps_comment && removal.is_deletion() {
            Edit::range_replacement(self.file.indent_unit().to_owned(), removal.range())
        } else {
            removal
        }
    }
}

pub(super) fn title(row: &Resource) -> &'static str {
    if row.form == Form::None {
        "Close it in `finally`"
    } else {
        "Use `async with`"
    }
}

/// What may happen between an opening and the statement that closes it, where no `finally` holds that.
pub(super) fn stays_open(closing: &Stmt) -> String {
    let close = method_called(closing).unwrap_or("close");
    format!("stays open if an exception or cancellation happens before `{close}()`")
}

/// The method that a statement, or the one under its test, calls.
fn method_called(statement: &Stmt) -> Option<&str> {
    let value = match statement {
        Stmt::If(guard) => return method_called(guard.body.first()?),
        Stmt::Expr(statement) => &*statement.value,
        _ => return None,
    };
    let call = match value {
        Expr::Await(awaited) => &*awaited.value,
        other => other,
    };
    last_name(&call.as_call_expr()?.func)
}

/// Whether leaving by this statement makes nothing.
fn is_simple_exit(statement: &Stmt) -> bool {
    match statement {
        Stmt::Return(inner) => inner
            .value
            .as_deref()
            .is_none_or(|value| value.is_name_expr() || value.is_literal_expr()),
        Stmt::Raise(_) => true,
        _ => false,
    }
}
