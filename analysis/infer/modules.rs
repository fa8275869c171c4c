//! Modules, and what they have at their top level, followed through imports.

use asyncfix_knowledge::stubs::STUB_ROOT;
use ruff_db::files::File;
use ruff_db::parsed::parsed_module;
use ruff_python_ast::{self as ast, Expr};
use ty_module_resolver::file_to_module;
use ty_python_core::definition::{Definition, DefinitionKind, DefinitionState};
use ty_python_core::scope::FileScopeId;
use ty_python_core::semantic_index;
use ty_python_semantic::SemanticModel;
use ty_python_semantic::types::{Type, TypeDefinition};

use super::flow::Asked;
use crate::limits::{IMPORTS, Limit};
use crate::resolve::semantics::Semantics;
use crate::resolve::versions;

impl<'db> Semantics<'db> {
    /// The class of a variable of another module, which nothing in that module gives another value.
    pub(super) fn class_of_variable(
        &self,
        definition: Definition<'db>,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        let db = self.db();
        let own = self.at_definition(definition);
        if let DefinitionKind::AnnotatedAssignment(assignment) = definition.kind(db) {
            return own.class_of_instance(assignment.annotation(own.module()));
        }
        let known = own.lookup(&definition.name(db)?, FileScopeId::global())?;
        if known != [definition] {
            return None;
        }
        self.look_again(|| own.class_to(own.value_bound_by(definition)?, steps))
    }

    /// The annotation of the variable of this module that a name in a function stands for, whatever assigns to it:
    /// type checkers hold all of that to its annotation.
    pub(super) fn annotation_in_module(&self, name: &ast::ExprName) -> Option<&Expr> {
        let scope = self.scope_of(name)?;
        let around = self.index().ancestor_scopes(scope).map(|(scope, _)| scope);
        let mut functions = around.filter(|scope| !scope.is_global());
        let is_bound = functions.any(|scope| {
            let table = self.index().place_table(scope);
            let symbol = table.symbol_id(&name.id).map(|symbol| table.symbol(symbol));
            symbol.is_some_and(|symbol| symbol.is_local() || symbol.is_bound())
        });
        if is_bound || scope.is_global() {
            return None;
        }
        let global = FileScopeId::global();
        let symbol = self.index().place_table(global).symbol_id(&name.id)?;
        let use_def = self.index().use_def_map(global);
        let mut declarations = use_def
            .reachable_symbol_declarations(symbol)
            .filter_map(|declaration| declaration.declaration.definition());
        let (declaration, None) = (declarations.next()?, declarations.next()) else {
            return None;
        };
        let DefinitionKind::AnnotatedAssignment(assignment) = declaration.kind(self.db()) else {
            return None;
        };
        self.is_as_bound(name.into(), global, Asked::Class)
            .then(|| assignment.annotation(self.module()))
    }

