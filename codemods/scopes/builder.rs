//! Writes down what an expression is made of, by the names of its scopes.

use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Operator};
use ruff_python_parser::parse_expression;
use ruff_text_size::Ranged;

use super::{Binding, Kind, Scopes, is_builtin_type};
use crate::outline::{decorators, is_identity, is_property, last_name, returned_calls};
use crate::symbol::{Dotted, Function, Symbol, name_key};

/// Writes one symbol.
pub(super) struct Builder<'s, 'a> {
    pub(super) scopes: &'s Scopes<'a>,
    /// The nodes around the expression, for what comprehensions and lambdas bind.
    pub(super) around: &'s [AnyNodeRef<'s>],
    /// What comprehensions inside the expression bind.
    pub(super) hidden: Vec<String>,
    pub(super) left: usize,
}

impl<'a> Builder<'_, 'a> {
    pub(super) fn symbol(&mut self, expr: &Expr, scope: usize, depth: usize) -> Symbol {
        let (Some(left), Some(depth)) = (self.left.checked_sub(1), depth.checked_sub(1)) else {
            return Symbol::Open;
        };
        self.left = left;
        match expr {
            Expr::NoneLiteral(_)
            | Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::FString(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_) => Symbol::Plain,
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. }) => self.container(elts, scope, depth),
            Expr::Dict(dict) => {
                let mut symbols = Vec::new();
                for item in &dict.items {
                    let value = self.symbol(&item.value, scope, depth);
                    match &item.key {
                        Some(key) => {
                            let key = self.symbol(key, scope, depth);
                            if key != Symbol::Plain {
                                symbols.push(key);
                            }
                            symbols.push(value);
                        }
                        None => symbols.push(value.wrap(Symbol::Part)),
                    }
                    if symbols.last() == Some(&Symbol::Open) {
                        break;
                    }
                }
                Self::container_of(symbols)
            }
            Expr::ListComp(ast::ExprListComp {
                elt, generators, ..
            })
            | Expr::SetComp(ast::ExprSetComp {
                elt, generators, ..
            })
            | Expr::Generator(ast::ExprGenerator {
                elt, generators, ..
            }) => self.comprehension(&[elt], generators, scope, depth),
            Expr::DictComp(ast::ExprDictComp {
                key: Some(key),
                value,
                generators,
                ..
            }) => match self.comprehension(&[key], generators, scope, depth) {
                Symbol::Container(key) if *key == Symbol::Plain => {
                    self.comprehension(&[value], generators, scope, depth)
                }
                _ => self.comprehension(&[key, value], generators, scope, depth),
            },
            Expr::UnaryOp(operation) if operation.op == ast::UnaryOp::Not => Symbol::Plain,
            Expr::BoolOp(operation) => {
                let symbols = operation
                    .values
                    .iter()
                    .filter(|value| !value.is_none_literal_expr())
                    .map(|value| self.symbol(value, scope, depth))
                    .collect();
                Symbol::any_of(symbols)
            }
            Expr::If(conditional) => {
                let symbols = [&conditional.body, &conditional.orelse]
                    .into_iter()
                    .filter(|value| !value.is_none_literal_expr())
                    .map(|value| self.symbol(value, scope, depth))
                    .collect();
                Symbol::any_of(symbols)
            }
            Expr::BinOp(operation) => {
                if operation.left.is_string_literal_expr() || operation.left.is_f_string_expr() {
                    Symbol::Plain
                } else {
                    Symbol::Open
                }
            }
            Expr::Named(named) => self.symbol(&named.value, scope, depth),
            Expr::Subscript(subscript) => {
                let placed = match &*subscript.slice {
                    Expr::StringLiteral(key) => self.scopes.placed.contains(key.value.to_str()),
                    Expr::NumberLiteral(_) => self.scopes.placed.contains("0"),
                    _ => false,
                };
                if placed {
                    return Symbol::Open;
                }
                let whole = self.symbol(&subscript.value, scope, depth);
                if subscript.slice.is_slice_expr() {
                    whole
                } else {
                    whole.wrap(Symbol::Part)
                }
            }
            Expr::Await(awaited) => self
                .symbol(&awaited.value, scope, depth)
                .wrap(Symbol::Await),
            Expr::Call(call) => self.call(call, scope, depth),
            Expr::Attribute(attribute) => self.attribute(attribute, scope, depth),
            Expr::Name(name) => self.name(&name.id, scope, depth),
            _ => Symbol::Open,
        }
    }

    /// The container that a comprehension makes. What its own names stand for is not followed.
    fn comprehension(
        &mut self,
        elements: &[&Expr],
        generators: &[ast::Comprehension],
        scope: usize,
        depth: usize,
    ) -> Symbol {
        let known = self.hidden.len();
        for generator in generators {
            names_in(&generator.target, &mut self.hidden);
        }
        let symbols = elements
            .iter()
            .map(|element| self.symbol(element, scope, depth))
            .collect();
        self.hidden.truncate(known);
        Self::container_of(symbols)
    }

    fn container(&mut self, elements: &[Expr], scope: usize, depth: usize) -> Symbol {
        let symbols = elements
            .iter()
            .map(|element| match element {
                Expr::Starred(starred) => {
                    self.symbol(&starred.value, scope, depth).wrap(Symbol::Part)
                }
                element => self.symbol(element, scope, depth),
            })
            .collect();
        Self::container_of(symbols)
    }

    fn container_of(mut symbols: Vec<Symbol>) -> Symbol {
        if symbols.is_empty() {
            symbols.push(Symbol::Unknown);
        }
        Symbol::Container(Box::new(Symbol::any_of(symbols)))
    }

    /// A mapping of `symbols`, the last of which is of its values. What is inside may be a key
    /// (`for key in names:`), but a plain one is nothing else.
    fn mapping_of(mut symbols: Vec<Symbol>) -> Symbol {
        if let Some(value) = symbols.pop() {
            symbols.retain(|key| *key != Symbol::Plain);
            symbols.push(value);
        }
        Self::container_of(symbols)
    }

    pub(super) fn call(&mut self, call: &ast::ExprCall, scope: usize, depth: usize) -> Symbol {
        let first = call.arguments.args.first();
        if last_name(&call.func) == Some("partial") {
            return match first {
                Some(function) => self.symbol(function, scope, depth),
                None => Symbol::Open,
            };
        }
        if let Expr::Name(name) = &*call.func
            && self.is_builtin(&name.id, scope)
        {
            return match (name.id.as_str(), first) {
                (
                    "list" | "tuple" | "set" | "frozenset" | "sorted" | "reversed" | "iter",
                    Some(of),
                ) => match self.symbol(of, scope, depth).wrap(Symbol::Part) {
                    Symbol::Open => Symbol::Container(Box::new(Symbol::Open)),
                    part => Symbol::Container(Box::new(part)),
                },
                ("list" | "tuple" | "set" | "frozenset" | "dict", None)
                    if call.arguments.keywords.is_empty() =>
                {
                    Symbol::Container(Box::new(Symbol::Unknown))
                }
                ("list" | "tuple" | "set" | "frozenset" | "dict" | "enumerate" | "zip", _) => {
                    Symbol::Container(Box::new(Symbol::Open))
                }
                ("next", Some(of)) => self.symbol(of, scope, depth).wrap(Symbol::Part),
                (
                    "str" | "bytes" | "bytearray" | "int" | "float" | "bool" | "complex" | "object"
                    | "len" | "repr" | "open" | "isinstance" | "hash" | "id" | "ord" | "chr"
                    | "hex" | "format" | "any" | "all" | "callable" | "hasattr",
                    _,
                ) => Symbol::Plain,
                _ => Symbol::Open,
            };
        }
        self.symbol(&call.func, scope, depth).wrap(Symbol::Call)
    }

    pub(super) fn attribute(
        &mut self,
        attribute: &ast::ExprAttribute,
        scope: usize,
        depth: usize,
    ) -> Symbol {
        if self.scopes.placed.contains(attribute.attr.as_str())
            || self.scopes.narrowed.contains(attribute.attr.as_str())
            || attribute.attr.starts_with("__")
        {
            return Symbol::Open;
        }
        if let Some(path) = self.path(&attribute.value, scope)
            && let Some(path) = self.import(&format!("{path}.{}", attribute.attr))
        {
            return path;
        }
        match self.symbol(&attribute.value, scope, depth) {
            Symbol::Open => Symbol::Open,
            base => Symbol::Attribute(Box::new(base), name_key(&attribute.attr)),
        }
    }

    /// The dotted path of a name that one import explains, or of attributes of one.
    fn path(&self, expr: &Expr, scope: usize) -> Option<String> {
        match expr {
            Expr::Name(name) => {
                if self.bound_around(&name.id) {
                    return None;
                }
                let (_, bindings) = self.find(&name.id, scope)?;
                let mut found = None;
                for binding in bindings {
                    let path = match binding {
                        Binding::Import(alias) => match &alias.asname {
                            Some(_) => alias.name.to_string(),
                            None => alias.name.split('.').next()?.to_owned(),
                        },
                        Binding::ImportFrom(import, alias) => {
                            let separator = if import.module.is_some() { "." } else { "" };
                            format!(
                                "{}{separator}{}",
                                crate::semantics::import_source(import),
                                alias.name
                            )
                        }
                        _ => return None,
                    };
                    match &found {
                        Some(other) if *other != path => return None,
                        _ => found = Some(path),
                    }
                }
                found
            }
            Expr::Attribute(attribute) => {
                if self.scopes.placed.contains(attribute.attr.as_str()) {
                    return None;
                }
                let base = self.path(&attribute.value, scope)?;
                Some(format!("{base}.{}", attribute.attr))
            }
            _ => None,
        }
    }

    fn import(&self, path: &str) -> Option<Symbol> {
        let rest = path.trim_start_matches('.');
        let level = path.len() - rest.len();
        let dotted = if level == 0 {
            Dotted::absolute(rest)
        } else {
            Dotted::relative(&self.scopes.place, u32::try_from(level).ok()?, rest)
        }?;
        Some(Symbol::Import(Box::new(dotted)))
    }

    fn bound_around(&self, name: &str) -> bool {
        self.hidden.iter().any(|hidden| hidden == name)
            || self.around.iter().any(|node| match node {
                AnyNodeRef::ExprLambda(lambda) => lambda
                    .parameters
                    .as_ref()
                    .is_some_and(|parameters| parameters.includes(name)),
                node => generators(node)
                    .iter()
                    .any(|generator| parts_to(&generator.target, name).is_some()),
            })
    }

    /// The scope that binds a name, seen from `scope`, and its bindings there.
    fn find(&self, name: &str, scope: usize) -> Option<(usize, &[Binding<'a>])> {
        let mut index = scope;
        loop {
            let own = self.scopes.all.get(index)?;
            let visible = index == scope || !matches!(own.kind, Kind::Class(_));
            if visible && let Some(bindings) = own.bindings.get(name) {
                return Some((index, bindings));
            }
            if index == 0 {
                return None;
            }
            index = own.parent;
        }
    }

    pub(super) fn is_builtin(&self, name: &str, scope: usize) -> bool {
        !self.scopes.has_star
            && !self.scopes.shared.contains(name)
            && !self.bound_around(name)
            && self.find(name, scope).is_none()
    }

    fn name(&mut self, name: &str, scope: usize, depth: usize) -> Symbol {
        if self.scopes.has_star
            || self.scopes.shared.contains(name)
            || self.scopes.narrowed.contains(name)
            || self.hidden.iter().any(|hidden| hidden == name)
        {
            return Symbol::Open;
        }
        for node in self.around.iter().rev() {
            if let AnyNodeRef::ExprLambda(lambda) = node
                && let Some(parameters) = &lambda.parameters
                && parameters.includes(name)
            {
                return Symbol::Unknown;
            }
            for generator in generators(node) {
                let Some(parts) = parts_to(&generator.target, name) else {
                    continue;
                };
                let of = self.symbol(&generator.iter, scope, depth);
                return if generator.is_async {
                    of.wrap(Symbol::Entered)
                } else {
                    wrap_parts(of, parts + 1)
                };
            }
        }
        let Some((scope, bindings)) = self.find(name, scope) else {
            return Symbol::Open;
        };
        let bindings: Vec<Binding<'a>> = bindings.to_vec();
        let around = std::mem::take(&mut self.around);
        let hidden = std::mem::take(&mut self.hidden);
        // An empty container is one of what the name is declared for.
        let is_declared = bindings.iter().any(Binding::declares);
        let symbols = bindings
            .iter()
            .filter(|binding| bindings.len() == 1 || !binding.is_none())
            .filter(|binding| !(is_declared && binding.is_empty()))
            .map(|binding| self.bound(*binding, scope, depth))
            .collect();
        self.around = around;
        self.hidden = hidden;
        Symbol::any_of(symbols)
    }

    /// What a binding in `scope` gives its name.
    pub(super) fn bound(&mut self, binding: Binding<'a>, scope: usize, depth: usize) -> Symbol {
        let Some(depth) = depth.checked_sub(1) else {
            return Symbol::Open;
        };
        match binding {
            Binding::Import(alias) => {
                let path = match &alias.asname {
                    Some(_) => alias.name.as_str(),
                    None => alias.name.split('.').next().unwrap_or_default(),
                };
                self.import(path).unwrap_or(Symbol::Open)
            }
            Binding::ImportFrom(import, alias) => {
                let separator = if import.module.is_some() { "." } else { "" };
                let source = crate::semantics::import_source(import);
                self.import(&format!("{source}{separator}{}", alias.name))
                    .unwrap_or(Symbol::Open)
            }
            // The type engine looks at what is put into it later.
            Binding::Value(value, 0) if is_empty(value) => {
                Symbol::Container(Box::new(Symbol::Open))
            }
            Binding::Value(value, parts) => wrap_parts(self.symbol(value, scope, depth), parts),
            Binding::Entered(value, parts) => wrap_parts(
                self.symbol(value, scope, depth).wrap(Symbol::Entered),
                parts,
            ),
            Binding::Annotated(annotation, value) => {
                // A bare `Final` leaves the type to the value.
                let is_bare = matches!(last_name(annotation), Some("Final" | "TypeAlias"));
                let value = value.filter(|value| !value.is_none_literal_expr());
                let mut symbols = Vec::new();
                if !is_bare {
                    symbols.push(self.annotation(annotation, scope, depth));
                }
                // The type engine goes by what was assigned last.
                if let Some(value) = value {
                    symbols.push(self.symbol(value, scope, depth));
                }
                Symbol::any_of(symbols)
            }
            Binding::Parameter(parameter) => self.parameter(parameter, scope, depth),
            Binding::Variadic(parameter) => {
                let of = match parameter.annotation() {
                    Some(annotation) => self.annotation(annotation, scope, depth),
                    None => Symbol::Unknown,
                };
                Symbol::Container(Box::new(of))
            }
            Binding::Function(function) => {
                Symbol::Function(Box::new(self.function(function, scope, depth)))
            }
            Binding::Class(class) if class.decorator_list.iter().all(keeps_class) => {
                Symbol::Class(self.scopes.class_name(class))
            }
            Binding::Class(_) | Binding::Open => Symbol::Open,
        }
    }

    fn parameter(
        &mut self,
        parameter: &'a ast::ParameterWithDefault,
        scope: usize,
        depth: usize,
    ) -> Symbol {
        let Some(own) = self.scopes.all.get(scope) else {
            return Symbol::Open;
        };
        let parent = own.parent;
        if let Kind::Function(function) = own.kind
            && let Some(class) = self
                .scopes
                .own_class(function, parent, parameter.name().as_str())
        {
            let class_name = self.scopes.class_name(class);
            return if takes_class(function) {
                Symbol::Class(class_name)
            } else {
                Symbol::Own(class_name)
            };
        }
        let default = parameter
            .default
            .as_deref()
            .filter(|default| !default.is_none_literal_expr());
        match (parameter.annotation(), default) {
            (Some(annotation), _) => self.annotation(annotation, scope, depth),
            (None, None) => Symbol::Unknown,
            (None, Some(default)) => {
                let default = self.symbol(default, parent, depth);
                Symbol::any_of(vec![Symbol::Unknown, default])
            }
        }
    }

    /// A function in `scope`, whose signature is evaluated there.
    pub(super) fn function(
        &mut self,
        function: &'a ast::StmtFunctionDef,
        scope: usize,
        depth: usize,
    ) -> Function {
        let inner = self
            .scopes
            .by_start
            .get(&function.start())
            .copied()
            .unwrap_or(scope);
        let gives = match &function.returns {
            Some(annotation) => self.annotation(annotation, inner, depth),
            None => Symbol::Unknown,
        };
        Function {
            name: name_key(&function.name),
            is_async: function.is_async,
            is_unannotated: function.returns.is_none(),
            gives,
            is_property: is_property(function),
            decorators: decorators(function)
                .map(|(key, expr)| (key, self.symbol(expr, scope, depth)))
                .collect(),
            returned: if function.returns.is_none() && !function.is_async {
                returned_calls(function)
            } else {
                Vec::new()
            },
            is_identity: is_identity(function),
        }
    }

    /// What an annotation describes.
    pub(super) fn annotation(&mut self, annotation: &Expr, scope: usize, depth: usize) -> Symbol {
        let (Some(left), Some(depth)) = (self.left.checked_sub(1), depth.checked_sub(1)) else {
            return Symbol::Open;
        };
        self.left = left;
        match annotation {
            Expr::NoneLiteral(_) => Symbol::Plain,
            Expr::StringLiteral(literal) => match parse_expression(literal.value.to_str()) {
                Ok(parsed) => self.annotation(parsed.expr(), scope, depth),
                Err(_) => Symbol::Open,
            },
            Expr::Name(_) | Expr::Attribute(_) => {
                let last = last_name(annotation).unwrap_or_default();
                if self.is_of_typing(annotation, scope) {
                    return match last {
                        "Any" => Symbol::Unknown,
                        "Self" => self.class_around(scope),
                        "list" | "dict" | "set" | "frozenset" | "tuple" | "List" | "Dict"
                        | "Set" | "FrozenSet" | "Tuple" | "Mapping" | "MutableMapping"
                        | "Sequence" | "MutableSequence" | "Iterable" | "Iterator"
                        | "Collection" | "deque" | "defaultdict" | "OrderedDict" | "Counter"
                        | "MappingProxyType" => Symbol::Container(Box::new(Symbol::Unknown)),
                        "Callable" => Symbol::Callable(Box::new(Symbol::Unknown)),
                        name if is_builtin_type(name) => Symbol::Plain,
                        _ => Symbol::Open,
                    };
                }
                if let Expr::Name(name) = annotation
                    && let Some((found, [binding])) = self.find(&name.id, scope)
                {
                    // `Options = dict[str, str]`
                    match *binding {
                        Binding::Value(Expr::Call(call), 0)
                            if last_name(&call.func) == Some("TypeVar") =>
                        {
                            return self.variable(call, found, depth);
                        }
                        Binding::Value(value, 0) => return self.annotation(value, found, depth),
                        Binding::Annotated(_, Some(value)) => {
                            return self.annotation(value, found, depth);
                        }
                        _ => {}
                    }
                }
                self.symbol(annotation, scope, depth).wrap(Symbol::Instance)
            }
            Expr::Subscript(subscript) => {
                if !self.is_of_typing(&subscript.value, scope) {
                    return self.annotation(&subscript.value, scope, depth);
                }
                let parts = match &*subscript.slice {
                    Expr::Tuple(tuple) => tuple.elts.as_slice(),
                    slice => std::slice::from_ref(slice),
                };
                self.generic(&subscript.value, parts, scope, depth)
            }
            Expr::BinOp(operation) if operation.op == Operator::BitOr => {
                let symbols = [&operation.left, &operation.right]
                    .into_iter()
                    .filter(|side| !side.is_none_literal_expr())
                    .map(|side| self.annotation(side, scope, depth))
                    .collect();
                Symbol::any_of(symbols)
            }
            _ => Symbol::Open,
        }
    }

    /// What a type variable that this call makes stands for.
    fn variable(&mut self, call: &ast::ExprCall, scope: usize, depth: usize) -> Symbol {
        let default = match call.arguments.find_keyword("default") {
            Some(default) => self.annotation(&default.value, scope, depth),
            None => Symbol::Unknown,
        };
        Symbol::Variable(Box::new(default))
    }

    /// An instance of the class around a scope.
    fn class_around(&self, mut scope: usize) -> Symbol {
        while let Some(own) = self.scopes.all.get(scope) {
            if let Kind::Class(class) = own.kind {
                let class = Symbol::Class(self.scopes.class_name(class));
                return Symbol::Instance(Box::new(class));
            }
            if scope == 0 {
                break;
            }
            scope = own.parent;
        }
        Symbol::Open
    }

    /// A generic type of the standard library's, with what stands in its brackets.
    fn generic(&mut self, class: &Expr, parts: &[Expr], scope: usize, depth: usize) -> Symbol {
        let first = parts.first();
        match last_name(class) {
            Some(
                "Optional" | "Final" | "ClassVar" | "Annotated" | "Required" | "NotRequired"
                | "ReadOnly",
            ) => first.map_or(Symbol::Open, |first| self.annotation(first, scope, depth)),
            Some("Union") => {
                let symbols = parts
                    .iter()
                    .filter(|part| !part.is_none_literal_expr())
                    .map(|part| self.annotation(part, scope, depth))
                    .collect();
                Symbol::any_of(symbols)
            }
            Some("Callable") => parts.last().map_or(Symbol::Open, |result| {
                self.annotation(result, scope, depth).wrap(Symbol::Callable)
            }),
            Some("Literal") => Symbol::Plain,
            Some(
                "list" | "List" | "set" | "Set" | "frozenset" | "FrozenSet" | "Sequence"
                | "MutableSequence" | "Iterable" | "Iterator" | "Collection" | "deque" | "tuple"
                | "Tuple",
            ) => {
                let symbols = parts
                    .iter()
                    .filter(|part| !part.is_ellipsis_literal_expr())
                    .map(|part| self.annotation(part, scope, depth))
                    .collect();
                Self::container_of(symbols)
            }
            Some("partial") => first.map_or(Symbol::Open, |result| {
                self.annotation(result, scope, depth).wrap(Symbol::Callable)
            }),
            Some(
                "dict" | "Dict" | "Mapping" | "MutableMapping" | "defaultdict" | "OrderedDict"
                | "MappingProxyType",
            ) => {
                let symbols = parts
                    .iter()
                    .map(|part| self.annotation(part, scope, depth))
                    .collect();
                Self::mapping_of(symbols)
            }
            _ => Symbol::Open,
        }
    }

    /// Whether a type is a builtin, or one of `typing` and its like.
    fn is_of_typing(&self, expr: &Expr, scope: usize) -> bool {
        match self.path(expr, scope) {
            Some(path) => matches!(
                path.split('.').next(),
                Some("typing" | "typing_extensions" | "collections" | "types" | "functools")
            ),
            None => match expr {
                Expr::Name(name) => self.is_builtin(&name.id, scope),
                _ => false,
            },
        }
    }
}

