//! What is written for a lock that is held by hand: `async with` around what it is held for.

use asyncfix_analysis::answers::flow::Exits;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Place;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::context_managers::lock_calls::{Calls, Early};
use crate::edit::removal;
use crate::file::File;
use crate::finding::{Remedy, Rewrite};

/// How a lock is held until it is released.
#[derive(Clone, Copy)]
pub(super) enum Held {
    /// A `finally` right behind releases it, whatever happens.
    ByHand,
    /// What goes wrong in between leaves it locked.
    Unsafely,
}

/// A lock that is taken in a statement of its own.
pub(super) struct Manual<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) lock: &'a Expr,
    pub(super) function: &'a ast::StmtFunctionDef,
    pub(super) place: Place<'a>,
}

impl<'a> Manual<'_, 'a, '_> {
    /// `None` where the lock is not simply held for a while.
    pub(super) fn remedy(&self) -> Option<(Held, Remedy)> {
        let calls = self.calls_in(&self.function.body);
        let mut held = Held::Unsafely;
        let rewrite = if let Some(statement) = self.try_around() {
            held = Held::ByHand;
            self.around_whole(statement, &calls)?
        } else if let Some(Stmt::Try(next)) = self.place.suite.get(self.place.index + 1) {
            held = Held::ByHand;
            self.before_try(next, &calls)?
        } else if let Some(rewrite) = self.before_later_try(&calls) {
            rewrite
        } else {
            self.plain(&calls)?
        };
        let remedy = match rewrite {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason.to_owned()),
        };
        Some((held, remedy))
    }

    fn header(&self) -> String {
        format!("async with {}", self.file.text(self.lock))
    }

    /// The edit that writes the header, with its colon, in the place of the call. A comment in the brackets goes
    /// behind it.
    fn header_instead(&self) -> Result<Edit, &'static str> {
        let statement = self.place.statement.range();
        let comments = &self.file.comments;
        let line = TextRange::new(statement.end(), self.file.source.line_end(statement.end()));
        let header = match comments.comments_in_range(statement) {
            [] => format!("{}:", self.header()),
            [one] if comments.comments_in_range(line).is_empty() => {
                format!("{}:  {}", self.header(), self.file.text(*one))
            }
            _ => return Err("the fix would remove a comment"),
        };
        Ok(Edit::range_replacement(header, statement))
    }

    /// The `try` whose first statement takes the lock and whose `finally` releases it.
    fn try_around(&self) -> Option<&'a ast::StmtTry> {
        match self.place.parent {
            Some(AnyNodeRef::StmtTry(statement))
                if self.place.index == 0
                    && self.place.suite.as_ptr() == statement.body.as_ptr() =>
            {
                Some(statement)
            }
            _ => None,
        }
    }

    /// `try: await lock.acquire() … finally: lock.release()`
    fn around_whole(
        &self,
        statement: &'a ast::StmtTry,
        calls: &Calls,
    ) -> Option<Result<Rewrite, &'static str>> {
        let [release] = statement.finalbody.as_slice() else {
            return None;
        };
        if !self.is_release(release)
            || !calls.are_pairs()
            || self.place.suite.len() < 2
            || !self.is_held_through(statement.body.get(1..)?)
            || !statement.handlers.is_empty()
            || !statement.orelse.is_empty()
        {
            return None;
        }
        Some(self.instead_of_try(statement, self.place.index))
    }

    /// `await lock.acquire()`, and right behind it `try: … finally: lock.release()`
    fn before_try(
        &self,
        statement: &'a ast::StmtTry,
        calls: &Calls,
    ) -> Option<Result<Rewrite, &'static str>> {
        let (release, others) = statement.finalbody.split_last()?;
        let clauses = std::iter::once(statement.body.as_slice())
            .chain(statement.handlers.iter().map(|handler| {
                let ast::ExceptHandler::ExceptHandler(handler) = handler;
                handler.body.as_slice()
            }))
            .chain([statement.orelse.as_slice(), others]);
        if !self.is_release(release)
            || !calls.are_pairs()
            || !clauses.into_iter().all(|suite| self.is_held_through(suite))
        {
            return None;
        }
        if others.is_empty() && statement.handlers.is_empty() && statement.orelse.is_empty() {
            return Some(self.instead_of_try(statement, self.place.index));
        }
        Some(self.around_try(statement, others))
    }

    /// The `try` becomes the `async with`.
    fn instead_of_try(
        &self,
        statement: &ast::StmtTry,
        index: usize,
    ) -> Result<Rewrite, &'static str> {
        let lines = self.file.lines();
        let mut edits = lines.without_finally(&statement.finalbody)?;
        if self.keeps_line(statement) {
            edits.push(self.header_instead()?);
            edits.extend(lines.blank_lines_behind(self.place.statement));
            edits.push(lines.without_try(statement)?);
        } else {
            let keyword = TextRange::at(statement.start(), TextSize::of("try"));
            let taken = lines.delete(self.place.suite, index)?;
            edits.push(lines.with_blank_lines_behind(taken));
            edits.push(Edit::range_replacement(self.header(), keyword));
        }
        Ok(Rewrite::safe(self.title(), edits))
    }

    /// Whether the header takes the line of the call, right before the `try`, and not that of the `try`: a comment on
    /// it speaks of that line.
    fn keeps_line(&self, statement: &ast::StmtTry) -> bool {
        let call = self.place.statement;
        let lines = self.file.lines();
        lines.has_comment_behind(call)
            && lines.stands_alone(call)
            && call.end() < statement.start()
            && lines.start_with_comments(statement.start())
                == self.file.source.line_start(statement.start())
    }

    /// The `try` has more to do, and stands inside the `async with`.
    fn around_try(
        &self,
        statement: &ast::StmtTry,
        others: &[Stmt],
    ) -> Result<Rewrite, &'static str> {
        let lines = self.file.lines();
        let Place { suite, index, .. } = self.place;
        let releases = if others.is_empty() {
            lines.without_finally(&statement.finalbody)?
        } else {
            vec![lines.delete_last(&statement.finalbody, others.len())?]
        };
        let block = lines
            .block(suite, self.place.parent, index + 1..index + 2)
            .ok_or("the block is empty")?;
        let mut edits = if self.keeps_line(statement) {
            let mut edits = block.indented()?;
            edits.push(self.header_instead()?);
            edits.extend(lines.blank_lines_behind(self.place.statement));
            edits
        } else {
            let mut edits = block.wrap(&format!("{}:", self.header()), &[])?;
            edits.push(lines.with_blank_lines_behind(lines.delete(suite, index)?));
            edits
        };
        removal::leave_out(&mut edits, &releases);
        edits.extend(releases);
        let mut rewrite = Rewrite::safe(self.title(), edits);
        rewrite.moves = Some(block.range());
        Ok(rewrite)
    }

    fn title(&self) -> String {
        format!("Use `{}:`", self.header())
    }

    /// `await lock.acquire()`, other statements, and then `try: … finally: lock.release()`
    fn before_later_try(&self, calls: &Calls) -> Option<Result<Rewrite, &'static str>> {
        let Place { suite, index, .. } = self.place;
        let (at, statement) = (index + 2..suite.len()).find_map(|at| match suite.get(at) {
            Some(Stmt::Try(statement))
                if statement.finalbody.iter().any(|last| self.is_release(last)) =>
            {
                Some((at, statement))
            }
            _ => None,
        })?;
        let between = suite.get(index + 1..at)?;
        let [release] = statement.finalbody.as_slice() else {
            return None;
        };
        let is_held = |suite: &[Stmt]| self.is_held_through(suite);
        let handlers = statement.handlers.iter().all(|handler| {
            let ast::ExceptHandler::ExceptHandler(handler) = handler;
            is_held(&handler.body)
        });
        if !self.is_release(release)
            || !calls.are_pairs()
            || !is_held(between)
            || !is_held(&statement.body)
            || !is_held(&statement.orelse)
            || !handlers
            // The lock stays held there, which may be meant.
            || !Exits::of(self.file, between).jumps.is_empty()
        {
            return None;
        }
        Some(self.around_later_try(statement, at))
    }

    fn around_later_try(
        &self,
        statement: &ast::StmtTry,
        at: usize,
    ) -> Result<Rewrite, &'static str> {
        let lines = self.file.lines();
        let Place {
            suite,
            index,
            parent,
            ..
        } = self.place;
        let mut removals = lines.without_finally(&statement.finalbody)?;
        removals.extend(lines.blank_lines_behind(self.place.statement));
        let moved = if statement.handlers.is_empty() && statement.orelse.is_empty() {
            removals.push(lines.without_try(statement)?);
            index + 1..at
        } else {
            index + 1..at + 1
        };
        let block = lines
            .block(suite, parent, moved)
            .ok_or("the block is empty")?;
        if !lines.stands_alone(self.place.statement) {
            return Err("there is another statement on the same line");
        }
        let mut edits = block.indented()?;
        removal::leave_out(&mut edits, &removals);
        edits.extend(removals);
        edits.push(self.header_instead()?);
        let mut rewrite = Rewrite::safe(self.title(), edits);
        rewrite.moves = Some(TextRange::new(
            self.place.statement.start(),
            statement.end(),
        ));
        Ok(rewrite)
    }

    /// `await lock.acquire()`, and later in the same suite `lock.release()`
    fn plain(&self, calls: &Calls) -> Option<Result<Rewrite, &'static str>> {
        let Place { suite, index, .. } = self.place;
        let behind = suite
            .iter()
            .skip(index + 1)
            .position(|statement| self.is_release(statement))?
            + index
            + 1;
        let held = suite.get(index + 1..behind)?;
        // `await lock.acquire(); lock.release()` waits for somebody else.
        if held.is_empty() {
            return None;
        }
        let inside = self.calls_in(held);
        let mut early = Vec::new();
        self.early_releases(held, &mut early);
        // Somewhere else the lock is released by another way, or it is given away in between.
        if calls.acquired != 1
            || calls.released != early.len() + 1
            || inside.acquired > 0
            || inside.released != early.len()
            || self.is_rebound_in(held)
            || Exits::of(self.file, held)
                .jumps
                .iter()
                .any(|jump| !early.iter().any(|early| early.leaves_by(jump.statement)))
        {
            return None;
        }
        Some(self.around_plain(behind, &early))
    }

    fn around_plain(&self, behind: usize, early: &[Early<'a>]) -> Result<Rewrite, &'static str> {
        const SHARED: &str = "there is another statement on the same line";
        let lines = self.file.lines();
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let apart = self.speaks_of_next(suite, behind);
        let block = lines
            .between(suite, parent, index, behind, apart)
            .ok_or(SHARED)?;
        let mut edits = block.indented()?;
        let mut releases = vec![lines.delete_last(suite, behind)?];
        for release in early {
            releases.push(lines.delete(release.suite, release.index)?);
        }
        removal::leave_out(&mut edits, &releases);
        edits.extend(releases);
        edits.extend(lines.blank_lines_behind(statement));
        edits.push(self.header_instead()?);
        let mut rewrite = Rewrite::safe(self.title(), edits);
        rewrite.moves = Some(TextRange::new(statement.start(), block.range().end()));
        let reason = (!early.is_empty())
            .then_some("the return value would now be computed while the lock is held");
        Ok(rewrite.unsafe_if(reason))
    }

    /// Whether the comment right above a release speaks of the statement right below as well, by the words that this
    /// calls something by.
    fn speaks_of_next(&self, suite: &[Stmt], release: usize) -> bool {
        let source = self.file.source;
        let (Some(release), Some(next)) = (suite.get(release), suite.get(release + 1)) else {
            return false;
        };
        if source.full_line_end(release.end()) != source.line_start(next.start()) {
            return false;
        }
        let comment = TextRange::new(
            self.file.lines().start_with_comments(release.start()),
            source.line_start(release.start()),
        );
        let mut called = CalledWords::default();
        called.visit_stmt(next);
        source[comment]
            .split(|c: char| !c.is_alphanumeric())
            .map(str::to_lowercase)
            .any(|said| called.0.iter().any(|word| said.starts_with(word)))
    }
}

/// The words in the names of what is called.
#[derive(Default)]
struct CalledWords(Vec<String>);

impl CalledWords {
    /// Shorter ones stand in anything.
    const SHORTEST: usize = 3;

    fn add(&mut self, name: &str) {
        let words = name.split('_').map(str::to_lowercase);
        self.0
            .extend(words.filter(|word| word.len() >= Self::SHORTEST));
    }
}

impl<'a> SourceOrderVisitor<'a> for CalledWords {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node {
            match &*call.func {
                Expr::Name(name) => self.add(&name.id),
                Expr::Attribute(method) => {
                    self.add(&method.attr);
                    if let Some(receiver) = last_name(&method.value) {
                        self.add(receiver);
                    }
                }
                _ => {}
            }
        }
        TraversalSignal::Traverse
    }
}
