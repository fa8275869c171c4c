//! The scopes of a file and what their names are bound to, from the statements of its tree alone.
//!
//! A name means all its bindings, in whatever order they are reached: what is said of it here holds
//! wherever in its scope it stands.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Operator, Stmt};
use ruff_python_parser::parse_expression;
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::outline::{decorators, is_identity, is_property, last_name, returned_calls};
use crate::site::Site;
use crate::symbol::{Base, ClassName, Dotted, Function, Key, Place, Symbol, name_key};

/// How many names and values one symbol may be made of; what needs more is open.
const PARTS: usize = 48;

/// How deep one name may stand for another.
const DEPTH: usize = 26;

/// How a name gets its value.
#[derive(Clone, Copy)]
enum Binding<'a> {
    Import(&'a ast::Alias),
    ImportFrom(&'a ast::StmtImportFrom, &'a ast::Alias),
    /// An assignment, of something inside of the value for every tuple around the target.
    Value(&'a Expr, usize),
    Entered(&'a Expr, usize),
    Annotated(&'a Expr, Option<&'a Expr>),
    Parameter(&'a ast::ParameterWithDefault),
    Variadic(&'a ast::Parameter),
    Function(&'a ast::StmtFunctionDef),
    Class(&'a ast::StmtClassDef),
    Open,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Module,
    Class(&'a ast::StmtClassDef),
    Function(&'a ast::StmtFunctionDef),
}

struct Scope<'a> {
    kind: Kind<'a>,
    parent: usize,
    bindings: FxHashMap<&'a str, Vec<Binding<'a>>>,
    /// Of a class: what its methods assign to attributes of their instance, with their scope.
    members: Vec<(&'a str, Binding<'a>, usize)>,
}

/// The scopes of a module, functions and classes, with what their statements bind.
pub struct Scopes<'a> {
    place: Place,
    all: Vec<Scope<'a>>,
    by_start: FxHashMap<TextSize, usize>,
    /// Declared `global` or `nonlocal` somewhere.
    shared: FxHashSet<&'a str>,
    /// Attributes that are assigned elsewhere than through the first parameter of a method, and
    /// literal keys that are assigned: the type engine goes by the assignment.
    placed: FxHashSet<&'a str>,
    /// What the code asks for its class, as text.
    narrowed: FxHashSet<&'a str>,
    has_star: bool,
}

/// A class as its own statements describe it.
#[derive(Debug, Clone)]
pub(crate) struct ClassParts {
    pub(crate) name: ClassName,
    pub(crate) bases: Vec<Base>,
    pub(crate) is_open: bool,
    pub(crate) has_bare_base: bool,
    pub(crate) is_enum: bool,
    pub(crate) methods: Vec<Function>,
    pub(crate) attributes: Vec<(Key, Symbol)>,
}

impl<'a> Scopes<'a> {
    /// The scopes of a module.
    pub fn of(module: &'a ast::ModModule, source: &'a str, place: Place) -> Self {
        let mut scopes = Self {
            place,
            all: vec![Scope {
                kind: Kind::Module,
                parent: 0,
                bindings: FxHashMap::default(),
                members: Vec::new(),
            }],
            by_start: FxHashMap::default(),
            shared: FxHashSet::default(),
            placed: FxHashSet::default(),
            narrowed: narrowed_in(source),
            has_star: false,
        };
        scopes.body(&module.body, 0);
        // Rare enough that most files need no look into their expressions.
        if source.contains(":=") {
            let mut search = NamedExpressions {
                scopes: &mut scopes,
                around: vec![0],
            };
            search.visit_body(&module.body);
        }
        scopes
    }

    fn bind(&mut self, scope: usize, name: &'a str, binding: Binding<'a>) {
        if let Some(scope) = self.all.get_mut(scope) {
            scope.bindings.entry(name).or_default().push(binding);
        }
    }

    fn open_scope(&mut self, kind: Kind<'a>, start: TextSize, parent: usize) -> usize {
        let scope = self.all.len();
        self.all.push(Scope {
            kind,
            parent,
            bindings: FxHashMap::default(),
            members: Vec::new(),
        });
        self.by_start.insert(start, scope);
        scope
    }

    fn body(&mut self, body: &'a [Stmt], scope: usize) {
        for statement in body {
            self.statement(statement, scope);
        }
    }

    fn statement(&mut self, statement: &'a Stmt, scope: usize) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let bound = match &alias.asname {
                        Some(name) => name.as_str(),
                        None => alias.name.split('.').next().unwrap_or_default(),
                    };
                    self.bind(scope, bound, Binding::Import(alias));
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    self.has_star |= alias.name.as_str() == "*";
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.bind(scope, bound, Binding::ImportFrom(import, alias));
                }
            }
            Stmt::FunctionDef(function) => {
                self.bind(scope, &function.name, Binding::Function(function));
                let inner = self.open_scope(Kind::Function(function), function.start(), scope);
                self.type_parameters(function.type_params.as_deref(), inner);
                for parameter in function.parameters.iter_non_variadic_params() {
                    self.bind(inner, parameter.name(), Binding::Parameter(parameter));
                }
                let parameters = &function.parameters;
                for parameter in [&parameters.vararg, &parameters.kwarg]
                    .into_iter()
                    .flatten()
                {
                    self.bind(inner, &parameter.name, Binding::Variadic(parameter));
                }
                self.body(&function.body, inner);
            }
            Stmt::ClassDef(class) => {
                self.bind(scope, &class.name, Binding::Class(class));
                let inner = self.open_scope(Kind::Class(class), class.start(), scope);
                self.type_parameters(class.type_params.as_deref(), inner);
                self.body(&class.body, inner);
            }
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.target(target, Binding::Value(&assign.value, 0), scope);
                }
            }
            Stmt::AnnAssign(assign) => self.target(
                &assign.target,
                Binding::Annotated(&assign.annotation, assign.value.as_deref()),
                scope,
            ),
            Stmt::AugAssign(assign) => self.target(&assign.target, Binding::Open, scope),
            Stmt::TypeAlias(alias) => {
                self.target(&alias.name, Binding::Value(&alias.value, 0), scope);
            }
            Stmt::Delete(delete) => {
                for target in &delete.targets {
                    if target.is_name_expr() {
                        self.target(target, Binding::Open, scope);
                    }
                }
            }
            Stmt::Global(ast::StmtGlobal { names, .. })
            | Stmt::Nonlocal(ast::StmtNonlocal { names, .. }) => {
                self.shared
                    .extend(names.iter().map(ast::Identifier::as_str));
            }
            Stmt::For(statement) => {
                let binding = if statement.is_async {
                    Binding::Entered(&statement.iter, 0)
                } else {
                    Binding::Value(&statement.iter, 1)
                };
                self.target(&statement.target, binding, scope);
                self.body(&statement.body, scope);
                self.body(&statement.orelse, scope);
            }
            Stmt::With(statement) => {
                for item in &statement.items {
                    if let Some(target) = &item.optional_vars {
                        self.target(target, Binding::Entered(&item.context_expr, 0), scope);
                    }
                }
                self.body(&statement.body, scope);
            }
            Stmt::Try(statement) => {
                for handler in &statement.handlers {
                    let ast::ExceptHandler::ExceptHandler(handler) = handler;
                    if let Some(name) = &handler.name {
                        self.bind(scope, name, Binding::Open);
                    }
                }
                for suite in [&statement.body, &statement.orelse, &statement.finalbody] {
                    self.body(suite, scope);
                }
                for handler in &statement.handlers {
                    let ast::ExceptHandler::ExceptHandler(handler) = handler;
                    self.body(&handler.body, scope);
                }
            }
            Stmt::Match(statement) => {
                let mut captures = Captures(Vec::new());
                for case in &statement.cases {
                    captures.visit_pattern(&case.pattern);
                }
                for name in captures.0 {
                    self.bind(scope, name, Binding::Open);
                }
                // What is matched is told apart by its class.
                if let Some(name) = last_name(&statement.subject) {
                    self.narrowed.insert(name);
                }
                for case in &statement.cases {
                    self.body(&case.body, scope);
                }
            }
            Stmt::If(statement) => {
                self.body(&statement.body, scope);
                for clause in &statement.elif_else_clauses {
                    self.body(&clause.body, scope);
                }
            }
            Stmt::While(statement) => {
                self.body(&statement.body, scope);
                self.body(&statement.orelse, scope);
            }
            _ => {}
        }
    }

    fn type_parameters(&mut self, parameters: Option<&'a ast::TypeParams>, scope: usize) {
        for parameter in parameters.into_iter().flatten() {
            self.bind(scope, parameter.name().as_str(), Binding::Open);
        }
    }

    fn target(&mut self, target: &'a Expr, binding: Binding<'a>, scope: usize) {
        match target {
            Expr::Name(name) => self.bind(scope, &name.id, binding),
            Expr::Starred(starred) => self.target(&starred.value, Binding::Open, scope),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                let part = match binding {
                    Binding::Value(value, parts) => Binding::Value(value, parts + 1),
                    Binding::Entered(value, parts) => Binding::Entered(value, parts + 1),
                    _ => Binding::Open,
                };
                for target in elts {
                    self.target(target, part, scope);
                }
            }
            Expr::Attribute(attribute) => {
                let class = match &*attribute.value {
                    Expr::Name(receiver) => self.class_of_first_parameter(&receiver.id, scope),
                    _ => None,
                };
                match class.and_then(|class| self.all.get_mut(class)) {
                    Some(class) => class.members.push((&attribute.attr, binding, scope)),
                    None => {
                        self.placed.insert(&attribute.attr);
                    }
                }
            }
            Expr::Subscript(subscript) => {
                if let Expr::StringLiteral(key) = &*subscript.slice {
                    self.placed.insert(key.value.to_str());
                } else if subscript.slice.is_number_literal_expr() {
                    self.placed.insert("0");
                }
            }
            _ => {}
        }
    }

    /// The class scope whose method has `name` as its first parameter, seen from `scope`.
    fn class_of_first_parameter(&self, name: &str, mut scope: usize) -> Option<usize> {
        loop {
            let own = self.all.get(scope)?;
            let Kind::Function(function) = own.kind else {
                return None;
            };
            if self.own_class(function, own.parent, name).is_some() {
                return Some(own.parent);
            }
            if own.bindings.contains_key(name) {
                return None;
            }
            scope = own.parent;
        }
    }

    /// The class that `name` is an instance of, as the first parameter of a method.
    fn own_class(
        &self,
        function: &ast::StmtFunctionDef,
        parent: usize,
        name: &str,
    ) -> Option<&'a ast::StmtClassDef> {
        let Kind::Class(class) = self.all.get(parent)?.kind else {
            return None;
        };
        let first = function.parameters.iter_non_variadic_params().next()?;
        let is_static = function
            .decorator_list
            .iter()
            .any(|decorator| last_name(&decorator.expression) == Some("staticmethod"));
        (first.name().as_str() == name && first.annotation().is_none() && !is_static)
            .then_some(class)
    }

    fn class_name(&self, class: &ast::StmtClassDef) -> ClassName {
        ClassName {
            name: name_key(&class.name),
            module: self.place.key(),
        }
    }

    /// What the value of the node at `site` is: of a call, of an attribute, or of what a loop, a
    /// clause of a comprehension or a context manager takes.
    pub fn symbol_at(&self, site: &Site<'_, '_>) -> Symbol {
        let scope = site
            .ancestors
            .iter()
            .rev()
            .find_map(|node| match node {
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                    self.by_start.get(&node.start()).copied()
                }
                _ => None,
            })
            .unwrap_or(0);
        let mut builder = Builder {
            scopes: self,
            around: site.ancestors,
            hidden: Vec::new(),
            left: PARTS,
        };
        match site.node {
            AnyNodeRef::ExprCall(call) => match &*call.func {
                Expr::Name(name) if builder.is_builtin(&name.id, scope) => Symbol::Plain,
                _ => builder.call(call, scope, DEPTH),
            },
            AnyNodeRef::ExprAttribute(attribute) => builder.attribute(attribute, scope, DEPTH),
            AnyNodeRef::StmtFor(statement) => builder.symbol(&statement.iter, scope, DEPTH),
            AnyNodeRef::Comprehension(clause) => builder.symbol(&clause.iter, scope, DEPTH),
            AnyNodeRef::WithItem(item) => builder.symbol(&item.context_expr, scope, DEPTH),
            _ => Symbol::Open,
        }
    }

    fn builder(&self) -> Builder<'_, 'a> {
        Builder {
            scopes: self,
            around: &[],
            hidden: Vec::new(),
            left: PARTS,
        }
    }

    /// The classes of the file.
    pub(crate) fn classes(&self) -> impl Iterator<Item = ClassParts> {
        self.all.iter().enumerate().filter_map(|(index, scope)| {
            let Kind::Class(class) = scope.kind else {
                return None;
            };
            Some(self.class_parts(index, scope, class))
        })
    }

    fn class_parts(
        &self,
        index: usize,
        scope: &Scope<'a>,
        class: &'a ast::StmtClassDef,
    ) -> ClassParts {
        let mut parts = ClassParts {
            name: self.class_name(class),
            bases: Vec::new(),
            is_open: false,
            has_bare_base: false,
            is_enum: false,
            methods: Vec::new(),
            attributes: Vec::new(),
        };
        for base in class.bases() {
            let (base, arguments) = match base {
                Expr::Subscript(subscript) => (&*subscript.value, Some(&*subscript.slice)),
                other => (other, None),
            };
            match last_name(base) {
                Some(name) if is_bare_base(name) => {
                    parts.has_bare_base |=
                        !matches!(name, "object" | "ABC" | "Generic" | "Protocol");
                    parts.is_enum |= name.ends_with("Enum") || name.ends_with("Flag");
                }
                Some(_) => parts.bases.push(Base {
                    class: self.builder().symbol(base, scope.parent, DEPTH),
                    argument: arguments.map(|arguments| {
                        let arguments = match arguments {
                            Expr::Tuple(tuple) => tuple.elts.as_slice(),
                            one => std::slice::from_ref(one),
                        };
                        let mut builder = self.builder();
                        Symbol::any_of(
                            arguments
                                .iter()
                                .map(|one| builder.annotation(one, scope.parent, DEPTH))
                                .collect(),
                        )
                    }),
                }),
                None => parts.is_open = true,
            }
        }
        for (name, bindings) in &scope.bindings {
            let key = name_key(name);
            for binding in bindings {
                if let Binding::Function(function) = binding {
                    parts
                        .methods
                        .push(self.builder().function(function, index, DEPTH));
                } else {
                    // What is declared for the class holds for its instances.
                    let binding = match binding {
                        Binding::Annotated(annotation, _)
                            if last_name(annotation) != Some("Final") =>
                        {
                            Binding::Annotated(annotation, None)
                        }
                        other => *other,
                    };
                    parts
                        .attributes
                        .push((key, self.builder().bound(binding, index, DEPTH)));
                }
            }
        }
        for (name, binding, method) in &scope.members {
            if binding.is_none() {
                continue;
            }
            parts.attributes.push((
                name_key(name),
                self.builder().bound(*binding, *method, DEPTH),
            ));
        }
        parts
    }

    /// The functions at the module's top level.
    pub(crate) fn functions(&self) -> impl Iterator<Item = Function> {
        self.top_level().filter_map(|(_, binding)| match binding {
            Binding::Function(function) => Some(self.builder().function(function, 0, DEPTH)),
            _ => None,
        })
    }

    /// What is bound at the module's top level, functions and classes aside, imports included.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (Key, Symbol)> {
        self.top_level().filter_map(|(name, binding)| {
            if matches!(binding, Binding::Function(_) | Binding::Class(_)) || binding.is_none() {
                return None;
            }
            // Another file may assign it through `global`.
            let symbol = if self.shared.contains(name) {
                Symbol::Open
            } else {
                self.builder().bound(*binding, 0, DEPTH)
            };
            Some((name_key(name), symbol))
        })
    }

    /// The types that names at the module's top level stand for.
    pub(crate) fn aliases(&self) -> impl Iterator<Item = (Key, Symbol)> {
        self.top_level().filter_map(|(name, binding)| {
            let (Binding::Value(value, 0) | Binding::Annotated(_, Some(value))) = binding else {
                return None;
            };
            matches!(
                value,
                Expr::Subscript(_) | Expr::BinOp(_) | Expr::Name(_) | Expr::Attribute(_)
            )
            .then(|| (name_key(name), self.builder().annotation(value, 0, DEPTH)))
        })
    }

    fn top_level(&self) -> impl Iterator<Item = (&'a str, &Binding<'a>)> {
        self.all.first().into_iter().flat_map(|module| {
            module
                .bindings
                .iter()
                .flat_map(|(name, bindings)| bindings.iter().map(|binding| (*name, binding)))
        })
    }

    /// The module's key.
    pub(crate) fn module(&self) -> Key {
        self.place.key()
    }

    /// The last component of the module's name.
    pub(crate) fn module_name(&self) -> &str {
        self.place.last()
    }
}

