//! Which files belong together, and where the imports of each of them start.
//!
//! Python looks for a module in the folder of the script that runs, then where the project is told to start, then
//! among what is installed (Python documentation, "The Module Search Path"). One search path for all files would mix
//! up two folders that have a module of one name, so a file whose own folder answers an import otherwise than the
//! rest of the project has a search path of its own. Nothing here depends on the working folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use asyncfix_analysis::facts::name::Name;
use ruff_db::system::{SystemPath, SystemPathBuf};
use ruff_python_ast::PythonVersion;
use ruff_python_stdlib::sys::is_known_standard_library;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::config::{ConfigError, Resolver};
use crate::discovery;
use crate::folder_files::FolderFiles;

/// What a version control system leaves at the top of what it keeps.
const REPOSITORIES: [&str; 3] = [".git", ".hg", ".svn"];

/// Files that stand at the top of a project.
const MARKERS: [&str; 9] = [
    "pyproject.toml",
    "pytest.ini",
    "Pipfile",
    "requirements.txt",
    "setup.py",
    "setup.cfg",
    "asyncfix.toml",
    ".asyncfix.toml",
    "tox.ini",
];

/// What something in a folder says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    is_repository: bool,
    is_project: bool,
}

impl Marks {
    fn of(folder: &SystemPath) -> Self {
        let files = FolderFiles::of(folder.as_std_path());
        let has_one = |names: &[&str]| names.iter().any(|name| files.exists(name));
        Self {
            is_repository: has_one(&REPOSITORIES),
            is_project: has_one(&MARKERS),
        }
    }
}

/// What is known of folders.
pub(crate) type Marked = FxHashMap<SystemPathBuf, Marks>;

/// What a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Whole {
    /// The folder that all of it lies in.
    pub root: SystemPathBuf,
    /// Whether something says that this is a project. If not, it may be a folder with anything in it.
    is_project: bool,
}

impl Whole {
    /// What the files of `folder` belong to: the repository around them, else the outermost project, else the
    /// folder that their imports start from.
    pub fn around(folder: &SystemPath) -> Self {
        Self::around_known(folder, &mut FxHashMap::default())
    }

    /// The same; `known` has the marks of folders that were asked for before.
    pub(crate) fn around_known(folder: &SystemPath, known: &mut Marked) -> Self {
        let mut marks = |folder: &SystemPath| {
            let known = known.entry(folder.to_path_buf());
            *known.or_insert_with(|| Marks::of(folder))
        };
        // Some keep their settings in a repository that is their home: not all that lies there is one project.
        let home = std::env::home_dir();
        let inside = || {
            let is_outside = |above: &&SystemPath| {
                above.parent().is_none() || home.as_deref() == Some(above.as_std_path())
            };
            folder
                .ancestors()
                .take_while(move |above| !is_outside(above))
        };
        let repository = inside().find(|above| marks(above).is_repository);
        let root = match repository {
            Some(root) => Some(root),
            None => inside().filter(|above| marks(above).is_project).last(),
        };
        match root {
            Some(root) => Self {
                root: root.to_path_buf(),
                is_project: true,
            },
            None => Self {
                root: outermost_root(folder),
                is_project: false,
            },
        }
    }

    /// Whether something says that this is a project.
    pub fn is_project(&self) -> bool {
        self.is_project
    }

    /// Its Python files, without what the configuration leaves out.
    pub fn files(&self, resolver: &Resolver) -> Result<Vec<PathBuf>, ConfigError> {
        let mut folders = vec![self.root.as_std_path().to_path_buf()];
        let mut files = Vec::new();
        if !self.is_project {
            folders.clear();
            for entry in std::fs::read_dir(self.root.as_std_path())
                .into_iter()
                .flatten()
                .flatten()
            {
                let path = entry.path();
                if path.join("__init__.py").is_file() {
                    folders.push(path);
                } else if path.extension() == Some(OsStr::new("py")) && path.is_file() {
                    files.push(path);
                }
            }
        }
        let found = discovery::discover(&folders, resolver)?.files;
        files.extend(found.into_iter().map(|found| found.path));
        files.sort();
        Ok(files)
    }
}

