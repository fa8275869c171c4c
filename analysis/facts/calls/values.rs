//! What names and expressions of a file stand for.

use asyncfix_knowledge::blocking::{Kind, is_consumer};
use asyncfix_knowledge::conduct::gives_its_class;
use asyncfix_syntax::queries::{is_property, last_name};
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::{Path, Target};
use crate::facts::calls::writer::{Writer, is_whole_import, path_of};
use crate::facts::name::Name;
use crate::facts::scopes::{Binding, Kind as ScopeKind};

/// What an expression stands for.
pub(super) enum Value {
    Target(Target),
    /// An instance of a class, or what a function gives.
    Instance(Target),
    /// The parameter of a function, of which nothing is known.
    Given,
    /// Something made here, of a type that is built in.
    Made,
    /// A value from outside of the function.
    Outside,
}

impl<'a> Writer<'_, 'a> {
    pub(super) fn value_of_name(&self, name: &str, scope: usize, steps: usize) -> Option<Value> {
        if self.scopes.shared.contains(name) {
            return None;
        }
        let Some(at) = self.scope_of(name, scope) else {
            // What a star import brings may hide what is built in.
            return self.scopes.stars.is_empty().then(|| {
                let dotted = Name::concat(&["builtins.", name]);
                Value::Target(Target::Import(Path::absolute(dotted)))
            });
        };
        let own = self.scopes.all.get(at)?;
        let binding = match own.bindings.get(name)?.as_slice() {
            [binding] => *binding,
            // `import os` beside `import os.path`.
            [first @ Binding::Import(_), rest @ ..] if rest.iter().all(is_whole_import) => *first,
            _ => return None,
        };
        // A name may be bound to something that is made of the same name.
        let steps = steps.checked_sub(1)?;
        match binding {
            Binding::Import(alias) => {
                let path = match &alias.asname {
                    Some(_) => alias.name.as_str(),
                    None => alias.name.split('.').next().unwrap_or_default(),
                };
                let path = Path::absolute(Name::new(path));
                Some(Value::Target(Target::Import(path)))
            }
            Binding::ImportFrom(import, alias) => {
                Some(Value::Target(Target::Import(path_of(import, Some(alias)))))
            }
            Binding::Function(function) => self
                .function_number(function)
                .map(|number| Value::Target(Target::Function(number))),
            Binding::Class(class) => {
                let scope = self.scopes.by_start.get(&class.start())?;
                let number = self.classes.get(scope)?;
                Some(Value::Target(Target::Class(*number)))
            }
            Binding::Value(value) => {
                let found = self.value(value, at, steps);
                match found {
                    Some(Value::Made) if at != scope => Some(Value::Outside),
                    found => found,
                }
            }
            // `rows: list[str] = []` is the function's own, as `rows = []` is.
            Binding::Annotated(annotation, value) => {
                match value.and_then(|value| self.value(value, at, steps)) {
                    Some(Value::Made) if at == scope => Some(Value::Made),
                    found => self.annotated(annotation, at, steps).or(match found {
                        Some(instance @ Value::Instance(_)) => Some(instance),
                        _ => None,
                    }),
                }
            }
            Binding::Parameter(parameter) => {
                // `self: Self` says no more, and anything else may be another class.
                let is_own = parameter
                    .annotation()
                    .is_none_or(|annotation| last_name(annotation) == Some("Self"));
                if is_own
                    && let ScopeKind::Function(function) = own.kind
                    && let Some(class) = self.scopes.own_class(function, own.parent, name)
                {
                    let scope = self.scopes.by_start.get(&class.start())?;
                    let number = self.classes.get(scope)?;
                    let target = Target::Class(*number);
                    let is_class = function
                        .decorator_list
                        .iter()
                        .any(|decorator| last_name(&decorator.expression) == Some("classmethod"));
                    return Some(if is_class {
                        Value::Target(target)
                    } else {
                        Value::Instance(target)
                    });
                }
                match parameter.annotation() {
                    Some(annotation) => self.annotated(annotation, own.parent, steps),
                    None => Some(Value::Given),
                }
            }
            Binding::Entered(Expr::Call(call)) => match self.target_to(&call.func, at, steps) {
                // What a library's class gives when it is entered is itself, or of the table.
                target @ Target::Import(_) => Some(Value::Instance(target)),
                // `with path.open() as f`
                _ if self.opens(call, at, steps) => {
                    let opened = Path::absolute(Name::new_static("builtins.open"));
                    Some(Value::Instance(Target::Import(opened)))
                }
                _ => None,
            },
            Binding::Variadic(_)
            | Binding::Inside(_)
            | Binding::Changed(_)
            | Binding::Entered(_) => None,
        }
    }

    /// Whether a call is that of a method that opens a file.
    fn opens(&self, call: &'a ast::ExprCall, scope: usize, steps: usize) -> bool {
        let Expr::Attribute(method) = &*call.func else {
            return false;
        };
        let Some(Value::Instance(Target::Import(class))) = self.value(&method.value, scope, steps)
        else {
            return false;
        };
        let row = class
            .dotted()
            .and_then(|class| self.table.method(class, &method.attr));
        row.is_some_and(|(_, row)| row.kind == Kind::Outline && row.mode.is_some())
    }

    fn annotated(&self, annotation: &'a Expr, scope: usize, steps: usize) -> Option<Value> {
        match annotation {
            Expr::Name(_) | Expr::Attribute(_) => match self.target_to(annotation, scope, steps) {
                Target::Unknown => None,
                target => Some(Value::Instance(target)),
            },
            _ => None,
        }
    }

    pub(super) fn value(&self, expr: &'a Expr, scope: usize, steps: usize) -> Option<Value> {
        match expr {
            Expr::Name(name) => self.value_of_name(&name.id, scope, steps),
            Expr::Attribute(attribute) => match self.value(&attribute.value, scope, steps)? {
                Value::Target(Target::Import(path)) => {
                    let path = path.attribute(&attribute.attr);
                    Some(Value::Target(Target::Import(path)))
                }
                Value::Instance(Target::Class(class)) => {
                    self.attribute(class, &attribute.attr, steps.checked_sub(1)?)
                }
                Value::Instance(Target::Import(class))
                    if class
                        .dotted()
                        .is_some_and(|class| gives_its_class(class, &attribute.attr)) =>
                {
                    Some(Value::Instance(Target::Import(class)))
                }
                _ => None,
            },
            Expr::Call(call) => self.value_of_call(&call.func, scope, steps),
            // Joining paths gives a path.
            Expr::BinOp(ast::ExprBinOp {
                op: ast::Operator::Div,
                left,
                ..
            }) => match self.value(left, scope, steps)? {
                instance @ Value::Instance(_) => Some(instance),
                _ => None,
            },
            Expr::List(_)
            | Expr::Dict(_)
            | Expr::Set(_)
            | Expr::Tuple(_)
            | Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_)
            | Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::FString(_)
            | Expr::NumberLiteral(_)
            | Expr::Compare(_) => Some(Value::Made),
            _ => None,
        }
    }

    /// What a call of `func` gives.
    fn value_of_call(&self, func: &'a Expr, scope: usize, steps: usize) -> Option<Value> {
        let Expr::Attribute(method) = func else {
            return match self.value(func, scope, steps)? {
                Value::Target(target @ (Target::Class(_) | Target::Import(_))) => {
                    Some(Value::Instance(target))
                }
                _ => None,
            };
        };
        match self.value(&method.value, scope, steps)? {
            Value::Target(Target::Import(path)) => {
                let path = path.attribute(&method.attr);
                Some(Value::Instance(Target::Import(path)))
            }
            // `path.with_suffix(".txt")`
            Value::Instance(Target::Import(class))
                if class
                    .dotted()
                    .is_some_and(|class| gives_its_class(class, &method.attr)) =>
            {
                Some(Value::Instance(Target::Import(class)))
            }
            _ => None,
        }
    }

    /// The one thing that a class assigns to an attribute of its instances.
    fn attribute(&self, class: u32, name: &str, steps: usize) -> Option<Value> {
        let scope = self
            .classes
            .iter()
            .find_map(|(scope, number)| (*number == class).then_some(*scope))?;
        let own = self.scopes.all.get(scope)?;
        if own.bindings.contains_key(name) || self.scopes.placed.contains_key(name) {
            return None;
        }
        let mut assigned = own.members.iter().filter(|(other, ..)| *other == name);
        let (_, binding, at) = assigned.next()?;
        if assigned.next().is_some() {
            return None;
        }
        match *binding {
            Binding::Value(value) => match self.value(value, *at, steps)? {
                instance @ Value::Instance(_) => Some(instance),
                _ => None,
            },
            Binding::Annotated(annotation, _) => self.annotated(annotation, *at, steps),
            _ => None,
        }
    }

    /// Whether a call takes all that it is given before it returns.
    pub(crate) fn consumes(&self, call: &'a ast::ExprCall, scope: usize) -> bool {
        match self.target(&call.func, scope) {
            Target::Import(path) => path.dotted().is_some_and(is_consumer),
            _ => false,
        }
    }

    /// Whether a value has other attributes in each thread.
    pub(crate) fn is_of_thread(&self, value: &Value) -> bool {
        let is_local = |target: &Target| matches!(target, Target::Import(path) if path.dotted() == Some("threading.local"));
        match value {
            Value::Instance(Target::Class(class)) => self
                .calls
                .classes
                .get(*class as usize)
                .is_some_and(|class| class.bases.iter().any(is_local)),
            Value::Instance(target) => is_local(target),
            _ => false,
        }
    }

    /// Whether a call gives a context manager that closes what it is given.
    pub(crate) fn closes(&self, call: &'a ast::ExprCall, scope: usize) -> bool {
        matches!(self.target(&call.func, scope), Target::Import(path)
            if path.dotted() == Some("contextlib.closing"))
    }

    /// Whether a class has a property of this name.
    pub(crate) fn is_property(&self, class: u32, name: &str) -> bool {
        let scope = self
            .classes
            .iter()
            .find_map(|(scope, number)| (*number == class).then_some(*scope));
        let own = scope.and_then(|scope| self.scopes.all.get(scope));
        let bindings = own.and_then(|own| own.bindings.get(name));
        bindings
            .into_iter()
            .flatten()
            .any(|binding| matches!(binding, Binding::Function(function) if is_property(function)))
    }
}
