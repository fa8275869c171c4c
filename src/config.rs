//! Configuration: `[tool.asyncfix]` in a `pyproject.toml`, or an `asyncfix.toml`.
//!
//! The nearest of these files above a Python file is the one that counts for it. A key that is not
//! known, or a value of the wrong type, is an error with its place; nothing is ignored silently.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, RwLock};

use asyncfix_codemods::blocking::CODES;
use asyncfix_codemods::settings::{
    EndlessLoops, GatherGuard, Settings, TaskStrategy, check_cleanup,
};
use asyncfix_codemods::support::blocking::{KINDS, Kind, Row, Table};
use clap::ValueEnum;
use globset::{Glob, GlobSet, GlobSetBuilder};
use pep440_rs::{Version, VersionSpecifiers};
use ruff_python_ast::PythonVersion;
use rustc_hash::FxHashMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fixes::Fixes;
use crate::format::OutputFormat;
use crate::formatters::{self, Layout};
use crate::python_version;
use crate::requirements;
use crate::selection::{self, Layer};
use crate::type_checkers;

/// The names of configuration files, in the order in which they are looked for in a folder.
pub const FILE_NAMES: [&str; 3] = [".asyncfix.toml", "asyncfix.toml", "pyproject.toml"];

/// Folders that hold no code of the project.
pub const DEFAULT_EXCLUDE: [&str; 23] = [
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
    ".ipynb_checkpoints",
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
    /// The version whose standard library types are told by. Where nobody said which one is meant, code
    /// may use names of the newest, and has no type without them.
    pub fn version_of_types(&self) -> PythonVersion {
        match self.target_version_origin {
            VersionOrigin::Default => PythonVersion::latest(),
            VersionOrigin::Given(_) | VersionOrigin::RequiresPython(_) => {
                self.settings.target_version
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
    pub fn codes_for(&self, path: &Path) -> selection::Codes {
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

    /// What applies, one `key = value` a line, as TOML.
    pub fn show(&self) -> String {
        let mut text = String::new();
        let origin = match &self.origin {
            Some(path) => path.display().to_string(),
            None => "the defaults".to_owned(),
        };
        let list = |items: &[String]| {
            let quoted: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
            format!("[{}]", quoted.join(", "))
        };
        let codes: Vec<String> = self.codes.iter().map(|code| (*code).to_owned()).collect();
        let _ = writeln!(text, "# from {origin}");
        let _ = writeln!(text, "select = {}", list(&codes));
        let _ = writeln!(
            text,
            "target-version = \"{}\"  # {}",
            self.settings.target_version, self.target_version_origin
        );
        let _ = writeln!(text, "unsafe-fixes = {}", self.unsafe_fixes);
        if let Some(fixable) = &self.fixes.fixable {
            let _ = writeln!(text, "fixable = {}", list(fixable));
        }
        for (name, selectors) in [
            ("unfixable", &self.fixes.unfixable),
            ("extend-safe-fixes", &self.fixes.safe),
            ("extend-unsafe-fixes", &self.fixes.not_safe),
        ] {
            if !selectors.is_empty() {
                let _ = writeln!(text, "{name} = {}", list(selectors));
            }
        }
        if let Some(format) = self.output_format {
            let _ = writeln!(text, "output-format = {:?}", format.name());
        }
        let _ = writeln!(text, "respect-gitignore = {}", self.respect_gitignore);
        let _ = writeln!(text, "force-exclude = {}", self.force_exclude);
        let _ = writeln!(text, "markdown = {}", self.markdown);
        let _ = writeln!(text, "exclude = {}", list(&self.exclude_patterns));
        let paths = |paths: &[PathBuf]| {
            let paths: Vec<String> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            list(&paths)
        };
        if let Some(python) = &self.python {
            let _ = writeln!(text, "python = {:?}", python.display().to_string());
        }
        let _ = writeln!(text, "src = {}", paths(&self.src));
        let _ = writeln!(text, "extra-stubs = {}", paths(&self.extra_stubs));
        let guard = match self.settings.gather_guard {
            GatherGuard::Auto => "auto",
            GatherGuard::Always => "always",
            GatherGuard::Never => "never",
        };
        let strategy = match self.settings.task_strategy {
            TaskStrategy::Auto => "auto",
            TaskStrategy::Await => "await",
            TaskStrategy::Set => "set",
        };
        if let Some(cleanup) = &self.settings.cancellation_cleanup {
            let _ = writeln!(text, "cancellation.cleanup = {cleanup:?}");
        }
        let endless = match self.settings.cancellation_endless {
            EndlessLoops::Auto => "auto",
            EndlessLoops::Always => "always",
            EndlessLoops::Held => "held",
        };
        let _ = writeln!(text, "cancellation.endless = {endless:?}");
        let limit = self.settings.concurrency_limit;
        let _ = writeln!(text, "concurrency.limit = {limit}");
        let _ = writeln!(
            text,
            "concurrency.tests = {}",
            self.settings.concurrency_in_tests
        );
        let _ = writeln!(text, "blocking.tests = {}", self.settings.blocking_in_tests);
        for (path, row) in &self.blocking {
            let value = match row {
                Some(row) => {
                    let kind = KINDS
                        .iter()
                        .find(|(_, kind)| *kind == row.kind)
                        .map_or("report", |(name, _)| name);
                    let safety = if row.is_safe() { "safe" } else { "unsafe" };
                    format!(
                        "{{ code = {:?}, rewrite = {kind:?}, safety = {safety:?} }}",
                        row.code
                    )
                }
                None => "false".to_owned(),
            };
            let _ = writeln!(text, "blocking.{path:?} = {value}");
        }
        let _ = writeln!(text, "gather.guard = {guard:?}");
        let _ = writeln!(text, "tasks.strategy = {strategy:?}");
        if !self.per_file_ignores.is_empty() {
            let _ = writeln!(text, "\n[per-file-ignores]");
            for (pattern, _, selectors) in &self.per_file_ignores {
                let _ = writeln!(text, "{pattern:?} = {}", list(selectors));
            }
        }
        text
    }
}

/// What the command line says on top of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Do not look for configuration files.
    pub isolated: bool,
    /// `--config FILE`: read this one for every file.
    pub file: Option<PathBuf>,
    /// `--config 'key = value'`: TOML laid over the file's.
    pub inline: Vec<String>,
    /// The choice of rules.
    pub layer: Layer,
    /// `--exclude`: replaces what the configuration excludes.
    pub exclude: Option<Vec<String>>,
    /// `--extend-exclude`
    pub extend_exclude: Vec<String>,
    /// `--target-version`
    pub target_version: Option<PythonVersion>,
    /// `--python`
    pub python: Option<PathBuf>,
    /// `--unsafe-fixes`, `--no-unsafe-fixes`
    pub unsafe_fixes: Option<bool>,
    /// `--respect-gitignore`, `--no-respect-gitignore`
    pub respect_gitignore: Option<bool>,
    /// `--force-exclude`, `--no-force-exclude`
    pub force_exclude: Option<bool>,
}

/// Finds the configuration for folders, reading each file once.
pub struct Resolver {
    overrides: Overrides,
    inline: Options,
    fixed: Option<Arc<Config>>,
    cwd: PathBuf,
    /// By the folders as they are written: to compare paths by their components takes many times as long.
    folders: RwLock<FxHashMap<OsString, Result<Arc<Config>, ConfigError>>>,
}

impl Resolver {
    /// A resolver; `cwd` is the folder that the defaults and `--config` options are relative to.
    ///
    /// `Err` where the options given on the command line are wrong.
    pub fn new(overrides: Overrides, cwd: &Path) -> Result<Self, ConfigError> {
        for selector in selectors(&overrides.layer) {
            selection::check(selector).map_err(ConfigError)?;
        }
        let mut inline = Options::default();
        for text in &overrides.inline {
            parse_into(&mut inline, text, None, cwd, &[])
                .map_err(|error| ConfigError(format!("--config: {}", error.0)))?;
        }
        let mut resolver = Self {
            overrides,
            inline,
            fixed: None,
            cwd: cwd.to_path_buf(),
            folders: RwLock::default(),
        };
        if let Some(file) = resolver.overrides.file.clone() {
            let options = read_options(&file)?.unwrap_or_default();
            let root = std::path::absolute(&file)
                .ok()
                .and_then(|path| path.parent().map(Path::to_path_buf))
                .unwrap_or_else(|| cwd.to_path_buf());
            resolver.fixed = Some(Arc::new(resolver.config(options, Some(file), root)?));
        }
        Ok(resolver)
    }

    /// What applies to files in `folder`, which is absolute.
    pub fn for_folder(&self, folder: &Path) -> Result<Arc<Config>, ConfigError> {
        if let Some(fixed) = &self.fixed {
            return Ok(Arc::clone(fixed));
        }
        if let Ok(folders) = self.folders.read()
            && let Some(found) = folders.get(folder.as_os_str())
        {
            return found.clone();
        }
        let found = self.find(folder);
        if let Ok(mut folders) = self.folders.write() {
            folders.insert(folder.as_os_str().to_owned(), found.clone());
        }
        found
    }

    fn find(&self, folder: &Path) -> Result<Arc<Config>, ConfigError> {
        let is_isolated = self.overrides.isolated;
        for name in FILE_NAMES.into_iter().filter(|_| !is_isolated) {
            let path = folder.join(name);
            if path.is_file()
                && let Some(options) = read_options(&path)?
            {
                let config = self.config(options, Some(path), folder.to_path_buf())?;
                return Ok(Arc::new(config));
            }
        }
        if let Some(parent) = folder.parent() {
            let mut inherited = self.for_folder(parent)?;
            let is_given = matches!(inherited.target_version_origin, VersionOrigin::Given(_));
            // A project says for which versions it is, and how its types are checked, whether it configures this
            // tool or not.
            if let Some((version, path)) = python_version::oldest(folder).filter(|_| !is_given) {
                let config = Arc::make_mut(&mut inherited);
                config.settings.target_version = version;
                config.target_version_origin = VersionOrigin::RequiresPython(path);
            }
            let asked = requirements::of(folder);
            if !asked.is_empty() {
                let settings = &mut Arc::make_mut(&mut inherited).settings;
                Arc::make_mut(&mut settings.requirements).extend(asked);
            }
            if let Some(asks) = type_checkers::ask_for_annotations(folder) {
                let settings = &mut Arc::make_mut(&mut inherited).settings;
                settings.asks_for_annotations = asks;
                settings.is_type_checked = true;
            }
            let layout = formatters::layout(folder);
            if layout != Layout::default() {
                let settings = &mut Arc::make_mut(&mut inherited).settings;
                settings.line_length = layout.line_length.unwrap_or(settings.line_length);
                settings.lines_after_imports =
                    layout.lines_after_imports.or(settings.lines_after_imports);
            }
            Ok(inherited)
        } else {
            // Without any configuration, patterns of the command line are relative to where that was written.
            let root = if is_isolated { &self.cwd } else { folder };
            let config = self.config(Options::default(), None, root.to_path_buf())?;
            Ok(Arc::new(config))
        }
    }

    /// Lays the command line over what a file says.
    fn config(
        &self,
        options: Options,
        origin: Option<PathBuf>,
        root: PathBuf,
    ) -> Result<Config, ConfigError> {
        let inline = &self.inline;
        let overrides = &self.overrides;
        let mut exclude_patterns = overrides
            .exclude
            .clone()
            .or_else(|| inline.exclude.clone())
            .or(options.exclude)
            .unwrap_or_else(|| DEFAULT_EXCLUDE.map(str::to_owned).to_vec());
        exclude_patterns.extend(options.extend_exclude);
        exclude_patterns.extend(inline.extend_exclude.iter().cloned());
        exclude_patterns.extend(overrides.extend_exclude.iter().cloned());
        let per_file_ignores = options
            .per_file_ignores
            .into_iter()
            .chain(inline.per_file_ignores.iter().cloned())
            .map(|(pattern, selectors)| {
                Ok((
                    pattern.clone(),
                    globs(std::slice::from_ref(&pattern))?,
                    selectors,
                ))
            })
            .collect::<Result<_, ConfigError>>()?;
        let (target_version, target_version_origin) =
            if let Some(version) = overrides.target_version {
                (version, VersionOrigin::Given("--target-version"))
            } else if let Some(version) = inline.target_version {
                (version, VersionOrigin::Given("--config"))
            } else if let Some(version) = options.target_version {
                (version, VersionOrigin::Given("target-version"))
            } else if let Some((version, path)) = origin
                .is_some()
                .then(|| root.ancestors().find_map(python_version::oldest))
                .flatten()
            {
                (version, VersionOrigin::RequiresPython(path))
            } else {
                (Settings::default().target_version, VersionOrigin::Default)
            };
        let mut folders: Vec<_> = root.ancestors().collect();
        folders.reverse();
        let requirements = folders.into_iter().flat_map(requirements::of).collect();
        let defaults = Settings::default();
        let asks = root
            .ancestors()
            .find_map(type_checkers::ask_for_annotations);
        let layouts: Vec<Layout> = root.ancestors().map(formatters::layout).collect();
        let mut blocking = options.blocking;
        blocking.extend(inline.blocking.clone());
        Ok(Config {
            codes: selection::resolve(&[&options.layer, &inline.layer, &overrides.layer]),
            settings: Settings {
                target_version,
                requirements: Arc::new(requirements),
                gather_guard: inline
                    .gather_guard
                    .or(options.gather_guard)
                    .unwrap_or(defaults.gather_guard),
                task_strategy: inline
                    .task_strategy
                    .or(options.task_strategy)
                    .unwrap_or(defaults.task_strategy),
                cancellation_cleanup: inline
                    .cancellation_cleanup
                    .clone()
                    .or(options.cancellation_cleanup)
                    .or(defaults.cancellation_cleanup),
                cancellation_endless: inline
                    .cancellation_endless
                    .or(options.cancellation_endless)
                    .unwrap_or(defaults.cancellation_endless),
                concurrency_limit: inline
                    .concurrency_limit
                    .or(options.concurrency_limit)
                    .unwrap_or(defaults.concurrency_limit),
                blocking: if blocking.is_empty() {
                    defaults.blocking
                } else {
                    Arc::new(defaults.blocking.with(&blocking))
                },
                blocking_in_tests: inline
                    .blocking_in_tests
                    .or(options.blocking_in_tests)
                    .unwrap_or(defaults.blocking_in_tests),
                concurrency_in_tests: inline
                    .concurrency_in_tests
                    .or(options.concurrency_in_tests)
                    .unwrap_or(defaults.concurrency_in_tests),
                asks_for_annotations: asks.unwrap_or(defaults.asks_for_annotations),
                is_type_checked: asks.is_some(),
                line_length: layouts
                    .iter()
                    .find_map(|layout| layout.line_length)
                    .unwrap_or(defaults.line_length),
                lines_after_imports: layouts.iter().find_map(|layout| layout.lines_after_imports),
            },
            target_version_origin,
            unsafe_fixes: overrides
                .unsafe_fixes
                .or(inline.unsafe_fixes)
                .or(options.unsafe_fixes)
                .unwrap_or(false),
            fixes: options.fixes.with(&inline.fixes),
            output_format: inline.output_format.or(options.output_format),
            respect_gitignore: overrides
                .respect_gitignore
                .or(inline.respect_gitignore)
                .or(options.respect_gitignore)
                .unwrap_or(true),
            force_exclude: overrides
                .force_exclude
                .or(inline.force_exclude)
                .or(options.force_exclude)
                .unwrap_or(false),
            markdown: inline.markdown.or(options.markdown).unwrap_or(false),
            python: overrides
                .python
                .clone()
                .or_else(|| inline.python.clone())
                .or(options.python),
            src: [inline.src.clone(), options.src].concat(),
            extra_stubs: [inline.extra_stubs.clone(), options.extra_stubs].concat(),
            blocking,
            exclude: globs(&exclude_patterns)?,
            exclude_patterns,
            per_file_ignores,
            origin,
            root,
        })
    }
}

fn selectors(layer: &Layer) -> impl Iterator<Item = &String> {
    layer
        .select
        .iter()
        .flatten()
        .chain(&layer.extend_select)
        .chain(&layer.ignore)
}

fn globs(patterns: &[String]) -> Result<GlobSet, ConfigError> {
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.trim_end_matches('/').trim_start_matches("./");
        let glob = |pattern: &str| {
            Glob::new(pattern)
                .map_err(|error| ConfigError(format!("invalid pattern `{pattern}`: {error}")))
        };
        builder.add(glob(pattern)?);
    }
    builder
        .build()
        .map_err(|error| ConfigError(error.to_string()))
}

/// Reads one configuration file. `None` for a `pyproject.toml` without `[tool.asyncfix]`.
fn read_options(path: &Path) -> Result<Option<Options>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
    let mut options = Options::default();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = absolute.parent().unwrap_or(path);
    let above: Vec<PathBuf> = absolute.canonicalize().into_iter().collect();
    let found = parse_into(&mut options, &text, Some(path), folder, &above)?;
    Ok(found.then_some(options))
}

/// Reads TOML. With the path of a `pyproject.toml`, only its `[tool.asyncfix]` table; `false` when
/// it has none. `above` are the files that this one is read for, as it is extended by them.
fn parse_into(
    options: &mut Options,
    text: &str,
    path: Option<&Path>,
    folder: &Path,
    above: &[PathBuf],
) -> Result<bool, ConfigError> {
    let reader = Reader { text, path, folder };
    let is_pyproject = path
        .and_then(Path::file_name)
        .is_some_and(|name| name == "pyproject.toml");
    if is_pyproject && !text.contains("asyncfix") {
        return Ok(false);
    }
    let document = DeTable::parse(text).map_err(|error| {
        reader.error(
            error.span().map_or(0, |span| span.start),
            error.message().trim_end(),
        )
    })?;
    let table = if is_pyproject {
        let tool = document
            .get_ref()
            .get("tool")
            .and_then(|tool| tool.get_ref().as_table())
            .and_then(|tool| tool.get("asyncfix"));
        match tool {
            Some(table) => reader.table(table)?,
            None => return Ok(false),
        }
    } else {
        document.get_ref()
    };
    reader.extended(options, table, above)?;
    reader.options(options, table)?;
    Ok(true)
}

const KEYS: [&str; 26] = [
    "select",
    "extend-select",
    "ignore",
    "exclude",
    "extend-exclude",
    "per-file-ignores",
    "target-version",
    "unsafe-fixes",
    "fixable",
    "unfixable",
    "extend-safe-fixes",
    "extend-unsafe-fixes",
    "extend",
    "output-format",
    "required-version",
    "respect-gitignore",
    "force-exclude",
    "markdown",
    "python",
    "src",
    "extra-stubs",
    "blocking",
    "cancellation",
    "concurrency",
    "gather",
    "tasks",
];

/// The keys of a table about one blocking call.
const BLOCKING_KEYS: [&str; 5] = ["code", "instead", "reason", "rewrite", "safety"];

/// The rule for calls that a configuration adds without a word about it.
const DEFAULT_CODE: &str = "AF207";

/// Reads values and says where they are wrong.
struct Reader<'t> {
    text: &'t str,
    path: Option<&'t Path>,
    /// What relative paths are relative to.
    folder: &'t Path,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn error(&self, at: usize, message: &str) -> ConfigError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |last| last.chars().count())
            + 1;
        match self.path {
            Some(path) => ConfigError(format!("{}:{line}:{column}: {message}", path.display())),
            None => ConfigError(format!("`{}`: {message}", self.text)),
        }
    }

    fn unknown(&self, at: usize, key: &str, known: &[&str]) -> ConfigError {
        let hint = selection::nearest(key, known.iter().copied()).map_or_else(
            || format!("; known keys: {}", known.join(", ")),
            |name| format!("; did you mean `{name}`?"),
        );
        self.error(at, &format!("unknown key `{key}`{hint}"))
    }

    fn wrong(&self, value: &Value<'_>, expected: &str) -> ConfigError {
        self.error(
            value.span().start,
            &format!("expected {expected}, got {}", value.get_ref().type_str()),
        )
    }

    fn table<'v, 'i>(&self, value: &'v Value<'i>) -> Result<&'v DeTable<'i>, ConfigError> {
        value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.wrong(value, "a table"))
    }

    fn string<'v>(&self, value: &'v Value<'_>) -> Result<&'v str, ConfigError> {
        value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong(value, "a string"))
    }

    fn boolean(&self, value: &Value<'_>) -> Result<bool, ConfigError> {
        value
            .get_ref()
            .as_bool()
            .ok_or_else(|| self.wrong(value, "`true` or `false`"))
    }

    fn count(&self, value: &Value<'_>) -> Result<NonZeroU32, ConfigError> {
        const EXPECTED: &str = "a positive integer";
        let integer = value
            .get_ref()
            .as_integer()
            .ok_or_else(|| self.wrong(value, EXPECTED))?;
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        number
            .and_then(|number| u32::try_from(number).ok())
            .and_then(NonZeroU32::new)
            .ok_or_else(|| {
                let found = number.map_or_else(|| integer.as_str().to_owned(), |n| n.to_string());
                let message = format!("expected {EXPECTED}, got {found}");
                self.error(value.span().start, &message)
            })
    }

    fn strings(&self, value: &Value<'_>) -> Result<Vec<String>, ConfigError> {
        value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.wrong(value, "a list of strings"))?
            .iter()
            .map(|item| self.string(item).map(str::to_owned))
            .collect()
    }

    fn folders(&self, value: &Value<'_>) -> Result<Vec<PathBuf>, ConfigError> {
        let items = value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.wrong(value, "a list of folders"))?;
        items
            .iter()
            .map(|item| {
                let folder = self.folder.join(self.string(item)?);
                if folder.is_dir() {
                    Ok(folder)
                } else {
                    let message = format!("folder not found: {}", folder.display());
                    Err(self.error(item.span().start, &message))
                }
            })
            .collect()
    }

    fn rules(&self, value: &Value<'_>) -> Result<Vec<String>, ConfigError> {
        let items = value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.wrong(value, "a list of rules"))?;
        items
            .iter()
            .map(|item| {
                let selector = self.string(item)?;
                selection::check(selector)
                    .map_err(|message| self.error(item.span().start, &message))?;
                Ok(selector.to_owned())
            })
            .collect()
    }

    fn choice<T: Copy>(&self, value: &Value<'_>, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = self.string(value)?;
        choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, choice)| *choice)
            .ok_or_else(|| {
                let names: Vec<String> = choices
                    .iter()
                    .map(|(name, _)| format!("{name:?}"))
                    .collect();
                self.error(
                    value.span().start,
                    &format!("expected one of {}, got {text:?}", names.join(", ")),
                )
            })
    }

    /// What the configuration says about one blocking call: `false`, a rewrite, or a table.
    fn blocking(
        &self,
        key: &Spanned<Cow<'_, str>>,
        value: &Value<'_>,
    ) -> Result<Option<Row>, ConfigError> {
        let path = key.get_ref().as_ref();
        let parts = path.split('.').filter(|part| !part.is_empty()).count();
        if parts < 2 || parts != path.split('.').count() {
            return Err(self.error(
                key.span().start,
                &format!(
                    "`{path}` is not a dotted name; expected something like \"package.Class.method\""
                ),
            ));
        }
        let known = Table::builtin().get(path).cloned();
        let with_kind = |kind: Kind| {
            let mut row = known
                .clone()
                .unwrap_or_else(|| Row::new(DEFAULT_CODE, kind));
            // What the table has to say was about another rewrite.
            if row.kind != kind {
                row.reason = None;
            }
            row.kind = kind;
            row
        };
        let kinds: Vec<(&str, Kind)> = KINDS
            .into_iter()
            .filter(|(_, kind)| *kind != Kind::Replace)
            .collect();
        let table = match value.get_ref() {
            DeValue::Boolean(false) => return Ok(None),
            DeValue::String(_) => return Ok(Some(with_kind(self.choice(value, &kinds)?))),
            DeValue::Table(table) => table,
            _ => {
                return Err(self.wrong(
                    value,
                    "`false`, a rewrite such as \"to-thread\", or a table",
                ));
            }
        };
        let kind = match table.get("rewrite") {
            Some(kind) => self.choice(kind, &kinds)?,
            None => known.as_ref().map_or(Kind::ToThread, |row| row.kind),
        };
        let mut row = with_kind(kind);
        let mut is_unsafe = None;
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "rewrite" => {}
                "code" => {
                    let names: Vec<(&str, &str)> = CODES
                        .iter()
                        .flat_map(|rule| [(rule.code, rule.code), (rule.name, rule.code)])
                        .collect();
                    self.choice(value, &names)?.clone_into(&mut row.code);
                }
                "reason" => row.reason = Some(self.string(value)?.to_owned()),
                "instead" => row.instead = Some(self.string(value)?.to_owned()),
                "safety" => {
                    is_unsafe = Some(self.choice(value, &[("safe", false), ("unsafe", true)])?);
                }
                other => return Err(self.unknown(key.span().start, other, &BLOCKING_KEYS)),
            }
        }
        match is_unsafe {
            Some(false) => row.reason = None,
            Some(true) => {
                row.reason
                    .get_or_insert_with(|| "set in the configuration".to_owned());
            }
            None => {}
        }
        Ok(Some(row))
    }

    /// Checks that this version of asyncfix is one that the configuration is written for.
    fn require(&self, value: &Value<'_>) -> Result<(), ConfigError> {
        let text = self.string(value)?;
        let own = env!("CARGO_PKG_VERSION");
        let is_one = text.starts_with(|first: char| first.is_ascii_digit());
        let specifiers = if is_one {
            format!("=={text}")
        } else {
            text.to_owned()
        };
        let wrong =
            |error: &dyn std::fmt::Display| self.error(value.span().start, &error.to_string());
        let specifiers = VersionSpecifiers::from_str(&specifiers).map_err(|error| wrong(&error))?;
        let version = Version::from_str(own).map_err(|error| wrong(&error))?;
        if specifiers.contains(&version) {
            return Ok(());
        }
        let message = format!("this is asyncfix {own}, and the configuration requires {text}");
        Err(self.error(value.span().start, &message))
    }

    /// Reads the configuration that this one extends, if it does. `above` are those that extend this one.
    fn extended(
        &self,
        options: &mut Options,
        table: &DeTable<'_>,
        above: &[PathBuf],
    ) -> Result<(), ConfigError> {
        let Some(value) = table.get("extend") else {
            return Ok(());
        };
        let path = self.folder.join(self.string(value)?);
        let at = value.span().start;
        let path = path
            .canonicalize()
            .map_err(|error| self.error(at, &format!("cannot read {}: {error}", path.display())))?;
        if above.contains(&path) {
            let message = format!("{} extends itself", path.display());
            return Err(self.error(at, &message));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| self.error(at, &format!("cannot read {}: {error}", path.display())))?;
        let folder = path.parent().unwrap_or(&path);
        let above: Vec<PathBuf> = above.iter().cloned().chain([path.clone()]).collect();
        if !parse_into(options, &text, Some(&path), folder, &above)? {
            let message = format!("{} has no [tool.asyncfix]", path.display());
            return Err(self.error(at, &message));
        }
        Ok(())
    }

    fn options(&self, options: &mut Options, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "select" => options.layer.select = Some(self.rules(value)?),
                "extend-select" => options.layer.extend_select.extend(self.rules(value)?),
                "ignore" => options.layer.ignore.extend(self.rules(value)?),
                "fixable" => options.fixes.fixable = Some(self.rules(value)?),
                "unfixable" => options.fixes.unfixable.extend(self.rules(value)?),
                "extend-safe-fixes" => options.fixes.safe.extend(self.rules(value)?),
                "extend-unsafe-fixes" => options.fixes.not_safe.extend(self.rules(value)?),
                // Read before all others.
                "extend" => {}
                "output-format" => {
                    let names = OutputFormat::value_variants();
                    let names: Vec<_> = names
                        .iter()
                        .map(|format| (format.name(), *format))
                        .collect();
                    let names: Vec<(&str, OutputFormat)> = names
                        .iter()
                        .map(|(name, format)| (name.as_str(), *format))
                        .collect();
                    options.output_format = Some(self.choice(value, &names)?);
                }
                "required-version" => self.require(value)?,
                "exclude" => options.exclude = Some(self.strings(value)?),
                "extend-exclude" => options.extend_exclude.extend(self.strings(value)?),
                "unsafe-fixes" => options.unsafe_fixes = Some(self.boolean(value)?),
                "respect-gitignore" => options.respect_gitignore = Some(self.boolean(value)?),
                "force-exclude" => options.force_exclude = Some(self.boolean(value)?),
                "markdown" => options.markdown = Some(self.boolean(value)?),
                "python" => {
                    let path = self.folder.join(self.string(value)?);
                    if !path.exists() {
                        let message = format!("no Python environment at {}", path.display());
                        return Err(self.error(value.span().start, &message));
                    }
                    options.python = Some(path);
                }
                "src" => options.src = self.folders(value)?,
                "extra-stubs" => options.extra_stubs = self.folders(value)?,
                "target-version" => {
                    let text = self.string(value)?;
                    let version = parse_version(text)
                        .map_err(|message| self.error(value.span().start, &message))?;
                    options.target_version = Some(version);
                }
                "per-file-ignores" => {
                    for (pattern, selectors) in self.table(value)? {
                        options
                            .per_file_ignores
                            .push((pattern.get_ref().to_string(), self.rules(selectors)?));
                    }
                }
                "blocking" => {
                    for (key, value) in self.table(value)? {
                        let path = key.get_ref().as_ref();
                        if path == "tests" {
                            options.blocking_in_tests = Some(self.boolean(value)?);
                            continue;
                        }
                        let row = self.blocking(key, value)?;
                        options.blocking.insert(path.to_owned(), row);
                    }
                }
                "cancellation" => {
                    for (key, value) in self.table(value)? {
                        match key.get_ref().as_ref() {
                            "cleanup" => {
                                let cleanup = self.string(value)?;
                                check_cleanup(cleanup)
                                    .map_err(|message| self.error(value.span().start, message))?;
                                options.cancellation_cleanup = Some(cleanup.to_owned());
                            }
                            "endless" => {
                                options.cancellation_endless = Some(self.choice(
                                    value,
                                    &[
                                        ("auto", EndlessLoops::Auto),
                                        ("always", EndlessLoops::Always),
                                        ("held", EndlessLoops::Held),
                                    ],
                                )?);
                            }
                            other => {
                                let known = ["cleanup", "endless"];
                                return Err(self.unknown(key.span().start, other, &known));
                            }
                        }
                    }
                }
                "concurrency" => {
                    for (key, value) in self.table(value)? {
                        match key.get_ref().as_ref() {
                            "limit" => options.concurrency_limit = Some(self.count(value)?),
                            "tests" => options.concurrency_in_tests = Some(self.boolean(value)?),
                            other => {
                                let known = ["limit", "tests"];
                                return Err(self.unknown(key.span().start, other, &known));
                            }
                        }
                    }
                }
                "gather" => {
                    for (key, value) in self.table(value)? {
                        match key.get_ref().as_ref() {
                            "guard" => {
                                options.gather_guard = Some(self.choice(
                                    value,
                                    &[
                                        ("auto", GatherGuard::Auto),
                                        ("always", GatherGuard::Always),
                                        ("never", GatherGuard::Never),
                                    ],
                                )?);
                            }
                            other => return Err(self.unknown(key.span().start, other, &["guard"])),
                        }
                    }
                }
                "tasks" => {
                    for (key, value) in self.table(value)? {
                        match key.get_ref().as_ref() {
                            "strategy" => {
                                options.task_strategy = Some(self.choice(
                                    value,
                                    &[
                                        ("auto", TaskStrategy::Auto),
                                        ("await", TaskStrategy::Await),
                                        ("set", TaskStrategy::Set),
                                    ],
                                )?);
                            }
                            other => {
                                return Err(self.unknown(key.span().start, other, &["strategy"]));
                            }
                        }
                    }
                }
                other => return Err(self.unknown(key.span().start, other, &KEYS)),
            }
        }
        Ok(())
    }
}

