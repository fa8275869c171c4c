//! What the functions, methods and attributes of a project give, as far as their own signatures
//! tell, from one look at each file.
//!
//! The cheap answers before the type engine is asked: which names may give something that can be
//! awaited at all, and which methods plainly give nothing of the kind. Classes and modules go by
//! their last names, and where several share one, all must agree. An answer from here only ever
//! keeps a closer look away; what is found is decided by types.

use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Operator};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::sketch::is_plain_stdlib;

/// A number for a name. Two names with the same number only bring or spare a closer look.
pub type Key = u64;

/// The [`Key`] of a name.
pub fn name_key(name: &str) -> Key {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The [`Key`] of a property's name, apart from that of a function.
pub fn property_key(name: &str) -> Key {
    name_key(name) ^ 1
}

/// The [`Key`] of what calling an instance of a class gives.
fn instance_key(class: Key) -> Key {
    class ^ 2
}

/// The [`Key`] of what iterating over the value of a name gives.
pub fn iteration_key(name: Key) -> Key {
    name ^ 4
}

/// The [`Key`] of what entering the value of a name gives.
pub fn context_key(name: Key) -> Key {
    name ^ 8
}

/// What a call, or an attribute, gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// A coroutine.
    Coroutine,
    /// An instance of the class with this last name.
    Class(Key),
    /// A builtin value, or an instance of a class of the standard library, which has no coroutine
    /// functions but those of the same names.
    Plain,
    /// A function whose calls give such a value.
    PlainFunction,
    /// A builtin container of anything: its methods are plain, and its elements not known.
    Container,
    /// Not known to the type engine either, like everything that is reached from it.
    Unknown,
    /// An instance of a class, the second, from a package, the first, that may not be resolvable.
    Foreign(Key, Key),
    /// Anything.
    Open,
}

impl Gives {
    /// What is known of a value that is the one or the other.
    fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Open }
    }
}

/// A function or method.
#[derive(Debug, Clone)]
struct Function {
    name: Key,
    gives: Gives,
    /// What awaiting the coroutine gives.
    result: Gives,
    is_property: bool,
    /// The last names of its decorators, those that change nothing left out.
    decorators: Vec<Key>,
    /// Without an annotation: the last names of what it calls and returns.
    returned: Vec<Key>,
    /// Whether it returns its only argument's type, so that nothing is changed by using it as a
    /// decorator.
    is_identity: bool,
}

#[derive(Debug, Clone)]
struct Class {
    name: Key,
    /// Its bases, those without methods of their own left out.
    bases: Vec<Gives>,
    /// Whether a base is more than a name.
    has_open_base: bool,
    methods: Vec<Function>,
    attributes: Vec<(Key, Gives)>,
}

/// What one file defines. Plain data: it outlives the tree.
#[derive(Debug, Default, Clone)]
pub struct Outline {
    classes: Vec<Class>,
    /// The functions at the module's top level.
    functions: Vec<Function>,
    /// The variables at the module's top level.
    variables: Vec<(Key, Gives)>,
    /// Names that may give something awaitable by what their own definition says.
    awaitable: Vec<Key>,
    /// A call of the first may give what a call of the second gives.
    stands_for: Vec<(Key, Key)>,
    /// The value of the first is made by calling the second, or is of that class.
    made_by: Vec<(Key, Key)>,
    /// Names of types that may stand for something awaitable: aliases and type variables.
    open_types: Vec<Key>,
    /// Names of types that stand for other types.
    aliases: Vec<(Key, Gives)>,
    /// How many statements at the module's top level assign to an item, as in `names[1] = "one"`.
    items: usize,
}

/// How many such statements make a file a table. The time that the type engine takes for one of them
/// grows with the number of all.
const TABLE: usize = 1000;

impl Outline {
    /// Whether the file is a table: thousands of items, one statement each.
    pub fn is_table(&self) -> bool {
        self.items > TABLE
    }

    /// The outline of a module.
    pub fn of(module: &ast::ModModule) -> Self {
        let mut search = Search {
            outline: Self::default(),
            stdlib: FxHashSet::default(),
            foreign: FxHashMap::default(),
            classes: Vec::new(),
            functions: Vec::new(),
        };
        search.visit_body(&module.body);
        search.outline
    }
}