/// How many folders above one without `__init__.py` may be a package that it belongs to.
const GAP: usize = 4;

/// The folder around the outermost package that `folder` may belong to, some folders of which may lack their
/// `__init__.py`; else the one that imports start from.
fn outermost_root(folder: &SystemPath) -> SystemPathBuf {
    let is_package = |folder: &SystemPath| folder.join("__init__.py").as_std_path().is_file();
    let mut root = import_root(folder, &mut FxHashMap::default());
    loop {
        let outer = root.ancestors().take(GAP).find(|folder| is_package(folder));
        let Some(outer) = outer.map(SystemPath::to_path_buf) else {
            return root;
        };
        let next = import_root(&outer, &mut FxHashMap::default());
        if next == root {
            return root;
        }
        root = next;
    }
}

/// The folder that imports of the files in `folder` start from: the first one from there upwards that
/// is no package itself. `known` has those of other folders.
fn import_root(
    folder: &SystemPath,
    known: &mut FxHashMap<SystemPathBuf, SystemPathBuf>,
) -> SystemPathBuf {
    if let Some(root) = known.get(folder) {
        return root.clone();
    }
    let is_inside = folder.join("__init__.py").as_std_path().is_file()
        // Standard input may go by the name of a file in a folder that is yet to be made.
        || !folder.as_std_path().is_dir()
        || hides_stdlib(folder);
    let root = match folder.parent() {
        Some(parent) if is_inside => import_root(parent, known),
        _ => folder.to_path_buf(),
    };
    known.insert(folder.to_path_buf(), root.clone());
    root
}

/// Whether a module of the folder has the name of one that all code needs: imports cannot start
/// here, so the folder is a package without `__init__.py`.
fn hides_stdlib(folder: &SystemPath) -> bool {
    [
        "types.py",
        "typing.py",
        "warnings.py",
        "asyncio.py",
        "abc.py",
        "enum.py",
        "collections.py",
    ]
    .iter()
    .any(|name| folder.join(name).as_std_path().is_file())
}

/// Where the imports of files start.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Roots {
    /// Where those of all files may start, in this order. What is not found there is looked for in the folders above
    /// the importing file.
    pub shared: Vec<SystemPathBuf>,
    /// For files that have more to start from, what that is.
    pub own: Vec<Own>,
    /// By their import roots, where in `own` the files have theirs.
    places: FxHashMap<SystemPathBuf, usize>,
}

/// What files of some folders start their imports from before they look at what all share.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct Own {
    /// The folders, in their order.
    pub first: Vec<SystemPathBuf>,
    /// Names of modules that may mean two files, where nothing tells which.
    pub unknown: Vec<String>,
}

/// The files of a folder, and the top-level packages and modules that they import.
pub struct Folder<'a> {
    /// The folder.
    pub path: &'a SystemPath,
    /// The names.
    pub imports: FxHashSet<&'a Name>,
}

