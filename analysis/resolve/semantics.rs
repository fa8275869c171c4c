//! What names, attributes and values mean, asked of the type engine's index of one file.
//!
//! Names are never compared as text: a name means the bindings that can reach its use. Where a
//! binding cannot be seen (written through `global` elsewhere, deleted, captured by `match`), the
//! answer is "unknown", and a codemod keeps its hands off.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use ruff_db::files::system_path_to_file;
use ruff_db::parsed::{ParsedModuleRef, parsed_module};
use ruff_db::source::{SourceText, source_text};
use ruff_db::system::SystemPath;
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::Ranged;
use rustc_hash::{FxHashMap, FxHashSet};
use ty_module_resolver::file_to_module;
use ty_python_core::definition::Definition;
use ty_python_core::scope::FileScopeId;
use ty_python_core::{ProgramFile, SemanticIndex, semantic_index};
use ty_python_semantic::{Db, SemanticModel};

use crate::facts::imports::{Import, for_each_import};
use crate::facts::interface;
use crate::facts::key::Key;
use crate::facts::spelling::{Names, Spellings};
use crate::resolve::definitions::Function;
use crate::resolve::look::Look;

/// The semantics of one file.
pub struct Semantics<'db> {
    pub(crate) model: SemanticModel<'db>,
    pub(crate) file: ProgramFile<'db>,
    /// Built when the first question comes that the tree alone does not answer.
    index: OnceCell<&'db SemanticIndex<'db>>,
    spellings: OnceCell<&'db Spellings>,
    names: OnceCell<&'db Names>,
    /// In which scopes the type engine may not come to an end.
    pub(crate) endless: RefCell<FxHashMap<FileScopeId, bool>>,
    pub(crate) module: ParsedModuleRef,
    /// What is kept while answers are looked for.
    pub(crate) look: Rc<Look<'db>>,
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
            look: Rc::default(),
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

    /// The type engine's view of the file.
    pub fn model(&self) -> &SemanticModel<'db> {
        &self.model
    }

    pub(crate) fn file(&self) -> ProgramFile<'db> {
        self.file
    }

    /// The parsed module, for nodes of definitions in this file.
    pub fn module(&self) -> &ParsedModuleRef {
        &self.module
    }

    /// Another file of the same program.
    pub fn beside(&self, path: &std::path::Path) -> Option<ProgramFile<'db>> {
        let path = SystemPath::from_std_path(path)?;
        let file = system_path_to_file(self.db(), path).ok()?;
        self.look.opened.borrow_mut().insert((file, None));
        Some(self.file.program(self.db()).program_file(self.db(), file))
    }

    /// The text of another file of the same program, for [`Asked::mentioning`](crate::index::asked::Asked::mentioning),
    /// which reads all of them. It is not noted as opened: what is noted there are the words that are asked for.
    pub fn text_of(&self, path: &std::path::Path) -> Option<String> {
        let file = system_path_to_file(self.db(), SystemPath::from_std_path(path)?).ok()?;
        Some(source_text(self.db(), file).as_str().to_owned())
    }

    /// The semantics of another file of the same program, to look further there.
    pub(crate) fn at_file(&self, file: ProgramFile<'db>) -> Self {
        let python_file = file.python_file(self.db());
        let whole = (python_file.file(self.db()), None);
        self.look.opened.borrow_mut().insert(whole);
        self.further_in(file)
    }

    fn further_in(&self, file: ProgramFile<'db>) -> Self {
        let module = parsed_module(self.db(), file.python_file(self.db())).load(self.db());
        Self {
            look: Rc::clone(&self.look),
            ..Self::new(self.db(), file, module)
        }
    }

    /// The semantics of the file that a definition stands in.
    pub(crate) fn of_definition(db: &'db dyn Db, definition: Definition<'db>) -> Self {
        let module = parsed_module(db, definition.python_file(db)).load(db);
        Self::new(db, definition.program_file(db), module)
    }

    /// The same, to look further from there.
    pub(crate) fn at_definition(&self, definition: Definition<'db>) -> Self {
        self.note_opened(definition);
        self.further_in(definition.program_file(self.db()))
    }

    /// The semantics of the file a function stands in, to look further from there.
    #[must_use]
    pub fn of_function(&self, function: &Function<'db>) -> Semantics<'db> {
        let file = function.definition.program_file(self.db());
        Self {
            look: Rc::clone(&self.look),
            ..Self::new(self.db(), file, function.module.clone())
        }
    }

    /// Takes note that the look goes on in the file that a definition stands in.
    pub(crate) fn note_opened(&self, definition: Definition<'db>) {
        let opened = (definition.file(self.db()), Some(definition));
        self.look.opened.borrow_mut().insert(opened);
    }

    /// The statements of the module, for a look that goes over all of them.
    pub fn body(&self) -> &[Stmt] {
        let file = self.file.python_file(self.db()).file(self.db());
        self.look.opened.borrow_mut().insert((file, None));
        &self.module.syntax().body
    }

    /// The paths of the files into whose functions the look has led so far, in no order, each with the name of the
    /// function or class at the top of the file that it was led to. `None` where that is the whole file.
    pub fn opened(&self) -> FxHashSet<(&'db std::path::Path, Option<Key>)> {
        let opened = self.look.opened.borrow();
        let parts = opened.iter().filter_map(|(file, definition)| {
            let path = file.path(self.db()).as_system_path()?;
            let part = definition.and_then(|definition| self.part_of(definition));
            Some((path.as_std_path(), part))
        });
        parts.collect()
    }

    /// The name of the function or class at the top of its file that a definition is, or is part of; [`OTHERS`] for
    /// other statements there. What functions assign by `global`, the interface of the file tells.
    ///
    /// [`OTHERS`]: interface::OTHERS
    fn part_of(&self, definition: Definition<'db>) -> Option<Key> {
        let module = parsed_module(self.db(), definition.python_file(self.db())).load(self.db());
        let at = definition.kind(self.db()).full_range(&module);
        let body = &module.syntax().body;
        let after = body.partition_point(|statement| statement.start() <= at.start());
        Some(interface::part(body.get(after.checked_sub(1)?)?).unwrap_or(interface::OTHERS))
    }

    /// The text of the file.
    pub fn text(&self) -> SourceText {
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

/// Whether `inner` lies in `outer`, as nodes of one file.
pub fn contains(outer: impl Ranged, inner: impl Ranged) -> bool {
    outer.range().contains_range(inner.range())
}
