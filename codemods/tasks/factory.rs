//! Factories of tasks (`loop.set_task_factory(…)`) that keep what they make, whoever asks for it.

use asyncfix_analysis::facts::summary::TASK_FACTORY_SETTER as SETTER;
use asyncfix_syntax::queries::{last_name, own_code};
use asyncfix_syntax::site::suites_in;
use ruff_db::parsed::parsed_module;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use rustc_hash::FxHashSet;

use crate::file::File;

/// Whether the project has a factory of tasks that puts each of them into a collection.
pub(crate) fn keeps_all(file: &File<'_, '_>) -> bool {
    let db = file.semantics.db();
    let of_file = |path: &std::path::Path| {
        let other = file.semantics.beside(path)?;
        Some(parsed_module(db, other.python_file(db)).load(db))
    };
    let mut setting = file.project.setting_task_factories().into_iter();
    setting.any(|path| {
        of_file(path).is_some_and(|module| {
            let body = &module.syntax().body;
            let mut given = Given::default();
            given.visit_body(body);
            has_keeping(body, &given.names)
        })
    })
}

/// The names of the factories that are given to loops.
#[derive(Default)]
struct Given<'a> {
    names: FxHashSet<&'a str>,
}

impl<'a> SourceOrderVisitor<'a> for Given<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && last_name(&call.func) == Some(SETTER)
            && let Some(name) = call.arguments.args.first().and_then(last_name)
        {
            self.names.insert(name);
        }
        TraversalSignal::Traverse
    }
}

/// Whether a function of one of these names, in a suite or in what stands in it, keeps the task that it makes.
fn has_keeping(suite: &[Stmt], names: &FxHashSet<&str>) -> bool {
    suite.iter().any(|statement| {
        matches!(statement, Stmt::FunctionDef(function)
            if names.contains(function.name.as_str()) && keeps(function))
            || suites_in(statement)
                .into_iter()
                .any(|inner| has_keeping(inner, names))
    })
}

/// Whether what a function returns is put into a collection before: `tasks.add(task)`.
fn keeps(function: &ast::StmtFunctionDef) -> bool {
    #[derive(Default)]
    struct Search<'a> {
        kept: FxHashSet<&'a str>,
        returned: FxHashSet<&'a str>,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtReturn(statement) => {
                    let name = statement.value.as_deref().and_then(Expr::as_name_expr);
                    self.returned.extend(name.map(|name| name.id.as_str()));
                }
                AnyNodeRef::ExprCall(call) => {
                    if let Expr::Attribute(method) = &*call.func
                        && matches!(method.attr.as_str(), "add" | "append")
                        && let [Expr::Name(task)] = &*call.arguments.args
                    {
                        self.kept.insert(&task.id);
                    }
                }
                _ => {}
            }
            own_code(node)
        }
    }
    let mut search = Search::default();
    search.visit_body(&function.body);
    !search.kept.is_disjoint(&search.returned)
}