impl Roots {
    /// Where the imports of files in `folders` start. `wholes` has what they belong to, `given` folders that the
    /// configuration names, and `is_installed` tells of a name whether a package that is installed, or whose types are
    /// known, has it.
    pub fn of(
        folders: &[Folder<'_>],
        wholes: &[Whole],
        given: &[SystemPathBuf],
        is_installed: impl Fn(&str) -> bool,
    ) -> Self {
        let imported: FxHashSet<&str> = folders
            .iter()
            .flat_map(|folder| folder.imports.iter().map(|name| name.as_str()))
            .collect();
        let mut known = FxHashMap::default();
        let mut names = Names {
            imported: &imported,
            known: FxHashMap::default(),
        };
        // By import root, what the files there import.
        let mut starts: FxHashMap<SystemPathBuf, FxHashSet<&str>> = FxHashMap::default();
        for folder in folders {
            let start = starts
                .entry(import_root(folder.path, &mut known))
                .or_default();
            start.extend(folder.imports.iter().map(|name| name.as_str()));
        }
        // What lies apart from others is no place for them to look, where both have a module of one name.
        let tops: Vec<&SystemPathBuf> = wholes.iter().map(|whole| &whole.root).collect();
        let have_common = |names: &mut Names<'_>, one: &SystemPathBuf, other: &SystemPathBuf| {
            let here = names.of(one).to_vec();
            names.of(other).iter().any(|name| here.contains(name))
        };
        let (alone, rivals): (Vec<&SystemPathBuf>, Vec<&SystemPathBuf>) =
            tops.iter().copied().partition(|top| {
                let mut others = tops.iter().filter(|other| *other != top);
                !others.any(|other| have_common(&mut names, top, other))
            });
        let mut shared: Vec<SystemPathBuf> = given.to_vec();
        shared.extend(alone.into_iter().cloned());
        let mut sources = sources(folders, wholes);
        sources.retain(|source| !shared.contains(source));
        let mut others: Vec<SystemPathBuf> = starts
            .keys()
            .filter(|start| {
                !shared.contains(start) && !sources.contains(start) && !rivals.contains(start)
            })
            .cloned()
            .collect();
        others.sort();
        // How many folders have each name.
        let mut counts: FxHashMap<String, usize> = FxHashMap::default();
        let of_rivals = rivals.iter().copied();
        for root in shared
            .iter()
            .chain(&sources)
            .chain(&others)
            .chain(of_rivals)
        {
            for name in names.of(root) {
                *counts.entry(name.clone()).or_default() += 1;
            }
        }
        let is_alone = |name: &str| counts.get(name).copied().unwrap_or_default() < 2;
        let mut apart = Vec::new();
        for root in sources {
            if names.of(&root).iter().all(|name| is_alone(name)) {
                shared.push(root);
            } else {
                apart.push(root);
            }
        }
        for root in others {
            let serves_all =
                |name: &String| is_alone(name) && !is_installed(name) && !is_stdlib(name);
            if names.of(&root).iter().all(serves_all) {
                shared.push(root);
            }
        }
        let mut roots = Self {
            shared,
            ..Self::default()
        };
        let mut starts: Vec<_> = starts.into_iter().collect();
        starts.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (start, imports) in starts {
            let mut own = roots.own_of(&start, &imports, &apart, &mut names, &is_installed);
            let mut around = rivals.iter().filter(|top| start.starts_with(top));
            if let Some(top) = around.next()
                && !own.first.contains(top)
            {
                own.first.push((*top).clone());
            }
            if own == Own::default() {
                continue;
            }
            let place = roots.own.iter().position(|other| *other == own);
            let place = place.unwrap_or_else(|| {
                roots.own.push(own);
                roots.own.len() - 1
            });
            roots.places.insert(start, place);
        }
        roots
    }

    /// What files below `start` have of their own.
    fn own_of(
        &self,
        start: &SystemPathBuf,
        imports: &FxHashSet<&str>,
        apart: &[SystemPathBuf],
        names: &mut Names<'_>,
        is_installed: &impl Fn(&str) -> bool,
    ) -> Own {
        let mut own = Own::default();
        if self.shared.first() == Some(start) {
            return own;
        }
        let is_used = |name: &&String| imports.contains(name.as_str());
        let means_otherwise = |names: &mut Names<'_>, name: &str| {
            let mut others = self.shared.iter().filter(|root| *root != start);
            others.any(|root| names.of(root).iter().any(|other| other == name))
        };
        let here: Vec<String> = names.of(start).iter().filter(is_used).cloned().collect();
        let mut is_first = false;
        for name in here {
            // A module with the name of one of the standard library is hardly meant by it, except from within a
            // package.
            if is_stdlib(&name) {
                continue;
            }
            if !means_otherwise(names, &name) && !is_installed(&name) {
                continue;
            }
            // Code that others import by way of the folder does not run in it as a script.
            let folder = start.file_name().unwrap_or_default();
            if names.imported.contains(folder) {
                own.unknown.push(name);
            } else {
                is_first = true;
            }
        }
        if is_first {
            own.first.push(start.clone());
        }
        for source in apart {
            let is_near = source
                .parent()
                .is_some_and(|project| start.starts_with(project));
            if is_near && source != start && names.of(source).iter().any(|name| is_used(&name)) {
                own.first.push(source.clone());
            } else if source == start && !own.first.contains(source) {
                own.first.insert(0, source.clone());
            }
        }
        own.unknown.sort();
        own
    }

    /// Where in [`Self::own`] the files of `folder` have what is their own.
    pub fn place_of(&self, folder: &SystemPath) -> Option<usize> {
        self.places_of([folder]).next().flatten()
    }

    /// The same for many folders.
    pub(crate) fn places_of<'f>(
        &self,
        folders: impl IntoIterator<Item = &'f SystemPath>,
    ) -> impl Iterator<Item = Option<usize>> {
        let mut known = FxHashMap::default();
        folders.into_iter().map(move |folder| {
            let start = import_root(folder, &mut known);
            self.places.get(&start).copied()
        })
    }

    /// All folders that any import starts from.
    pub fn all(&self) -> impl Iterator<Item = &SystemPathBuf> {
        let own = self.own.iter().flat_map(|own| &own.first);
        self.shared.iter().chain(own).chain(self.places.keys())
    }
}

