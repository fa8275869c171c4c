//! The scopes of a file and what their names are bound to, from the statements of its tree alone.
//!
//! A name means all its bindings, in whatever order they are reached: what is said of it here holds
//! wherever in its scope it stands.

use asyncfix_knowledge::handlers::{handlers_in_class, handlers_of};
use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::queries::{called, last_name};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::{FxHashMap, FxHashSet};

use super::value_flow::Place;

use crate::limits::ASKED_CLASSES;

/// How a name gets its value.
#[derive(Clone, Copy)]
pub(crate) enum Binding<'a> {
    Import(&'a ast::Alias),
    ImportFrom(&'a ast::StmtImportFrom, &'a ast::Alias),
    /// An assignment of this value.
    Value(&'a Expr),
    /// An assignment of what is inside of this value: of an element, or of what a pattern takes.
    Inside(&'a Expr),
    /// What it had, changed by this: `count += 1`.
    Changed(&'a Expr),
    /// An assignment of what entering this value gives.
    Entered(&'a Expr),
    Annotated(&'a Expr, Option<&'a Expr>),
    Parameter(&'a ast::ParameterWithDefault),
    Variadic(&'a ast::Parameter),
    Function(&'a ast::StmtFunctionDef),
    Class(&'a ast::StmtClassDef),
}

#[derive(Clone, Copy)]
pub(crate) enum Kind<'a> {
    Module,
    Class(&'a ast::StmtClassDef),
    Function(&'a ast::StmtFunctionDef),
}

pub(crate) struct Scope<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) parent: usize,
    pub(crate) bindings: FxHashMap<&'a str, Vec<Binding<'a>>>,
    /// Of a class: what its methods assign to attributes of their instance, with their scope.
    pub(crate) members: Vec<(&'a str, Binding<'a>, usize)>,
}

/// The scopes of a module, functions and classes, with what their statements bind.
pub struct Scopes<'a> {
    pub(crate) place: Place,
    pub(crate) all: Vec<Scope<'a>>,
    pub(crate) by_start: FxHashMap<TextSize, usize>,
    /// Declared `global` or `nonlocal` somewhere.
    pub(crate) shared: FxHashSet<&'a str>,
    /// What is assigned to attributes other than through the first parameter of a method, and to
    /// literal keys, with the scope: the type engine goes by the assignment.
    pub(crate) placed: FxHashMap<&'a str, Vec<(Binding<'a>, usize)>>,
    /// What is put into attributes of something that is no first parameter of a method, which may be a class:
    /// the object, the name, the value, and the scope.
    pub(crate) replaced: Vec<(&'a Expr, &'a str, &'a Expr, usize)>,
    /// The classes that the code asks for, as text, by the last name of what it asks about.
    pub(crate) narrowed: FxHashMap<&'a str, Vec<&'a str>>,
    /// The same, by the patterns of `match`.
    pub(crate) matched: FxHashMap<&'a str, Vec<(&'a Expr, usize)>>,
    pub(crate) stars: Vec<&'a ast::StmtImportFrom>,
    /// The calls of functions and classes of the file, by their names, with the scope.
    pub(crate) calls: FxHashMap<&'a str, Vec<(&'a ast::ExprCall, usize)>>,
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
            placed: FxHashMap::default(),
            replaced: Vec::new(),
            narrowed: narrowed_in(source),
            matched: FxHashMap::default(),
            stars: Vec::new(),
            calls: FxHashMap::default(),
        };
        scopes.body(&module.body, 0);
        // What a function is given only matters where something may be awaited.
        if source.contains("async ") || source.contains("await ") {
            let open = scopes.open_functions();
            if !open.is_empty() {
                let mut search = Calls {
                    scopes: &mut scopes,
                    open,
                    around: vec![0],
                };
                search.visit_body(&module.body);
            }
        }
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

    /// The names of the functions with a parameter of which nothing is said, and of the classes that are made with one.
    fn open_functions(&self) -> FxHashSet<&'a str> {
        let functions = self.all.iter().filter_map(|scope| match scope.kind {
            Kind::Function(function) => Some((function, scope.parent)),
            _ => None,
        });
        let open = functions.filter(|(function, _)| {
            let mut parameters = function.parameters.iter_non_variadic_params();
            parameters.any(|parameter| parameter.annotation().is_none())
        });
        open.map(|(function, parent)| self.called_by_name(function, parent))
            .collect()
    }

    /// The name by which a function is called: that of its class, for what makes the instances of one.
    pub(crate) fn called_by_name(
        &self,
        function: &'a ast::StmtFunctionDef,
        parent: usize,
    ) -> &'a str {
        match self.all.get(parent).map(|around| around.kind) {
            Some(Kind::Class(class)) if function.name.as_str() == "__init__" => &class.name,
            _ => &function.name,
        }
    }

    /// Whether what is defined in this scope stands in a class.
    fn is_class(&self, scope: usize) -> bool {
        matches!(
            self.all.get(scope).map(|around| around.kind),
            Some(Kind::Class(_))
        )
    }

    /// The dotted paths of the classes that libraries may give a parameter of a coroutine function which they call.
    pub(crate) fn given_by_libraries(
        &self,
        function: &'a ast::StmtFunctionDef,
        parent: usize,
        parameter: &str,
    ) -> Vec<&'static str> {
        let is_method = self.is_class(parent);
        let Some(place) = place_of(function, is_method, parameter).filter(|_| function.is_async)
        else {
            return Vec::new();
        };
        let decorators = function.decorator_list.iter();
        decorators
            .filter_map(|decorator| last_name(called(decorator)))
            .flat_map(handlers_of)
            .chain(handlers_in_class().filter(|_| is_method))
            .filter_map(|handler| handler.given(&function.name, place))
            .collect()
    }

    /// What the calls in this file give a parameter of a function, with their scopes.
    pub(crate) fn given(
        &self,
        function: &'a ast::StmtFunctionDef,
        parent: usize,
        parameter: &str,
    ) -> Vec<(&'a Expr, usize)> {
        let place = place_of(function, self.is_class(parent), parameter);
        let calls = self.calls.get(self.called_by_name(function, parent));
        let given = calls.into_iter().flatten().flat_map(|(call, scope)| {
            let arguments = &call.arguments;
            let by_name = arguments
                .keywords
                .iter()
                .filter(|keyword| keyword.arg.as_deref() == Some(parameter));
            let at_place = place.and_then(|place| arguments.args.get(place));
            by_name
                .map(|keyword| &keyword.value)
                .chain(at_place)
                .map(|value| (value, *scope))
                .collect::<Vec<_>>()
        });
        given.collect()
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
                    if alias.name.as_str() == "*" {
                        self.stars.push(import);
                        continue;
                    }
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
                    self.target(target, Binding::Value(&assign.value), scope);
                }
            }
            Stmt::AnnAssign(assign) => self.target(
                &assign.target,
                Binding::Annotated(&assign.annotation, assign.value.as_deref()),
                scope,
            ),
            Stmt::AugAssign(assign) => {
                self.target(&assign.target, Binding::Changed(&assign.value), scope);
            }
            Stmt::TypeAlias(alias) => {
                self.target(&alias.name, Binding::Value(&alias.value), scope);
            }
            Stmt::Global(ast::StmtGlobal { names, .. })
            | Stmt::Nonlocal(ast::StmtNonlocal { names, .. }) => {
                self.shared
                    .extend(names.iter().map(ast::Identifier::as_str));
            }
            Stmt::For(statement) => {
                self.target(&statement.target, Binding::Inside(&statement.iter), scope);
                self.body(&statement.body, scope);
                self.body(&statement.orelse, scope);
            }
            Stmt::With(statement) => {
                for item in &statement.items {
                    if let Some(target) = &item.optional_vars {
                        self.target(target, Binding::Entered(&item.context_expr), scope);
                    }
                }
                self.body(&statement.body, scope);
            }
            Stmt::Try(statement) => {
                for handler in &statement.handlers {
                    let ast::ExceptHandler::ExceptHandler(handler) = handler;
                    if let (Some(name), Some(kind)) = (&handler.name, &handler.type_) {
                        self.bind(scope, name, Binding::Inside(kind));
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
                let mut captures = Captures::default();
                for case in &statement.cases {
                    captures.visit_pattern(&case.pattern);
                }
                for name in captures.names {
                    self.bind(scope, name, Binding::Inside(&statement.subject));
                    let classes = captures.classes.iter();
                    for class in classes {
                        self.bind(scope, name, Binding::Inside(class));
                    }
                }
                if let Some(name) = last_name(&statement.subject) {
                    let classes = captures.classes.into_iter().map(|class| (class, scope));
                    self.matched.entry(name).or_default().extend(classes);
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
            // `setattr(Sender, "send", plain)`
            Stmt::Expr(statement) => {
                if let Expr::Call(call) = &*statement.value
                    && matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "setattr")
                    && let [object, name, value] = &*call.arguments.args
                    && let Some(name) = literal_key(name)
                {
                    self.replaced.push((object, name, value, scope));
                }
            }
            _ => {}
        }
    }

    fn type_parameters(&mut self, parameters: Option<&'a ast::TypeParams>, scope: usize) {
        for parameter in parameters.into_iter().flatten() {
            if let ast::TypeParam::TypeVar(variable) = parameter
                && let Some(bound) = &variable.bound
            {
                self.bind(scope, &variable.name, Binding::Annotated(bound, None));
            }
        }
    }

    fn target(&mut self, target: &'a Expr, binding: Binding<'a>, scope: usize) {
        match target {
            Expr::Name(name) => self.bind(scope, &name.id, binding),
            Expr::Starred(starred) => self.target(&starred.value, binding, scope),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                let inside = match binding {
                    Binding::Value(value) | Binding::Entered(value) => Binding::Inside(value),
                    other => other,
                };
                for target in elts {
                    self.target(target, inside, scope);
                }
            }
            Expr::Attribute(attribute) => {
                let class = match &*attribute.value {
                    Expr::Name(receiver) => self.class_of_first_parameter(&receiver.id, scope),
                    _ => None,
                };
                if let Some(class) = class.and_then(|class| self.all.get_mut(class)) {
                    class.members.push((&attribute.attr, binding, scope));
                } else {
                    let placed = self.placed.entry(&attribute.attr).or_default();
                    placed.push((binding, scope));
                    if let Binding::Value(value) = binding
                        && !value.is_literal_expr()
                    {
                        let object = &*attribute.value;
                        self.replaced.push((object, &attribute.attr, value, scope));
                    }
                }
            }
            Expr::Subscript(subscript) => {
                if let Some(key) = literal_key(&subscript.slice) {
                    let placed = self.placed.entry(key).or_default();
                    placed.push((binding, scope));
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

    /// The class that `name` is an instance of, as the first parameter of a method. An annotation of it says more,
    /// not less: `self: "Client[T]"`.
    pub(crate) fn own_class(
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
        (first.name().as_str() == name && !is_static).then_some(class)
    }
}

impl Binding<'_> {
    /// The top-level module of the standard library that an import is from.
    pub(crate) fn stdlib_module(&self) -> Option<&str> {
        let path = match self {
            Self::Import(alias) => alias.name.as_str(),
            Self::ImportFrom(import, _) if import.level == 0 => import.module.as_deref()?,
            _ => return None,
        };
        let root = path.split('.').next()?;
        is_stdlib(root).then_some(root)
    }

    /// Whether a module may be what is bound.
    pub(crate) fn may_be_module(&self) -> bool {
        match self {
            Self::Import(_) | Self::ImportFrom(..) => true,
            Self::Value(Expr::Call(call)) => imported_module(call).is_some(),
            Self::Value(value)
            | Self::Inside(value)
            | Self::Changed(value)
            | Self::Entered(value) => matches!(
                value,
                Expr::Name(_) | Expr::Attribute(_) | Expr::If(_) | Expr::BoolOp(_)
            ),
            _ => false,
        }
    }
}

/// The module that `importlib.import_module` is called for.
pub(crate) fn imported_module(call: &ast::ExprCall) -> Option<&str> {
    match call.arguments.args.first() {
        Some(Expr::StringLiteral(module)) if last_name(&call.func) == Some("import_module") => {
            Some(module.value.to_str())
        }
        _ => None,
    }
}

/// The key of an item that code may assign to and read again. All numbers are one.
pub(crate) fn literal_key(slice: &Expr) -> Option<&str> {
    match slice {
        Expr::StringLiteral(key) => Some(key.value.to_str()),
        Expr::NumberLiteral(_) => Some("0"),
        _ => None,
    }
}

/// The classes that `isinstance` and its like ask for in a text, by the last names of their first
/// arguments.
fn narrowed_in(source: &str) -> FxHashMap<&str, Vec<&str>> {
    let mut narrowed: FxHashMap<&str, Vec<&str>> = FxHashMap::default();
    for word in ["isinstance(", "issubclass("] {
        for at in memchr::memmem::find_iter(source.as_bytes(), word) {
            let rest = source[at + word.len()..].trim_start();
            let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
            let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
            let (value, after) = rest.split_at(end);
            let mut depth = 0_usize;
            let end = after
                .bytes()
                .take(ASKED_CLASSES.count())
                .position(|byte| match byte {
                    b'(' | b'[' => {
                        depth += 1;
                        false
                    }
                    b')' | b']' if depth > 0 => {
                        depth -= 1;
                        false
                    }
                    b')' => true,
                    _ => false,
                });
            let classes = end.and_then(|end| after.get(..end)).unwrap_or_default();
            let name = value.rsplit('.').next().unwrap_or_default();
            narrowed.entry(name).or_default().push(classes);
        }
    }
    narrowed
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
                    .target(&named.target, Binding::Value(&named.value), scope);
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

/// Collects the calls of functions that have parameters of which nothing is said.
/// Which argument, without the object of a method, a parameter takes.
pub(crate) fn place_of(
    function: &ast::StmtFunctionDef,
    is_method: bool,
    parameter: &str,
) -> Option<usize> {
    let parameters = &function.parameters;
    let positional = parameters.posonlyargs.iter().chain(&parameters.args);
    positional
        .skip(usize::from(is_method))
        .position(|other| other.name().as_str() == parameter)
}

struct Calls<'s, 'a> {
    scopes: &'s mut Scopes<'a>,
    open: FxHashSet<&'a str>,
    around: Vec<usize>,
}

impl<'a> SourceOrderVisitor<'a> for Calls<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                let scope = self.scopes.by_start.get(&node.start()).copied();
                self.around.push(scope.unwrap_or(0));
            }
            AnyNodeRef::ExprCall(call) if !call.arguments.is_empty() => {
                if let Some(name) = last_name(&call.func)
                    && self.open.contains(name)
                {
                    let scope = self.around.last().copied().unwrap_or(0);
                    let calls = self.scopes.calls.entry(name).or_default();
                    calls.push((call, scope));
                }
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

/// Collects the names that patterns bind, and the classes that they ask for.
#[derive(Default)]
struct Captures<'a> {
    names: Vec<&'a str>,
    classes: Vec<&'a Expr>,
}

impl<'a> SourceOrderVisitor<'a> for Captures<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let name = match node {
            AnyNodeRef::PatternMatchAs(pattern) => pattern.name.as_ref(),
            AnyNodeRef::PatternMatchStar(pattern) => pattern.name.as_ref(),
            AnyNodeRef::PatternMatchMapping(pattern) => pattern.rest.as_ref(),
            AnyNodeRef::PatternMatchClass(pattern) => {
                self.classes.push(&pattern.cls);
                None
            }
            _ => None,
        };
        self.names.extend(name.map(ast::Identifier::as_str));
        TraversalSignal::Traverse
    }
}