struct Search<'a> {
    outline: Outline,
    /// Names that are imported from the standard library.
    stdlib: FxHashSet<&'a str>,
    /// Names that are imported from packages, with the package.
    foreign: FxHashMap<&'a str, Key>,
    /// The classes around, as indices.
    classes: Vec<usize>,
    /// The functions around, each with the number of classes around it.
    functions: Vec<(&'a ast::StmtFunctionDef, usize)>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtImportFrom(import) => self.import_from(import),
            AnyNodeRef::StmtImport(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    let root = alias.name.split('.').next().unwrap_or_default();
                    if is_plain_stdlib(root) {
                        self.stdlib.insert(bound);
                    } else {
                        let bound = bound.split('.').next().unwrap_or_default();
                        self.foreign.insert(bound, name_key(root));
                    }
                }
            }
            AnyNodeRef::StmtClassDef(class) => {
                let class = self.class(class);
                self.classes.push(self.outline.classes.len());
                self.outline.classes.push(class);
            }
            AnyNodeRef::StmtFunctionDef(function) => {
                self.function(function);
                self.functions.push((function, self.classes.len()));
            }
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.assigned(target, None, Some(&assign.value));
                }
            }
            AnyNodeRef::StmtAnnAssign(assign) => self.assigned(
                &assign.target,
                Some(&assign.annotation),
                assign.value.as_deref(),
            ),
            AnyNodeRef::StmtTypeAlias(alias) => {
                if let Expr::Name(name) = &*alias.name
                    && names_awaitable(&alias.value)
                {
                    self.outline.open_types.push(name_key(&name.id));
                }
            }
            AnyNodeRef::TypeParams(parameters) => {
                for parameter in parameters {
                    let name = parameter.name();
                    self.outline.open_types.push(name_key(name));
                }
            }
            _ => {}
        }
        if node.is_expression() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        match node {
            AnyNodeRef::StmtClassDef(_) => {
                self.classes.pop();
            }
            AnyNodeRef::StmtFunctionDef(_) => {
                self.functions.pop();
            }
            _ => {}
        }
    }
}

impl<'a> Search<'a> {
    fn stands_for(&mut self, name: &str, other: &str) {
        if name != other {
            self.outline
                .stands_for
                .push((name_key(name), name_key(other)));
        }
    }

    fn import_from(&mut self, import: &'a ast::StmtImportFrom) {
        let root = import
            .module
            .as_deref()
            .and_then(|module| module.split('.').next())
            .unwrap_or_default();
        let from_stdlib = import.level == 0 && is_plain_stdlib(root);
        for alias in &import.names {
            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
            if from_stdlib {
                self.stdlib.insert(bound);
            } else if import.level == 0 {
                self.foreign.insert(bound, name_key(root));
            }
            self.stands_for(bound, &alias.name);
        }
    }

    fn class(&mut self, class: &'a ast::StmtClassDef) -> Class {
        let mut bases = Vec::new();
        let mut has_open_base = !class.keywords().is_empty() && class.bases().is_empty();
        for base in class.bases() {
            let base = match base {
                Expr::Subscript(subscript) => &*subscript.value,
                other => other,
            };
            match last_name(base) {
                Some(name) if is_bare_base(name) => {}
                Some(_) => bases.push(self.annotated(base)),
                None => has_open_base = true,
            }
            if let Some(base) = last_name(base) {
                let pair = (name_key(&class.name), name_key(base));
                self.outline.made_by.push(pair);
            }
        }
        Class {
            name: name_key(&class.name),
            bases,
            has_open_base,
            methods: Vec::new(),
            attributes: Vec::new(),
        }
    }

    fn function(&mut self, function: &'a ast::StmtFunctionDef) {
        let is_property = is_property(function);
        let name = &function.name;
        let key = if is_property {
            property_key(name)
        } else {
            name_key(name)
        };
        let mut returned = Vec::new();
        let gives = if function.is_async {
            self.outline.awaitable.push(key);
            Gives::Coroutine
        } else if let Some(annotation) = &function.returns {
            if names_awaitable(annotation) {
                self.outline.awaitable.push(key);
                Gives::Open
            } else {
                self.annotated(annotation)
            }
        } else {
            returned = returned_calls(function);
            if !is_property {
                let pairs = returned.iter().map(|other| (key, *other));
                self.outline.stands_for.extend(pairs);
            }
            if returned.is_empty() {
                Gives::Plain
            } else {
                Gives::Open
            }
        };
        if function.is_async {
            self.outline.awaitable.push(iteration_key(name_key(name)));
        }
        for decorator in &function.decorator_list {
            // Its name, or what an import made of it, is followed like that of a class.
            if let Some(decorator) = last_name(&decorator.expression) {
                let pair = (name_key(name), name_key(decorator));
                self.outline.made_by.push(pair);
            }
        }
        if let Some(annotation) = &function.returns {
            self.protocols(name, annotation);
        }
        for parameter in function.parameters.iter_non_variadic_params() {
            if let Some(annotation) = parameter.annotation() {
                self.variable(parameter.name(), annotation);
            }
        }
        let in_function = self
            .functions
            .last()
            .is_some_and(|(_, classes)| *classes == self.classes.len());
        if in_function {
            return;
        }
        let entry = Function {
            name: name_key(name),
            result: match &function.returns {
                Some(annotation) if function.is_async => self.annotated(annotation),
                _ => Gives::Open,
            },
            gives,
            is_property,
            decorators: decorators(function),
            returned,
            is_identity: is_identity(function),
        };
        match self
            .classes
            .last()
            .and_then(|index| self.outline.classes.get_mut(*index))
        {
            Some(class) => {
                if name.as_str() == "__call__" {
                    let instance = instance_key(class.name);
                    if function.is_async {
                        self.outline.awaitable.push(instance);
                    }
                }
                match name.as_str() {
                    "__aiter__" => self.outline.awaitable.push(iteration_key(class.name)),
                    "__aenter__" => self.outline.awaitable.push(context_key(class.name)),
                    _ => {}
                }
                class.methods.push(entry);
            }
            None => self.outline.functions.push(entry),
        }
    }

