//! The table of all options: what each is called, what it takes, what it means. The configuration is read by it, and
//! `asyncfix config`, the JSON Schema and the reference in the documentation are made from it.

use std::borrow::Cow;
use std::path::PathBuf;

use asyncfix_analysis::settings::{EndlessLoops, GatherGuard, TaskStrategy, check_cleanup};
use asyncfix_knowledge::blocking::KINDS;
use clap::ValueEnum;
use toml::Spanned;

use super::read::{Reader, Value, parse_version};
use super::{Config, ConfigError, Options};
use crate::config::output_format::OutputFormat;

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Boolean,
    Text,
    /// A path, relative to the file that says so.
    Path,
    /// `"3.10"` or `"py310"`.
    Version,
    Count,
    /// Codes, prefixes of codes, names of rules, or `ALL`.
    Rules,
    /// Patterns of paths, as git reads them.
    Patterns,
    Folders,
    /// One of some words.
    Choice(fn() -> Vec<String>),
    /// Rules, by patterns of paths.
    RulesByPattern,
    /// What is said about one call that blocks.
    BlockingCall,
}

/// One option.
pub(super) struct ConfigOption {
    /// The key, with the tables that it stands in: `gather.guard`. `*` stands for any key of a table.
    pub(super) key: &'static str,
    pub(super) shape: Shape,
    /// The value that it has where nobody says anything, as JSON. Empty where there is none.
    pub(super) default: &'static str,
    /// What it means, for the reference.
    pub(super) doc: &'static str,
    pub(super) read: Read,
    /// The keys and values, as TOML, that it has in a configuration.
    pub(super) show: fn(&Config) -> Vec<(String, String)>,
}

