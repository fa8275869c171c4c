//! Methods of objects of which nothing is known: of all classes of the project that have a method of that name, the object
//! may be one.

use asyncfix_knowledge::package_of;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::{Expr, Stmt};

use super::Doubt;
use super::look::Look;
use super::overridden::methods_in;
use crate::infer::types::ClassOf;
use crate::limits::NAMESAKES;
use crate::resolve::definitions::Function;

impl<'db> Look<'_, 'db> {
    /// What it says of a coroutine that `callee` is called, a method of an object whose class is not known: it may wait
    /// for somebody where one of the methods of that name in the project may.
    pub(super) fn called_of_unknown(&mut self, callee: &Expr) {
        if let Expr::Attribute(method) = callee {
            for function in self.namesakes(&method.value, &method.attr) {
                self.may_run(&function, callee);
            }
        }
    }

    /// What it says of a coroutine that it enters an object by `async with`, beside what the class is known for.
    pub(super) fn enters(&mut self, manager: &Expr) {
        if self.has_enough() {
            return;
        }
        let entering = match self.semantics.class_of(manager) {
            ClassOf::Known(_) => {
                let method = self.semantics.method_of_value(manager, "__aenter__");
                method.into_iter().collect()
            }
            _ if manager.is_call_expr() => Vec::new(),
            _ => self.namesakes(manager, "__aenter__"),
        };
        for function in entering {
            if !self.is_left_again(&function) {
                self.may_run(&function, manager);
            }
        }
    }

    /// The methods of this name in the project, for an object whose class is not known. A namesake of a namesake says
    /// too little, and so does a name that many classes have.
    fn namesakes(&self, object: &Expr, method: &str) -> Vec<Function<'db>> {
        if self.is_guess || self.has_enough() {
            return Vec::new();
        }
        let classes = self.project.methods_named(method);
        if classes.is_empty()
            || !NAMESAKES.allows(classes.len())
            || self.is_foreign(object)
            || self.semantics.class_of(object) != ClassOf::Unknown
        {
            return Vec::new();
        }
        let methods = classes.into_iter();
        methods
            .filter_map(|(path, class)| self.methods_at(path, class, method))
            .flatten()
            .collect()
    }

    /// Whether it is a module of another package, or something from one.
    fn is_foreign(&self, object: &Expr) -> bool {
        self.semantics.qualified_name(object).is_some_and(|path| {
            let package = package_of(&path);
            let module = self.semantics.module_name();
            !self.project.owns(package)
                && module.is_none_or(|module| package_of(&module) != package)
        })
    }

    /// Notes that this function may be what runs: all that counts is whether it may wait for somebody.
    fn may_run(&mut self, function: &Function<'db>, callee: &Expr) {
        let before = std::mem::take(&mut self.seen);
        // What is seen there counts for less than where the function is sure to be called.
        let looked_at = std::mem::take(&mut self.looked_at);
        let was_guess = std::mem::replace(&mut self.is_guess, true);
        self.branches += 1;
        self.function(function, callee);
        self.branches -= 1;
        self.is_guess = was_guess;
        self.looked_at = looked_at;
        let found = std::mem::replace(&mut self.seen, before);
        self.seen.gives_up |= found.gives_up;
        let known = self.seen.doubt.as_ref().map(|doubt| doubt.obstacle);
        if let Some(doubt) = found.doubt.filter(Doubt::waits)
            && known < Some(doubt.obstacle)
        {
            self.seen.doubt = Some(doubt);
        }
    }

    /// Whether what the `__aenter__` of a class takes, its `__aexit__` gives back whatever has happened.
    fn is_left_again(&self, entering: &Function<'db>) -> bool {
        let Some(class) = self.semantics.class_around(entering.definition()) else {
            return false;
        };
        let own = self.semantics.of_function(entering);
        let mut is_left = false;
        methods_in(own.body(), &class, "__aexit__", &mut |leaving| {
            is_left |= leaving.body.iter().any(always_releases);
        });
        is_left
    }
}

/// Whether a statement releases something, or does so in a `finally`.
fn always_releases(statement: &Stmt) -> bool {
    match statement {
        Stmt::Expr(inner) => matches!(&*inner.value, Expr::Call(call)
            if last_name(&call.func) == Some("release")),
        Stmt::Try(inner) => inner.finalbody.iter().any(always_releases),
        _ => false,
    }
}