    /// A variable with an annotation: calling it may give what the annotation names.
    fn variable(&mut self, name: &str, annotation: &Expr) {
        if names_awaitable(annotation) {
            self.outline.awaitable.push(name_key(name));
        }
        self.protocols(name, annotation);
    }

    /// What iterating over or entering the value of `name` means, by its annotation.
    fn protocols(&mut self, name: &str, annotation: &Expr) {
        let key = name_key(name);
        if let Gives::Class(class) | Gives::Foreign(_, class) = self.annotated(annotation) {
            self.outline.made_by.push((key, class));
        } else {
            // A union, or another annotation around several names.
            let mut names = TypeNames(Vec::new());
            names.visit_expr(annotation);
            let pairs = names.0.into_iter().map(|class| (key, class));
            self.outline.made_by.extend(pairs);
        }
    }

    fn assigned(
        &mut self,
        target: &'a Expr,
        annotation: Option<&'a Expr>,
        value: Option<&'a Expr>,
    ) {
        if target.is_subscript_expr() && self.functions.is_empty() && self.classes.is_empty() {
            self.outline.items += 1;
        }
        if let (Expr::Tuple(tuple), Some(value)) = (target, value) {
            let made = match value {
                Expr::Await(awaited) => &*awaited.value,
                value => value,
            };
            if let Expr::Call(call) = made
                && let Some(callee) = last_name(&call.func)
            {
                let names = tuple.elts.iter().filter_map(last_name);
                let pairs = names.map(|name| (name_key(name), name_key(callee)));
                self.outline.made_by.extend(pairs);
            }
        }
        let (name, on_instance) = match target {
            Expr::Name(target) => (target.id.as_str(), false),
            Expr::Attribute(target) if target.value.is_name_expr() => (target.attr.as_str(), true),
            _ => return,
        };
        let mut gives = Gives::Open;
        // A bare `Final` leaves the type to the value.
        let annotation = annotation.filter(|annotation| last_name(annotation) != Some("Final"));
        if let Some(annotation) = annotation {
            self.variable(name, annotation);
            gives = self.annotated(annotation);
        }
        let made = match value {
            Some(Expr::Await(awaited)) => Some(&*awaited.value),
            value => value,
        };
        if let Some(Expr::Call(call)) = made
            && let Some(callee) = last_name(&call.func)
        {
            let pair = (name_key(name), name_key(callee));
            self.outline.made_by.push(pair);
        }
        match value {
            Some(Expr::Call(call)) => {
                if let Some(callee) = last_name(&call.func) {
                    let class = name_key(callee);
                    if annotation.is_none() {
                        gives = if self.is_of_stdlib(&call.func) {
                            Gives::Plain
                        } else if let Some(root) = self.package_of(&call.func) {
                            Gives::Foreign(root, class)
                        } else {
                            Gives::Class(class)
                        };
                    }
                    let key = name_key(name);
                    if callee == "partial"
                        && let Some(first) = call.arguments.args.first().and_then(last_name)
                    {
                        self.outline.stands_for.push((key, name_key(first)));
                        if call
                            .arguments
                            .args
                            .first()
                            .is_some_and(|first| self.is_of_stdlib(first))
                        {
                            gives = Gives::PlainFunction;
                        }
                    }
                    let at_top = self.functions.is_empty() && self.classes.is_empty();
                    if at_top && matches!(callee, "TypeVar" | "ParamSpec" | "NewType") {
                        self.outline.open_types.push(key);
                    }
                }
            }
            Some(value @ (Expr::Name(_) | Expr::Attribute(_))) => {
                if let Some(other) = last_name(value) {
                    self.stands_for(name, other);
                }
                if annotation.is_none()
                    && let Expr::Name(parameter) = value
                {
                    gives = self.parameter(&parameter.id);
                }
            }
            Some(value) => {
                if self.functions.is_empty()
                    && self.classes.is_empty()
                    && matches!(value, Expr::Subscript(_) | Expr::BinOp(_))
                {
                    if names_awaitable(value) {
                        self.outline.open_types.push(name_key(name));
                    } else {
                        let gives = self.annotated(value);
                        self.outline.aliases.push((name_key(name), gives));
                    }
                }
                if annotation.is_none() {
                    gives = match self.package_of(value) {
                        _ if is_display(value) => Gives::Plain,
                        Some(root) => Gives::Foreign(root, 0),
                        None => Gives::Open,
                    };
                }
            }
            None => {}
        }
        // `None` first and something else later is the usual way to declare an attribute.
        if annotation.is_none() && matches!(value, Some(Expr::NoneLiteral(_))) {
            return;
        }
        if self.functions.is_empty() && self.classes.is_empty() && !on_instance {
            self.outline.variables.push((name_key(name), gives));
            return;
        }
        let in_method = self
            .functions
            .last()
            .is_some_and(|(_, classes)| *classes == self.classes.len());
        if in_method == on_instance
            && let Some(class) = self
                .classes
                .last()
                .and_then(|index| self.outline.classes.get_mut(*index))
        {
            class.attributes.push((name_key(name), gives));
        }
    }

