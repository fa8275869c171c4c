//! The scopes of a file and what their names are bound to, from the statements of its tree alone.
//!
//! A name means all its bindings, in whatever order they are reached: what is said of it here holds
//! wherever in its scope it stands.

mod builder;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::{FxHashMap, FxHashSet};

use self::builder::{Builder, is_empty};
use crate::outline::last_name;
use crate::site::Site;
use crate::symbol::{Base, ClassName, Function, Key, Place, Symbol, name_key};

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
