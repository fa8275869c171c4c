//! Whether a plain function can be a coroutine function, and what it would be as one.

use std::path::Path;

use asyncfix_analysis::answers::callbacks::{Caller, caller_behind};
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_analysis::resolve::definitions::Class;
use asyncfix_knowledge::decorators::KEEPING;
use asyncfix_knowledge::libraries::MARKS;
use asyncfix_syntax::awaited::needs_coroutine;
use asyncfix_syntax::queries::{called, last_name, yields};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;
use rustc_hash::FxHashSet;

use crate::file::File;

/// Whether a plain function that awaits nothing itself gives something to await: as a coroutine
/// function, it would have to be awaited twice. `None` where that is not known.
pub(super) fn gives_awaitable(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
) -> Option<bool> {
    struct Returns<'a>(Vec<&'a Expr>);
    impl<'a> SourceOrderVisitor<'a> for Returns<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                    return TraversalSignal::Skip;
                }
                AnyNodeRef::StmtReturn(statement) => self.0.extend(statement.value.as_deref()),
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    if needs_coroutine(function) || yields(function) {
        return Some(false);
    }
    let mut returns = Returns(Vec::new());
    returns.visit_body(&function.body);
    let mut is_known = true;
    for value in returns.0 {
        match file.semantics.awaitability(value.into()) {
            Awaitability::No => {}
            Awaitability::Unknown => is_known = false,
            _ => return Some(true),
        }
    }
    is_known.then_some(false)
}

/// Methods that Python itself awaits.
const AWAITED_BY_PYTHON: [&str; 3] = ["__aenter__", "__aexit__", "__anext__"];

/// Whether a decorator takes coroutine functions: in the same file, it stands before one.
fn takes_coroutines(file: &File<'_, '_>, callee: &Expr) -> bool {
    struct Search<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        text: &'f str,
        is_found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtFunctionDef(function) = node
                && function.is_async
            {
                self.is_found |= function
                    .decorator_list
                    .iter()
                    .any(|decorator| self.file.text(called(decorator)) == self.text);
            }
            if self.is_found || node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Search {
        file,
        text: file.text(callee),
        is_found: false,
    };
    search.visit_body(file.body());
    search.is_found
}

/// Whether somebody out of sight calls the function and awaits it.
pub(super) fn is_called_elsewhere(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    is_test(file, function)
        || AWAITED_BY_PYTHON.contains(&function.name.as_str())
        || function
            .decorator_list
            .iter()
            .any(|decorator| !file.semantics.means(called(decorator), &KEEPING))
}

/// Whether a framework that awaits its handlers calls the function, by its decorators.
pub(super) fn is_handler(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    let mut decorators = function.decorator_list.iter();
    decorators.any(|decorator| caller_behind(&file.semantics, decorator) == Some(Caller::Awaits))
}

/// Why a function cannot be a coroutine function, if it cannot.
pub(super) fn can_be_async(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
) -> Result<(), String> {
    let name = &function.name;
    if name.starts_with("__") && name.ends_with("__") && !AWAITED_BY_PYTHON.contains(&name.as_str())
    {
        return Err(format!("Python calls `{name}` itself and doesn't await it"));
    }
    for decorator in &function.decorator_list {
        let callee = called(decorator);
        if file.semantics.means(callee, &["builtins.property"])
            || last_name(callee).is_some_and(|name| matches!(name, "setter" | "cached_property"))
        {
            return Err(format!(
                "`{name}` is a property, and its users don't await it"
            ));
        }
        if !file.semantics.means(callee, &KEEPING)
            && caller_behind(&file.semantics, decorator) != Some(Caller::Awaits)
            && !is_mark(file, callee)
            && !takes_coroutines(file, callee)
        {
            return Err(format!(
                "the decorator `{}` may not support async functions",
                file.first_line(callee)
            ));
        }
    }
    awaited_setup(name)?;
    if is_test(file, function) && !runs_async_test(file, function) {
        return Err(format!(
            "without async test support, the test runner would skip an async `{name}`"
        ));
    }
    if yields(function) && returns_value(function) {
        return Err(format!(
            "`{name}` is a generator with `return value`, which an async generator can't have"
        ));
    }
    Ok(())
}

/// Whether a test runner calls the function.
pub(super) fn is_test(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    let is_test_file = file
        .semantics
        .path()
        .and_then(Path::file_stem)
        .and_then(|stem| stem.to_str())
        .is_some_and(|stem| stem.starts_with("test_") || stem.ends_with("_test"));
    function.name.starts_with("test_") && is_test_file
        || matches!(function.name.as_str(), "setUp" | "tearDown")
        || function.name.starts_with("test") && is_in_test_case(file, function)
}

/// Whether the function is a method of a class that inherits from nothing but those of `unittest`.
pub(super) fn is_in_test_case(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    let classes = file.body().iter().filter_map(Stmt::as_class_def_stmt);
    let mut around = classes.filter(|class| class.range().contains_range(function.range()));
    around.any(|class| {
        !class.bases().is_empty()
            && class.bases().iter().all(|base| {
                file.semantics.means(
                    base,
                    &["unittest.TestCase", "unittest.IsolatedAsyncioTestCase"],
                )
            })
    })
}

