//! `await` under `if __name__ == "__main__":`. The code there is no function that could be one to await in, so it
//! needs an event loop of its own.

use asyncfix_analysis::answers::runners::runs_loop;
use asyncfix_analysis::file::NOTEBOOK_CODE;
use asyncfix_syntax::awaited::{Awaited, awaited_in_body};
use asyncfix_syntax::queries::tests_for_main;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::Ranged;

use super::one_loop::Statements;
use super::plain_await::{is_coroutine, operand_start};
use super::references::run_edits;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;

/// What marks the cells of a notebook, in which a loop may be running.
const CELLS: [&str; 3] = ["# %%", "# In[", "get_ipython"];

/// Whether a statement is a guard with an `await` under it, judged by the tree alone.
pub(super) fn is_candidate(site: &Site<'_, '_>, statement: &ast::StmtIf) -> bool {
    let found = || awaited_in_body(&statement.body);
    matches!(site.owner(), Owner::Module)
        && tests_for_main(statement)
        && (!found().awaits.is_empty() || found().other.is_some())
}

/// The finding at the first `await` under a guard.
pub(super) fn check<'a>(
    file: &File<'a, '_>,
    statement: &'a ast::StmtIf,
    rule: &'static Rule,
) -> Option<Finding> {
    let is_notebook = file
        .semantics
        .path()
        .is_some_and(|path| path.to_string_lossy().ends_with(NOTEBOOK_CODE))
        || CELLS.iter().any(|mark| file.source.contains(mark));
    if is_notebook || file.awaits_at_top_level() {
        return None;
    }
    let found = awaited_in_body(&statement.body);
    let (range, keyword) = found.first()?;
    Some(Finding::new(
        rule,
        range,
        format!("SyntaxError: `{keyword}` outside an async function"),
        match rewrite(file, statement, &found) {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason),
        },
    ))
}

fn rewrite<'a>(
    file: &File<'a, '_>,
    statement: &'a ast::StmtIf,
    found: &Awaited<'a>,
) -> Result<Rewrite, String> {
    let runs_another = runs_loop(&file.semantics, &statement.body);
    if let ([only], None) = (found.awaits.as_slice(), found.other)
        && !found.repeats
        && !runs_another
        && is_coroutine(file, only)
    {
        let before = operand_start(file, only, only.value.start());
        let (edits, import) = run_edits(file, only.range(), before, &only.value)?;
        return Ok(Rewrite::safe("Run the coroutine with `asyncio.run`", edits).with_shared(import));
    }
    if runs_another {
        return Err("an event loop is run here already; await it in there".to_owned());
    }
    let statements = Statements {
        suite: &statement.body,
        parent: Some(AnyNodeRef::StmtIf(statement)),
        range: 0..statement.body.len(),
    };
    let places: Vec<_> = found.awaits.iter().map(Ranged::range).collect();
    if found.other.is_none()
        && let Some(within) = statements.within_try(file, &places)
    {
        return within.in_one_function(file, Owner::Module, []);
    }
    if let Some(shared) = statements.shared_name(file) {
        return Err(format!(
            "{shared}; move this into an `async def` and run it with \
             `asyncio.run`"
        ));
    }
    statements.in_one_function(file, Owner::Module, [])
}
