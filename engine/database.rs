//! The type engine's database: files, search paths, and texts that are not on disk.

use std::any::Any;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, RwLock};

use asyncfix_knowledge::stubs::{STUB_ROOT, STUBS};
use include_dir::{Dir, DirEntry};
use ruff_db::Db as SourceDb;
use ruff_db::diagnostic::Diagnostic;
use ruff_db::file_revision::FileRevision;
use ruff_db::files::{File, FileRootKind, Files, system_path_to_file};
use ruff_db::system::walk_directory::WalkDirectoryBuilder;
use ruff_db::system::{
    DirectoryEntry, FileType, Metadata, OsSystem, System, SystemPath, SystemPathBuf,
    SystemVirtualPath, WhichResult, WritableSystem,
};
use ruff_db::vendored::VendoredFileSystem;
use ruff_notebook::{Notebook, NotebookError};
use ruff_python_ast::PythonVersion;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use ty_module_resolver::{
    Db as ModuleResolverDb, FallibleStrategy, SearchPathSettings, SearchPaths,
};
use ty_python_core::platform::PythonPlatform;
use ty_python_core::program::ProgramSettings;
use ty_python_core::{Program, ProgramFile};
use ty_python_semantic::lint::{LintRegistry, RuleSelection};
use ty_python_semantic::{AnalysisSettings, Db, PythonVersionWithSource, default_lint_registry};

use crate::cache::outside::Reads;
use crate::index::Index;
use crate::roots::{Roots, View};
use crate::source;

/// Texts that stand for files, whatever is on disk: an editor's buffer, standard input, a file
/// after a round of rewrites, a file in another encoding than UTF-8.
#[derive(Debug, Default, Clone)]
struct Overlay(Arc<RwLock<Texts>>);

#[derive(Debug, Default)]
struct Texts {
    by_path: FxHashMap<SystemPathBuf, Arc<str>>,
    /// By their folders, the names of those that are not on disk.
    unsaved: FxHashMap<SystemPathBuf, BTreeSet<String>>,
}

impl Overlay {
    fn get(&self, path: &SystemPath) -> Option<Arc<str>> {
        self.0.read().ok()?.by_path.get(path).cloned()
    }

    fn clear(&self) {
        if let Ok(mut texts) = self.0.write() {
            *texts = Texts::default();
        }
    }

    fn remove(&self, path: &SystemPath) {
        if let Ok(mut texts) = self.0.write() {
            texts.by_path.remove(path);
            if let Some(names) = path
                .parent()
                .and_then(|folder| texts.unsaved.get_mut(folder))
            {
                names.retain(|name| Some(name.as_str()) != path.file_name());
            }
        }
    }

    fn set(&self, path: &SystemPath, text: Arc<str>) {
        if let Ok(mut texts) = self.0.write() {
            texts.by_path.insert(path.to_path_buf(), text);
        }
    }

    /// Takes note that a file is not on disk.
    fn note_unsaved(&self, path: &SystemPath) {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name())
            && let Ok(mut texts) = self.0.write()
        {
            let names = texts.unsaved.entry(folder.to_path_buf()).or_default();
            names.insert(name.to_owned());
        }
    }

    /// The names of the files that are not on disk and would be in this folder.
    fn unsaved_in(&self, folder: &SystemPath) -> Option<BTreeSet<String>> {
        let texts = self.0.read().ok()?;
        let names = texts.unsaved.get(folder)?;
        (!names.is_empty()).then(|| names.clone())
    }
}

/// What stands at `path` among the fallback stubs.
fn stub_entry(path: &SystemPath) -> Option<StubEntry<'static>> {
    let below = path.strip_prefix(STUB_ROOT).ok()?;
    if below.as_str().is_empty() {
        return Some(StubEntry::Folder(&STUBS));
    }
    if let Some(file) = STUBS.get_file(below.as_str()) {
        return file.contents_utf8().map(StubEntry::File);
    }
    STUBS.get_dir(below.as_str()).map(StubEntry::Folder)
}

/// Where modules seem to be of which nothing is known, because two files may be meant: a folder that is never on disk,
/// with one for each of [`Roots::own`].
const UNKNOWN_ROOT: &str = "/<asyncfix unknown>";

/// A module that has everything, of which nothing is known.
const ANYTHING: &str = "from typing import Any\ndef __getattr__(name: str) -> Any: ...\n";

