//! Configuration: `[tool.asyncfix]` in a `pyproject.toml`, or an `asyncfix.toml`.
//!
//! The nearest of these files above a Python file is the one that counts for it. A key that is not
//! known, or a value of the wrong type, is an error with its place; nothing is ignored silently.
//! `options` is the table of all keys; `read` reads a file by it, `resolve` says what applies to a folder.

mod options;
pub mod output_format;
mod read;
mod resolve;
mod schema;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_analysis::settings::{EndlessLoops, GatherGuard, Settings, TaskStrategy};
use asyncfix_codemods::finding::Finding;
use asyncfix_knowledge::blocking::Row;
use globset::GlobSet;
use ruff_python_ast::PythonVersion;
use rustc_hash::FxHasher;

use crate::config::output_format::OutputFormat;
use crate::fixes::Fixes;
use crate::python_version::OLDEST;
use crate::ruff_ignores::RuffIgnores;
use crate::selection::{self, Layer};

use options::OPTIONS;
pub use read::parse_version;
pub use resolve::{Overrides, Resolver};
pub use schema::schema;

/// The names of configuration files, in the order in which they are looked for in a folder.
pub const FILE_NAMES: [&str; 3] = [".asyncfix.toml", "asyncfix.toml", "pyproject.toml"];

/// Folders that hold no code of the project.
pub(crate) const DEFAULT_EXCLUDE: [&str; 22] = [
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".git-rewrite",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pyenv",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "__pycache__",
    "__pypackages__",
    "node_modules",
    "site-packages",
    "venv",
    "_build",
];

/// What one configuration file says; every part may be missing.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The choice of rules.
    pub layer: Layer,
    /// Whether rules in preview run.
    pub preview: Option<bool>,
    /// What is said about the configuration, for people.
    pub warnings: Vec<String>,
    /// Replaces [`DEFAULT_EXCLUDE`].
    pub exclude: Option<Vec<String>>,
    /// Adds to what is excluded.
    pub extend_exclude: Vec<String>,
    /// Rules that are off in files matching a pattern.
    pub per_file_ignores: Vec<(String, Vec<String>)>,
    /// The oldest Python that the code must run on.
    pub target_version: Option<PythonVersion>,
    /// Whether unsafe fixes are applied.
    pub unsafe_fixes: Option<bool>,
    /// Which fixes are made, and which count as safe.
    pub fixes: Fixes,
    /// How findings are shown.
    pub output_format: Option<OutputFormat>,
    /// Whether files that git ignores are left out.
    pub respect_gitignore: Option<bool>,
    /// Whether patterns exclude files that are named as well.
    pub force_exclude: Option<bool>,
    /// Whether Markdown and reStructuredText are looked at in folders.
    pub markdown: Option<bool>,
    /// The environment whose packages are looked at: an interpreter, or a folder.
    pub python: Option<PathBuf>,
    /// Folders that imports start from, beside those that are found.
    pub src: Vec<PathBuf>,
    /// Folders with stubs for packages that are not installed.
    pub extra_stubs: Vec<PathBuf>,
    /// `gather.guard`
    pub gather_guard: Option<GatherGuard>,
    /// `tasks.strategy`
    pub task_strategy: Option<TaskStrategy>,
    /// `cancellation.cleanup`
    pub cancellation_cleanup: Option<String>,
    /// `cancellation.endless`
    pub cancellation_endless: Option<EndlessLoops>,
    /// `concurrency.limit`
    pub concurrency_limit: Option<NonZeroU32>,
    /// `blocking.tests`
    pub blocking_in_tests: Option<bool>,
    /// `concurrency.tests`
    pub concurrency_in_tests: Option<bool>,
    /// `blocking`: what is said about calls, by dotted path. `None` where one does not block.
    pub blocking: BTreeMap<String, Option<Row>>,
}

