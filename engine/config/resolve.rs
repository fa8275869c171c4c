//! What applies to the files of a folder: the nearest configuration file, what other tools' files say about the
//! project, and the command line on top.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use asyncfix_analysis::settings::Settings;
use globset::{Glob, GlobSet, GlobSetBuilder};
use ruff_python_ast::PythonVersion;
use rustc_hash::FxHashMap;

use super::read::{parse_into, read_options};
use super::{Config, ConfigError, DEFAULT_EXCLUDE, FILE_NAMES, Options, VersionOrigin};
use crate::folder_files::FolderFiles;
use crate::formatters::{self, Layout};
use crate::python_version;
use crate::requirements;
use crate::ruff_ignores::RuffIgnores;
use crate::selection::{self, Layer};
use crate::test_runners;
use crate::type_checkers;

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
    /// `--preview`, `--no-preview`
    pub preview: Option<bool>,
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
    /// What is said about the configurations that were read, for people.
    warnings: Mutex<BTreeSet<String>>,
    /// By the folders as they are written: to compare paths by their components takes many times as long.
    folders: RwLock<FxHashMap<OsString, Result<Arc<Config>, ConfigError>>>,
}

impl Resolver {
    /// A resolver; `cwd` is the folder that the defaults and `--config` options are relative to.
    ///
    /// `Err` where the options given on the command line are wrong.
    pub fn new(overrides: Overrides, cwd: &Path) -> Result<Self, ConfigError> {
        let mut warnings = BTreeSet::new();
        for selector in selectors(&overrides.layer) {
            selection::check(selector).map_err(ConfigError)?;
            warnings.extend(selection::warning(selector));
        }
        let mut inline = Options::default();
        for text in &overrides.inline {
            parse_into(&mut inline, text, None, cwd, &[])
                .map_err(|error| ConfigError(format!("--config: {}", error.0)))?;
        }
        warnings.extend(std::mem::take(&mut inline.warnings));
        let mut resolver = Self {
            warnings: Mutex::new(warnings),
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

    /// The same for all files, wherever they are: what applies to those in `folder`, which is absolute.
    pub fn fixed_to(mut self, folder: &Path) -> Result<Self, ConfigError> {
        self.fixed = Some(self.for_folder(folder)?);
        Ok(self)
    }

    /// The options on top of the configuration, as a text that is another one for others.
    pub(crate) fn options(&self) -> String {
        format!("{:?}", self.overrides)
    }

    /// What is said about the configurations that were read so far, for people.
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self.warnings.lock();
        warnings.map_or_else(
            |_| Vec::new(),
            |warnings| warnings.iter().cloned().collect(),
        )
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
        let files = FolderFiles::of(folder);
        for name in FILE_NAMES.into_iter().filter(|_| !is_isolated) {
            let path = folder.join(name);
            if files.has(name)
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
            if let Some((version, path)) = python_version::oldest(&files).filter(|_| !is_given) {
                let config = Arc::make_mut(&mut inherited);
                config.settings.target_version = version;
                config.target_version_origin = VersionOrigin::RequiresPython(path);
            }
            let asked = requirements::of(&files);
            if !asked.is_empty() {
                let settings = &mut Arc::make_mut(&mut inherited).settings;
                Arc::make_mut(&mut settings.requirements).extend(asked);
            }
            if let Some(asks) = type_checkers::ask_for_annotations(&files) {
                let settings = &mut Arc::make_mut(&mut inherited).settings;
                settings.asks_for_annotations = asks;
                settings.is_type_checked = true;
            }
            let checkers = type_checkers::named(&files);
            if !checkers.is_empty() {
                let settings = &mut Arc::make_mut(&mut inherited).settings;
                settings.is_type_checked = true;
                settings.loses_signatures |= checkers.contains(&type_checkers::TY);
            }
            if let Some(awaits) = test_runners::await_tests(&files) {
                Arc::make_mut(&mut inherited).settings.awaits_tests = awaits;
            }
            if let Some(ruff) = RuffIgnores::of(&files) {
                Arc::make_mut(&mut inherited).ruff = Some(Arc::new(ruff));
            }
            let layout = formatters::layout(&files);
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
        let above: Vec<FolderFiles<'_>> = root.ancestors().map(FolderFiles::of).collect();
        let (target_version, target_version_origin) =
            if let Some(version) = overrides.target_version {
                (version, VersionOrigin::Given("--target-version"))
            } else if let Some(version) = inline.target_version {
                (version, VersionOrigin::Given("--config"))
            } else if let Some(version) = options.target_version {
                (version, VersionOrigin::Given("target-version"))
            } else if let Some((version, path)) = origin
                .is_some()
                .then(|| above.iter().find_map(python_version::oldest))
                .flatten()
            {
                (version, VersionOrigin::RequiresPython(path))
            } else {
                (Settings::default().target_version, VersionOrigin::Default)
            };
        let requirements = above.iter().rev().flat_map(requirements::of).collect();
        let defaults = Settings::default();
        let asks = above.iter().find_map(type_checkers::ask_for_annotations);
        let checkers: Vec<&str> = above.iter().flat_map(type_checkers::named).collect();
        let layouts: Vec<Layout> = above.iter().map(formatters::layout).collect();
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.extend(options.warnings);
        }
        let preview = overrides
            .preview
            .or(inline.preview)
            .or(options.preview)
            .unwrap_or(false);
        let mut blocking = options.blocking;
        blocking.extend(inline.blocking.clone());
        let layers = [&options.layer, &inline.layer, &overrides.layer];
        Ok(Config {
            codes: selection::resolve(&layers, preview),
            named: selection::named(&layers),
            ruff: above.iter().find_map(RuffIgnores::of).map(Arc::new),
            preview,
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
                is_type_checked: asks.is_some() || !checkers.is_empty(),
                loses_signatures: checkers.contains(&type_checkers::TY),
                awaits_tests: above
                    .iter()
                    .find_map(test_runners::await_tests)
                    .unwrap_or(defaults.awaits_tests),
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
