//! What names are bound to.

use ruff_db::parsed::parsed_module;
use ruff_python_ast::name::Name;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::TextRange;
use rustc_hash::FxHashSet;
use ty_python_core::ast_ids::{HasScopedUseId, ScopedUseId};
use ty_python_core::definition::{
    Definition, DefinitionKind, DefinitionState, ParameterDefinitionNodeKind,
};
use ty_python_core::place::PlaceExprRef;
use ty_python_core::scope::FileScopeId;
use ty_python_core::{BindingWithConstraintsIterator, EnclosingSnapshotResult};
use ty_python_semantic::Db;

use crate::facts::spelling::Explained;
use crate::limits::NAMES;
use crate::resolve::definitions::instance_values;
use crate::resolve::semantics::Semantics;
use crate::resolve::versions;

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

impl<'db> Semantics<'db> {
    /// The bindings that can reach a use of `name`, from the scope it is used in outwards.
    ///
    /// Empty when nothing in the file binds the name; `None` when a binding cannot be seen.
    pub fn bindings(&self, name: &ast::ExprName) -> Option<Vec<Definition<'db>>> {
        let use_id = self.use_of(name.into())?;
        let scope = self
            .index()
            .try_expression_scope_id(&ast::ExprRef::from(name))?;
        let own = self.index().place_table(scope).symbol_id(&name.id);
        if let Some(symbol) = own
            && self.index().place_table(scope).symbol(symbol).is_local()
        {
            let at_use = self.index().use_def_map(scope).bindings_at_use(use_id);
            let found = self.collect(scope, at_use)?;
            if !found.is_empty() {
                return Some(found);
            }
        }
        self.lookup_outside(&name.id, scope)
    }

    /// The use that a name, an attribute or an item is. `None` where it is only written: the index has no bindings there.
    pub(crate) fn use_of(&self, expr: ast::ExprRef<'_>) -> Option<ScopedUseId> {
        let context = match expr {
            ast::ExprRef::Name(name) => name.ctx,
            ast::ExprRef::Attribute(attribute) => attribute.ctx,
            ast::ExprRef::Subscript(item) => item.ctx,
            _ => return None,
        };
        (context != ast::ExprContext::Store).then(|| expr.scoped_use_id(self.db(), self.file()))
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
        // What `count += 1` writes is a use as well.
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

    /// Whether no scope of the file binds `name`, and no star import may.
    pub fn is_bound_nowhere(&self, name: &str) -> bool {
        let name = Name::new(name);
        matches!(self.names().explained(&name), Some(Explained::Builtin))
    }

    /// The value that a definition in this file gives to its name alone, with an annotation or without one.
    pub fn value_assigned(&self, definition: Definition<'db>) -> Option<&Expr> {
        match definition.kind(self.db()) {
            DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                Some(assignment.value(self.module()))
            }
            DefinitionKind::AnnotatedAssignment(assignment) => assignment.value(self.module()),
            _ => None,
        }
    }

    /// Whether a definition, in whatever file, is an absolute import of `path`.
    pub fn is_import_of(&self, definition: Definition<'db>, path: &str) -> bool {
        match definition.kind(self.db()) {
            // What a star import binds is what the module has under the name.
            DefinitionKind::StarImport(_) => self.starred(definition).is_some_and(|found| {
                let mut found = found.iter();
                found.all(|found| is_plain_import_of(self.db(), *found, path))
            }),
            _ => is_plain_import_of(self.db(), definition, path),
        }
    }

    /// What the module has under the name that this star import binds.
    pub(crate) fn starred(&self, definition: Definition<'db>) -> Option<Vec<Definition<'db>>> {
        let DefinitionKind::StarImport(import) = definition.kind(self.db()) else {
            return None;
        };
        let name = self.star_name(definition)?;
        let import = import.import(&self.module);
        let module = self
            .model
            .resolve_module(import.module.as_deref(), import.level)?;
        self.definitions_in_file(module.file(self.db())?, name, NAMES)
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
}

fn is_plain_import_of(db: &dyn Db, definition: Definition<'_>, path: &str) -> bool {
    let module = parsed_module(db, definition.python_file(db)).load(db);
    match definition.kind(db) {
        DefinitionKind::Import(import) => {
            let alias = import.alias(&module);
            let bound = match &alias.asname {
                Some(_) => Some(alias.name.as_str()),
                // `import a.b` binds `a`.
                None => alias.name.split('.').next(),
            };
            bound == Some(path)
        }
        DefinitionKind::ImportFrom(import) => {
            let statement = import.import(&module);
            let source = statement.module.as_deref().unwrap_or_default();
            let found = format!("{source}.{}", import.alias(&module).name);
            statement.level == 0 && found == path
        }
        _ => false,
    }
}