    /// Whether an expression is a name of the standard library, or an attribute of one.
    fn is_of_stdlib(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.stdlib.contains(name.id.as_str()),
            Expr::Attribute(attribute) => self.is_of_stdlib(&attribute.value),
            _ => false,
        }
    }

    /// The package from which an expression takes what it is made of.
    fn package_of(&self, expr: &Expr) -> Option<Key> {
        match root_of(expr)? {
            Expr::Name(name) => self.foreign.get(name.id.as_str()).copied(),
            _ => None,
        }
    }

    fn parameter(&self, name: &str) -> Gives {
        self.functions
            .last()
            .and_then(|(function, _)| function.parameters.find(name))
            .and_then(|parameter| parameter.annotation())
            .map_or(Gives::Open, |annotation| self.annotated(annotation))
    }

    /// What an annotation names.
    fn annotated(&self, annotation: &Expr) -> Gives {
        annotation_gives(annotation, &|name| {
            if self.stdlib.contains(name) {
                Origin::Stdlib
            } else {
                self.foreign
                    .get(name)
                    .map_or(Origin::Here, |root| Origin::Package(*root))
            }
        })
    }
}

/// Where a name of a file comes from.
pub enum Origin {
    /// The standard library.
    Stdlib,
    /// The package with this key.
    Package(Key),
    /// The file itself, or one beside it.
    Here,
}

/// The name at the root of attributes, calls and subscripts.
pub fn root_of(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Name(_) => Some(expr),
        Expr::Attribute(attribute) => root_of(&attribute.value),
        Expr::Call(call) => root_of(&call.func),
        Expr::Subscript(subscript) => root_of(&subscript.value),
        Expr::Await(awaited) => root_of(&awaited.value),
        _ => None,
    }
}

