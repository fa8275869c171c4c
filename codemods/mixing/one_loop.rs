//! Putting statements into one coroutine function, and running that in one event loop.

use std::ops::Range;

use asyncfix_analysis::answers::signature::is_typed_throughout;
use asyncfix_analysis::answers::under_loop::{Break, breaks, handles_interrupt};
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::Owner;
use ruff_diagnostics::Edit;
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_stmt};
use ruff_python_ast::{self as ast, AnyNodeRef, PythonVersion, Stmt};
use ruff_python_stdlib::builtins::is_python_builtin;
use ruff_source_file::UniversalNewlines;
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashSet;

use super::looked_up::looks_up;
use crate::edit::blocks::Block;
use crate::edit::{fresh_names, imports};
use crate::file::File;
use crate::finding::Rewrite;

/// Statements that stand in one suite, one behind the other.
pub(super) struct Statements<'a> {
    pub(super) suite: &'a [Stmt],
    /// The statement whose suite it is; `None` for the module.
    pub(super) parent: Option<AnyNodeRef<'a>>,
    pub(super) range: Range<usize>,
}

impl<'a> Statements<'a> {
    fn all(&self) -> &'a [Stmt] {
        self.suite.get(self.range.clone()).unwrap_or_default()
    }

    /// The rewrite that puts them into one coroutine function, which `asyncio.run` runs. `edits` are those inside of
    /// them.
    pub(super) fn in_one_function(
        &self,
        file: &File<'a, '_>,
        owner: Owner<'a>,
        edits: impl IntoIterator<Item = Edit>,
    ) -> Result<Rewrite, String> {
        let library = file.library();
        if library.and_then(Library::module).unwrap_or("asyncio") != "asyncio"
            || matches!(library, Some(Library::Other))
        {
            return Err(
                "several coroutines need to run here, with another library than asyncio".to_owned(),
            );
        }
        let first = self.all().first().ok_or("there is nothing to run")?;
        let scope = file
            .semantics
            .scope_of_owner(owner)
            .ok_or("the scope of the call can't be found")?;
        let name = fresh_names::fresh(file, owner, &["main", "run_all"]);
        let imported = imports::import(file, "asyncio", "run", scope, first.start())?;
        let block = file
            .lines()
            .block(self.suite, self.parent, self.range.clone())
            .filter(Block::stands_alone)
            .ok_or("there is another statement on the same line")?;
        // An import that ends where the block starts comes before its blank lines.
        let (shared, mut all): (Vec<_>, Vec<_>) = imported
            .edit
            .into_iter()
            .partition(|edit| edit.start() != block.start());
        // What Black wants around a function: nothing below the header of another one.
        let blank = match self.parent {
            None => 2,
            Some(_) => 1,
        };
        let missing = match self.parent {
            None | Some(AnyNodeRef::StmtFunctionDef(_)) if self.range.start == 0 => 0,
            _ => blank - blank_lines_before(file.source, block.start()).min(blank),
        };
        if missing > 0 {
            let lines = file.newline().repeat(missing);
            all.push(Edit::insertion(lines, block.start()));
        }
        let returns = if is_typed_throughout(file.body()) {
            " -> None"
        } else {
            ""
        };
        let mut trailer = vec![String::new(); blank];
        trailer.push(format!("{}({name}())", imported.expression));
        all.extend(block.wrap(&format!("async def {name}(){returns}:"), &trailer)?);
        all.extend(edits);
        let doubt = breaks(file, self.all(), []).map(Break::doubt).transpose()?;
        let mut rewrite = Rewrite::safe("Move them into one `async def` and run it", all)
            .with_shared(shared)
            .unsafe_if(doubt);
        if matches!(owner, Owner::Module) {
            rewrite = rewrite.unsafe_if(self.local_doubt(file));
        }
        rewrite.moves = Some(block.range());
        rewrite.alone_in = Some(match owner {
            Owner::Function(function) => function.start(),
            _ => TextSize::default(),
        });
        Ok(rewrite)
    }

    /// The statements in the `try` among them that handles Ctrl+C, if nothing outside of it has to do with the
    /// coroutines at `places`: the `try` keeps what it catches when it stays outside of the event loop.
    pub(super) fn within_try(
        &self,
        file: &File<'_, '_>,
        places: &[TextRange],
    ) -> Option<Statements<'a>> {
        // What is made before may want the loop.
        let only_prepares = |statement: &&Stmt| match statement {
            Stmt::Import(_)
            | Stmt::ImportFrom(_)
            | Stmt::Expr(_)
            | Stmt::FunctionDef(_)
            | Stmt::ClassDef(_) => true,
            Stmt::Assign(assign) => assign.value.is_literal_expr(),
            _ => false,
        };
        let statement = self.all().iter().find(|one| !only_prepares(one))?;
        let body = match statement {
            Stmt::Try(statement) if handles_interrupt(&file.semantics, statement) => {
                statement.body.as_slice()
            }
            _ => return None,
        };
        let range = body.iter().map(Ranged::range).reduce(TextRange::cover)?;
        let within = Statements {
            suite: body,
            parent: Some(statement.into()),
            range: 0..body.len(),
        };
        let is_all = places.iter().all(|place| range.contains_range(*place));
        (is_all && within.shared_name(file).is_none()).then_some(within)
    }

    /// Why something may miss what they define at the top level of the module, where it will be local.
    fn local_doubt(&self, file: &File<'_, '_>) -> Option<String> {
        let mut uses = Uses::default();
        uses.visit_body(self.all());
        let is_handed_on = |function: &ast::StmtFunctionDef| {
            !function.decorator_list.is_empty()
                || uses
                    .read
                    .iter()
                    .any(|name| name.id == function.name.id && !uses.called.contains(&name.range()))
        };
        let mut defined = Defined(Vec::new());
        defined.visit_body(self.all());
        let local = defined.0.into_iter().find_map(|statement| match statement {
            Stmt::ClassDef(class) => Some(&class.name),
            Stmt::FunctionDef(function) if is_handed_on(function) => Some(&function.name),
            _ => None,
        });
        if let Some(name) = local {
            return Some(format!(
                "`{name}` will be local, and `pickle` and other processes can't find it"
            ));
        }
        let bound = Bound::by(self.all(), None);
        let is_moved = |name: &str| bound.contains(name);
        let written = (!bound.is_empty()).then(|| looks_up(file, file.body(), &is_moved));
        Some(format!(
            "`{}` will lack the names that are assigned here",
            written??
        ))
    }

    /// A name that they bind and that has to do with code outside of them, where it would be a local one of the new
    /// function: what they bind is read out there, or what they read is bound there.
    pub(super) fn shared_name(&self, file: &File<'_, '_>) -> Option<String> {
        let own = self
            .all()
            .iter()
            .map(Ranged::range)
            .reduce(TextRange::cover)?;
        let bound = Bound::by(self.all(), None);
        let outside = Bound::by(file.body(), Some(own));
        let mut uses = Uses::default();
        uses.visit_body(file.body());
        let semantics = &file.semantics;
        // Whether the value that a name has somewhere may be one from within these statements, or one from outside.
        let from = |name: &ast::ExprName, from_within: bool| {
            semantics.bindings(name).is_none_or(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_none_or(|range| own.contains_range(range) == from_within)
                }) || definitions.is_empty() && !from_within
            })
        };
        let may_be_builtin = |name: &ast::ExprName| {
            is_python_builtin(&name.id, PythonVersion::latest().minor, false)
                && semantics.may_be_unbound(name)
        };
        let mut names: Vec<_> = bound.into_iter().collect();
        names.sort();
        names.into_iter().find_map(|name| {
            let of_name = |place: &&&ast::ExprName| place.id == name;
            let is_within = |place: &&ast::ExprName| own.contains_range(place.range());
            let (within, around): (Vec<_>, Vec<_>) = uses
                .read
                .iter()
                .filter(of_name)
                .copied()
                .partition(is_within);
            let (joined_within, joined_around): (Vec<_>, Vec<_>) = uses
                .joined
                .iter()
                .filter(of_name)
                .copied()
                .partition(is_within);
            let is_read_outside = file.is_imported_name(&name)
                || !joined_around.is_empty()
                || around.iter().any(|place| from(place, true));
            let has_value_outside = uses.global.contains(&name.as_str())
                || !joined_within.is_empty() && outside.contains(&name)
                || within
                    .iter()
                    .any(|place| from(place, false) || may_be_builtin(place));
            if is_read_outside {
                Some(format!("`{name}` is also used outside"))
            } else if has_value_outside {
                Some(format!(
                    "`{name}` also has a value outside of these statements"
                ))
            } else {
                None
            }
        })
    }
}

