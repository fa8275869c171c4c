//! Where plain code makes coroutines and has to become a coroutine function to run them.

use asyncfix_analysis::answers::blocking::path_method;
use asyncfix_analysis::answers::under_loop::{Break, breaks};
use asyncfix_syntax::queries::{called, is_main_guard, own_code, tests_for_main};
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::conversion::Conversion;
use super::forgotten::{Awaits, awaits_in};
use super::made_async::made_async;
use super::may_be_async::{TestsOf, awaited_setup, is_mark, runs_async_test, tests_of};
use super::never_run::RULE;
use super::one_loop::Statements;
use super::references::{Around, Kind};
use crate::edit::imports;
use crate::file::File;
use crate::finding::Rewrite;
use crate::suppression::Suppressions;

/// The plain function that a script calls becomes a coroutine function, and the script runs that.
pub(super) fn function<'a>(
    file: &File<'a, '_>,
    function: &'a ast::StmtFunctionDef,
) -> Result<Rewrite, String> {
    let definition = file
        .semantics
        .definition_of(function)
        .ok_or("its scope can't be found")?;
    if let Some(known) = file.conversions.rewrite_of(definition) {
        return Ok(known);
    }
    let path = file
        .semantics
        .path()
        .ok_or("the file has no path")?
        .to_path_buf();
    let mut conversion = Conversion::new(file);
    let awaits = awaits_in(file, Owner::Function(function), function.range())?;
    if is_silenced(file, &awaits) {
        return Err("a comment says that one of the coroutines is not to be run".to_owned());
    }
    conversion.convert(definition, &function.name)?;
    conversion.edits_of(&path).own.extend(awaits.edits);
    conversion.into_rewrite(format!("Make `{}` and its callers `async`", function.name))
}

/// What stands at the top level of a script, from the first coroutine to the last, or all of what stands under its
/// guard, moves into one coroutine function. `reason` says why that is needed.
pub(super) fn script<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    reason: String,
) -> Result<Rewrite, String> {
    together(file, guard_around(site), None, reason)
}

/// The `if __name__ == "__main__":` around `site`.
fn guard_around<'a>(site: &Site<'_, 'a>) -> Option<&'a ast::StmtIf> {
    let mut around = site.enclosing_in_function();
    around.find_map(|(node, child)| match node {
        AnyNodeRef::StmtIf(statement) if is_main_guard(statement, child) => Some(statement),
        _ => None,
    })
}

/// Whether the call at `site` makes the only coroutine at the top level of a script, or under its guard.
pub(super) fn is_alone<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> bool {
    let mut around = site.enclosing_in_function();
    if around.any(|(node, _)| node.is_stmt_for() || node.is_stmt_while()) {
        return false;
    }
    let body = guard_around(site).map_or(file.body(), |guard| guard.body.as_slice());
    let whole = body.iter().map(Ranged::range).reduce(TextRange::cover);
    let awaits = whole.map(|whole| awaits_in(file, Owner::Module, whole));
    matches!(awaits, Some(Ok(awaits)) if awaits.places.len() == 1 && !awaits.makes_others)
}

/// The statements at the top level of a script, or under its guard, that hold the calls at `calls`, which have their edits
/// already, move into one coroutine function, with the coroutines that are made there beside them.
pub(super) fn around_calls(
    file: &File<'_, '_>,
    calls: &[TextRange],
    reason: String,
) -> Result<Rewrite, String> {
    let first = calls.first().copied().unwrap_or_default();
    let guard = file.body().iter().find_map(|statement| match statement {
        Stmt::If(guard) if tests_for_main(guard) && guard.range().contains_range(first) => {
            Some(guard)
        }
        _ => None,
    });
    let is_within = |call: &TextRange| {
        guard.is_none_or(|guard| {
            let mut body = guard.body.iter();
            body.any(|statement| statement.range().contains_range(*call))
        })
    };
    if !calls.iter().all(is_within) {
        return Err(reason);
    }
    together(file, guard, Some(calls), reason)
}