/// What an annotation names.
pub fn annotation_gives(annotation: &Expr, origin: &dyn Fn(&str) -> Origin) -> Gives {
    match annotation {
        Expr::NoneLiteral(_) => Gives::Plain,
        Expr::Name(name) if name.id == "Any" => Gives::Unknown,
        Expr::Name(name) if is_builtin_type(&name.id) => Gives::Plain,
        Expr::Name(_) | Expr::Attribute(_) => {
            let class = name_key(last_name(annotation).unwrap_or_default());
            let root = match root_of(annotation) {
                Some(Expr::Name(root)) => origin(&root.id),
                _ => return Gives::Open,
            };
            match root {
                Origin::Stdlib => Gives::Plain,
                Origin::Package(root) => Gives::Foreign(root, class),
                Origin::Here => Gives::Class(class),
            }
        }
        Expr::StringLiteral(literal) => {
            let text = literal.value.to_str();
            let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
            if text.is_empty() || !text.chars().all(is_path) {
                return Gives::Open;
            }
            let last = text.rsplit('.').next().unwrap_or_default();
            if is_builtin_type(last) {
                Gives::Plain
            } else {
                Gives::Class(name_key(last))
            }
        }
        Expr::Subscript(subscript) => match last_name(&subscript.value) {
            Some("Optional" | "Final" | "ClassVar") => annotation_gives(&subscript.slice, origin),
            Some("Callable") => {
                let result = match &*subscript.slice {
                    Expr::Tuple(tuple) => tuple.elts.last(),
                    _ => None,
                };
                match result.map(|result| annotation_gives(result, origin)) {
                    Some(Gives::Plain) => Gives::PlainFunction,
                    _ => Gives::Open,
                }
            }
            Some("Union" | "Annotated" | "type" | "Type" | "Literal") => Gives::Open,
            _ => {
                let gives = annotation_gives(&subscript.value, origin);
                let last = match &*subscript.slice {
                    Expr::Tuple(tuple) => tuple.elts.last(),
                    slice => Some(slice),
                };
                match last {
                    Some(Expr::Name(name)) if gives == Gives::Plain && name.id == "Any" => {
                        Gives::Container
                    }
                    _ => gives,
                }
            }
        },
        Expr::BinOp(operation) if operation.op == Operator::BitOr => {
            let sides = [&*operation.left, &*operation.right];
            sides
                .into_iter()
                .filter(|side| !side.is_none_literal_expr())
                .map(|side| annotation_gives(side, origin))
                .reduce(Gives::or)
                .unwrap_or(Gives::Plain)
        }
        _ => Gives::Open,
    }
}

/// Whether a builtin name, or one of `typing`, stands for a type whose methods are all plain.
pub fn is_builtin_type(name: &str) -> bool {
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
            | "List"
            | "Dict"
            | "Set"
            | "FrozenSet"
            | "Tuple"
            | "Mapping"
            | "MutableMapping"
            | "Sequence"
            | "Iterable"
            | "Iterator"
            | "NoReturn"
            | "Never"
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

/// Whether calling the function is how its attribute is read.
fn is_property(function: &ast::StmtFunctionDef) -> bool {
    function.decorator_list.iter().any(|decorator| {
        last_name(&decorator.expression)
            .is_some_and(|name| name.ends_with("property") || name == "getter")
    })
}

/// The last names of the decorators that may change what a function gives.
fn decorators(function: &ast::StmtFunctionDef) -> Vec<Key> {
    function
        .decorator_list
        .iter()
        .filter_map(|decorator| {
            let name = match &decorator.expression {
                Expr::Call(call) => last_name(&call.func),
                other => last_name(other),
            };
            match name {
                Some(
                    "staticmethod" | "classmethod" | "abstractmethod" | "final" | "override"
                    | "lru_cache" | "cache" | "property" | "cached_property",
                ) => None,
                Some(name) => Some(name_key(name)),
                None => Some(0),
            }
        })
        .collect()
}

/// `def callback(func: T) -> T:`
fn is_identity(function: &ast::StmtFunctionDef) -> bool {
    let mut parameters = function.parameters.iter_non_variadic_params();
    let (Some(first), None) = (parameters.next(), parameters.next()) else {
        return false;
    };
    match (first.annotation(), function.returns.as_deref()) {
        (Some(Expr::Name(taken)), Some(Expr::Name(given))) => taken.id == given.id,
        _ => false,
    }
}

/// The last names of the calls whose values a function returns.
pub fn returned_calls(function: &ast::StmtFunctionDef) -> Vec<Key> {
    struct Returns(Vec<Key>);
    impl<'a> SourceOrderVisitor<'a> for Returns {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtReturn(statement) => {
                    if let Some(Expr::Call(call)) = statement.value.as_deref() {
                        self.0.push(last_name(&call.func).map_or(0, name_key));
                    }
                    TraversalSignal::Skip
                }
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                    TraversalSignal::Skip
                }
                node if node.is_expression() => TraversalSignal::Skip,
                _ => TraversalSignal::Traverse,
            }
        }
    }
    let mut returns = Returns(Vec::new());
    returns.visit_body(&function.body);
    returns.0
}

/// The last name of a name or attribute.
pub fn last_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(attribute) => Some(&attribute.attr),
        _ => None,
    }
}

/// Collects the names in an annotation.
struct TypeNames(Vec<Key>);