/// Reads `3.10` or `py310`. `Err` says what was expected.
pub fn parse_version(text: &str) -> Result<PythonVersion, String> {
    let dotted = match text.strip_prefix("py") {
        Some(digits) if digits.len() >= 2 => format!("{}.{}", &digits[..1], &digits[1..]),
        _ => text.to_owned(),
    };
    PythonVersion::from_str(&dotted)
        .ok()
        .filter(|version| version.major == 3 && version.minor >= 7)
        .ok_or_else(|| {
            format!("unsupported Python version `{text}`; use 3.7 or newer, such as \"3.10\"")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Options, ConfigError> {
        let mut options = Options::default();
        parse_into(
            &mut options,
            text,
            Some(Path::new("asyncfix.toml")),
            Path::new("."),
            &[],
        )?;
        Ok(options)
    }

    #[test]
    fn the_cleanup_is_one_line_of_python() {
        let options = read("cancellation.cleanup = 'await close()'\n").unwrap();
        assert_eq!(
            options.cancellation_cleanup.as_deref(),
            Some("await close()")
        );
        for wrong in ["'close('", "'raise'", "\"\"\"a()\nb()\"\"\"", "'# nothing'"] {
            let error = read(&format!("[cancellation]\ncleanup = {wrong}\n")).unwrap_err();
            assert!(
                error.0.contains("expected a single line of Python"),
                "{wrong}: {error}"
            );
        }
        let error = read("[cancellation]\ncleanpu = 'close()'\n").unwrap_err();
        assert!(error.0.contains("cleanup"), "{error}");
    }

    #[test]
    fn the_limit_is_a_number_above_zero() {
        let options = read("concurrency.limit = 20\n").unwrap();
        assert_eq!(options.concurrency_limit, NonZeroU32::new(20));
        for (wrong, found) in [
            ("0", "0"),
            ("-3", "-3"),
            ("1.5", "float"),
            ("'20'", "string"),
        ] {
            let error = read(&format!("[concurrency]\nlimit = {wrong}\n")).unwrap_err();
            let expected = format!("asyncfix.toml:2:9: expected a positive integer, got {found}");
            assert_eq!(error.0, expected);
        }
        let error = read("[concurrency]\nlimits = 20\n").unwrap_err();
        assert!(error.0.contains("did you mean `limit`?"), "{error}");
    }

    #[test]
    fn blocking_calls_are_added_changed_and_taken_out() {
        let options = read(
            "[blocking]\n\
             \"mylib.Client.fetch\" = \"to-thread\"\n\
             \"requests.get\" = false\n\
             \"mylib.query\" = { code = \"blocking-database\", rewrite = \"report\", reason = \"it is slow\" }\n\
             \"shutil.rmtree\" = { safety = \"unsafe\" }\n",
        )
        .unwrap();
        let table = Table::builtin().with(&options.blocking);
        assert!(table.function("requests.get").is_none());
        assert!(table.function("requests.post").is_some());
        assert!(table.method("mylib.Client", "fetch").is_some());
        let query = table.function("mylib.query").unwrap();
        assert_eq!((query.code.as_str(), query.kind), ("AF209", Kind::Report));
        let tree = table.function("shutil.rmtree").unwrap();
        assert!(tree.code == "AF204" && !tree.is_safe());
    }

    #[test]
    fn tests_are_looked_at_where_a_table_says_so() {
        let options = read("[blocking]\ntests = true\n[concurrency]\ntests = true\n").unwrap();
        assert_eq!(options.blocking_in_tests, Some(true));
        assert_eq!(options.concurrency_in_tests, Some(true));
        assert!(options.blocking.is_empty());
    }

    #[test]
    fn a_wrong_word_about_a_blocking_call_is_an_error_with_its_place() {
        for (wrong, expected) in [
            (
                "open = false",
                "asyncfix.toml:2:1: `open` is not a dotted name",
            ),
            ("'a.b' = 'thread'", "asyncfix.toml:2:9: expected one of"),
            (
                "'a.b' = 3",
                "asyncfix.toml:2:9: expected `false`, a rewrite",
            ),
            (
                "'a.b' = { reasn = 'x' }",
                "asyncfix.toml:2:11: unknown key `reasn`; did you mean `reason`?",
            ),
            (
                "requests.get = false",
                "asyncfix.toml:2:1: `requests` is not a dotted name",
            ),
            (
                "'a.b' = { code = 'AF101' }",
                "asyncfix.toml:2:18: expected one of",
            ),
        ] {
            let error = read(&format!("[blocking]\n{wrong}\n")).unwrap_err();
            assert!(error.0.starts_with(expected), "{wrong}: {error}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_nearest_one() {
        let error = read("select = [\"AF7\"]\n\n[gather]\ngaurd = \"never\"\n").unwrap_err();
        assert_eq!(
            error.0,
            "asyncfix.toml:4:1: unknown key `gaurd`; did you mean `guard`?"
        );
    }

    #[test]
    fn a_wrong_type_is_an_error_with_its_place() {
        let error = read("unsafe-fixes = \"yes\"\n").unwrap_err();
        assert_eq!(
            error.0,
            "asyncfix.toml:1:16: expected `true` or `false`, got string"
        );
    }

    #[test]
    fn an_unknown_rule_is_an_error_with_the_nearest_one() {
        let error = read("ignore = [\"dangling-tasks\"]\n").unwrap_err();
        assert!(error.0.contains("did you mean `dangling-task`?"), "{error}");
    }

    #[test]
    fn a_broken_file_says_where() {
        let error = read("select = [\n").unwrap_err();
        assert!(error.0.starts_with("asyncfix.toml:1:11: "), "{error}");
    }

    #[test]
    fn versions_are_read_in_both_spellings() {
        assert_eq!(parse_version("py39"), Ok(PythonVersion::PY39));
        assert_eq!(parse_version("3.12"), Ok(PythonVersion::PY312));
        assert!(parse_version("2.7").is_err());
        assert!(parse_version("latest").is_err());
    }
}
