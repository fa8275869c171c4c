//! What names and expressions of a file stand for.

use asyncfix_knowledge::blocking::{Kind, is_consumer};
use asyncfix_knowledge::conduct::gives_its_class;
use asyncfix_knowledge::libraries::LIBRARIES;
use asyncfix_syntax::queries::{is_property, last_name};
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::{Path, Target};
use crate::facts::calls::writer::{Writer, is_whole_import, path_of};
use crate::facts::name::Name;
use crate::facts::scopes::{Binding, Kind as ScopeKind};
use crate::limits::Limit;

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
    pub(super) fn value_of_name(&self, name: &str, scope: usize, steps: Limit) -> Option<Value> {
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
            // The same import twice.
            [first @ Binding::ImportFrom(import, alias), rest @ ..]
                if rest.iter().all(|other| {
                    matches!(other, Binding::ImportFrom(again, name)
                        if again.level == import.level
                            && again.module.as_deref() == import.module.as_deref()
                            && name.name.as_str() == alias.name.as_str())
                }) =>
            {
                *first
            }
            _ => return None,
        };
        // A name may be bound to something that is made of the same name.
        let steps = steps.less()?;
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
    fn opens(&self, call: &'a ast::ExprCall, scope: usize, steps: Limit) -> bool {
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

    fn annotated(&self, annotation: &'a Expr, scope: usize, steps: Limit) -> Option<Value> {
        match annotation {
            Expr::Name(_) | Expr::Attribute(_) => match self.target_to(annotation, scope, steps) {
                Target::Unknown => None,
                target => Some(Value::Instance(target)),
            },
            // `dict[str, int]`, `asyncio.Queue[str]`
            Expr::Subscript(generic) => match self.target_to(&generic.value, scope, steps) {
                Target::Import(path) => {
                    Some(Value::Instance(Target::Import(generic_class(&path)?)))
                }
                _ => None,
            },
            // `asyncio.Task[None] | None`
            Expr::BinOp(union) if union.right.is_none_literal_expr() => {
                let value = self.annotated(&union.left, scope, steps)?;
                matches!(&value, Value::Instance(Target::Import(path)) if generic_class(path).is_some())
                    .then_some(value)
            }
            Expr::StringLiteral(text) => {
                let name = text.value.to_str().split(['[', '|']).next()?.trim();
                let (first, rest) = name.split_once('.').unwrap_or((name, ""));
                let Some(Value::Target(Target::Import(path))) =
                    self.value_of_name(first, scope, steps)
                else {
                    return None;
                };
                let attributes = rest.split('.').filter(|part| !part.is_empty());
                let path = attributes.fold(path, Path::attribute);
                Some(Value::Instance(Target::Import(generic_class(&path)?)))
            }
            _ => None,
        }
    }

    pub(super) fn value(&self, expr: &'a Expr, scope: usize, steps: Limit) -> Option<Value> {
        match expr {
            Expr::Name(name) => self.value_of_name(&name.id, scope, steps),
            Expr::Attribute(attribute) => match self.value(&attribute.value, scope, steps)? {
                Value::Target(Target::Import(path)) => {
                    let path = path.attribute(&attribute.attr);
                    Some(Value::Target(Target::Import(path)))
                }
                Value::Instance(Target::Class(class)) => {
                    self.attribute(class, &attribute.attr, steps.less()?)
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
    fn value_of_call(&self, func: &'a Expr, scope: usize, steps: Limit) -> Option<Value> {
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
    fn attribute(&self, class: u32, name: &str, steps: Limit) -> Option<Value> {
        let (scope, _) = self.classes.iter().find(|(_, number)| **number == class)?;
        let own = self.scopes.all.get(*scope)?;
        if self.scopes.placed.contains_key(name) {
            return None;
        }
        let in_body = own.bindings.get(name).into_iter().flatten();
        let in_body = in_body.map(|binding| (*binding, *scope, true));
        let members = own.members.iter().filter(|(other, ..)| *other == name);
        let members = members.map(|(_, binding, at)| (*binding, *at, false));
        let mut all = in_body.chain(members);
        let (binding, at, is_in_body) = all.next()?;
        let found = match binding {
            Binding::Value(value) => match self.value(value, at, steps)? {
                instance @ Value::Instance(_) => Some(instance),
                Value::Made => collection_made(value).map(instance_of),
                _ => None,
            },
            Binding::Annotated(annotation, _) => self.annotated(annotation, at, steps),
            _ => None,
        }?;
        // Collections are made anew, and declared in the body of a class.
        match all.next() {
            None if !is_in_body => Some(found),
            None => is_collection(&found).then_some(found),
            Some(another) => {
                let is_one_more = |(binding, ..): (Binding<'a>, usize, bool)| {
                    matches!(binding, Binding::Value(value)
                    if collection_made(value).is_some_and(|class| {
                        matches!(&found, Value::Instance(Target::Import(path)) if path.dotted() == Some(class))
                    }))
                };
                (is_one_more(another) && all.all(is_one_more)).then_some(found)
            }
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

/// The class that a generic annotation with this path stands for, where it is a built-in collection, or belongs to an
/// event loop.
fn generic_class(path: &Path) -> Option<Path> {
    let dotted = path.dotted()?;
    let (package, name) = dotted.split_once('.')?;
    match package {
        "builtins" if COLLECTIONS.contains(&name) => Some(path.clone()),
        "typing" => {
            let mut known = COLLECTIONS.into_iter();
            let name = known.find(|known| name.eq_ignore_ascii_case(known))?;
            Some(Path::absolute(Name::concat(&["builtins.", name])))
        }
        "collections" if !name.contains('.') => Some(path.clone()),
        package => LIBRARIES.contains(&package).then(|| path.clone()),
    }
}

/// The built-in class of what a collection that is written down makes.
fn collection_made(value: &Expr) -> Option<&'static str> {
    match value {
        Expr::Dict(_) | Expr::DictComp(_) => Some("builtins.dict"),
        Expr::List(_) | Expr::ListComp(_) => Some("builtins.list"),
        Expr::Set(_) | Expr::SetComp(_) => Some("builtins.set"),
        _ => None,
    }
}

fn instance_of(class: &'static str) -> Value {
    Value::Instance(Target::Import(Path::absolute(Name::new_static(class))))
}

fn is_collection(value: &Value) -> bool {
    matches!(value, Value::Instance(Target::Import(path)) if path.dotted().is_some_and(|path| {
        path.starts_with("collections.")
            || path
                .strip_prefix("builtins.")
                .is_some_and(|name| COLLECTIONS.contains(&name))
    }))
}

/// Built-in collections that can be changed.
const COLLECTIONS: [&str; 4] = ["bytearray", "dict", "list", "set"];
