//! How a member of a submodule is named. `import package` alone does not make the submodule an attribute for type
//! checkers, unless the package says so.

use asyncfix_analysis::resolve::FileScopeId;
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::TextSize;

use super::imports::{self, Imported};
use crate::file::File;

/// Names the submodule `name` of `package` in `scope`, the way the file names it already, else by
/// `from package import name`. Where that name is taken, it is `package.name`, which is imported as such.
///
/// `at` is where the name will be used. `Err` with the reason where it would mean something else there.
pub fn import(
    file: &File<'_, '_>,
    package: &str,
    name: &str,
    scope: FileScopeId,
    at: TextSize,
) -> Result<Imported, String> {
    let path = format!("{package}.{name}");
    let means = |bound: &str, path: &str| imports::means(file, bound, scope, path, at);
    let existing = |expression: &str| {
        Ok(Imported {
            expression: expression.to_owned(),
            edit: None,
        })
    };
    let mut is_imported = file.semantics.is_bound_nowhere(package);
    let mut from_package = None;
    for statement in file.body() {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let root = alias.name.split('.').next();
                    is_imported |= root == Some(package);
                    if alias.name.as_str() != path {
                        continue;
                    }
                    match &alias.asname {
                        Some(bound) if means(bound, &path) => return existing(bound),
                        None if means(package, package) => return existing(&path),
                        _ => {}
                    }
                }
            }
            Stmt::ImportFrom(import)
                if import.level == 0 && import.module.as_deref() == Some(package) =>
            {
                is_imported = true;
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    if alias.name.as_str() == name && means(bound, &path) {
                        return existing(bound);
                    }
                    if alias.name.as_str() != "*" {
                        from_package = Some(import);
                    }
                }
            }
            _ => {}
        }
    }
    // An import that is tried, or made on a condition, does not become one that has to be there.
    if !is_imported || means(package, package) && is_written(file, package, name) {
        return imports::import(file, package, name, scope, at);
    }
    let is_taken = [scope, FileScopeId::global()]
        .into_iter()
        .any(|scope| file.semantics.is_taken(name, scope));
    if !is_taken {
        let line = format!("from {package} import {name}");
        let edit = from_package
            .and_then(|import| imports::extend(file, import, name))
            .unwrap_or_else(|| imports::insert(file, package, &line));
        return Ok(Imported {
            expression: name.to_owned(),
            edit: Some(edit),
        });
    }
    let mut imported = imports::import(file, package, name, scope, at)?;
    if imported.expression == path {
        let line = format!("import {path}");
        imported.edit = Some(imports::insert(file, &path, &line));
    }
    Ok(imported)
}

/// Whether the file names the submodule as an attribute of the package.
fn is_written(file: &File<'_, '_>, package: &str, name: &str) -> bool {
    any_over_body(file.body(), |expr| {
        matches!(expr, Expr::Attribute(attribute)
            if attribute.attr.as_str() == name
                && matches!(&*attribute.value, Expr::Name(value) if value.id == package))
    })
}