type Read =
    fn(&Reader<'_>, &mut Options, &Spanned<Cow<'_, str>>, &Value<'_>) -> Result<(), ConfigError>;

const GUARDS: [(&str, GatherGuard); 3] = [
    ("auto", GatherGuard::Auto),
    ("always", GatherGuard::Always),
    ("never", GatherGuard::Never),
];

const STRATEGIES: [(&str, TaskStrategy); 3] = [
    ("auto", TaskStrategy::Auto),
    ("await", TaskStrategy::Await),
    ("set", TaskStrategy::Set),
];

const ENDLESS: [(&str, EndlessLoops); 3] = [
    ("auto", EndlessLoops::Auto),
    ("always", EndlessLoops::Always),
    ("held", EndlessLoops::Held),
];

/// What keys were before, with the tables that they stood in, and the key now.
pub(super) const RENAMED: &[(&str, &str)] = &[];

/// All options, in the order in which they are shown.
pub(super) static OPTIONS: &[ConfigOption] = &[
    ConfigOption {
        key: "select",
        shape: Shape::Rules,
        default: "",
        doc: "The rules that run: codes, prefixes of codes such as `AF2`, names, or `ALL`. Default: all that are on by default.",
        read: |reader, options, _, value| {
            options.layer.select = Some(reader.rules(value)?);
            Ok(())
        },
        show: |config| {
            let codes: Vec<String> = config.codes.iter().map(ToString::to_string).collect();
            one("select", list(&codes))
        },
    },
    ConfigOption {
        key: "extend-select",
        shape: Shape::Rules,
        default: "[]",
        doc: "Rules that run beside the selected ones.",
        read: |reader, options, _, value| {
            options.layer.extend_select.extend(reader.rules(value)?);
            Ok(())
        },
        show: |_| Vec::new(),
    },
    ConfigOption {
        key: "ignore",
        shape: Shape::Rules,
        default: "[]",
        doc: "Rules that do not run, unless `select` names them more exactly.",
        read: |reader, options, _, value| {
            options.layer.ignore.extend(reader.rules(value)?);
            Ok(())
        },
        show: |_| Vec::new(),
    },
    ConfigOption {
        key: "preview",
        shape: Shape::Boolean,
        default: "false",
        doc: "Whether rules in preview run like the others. Without it, one runs only where its exact code is selected.",
        read: |reader, options, _, value| {
            options.preview = Some(reader.boolean(value)?);
            Ok(())
        },
        show: |config| one("preview", config.preview.to_string()),
    },
    ConfigOption {
        key: "target-version",
        shape: Shape::Version,
        default: "",
        doc: "The oldest Python that the code must run on, such as `\"3.10\"`. Default: the oldest one that `requires-python`, Poetry, `setup.py`, `.python-version` or the configuration of ruff, Black or mypy allows, else 3.10.",
        read: |reader, options, _, value| {
            let text = reader.string(value)?;
            let version = parse_version(text)
                .map_err(|message| reader.error(value.span().start, &message))?;
            options.target_version = Some(version);
            Ok(())
        },
        show: |config| {
            let (version, origin) = (
                config.settings.target_version,
                &config.target_version_origin,
            );
            one("target-version", format!("\"{version}\"  # {origin}"))
        },
    },
    ConfigOption {
        key: "unsafe-fixes",
        shape: Shape::Boolean,
        default: "false",
        doc: "Whether unsafe fixes are applied as well: those that rely on something that asyncfix cannot see.",
        read: |reader, options, _, value| {
            options.unsafe_fixes = Some(reader.boolean(value)?);
            Ok(())
        },
        show: |config| one("unsafe-fixes", config.unsafe_fixes.to_string()),
    },
    ConfigOption {
        key: "fixable",
        shape: Shape::Rules,
        default: "",
        doc: "The rules whose fixes are applied. Default: all.",
        read: |reader, options, _, value| {
            options.fixes.fixable = Some(reader.rules(value)?);
            Ok(())
        },
        show: |config| match &config.fixes.fixable {
            Some(fixable) => one("fixable", list(fixable)),
            None => Vec::new(),
        },
    },
    ConfigOption {
        key: "unfixable",
        shape: Shape::Rules,
        default: "[]",
        doc: "Rules that are reported and never fixed.",
        read: |reader, options, _, value| {
            options.fixes.unfixable.extend(reader.rules(value)?);
            Ok(())
        },
        show: |config| unless_empty("unfixable", &config.fixes.unfixable),
    },
    ConfigOption {
        key: "extend-safe-fixes",
        shape: Shape::Rules,
        default: "[]",
        doc: "Rules whose unsafe fixes count as safe here.",
        read: |reader, options, _, value| {
            options.fixes.safe.extend(reader.rules(value)?);
            Ok(())
        },
        show: |config| unless_empty("extend-safe-fixes", &config.fixes.safe),
    },
    ConfigOption {
        key: "extend-unsafe-fixes",
        shape: Shape::Rules,
        default: "[]",
        doc: "Rules whose safe fixes need a second look here: they count as unsafe.",
        read: |reader, options, _, value| {
            options.fixes.not_safe.extend(reader.rules(value)?);
            Ok(())
        },
        show: |config| unless_empty("extend-unsafe-fixes", &config.fixes.not_safe),
    },
    ConfigOption {
        key: "output-format",
        shape: Shape::Choice(formats),
        default: "\"full\"",
        doc: "How findings are shown where the command line does not say it.",
        read: |reader, options, _, value| {
            let formats: Vec<(String, OutputFormat)> = OutputFormat::value_variants()
                .iter()
                .map(|format| (format.name(), *format))
                .collect();
            let formats: Vec<(&str, OutputFormat)> = formats
                .iter()
                .map(|(name, format)| (name.as_str(), *format))
                .collect();
            options.output_format = Some(reader.choice(value, &formats)?);
            Ok(())
        },
        show: |config| match config.output_format {
            Some(format) => one("output-format", format!("{:?}", format.name())),
            None => Vec::new(),
        },
    },
    ConfigOption {
        key: "extend",
        shape: Shape::Path,
        default: "",
        doc: "Another configuration file, which is read first; what stands in this one is laid over it.",
        // It was read before all others.
        read: |_, _, _, _| Ok(()),
        show: |_| Vec::new(),
    },
    ConfigOption {
        key: "required-version",
        shape: Shape::Text,
        default: "",
        doc: "The versions of asyncfix that this configuration is written for, such as `\">=0.1\"`. Any other one stops with an error.",
        read: |reader, _, _, value| reader.require(value),
        show: |_| Vec::new(),
    },
    ConfigOption {
        key: "respect-gitignore",
        shape: Shape::Boolean,
        default: "true",
        doc: "Whether files that git ignores are left out.",
        read: |reader, options, _, value| {
            options.respect_gitignore = Some(reader.boolean(value)?);
            Ok(())
        },
        show: |config| one("respect-gitignore", config.respect_gitignore.to_string()),
    },
    ConfigOption {
        key: "force-exclude",
        shape: Shape::Boolean,
        default: "false",
        doc: "Whether files that are named on the command line can be excluded too, as pre-commit needs it.",
        read: |reader, options, _, value| {
            options.force_exclude = Some(reader.boolean(value)?);
            Ok(())
        },
        show: |config| one("force-exclude", config.force_exclude.to_string()),
    },
    ConfigOption {
        key: "markdown",
        shape: Shape::Boolean,
        default: "false",
        doc: "Whether Python code in Markdown and reStructuredText files is looked at too when a folder is.",
        read: |reader, options, _, value| {
            options.markdown = Some(reader.boolean(value)?);
            Ok(())
        },
        show: |config| one("markdown", config.markdown.to_string()),
    },
    ConfigOption {
        key: "exclude",
        shape: Shape::Patterns,
        default: "",
        doc: "Files and folders that are left out. Replaces the default list of folders that hold no code of the project, such as `.venv` and `node_modules`.",
        read: |reader, options, _, value| {
            options.exclude = Some(reader.strings(value)?);
            Ok(())
        },
        show: |config| one("exclude", list(&config.exclude_patterns)),
    },
    ConfigOption {
        key: "extend-exclude",
        shape: Shape::Patterns,
        default: "[]",
        doc: "Files and folders that are left out beside those of `exclude`.",
        read: |reader, options, _, value| {
            options.extend_exclude.extend(reader.strings(value)?);
            Ok(())
        },
        show: |_| Vec::new(),
    },
    ConfigOption {
        key: "python",
        shape: Shape::Path,
        default: "",
        doc: "The Python interpreter or virtual environment whose packages are read for their types. Default: a `.venv` beside or above the files, else the active environment, else the one that `python3` belongs to.",
        read: |reader, options, _, value| {
            let path = reader.folder.join(reader.string(value)?);
            if !path.exists() {
                let message = format!("no Python environment at {}", path.display());
                return Err(reader.error(value.span().start, &message));
            }
            options.python = Some(path);
            Ok(())
        },
        show: |config| match &config.python {
            Some(python) => one("python", format!("{:?}", python.display().to_string())),
            None => Vec::new(),
        },
    },
    ConfigOption {
        key: "src",
        shape: Shape::Folders,
        default: "[]",
        doc: "Folders where imports start, beside those that are found: the file's own folder, the project, its `src`.",
        read: |reader, options, _, value| {
            options.src = reader.folders(value)?;
            Ok(())
        },
        show: |config| one("src", paths(&config.src)),
    },
    ConfigOption {
        key: "extra-stubs",
        shape: Shape::Folders,
        default: "[]",
        doc: "Folders with stub files for packages that are not installed.",
        read: |reader, options, _, value| {
            options.extra_stubs = reader.folders(value)?;
            Ok(())
        },
        show: |config| one("extra-stubs", paths(&config.extra_stubs)),
    },
    ConfigOption {
        key: "cancellation.cleanup",
        shape: Shape::Text,
        default: "",
        doc: "The line of Python that AF301 writes into the handler. Default: it closes what the function has opened, else logs, else prints.",
        read: |reader, options, _, value| {
            let cleanup = reader.string(value)?;
            check_cleanup(cleanup).map_err(|message| reader.error(value.span().start, message))?;
            options.cancellation_cleanup = Some(cleanup.to_owned());
            Ok(())
        },
        show: |config| match &config.settings.cancellation_cleanup {
            Some(cleanup) => one("cancellation.cleanup", format!("{cleanup:?}")),
            None => Vec::new(),
        },
    },
    ConfigOption {
        key: "cancellation.endless",
        shape: Shape::Choice(|| names(&ENDLESS)),
        default: "\"auto\"",
        doc: "Which endless loops AF301 fixes: `auto` all, and in a package only as unsafe where nothing is left open; `always` all, safely; `held` only those whose function leaves something open.",
        read: |reader, options, _, value| {
            options.cancellation_endless = Some(reader.choice(value, &ENDLESS)?);
            Ok(())
        },
        show: |config| {
            chosen(
                "cancellation.endless",
                &ENDLESS,
                &config.settings.cancellation_endless,
            )
        },
    },
    ConfigOption {
        key: "concurrency.limit",
        shape: Shape::Count,
        default: "100",
        doc: "How many coroutines of one kind AF501 lets run at once.",
        read: |reader, options, _, value| {
            options.concurrency_limit = Some(reader.count(value)?);
            Ok(())
        },
        show: |config| {
            one(
                "concurrency.limit",
                config.settings.concurrency_limit.to_string(),
            )
        },
    },
    ConfigOption {
        key: "concurrency.tests",
        shape: Shape::Boolean,
        default: "false",
        doc: "Whether AF501 looks at the code of tests as well.",
        read: |reader, options, _, value| {
            options.concurrency_in_tests = Some(reader.boolean(value)?);
            Ok(())
        },
        show: |config| {
            let tests = config.settings.concurrency_in_tests;
            one("concurrency.tests", tests.to_string())
        },
    },
    ConfigOption {
        key: "blocking.tests",
        shape: Shape::Boolean,
        default: "false",
        doc: "Whether AF202 to AF209 look at the code of tests as well.",
        read: |reader, options, _, value| {
            options.blocking_in_tests = Some(reader.boolean(value)?);
            Ok(())
        },
        show: |config| {
            one(
                "blocking.tests",
                config.settings.blocking_in_tests.to_string(),
            )
        },
    },
    ConfigOption {
        key: "blocking.*",
        shape: Shape::BlockingCall,
        default: "",
        doc: "What is known of one call, by its dotted path: `false` where it does not block; how it is rewritten (`\"to-thread\"`, `\"outline\"`, `\"wrap-future\"`, `\"report\"`); or a table with `rewrite`, `code`, `reason`, `instead` and `safety`.",
        read: |reader, options, key, value| {
            let row = reader.blocking(key, value)?;
            options.blocking.insert(key.get_ref().to_string(), row);
            Ok(())
        },
        show: |config| {
            let shown = |row: &asyncfix_knowledge::blocking::Row| {
                let kind = KINDS.iter().find(|(_, kind)| *kind == row.kind);
                let kind = kind.map_or("report", |(name, _)| name);
                let safety = if row.is_safe() { "safe" } else { "unsafe" };
                format!(
                    "{{ code = {:?}, rewrite = {kind:?}, safety = {safety:?} }}",
                    row.code
                )
            };
            let rows = config.blocking.iter().map(|(path, row)| {
                let value = row.as_ref().map_or_else(|| "false".to_owned(), shown);
                (format!("blocking.{path:?}"), value)
            });
            rows.collect()
        },
    },
    ConfigOption {
        key: "gather.guard",
        shape: Shape::Choice(|| names(&GUARDS)),
        default: "\"auto\"",
        doc: "When AF701 writes the loop that raises the first exception: `auto` where no code looks at the results for exceptions, `always`, or `never`, which leaves exceptions in the results.",
        read: |reader, options, _, value| {
            options.gather_guard = Some(reader.choice(value, &GUARDS)?);
            Ok(())
        },
        show: |config| chosen("gather.guard", &GUARDS, &config.settings.gather_guard),
    },
    ConfigOption {
        key: "tasks.strategy",
        shape: Shape::Choice(|| names(&STRATEGIES)),
        default: "\"auto\"",
        doc: "What AF801 does with a task: `auto` by its place, `await` at the end of the function where that is possible, `set` always kept in a set.",
        read: |reader, options, _, value| {
            options.task_strategy = Some(reader.choice(value, &STRATEGIES)?);
            Ok(())
        },
        show: |config| {
            chosen(
                "tasks.strategy",
                &STRATEGIES,
                &config.settings.task_strategy,
            )
        },
    },
    ConfigOption {
        key: "per-file-ignores.*",
        shape: Shape::RulesByPattern,
        default: "",
        doc: "Rules that do not run in the files that a pattern matches, by the pattern.",
        read: |reader, options, key, value| {
            let pattern = key.get_ref().to_string();
            options
                .per_file_ignores
                .push((pattern, reader.rules(value)?));
            Ok(())
        },
        show: |config| {
            let rows = config.per_file_ignores.iter();
            rows.map(|(pattern, _, rules)| (format!("per-file-ignores.{pattern:?}"), list(rules)))
                .collect()
        },
    },
];

fn formats() -> Vec<String> {
    let formats = OutputFormat::value_variants().iter();
    formats.map(|format| format.name()).collect()
}

fn names<T>(choices: &[(&str, T)]) -> Vec<String> {
    choices.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn one(key: &str, value: String) -> Vec<(String, String)> {
    vec![(key.to_owned(), value)]
}

fn unless_empty(key: &str, items: &[String]) -> Vec<(String, String)> {
    if items.is_empty() {
        return Vec::new();
    }
    one(key, list(items))
}

fn chosen<T: PartialEq>(key: &str, choices: &[(&str, T)], choice: &T) -> Vec<(String, String)> {
    let found = choices.iter().find(|(_, other)| other == choice);
    found.map_or_else(Vec::new, |(name, _)| one(key, format!("{name:?}")))
}

fn list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    format!("[{}]", quoted.join(", "))
}

fn paths(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    list(&paths)
}
