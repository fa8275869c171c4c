//! What names, attributes and values mean, asked of the type engine's index of one file.
//!
//! Names are never compared as text: a name means the bindings that can reach its use. Where a
//! binding cannot be seen (written through `global` elsewhere, deleted, captured by `match`), the
//! answer is "unknown", and a codemod keeps its hands off.

use std::cell::{OnceCell, RefCell};

use asyncfix_knowledge::stubs::{STUB_ROOT, STUBS};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, suites_in};
use ruff_db::files::system_path_to_file;
use ruff_db::parsed::{ParsedModuleRef, parsed_module};
use ruff_db::source::{SourceText, source_text};
use ruff_db::system::SystemPath;
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_python_stdlib::sys::is_known_standard_library;
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};
use ty_module_resolver::{SearchPath, file_to_module};
use ty_python_core::ast_ids::HasScopedUseId;
use ty_python_core::ast_node_ref::AstNodeRef;
use ty_python_core::definition::{
    Definition, DefinitionKind, DefinitionState, ParameterDefinitionNodeKind,
};
use ty_python_core::place::PlaceExprRef;
use ty_python_core::scope::{FileScopeId, NodeWithScopeKind, NodeWithScopeRef};
use ty_python_core::{
    BindingWithConstraintsIterator, EnclosingSnapshotResult, ProgramFile, SemanticIndex,
    semantic_index,
};
use ty_python_semantic::types::Type;
use ty_python_semantic::types::TypeDefinition;
use ty_python_semantic::{
    Db, HasType, ImportAliasResolution, ResolvedDefinition, SemanticModel,
    definitions_for_attribute, definitions_for_name,
};

use crate::facts::key::{Key, name_key};
use crate::facts::spelling::{ALIAS_DEPTH, Explained, Names, Spellings};
use crate::facts::value_flow::Place;
use crate::index::project::{Import, for_each_import};
use crate::infer::{budget, literal_class, versions};

/// How many base classes up a method is looked for.
pub const BASES: usize = 8;

/// The semantics of one file.
pub struct Semantics<'db> {
    model: SemanticModel<'db>,
    file: ProgramFile<'db>,
    /// Built when the first question comes that the tree alone does not answer.
    index: OnceCell<&'db SemanticIndex<'db>>,
    spellings: OnceCell<&'db Spellings>,
    names: OnceCell<&'db Names>,
    /// In which scopes the type engine may not come to an end.
    endless: RefCell<FxHashMap<FileScopeId, bool>>,
    module: ParsedModuleRef,
}

/// The names of a file. Some files are asked about for most others, and so it is kept.
#[salsa::tracked(returns(ref), no_eq)]
fn names_of<'db>(db: &'db dyn Db, file: ProgramFile<'db>) -> Names {
    Names::of(parsed_module(db, file.python_file(db)).load(db).syntax())
}

/// The spellings of a file.
#[salsa::tracked(returns(ref), no_eq)]
fn spellings_of<'db>(db: &'db dyn Db, file: ProgramFile<'db>) -> Spellings {
    Spellings::of(parsed_module(db, file.python_file(db)).load(db).syntax())
}

/// A function of the project or of a stub, found through a call.
pub struct Function<'db> {
    /// The definition in the type engine's terms.
    pub definition: Definition<'db>,
    module: ParsedModuleRef,
}

impl<'db> Function<'db> {
    /// The function that a definition is one of, wherever it stands.
    pub(crate) fn of(db: &'db dyn Db, definition: Definition<'db>) -> Option<Self> {
        let is_one = definition.kind(db).is_function_def();
        is_one.then(|| Self {
            definition,
            module: parsed_module(db, definition.python_file(db)).load(db),
        })
    }

    /// The definition in the type engine's terms.
    pub fn definition(&self) -> Definition<'db> {
        self.definition
    }

    /// The semantics of the file it stands in.
    pub(crate) fn semantics(&self, db: &'db dyn Db) -> Semantics<'db> {
        Semantics::new(db, self.definition.program_file(db), self.module.clone())
    }

    /// The function's node, in the file it is defined in.
    pub fn node<'a>(&'a self, db: &'a dyn Db) -> Option<&'a ast::StmtFunctionDef> {
        match self.definition.kind(db) {
            DefinitionKind::Function(node) => Some(node.node(&self.module)),
            _ => None,
        }
    }
}

/// What makes a class a record, and is no class itself.
const RECORDS: [&str; 3] = [
    "typing.TypedDict",
    "typing_extensions.TypedDict",
    "typing.NamedTuple",
];

/// A class of the project or of a stub, with the semantics of the file it stands in.
pub struct Class<'db> {
    /// Where it is defined.
    pub definition: Definition<'db>,
    node: &'db AstNodeRef<ast::StmtClassDef>,
    /// The semantics of its file.
    pub own: Semantics<'db>,
}

/// The keys of the names that the body of a class assigns to, and of the attributes of variables that something in
/// it gives a value: some classes are thousands of lines long, and they are asked for one name after the other.
#[derive(Debug, Default)]
struct Assigned {
    in_body: FxHashSet<Key>,
    to_instances: FxHashSet<Key>,
}

#[salsa::tracked(returns(ref), no_eq)]
fn assigned_in<'db>(db: &'db dyn Db, definition: Definition<'db>) -> Assigned {
    let mut assigned = Assigned::default();
    let Some(class) = Class::of(db, definition) else {
        return assigned;
    };
    for statement in &class.node().body {
        if let Stmt::Assign(assign) = statement {
            let names = assign.targets.iter().filter_map(Expr::as_name_expr);
            assigned
                .in_body
                .extend(names.map(|name| name_key(&name.id)));
        }
    }
    assigned.visit_body(&class.node().body);
    assigned
}