/// An error in a configuration file or option, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Where the target version came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionOrigin {
    /// It was given, in a configuration or on the command line, under this name.
    Given(&'static str),
    /// It is the oldest one that this file of the project lets in.
    RequiresPython(PathBuf),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for VersionOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(name) => f.write_str(name),
            Self::RequiresPython(path) => write!(f, "the oldest in {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What applies to the files of a folder.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct Config {
    /// The file it was read from; `None` for the defaults.
    pub origin: Option<PathBuf>,
    /// The folder that patterns are relative to.
    pub root: PathBuf,
    /// The rules that run, before per-file ignores.
    pub codes: selection::Codes,
    /// Those of them that are selected by their own code or name.
    pub(crate) named: selection::Codes,
    /// What the project's configuration of ruff turns off.
    pub(crate) ruff: Option<Arc<RuffIgnores>>,
    /// Whether rules in preview run.
    pub preview: bool,
    /// The options of the codemods.
    pub settings: Settings,
    /// Where the target version came from.
    pub target_version_origin: VersionOrigin,
    /// Whether unsafe fixes are applied.
    pub unsafe_fixes: bool,
    /// Which fixes are made, and which count as safe.
    pub fixes: Fixes,
    /// How findings are shown, if the configuration says so.
    pub output_format: Option<OutputFormat>,
    /// Whether files that git ignores are left out.
    pub respect_gitignore: bool,
    /// Whether patterns exclude files that are named as well.
    pub force_exclude: bool,
    /// Whether Markdown and reStructuredText are looked at in folders.
    pub markdown: bool,
    /// The environment whose packages are looked at, as an absolute path.
    pub python: Option<PathBuf>,
    /// Folders that imports start from, beside those that are found. Absolute.
    pub src: Vec<PathBuf>,
    /// Folders with stubs for packages that are not installed. Absolute.
    pub extra_stubs: Vec<PathBuf>,
    /// What the configuration says about blocking calls, for people.
    blocking: BTreeMap<String, Option<Row>>,
    exclude_patterns: Vec<String>,
    exclude: GlobSet,
    per_file_ignores: Vec<(String, GlobSet, Vec<String>)>,
}

impl Config {
    /// A number for all that it says about findings and fixes. Another configuration has another one.
    pub(crate) fn number(&self) -> u64 {
        let Self {
            origin,
            root,
            codes,
            named,
            ruff,
            preview,
            settings,
            target_version_origin,
            unsafe_fixes,
            fixes,
            output_format: _,
            respect_gitignore: _,
            force_exclude: _,
            markdown: _,
            python,
            src,
            extra_stubs,
            blocking,
            exclude_patterns: _,
            exclude: _,
            per_file_ignores,
        } = self;
        let ignores = per_file_ignores.iter();
        let ignores: Vec<_> = ignores
            .map(|(pattern, _, selectors)| (pattern, selectors))
            .collect();
        // The table is long, and made of what `blocking` says.
        let settings = Settings {
            blocking: Arc::default(),
            ..settings.clone()
        };
        let rules = (codes, named, ruff, preview, unsafe_fixes, fixes, ignores);
        let places = (origin, root, python, src, extra_stubs);
        let mut hasher = FxHasher::default();
        format!("{rules:?}{places:?}{settings:?}{target_version_origin:?}{blocking:?}")
            .hash(&mut hasher);
        hasher.finish()
    }

    /// The version whose standard library types are told by. Where nobody said which one is meant, code
    /// may use names of the newest, and has no type without them.
    pub(crate) fn version_of_types(&self) -> PythonVersion {
        match self.target_version_origin {
            VersionOrigin::Default => PythonVersion::latest(),
            VersionOrigin::Given(_) | VersionOrigin::RequiresPython(_) => {
                self.settings.target_version.max(OLDEST)
            }
        }
    }

    /// Whether a file, or a folder it is in, is excluded. `path` is absolute.
    pub fn excludes_with_parents(&self, path: &Path) -> bool {
        path.ancestors()
            .take_while(|ancestor| ancestor.starts_with(&self.root))
            .any(|ancestor| self.excludes(ancestor))
    }

    /// Whether a file or folder is itself excluded. `path` is absolute.
    pub fn excludes(&self, path: &Path) -> bool {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        self.exclude.is_match(relative)
            || path
                .file_name()
                .is_some_and(|name| self.exclude.is_match(Path::new(name)))
    }

    /// The codes of the rules that run on the file at `path`, which is absolute.
    pub(crate) fn codes_for(&self, path: &Path) -> selection::Codes {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let name = path.file_name().map(Path::new);
        let ignored: Vec<&String> = self
            .per_file_ignores
            .iter()
            .filter(|(_, glob, _)| {
                // A folder stands for all that is in it.
                relative.ancestors().any(|path| glob.is_match(path))
                    || name.is_some_and(|name| glob.is_match(name))
            })
            .flat_map(|(_, _, selectors)| selectors)
            .collect();
        if ignored.is_empty() {
            return self.codes.clone();
        }
        self.codes
            .iter()
            .copied()
            .filter(|code| {
                asyncfix_codemods::rule(code).is_some_and(|rule| {
                    !ignored.iter().any(|selector| rule.is_selected_by(selector))
                })
            })
            .collect()
    }

    /// Whether a finding is one that ruff would report, and the project has that rule of ruff turned off in the file at
    /// `path`, which is absolute. A rule that is selected by its own code or name is meant all the same.
    pub(crate) fn is_turned_off_in_ruff(&self, finding: &Finding, path: &Path) -> bool {
        let (Some(ruff), Some(code)) = (&self.ruff, finding.in_ruff) else {
            return false;
        };
        !self.named.contains(&finding.rule.code) && ruff.turn_off(code, path)
    }

    /// What applies to the file at `path`, which is absolute, or to the folder where there is none: one `key = value` a
    /// line, as TOML.
    pub fn show(&self, path: Option<&Path>) -> String {
        let mut text = String::new();
        let origin = match &self.origin {
            Some(path) => path.display().to_string(),
            None => "the defaults".to_owned(),
        };
        let _ = writeln!(text, "# from {origin}");
        let codes = path.map_or_else(|| self.codes.clone(), |path| self.codes_for(path));
        let is_off = |code: &&&str| !codes.contains(*code);
        let off: Vec<&str> = self.codes.iter().filter(is_off).copied().collect();
        if !off.is_empty() {
            let _ = writeln!(text, "# off in this file: {}", off.join(", "));
        }
        let ruff = path.zip(self.ruff.as_ref());
        let off = ruff.map(|(path, ruff)| ruff.turned_off(path));
        if let Some(off) = off.filter(|off| !off.is_empty()) {
            let off = off.join(", ");
            let _ = writeln!(
                text,
                "# off, because ruff's configuration ignores the same: {off}"
            );
        }
        if path.is_some_and(|path| self.excludes_with_parents(path)) {
            let _ = writeln!(text, "# this file is excluded");
        }
        let own = Self {
            codes,
            ..self.clone()
        };
        for option in OPTIONS {
            for (key, value) in (option.show)(&own) {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        text
    }
}