fn together<'a>(
    file: &File<'a, '_>,
    guard: Option<&'a ast::StmtIf>,
    calls: Option<&[TextRange]>,
    reason: String,
) -> Result<Rewrite, String> {
    let (body, parent) = match guard {
        Some(guard) => (guard.body.as_slice(), Some(AnyNodeRef::StmtIf(guard))),
        None => (file.body(), None),
    };
    let whole = body
        .iter()
        .map(Ranged::range)
        .reduce(TextRange::cover)
        .ok_or("there is nothing to run")?;
    let mut awaits = awaits_in(file, Owner::Module, whole)?;
    awaits.places.extend(calls.into_iter().flatten().copied());
    if awaits.makes_others || is_silenced(file, &awaits) {
        return Err(reason);
    }
    let has_one = |statement: &Stmt| {
        let mut places = awaits.places.iter();
        places.any(|place| statement.range().contains_range(*place))
    };
    let range = match (guard, body.iter().position(has_one)) {
        (Some(_), _) => 0..body.len(),
        (None, Some(first)) => first..body.iter().rposition(has_one).unwrap_or(first) + 1,
        (None, None) => return Err(reason),
    };
    let all = body.get(range.clone()).unwrap_or_default();
    if all.iter().any(|statement| {
        matches!(statement, Stmt::ImportFrom(import)
            if import.names.iter().any(|alias| alias.name.as_str() == "*"))
            || guard.is_none() && matches!(statement, Stmt::If(_) if has_guard(statement))
    }) {
        return Err(reason);
    }
    let statements = Statements {
        suite: body,
        parent,
        range,
    };
    if let Some(within) = statements.within_try(file, &awaits.places) {
        return within.in_one_function(file, Owner::Module, awaits.edits);
    }
    if let Some(shared) = statements.shared_name(file) {
        return Err(format!("{reason} ({shared})"));
    }
    statements.in_one_function(file, Owner::Module, awaits.edits)
}

/// Whether a comment turns the rule off for one of the coroutines.
fn is_silenced(file: &File<'_, '_>, awaits: &Awaits) -> bool {
    let suppressions = Suppressions::of(file);
    let mut places = awaits.places.iter();
    places.any(|place| suppressions.silence(&RULE, *place))
}

fn has_guard(statement: &Stmt) -> bool {
    matches!(statement, Stmt::If(statement) if tests_for_main(statement))
}

/// A test function becomes a coroutine function, marked like the others of the file.
pub(super) fn test<'a>(
    file: &File<'a, '_>,
    function: &'a ast::StmtFunctionDef,
) -> Result<Rewrite, String> {
    let refusal = || {
        "a sync test can't await this; with async test support, make the test an `async def`"
            .to_owned()
    };
    awaited_setup(&function.name)?;
    let support = support(file, function).ok_or_else(refusal)?;
    let definition = file.semantics.definition_of(function).ok_or_else(refusal)?;
    let conversion = Conversion::new(file);
    let references = conversion.references(definition, &function.name)?;
    if references
        .iter()
        .any(|reference| matches!(reference.kind, Kind::Call(_) | Kind::Value { .. }))
    {
        return Err("the test is also called by other code".to_owned());
    }
    let header = made_async(file, function).ok_or_else(refusal)?;
    let awaits = awaits_in(file, Owner::Function(function), function.range())?;
    let mut edits = vec![header];
    if let Support::Mark(mark) = support {
        let indent = file.indentation_at(function.start());
        edits.insert(
            0,
            Edit::insertion(
                format!("{mark}{}{indent}", file.newline()),
                function.start(),
            ),
        );
    }
    edits.extend(awaits.edits);
    let breaks = breaks(file, &function.body, [])
        .map(Break::doubt)
        .transpose()?;
    let mut rewrite = Rewrite::safe("Make the test `async`", edits)
        .unsafe_if(breaks)
        .unsafe_if(blocks(file, function));
    rewrite.alone_in = Some(function.start());
    Ok(rewrite)
}