impl<'a> SourceOrderVisitor<'a> for Assigned {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let targets = match node {
            AnyNodeRef::StmtAssign(assign) => assign.targets.as_slice(),
            AnyNodeRef::StmtAnnAssign(assign) if assign.value.is_some() => {
                std::slice::from_ref(&*assign.target)
            }
            _ => return TraversalSignal::Traverse,
        };
        let attributes = targets
            .iter()
            .filter_map(Expr::as_attribute_expr)
            .filter(|target| target.value.is_name_expr());
        self.to_instances
            .extend(attributes.map(|target| name_key(&target.attr)));
        TraversalSignal::Skip
    }
}

impl<'db> Class<'db> {
    /// The class that `definition` is one of, whatever file it stands in.
    pub fn of(db: &'db dyn Db, definition: Definition<'db>) -> Option<Self> {
        let DefinitionKind::Class(node) = definition.kind(db) else {
            return None;
        };
        let own = Semantics::of_definition(db, definition);
        Some(Self {
            definition,
            node,
            own,
        })
    }

    /// Whether the class assigns to a name in its body, or to the attribute of that name of an instance.
    pub(crate) fn rebinds(&self, name: &str) -> bool {
        let assigned = assigned_in(self.own.db(), self.definition);
        let key = name_key(name);
        assigned.in_body.contains(&key) || assigned.to_instances.contains(&key)
    }

    /// Whether the class puts something else in the place of a method. One coroutine function in the place of
    /// another one makes no difference.
    pub(crate) fn rebinds_otherwise(&self, method: &str) -> bool {
        let assigned = assigned_in(self.own.db(), self.definition);
        let key = name_key(method);
        let own = &self.own;
        assigned.in_body.contains(&key)
            || assigned.to_instances.contains(&key)
                && instance_values(self.node(), method)
                    .iter()
                    .any(|value| !own.is_one_more_coroutine_function(value))
    }

    /// The statement.
    pub fn node(&self) -> &ast::StmtClassDef {
        self.node.node(&self.own.module)
    }

    /// The semantics of the file it stands in.
    pub(crate) fn semantics(&self) -> &Semantics<'db> {
        &self.own
    }

    /// What it says it inherits from, without what is in brackets, but for what only says something to
    /// type checkers.
    pub fn bases(&self) -> impl Iterator<Item = &Expr> {
        const SILENT: [&str; 5] = [
            "typing.Generic",
            "typing_extensions.Generic",
            "typing.Protocol",
            "typing_extensions.Protocol",
            "abc.ABC",
        ];
        let bases = self.node().bases().iter().map(|base| match base {
            Expr::Subscript(subscript) => &*subscript.value,
            other => other,
        });
        // The module that has them does not import them.
        let is_special = |base: &Expr| {
            matches!(base, Expr::Name(name) if matches!(name.id.as_str(), "Generic" | "Protocol"))
                && self.own.module_name().as_deref() == Some("typing")
        };
        bases.filter(move |base| !self.own.means(base, &SILENT) && !is_special(base))
    }

    /// The classes it inherits from, as far as they are known.
    pub fn base_classes(&self) -> impl Iterator<Item = Definition<'db>> {
        self.bases().filter_map(|base| self.own.class_of_base(base))
    }
}

impl<'db> Semantics<'db> {
    /// The semantics of `file`. `module` is the parsed module of the same file and revision.
    pub fn new(db: &'db dyn Db, file: ProgramFile<'db>, module: ParsedModuleRef) -> Self {
        Self {
            model: SemanticModel::new(db, file),
            file,
            index: OnceCell::new(),
            spellings: OnceCell::new(),
            names: OnceCell::new(),
            endless: RefCell::default(),
            module,
        }
    }

    /// The scopes and bindings of the file.
    pub fn index(&self) -> &'db SemanticIndex<'db> {
        self.index
            .get_or_init(|| semantic_index(self.db(), self.file))
    }

    /// Whether `expr` stands for one of `paths`, each a dotted path such as `asyncio.gather`.
    ///
    /// The same answer as [`Self::qualified_name`] gives, but without a look at bindings where the
    /// spelling already rules it out.
    pub fn means(&self, expr: &Expr, paths: &[&str]) -> bool {
        self.spellings().allow(expr, paths)
            && self
                .qualified_name(expr)
                .is_some_and(|path| paths.contains(&path.as_str()))
    }