/// The folder with the modules of which nothing is known to files that have this place in [`Roots::own`].
fn unknown_folder(place: usize) -> SystemPathBuf {
    SystemPath::new(UNKNOWN_ROOT).join(place.to_string())
}

/// What seems to be on disk, and is not.
enum StubEntry<'a> {
    File(&'static str),
    Folder(&'static Dir<'static>),
    /// A folder with a stub of nothing for each of these names.
    Unknown(&'a [String]),
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

fn not_found() -> std::io::Error {
    std::io::Error::from(std::io::ErrorKind::NotFound)
}

/// The operating system's files, with the overlay on top and the fallback stubs beside them.
#[derive(Debug, Clone)]
struct LayeredSystem {
    os: OsSystem,
    overlay: Overlay,
    /// Where packages are there themselves, their stubs say nothing. A package that looks for more of itself on
    /// the search path (`pkgutil.extend_path`) would find its stub.
    origins: Arc<Origins>,
    /// What was read from disk, but for installed packages.
    reads: Arc<Mutex<Reads>>,
}

impl LayeredSystem {
    /// Takes note of what is read, unless it belongs to what is installed.
    fn note(&self, path: &SystemPath, of: fn(&mut Reads) -> &mut FxHashSet<SystemPathBuf>) {
        let mut installed = self.origins.installed();
        if !installed.any(|folder| path.starts_with(folder))
            && let Ok(mut reads) = self.reads.lock()
        {
            of(&mut reads).insert(path.to_path_buf());
        }
    }

    /// What stands at `path` among the fallback stubs of packages that are not there.
    fn stub_entry(&self, path: &SystemPath) -> Option<StubEntry<'_>> {
        if let Ok(below) = path.strip_prefix(UNKNOWN_ROOT) {
            let mut parts = below.components();
            let place: usize = parts.next()?.as_str().parse().ok()?;
            let names = &self.origins.roots.own.get(place)?.unknown;
            return match parts.next() {
                None => Some(StubEntry::Unknown(names)),
                Some(file) => {
                    let name = file.as_str().strip_suffix(".pyi")?;
                    let is_there = names.iter().any(|other| other == name);
                    is_there.then_some(StubEntry::File(ANYTHING))
                }
            };
        }
        let package = path.strip_prefix(STUB_ROOT).ok()?.components().next();
        let is_present =
            package.is_some_and(|package| self.origins.present.contains(package.as_str()));
        (!is_present).then(|| stub_entry(path))?
    }
}

/// The packages with fallback stubs that one of `folders` has.
fn present_in<'p>(folders: impl Iterator<Item = &'p SystemPathBuf>) -> FxHashSet<String> {
    let packages = || STUBS.dirs().filter_map(|package| package.path().to_str());
    folders
        .flat_map(|folder| {
            packages().filter(move |package| {
                let init = folder.join(package).join("__init__.py");
                init.as_std_path().is_file()
            })
        })
        .map(str::to_owned)
        .collect()
}

impl System for LayeredSystem {
    fn path_metadata(&self, path: &SystemPath) -> ruff_db::system::Result<Metadata> {
        let Some(text) = self.overlay.get(path) else {
            if let Some(entry) = self.stub_entry(path) {
                let kind = match entry {
                    StubEntry::File(_) => FileType::File,
                    StubEntry::Folder(_) | StubEntry::Unknown(_) => FileType::Directory,
                };
                return Ok(Metadata::new(FileRevision::from(0u64), None, kind));
            }
            let metadata = self.os.path_metadata(path)?;
            return Ok(match self.overlay.unsaved_in(path) {
                Some(names) if metadata.file_type() == FileType::Directory => {
                    let on_disk = format!("{:?}", metadata.revision());
                    let revision = FileRevision::from(hash_of(&(on_disk, names)));
                    Metadata::new(revision, metadata.permissions(), FileType::Directory)
                }
                _ => metadata,
            });
        };
        // The revision is the text itself: the database asks again when it changes.
        Ok(Metadata::new(
            FileRevision::from(hash_of(&text)),
            None,
            FileType::File,
        ))
    }

    fn canonicalize_path(&self, path: &SystemPath) -> ruff_db::system::Result<SystemPathBuf> {
        if self.stub_entry(path).is_some() {
            return Ok(path.to_path_buf());
        }
        self.os.canonicalize_path(path)
    }

