//! What a function does with what it is given, and calls on what it has: whose that is decides whether another thread
//! may do so.

use crate::facts::name::Name;
use asyncfix_knowledge::blocking::{hands_out, is_consumer};
use asyncfix_knowledge::conduct::{calls_at_once, method_changes, reads_at_once};
use asyncfix_syntax::lines::one_line;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::own::Extent;
use super::values::Value;
use super::walk::Walk;
use super::{Call, Callee, Need, Passed, Slot, Target};

impl<'a> Walk<'_, '_, 'a> {
    /// Notes a call of a method, or of a function of a module.
    pub(super) fn member_called(
        &mut self,
        call: &'a ast::ExprCall,
        method: &'a ast::ExprAttribute,
    ) {
        match self.value(&method.value) {
            Some(Value::Target(Target::Import(path))) => {
                let path = path.attribute(&method.attr);
                self.function_called(call, Target::Import(path));
            }
            Some(Value::Target(target @ Target::Class(_))) => {
                self.add(call, Callee::Method(target, Name::new(&method.attr)));
                // Whether the first argument is the object depends on the method.
                let added = self.written.calls.last_mut();
                for passed in added.into_iter().flat_map(|call| &mut call.passed) {
                    passed.slot = Slot::Any;
                }
            }
            Some(Value::Instance(class)) => {
                let is_shared = may_be_shared(&class)
                    && !(is_builtin(&class) && reads_at_once(&method.attr))
                    && !self.is_own(&method.value, Extent::Itself);
                if is_shared {
                    self.of_given(call, &method.value);
                } else {
                    self.method_called(call, class, &method.attr);
                }
            }
            None if self.client_called(call, method) => {}
            Some(Value::Made) => {}
            Some(Value::Outside) if reads_at_once(&method.attr) => {}
            Some(Value::Target(_) | Value::Given | Value::Outside) | None => {
                if !self.is_made_here(&method.value) {
                    self.of_given(call, &method.value);
                }
            }
        }
    }

    /// Notes a call of a method that the table knows by the attributes of a client: `client.chat.completions.create(…)`.
    fn client_called(&mut self, call: &'a ast::ExprCall, method: &'a ast::ExprAttribute) -> bool {
        let mut attributes = Vec::new();
        let mut client = &*method.value;
        while let Expr::Attribute(attribute) = client {
            attributes.push(attribute.attr.as_str());
            client = &attribute.value;
        }
        let Some(Value::Instance(Target::Import(class))) = self.value(client) else {
            return false;
        };
        let class = attributes
            .into_iter()
            .rev()
            .fold(class, super::Path::attribute);
        let row = class
            .dotted()
            .and_then(|class| self.writer.table.method(class, &method.attr));
        let Some((name, row)) = row else {
            return false;
        };
        self.blocking(call, name, row, true);
        true
    }

    /// Notes a call of a method of something that may be somebody else's: whether it is depends on the parameters that it
    /// comes from.
    fn of_given(&mut self, call: &'a ast::ExprCall, value: &'a Expr) {
        let changes =
            matches!(&*call.func, Expr::Attribute(method) if method_changes(&method.attr));
        match self.own_if(value, Extent::Itself) {
            Some(given) if given.is_empty() => {}
            Some(given) if !changes => self.needs(call, &given),
            _ => self.unknown(call),
        }
    }

