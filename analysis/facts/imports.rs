//! The imports of a module.

use asyncfix_syntax::site::suites_in;
use ruff_python_ast::{self as ast, Expr, Stmt};

/// An import statement.
pub enum Import<'a> {
    /// `import a, b`
    Module(&'a [ast::Alias]),
    /// `from a import b`
    From(&'a ast::StmtImportFrom),
}

/// Calls `visit` for every import statement at the top level of a module: not for those in functions and classes, under
/// `if TYPE_CHECKING:`, or that are tried.
pub(crate) fn for_each_import_at_top<'a>(body: &'a [Stmt], visit: &mut impl FnMut(Import<'a>)) {
    let is_for_checkers = |test: &Expr| match test {
        Expr::Name(name) => name.id == "TYPE_CHECKING",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "TYPE_CHECKING",
        _ => false,
    };
    for statement in body {
        match statement {
            Stmt::Import(import) => visit(Import::Module(&import.names)),
            Stmt::ImportFrom(import) => visit(Import::From(import)),
            Stmt::If(block) if is_for_checkers(&block.test) => {
                for clause in &block.elif_else_clauses {
                    for_each_import_at_top(&clause.body, visit);
                }
            }
            Stmt::If(_) | Stmt::With(_) => {
                for suite in suites_in(statement) {
                    for_each_import_at_top(suite, visit);
                }
            }
            _ => {}
        }
    }
}

/// Calls `visit` for every import statement in `body`, at any depth.
pub fn for_each_import<'a>(body: &'a [Stmt], visit: &mut impl FnMut(Import<'a>)) {
    for statement in body {
        match statement {
            Stmt::Import(import) => visit(Import::Module(&import.names)),
            Stmt::ImportFrom(import) => visit(Import::From(import)),
            // Every statement of every file passes here: no list of suites is made for most.
            Stmt::FunctionDef(inner) => for_each_import(&inner.body, visit),
            Stmt::ClassDef(inner) => for_each_import(&inner.body, visit),
            Stmt::With(inner) => for_each_import(&inner.body, visit),
            Stmt::If(_) | Stmt::For(_) | Stmt::While(_) | Stmt::Try(_) | Stmt::Match(_) => {
                for suite in suites_in(statement) {
                    for_each_import(suite, visit);
                }
            }
            _ => {}
        }
    }
}

/// The module that names are imported from, with the dots of a relative import.
pub fn import_source(import: &ast::StmtImportFrom) -> String {
    let dots = ".".repeat(import.level as usize);
    let module = import.module.as_deref().unwrap_or_default();
    format!("{dots}{module}")
}