    fn is_same_file(
        &self,
        first: &SystemPath,
        second: &SystemPath,
    ) -> ruff_db::system::Result<bool> {
        self.os.is_same_file(first, second)
    }

    fn which(&self, binary_name: &str) -> WhichResult {
        self.os.which(binary_name)
    }

    fn read_to_string(&self, path: &SystemPath) -> ruff_db::system::Result<String> {
        match self.overlay.get(path) {
            Some(text) => Ok(text.to_string()),
            None => match self.stub_entry(path) {
                Some(StubEntry::File(text)) => Ok(text.to_owned()),
                Some(StubEntry::Folder(_) | StubEntry::Unknown(_)) => Err(not_found()),
                None => {
                    self.note(path, |reads| &mut reads.files);
                    self.os.read_to_string(path)
                }
            },
        }
    }

    fn read_to_notebook(&self, path: &SystemPath) -> Result<Notebook, NotebookError> {
        self.os.read_to_notebook(path)
    }

    fn read_virtual_path_to_string(
        &self,
        path: &SystemVirtualPath,
    ) -> ruff_db::system::Result<String> {
        self.os.read_virtual_path_to_string(path)
    }

    fn read_virtual_path_to_notebook(
        &self,
        path: &SystemVirtualPath,
    ) -> Result<Notebook, NotebookError> {
        self.os.read_virtual_path_to_notebook(path)
    }

    fn current_directory(&self) -> &SystemPath {
        self.os.current_directory()
    }

    fn user_config_directory(&self) -> Option<SystemPathBuf> {
        self.os.user_config_directory()
    }

    fn cache_dir(&self) -> Option<SystemPathBuf> {
        self.os.cache_dir()
    }

    fn read_directory<'a>(
        &'a self,
        path: &SystemPath,
    ) -> ruff_db::system::Result<
        Box<dyn Iterator<Item = ruff_db::system::Result<DirectoryEntry>> + 'a>,
    > {
        match self.stub_entry(path) {
            Some(StubEntry::Folder(folder)) => {
                Ok(Box::new(folder.entries().iter().filter_map(|entry| {
                    let kind = match entry {
                        DirEntry::Dir(_) => FileType::Directory,
                        DirEntry::File(_) => FileType::File,
                    };
                    let below = entry.path().to_str()?;
                    let path = SystemPath::new(STUB_ROOT).join(below);
                    Some(Ok(DirectoryEntry::new(path, kind)))
                })))
            }
            Some(StubEntry::Unknown(names)) => {
                let folder = path.to_path_buf();
                Ok(Box::new(names.iter().map(move |name| {
                    let path = folder.join(format!("{name}.pyi"));
                    Ok(DirectoryEntry::new(path, FileType::File))
                })))
            }
            Some(StubEntry::File(_)) => Err(not_found()),
            None => {
                self.note(path, |reads| &mut reads.folders);
                let entries = self.os.read_directory(path)?;
                let unsaved = self.overlay.unsaved_in(path).unwrap_or_default();
                let folder = path.to_path_buf();
                let unsaved = unsaved.into_iter().map(move |name| {
                    let path = folder.join(name);
                    Ok(DirectoryEntry::new(path, FileType::File))
                });
                Ok(Box::new(entries.chain(unsaved)))
            }
        }
    }

    fn walk_directory(&self, path: &SystemPath) -> WalkDirectoryBuilder {
        self.os.walk_directory(path)
    }

    fn env_var(&self, name: &str) -> Result<String, std::env::VarError> {
        self.os.env_var(name)
    }

    fn as_writable(&self) -> Option<&dyn WritableSystem> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn dyn_clone(&self) -> Box<dyn System> {
        Box::new(self.clone())
    }
}

/// The database. Clones are cheap and share everything; each thread works on its own clone.
#[salsa::db]
#[derive(Clone)]
pub struct Database {
    storage: salsa::Storage<Self>,
    files: Files,
    system: Arc<LayeredSystem>,
    rules: Arc<RuleSelection>,
    analysis: Arc<AnalysisSettings>,
    /// One program for each view in use; the first is for files nobody asked about.
    programs: Arc<Vec<(View, ProgramSettings)>>,
    /// What the search paths were made of.
    origins: Arc<Origins>,
}

