//! What the type engine says of an expression: the answer that comes last.

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::{self as ast, Expr, Stmt};
use ty_module_resolver::file_to_module;
use ty_python_core::definition::Definition;
use ty_python_core::scope::{FileScopeId, NodeWithScopeKind};
use ty_python_semantic::HasType;
use ty_python_semantic::types::Type;
use ty_python_semantic::types::TypeDefinition;

use crate::infer::{budget, literal_class};
use crate::limits::{BASES, Limit};
use crate::resolve::bindings::Origin;
use crate::resolve::definitions::{Class, RECORDS, defines};
use crate::resolve::functions::only_raises;
use crate::resolve::semantics::Semantics;

/// What awaiting a value would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaitability {
    /// It is a coroutine: nothing happens unless it is awaited or given to a loop.
    Coroutine,
    /// It can be awaited, and may run by itself.
    Awaitable,
    /// It is a task or future, which runs by itself.
    Running,
    /// It may be a coroutine, and may be something else.
    Mixed,
    /// It is no coroutine.
    No,
    /// The type engine cannot tell.
    Unknown,
}

impl Awaitability {
    /// What is known of a value that is the one or the other.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (one, two) if one == two => one,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::No | Self::Running, Self::No | Self::Running) => Self::No,
            _ => Self::Mixed,
        }
    }
}

/// What is known about the class of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassOf {
    /// An instance of the class with this dotted path.
    Known(String),
    /// A function, a module, a class, a literal: known, but no instance of a nominal class.
    Other,
    /// The type engine cannot tell, or it depends.
    Unknown,
}