/// The modules and packages at the top of folders, as far as something imports their names.
struct Names<'i> {
    imported: &'i FxHashSet<&'i str>,
    known: FxHashMap<SystemPathBuf, Vec<String>>,
}

impl Names<'_> {
    fn of(&mut self, root: &SystemPathBuf) -> &[String] {
        let imported = self.imported;
        self.known.entry(root.clone()).or_insert_with(|| {
            let mut names: Vec<String> = std::fs::read_dir(root.as_std_path())
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|entry| {
                    let path = entry.path();
                    let name = match path.extension() {
                        Some(ending) if ending == "py" || ending == "pyi" => path.file_stem()?,
                        _ => path.file_name()?,
                    };
                    let name = name.to_str().filter(|name| imported.contains(name))?;
                    let is_code = path.extension().is_some() || holds_code(&path);
                    is_code.then(|| name.to_owned())
                })
                .collect();
            names.sort();
            names.dedup();
            names
        })
    }
}

fn is_stdlib(name: &str) -> bool {
    is_known_standard_library(PythonVersion::latest().minor, name)
}

/// Whether a folder is a package, or has modules in it.
fn holds_code(folder: &Path) -> bool {
    folder.join("__init__.py").is_file()
        || std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| {
                let path = entry.path();
                let ending = path.extension();
                ending.is_some_and(|ending| ending == "py" || ending == "pyi")
            })
}

/// The folders called `src` that imports start from (Python Packaging User Guide, "src layout vs flat layout"): around
/// files, and beside what stands at the top of a project.
fn sources(folders: &[Folder<'_>], wholes: &[Whole]) -> Vec<SystemPathBuf> {
    let mut sources = FxHashSet::default();
    let mut seen: FxHashSet<&SystemPath> = FxHashSet::default();
    for folder in folders {
        for above in folder.path.ancestors() {
            if !seen.insert(above) {
                break;
            }
            if above.file_name() == Some("src") {
                sources.insert(above.to_path_buf());
            }
            let beside = above.join("src");
            let has_marker = || {
                MARKERS
                    .iter()
                    .any(|name| above.join(name).as_std_path().is_file())
            };
            if beside.as_std_path().is_dir() && has_marker() {
                sources.insert(beside);
            }
            if wholes.iter().any(|whole| whole.root.as_path() == above) {
                break;
            }
        }
    }
    sources.extend(wholes.iter().map(|whole| whole.root.join("src")));
    let is_root = |folder: &SystemPathBuf| {
        folder.as_std_path().is_dir() && !folder.join("__init__.py").as_std_path().is_file()
    };
    let mut sources: Vec<SystemPathBuf> = sources.into_iter().filter(is_root).collect();
    sources.sort();
    sources
}

/// A version of Python, where in [`Roots::own`] files have theirs, and an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// The version whose standard library types are told by.
    pub version: PythonVersion,
    /// Where the imports start.
    pub own: Option<usize>,
    /// Which environment the packages come from.
    pub environment: Option<usize>,
}

impl View {
    /// The view of files that have nothing of their own.
    pub(crate) fn of_version(version: PythonVersion) -> Self {
        Self {
            version,
            own: None,
            environment: None,
        }
    }
}
