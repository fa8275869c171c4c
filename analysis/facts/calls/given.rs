//! What a function does with what it is given, and calls on what it has: whose that is decides whether another thread
//! may do so.

use crate::facts::name::Name;
use crate::facts::scopes::{Binding, Kind};
use asyncfix_knowledge::blocking::{hands_out, is_consumer};
use asyncfix_knowledge::conduct::{
    Taking, calls_at_once, method_changes, method_needs_loop, method_traverses, reads_at_once,
    runs_on_loop, takes,
};
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{called, last_name};
use ruff_python_ast::helpers::map_subscript;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::kept::{Kept, VIEWS};
use super::own::{Extent, root};
use super::values::Value;
use super::walk::Walk;
use super::{Call, Callee, Need, Passed, RECEIVER, RECEIVER_AT, Slot, Target};

impl<'a> Walk<'_, '_, 'a> {
    /// Notes a call of a method, or of a function of a module.
    pub(super) fn member_called(
        &mut self,
        call: &'a ast::ExprCall,
        method: &'a ast::ExprAttribute,
    ) {
        match self.value(&method.value) {
            _ if self.needs_loop(method) => {
                let text = one_line(self.writer.text(method));
                self.ties(|| {
                    format!("`{text}` needs the running event loop, and another thread has none")
                });
            }
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
            // Which class comes next depends on the instance, but what its own bases do is done.
            Some(Value::Instance(Target::Import(path)))
                if path.dotted() == Some("builtins.super") =>
            {
                self.unknown(call);
                for base in self.own_bases() {
                    self.add(call, Callee::Method(base, Name::new(&method.attr)));
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

    /// Whether a method is one of what a decorator makes of a function for the event loop: `self.check.start`.
    fn needs_loop(&self, method: &'a ast::ExprAttribute) -> bool {
        if !method_needs_loop(&method.attr) {
            return false;
        }
        let writer = self.writer;
        let found = match &*method.value {
            Expr::Attribute(attribute) => match self.value(&attribute.value) {
                Some(Value::Instance(Target::Class(class))) => {
                    writer.method_of(class, &attribute.attr)
                }
                _ => None,
            },
            value => match self.value(value) {
                Some(Value::Target(Target::Function(number))) => Some(number),
                _ => None,
            },
        };
        let Some((scope, function)) = found.and_then(|number| writer.function_of(number)) else {
            return false;
        };
        let parent = writer.scopes.all.get(scope).map_or(0, |own| own.parent);
        function.decorator_list.iter().any(|decorator| {
            matches!(writer.target(called(decorator), parent), Target::Import(path)
                if path.dotted().is_some_and(runs_on_loop))
        })
    }

    /// The bases of the class around the function.
    fn own_bases(&self) -> Vec<Target> {
        let scopes = &self.writer.scopes.all;
        let around = scopes.get(self.scope).map(|own| own.parent);
        let around = around.and_then(|parent| scopes.get(parent));
        let Some((Kind::Class(class), parent)) = around.map(|own| (own.kind, own.parent)) else {
            return Vec::new();
        };
        let bases = class.bases().iter().map(map_subscript);
        bases
            .map(|base| self.writer.target(base, parent))
            .filter(|base| !matches!(base, Target::Unknown))
            .collect()
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
            Some(given) if !changes => self.needs(&call.func, &given, false),
            _ => self.unknown(call),
        }
    }

    /// Notes what going through a collection of an object needs to know of the parameters that decide whose it is.
    pub(super) fn needs_kept(&mut self, written: &Name, given: &[&'a str], kept: &Kept) {
        let parameters = self.parameters().into_iter().zip(0..);
        for (name, position) in parameters.chain([(RECEIVER, RECEIVER_AT)]) {
            let is_known = self
                .written
                .needs
                .iter()
                .any(|need| *need.parameter == *name && need.kept.as_ref() == Some(kept));
            if !is_known && given.contains(&name) {
                self.written.needs.push(Need {
                    parameter: Name::new(name),
                    position,
                    written: written.clone(),
                    is_gone_through: true,
                    kept: Some(kept.clone()),
                });
            }
        }
    }

    /// Notes what the use of a method, or going through a value, needs to know of these parameters.
    fn needs(&mut self, used: &'a Expr, given: &[&'a str], is_gone_through: bool) {
        let written = Name::new(one_line(self.writer.text(used)));
        for (name, position) in self.parameters().into_iter().zip(0..) {
            let is_known = self.written.needs.iter().any(|need| {
                *need.parameter == *name
                    && need.is_gone_through == is_gone_through
                    && need.kept.is_none()
            });
            if !is_known && given.contains(&name) {
                self.written.needs.push(Need {
                    parameter: Name::new(name),
                    position,
                    written: written.clone(),
                    is_gone_through,
                    kept: None,
                });
            }
        }
    }

    /// Notes what a call goes through: `sum(counts)`.
    pub(super) fn goes_through_arguments(&mut self, call: &'a ast::ExprCall) {
        let values = &*call.arguments.args;
        let path = match self.writer.target(&call.func, self.scope) {
            Target::Import(path) => path.dotted().map(str::to_owned),
            _ => None,
        };
        let taken = match path.as_deref() {
            Some("builtins.map" | "builtins.filter") => values.get(1..),
            // `max(a, b)` goes through neither.
            Some("builtins.max" | "builtins.min") if values.len() > 1 => None,
            Some(path) if takes(path).is_some_and(|how| how != Taking::AsText) => Some(values),
            None if matches!(&*call.func, Expr::Attribute(method) if method_traverses(&method.attr)) => {
                Some(values)
            }
            _ => None,
        };
        for value in taken.unwrap_or_default() {
            self.goes_through(value);
        }
        let runs = path.as_deref().and_then(|path| {
            let mut runners = RUNNERS.into_iter();
            Some(runners.find(|(function, _)| *function == path)?.1)
        });
        for value in values {
            self.runs_methods(value, runs.unwrap_or_default());
        }
    }

    /// Notes that a loop, or what is like one, goes through a value: it matters whether others may change it.
    pub(super) fn goes_through(&mut self, value: &'a Expr) {
        self.runs_methods(value, &["__iter__"]);
        match value {
            Expr::Starred(starred) => self.goes_through(&starred.value),
            Expr::Named(named) => self.goes_through(&named.value),
            Expr::If(either) => {
                self.goes_through(&either.body);
                self.goes_through(&either.orelse);
            }
            Expr::BoolOp(operation) => {
                for value in &operation.values {
                    self.goes_through(value);
                }
            }
            // `counts.items()`
            Expr::Call(call) if call.arguments.is_empty() => {
                if let Expr::Attribute(method) = &*call.func
                    && VIEWS.contains(&method.attr.as_str())
                    && self.changing_parameter(&method.value).is_some()
                {
                    self.goes_through(&method.value);
                }
            }
            Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_) => {
                let given = self.changes_by(value).unwrap_or_default();
                if !given.is_empty() {
                    self.needs(value, &given, true);
                }
            }
            _ => {}
        }
    }

    /// The parameters that decide whether a value may change while it is gone through; `None` where they are not enough.
    fn changes_by(&self, value: &'a Expr) -> Option<Vec<&'a str>> {
        self.own_if(value, Extent::Itself)
            .or_else(|| Some(vec![self.changing_parameter(value)?]))
    }

    /// Whether a value is what calls give: as a rule, nobody else has that.
    fn is_result(&self, value: &'a Expr) -> bool {
        match value {
            Expr::Call(call) => !matches!(&*call.func, Expr::Attribute(method)
                if VIEWS.contains(&method.attr.as_str())),
            Expr::Name(name) => {
                let own = self.writer.scopes.all.get(self.scope);
                let bindings = own.and_then(|own| own.bindings.get(name.id.as_str()));
                !self.writer.scopes.shared.contains(name.id.as_str())
                    && bindings.is_some_and(|bindings| {
                        let is_call = |binding: &Binding<'a>| matches!(binding, Binding::Value(value @ Expr::Call(_)) if self.is_result(value));
                        bindings.iter().all(is_call)
                    })
            }
            _ => false,
        }
    }

    /// The parameter that a value is taken from, where its annotation says that it can be changed.
    fn changing_parameter(&self, value: &'a Expr) -> Option<&'a str> {
        let Expr::Name(name) = root(value) else {
            return None;
        };
        if self.inner(name).is_some() {
            return None;
        }
        let parameters = self.function.parameters.iter_non_variadic_params();
        let parameter = parameters
            .into_iter()
            .find(|parameter| parameter.name().id == name.id)?;
        let own = self.writer.scopes.all.get(self.scope)?;
        let is_alone = own.bindings.get(name.id.as_str())?.len() == 1;
        let annotation = map_subscript(parameter.annotation()?);
        (is_alone && last_name(annotation).is_some_and(|name| CHANGING.contains(&name)))
            .then(|| parameter.name().as_str())
    }

    /// Notes what of the project runs where a value is used, without being called: one of these methods of its class.
    pub(super) fn runs_methods(&mut self, value: &'a Expr, methods: &[&str]) {
        let Some(Value::Instance(Target::Class(class))) = self.value(value) else {
            return;
        };
        let method = methods
            .iter()
            .find(|method| self.writer.method_of(class, method).is_some());
        if let Some(method) = method {
            let callee = Callee::Method(Target::Class(class), Name::new(method));
            self.add_call(value, value.range(), callee, Box::default());
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
            passed.any(|passed| passed.by.is_some() || passed.changing_by.is_some())
        };
        if self.written.calls.iter().any(depends) {
            self.written.parameters = self.parameters().into_iter().map(Name::new).collect();
        }
    }

    /// The arguments of a call that others may change, and the object whose method it is.
    pub(super) fn passed(
        &self,
        call: &'a ast::ExprCall,
        method: Option<&'a ast::ExprAttribute>,
    ) -> Box<[Passed]> {
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
        let named = |names: Vec<&str>| names.into_iter().map(Name::new).collect::<Box<[Name]>>();
        let passed = given.chain(keywords).filter_map(|(slot, value)| {
            let by = self.own_if(value, Extent::Whole).map(named);
            let is_own = by.as_ref().is_some_and(|names| names.is_empty());
            if slot != Slot::Any && is_own {
                return None;
            }
            let changing_by = if is_own || self.is_result(value) {
                Some(Box::default())
            } else {
                let by = self.changes_by(value).or_else(|| self.whose(value));
                by.map(named)
            };
            Some(Passed {
                slot,
                by,
                changing_by,
            })
        });
        let receiver = method.and_then(|method| {
            let by = self.whose(&method.value).map(named);
            let is_own = by.as_ref().is_some_and(|names| names.is_empty());
            (!is_own).then(|| Passed {
                slot: Slot::Receiver,
                by: Some(Box::default()),
                changing_by: by,
            })
        });
        receiver.into_iter().chain(passed).collect()
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
                self.needs(&call.func, &parameters, false);
                true
            }
            None => false,
        }
    }
}

/// Types of what can be changed while it is gone through.
const CHANGING: [&str; 17] = [
    "list",
    "dict",
    "set",
    "bytearray",
    "List",
    "Dict",
    "Set",
    "Sequence",
    "Iterable",
    "Mapping",
    "Collection",
    "MutableSequence",
    "MutableMapping",
    "deque",
    "defaultdict",
    "Counter",
    "OrderedDict",
];

/// What functions ask of an instance of a class of the project: the first of these methods that it has.
const RUNNERS: [(&str, &[&str]); 6] = [
    ("builtins.str", &["__str__", "__repr__"]),
    ("builtins.print", &["__str__", "__repr__"]),
    ("builtins.repr", &["__repr__"]),
    ("builtins.format", &["__format__", "__str__", "__repr__"]),
    ("builtins.len", &["__len__"]),
    ("builtins.bool", &["__bool__", "__len__"]),
];

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

/// Whether a class is built in, or a collection that is C all through as well.
fn is_builtin(class: &Target) -> bool {
    matches!(class, Target::Import(path) if path.dotted().is_some_and(|path| {
        (path.starts_with("builtins.") || path.starts_with("collections.")) && !hands_out(path)
    }))
}
