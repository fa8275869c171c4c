//! Methods that a subclass may have something else in the place of: which one runs depends on the object.

use std::path::Path;

use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::suites_in;
use ruff_python_ast::{self as ast, Expr, Stmt};
use ty_python_core::definition::Definition;

use super::Obstacle;
use super::look::Look;
use crate::resolve::definitions::Function;
use crate::resolve::functions::only_raises;

impl<'db> Look<'_, 'db> {
    /// What it says of a coroutine that `callee` is called, which leads to `function`, or to what a subclass has in its
    /// place.
    pub(super) fn called(&mut self, function: &Function<'db>, callee: &Expr) {
        let classes = self.classes_above(function, callee);
        if classes.is_empty() {
            self.function(function, callee);
            return;
        }
        let name = last_name(callee).unwrap_or_default();
        let overrides: Option<Vec<_>> = classes
            .iter()
            .map(|class| self.overrides(class, name))
            .collect();
        let is_open = self.is_open(function);
        if !is_open {
            self.function(function, callee);
        }
        let overrides = overrides.map(|found| found.into_iter().flatten().collect::<Vec<_>>());
        let is_known = match &overrides {
            Some(overrides) => {
                !is_open
                    || !overrides.is_empty()
                        && !self.semantics.is_in_protocol(function.definition())
            }
            None => false,
        };
        // None of them need be the one that runs.
        self.branches += 1;
        for one in overrides.into_iter().flatten() {
            self.function(&one, callee);
        }
        self.branches -= 1;
        if !is_known {
            self.doubt(Obstacle::NotFound, callee);
        }
    }

    /// The names of the classes that the object is of whose method is called, where it may be of a subclass of them.
    fn classes_above(&self, function: &Function<'db>, callee: &Expr) -> Vec<String> {
        let Expr::Attribute(method) = callee else {
            return Vec::new();
        };
        let object = &*method.value;
        let is_super = matches!(object, Expr::Call(call)
            if matches!(&*call.func, Expr::Name(name) if name.id == "super"));
        let own = self.semantics.class_around(function.definition());
        if is_super || own.is_none() || self.is_made_here(object) {
            return Vec::new();
        }
        let known = if self.has_enough() {
            Vec::new()
        } else {
            self.semantics.class_names_of(object)
        };
        if known.is_empty() {
            return own.into_iter().collect();
        }
        known
    }

    /// Whether a value is made by a call of its class: then it is no instance of another one. Of a class itself, the
    /// method is the one that it has.
    fn is_made_here(&self, object: &Expr) -> bool {
        let semantics = self.semantics;
        if semantics.class_of_receiver(object).is_some() {
            return false;
        }
        let is_made = |value: &Expr| matches!(value, Expr::Call(call) if semantics.class_named(&call.func).is_some());
        is_made(object)
            || semantics.base_in_sight(object).is_some()
            || matches!(object, Expr::Name(_)) && {
                let values = semantics.values_behind(object);
                !values.is_empty() && values.into_iter().all(is_made)
            }
    }

    /// Whether a method says nothing about what runs: it is abstract, one of a protocol, or does nothing but to say that
    /// it is not there.
    fn is_open(&self, function: &Function<'db>) -> bool {
        let db = self.semantics.db();
        let Some(node) = function.node(db) else {
            return false;
        };
        if function.definition().file(db).is_stub(db) {
            return false;
        }
        let own = self.semantics.of_function(function);
        let is_abstract = node
            .decorator_list
            .iter()
            .any(|decorator| own.means(&decorator.expression, &["abc.abstractmethod"]));
        let says_nothing = |statement: &Stmt| {
            matches!(statement, Stmt::Expr(inner)
                if inner.value.is_string_literal_expr() || inner.value.is_ellipsis_literal_expr())
        };
        is_abstract
            || only_raises(node)
            || node.body.iter().all(says_nothing)
            || own.is_in_protocol(function.definition())
    }

    /// What subclasses of the project have in the place of a method. `None` where one of them has something else than a
    /// function in sight.
    fn overrides(&self, class: &str, method: &str) -> Option<Vec<Function<'db>>> {
        let below = self.project.methods_below(class, method)?;
        let mut found = Vec::new();
        for (path, class) in below {
            found.extend(self.methods_at(path, class, method)?);
        }
        Some(found)
    }

    /// The methods of this name of the classes of this name in a file. `None` where one is not found.
    pub(super) fn methods_at(
        &self,
        path: &Path,
        class: &str,
        method: &str,
    ) -> Option<Vec<Function<'db>>> {
        let semantics = self.semantics;
        let own = semantics.at_file(semantics.beside(path)?);
        let mut definitions = Vec::new();
        methods_in(
            &own.module().syntax().body,
            class,
            method,
            &mut |function| {
                definitions.push(own.definition_of(function));
            },
        );
        definitions
            .into_iter()
            .map(|definition: Option<Definition<'db>>| semantics.function_of(definition?))
            .collect()
    }
}

/// Finds the methods of this name of the classes of this name, in a suite and in what stands in it.
pub(super) fn methods_in<'a>(
    suite: &'a [Stmt],
    class: &str,
    method: &str,
    found: &mut impl FnMut(&'a ast::StmtFunctionDef),
) {
    for statement in suite {
        if let Stmt::ClassDef(definition) = statement
            && definition.name.as_str() == class
        {
            let functions = definition
                .body
                .iter()
                .filter_map(Stmt::as_function_def_stmt);
            functions
                .filter(|function| function.name.as_str() == method)
                .for_each(&mut *found);
        }
        for inner in suites_in(statement) {
            methods_in(inner, class, method, found);
        }
    }
}