    /// Notes what a call needs to know of these parameters.
    fn needs(&mut self, call: &'a ast::ExprCall, given: &[&'a str]) {
        let written = Name::new(one_line(self.writer.text(&*call.func)));
        for (name, position) in self.parameters().into_iter().zip(0..) {
            let is_known = self
                .written
                .needs
                .iter()
                .any(|need| *need.parameter == *name);
            if !is_known && given.contains(&name) {
                self.written.needs.push(Need {
                    parameter: Name::new(name),
                    position,
                    written: written.clone(),
                });
            }
        }
    }

    /// The names of the parameters but for the object that a method belongs to.
    fn parameters(&self) -> Vec<&'a str> {
        let scopes = self.writer.scopes;
        let parent = scopes.all.get(self.scope).map_or(0, |own| own.parent);
        let parameters = self.function.parameters.iter_non_variadic_params();
        parameters
            .map(|parameter| parameter.name().as_str())
            .filter(|name| scopes.own_class(self.function, parent, name).is_none())
            .collect()
    }

    /// Notes the names of the parameters, where it matters what the function is given.
    pub(super) fn names_parameters(&mut self) {
        let depends = |call: &Call| {
            let mut passed = call.passed.iter();
            passed.any(|passed| passed.by.is_some())
        };
        if self.written.calls.iter().any(depends) {
            self.written.parameters = self.parameters().into_iter().map(Name::new).collect();
        }
    }

    /// The arguments of a call that others may change.
    pub(super) fn passed(&self, call: &'a ast::ExprCall) -> Box<[Passed]> {
        let given = call
            .arguments
            .args
            .iter()
            .zip(0..)
            .map(|(value, at)| match value {
                Expr::Starred(starred) => (Slot::Any, &*starred.value),
                value => (Slot::Position(at), value),
            });
        let keywords = call.arguments.keywords.iter();
        let keywords = keywords.map(|keyword| match &keyword.arg {
            Some(name) => (Slot::Keyword(Name::new(name)), &keyword.value),
            None => (Slot::Any, &keyword.value),
        });
        let passed = given.chain(keywords).filter_map(|(slot, value)| {
            let by = self.own_if(value, Extent::Whole);
            let by = by.map(|names| names.into_iter().map(Name::new).collect::<Box<[Name]>>());
            (slot == Slot::Any || by.as_ref().is_none_or(|names| !names.is_empty()))
                .then_some(Passed { slot, by })
        });
        passed.collect()
    }

    /// Whether a call runs the lambda that it is given, for each part of something else that it is given, before it
    /// returns: then that is code of the function.
    pub(super) fn runs_here(
        &mut self,
        call: &'a ast::ExprCall,
        lambda: &'a ast::ExprLambda,
    ) -> bool {
        let mut others = call
            .arguments
            .args
            .iter()
            .filter(|value| !value.is_lambda_expr());
        let source = match &*call.func {
            Expr::Attribute(method) if &method.attr == "sort" => Some(&*method.value),
            func => match self.writer.target(func, self.scope) {
                Target::Import(path)
                    if path.dotted().is_some_and(|path| {
                        calls_at_once(path) && (is_consumer(path) || self.is_used_up(call))
                    }) =>
                {
                    others.next()
                }
                _ => None,
            },
        };
        let Some(source) = source else {
            return false;
        };
        self.binds_parameters(lambda, source);
        self.at_once.insert(lambda.range())
    }

    /// Whether a call that works on files in memory as well is given the name of one that is not: where that depends on
    /// the parameters, it is noted.
    pub(super) fn is_on_disk(&mut self, call: &'a ast::ExprCall) -> bool {
        let given = call.arguments.args.first();
        let Some(given) = given.filter(|given| !given.is_starred_expr()) else {
            return false;
        };
        match self.own_if(given, Extent::Itself) {
            Some(parameters) if parameters.is_empty() => {
                !matches!(self.value(given), Some(Value::Instance(Target::Import(path)))
                    if path.dotted().is_some_and(|path| path.starts_with("io.")))
            }
            Some(parameters) => {
                self.needs(call, &parameters);
                true
            }
            None => false,
        }
    }
}

/// Whether a method of an instance of a class may change it, as `append` does, where it may be somebody
/// else's too. What a function hands out counts as an instance of it.
fn may_be_shared(class: &Target) -> bool {
    const CONTAINERS: [&str; 4] = ["list", "dict", "set", "bytearray"];
    let Target::Import(path) = class else {
        return false;
    };
    let Some(dotted) = path.dotted() else {
        return false;
    };
    hands_out(dotted)
        || match dotted.split_once('.') {
            Some(("builtins", class)) => CONTAINERS.contains(&class),
            Some((package, _)) => package == "collections",
            None => false,
        }
}

/// Whether a class is built in.
fn is_builtin(class: &Target) -> bool {
    matches!(class, Target::Import(path) if path.dotted().is_some_and(|path| path.starts_with("builtins.") && !hands_out(path)))
}