    /// The names of the file, for answers that need no index.
    pub(crate) fn names(&self) -> &'db Names {
        self.names.get_or_init(|| names_of(self.db(), self.file))
    }

    /// How the file writes what it imports.
    pub fn spellings(&self) -> &'db Spellings {
        self.spellings
            .get_or_init(|| spellings_of(self.db(), self.file))
    }

    /// The database behind the answers.
    pub fn db(&self) -> &'db dyn Db {
        self.model.db()
    }

    /// The dotted path by which the value of `expr` can be imported, such as `asyncio.gather` or
    /// `builtins.open`, when every binding that can reach it agrees.
    ///
    /// Follows `import`, `from … import`, star imports, aliases of both, and plain assignments of
    /// such a value. Names bound nowhere in the file are builtins. `None` for anything else.
    pub fn qualified_name(&self, expr: &Expr) -> Option<String> {
        self.qualified_name_to(expr, ALIAS_DEPTH)
    }

    fn qualified_name_to(&self, expr: &Expr, depth: usize) -> Option<String> {
        match expr {
            Expr::Name(name) => {
                match self.names().explained(&name.id) {
                    Some(Explained::Import(path)) => return Some(path.to_owned()),
                    Some(Explained::Builtin) => return Some(path_of_unbound(&name.id)),
                    None => {}
                }
                let definitions = self.bindings(name)?;
                let mut found: Option<String> = None;
                for definition in &definitions {
                    let path = self.path_of(*definition, depth)?;
                    if found.as_ref().is_some_and(|other| *other != path) {
                        return None;
                    }
                    found = Some(path);
                }
                found.or_else(|| {
                    definitions
                        .is_empty()
                        .then(|| format!("builtins.{}", name.id))
                })
            }
            Expr::Attribute(attribute) => {
                let base = self.qualified_name_to(&attribute.value, depth)?;
                Some(format!("{base}.{}", attribute.attr))
            }
            Expr::Named(named) => self.qualified_name_to(&named.value, depth),
            _ => None,
        }
    }

    /// Like [`Self::qualified_name`], for code in `scope` that would use `name`.
    pub fn qualified_name_in(&self, name: &str, scope: FileScopeId) -> Option<String> {
        let definitions = self.lookup(name, scope)?;
        let mut paths = definitions
            .iter()
            .map(|definition| self.path_of(*definition, ALIAS_DEPTH));
        match paths.next() {
            None if self.is_bound_nowhere(name) => Some(path_of_unbound(name)),
            None => Some(format!("builtins.{name}")),
            Some(first) => first.filter(|first| paths.all(|path| path.as_ref() == Some(first))),
        }
    }

    /// Whether an expression plainly names a module: `os.path`.
    pub fn is_module(&self, expr: &Expr) -> bool {
        self.qualified_name(expr)
            .is_some_and(|path| self.model.resolve_module(Some(&path), 0).is_some())
    }

    /// Whether a module is found among the files of the project, and not in what is installed or in stubs.
    pub fn is_first_party(&self, module: &str) -> bool {
        let module = self.model.resolve_module(Some(module), 0);
        module
            .and_then(|module| module.search_path(self.db()))
            .is_some_and(SearchPath::is_first_party)
    }

    /// Whether a definition is one of this file.
    pub fn is_here(&self, definition: Definition<'db>) -> bool {
        definition.program_file(self.db()) == self.file
    }

    fn path_of(&self, definition: Definition<'db>, depth: usize) -> Option<String> {
        match definition.kind(self.db()) {
            DefinitionKind::Import(import) => {
                let alias = import.alias(&self.module);
                Some(match &alias.asname {
                    Some(_) => alias.name.to_string(),
                    None => alias.name.split('.').next()?.to_owned(),
                })
            }
            DefinitionKind::ImportFrom(import) => {
                let alias = import.alias(&self.module);
                Some(format!(
                    "{}.{}",
                    import_source(import.import(&self.module)),
                    alias.name
                ))
            }
            DefinitionKind::StarImport(import) => Some(format!(
                "{}.{}",
                import_source(import.import(&self.module)),
                self.star_name(definition)?
            )),
            DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                let depth = depth.checked_sub(1)?;
                self.qualified_name_to(assignment.value(&self.module), depth)
            }
            _ => None,
        }
    }

    /// The name that a star import binds.
    fn star_name(&self, definition: Definition<'db>) -> Option<&Name> {
        let table = self.index().place_table(definition.file_scope(self.db()));
        match table.place(definition.place(self.db())) {
            PlaceExprRef::Symbol(symbol) => Some(symbol.name()),
            PlaceExprRef::Member(_) => None,
        }
    }

    /// The bindings that can reach a use of `name`, from the scope it is used in outwards.
    ///
    /// Empty when nothing in the file binds the name; `None` when a binding cannot be seen.
    pub fn bindings(&self, name: &ast::ExprName) -> Option<Vec<Definition<'db>>> {
        // What is only written is no use, and the index has no bindings for it.
        if name.ctx == ast::ExprContext::Store {
            return None;
        }
        let scope = self
            .index()
            .try_expression_scope_id(&ast::ExprRef::from(name))?;
        let own = self.index().place_table(scope).symbol_id(&name.id);
        if let Some(symbol) = own
            && self.index().place_table(scope).symbol(symbol).is_local()
        {
            let use_id = name.scoped_use_id(self.db(), self.file);
            let at_use = self.index().use_def_map(scope).bindings_at_use(use_id);
            let found = self.collect(scope, at_use)?;
            if !found.is_empty() {
                return Some(found);
            }
        }
        self.lookup_outside(&name.id, scope)
    }

    /// Whether a use of a local `name` may find it unbound, as far as the bindings tell: in a loop, it
    /// may then find what an earlier turn has left.
    pub fn may_be_unbound(&self, name: &ast::ExprName) -> bool {
        let Some(scope) = self
            .index()
            .try_expression_scope_id(&ast::ExprRef::from(name))
        else {
            return true;
        };
        let use_def = self.index().use_def_map(scope);
        let use_id = name.scoped_use_id(self.db(), self.file);
        use_def
            .bindings_at_use(use_id)
            .any(|binding| match binding.binding {
                DefinitionState::Defined(definition) => match definition.kind(self.db()) {
                    DefinitionKind::LoopHeader(header) => use_def
                        .loop_header(header.loop_header_id())
                        .bindings_for_place(header.place())
                        .any(|live| {
                            !matches!(
                                use_def.definition(live.binding()),
                                DefinitionState::Defined(_)
                            )
                        }),
                    _ => false,
                },
                DefinitionState::Undefined | DefinitionState::Deleted => true,
            })
    }

    /// Where the value of a use of `name` comes from, one for each binding that can reach it. Empty
    /// when a binding cannot be seen.
    pub fn origins(&self, name: &ast::ExprName) -> Vec<Origin<'_>> {
        self.bindings(name)
            .unwrap_or_default()
            .into_iter()
            .map(|definition| match definition.kind(self.db()) {
                DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                    Origin::Value(assignment.value(&self.module))
                }
                DefinitionKind::AnnotatedAssignment(assignment) => {
                    Origin::Annotation(assignment.annotation(&self.module))
                }
                DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                    match parameter.node(&self.module).annotation() {
                        Some(annotation) => Origin::Annotation(annotation),
                        None => Origin::Unknown,
                    }
                }
                _ => Origin::Unknown,
            })
            .collect()
    }

    /// All that a name is given anywhere in the scope that binds it, and what is joined to it there:
    /// `flags |= socket.AI_NUMERICHOST`.
    pub fn values_in_scope(&self, name: &ast::ExprName) -> Vec<&Expr> {
        self.scope_of(name)
            .and_then(|scope| self.lookup(&name.id, scope))
            .unwrap_or_default()
            .into_iter()
            .filter_map(|definition| match definition.kind(self.db()) {
                DefinitionKind::AugmentedAssignment(assignment) => {
                    Some(&*assignment.node(&self.module).value)
                }
                _ => self.value_bound_by(definition),
            })
            .collect()
    }

    /// What the methods of the class around assign to an attribute of their instance.
    pub fn attribute_values(&self, attribute: &ast::ExprAttribute) -> Vec<&Expr> {
        match self.class_of_receiver(&attribute.value) {
            Some(class) => instance_values(class, &attribute.attr),
            None => Vec::new(),
        }
    }

    /// The bindings that code in `scope` would see under `name`, anywhere in that scope.
    ///
    /// Empty when the name is free; `None` when a binding cannot be seen.
    pub fn lookup(&self, name: &str, scope: FileScopeId) -> Option<Vec<Definition<'db>>> {
        if let Some(symbol) = self.index().place_table(scope).symbol_id(name)
            && self.index().place_table(scope).symbol(symbol).is_local()
        {
            let bindings = self
                .index()
                .use_def_map(scope)
                .reachable_symbol_bindings(symbol);
            let found = self.collect(scope, bindings)?;
            if !found.is_empty() {
                return Some(found);
            }
        }
        self.lookup_outside(name, scope)
    }

    fn lookup_outside(&self, name: &str, from: FileScopeId) -> Option<Vec<Definition<'db>>> {
        let declared_global = |scope: FileScopeId| {
            let table = self.index().place_table(scope);
            table
                .symbol_id(name)
                .is_some_and(|symbol| table.symbol(symbol).is_global())
        };
        let mut skip_to_global = declared_global(from);
        for (scope, _) in self.index().visible_ancestor_scopes(from).skip(1) {
            if skip_to_global && !scope.is_global() {
                continue;
            }
            let table = self.index().place_table(scope);
            let Some(symbol) = table.symbol_id(name) else {
                continue;
            };
            if table.symbol(symbol).is_global() && !scope.is_global() {
                skip_to_global = true;
                continue;
            }
            if !table.symbol(symbol).is_local() {
                continue;
            }
            let snapshot = self.index().enclosing_snapshot(
                scope,
                PlaceExprRef::Symbol(table.symbol(symbol)),
                from,
            );
            let found = match snapshot {
                EnclosingSnapshotResult::FoundBindings(bindings) => {
                    self.collect(scope, bindings)?
                }
                _ => self.collect(
                    scope,
                    self.index()
                        .use_def_map(scope)
                        .reachable_symbol_bindings(symbol),
                )?,
            };
            if !found.is_empty() {
                return Some(found);
            }
        }
        if from.is_global() || !self.is_bound_globally(name) {
            Some(Vec::new())
        } else {
            None
        }
    }

    fn is_bound_globally(&self, name: &str) -> bool {
        self.index()
            .place_table(FileScopeId::global())
            .symbol_by_name(name)
            .is_some_and(ty_python_core::symbol::Symbol::is_bound)
    }

    /// Flattens bindings to definitions people wrote. `None` where one of them cannot be seen.
    fn collect(
        &self,
        scope: FileScopeId,
        bindings: BindingWithConstraintsIterator<'_, 'db>,
    ) -> Option<Vec<Definition<'db>>> {
        let mut found = Vec::new();
        let mut seen = FxHashSet::default();
        let mut pending: Vec<Definition<'db>> = Vec::new();
        for binding in bindings {
            match binding.binding {
                DefinitionState::Defined(definition) => pending.push(definition),
                DefinitionState::Undefined => {}
                DefinitionState::Deleted => return None,
            }
        }
        while let Some(definition) = pending.pop() {
            if !seen.insert(definition) {
                continue;
            }
            match definition.kind(self.db()) {
                DefinitionKind::LoopHeader(header) => {
                    let use_def = self.index().use_def_map(scope);
                    let header_bindings = use_def.loop_header(header.loop_header_id());
                    for live in header_bindings.bindings_for_place(header.place()) {
                        match use_def.definition(live.binding()) {
                            DefinitionState::Defined(definition) => pending.push(definition),
                            DefinitionState::Undefined => {}
                            DefinitionState::Deleted => return None,
                        }
                    }
                }
                DefinitionKind::NestedBindings(_) => return None,
                _ => found.push(definition),
            }
        }
        versions::keep_those_there(self.db(), &mut found);
        Some(found)
    }

    /// Whether the name of a definition is, in the same scope, that of a function as well.
    pub(crate) fn is_function_too(&self, definition: Definition<'db>) -> bool {
        let scope = definition.file_scope(self.db());
        let place = definition.place(self.db());
        self.index()
            .use_def_map(scope)
            .reachable_bindings(place)
            .any(|binding| match binding.binding {
                DefinitionState::Defined(other) => other.kind(self.db()).is_function_def(),
                DefinitionState::Undefined | DefinitionState::Deleted => false,
            })
    }

    /// Whether the name of a definition is, in the same scope, that of a class or function, and something is assigned
    /// to it as well. The type engine goes by the class or function.
    pub(crate) fn is_defined_and_assigned(&self, definition: Definition<'db>) -> bool {
        let scope = definition.file_scope(self.db());
        let place = definition.place(self.db());
        let bindings = self.index().use_def_map(scope).reachable_bindings(place);
        let (mut is_defined, mut is_assigned) = (false, false);
        for binding in bindings {
            if let DefinitionState::Defined(other) = binding.binding {
                match other.kind(self.db()) {
                    DefinitionKind::Function(_) | DefinitionKind::Class(_) => is_defined = true,
                    kind @ (DefinitionKind::Assignment(_)
                    | DefinitionKind::AnnotatedAssignment(_)
                    | DefinitionKind::NamedExpression(_)) => {
                        // `None` is neither called nor made objects of.
                        let value = kind.value(self.module());
                        is_assigned |= !value.is_some_and(Expr::is_none_literal_expr);
                    }
                    _ => {}
                }
            }
        }
        is_defined && is_assigned
    }

    /// The scope an expression is evaluated in.
    pub fn scope_of<'a>(&self, expr: impl Into<ast::ExprRef<'a>>) -> Option<FileScopeId> {
        self.index().try_expression_scope_id(&expr.into())
    }

    /// The type engine's view of the file.
    pub fn model(&self) -> &SemanticModel<'db> {
        &self.model
    }

    pub(crate) fn file(&self) -> ProgramFile<'db> {
        self.file
    }

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
    fn is_endless(&self, expr: ast::ExprRef<'_>) -> bool {
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

    /// The scope of a function's body.
    pub fn function_scope(&self, function: &ast::StmtFunctionDef) -> Option<FileScopeId> {
        self.index()
            .try_node_scope(NodeWithScopeRef::Function(function))
    }

    /// Whether a function stands directly in the body of a class.
    pub fn is_method(&self, function: &ast::StmtFunctionDef) -> bool {
        self.function_scope(function)
            .is_some_and(|scope| self.index().class_definition_of_method(scope).is_some())
    }

    /// The scope of what a function, or the module, has in its body.
    pub fn scope_of_owner(&self, owner: Owner<'_>) -> Option<FileScopeId> {
        match owner {
            Owner::Function(function) => self.function_scope(function),
            Owner::Module => Some(FileScopeId::global()),
            Owner::Lambda(_) => None,
        }
    }

    /// Whether `name` is bound, used or declared in the scope of `owner`, in a scope around it that
    /// it can see, or anywhere inside it: a new variable of that name would meet another one.
    pub fn is_taken_in(&self, name: &str, owner: Owner<'_>) -> bool {
        self.names().mention(name)
            && self
                .scope_of_owner(owner)
                .is_none_or(|scope| self.is_taken(name, scope))
    }

    /// Whether `name` stands anywhere in the file, attributes aside.
    pub fn is_mentioned(&self, name: &str) -> bool {
        self.names().mention(name)
    }

    /// Like [`Self::is_taken_in`], for a scope.
    pub fn is_taken(&self, name: &str, scope: FileScopeId) -> bool {
        self.index()
            .ancestor_scopes(scope)
            .any(|(ancestor, _)| self.mentions(name, ancestor))
            || self.is_mentioned_inside(name, scope)
    }

    /// Whether `name` means, somewhere in a scope inside `scope`, what it means in `scope`: it is
    /// used there without a binding of that scope's own.
    fn is_mentioned_inside(&self, name: &str, scope: FileScopeId) -> bool {
        self.index().child_scopes(scope).any(|(child, _)| {
            match self.index().place_table(child).symbol_by_name(name) {
                Some(symbol) if symbol.is_local() => false,
                Some(_) => true,
                None => self.is_mentioned_inside(name, child),
            }
        })
    }

    fn mentions(&self, name: &str, scope: FileScopeId) -> bool {
        self.index().place_table(scope).symbol_id(name).is_some()
    }

    /// Whether `scope` declares `name` to be `global` or `nonlocal`.
    pub fn is_declared_outside(&self, name: &str, scope: FileScopeId) -> bool {
        self.index()
            .place_table(scope)
            .symbol_by_name(name)
            .is_some_and(|symbol| symbol.is_global() || symbol.is_nonlocal())
    }

    /// Whether the local symbol `name` of `scope` is more than a local variable: declared `global`
    /// or `nonlocal`, or used by a scope inside.
    pub fn is_shared(&self, name: &str, scope: FileScopeId) -> bool {
        self.index()
            .place_table(scope)
            .symbol_by_name(name)
            .is_none_or(|symbol| symbol.is_global() || symbol.is_nonlocal())
            || self.is_mentioned_inside(name, scope)
    }

    /// Whether a use of `name`, in `scope` or in a scope inside, means the variable of `scope`.
    pub fn is_use_of(&self, name: &ast::ExprName, scope: FileScopeId) -> bool {
        let Some(from) = self.scope_of(name) else {
            return true;
        };
        self.index()
            .visible_ancestor_scopes(from)
            .take_while(|(at, _)| *at != scope)
            .all(|(at, _)| {
                let symbol = self.index().place_table(at).symbol_by_name(&name.id);
                symbol.is_none_or(|symbol| !symbol.is_local())
            })
    }

    /// Whether a definition stands in an `if TYPE_CHECKING:` block, so does not exist at run time.
    pub fn is_typing_only(&self, definition: Definition<'db>, range: TextRange) -> bool {
        self.index()
            .is_in_type_checking_block(definition.file_scope(self.db()), range)
    }

    /// Whether what stands there, at the top level of the module, is only seen by type checkers.
    pub fn is_in_typing_block(&self, range: TextRange) -> bool {
        self.index()
            .is_in_type_checking_block(FileScopeId::global(), range)
    }

    /// Whether no scope of the file binds `name`, and no star import may.
    pub fn is_bound_nowhere(&self, name: &str) -> bool {
        let name = Name::new(name);
        matches!(self.names().explained(&name), Some(Explained::Builtin))
    }

    /// What the module has under the name that this star import binds.
    pub fn starred(&self, definition: Definition<'db>) -> Option<Vec<Definition<'db>>> {
        let DefinitionKind::StarImport(import) = definition.kind(self.db()) else {
            return None;
        };
        let name = self.star_name(definition)?;
        let import = import.import(&self.module);
        let module = self
            .model
            .resolve_module(import.module.as_deref(), import.level)?;
        self.definitions_in_file(module.file(self.db())?, name, ALIAS_DEPTH)
    }

    /// The parsed module, for nodes of definitions in this file.
    pub fn module(&self) -> &ParsedModuleRef {
        &self.module
    }

    /// Where a definition stands, when it is in this file.
    pub fn definition_range(&self, definition: Definition<'db>) -> Option<TextRange> {
        (definition.program_file(self.db()) == self.file)
            .then(|| definition.kind(self.db()).full_range(&self.module))
    }

    /// The function that a callee expression names, where that can be told without inferring the code
    /// around: a function of this file or imported into it or into a module, or a method of a class in
    /// sight. `None` for anything else.
    pub fn function_in_sight(&self, callee: &Expr) -> Option<Function<'db>> {
        match callee {
            Expr::Name(name) => match self.names().explained(&name.id) {
                Some(Explained::Builtin) => None,
                Some(Explained::Import(_)) | None => self
                    .function(callee)
                    .or_else(|| self.function_of(self.definition_behind(name)?)),
            },
            Expr::Attribute(attribute) => {
                let definition = self.method_in_sight(attribute)?;
                self.function_of(definition)
            }
            _ => None,
        }
    }

    /// The class whose method the first parameter `receiver` belongs to.
    pub fn class_of_receiver(&self, receiver: &Expr) -> Option<&ast::StmtClassDef> {
        let Expr::Name(name) = receiver else {
            return None;
        };
        let definitions = self.bindings(name)?;
        let [definition] = definitions.as_slice() else {
            return None;
        };
        if !definition.kind(self.db()).is_parameter_def() {
            return None;
        }
        let scope = definition.file_scope(self.db());
        let class = self.index().class_definition_of_method(scope)?;
        let function = self.index().scope(scope).node().as_function()?;
        let function = function.node(&self.module);
        // Of what another class it is, a mixin may say: `def stop(self: "Client")`.
        let is_first = function
            .parameters
            .iter_non_variadic_params()
            .next()
            .is_some_and(|first| {
                first.name().id == name.id
                    && first
                        .annotation()
                        .is_none_or(|annotation| self.says_own_class(annotation))
            });
        let is_static = function
            .decorator_list
            .iter()
            .any(|decorator| self.means(&decorator.expression, &["builtins.staticmethod"]));
        match class.kind(self.db()) {
            DefinitionKind::Class(class) if is_first && !is_static => {
                Some(class.node(&self.module))
            }
            _ => None,
        }
    }

    /// The one function that a callee expression names, followed through imports, attributes and
    /// inferred receivers, into other files. `None` when there is none or more than one.
    pub fn function(&self, callee: &Expr) -> Option<Function<'db>> {
        self.function_named(callee.into())
    }

    /// The same, for an expression that need not be called.
    pub fn function_named(&self, callee: ast::ExprRef<'_>) -> Option<Function<'db>> {
        if let ast::ExprRef::Attribute(method) = callee
            && self.signatures_in_sight(method).len() > 1
        {
            return None;
        }
        let [definition] = self.definitions_named(callee)[..] else {
            return None;
        };
        self.function_of(definition)
    }

    /// Everything that an expression may name, followed through imports, attributes and inferred
    /// receivers. Empty where something of it is not known.
    pub fn definitions_named(&self, callee: ast::ExprRef<'_>) -> Vec<Definition<'db>> {
        let resolved = match callee {
            ast::ExprRef::Name(name) => {
                // The exact answer first: a function of this file.
                if let Some(definitions) = self.bindings(name)
                    && let [definition] = definitions.as_slice()
                    && definition.kind(self.db()).is_function_def()
                {
                    return vec![*definition];
                }
                definitions_for_name(
                    &self.model,
                    &name.id,
                    name.into(),
                    ImportAliasResolution::ResolveAliases,
                )
            }
            ast::ExprRef::Attribute(attribute) => {
                if let Some(definition) = self.method_in_sight(attribute) {
                    return vec![definition];
                }
                if self.is_unknown((&*attribute.value).into()) || self.is_endless(attribute.into())
                {
                    return Vec::new();
                }
                definitions_for_attribute(&self.model, attribute)
            }
            _ => return Vec::new(),
        };
        let definitions: Option<Vec<_>> = resolved
            .iter()
            .map(|resolved| match resolved {
                ResolvedDefinition::Definition(definition) => Some(*definition),
                _ => None,
            })
            .collect();
        definitions.unwrap_or_default()
    }

    /// The path of the stub of this tool in which a function stands, where it stands in one.
    pub fn path_in_stubs(&self, function: &Function<'db>) -> Option<&'db str> {
        let path = function.definition.file(self.db()).path(self.db());
        let below = path.as_system_path()?.strip_prefix(STUB_ROOT).ok()?;
        Some(below.as_str())
    }

    /// The file that a function stands in, and its name behind those of the classes around it. `None`
    /// for functions inside of others.
    pub fn place_of_function(&self, function: &Function<'db>) -> Option<(Place, String)> {
        let path = self.file_of(function.definition)?;
        let index = semantic_index(self.db(), function.definition.program_file(self.db()));
        let mut name = function.node(self.db())?.name.to_string();
        let mut scope = index.scope(function.definition.file_scope(self.db()));
        while let Some(class) = scope.node().as_class() {
            name = format!("{}.{name}", class.node(&function.module).name);
            scope = index.scope(scope.parent()?);
        }
        let is_inner = scope.node().as_function().is_some();
        (!is_inner).then(|| (Place::of(&path), name))
    }

    /// The function that a definition is one of, wherever it stands.
    pub fn function_of(&self, definition: Definition<'db>) -> Option<Function<'db>> {
        Function::of(self.db(), definition)
    }

    /// The file that a definition stands in, where it is on disk.
    pub fn file_of(&self, definition: Definition<'db>) -> Option<std::path::PathBuf> {
        let path = definition.file(self.db()).path(self.db());
        Some(path.as_system_path()?.as_std_path().to_path_buf())
    }

    /// The definition of a function of this file.
    pub fn definition_of(&self, function: &ast::StmtFunctionDef) -> Option<Definition<'db>> {
        self.index().try_definition(function)
    }

    /// Whether the scope of a definition has others of the same name.
    pub fn has_other_definitions(&self, definition: Definition<'db>) -> bool {
        let index = semantic_index(self.db(), definition.program_file(self.db()));
        let scope = definition.file_scope(self.db());
        let place = definition.place(self.db());
        index
            .use_def_map(scope)
            .reachable_bindings(place)
            .filter_map(|binding| binding.binding.definition())
            .any(|other| other != definition)
    }

    /// Whether a definition stands in the body of a protocol: anything that has such a member may be
    /// meant.
    pub fn is_in_protocol(&self, definition: Definition<'db>) -> bool {
        let index = semantic_index(self.db(), definition.program_file(self.db()));
        let scope = index.scope(definition.file_scope(self.db()));
        let module = parsed_module(self.db(), definition.python_file(self.db())).load(self.db());
        scope.node().as_class().is_some_and(|class| {
            let mut bases = class.node(&module).bases().iter();
            bases.any(|base| {
                let base = match base {
                    Expr::Subscript(generic) => &generic.value,
                    base => base,
                };
                last_name(base) == Some("Protocol")
            })
        })
    }

    /// Whether a definition stands directly in the body of a class, in whatever file.
    pub fn is_in_class(&self, definition: Definition<'db>) -> bool {
        self.class_around(definition).is_some()
    }

    /// The name of the class in whose body a definition stands directly, in whatever file.
    pub fn class_around(&self, definition: Definition<'db>) -> Option<String> {
        let index = semantic_index(self.db(), definition.program_file(self.db()));
        let scope = index.scope(definition.file_scope(self.db()));
        let module = parsed_module(self.db(), definition.python_file(self.db())).load(self.db());
        Some(scope.node().as_class()?.node(&module).name.to_string())
    }

    /// Another file of the same program.
    pub fn beside(&self, path: &std::path::Path) -> Option<ProgramFile<'db>> {
        let path = SystemPath::from_std_path(path)?;
        let file = system_path_to_file(self.db(), path).ok()?;
        Some(self.file.program(self.db()).program_file(self.db(), file))
    }

    /// The semantics of the file that a definition stands in, to look further from there.
    pub(crate) fn of_definition(db: &'db dyn Db, definition: Definition<'db>) -> Self {
        let module = parsed_module(db, definition.python_file(db)).load(db);
        Self::new(db, definition.program_file(db), module)
    }

    /// The semantics of the file a function stands in, to look further from there.
    #[must_use]
    pub fn of_function(&self, function: &Function<'db>) -> Semantics<'db> {
        function.semantics(self.db())
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

    /// The dotted path of a class, by its module and its name.
    pub fn path_of_class(&self, class: Definition<'db>) -> String {
        let db = self.db();
        let module = file_to_module(db, class.program_file(db).resolver_file(db));
        let module = module.map(|module| module.name(db).to_string());
        let name = class.name(db).unwrap_or_default();
        format!("{}.{name}", module.unwrap_or_default())
    }

    /// The dotted paths of the class that the value of `expr` is an instance of and of its bases, up
    /// to the first one that defines `method`. Empty where the class is not known.
    pub fn classes_up_to(&self, expr: &Expr, method: &str) -> Vec<String> {
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
        depth: usize,
        paths: &mut Vec<String>,
    ) -> bool {
        let (Some(depth), Some(known)) = (depth.checked_sub(1), Class::of(self.db(), class)) else {
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
    pub fn class_names_of(&self, expr: &Expr) -> Vec<String> {
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
    fn class_defines(&self, class: Definition<'db>, method: &str, depth: usize) -> bool {
        let (Some(depth), Some(known)) = (depth.checked_sub(1), Class::of(self.db(), class)) else {
            return true;
        };
        let mut body = known.node().body.iter();
        body.any(|statement| {
            matches!(statement, Stmt::FunctionDef(function) if function.name.as_str() == method)
        }) || known
            .base_classes()
            .any(|base| known.own.class_defines(base, method, depth))
    }

    fn class_rebinds(&self, class: Definition<'db>, method: &str, depth: usize) -> bool {
        let (Some(depth), Some(known)) = (depth.checked_sub(1), Class::of(self.db(), class)) else {
            return false;
        };
        known.rebinds_otherwise(method)
            || known
                .base_classes()
                .any(|base| known.own.class_rebinds(base, method, depth))
    }

    /// The class that an expression behind the name of a class stands for.
    fn class_of_base(&self, base: &Expr) -> Option<Definition<'db>> {
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
        depth: usize,
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
        let (Some(depth), Some(known)) = (depth.checked_sub(1), Class::of(db, class)) else {
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
        !self.is_written_out(expr)
            && self
                .instance_class(expr)
                .is_some_and(|class| self.class_is_only_asynchronous(class, asynchronous, plain))
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
        self.class_has(class, asynchronous, BASES) == Some(true)
            && self.class_has(class, plain, BASES) == Some(false)
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
        depth: usize,
    ) -> Option<Definition<'db>> {
        let depth = depth.checked_sub(1)?;
        let known = Class::of(self.db(), class)?;
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
    fn class_has(&self, class: Definition<'db>, method: &str, depth: usize) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        let known = Class::of(self.db(), class)?;
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

    /// The text of the file.
    pub(crate) fn text(&self) -> SourceText {
        source_text(self.db(), self.file.python_file(self.db()).file(self.db()))
    }

    /// The file's path, where it is on disk.
    pub fn path(&self) -> Option<&'db std::path::Path> {
        let path = self
            .file
            .python_file(self.db())
            .file(self.db())
            .path(self.db());
        path.as_system_path()
            .map(ruff_db::system::SystemPath::as_std_path)
    }

    /// The dotted name of the module this file is, where the search paths reach it.
    pub fn module_name(&self) -> Option<String> {
        file_to_module(self.db(), self.file.resolver_file(self.db()))
            .map(|module| module.name(self.db()).to_string())
    }
}

/// What the code of a class assigns to the attribute `name` of a variable.
pub fn instance_values<'a>(class: &'a ast::StmtClassDef, name: &str) -> Vec<&'a Expr> {
    struct Assignments<'a, 'n> {
        name: &'n str,
        values: Vec<&'a Expr>,
    }
    impl<'a> SourceOrderVisitor<'a> for Assignments<'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let (targets, value) = match node {
                AnyNodeRef::StmtAssign(assign) => (assign.targets.as_slice(), Some(&*assign.value)),
                AnyNodeRef::StmtAnnAssign(assign) => (
                    std::slice::from_ref(&*assign.target),
                    assign.value.as_deref(),
                ),
                _ => return TraversalSignal::Traverse,
            };
            let is_it = targets.iter().any(|target| {
                matches!(target, Expr::Attribute(target)
                    if target.attr.as_str() == self.name && target.value.is_name_expr())
            });
            if is_it {
                self.values.extend(value);
            }
            TraversalSignal::Skip
        }
    }
    let mut assignments = Assignments {
        name,
        values: Vec::new(),
    };
    assignments.visit_body(&class.body);
    assignments.values
}

/// Whether a statement, or one inside it, defines a function of this name.
fn defines(statement: &Stmt, name: &str) -> bool {
    match statement {
        Stmt::FunctionDef(function) => function.name.as_str() == name,
        other => suites_in(other)
            .into_iter()
            .flatten()
            .any(|inner| defines(inner, name)),
    }
}

/// Whether all a function does is to raise an exception.
fn only_raises(function: &ast::StmtFunctionDef) -> bool {
    let returns_never = function
        .returns
        .as_deref()
        .and_then(last_name)
        .is_some_and(|name| matches!(name, "NoReturn" | "Never"));
    let body = function.body.iter().filter(|statement| {
        !matches!(statement, Stmt::Expr(statement) if statement.value.is_string_literal_expr())
    });
    returns_never || body.clone().count() > 0 && body.into_iter().all(Stmt::is_raise_stmt)
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// From somewhere that this annotation describes.
    Annotation(&'a Expr),
    /// It is the value of this expression.
    Value(&'a Expr),
    /// From somewhere that is not seen.
    Unknown,
}

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

/// Modules whose types nearly all questions lead to.
const NEEDED: [&str; 5] = ["builtins", "typing", "types", "collections.abc", "asyncio"];

/// Indexes what most questions about a file lead to: the modules that it imports, and a few of the standard
/// library. The answers are the same without; they only come later.
pub fn index_ahead(semantics: &Semantics<'_>) {
    let (db, file, model) = (semantics.db(), semantics.file, &semantics.model);
    let index = |module: Option<&str>, level: u32| {
        let module = model.resolve_module(module, level);
        if let Some(imported) = module.and_then(|module| module.file(db)) {
            semantic_index(db, file.program(db).program_file(db, imported));
        }
    };
    for module in NEEDED {
        index(Some(module), 0);
    }
    for_each_import(
        &semantics.module.syntax().body,
        &mut |import| match import {
            Import::Module(names) => names.iter().for_each(|alias| index(Some(&alias.name), 0)),
            Import::From(statement) => {
                let from = statement.module.as_deref();
                index(from, statement.level);
                // Members of a package may be modules.
                let prefix = from.map_or_else(String::new, |from| format!("{from}."));
                for alias in &statement.names {
                    index(Some(&format!("{prefix}{}", alias.name)), statement.level);
                }
            }
        },
    );
}

/// The module that names are imported from, with the dots of a relative import.
pub fn import_source(import: &ast::StmtImportFrom) -> String {
    let dots = ".".repeat(import.level as usize);
    let module = import.module.as_deref().unwrap_or_default();
    format!("{dots}{module}")
}

/// The path of a name that nothing binds: a builtin or, in code that forgets to import it, a module.
fn path_of_unbound(name: &str) -> String {
    if is_known_standard_library(PythonVersion::latest().minor, name)
        || STUBS.get_dir(name).is_some()
    {
        name.to_owned()
    } else {
        format!("builtins.{name}")
    }
}

/// Whether `inner` lies in `outer`, as nodes of one file.
pub fn contains(outer: impl Ranged, inner: impl Ranged) -> bool {
    outer.range().contains_range(inner.range())
}
