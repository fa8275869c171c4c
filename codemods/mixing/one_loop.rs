//! Putting statements into one coroutine function, and running that in one event loop.

use std::ops::Range;

use asyncfix_analysis::answers::signature::is_typed_throughout;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::site::Owner;
use ruff_diagnostics::Edit;
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_source_file::UniversalNewlines;
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashSet;

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
        let mut rewrite =
            Rewrite::safe("Move them into one `async def` and run it", all).with_shared(shared);
        rewrite.moves = Some(block.range());
        rewrite.alone_in = Some(match owner {
            Owner::Function(function) => function.start(),
            _ => TextSize::default(),
        });
        Ok(rewrite)
    }

    /// A name that they bind and that code outside of them may read: it would be a local one of the new function.
    pub(super) fn bound_for_others(&self, file: &File<'_, '_>) -> Option<Name> {
        let mut bound = Bound(FxHashSet::default());
        bound.visit_body(self.all());
        let own = self
            .all()
            .iter()
            .map(Ranged::range)
            .reduce(TextRange::cover)?;
        let semantics = &file.semantics;
        let is_of_these = |name: &ast::ExprName| {
            semantics.bindings(name).is_none_or(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_none_or(|range| own.contains_range(range))
                })
            })
        };
        let is_read = |name: &Name| {
            file.is_imported_name(name)
                || any_over_body(file.body(), |expr| {
                    matches!(expr, Expr::Name(other)
                        if other.id == *name
                            && !own.contains_range(other.range())
                            && is_of_these(other))
                })
        };
        let mut names: Vec<_> = bound.0.into_iter().collect();
        names.sort();
        names.into_iter().find(is_read)
    }
}

/// The names that statements bind themselves.
struct Bound(FxHashSet<Name>);

impl<'a> SourceOrderVisitor<'a> for Bound {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if !name.ctx.is_load() => {
                self.0.insert(name.id.clone());
            }
            AnyNodeRef::Alias(alias) => {
                let name = alias.asname.as_ref().unwrap_or(&alias.name);
                let first = name.split('.').next().unwrap_or_default();
                self.0.insert(Name::new(first));
            }
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                self.0
                    .extend(handler.name.as_ref().map(|name| name.id.clone()));
            }
            AnyNodeRef::StmtFunctionDef(function) => {
                self.0.insert(function.name.id.clone());
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtClassDef(class) => {
                self.0.insert(class.name.id.clone());
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            _ => {}
        }
        TraversalSignal::Traverse
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