/// What the search paths of a database are made of. Where these are the same, a database serves on.
#[derive(Debug, PartialEq, Eq)]
struct Origins {
    roots: Roots,
    site_packages: Vec<Vec<SystemPathBuf>>,
    extra_stubs: Vec<SystemPathBuf>,
    /// Packages with fallback stubs that are there themselves.
    present: FxHashSet<String>,
}

impl Origins {
    /// The folders with installed packages, and those with stubs for them.
    fn installed(&self) -> impl Iterator<Item = &SystemPathBuf> {
        self.site_packages.iter().flatten().chain(&self.extra_stubs)
    }

    fn of(index: &Index) -> Self {
        let installed = index.site_packages.iter().flatten();
        Self {
            present: present_in(index.roots.all().chain(installed)),
            roots: index.roots.clone(),
            site_packages: index.site_packages.clone(),
            extra_stubs: index.extra_stubs.clone(),
        }
    }
}

impl Database {
    /// A database for the files of an index, with the views that they will be looked at with.
    ///
    /// It is `earlier`, where that was made of the same: then all files are as they are on disk now, and nothing is kept
    /// of the texts that stood for them. `Err` where a folder cannot be a search path.
    pub(crate) fn renewed(
        earlier: Option<Self>,
        index: &Index,
        mut views: Vec<View>,
    ) -> anyhow::Result<Self> {
        let origins = Origins::of(index);
        let mut database = match earlier {
            Some(mut database) if *database.origins == origins => {
                database.system.overlay.clear();
                let shared = database.origins.roots.shared.clone();
                Files::sync_all_recursive(&mut database, &shared);
                database
            }
            _ => Self::new(origins),
        };
        // There is always one, for files nobody asked about.
        views.push(View::of_version(PythonVersion::latest()));
        for view in views {
            database.add_view(view)?;
        }
        database.show_tables(index);
        Ok(database)
    }

    /// Lets a module of which nothing is known stand for each file that it would take very long for.
    pub(crate) fn show_tables(&mut self, index: &Index) {
        for table in &index.tables {
            self.set_text(table, Arc::from(ANYTHING));
        }
    }

    /// Whether it was made of what an index says of search paths now.
    pub(crate) fn is_of(&self, index: &Index) -> bool {
        *self.origins == Origins::of(index)
    }

    /// What was read from disk so far to tell types, but for installed packages.
    pub(crate) fn reads(&self) -> Reads {
        self.system
            .reads
            .lock()
            .map_or_else(|_| Reads::default(), |reads| reads.clone())
    }

    /// Takes note of a view, unless it is known.
    pub(crate) fn add_view(&mut self, view: View) -> anyhow::Result<()> {
        if self.programs.iter().any(|(known, _)| *known == view) {
            return Ok(());
        }
        let search_paths = self.search_paths(view)?;
        search_paths.try_register_static_roots(self);
        let settings = ProgramSettings {
            python_version: PythonVersionWithSource {
                version: view.version,
                ..PythonVersionWithSource::default()
            },
            python_platform: PythonPlatform::default(),
            search_paths,
        };
        Arc::make_mut(&mut self.programs).push((view, settings));
        Ok(())
    }

    fn new(origins: Origins) -> Self {
        let origins = Arc::new(origins);
        // All paths are absolute: which folder is the working folder plays no part.
        let folder = origins.roots.all().next().cloned();
        let folder = folder.unwrap_or_else(|| SystemPathBuf::from("/"));
        let system = LayeredSystem {
            os: OsSystem::new(&folder),
            overlay: Overlay::default(),
            origins: Arc::clone(&origins),
            reads: Arc::default(),
        };
        let database = Self {
            storage: salsa::Storage::new(None),
            files: Files::default(),
            system: Arc::new(system),
            rules: Arc::new(RuleSelection::from_registry(default_lint_registry())),
            analysis: Arc::new(AnalysisSettings::default()),
            programs: Arc::new(Vec::new()),
            origins: Arc::clone(&origins),
        };
        for root in origins.roots.all() {
            database
                .files
                .try_add_root(&database, root, FileRootKind::Project);
        }
        database
    }