impl<'a> SourceOrderVisitor<'a> for TypeNames {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => self.0.push(name_key(&name.id)),
            AnyNodeRef::ExprAttribute(attribute) => self.0.push(name_key(&attribute.attr)),
            AnyNodeRef::StringLiteral(literal) => {
                let words = literal
                    .value
                    .split(|c: char| !c.is_alphanumeric() && c != '_');
                self.0.extend(words.map(name_key));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether an annotation speaks of something that can be awaited.
pub fn names_awaitable(annotation: &Expr) -> bool {
    struct Found(bool);
    impl<'a> SourceOrderVisitor<'a> for Found {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::ExprName(name) => is_awaitable_name(&name.id),
                AnyNodeRef::ExprAttribute(attribute) => is_awaitable_name(&attribute.attr),
                AnyNodeRef::StringLiteral(literal) => {
                    literal.value.contains("Awaitable") || literal.value.contains("Coroutine")
                }
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut found = Found(false);
    found.visit_expr(annotation);
    found.0
}

fn is_awaitable_name(name: &str) -> bool {
    matches!(name, "Awaitable" | "Coroutine" | "CoroutineType")
}

/// Whether an expression makes a builtin container, a string or a number.
pub fn is_display(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::List(_)
            | Expr::ListComp(_)
            | Expr::Dict(_)
            | Expr::DictComp(_)
            | Expr::Set(_)
            | Expr::SetComp(_)
            | Expr::Tuple(_)
            | Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::FString(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
    )
}

/// Adds what is known under `key`.
fn note<K: Eq + Hash>(known: &mut FxHashMap<K, Gives>, key: K, gives: Gives) {
    match known.entry(key) {
        Entry::Occupied(mut entry) => {
            let known = *entry.get();
            entry.insert(known.or(gives));
        }
        Entry::Vacant(entry) => {
            entry.insert(gives);
        }
    }
}

/// The outlines of all files of a project, linked.
#[derive(Debug, Default)]
pub struct Outlines {
    classes: FxHashMap<Key, Vec<Class>>,
    /// By the last name of a base: the last names of the classes.
    subclasses: FxHashMap<Key, Vec<Key>>,
    /// By the last component of the module.
    functions: FxHashMap<(Key, Key), Vec<Function>>,
    variables: FxHashMap<(Key, Key), Gives>,
    /// The names of functions that change nothing when used as decorators, and of those that may.
    identities: FxHashMap<Key, bool>,
    open_types: FxHashSet<Key>,
    /// Packages that the type engine does not find.
    unresolved: FxHashSet<Key>,
    aliases: FxHashMap<Key, Gives>,
    awaitable: FxHashSet<Key>,
    stands_for: Vec<(Key, Key)>,
    made_by: Vec<(Key, Key)>,
}

impl Outlines {
    /// Adds the outline of a file. `module` is the last component of its module's name.
    pub fn add(&mut self, module: &str, outline: Outline) {
        let module = name_key(module);
        for class in outline.classes {
            for base in &class.bases {
                if let Gives::Class(base) | Gives::Foreign(_, base) = base {
                    self.subclasses.entry(*base).or_default().push(class.name);
                }
            }
            self.classes.entry(class.name).or_default().push(class);
        }
        for function in outline.functions {
            *self.identities.entry(function.name).or_insert(true) &= function.is_identity;
            self.functions
                .entry((module, function.name))
                .or_default()
                .push(function);
        }
        for (name, gives) in outline.variables {
            note(&mut self.variables, (module, name), gives);
        }
        for (name, gives) in outline.aliases {
            note(&mut self.aliases, name, gives);
        }
        self.awaitable.extend(outline.awaitable);
        self.open_types.extend(outline.open_types);
        self.stands_for.extend(outline.stands_for);
        self.made_by.extend(outline.made_by);
    }

    /// Adds the names of an outline, and nothing of its classes and functions.
    pub fn add_names(&mut self, outline: Outline) {
        self.awaitable.extend(outline.awaitable);
        self.stands_for.extend(outline.stands_for);
        self.made_by.extend(outline.made_by);
    }

    /// Adds names that may give something awaitable.
    pub fn add_awaitable(&mut self, names: impl IntoIterator<Item = Key>) {
        self.awaitable.extend(names);
    }

    /// Follows names to what they stand for. `stdlib` are the names that are always in sight.
    pub fn link(&mut self, stdlib: &FxHashSet<Key>) {
        self.awaitable.extend(stdlib);
        // Few names are of interest, and few steps lead to them: going over all pairs until nothing
        // is new is cheaper than an index of them.
        loop {
            let known = self.awaitable.len();
            for (name, other) in &self.stands_for {
                for facet in [|key| key, instance_key, iteration_key, context_key] {
                    if self.awaitable.contains(&facet(*other)) {
                        self.awaitable.insert(facet(*name));
                    }
                }
            }
            for (name, other) in &self.made_by {
                if self.awaitable.contains(&instance_key(*other)) {
                    self.awaitable.insert(*name);
                    self.awaitable.insert(instance_key(*name));
                }
                for facet in [iteration_key, context_key] {
                    if self.awaitable.contains(&facet(*other)) {
                        self.awaitable.insert(facet(*name));
                    }
                }
            }
            if self.awaitable.len() == known {
                break;
            }
        }
        self.stands_for = Vec::new();
        self.made_by = Vec::new();
    }

    /// Whether something with this name may give something awaitable.
    pub fn may_be_awaitable(&self, name: Key) -> bool {
        self.awaitable.contains(&name)
    }

    /// What a type stands for, if it is an alias of another one.
    pub fn resolved(&self, gives: &Gives) -> Gives {
        match gives {
            Gives::Foreign(root, _) if self.unresolved.contains(root) => Gives::Unknown,
            Gives::Class(name) | Gives::Foreign(_, name) => match self.aliases.get(name) {
                Some(alias) if !self.classes.contains_key(name) => *alias,
                _ => Gives::Class(*name),
            },
            _ => *gives,
        }
    }

    /// Takes note of a package that the type engine does not find.
    pub fn add_unresolved(&mut self, package: &str) {
        self.unresolved.insert(name_key(package));
    }

    /// Whether the type engine does not find a package.
    pub fn is_unresolved(&self, package: &str) -> bool {
        self.unresolved.contains(&name_key(package))
    }

    /// Whether calling an instance of the class may give something awaitable.
    pub fn is_callable_coroutine(&self, class: Key) -> bool {
        self.awaitable.contains(&instance_key(class))
    }

    /// What a call of the function `name`, at the top level of a module whose last component is
    /// `module`, gives; for a class, an instance.
    pub fn call(&self, module: &str, name: &str) -> Gives {
        let name = name_key(name);
        let Some(functions) = self.functions.get(&(name_key(module), name)) else {
            if self.classes.contains_key(&name) {
                return Gives::Class(name);
            }
            return match self.variables.get(&(name_key(module), name)) {
                Some(Gives::PlainFunction) => Gives::Plain,
                _ => Gives::Open,
            };
        };
        functions
            .iter()
            .map(|function| self.called(function))
            .reduce(Gives::or)
            .unwrap_or(Gives::Open)
    }

    /// What awaiting a call of the method `name` of an instance of `class` gives.
    pub fn awaited_method(&self, class: Key, name: &str) -> Gives {
        let name = name_key(name);
        let classes = self.classes.get(&class).into_iter().flatten();
        classes
            .flat_map(|class| &class.methods)
            .filter(|method| method.name == name && method.decorators.is_empty())
            .map(|method| self.resolved(&method.result))
            .reduce(Gives::or)
            .unwrap_or(Gives::Open)
    }

    /// What the variable `name`, at the top level of a module whose last component is `module`, is.
    pub fn variable(&self, module: &str, name: &str) -> Gives {
        self.variables
            .get(&(name_key(module), name_key(name)))
            .map_or(Gives::Open, |gives| self.resolved(gives))
    }

    /// What a call of the method `name` of an instance of `class` gives.
    pub fn method(&self, class: Key, name: &str) -> Gives {
        let name = name_key(name);
        if !self.classes.contains_key(&class) {
            return Gives::Open;
        }
        let gives = self
            .method_of(class, name, &mut FxHashSet::default())
            .unwrap_or(Gives::Plain);
        // The value may be of a subclass, and the code around may have made sure of that.
        if gives != Gives::Coroutine && self.is_overridden_otherwise(class, name) {
            return Gives::Open;
        }
        gives
    }

    /// `None` where no class of that name in the project has the method.
    fn method_of(&self, class: Key, name: Key, seen: &mut FxHashSet<Key>) -> Option<Gives> {
        // Many classes may share a name, with their base among them.
        if !seen.insert(class) {
            return None;
        }
        let mut found: Option<Gives> = None;
        for class in self.classes.get(&class)? {
            let own = class
                .methods
                .iter()
                .rev()
                .find(|method| method.name == name);
            let gives = match own {
                Some(method) if method.is_property => Gives::Open,
                Some(method) => self.called(method),
                None if class.attributes.iter().any(|(key, _)| *key == name) => {
                    let plain = class
                        .attributes
                        .iter()
                        .filter(|(key, _)| *key == name)
                        .all(|(_, gives)| self.resolved(gives) == Gives::PlainFunction);
                    if plain { Gives::Plain } else { Gives::Open }
                }
                None => {
                    let inherited = class
                        .bases
                        .iter()
                        .find_map(|base| match self.resolved(base) {
                            Gives::Class(base) if self.classes.contains_key(&base) => {
                                self.method_of(base, name, seen)
                            }
                            Gives::Plain | Gives::Container => None,
                            Gives::Unknown => Some(Gives::Unknown),
                            _ => Some(Gives::Open),
                        });
                    match inherited {
                        Some(gives) => gives,
                        None if class.has_open_base => Gives::Open,
                        None => continue,
                    }
                }
            };
            found = Some(match found {
                Some(other) => other.or(gives),
                None => gives,
            });
        }
        found
    }

    fn is_overridden_otherwise(&self, class: Key, name: Key) -> bool {
        self.any_subclass(class, &mut |class| {
            class
                .methods
                .iter()
                .any(|method| method.name == name && !self.is_plain(&self.called(method)))
        })
    }

    /// Whether a class that may be a subclass of `class` has a plain method of this name: classes
    /// are told apart by their last names alone, so that none is missed.
    pub fn is_overridden_plainly(&self, class: &str, method: &str) -> bool {
        let method = name_key(method);
        self.any_subclass(name_key(class), &mut |class| {
            class
                .methods
                .iter()
                .any(|other| other.name == method && other.gives != Gives::Coroutine)
        })
    }

    fn any_subclass(&self, class: Key, has: &mut dyn FnMut(&Class) -> bool) -> bool {
        let mut pending = vec![class];
        let mut seen = FxHashSet::default();
        while let Some(class) = pending.pop() {
            for subclass in self.subclasses.get(&class).into_iter().flatten() {
                if !seen.insert(*subclass) {
                    continue;
                }
                if self
                    .classes
                    .get(subclass)
                    .into_iter()
                    .flatten()
                    .any(&mut *has)
                {
                    return true;
                }
                pending.push(*subclass);
            }
        }
        false
    }

    /// What the attribute `name` of an instance of `class` is.
    pub fn attribute(&self, class: Key, name: &str) -> Gives {
        self.attribute_of(class, name_key(name), &mut FxHashSet::default())
            .map_or(Gives::Open, |gives| self.resolved(&gives))
    }

    fn attribute_of(&self, class: Key, name: Key, seen: &mut FxHashSet<Key>) -> Option<Gives> {
        // Many classes may share a name, with their base among them.
        if !seen.insert(class) {
            return None;
        }
        let mut found: Option<Gives> = None;
        for class in self.classes.get(&class)? {
            let own = class
                .attributes
                .iter()
                .filter(|(key, _)| *key == name)
                .map(|(_, gives)| *gives)
                .chain(
                    class
                        .methods
                        .iter()
                        .filter(|method| method.name == name)
                        .map(|method| {
                            if method.is_property {
                                self.called(method)
                            } else {
                                Gives::Open
                            }
                        }),
                )
                .reduce(Gives::or);
            let Some(gives) = own.or_else(|| {
                class
                    .bases
                    .iter()
                    .find_map(|base| match self.resolved(base) {
                        Gives::Class(base) => self.attribute_of(base, name, seen),
                        Gives::Unknown => Some(Gives::Unknown),
                        _ => None,
                    })
            }) else {
                continue;
            };
            found = Some(match found {
                Some(other) => other.or(gives),
                None => gives,
            });
        }
        found
    }

    fn called(&self, function: &Function) -> Gives {
        let transparent = function
            .decorators
            .iter()
            .all(|decorator| self.identities.get(decorator) == Some(&true));
        if !transparent {
            return Gives::Open;
        }
        let open = function
            .returned
            .iter()
            .any(|call| *call == 0 || self.awaitable.contains(call));
        match &function.gives {
            Gives::Open if !function.returned.is_empty() && !open => Gives::Plain,
            gives => self.resolved(gives),
        }
    }

    /// Whether a value is plainly nothing that can be awaited.
    pub fn is_plain(&self, gives: &Gives) -> bool {
        match gives {
            Gives::Plain | Gives::PlainFunction | Gives::Container | Gives::Unknown => true,
            Gives::Class(class) => {
                !self.open_types.contains(class)
                    && self.is_plain_class(*class, &mut FxHashSet::default())
            }
            Gives::Coroutine | Gives::Foreign(..) | Gives::Open => false,
        }
    }

    fn is_plain_class(&self, class: Key, seen: &mut FxHashSet<Key>) -> bool {
        if !seen.insert(class) {
            return true;
        }
        self.classes.get(&class).is_some_and(|classes| {
            classes.iter().all(|class| {
                !class.has_open_base
                    && class.bases.iter().all(|base| match self.resolved(base) {
                        Gives::Class(base) => self.is_plain_class(base, seen),
                        base => self.is_plain(&base),
                    })
            })
        })
    }
}