impl Binding<'_> {
    /// `None` first and something else later is the usual way to declare a variable.
    fn is_none(&self) -> bool {
        matches!(self, Self::Value(Expr::NoneLiteral(_), 0))
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Value(value, 0) if is_empty(value))
    }

    /// Whether it says the type of the name.
    fn declares(&self) -> bool {
        match self {
            Self::Annotated(annotation, _) => last_name(annotation) != Some("Final"),
            Self::Parameter(parameter) => parameter.annotation().is_some(),
            _ => false,
        }
    }
}

/// Writes one symbol.
struct Builder<'s, 'a> {
    scopes: &'s Scopes<'a>,
    /// The nodes around the expression, for what comprehensions and lambdas bind.
    around: &'s [AnyNodeRef<'s>],
    /// What comprehensions inside the expression bind.
    hidden: Vec<String>,
    left: usize,
}

impl<'a> Builder<'_, 'a> {
    fn symbol(&mut self, expr: &Expr, scope: usize, depth: usize) -> Symbol {
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

    fn call(&mut self, call: &ast::ExprCall, scope: usize, depth: usize) -> Symbol {
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

    fn attribute(&mut self, attribute: &ast::ExprAttribute, scope: usize, depth: usize) -> Symbol {
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

    fn is_builtin(&self, name: &str, scope: usize) -> bool {
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
    fn bound(&mut self, binding: Binding<'a>, scope: usize, depth: usize) -> Symbol {
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
    fn function(
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
    fn annotation(&mut self, annotation: &Expr, scope: usize, depth: usize) -> Symbol {
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
fn is_empty(expr: &Expr) -> bool {
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

/// What `isinstance` and its like ask about in a text: the last names of their first arguments.
/// Questions about builtin types are left out, which have no coroutine functions.
fn narrowed_in(source: &str) -> FxHashSet<&str> {
    let mut narrowed = FxHashSet::default();
    for word in ["isinstance(", "issubclass("] {
        for at in memchr::memmem::find_iter(source.as_bytes(), word) {
            let rest = source[at + word.len()..].trim_start();
            let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
            let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
            let (value, after) = rest.split_at(end);
            let class = after.trim_start_matches([',', ' ']);
            let class = class
                .find(|c| !is_path(c))
                .map_or(class, |end| &class[..end]);
            if !is_builtin_type(class) {
                narrowed.insert(value.rsplit('.').next().unwrap_or_default());
            }
        }
    }
    narrowed
}

/// Whether a builtin name, or one of `typing`, stands for a type whose methods are all plain.
fn is_builtin_type(name: &str) -> bool {
    matches!(
        name,
        "str"
            | "bytes"
            | "bytearray"
            | "int"
            | "float"
            | "bool"
            | "complex"
            | "list"
            | "dict"
            | "set"
            | "frozenset"
            | "tuple"
            | "object"
            | "Mapping"
            | "Sequence"
            | "NoReturn"
            | "Never"
            | "LiteralString"
            | "Text"
            | "Hashable"
    )
}

/// Bases that bring no coroutine functions.
fn is_bare_base(name: &str) -> bool {
    matches!(
        name,
        "object"
            | "ABC"
            | "Generic"
            | "Protocol"
            | "NamedTuple"
            | "TypedDict"
            | "Enum"
            | "StrEnum"
            | "IntEnum"
            | "Flag"
            | "IntFlag"
            | "Exception"
            | "str"
            | "int"
            | "dict"
            | "list"
            | "set"
            | "tuple"
    )
}

/// Binds what walruses bind.
struct NamedExpressions<'s, 'a> {
    scopes: &'s mut Scopes<'a>,
    around: Vec<usize>,
}

impl<'a> SourceOrderVisitor<'a> for NamedExpressions<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                let scope = self.scopes.by_start.get(&node.start()).copied();
                self.around.push(scope.unwrap_or(0));
            }
            AnyNodeRef::ExprNamed(named) => {
                let scope = self.around.last().copied().unwrap_or(0);
                self.scopes
                    .target(&named.target, Binding::Value(&named.value, 0), scope);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if matches!(
            node,
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_)
        ) {
            self.around.pop();
        }
    }
}

/// Collects the names that patterns bind.
struct Captures<'a>(Vec<&'a str>);

impl<'a> SourceOrderVisitor<'a> for Captures<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let name = match node {
            AnyNodeRef::PatternMatchAs(pattern) => pattern.name.as_ref(),
            AnyNodeRef::PatternMatchStar(pattern) => pattern.name.as_ref(),
            AnyNodeRef::PatternMatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        self.0.extend(name.map(ast::Identifier::as_str));
        TraversalSignal::Traverse
    }
}