    /// Where files with this view look for modules.
    fn search_paths(&self, view: View) -> anyhow::Result<SearchPaths> {
        let roots = &self.origins.roots;
        let mut folders = Vec::new();
        if let Some((place, own)) = view
            .own
            .and_then(|place| Some((place, roots.own.get(place)?)))
        {
            if !own.unknown.is_empty() {
                folders.push(unknown_folder(place));
            }
            folders.extend(own.first.iter().cloned());
        }
        let shared = roots.shared.iter().filter(|root| !folders.contains(root));
        let shared: Vec<SystemPathBuf> = shared.cloned().collect();
        folders.extend(shared);
        let mut paths = SearchPathSettings::new(folders);
        let packages = view
            .environment
            .and_then(|place| self.origins.site_packages.get(place));
        paths
            .site_packages_paths
            .clone_from(packages.unwrap_or(&self.origins.extra_stubs));
        // Installed packages come first; what is not installed is looked for here.
        paths
            .site_packages_paths
            .push(SystemPathBuf::from(STUB_ROOT));
        paths
            .to_search_paths(self.system(), self.vendored(), &FallibleStrategy)
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Lets `text` stand for the file at `path` from now on.
    pub fn set_text(&mut self, path: &SystemPath, text: Arc<str>) {
        let known = self.system.overlay.get(path);
        if known.as_deref() == Some(&*text) {
            return;
        }
        self.system.overlay.set(path, text);
        let is_unsaved = known.is_none() && !path.as_std_path().is_file();
        if is_unsaved {
            self.system.overlay.note_unsaved(path);
        }
        // A file that was never asked for is read when it is.
        if is_unsaved || known.is_some() || self.files.try_system(self, path).is_some() {
            File::sync_path(self, path);
        }
    }

    /// Lets the file at `path` be as it is on disk from now on, which may have changed.
    pub(crate) fn forget_text(&mut self, path: &SystemPath) {
        self.system.overlay.remove(path);
        // A text in another encoding than UTF-8 is not read from disk.
        if let Ok(source) = source::read(path.as_std_path())
            && !source.is_utf8()
        {
            self.system.overlay.set(path, source.text);
        }
        File::sync_path(self, path);
    }

    /// Lets `text` stand for the file at `path`, which nothing has asked for yet.
    ///
    /// Unlike [`Self::set_text`] this needs no exclusive access, so that files can be read in
    /// parallel.
    pub(crate) fn preload(&self, path: &SystemPath, text: Arc<str>) {
        self.system.overlay.set(path, text);
    }

    /// The file at `path`, with this view of what it imports. `None` where there is none.
    pub fn file(&self, path: &SystemPath, view: View) -> Option<ProgramFile<'_>> {
        let file = system_path_to_file(self, path).ok()?;
        let (_, settings) = self
            .programs
            .iter()
            .find(|(other, _)| *other == view)
            .or(self.programs.first())?;
        Some(Program::from_settings(self, settings).program_file(self, file))
    }
}

#[salsa::db]
impl salsa::Database for Database {}

#[salsa::db]
impl SourceDb for Database {
    fn vendored(&self) -> &VendoredFileSystem {
        ty_vendored::file_system()
    }

    fn system(&self) -> &dyn System {
        &*self.system
    }

    fn files(&self) -> &Files {
        &self.files
    }
}

#[salsa::db]
impl ModuleResolverDb for Database {}

#[salsa::db]
impl ty_python_core::Db for Database {
    fn should_check_file(&self, _file: File) -> bool {
        true
    }
}

#[salsa::db]
impl Db for Database {
    fn check_file(&self, _file: File) -> Vec<Diagnostic> {
        Vec::new()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is always one program, and the interface has no place for an error"
    )]
    fn program_file(&self, file: File) -> ProgramFile<'_> {
        Program::from_settings(self, &self.programs[0].1).program_file(self, file)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is always one program, and the interface has no place for an error"
    )]
    fn python_version_with_source(&self, _file: File) -> &PythonVersionWithSource {
        &self.programs[0].1.python_version
    }

    fn rule_selection(&self, _file: File) -> &RuleSelection {
        &self.rules
    }

    fn lint_registry(&self) -> &LintRegistry {
        default_lint_registry()
    }

    fn analysis_settings(&self, _file: File) -> &AnalysisSettings {
        &self.analysis
    }

    fn verbose(&self) -> bool {
        false
    }

    fn is_open_file(&self, _file: File) -> bool {
        false
    }

    fn dyn_clone(&self) -> Box<dyn Db> {
        Box::new(self.clone())
    }
}
