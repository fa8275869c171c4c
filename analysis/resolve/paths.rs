//! The dotted paths by which what a name means can be imported.

use asyncfix_knowledge::stubs::{STUB_ROOT, STUBS};
use ruff_python_ast::name::Name;
use ruff_python_ast::{Expr, PythonVersion};
use ruff_python_stdlib::sys::is_known_standard_library;
use ty_module_resolver::{SearchPath, file_to_module};
use ty_python_core::definition::{Definition, DefinitionKind};
use ty_python_core::place::PlaceExprRef;
use ty_python_core::scope::FileScopeId;
use ty_python_core::semantic_index;

use crate::facts::imports::import_source;
use crate::facts::spelling::Explained;
use crate::facts::value_flow::Place;
use crate::limits::{Limit, NAMES};
use crate::resolve::definitions::Function;
use crate::resolve::semantics::Semantics;

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

impl<'db> Semantics<'db> {
    /// The dotted path by which the value of `expr` can be imported, such as `asyncio.gather` or
    /// `builtins.open`, when every binding that can reach it agrees.
    ///
    /// Follows `import`, `from … import`, star imports, aliases of both, and plain assignments of
    /// such a value. Names bound nowhere in the file are builtins. `None` for anything else.
    pub fn qualified_name(&self, expr: &Expr) -> Option<String> {
        self.qualified_name_to(expr, NAMES)
    }

    fn qualified_name_to(&self, expr: &Expr, depth: Limit) -> Option<String> {
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
            .map(|definition| self.path_of(*definition, NAMES));
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

    fn path_of(&self, definition: Definition<'db>, depth: Limit) -> Option<String> {
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
                let depth = depth.less()?;
                self.qualified_name_to(assignment.value(&self.module), depth)
            }
            _ => None,
        }
    }

    /// The name that a star import binds.
    pub(crate) fn star_name(&self, definition: Definition<'db>) -> Option<&Name> {
        let table = self.index().place_table(definition.file_scope(self.db()));
        match table.place(definition.place(self.db())) {
            PlaceExprRef::Symbol(symbol) => Some(symbol.name()),
            PlaceExprRef::Member(_) => None,
        }
    }

    /// The path of the stub of this tool in which a function stands, where it stands in one.
    pub(crate) fn path_in_stubs(&self, function: &Function<'db>) -> Option<&'db str> {
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

    /// The dotted path of a class, by its module and its name.
    pub fn path_of_class(&self, class: Definition<'db>) -> String {
        let db = self.db();
        let module = file_to_module(db, class.program_file(db).resolver_file(db));
        let module = module.map(|module| module.name(db).to_string());
        let name = class.name(db).unwrap_or_default();
        format!("{}.{name}", module.unwrap_or_default())
    }
}