/// What the test calls that would block the event loop once it is a coroutine function, as the reason of an unsafe fix.
/// Rules about blocking calls leave those of a test to its author.
fn blocks(file: &File<'_, '_>, test: &ast::StmtFunctionDef) -> Option<String> {
    struct Search<'f, 'a, 'db>(&'f File<'a, 'db>, Option<String>);
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && self.1.is_none()
            {
                let table = &self.0.settings.blocking;
                let path = self.0.semantics.qualified_name(&call.func);
                let blocks = path.is_some_and(|path| table.function(&path).is_some())
                    || path_method(self.0, call).is_some();
                self.1 = blocks.then(|| self.0.text(&*call.func).to_owned());
            }
            own_code(node)
        }
    }
    let mut search = Search(file, None);
    search.visit_body(&test.body);
    let name = search.1?;
    Some(format!(
        "the test also calls `{name}`, which would block the event loop"
    ))
}

/// How a file says that its coroutine functions are tests.
enum Support {
    /// Without a word.
    Given,
    /// By a decorator, as it is written.
    Mark(String),
}

/// How a test of the file can be a coroutine function. `None` where nothing shows that it can.
fn support(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Option<Support> {
    if runs_async_test(file, function) {
        return Some(Support::Given);
    }
    let mut tests = Tests {
        file,
        mark: None,
        is_given: false,
    };
    match file
        .class_at_top(function)
        .map(|class| (class, tests_of(file, class)))
    {
        None | Some((_, TestsOf::NoCase)) => tests.visit_body(file.body()),
        // What the class inherits may await them, or not.
        Some((class, TestsOf::Unknown)) => tests.visit_body(&class.body),
        Some((_, TestsOf::AwaitingCase | TestsOf::PlainCase)) => return None,
    }
    match tests.mark {
        Some(mark) => Some(Support::Mark(mark)),
        // The runner takes those that are there without a mark.
        None => tests.is_given.then_some(Support::Given),
    }
}

/// Looks at the tests that are coroutine functions.
struct Tests<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    /// What the first of them is marked with that has a mark.
    mark: Option<String>,
    /// Whether there is one without a mark.
    is_given: bool,
}

impl<'a> SourceOrderVisitor<'a> for Tests<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            // Those of another class may be run by something else.
            AnyNodeRef::StmtClassDef(class) if tests_of(self.file, class) != TestsOf::NoCase => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtFunctionDef(test) if test.is_async && test.name.starts_with("test") => {
                let mut decorators = test.decorator_list.iter();
                match decorators.find(|decorator| is_mark(self.file, called(decorator))) {
                    Some(mark) => {
                        self.mark
                            .get_or_insert_with(|| self.file.text(mark).to_owned());
                    }
                    None => self.is_given = true,
                }
            }
            _ => {}
        }
        if node.is_expression() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

/// A coroutine that a plain function drops, which nothing but coroutines call: a task of the loop that runs.
pub(super) fn task<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    function: &'a ast::StmtFunctionDef,
) -> Option<Rewrite> {
    if !matches!(site.parent(), Some(AnyNodeRef::StmtExpr(_))) {
        return None;
    }
    let definition = file.semantics.definition_of(function)?;
    let conversion = Conversion::new(file);
    let references = conversion.references(definition, &function.name).ok()?;
    let mut calls = references
        .iter()
        .filter(|reference| !matches!(reference.kind, Kind::Import { by_package: false }))
        .peekable();
    calls.peek()?;
    let only_coroutines = calls.all(
        |reference| matches!(&reference.kind, Kind::Call(call) if call.around == Around::Coroutine),
    );
    if !only_coroutines || !function.decorator_list.is_empty() {
        return None;
    }
    let scope = file.semantics.scope_of(&call.func)?;
    let imported = imports::import(file, "asyncio", "create_task", scope, call.start()).ok()?;
    let edits = vec![
        Edit::insertion(format!("{}(", imported.expression), call.start()),
        Edit::insertion(")".to_owned(), call.end()),
    ];
    Some(
        Rewrite::safe("Make a task of it", edits)
            .with_shared(imported.edit)
            .unsafe_if(Some(
                "it will run after the code that follows, and its errors are seen by nobody",
            )),
    )
}