fn wrap_parts(symbol: Symbol, parts: usize) -> Symbol {
    (0..parts).fold(symbol, |symbol, _| symbol.wrap(Symbol::Part))
}

/// Whether the first parameter of a method is the class.
fn takes_class(function: &ast::StmtFunctionDef) -> bool {
    matches!(
        function.name.as_str(),
        "__new__" | "__init_subclass__" | "__class_getitem__"
    ) || function
        .decorator_list
        .iter()
        .any(|decorator| last_name(&decorator.expression) == Some("classmethod"))
}

/// Whether an expression is a container without anything in it.
pub(super) fn is_empty(expr: &Expr) -> bool {
    match expr {
        Expr::List(list) => list.elts.is_empty(),
        Expr::Dict(dict) => dict.items.is_empty(),
        Expr::Call(call) => {
            call.arguments.is_empty()
                && matches!(
                    last_name(&call.func),
                    Some("list" | "dict" | "set" | "deque")
                )
        }
        _ => false,
    }
}

/// Whether a decorator leaves a class what it is.
fn keeps_class(decorator: &ast::Decorator) -> bool {
    let name = match &decorator.expression {
        Expr::Call(call) => last_name(&call.func),
        other => last_name(other),
    };
    name.is_some()
}

/// The loops of a comprehension.
fn generators<'n>(node: &AnyNodeRef<'n>) -> &'n [ast::Comprehension] {
    match node {
        AnyNodeRef::ExprListComp(node) => &node.generators,
        AnyNodeRef::ExprSetComp(node) => &node.generators,
        AnyNodeRef::ExprDictComp(node) => &node.generators,
        AnyNodeRef::ExprGenerator(node) => &node.generators,
        _ => &[],
    }
}

/// Adds the names that a target binds.
fn names_in(target: &Expr, names: &mut Vec<String>) {
    match target {
        Expr::Name(name) => names.push(name.id.to_string()),
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
            for element in elts {
                names_in(element, names);
            }
        }
        Expr::Starred(starred) => names_in(&starred.value, names),
        _ => {}
    }
}

/// In how many tuples of `target` the name stands, if it is bound there.
fn parts_to(target: &Expr, name: &str) -> Option<usize> {
    match target {
        Expr::Name(bound) => (bound.id.as_str() == name).then_some(0),
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => elts
            .iter()
            .find_map(|element| parts_to(element, name))
            .map(|parts| parts + 1),
        Expr::Starred(starred) => parts_to(&starred.value, name),
        _ => None,
    }
}