/// Where names are used.
#[derive(Default)]
struct Uses<'a> {
    read: Vec<&'a ast::ExprName>,
    /// Where something is joined to what variables of the module have: `count += 1`.
    joined: Vec<&'a ast::ExprName>,
    /// Where something is called.
    called: FxHashSet<TextRange>,
    /// Those that some function declares to be global.
    global: FxHashSet<&'a str>,
    /// How many functions and classes are around.
    depth: usize,
}

impl<'a> SourceOrderVisitor<'a> for Uses<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if !name.ctx.is_store() => self.read.push(name),
            AnyNodeRef::ExprCall(call) => {
                self.called.insert(call.func.range());
            }
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => self.depth += 1,
            AnyNodeRef::StmtAugAssign(statement) if self.depth == 0 => {
                self.joined.extend(statement.target.as_name_expr());
            }
            AnyNodeRef::StmtGlobal(statement) => {
                self.global
                    .extend(statement.names.iter().map(ast::Identifier::as_str));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        self.depth -= usize::from(node.is_stmt_function_def() || node.is_stmt_class_def());
    }
}

/// The functions and classes that statements define themselves.
struct Defined<'a>(Vec<&'a Stmt>);

impl<'a> SourceOrderVisitor<'a> for Defined<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            self.0.push(statement);
        } else {
            walk_stmt(self, statement);
        }
    }
}

