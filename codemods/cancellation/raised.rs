//! Exceptions of a project or a package that are no `Exception`, like a cancellation: a handler of everything may be there
//! for one of them.

use asyncfix_analysis::limits::{BASES, BODIES, Limit};
use asyncfix_analysis::resolve::Definition;
use asyncfix_analysis::resolve::definitions::Class;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::base_exceptions::TABLE;
use asyncfix_syntax::queries::own_code;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, Stmt};

use crate::file::File;

/// Those of Python itself. `asyncio.CancelledError` is what the handler is asked about.
const BUILTIN: &[&str] = &[
    "builtins.BaseException",
    "builtins.GeneratorExit",
    "builtins.KeyboardInterrupt",
    "builtins.SystemExit",
];

/// Calls that raise `SystemExit`.
const EXITS: &[&str] = &["builtins.exit", "builtins.quit", "sys.exit"];

/// The name of an exception of a package that is no `Exception`, where a suite may raise it: it calls what does, or
/// anything at all where everything in the package may.
pub fn by_packages(file: &File<'_, '_>, suite: &[Stmt]) -> Option<String> {
    let semantics = &file.semantics;
    let spellings = semantics.spellings();
    let mut packages = TABLE.packages.iter();
    let package = packages.find(|package| {
        let raised_by: Vec<&str> = package.raised_by.iter().map(String::as_str).collect();
        spellings.import(&package.name)
            && calls(suite, |callee| {
                raised_by.is_empty() || semantics.means(callee, &raised_by)
            })
    })?;
    Some(package.exception.clone())
}

/// Whether a suite calls something of which `is_it` holds.
fn calls(suite: &[Stmt], is_it: impl Fn(&Expr) -> bool) -> bool {
    struct Search<F> {
        is_it: F,
        found: bool,
    }
    impl<'a, F: Fn(&Expr) -> bool> SourceOrderVisitor<'a> for Search<F> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= matches!(node, AnyNodeRef::ExprCall(call) if (self.is_it)(&call.func));
            own_code(node)
        }
    }
    let mut search = Search {
        is_it,
        found: false,
    };
    search.visit_body(suite);
    search.found
}

/// The name of an exception that a suite raises, itself or through functions in sight, and that is no
/// `Exception`.
pub fn beyond_exception(file: &File<'_, '_>, suite: &[Stmt]) -> Option<String> {
    raised_in(&file.semantics, suite, BODIES)
}

/// Whether an expression of an `except` clause is a class that derives from `Exception`, as far as classes of
/// the project and of Python tell.
pub fn is_exception(file: &File<'_, '_>, kind: &Expr) -> bool {
    let semantics = &file.semantics;
    !semantics.means(kind, BUILTIN)
        && semantics
            .class_named(kind)
            .is_some_and(|class| derives_from_exception(semantics, class, BASES))
}

fn derives_from_exception<'db>(
    semantics: &Semantics<'db>,
    class: Definition<'db>,
    depth: Limit,
) -> bool {
    let (Some(class), Some(depth)) = (Class::of(semantics, class), depth.less()) else {
        return false;
    };
    class.node().name == *"Exception" && class.own.module_name().as_deref() == Some("builtins")
        || class
            .base_classes()
            .any(|base| derives_from_exception(semantics, base, depth))
}

fn is_beyond<'db>(semantics: &Semantics<'db>, class: Definition<'db>, depth: Limit) -> bool {
    let db = semantics.db();
    let Some(depth) = depth.less() else {
        return false;
    };
    let Some(class) =
        Class::of(semantics, class).filter(|class| !class.definition.file(db).is_stub(db))
    else {
        return false;
    };
    class.bases().any(|base| class.own.means(base, BUILTIN))
        || class
            .base_classes()
            .any(|base| is_beyond(semantics, base, depth))
}

fn raised_in(semantics: &Semantics<'_>, suite: &[Stmt], depth: Limit) -> Option<String> {
    struct Search<'s, 'db> {
        semantics: &'s Semantics<'db>,
        depth: Limit,
        found: Option<String>,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if self.found.is_some() {
                return TraversalSignal::Skip;
            }
            let semantics = self.semantics;
            match node {
                AnyNodeRef::StmtRaise(statement) => {
                    let class = match statement.exc.as_deref() {
                        Some(Expr::Call(call)) => Some(&*call.func),
                        other => other,
                    };
                    self.found = class
                        .filter(|class| {
                            semantics.means(class, BUILTIN)
                                || semantics
                                    .class_named(class)
                                    .is_some_and(|class| is_beyond(semantics, class, BASES))
                        })
                        .and_then(asyncfix_syntax::queries::last_name)
                        .map(str::to_owned);
                }
                AnyNodeRef::ExprCall(call) if semantics.means(&call.func, EXITS) => {
                    self.found = Some("SystemExit".to_owned());
                }
                AnyNodeRef::ExprCall(call) => {
                    self.found = self.depth.less().and_then(|depth| {
                        let function = semantics.function_in_sight(&call.func)?;
                        let db = semantics.db();
                        if function.definition.file(db).is_stub(db) {
                            return None;
                        }
                        raised_in(
                            &semantics.of_function(&function),
                            &function.node(db)?.body,
                            depth,
                        )
                    });
                }
                _ => {}
            }
            own_code(node)
        }
    }
    let mut search = Search {
        semantics,
        depth,
        found: None,
    };
    search.visit_body(suite);
    search.found
}