/// Who runs the tests of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TestsOf {
    /// `unittest`, which awaits them.
    AwaitingCase,
    /// `unittest`, which does not.
    PlainCase,
    /// `pytest`, or nobody.
    NoCase,
    /// The class inherits from something that is not known.
    Unknown,
}

/// Who runs the tests of a class, by what it inherits from.
pub(super) fn tests_of(file: &File<'_, '_>, class: &ast::StmtClassDef) -> TestsOf {
    let semantics = &file.semantics;
    let mut seen = FxHashSet::default();
    let mut pending = Vec::new();
    let mut found = TestsOf::NoCase;
    for base in class.bases() {
        match semantics.class_called(base) {
            Some(base) => pending.push(base),
            None => found = TestsOf::Unknown,
        }
    }
    while let Some(class) = pending.pop() {
        if !seen.insert(class.definition) {
            continue;
        }
        match semantics.path_of_class(class.definition).as_str() {
            "unittest.async_case.IsolatedAsyncioTestCase" => return TestsOf::AwaitingCase,
            "unittest.case.TestCase" => found = TestsOf::PlainCase,
            _ => {
                let bases: Vec<_> = class.base_classes().collect();
                let known = bases.iter().filter_map(|base| Class::of(semantics, *base));
                let before = pending.len();
                pending.extend(known);
                if pending.len() - before < class.bases().count() && found == TestsOf::NoCase {
                    found = TestsOf::Unknown;
                }
            }
        }
    }
    found
}

/// Whether the decorators of a test or a class say that tests may be coroutine functions.
pub(super) fn is_marked(file: &File<'_, '_>, decorators: &[ast::Decorator]) -> bool {
    let mut decorators = decorators.iter();
    decorators.any(|decorator| is_mark(file, called(decorator)))
}

/// Whether an expression is a mark of tests that may be coroutine functions.
pub(super) fn is_mark(file: &File<'_, '_>, mark: &Expr) -> bool {
    let mark = match mark {
        Expr::Call(call) => &*call.func,
        other => other,
    };
    let path = file.semantics.qualified_name(mark);
    path.is_some_and(|path| {
        path.strip_prefix("pytest.mark.")
            .is_some_and(|name| MARKS.contains(&name))
    })
}

/// Whether all tests of a module or of a class may be coroutine functions.
pub(super) fn marks_all_tests(file: &File<'_, '_>, body: &[Stmt]) -> bool {
    body.iter().any(|statement| {
        let (target, value) = match statement {
            Stmt::Assign(ast::StmtAssign { targets, value, .. }) => match targets.as_slice() {
                [target] => (target, value),
                _ => return false,
            },
            Stmt::AnnAssign(ast::StmtAnnAssign {
                target,
                value: Some(value),
                ..
            }) => (&**target, value),
            _ => return false,
        };
        let marks = match &**value {
            Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
                elts.as_slice()
            }
            mark => std::slice::from_ref(mark),
        };
        last_name(target) == Some("pytestmark") && marks.iter().any(|mark| is_mark(file, mark))
    })
}

/// Whether it is said of a test that it may be a coroutine function: of itself, of its class, of its file
/// or of the project's tests.
pub(super) fn runs_async_test(file: &File<'_, '_>, test: &ast::StmtFunctionDef) -> bool {
    let class = file.class_at_top(test);
    match class.map_or(TestsOf::NoCase, |class| tests_of(file, class)) {
        TestsOf::AwaitingCase => true,
        TestsOf::PlainCase => false,
        TestsOf::NoCase if file.settings.awaits_tests => true,
        TestsOf::NoCase | TestsOf::Unknown => {
            is_marked(file, &test.decorator_list)
                || marks_all_tests(file, file.body())
                || class.is_some_and(|class| {
                    is_marked(file, &class.decorator_list) || marks_all_tests(file, &class.body)
                })
        }
    }
}

/// What has to be written in the place of a method of `unittest` that is not awaited.
pub(super) fn awaited_setup(name: &str) -> Result<(), String> {
    let instead = match name {
        "setUp" => "asyncSetUp",
        "tearDown" => "asyncTearDown",
        _ => return Ok(()),
    };
    Err(format!(
        "`unittest` doesn't await `{name}`; write `async def {instead}` in an \
         `IsolatedAsyncioTestCase`"
    ))
}

fn returns_value(function: &ast::StmtFunctionDef) -> bool {
    struct Returns(bool);
    impl<'a> SourceOrderVisitor<'a> for Returns {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                    return TraversalSignal::Skip;
                }
                AnyNodeRef::StmtReturn(statement) => self.0 |= statement.value.is_some(),
                AnyNodeRef::ExprYieldFrom(_) => self.0 = true,
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Returns(false);
    search.visit_body(&function.body);
    search.0
}