impl<'db> Semantics<'db> {
    /// The type of an expression, where it is in sight, or the function around it can be inferred in
    /// good time.
    pub fn type_of<'e>(&self, expr: impl Into<ast::ExprRef<'e>>) -> Option<Type<'db>> {
        let expr = expr.into();
        if let Some(ty) = self.type_in_sight(expr) {
            return Some(ty);
        }
        if self.is_unknown(expr) {
            return Some(Type::unknown());
        }
        if let Some(ty) = self.type_of_parameter(expr) {
            return Some(ty);
        }
        if self.is_endless(expr) {
            None
        } else {
            expr.inferred_type(&self.model)
        }
    }

    /// Whether the code around an expression has conditions with which the type engine may not come
    /// to an end: those of its function, and of the functions and the module around that, whose
    /// names it sees.
    pub(crate) fn is_endless(&self, expr: ast::ExprRef<'_>) -> bool {
        self.scope_of(expr)
            .is_some_and(|scope| self.is_endless_scope(scope))
    }

    fn is_endless_scope(&self, scope: FileScopeId) -> bool {
        if let Some(known) = self.endless.borrow().get(&scope) {
            return *known;
        }
        let node = self.index().scope(scope);
        let body = match node.node() {
            NodeWithScopeKind::Module => Some(self.module.syntax().body.as_slice()),
            NodeWithScopeKind::Function(function) => {
                Some(function.node(&self.module).body.as_slice())
            }
            // Classes and comprehensions are inferred with what is around them.
            _ => None,
        };
        let own =
            body.is_some_and(|body| budget::is_endless(body, self.index().place_table(scope)));
        let is_endless = own
            || node
                .parent()
                .is_some_and(|parent| self.is_endless_scope(parent));
        self.endless.borrow_mut().insert(scope, is_endless);
        is_endless
    }

    /// The dotted path of the class that the value of `expr` is an instance of, such as
    /// `threading.Lock`.
    pub fn class_of(&self, expr: &Expr) -> ClassOf {
        let env = self.model.program_environment();
        if let Some(path) = self.class_path_in_sight(expr) {
            return ClassOf::Known(path);
        }
        match self.type_of(expr) {
            Some(Type::NominalInstance(instance)) => {
                let name = instance.class_name(self.db(), &env);
                match instance.class_module_name(self.db(), &env) {
                    Some(module) => ClassOf::Known(format!("{module}.{name}")),
                    None => ClassOf::Known(name.to_string()),
                }
            }
            None
            | Some(
                Type::Dynamic(_)
                | Type::Divergent(_)
                | Type::Union(_)
                | Type::Intersection(_)
                | Type::TypeVar(_)
                | Type::Never,
            ) => ClassOf::Unknown,
            Some(_) => ClassOf::Other,
        }
    }

    /// The same, where that can be told without types.
    pub fn class_path_in_sight(&self, expr: &Expr) -> Option<String> {
        self.class_in_sight(expr)
            .map(|class| self.path_of_class(class))
    }

    /// The dotted paths of the class that the value of `expr` is an instance of and of its bases, up
    /// to the first one that defines `method`. Empty where the class is not known.
    pub(crate) fn classes_up_to(&self, expr: &Expr, method: &str) -> Vec<String> {
        let mut paths = Vec::new();
        let class = match self.class_of_receiver(expr) {
            Some(class) => self.index().try_definition(class),
            None => self
                .instance_class(expr)
                .or_else(|| self.narrowed_class(expr)),
        };
        if let Some(class) = class {
            self.add_classes_up_to(class, method, BASES, &mut paths);
        }
        paths
    }

    /// The class of a value of which a test said something more: `if path:` makes a `Path` one that
    /// is not false.
    fn narrowed_class(&self, expr: &Expr) -> Option<Definition<'db>> {
        let Some(Type::Intersection(intersection)) = self.type_of(expr) else {
            return None;
        };
        let mut parts = intersection.iter_positive(self.db());
        let first = parts.next()?;
        match (first, parts.next()) {
            (Type::NominalInstance(_), None) => self.class_definition(first),
            _ => None,
        }
    }

    /// Whether the way up ends at `class` or above it.
    fn add_classes_up_to(
        &self,
        class: Definition<'db>,
        method: &str,
        depth: Limit,
        paths: &mut Vec<String>,
    ) -> bool {
        let (Some(depth), Some(known)) = (depth.less(), Class::of(self, class)) else {
            return true;
        };
        paths.push(self.path_of_class(class));
        let node = known.node();
        let own = node.body.iter().any(|statement| defines(statement, method));
        own || known.rebinds(method)
            || known
                .base_classes()
                .any(|base| known.own.add_classes_up_to(base, method, depth, paths))
    }

    /// The last names of the classes that the value of `expr` may be an instance of, as far as they are
    /// known.
    pub(crate) fn class_names_of(&self, expr: &Expr) -> Vec<String> {
        let classes = self.classes_of(expr).into_iter();
        classes.filter_map(|class| class.name(self.db())).collect()
    }

    /// The classes that the value of `expr` may be an instance of, as far as they are known.
    pub(crate) fn classes_of(&self, expr: &Expr) -> Vec<Definition<'db>> {
        if let Some(class) = self.class_of_receiver(expr) {
            return self.index().try_definition(class).into_iter().collect();
        }
        if let Some(class) = self.class_in_sight(expr) {
            return vec![class];
        }
        let known = self.type_of(expr).map(|ty| self.classes_in(ty));
        known
            .filter(|known| !known.is_empty())
            .unwrap_or_else(|| self.classes_said(expr))
    }

    /// The classes that a value of this type may be an instance of, as far as they are known.
    fn classes_in(&self, ty: Type<'db>) -> Vec<Definition<'db>> {
        let db = self.db();
        match ty {
            Type::Union(union) => {
                let parts = union.elements(db).iter();
                parts.flat_map(|part| self.classes_in(*part)).collect()
            }
            Type::Intersection(intersection) => {
                let parts = intersection.iter_positive(db);
                parts.flat_map(|part| self.classes_in(part)).collect()
            }
            Type::TypeAlias(alias) => self.classes_in(alias.value_type(db)),
            Type::NominalInstance(_) | Type::ProtocolInstance(_) => {
                self.class_definition(ty).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether what is put in the place of a coroutine function is one as well.
    pub(crate) fn is_one_more_coroutine_function(&self, value: &Expr) -> bool {
        // The object that has it may be of a class with another one.
        if let Expr::Attribute(standin) = value
            && let Some(class) = self.class_of_callee(standin)
        {
            self.note_kept(class, &standin.attr);
        }
        let awaitability = || {
            let function = self.function(value)?;
            let own = self.of_function(&function);
            own.awaitability_of_function(function.node(self.db())?)
        };
        self.is_coroutine_function(value) || awaitability() == Some(Awaitability::Coroutine)
    }

    /// Whether the class of the value of `receiver`, or a base of it, assigns something else to the
    /// name of a method, in its body or on its instances. The type engine goes by the `def`.
    pub fn is_rebound(&self, receiver: &Expr, method: &str) -> bool {
        self.class_in_sight(receiver)
            .or_else(|| {
                self.type_of(receiver)
                    .and_then(|ty| self.class_definition(ty))
            })
            .is_some_and(|class| {
                self.class_defines(class, method, BASES) && self.class_rebinds(class, method, BASES)
            })
    }

    /// Whether a class, or one above it, has a method of this name.
    fn class_defines(&self, class: Definition<'db>, method: &str, depth: Limit) -> bool {
        let (Some(depth), Some(known)) = (depth.less(), Class::of(self, class)) else {
            return true;
        };
        let mut body = known.node().body.iter();
        body.any(|statement| {
            matches!(statement, Stmt::FunctionDef(function) if function.name.as_str() == method)
        }) || known
            .base_classes()
            .any(|base| known.own.class_defines(base, method, depth))
    }

    fn class_rebinds(&self, class: Definition<'db>, method: &str, depth: Limit) -> bool {
        let (Some(depth), Some(known)) = (depth.less(), Class::of(self, class)) else {
            return false;
        };
        known.rebinds_otherwise(method)
            || known
                .base_classes()
                .any(|base| known.own.class_rebinds(base, method, depth))
    }

    /// The class that an expression behind the name of a class stands for.
    pub(crate) fn class_of_base(&self, base: &Expr) -> Option<Definition<'db>> {
        if self.means(base, &RECORDS) {
            return None;
        }
        self.base_in_sight(base)
            .or_else(|| self.type_of(base).and_then(|ty| self.class_definition(ty)))
    }

    /// What awaiting the value of `expr` would mean, as far as its type tells.
    pub fn awaitability(&self, expr: ast::ExprRef<'_>) -> Awaitability {
        self.type_of(expr)
            .map_or(Awaitability::Unknown, |ty| self.awaitability_of(ty))
    }

    fn awaitability_of(&self, ty: Type<'db>) -> Awaitability {
        let db = self.db();
        match ty {
            Type::NominalInstance(_) | Type::ProtocolInstance(_) => self
                .class_definition(ty)
                .map_or(Awaitability::Unknown, |class| {
                    self.awaitability_of_class(class, BASES)
                }),
            Type::Union(union) => union
                .elements(db)
                .iter()
                .map(|element| self.awaitability_of(*element))
                .reduce(Awaitability::or)
                .unwrap_or(Awaitability::Unknown),
            Type::TypeAlias(alias) => self.awaitability_of(alias.value_type(db)),
            // What a test says of a value of which nothing else is known, it is.
            Type::Intersection(intersection) => {
                let mut known = intersection
                    .iter_positive(db)
                    .filter(|part| !matches!(part, Type::Dynamic(_)));
                match (known.next(), known.next()) {
                    (Some(part), None) if intersection.iter_positive(db).count() > 1 => {
                        self.awaitability_of(part)
                    }
                    _ => Awaitability::Unknown,
                }
            }
            Type::Dynamic(_) | Type::Divergent(_) | Type::Never | Type::TypeVar(_) => {
                Awaitability::Unknown
            }
            _ => Awaitability::No,
        }
    }

    pub(crate) fn class_definition(&self, ty: Type<'db>) -> Option<Definition<'db>> {
        match ty.definition(self.db(), &self.model.program_environment())? {
            TypeDefinition::StaticClass(definition) => Some(definition),
            _ => None,
        }
    }

    pub(crate) fn awaitability_of_class(
        &self,
        class: Definition<'db>,
        depth: Limit,
    ) -> Awaitability {
        let db = self.db();
        let program_file = class.program_file(db);
        let module = file_to_module(db, program_file.resolver_file(db))
            .map(|module| module.name(db).to_string())
            .unwrap_or_default();
        let name = class.name(db).unwrap_or_default();
        match (module.as_str(), name.as_str()) {
            ("types", "CoroutineType")
            | ("typing" | "collections.abc" | "_collections_abc", "Coroutine") => {
                return Awaitability::Coroutine;
            }
            ("typing" | "collections.abc" | "_collections_abc", "Awaitable") => {
                return Awaitability::Awaitable;
            }
            ("asyncio.futures" | "asyncio.tasks" | "_asyncio", "Future" | "Task") => {
                return Awaitability::Running;
            }
            _ => {}
        }
        // A class that says it is a coroutine, as aiohttp's requests do, has not started; one that
        // only has `__await__` may well have.
        let (Some(depth), Some(known)) = (depth.less(), Class::of(self, class)) else {
            return Awaitability::No;
        };
        let is_coroutine = known
            .base_classes()
            .any(|base| known.own.awaitability_of_class(base, depth) == Awaitability::Coroutine);
        if is_coroutine {
            Awaitability::Coroutine
        } else {
            Awaitability::No
        }
    }

    /// Whether the class of the value of `expr` has the method `asynchronous` and plainly has no
    /// usable method `plain`: none at all, or one that only raises to tell people.
    pub fn is_only_asynchronous(&self, expr: &Expr, asynchronous: &str, plain: &str) -> bool {
        if self.is_written_out(expr) {
            return false;
        }
        let classes = match self.instance_class(expr) {
            Some(class) => vec![class],
            // Of a union, each of them.
            None => self.classes_said(expr),
        };
        !classes.is_empty()
            && classes
                .into_iter()
                .all(|class| self.class_is_only_asynchronous(class, asynchronous, plain))
    }

    /// Whether one of the values that an expression may have is a literal or a display.
    fn is_written_out(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.origins(name).iter().any(|origin| match origin {
                Origin::Value(value) => !value.is_name_expr() && self.is_written_out(value),
                Origin::Annotation(_) | Origin::Unknown => false,
            }),
            Expr::BoolOp(either) => either.values.iter().any(|value| self.is_written_out(value)),
            Expr::If(either) => {
                self.is_written_out(&either.body) || self.is_written_out(&either.orelse)
            }
            expr => expr.is_literal_expr() || literal_class(expr).is_some(),
        }
    }

    /// The same for the value of a call of the method `method` of what entering `manager`
    /// asynchronously gives. Where a plain `with` enters it, its target has no type.
    pub fn gives_only_asynchronous_manager(&self, manager: &Expr, method: &str) -> bool {
        self.instance_class(manager)
            .and_then(|class| self.result_class(class, "__aenter__", BASES))
            .and_then(|entered| self.result_class(entered, method, BASES))
            .is_some_and(|class| self.class_is_only_asynchronous(class, "__aenter__", "__enter__"))
    }

    fn class_is_only_asynchronous(
        &self,
        class: Definition<'db>,
        asynchronous: &str,
        plain: &str,
    ) -> bool {
        // What has `__getitem__` can be iterated plainly as well (Python's glossary, "iterable").
        let has_not = |name: &str| self.class_has(class, name, BASES) == Some(false);
        self.class_has(class, asynchronous, BASES) == Some(true)
            && has_not(plain)
            && (plain != "__iter__" || has_not("__getitem__"))
    }

    /// The class that the value of `expr` is an instance of.
    pub fn instance_class(&self, expr: &Expr) -> Option<Definition<'db>> {
        if let Some(class) = self.class_in_sight(expr) {
            return Some(class);
        }
        let ty = match self.type_of(expr)? {
            Type::TypeAlias(alias) => alias.value_type(self.db()),
            ty => ty,
        };
        match ty {
            Type::NominalInstance(_) | Type::ProtocolInstance(_) => self.class_definition(ty),
            _ => None,
        }
    }

    /// The class that the annotation of a method of `class`, or of a base of it, says it gives.
    fn result_class(
        &self,
        class: Definition<'db>,
        method: &str,
        depth: Limit,
    ) -> Option<Definition<'db>> {
        let depth = depth.less()?;
        let known = Class::of(self, class)?;
        let mut body = known.node().body.iter();
        let own = body.find_map(|statement| match statement {
            Stmt::FunctionDef(function) if function.name.as_str() == method => Some(function),
            _ => None,
        });
        match own {
            Some(function) => {
                let annotation = function.returns.as_deref()?;
                if last_name(annotation) == Some("Self") {
                    Some(class)
                } else {
                    known.own.class_of_base(annotation)
                }
            }
            None => known
                .base_classes()
                .find_map(|base| known.own.result_class(base, method, depth)),
        }
    }

    /// Whether a class, or a base of it, has a method that does more than raise. `None` where a base
    /// is not known.
    fn class_has(&self, class: Definition<'db>, method: &str, depth: Limit) -> Option<bool> {
        let depth = depth.less()?;
        let known = Class::of(self, class)?;
        let node = known.node();
        if known.rebinds(method) || known.rebinds("__getattr__") {
            return None;
        }
        let own = node
            .body
            .iter()
            .rev()
            .find_map(|statement| match statement {
                Stmt::FunctionDef(function) if function.name.as_str() == method => Some(function),
                _ => None,
            });
        if let Some(function) = own {
            return Some(!only_raises(function));
        }
        // A branch on the version or platform may define it.
        let mut branches = node.body.iter().filter(|statement| statement.is_if_stmt());
        if branches.any(|branch| defines(branch, method)) {
            return None;
        }
        for base in known.bases() {
            let definition = match (known.own.class_of_base(base), last_name(base)) {
                (Some(definition), _) => definition,
                // In the module that has them, these are special forms, and no classes.
                (None, Some("Generic" | "Protocol")) => continue,
                (None, _) => return None,
            };
            if known.own.class_has(definition, method, depth)? {
                return Some(true);
            }
        }
        Some(false)
    }
}