/// The names that statements bind themselves.
struct Bound {
    names: FxHashSet<Name>,
    /// Statements that are left out.
    without: Option<TextRange>,
}

impl Bound {
    fn by(statements: &[Stmt], without: Option<TextRange>) -> FxHashSet<Name> {
        let mut bound = Self {
            names: FxHashSet::default(),
            without,
        };
        bound.visit_body(statements);
        bound.names
    }
}

impl<'a> SourceOrderVisitor<'a> for Bound {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let Some(without) = self.without
            && node.is_statement()
            && without.contains_range(node.range())
        {
            return TraversalSignal::Skip;
        }
        let named = match node {
            AnyNodeRef::PatternMatchAs(pattern) => pattern.name.as_ref(),
            AnyNodeRef::PatternMatchStar(pattern) => pattern.name.as_ref(),
            AnyNodeRef::PatternMatchMapping(pattern) => pattern.rest.as_ref(),
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => handler.name.as_ref(),
            AnyNodeRef::StmtFunctionDef(function) => Some(&function.name),
            AnyNodeRef::StmtClassDef(class) => Some(&class.name),
            _ => None,
        };
        self.names.extend(named.map(|name| name.id.clone()));
        match node {
            AnyNodeRef::ExprName(name) if !name.ctx.is_load() => {
                self.names.insert(name.id.clone());
            }
            AnyNodeRef::Alias(alias) => {
                let name = alias.asname.as_ref().unwrap_or(&alias.name);
                let first = name.split('.').next().unwrap_or_default();
                self.names.insert(Name::new(first));
            }
            _ => {}
        }
        own_code(node)
    }

    // The variables of a comprehension are its own.
    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        self.visit_expr(&comprehension.iter);
        for test in &comprehension.ifs {
            self.visit_expr(test);
        }
    }
}

/// How many blank lines stand above the line that starts at `start`.
fn blank_lines_before(source: &str, start: TextSize) -> usize {
    source[..start.to_usize()]
        .universal_newlines()
        .rev()
        .take_while(|line| line.trim().is_empty())
        .count()
}