    /// A class of a module.
    pub(super) fn class_in_module(&self, module: &str, name: &str) -> Option<Definition<'db>> {
        let module = self.model().resolve_module(Some(module), 0)?;
        let definition = self.definition_in_file(module.file(self.db())?, name, IMPORTS)?;
        self.as_class(definition)
    }

    /// Whether a module that only the stubs of this tool know is asked for something that they leave out.
    pub(super) fn is_left_out(&self, member: &ast::ExprAttribute) -> bool {
        let Some(module) = self.module_in_sight(&member.value) else {
            return false;
        };
        let path = module.path(self.db()).as_system_path();
        path.is_some_and(|path| path.starts_with(STUB_ROOT))
            && self
                .definitions_in_file(module, &member.attr, IMPORTS)
                .is_none_or(|known| known.is_empty())
    }

    /// The file of the module that an expression stands for: `trio`, `trio.lowlevel`.
    pub(super) fn module_in_sight(&self, expr: &Expr) -> Option<File> {
        let db = self.db();
        match expr {
            Expr::Name(name) => match self.type_in_sight(expr.into()) {
                Some(module @ Type::ModuleLiteral(_)) => {
                    let env = self.model().program_environment();
                    match module.definition(db, &env)? {
                        TypeDefinition::Module(module) => module.file(db),
                        _ => None,
                    }
                }
                Some(_) => None,
                None => self.module_imported(name),
            },
            Expr::Attribute(member) => {
                let package = self.module_in_sight(&member.value)?;
                self.module_below(package, &member.attr)
            }
            _ => None,
        }
    }

    /// The module that a name, or a dotted path, in quotes stands for.
    pub(super) fn module_quoted(&self, path: &str, scope: FileScopeId) -> Option<File> {
        let db = self.db();
        let mut names = path.split('.');
        let known = self.lookup(names.next()?, scope)?;
        let [definition] = known.as_slice() else {
            return None;
        };
        let first = match definition.kind(db) {
            DefinitionKind::Import(import) => {
                let alias = import.alias(self.module());
                let bound = match alias.asname {
                    Some(_) => alias.name.as_str(),
                    None => alias.name.split('.').next()?,
                };
                self.model().resolve_module(Some(bound), 0)?.file(db)?
            }
            DefinitionKind::ImportFrom(import) => {
                let statement = import.import(self.module());
                let package = self
                    .model()
                    .resolve_module(statement.module.as_deref(), statement.level)?;
                self.module_below(package.file(db)?, &import.alias(self.module()).name)?
            }
            _ => return None,
        };
        names.try_fold(first, |module, name| self.module_below(module, name))
    }

    /// The module that several imports bind to one name: `import trio` and `import trio.testing`.
    fn module_imported(&self, name: &ast::ExprName) -> Option<File> {
        let is_one = |definition: Definition<'db>| match definition.kind(self.db()) {
            DefinitionKind::Import(import) => {
                let alias = import.alias(self.module());
                alias.asname.is_none() && alias.name.split('.').next() == Some(&*name.id)
            }
            _ => false,
        };
        let definitions = self.bindings(name)?;
        if definitions.len() < 2 || !definitions.into_iter().all(is_one) {
            return None;
        }
        let module = self.model().resolve_module(Some(&name.id), 0)?;
        module.file(self.db())
    }

    /// The module of this name in a package, where the package does not give the name to anything else.
    fn module_below(&self, package: File, name: &str) -> Option<File> {
        let db = self.db();
        let package = self.file().program(db).program_file(db, package);
        let index = semantic_index(db, package);
        let scope = FileScopeId::global();
        if let Some(symbol) = index.place_table(scope).symbol_id(name) {
            let parsed = parsed_module(db, package.python_file(db)).load(db);
            let use_def = index.use_def_map(scope);
            let mut bindings = use_def.reachable_symbol_bindings(symbol);
            let is_import = bindings.all(|binding| match binding.binding {
                DefinitionState::Defined(definition) => match definition.kind(db) {
                    DefinitionKind::ImportFrom(import) => {
                        let statement = import.import(&parsed);
                        statement.level == 1
                            && statement.module.is_none()
                            && import.alias(&parsed).name.as_str() == name
                    }
                    _ => false,
                },
                DefinitionState::Undefined => true,
                DefinitionState::Deleted => false,
            });
            if !is_import {
                return None;
            }
        } else if index.place_table(scope).symbol_id("__getattr__").is_some()
            && !package.python_file(db).file(db).is_stub(db)
        {
            // It may hand out anything under this name; in a stub, it says that something is left out.
            return None;
        }
        let above = file_to_module(db, package.resolver_file(db))?;
        let path = format!("{}.{name}", above.name(db));
        self.model().resolve_module(Some(&path), 0)?.file(db)
    }

    pub(super) fn definition_in_file(
        &self,
        file: File,
        name: &str,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        match *self.definitions_in_file(file, name, steps)?.as_slice() {
            [definition] => Some(definition),
            _ => None,
        }
    }

    /// The one definition of a name that a module has, or imports, or the signatures of a function that has
    /// several.
    pub(crate) fn definitions_in_file(
        &self,
        file: File,
        name: &str,
        steps: Limit,
    ) -> Option<Vec<Definition<'db>>> {
        let db = self.db();
        let steps = steps.less()?;
        let file = self.file().program(db).program_file(db, file);
        let index = semantic_index(db, file);
        let scope = FileScopeId::global();
        let symbol = index.place_table(scope).symbol_id(name)?;
        let use_def = index.use_def_map(scope);
        let mut definitions: Vec<_> = use_def
            .reachable_symbol_bindings(symbol)
            .filter_map(|binding| binding.binding.definition())
            .collect();
        versions::keep_those_there(db, &mut definitions);
        versions::keep_those_for_checkers(db, index, &mut definitions);
        let parsed =
            |definition: Definition<'db>| parsed_module(db, definition.python_file(db)).load(db);
        let imported = |import: &ast::StmtImportFrom, name: &str| {
            let model = SemanticModel::new(db, file);
            let module = model.resolve_module(import.module.as_deref(), import.level)?;
            self.definitions_in_file(module.file(db)?, name, steps)
        };
        let behind = |definition: Definition<'db>| match definition.kind(db) {
            DefinitionKind::ImportFrom(import) => {
                let parsed = parsed(definition);
                Some(imported(
                    import.import(&parsed),
                    &import.alias(&parsed).name,
                ))
            }
            DefinitionKind::StarImport(import) => {
                Some(imported(import.import(&parsed(definition)), name))
            }
            _ => None,
        };
        let [definition] = *definitions.as_slice() else {
            // Several imports, all of which lead to one: `from .ship import *`, and another module that names it.
            let mut all = definitions.iter().map(|definition| behind(*definition));
            if let Some(Some(Some(first))) = all.next()
                && first.len() == 1
                && all.all(|other| other.flatten().as_ref() == Some(&first))
            {
                return Some(first);
            }
            let is_function = |definition: &Definition<'db>| definition.kind(db).is_function_def();
            if definitions.iter().all(is_function) {
                return Some(definitions);
            }
            // What is assigned to a variable with an annotation is what that says.
            let mut declarations = use_def
                .reachable_symbol_declarations(symbol)
                .filter_map(|declaration| declaration.declaration.definition());
            let (declaration, None) = (declarations.next()?, declarations.next()) else {
                return None;
            };
            let is_variable =
                matches!(declaration.kind(db), DefinitionKind::AnnotatedAssignment(_));
            return is_variable.then(|| vec![declaration]);
        };
        match behind(definition) {
            Some(found) => found,
            None => Some(definitions),
        }
    }
}
