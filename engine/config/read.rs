//! Reads a configuration file, and says where it is wrong.

use std::borrow::Cow;
use std::cell::RefCell;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use asyncfix_codemods::blocking::CODES;
use asyncfix_codemods::rule::{nearest, renamed};
use asyncfix_knowledge::blocking::{KINDS, Kind, Row, Table};
use pep440_rs::{Version, VersionSpecifiers};
use ruff_python_ast::PythonVersion;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::{OPTIONS, RENAMED};
use super::{ConfigError, Options};
use crate::selection;

/// Reads one configuration file. `None` for a `pyproject.toml` without `[tool.asyncfix]`.
pub(super) fn read_options(path: &Path) -> Result<Option<Options>, ConfigError> {
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
pub(super) fn parse_into(
    options: &mut Options,
    text: &str,
    path: Option<&Path>,
    folder: &Path,
    above: &[PathBuf],
) -> Result<bool, ConfigError> {
    let reader = Reader {
        text,
        path,
        folder,
        renamed: RENAMED,
        warnings: RefCell::default(),
    };
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
    reader.options(options, table, "")?;
    options.warnings.extend(reader.warnings.take());
    Ok(true)
}

/// The keys of a table about one blocking call.
const BLOCKING_KEYS: [&str; 5] = ["code", "instead", "reason", "rewrite", "safety"];

/// The rule for calls that a configuration adds without a word about it.
const DEFAULT_CODE: &str = "AF207";

/// Reads values and says where they are wrong.
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    path: Option<&'t Path>,
    /// What relative paths are relative to.
    pub(super) folder: &'t Path,
    /// What keys were before, and are now.
    renamed: &'t [(&'t str, &'t str)],
    warnings: RefCell<Vec<String>>,
}

pub(super) type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    pub(super) fn error(&self, at: usize, message: &str) -> ConfigError {
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

    fn warn(&self, at: usize, message: &str) {
        let ConfigError(warning) = self.error(at, message);
        self.warnings.borrow_mut().push(warning);
    }

    fn unknown(&self, at: usize, key: &str, known: &[&str]) -> ConfigError {
        let hint = nearest(key, known.iter().copied()).map_or_else(
            || format!("; known keys: {}", known.join(", ")),
            |name| format!("; did you mean `{name}`?"),
        );
        self.error(at, &format!("unknown key `{key}`{hint}"))
    }

    pub(super) fn wrong(&self, value: &Value<'_>, expected: &str) -> ConfigError {
        self.error(
            value.span().start,
            &format!("expected {expected}, got {}", value.get_ref().type_str()),
        )
    }

    pub(super) fn table<'v, 'i>(
        &self,
        value: &'v Value<'i>,
    ) -> Result<&'v DeTable<'i>, ConfigError> {
        value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.wrong(value, "a table"))
    }

    pub(super) fn string<'v>(&self, value: &'v Value<'_>) -> Result<&'v str, ConfigError> {
        value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong(value, "a string"))
    }

    pub(super) fn boolean(&self, value: &Value<'_>) -> Result<bool, ConfigError> {
        value
            .get_ref()
            .as_bool()
            .ok_or_else(|| self.wrong(value, "`true` or `false`"))
    }

    pub(super) fn count(&self, value: &Value<'_>) -> Result<NonZeroU32, ConfigError> {
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

    pub(super) fn strings(&self, value: &Value<'_>) -> Result<Vec<String>, ConfigError> {
        value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.wrong(value, "a list of strings"))?
            .iter()
            .map(|item| self.string(item).map(str::to_owned))
            .collect()
    }

    pub(super) fn folders(&self, value: &Value<'_>) -> Result<Vec<PathBuf>, ConfigError> {
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

    pub(super) fn rules(&self, value: &Value<'_>) -> Result<Vec<String>, ConfigError> {
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
                if let Some(warning) = selection::warning(selector) {
                    self.warn(item.span().start, &warning);
                }
                Ok(selector.to_owned())
            })
            .collect()
    }

    pub(super) fn choice<T: Copy>(
        &self,
        value: &Value<'_>,
        choices: &[(&str, T)],
    ) -> Result<T, ConfigError> {
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
    pub(super) fn blocking(
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
    pub(super) fn require(&self, value: &Value<'_>) -> Result<(), ConfigError> {
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
        if !path.is_file() {
            let message = format!("cannot read {}: it is not a regular file", path.display());
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

    /// Reads a table by [`OPTIONS`]; `group` is its own key with a dot behind it, or nothing.
    fn options(
        &self,
        options: &mut Options,
        table: &DeTable<'_>,
        group: &str,
    ) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let mut full = format!("{group}{name}");
            if let Some(now) = renamed(&full, self.renamed) {
                let message = format!("`{full}` is now called `{now}`");
                self.warn(key.span().start, &message);
                now.clone_into(&mut full);
            }
            if let Some(option) = OPTIONS.iter().find(|option| option.key == full) {
                (option.read)(self, options, key, value)?;
                continue;
            }
            let below = format!("{full}.");
            let keys = OPTIONS.iter().map(|option| option.key);
            let mut all = keys.chain(self.renamed.iter().map(|(old, _)| *old));
            if all.any(|key| key.starts_with(&below)) {
                self.options(options, self.table(value)?, &below)?;
                continue;
            }
            let any = OPTIONS
                .iter()
                .find(|option| option.key.strip_suffix('*') == Some(group));
            match any {
                Some(option) => (option.read)(self, options, key, value)?,
                None => return Err(self.unknown(key.span().start, name, &keys_in(group))),
            }
        }
        Ok(())
    }
}

/// The keys of the table that `group` is: those of the options there, and of the tables below.
fn keys_in(group: &str) -> Vec<&'static str> {
    let mut keys: Vec<&str> = OPTIONS
        .iter()
        .filter_map(|option| option.key.strip_prefix(group)?.split('.').next())
        .collect();
    keys.dedup();
    keys
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
    fn what_a_key_was_before_works_on_with_a_warning() {
        let text = "shield = 'never'\n[runs]\nold = ['AF201']\n";
        let reader = Reader {
            text,
            path: Some(Path::new("asyncfix.toml")),
            folder: Path::new("."),
            renamed: &[("shield", "gather.guard"), ("runs.old", "select")],
            warnings: RefCell::default(),
        };
        let mut options = Options::default();
        let table = DeTable::parse(text).unwrap();
        reader.options(&mut options, table.get_ref(), "").unwrap();
        assert!(options.gather_guard.is_some());
        assert_eq!(options.layer.select, Some(vec!["AF201".to_owned()]));
        let mut warnings = reader.warnings.take();
        warnings.sort();
        assert_eq!(
            warnings,
            [
                "asyncfix.toml:1:1: `shield` is now called `gather.guard`",
                "asyncfix.toml:3:1: `runs.old` is now called `select`",
            ]
        );
    }

    #[test]
    fn what_was_renamed_is_no_key_of_today() {
        for (old, new) in RENAMED {
            assert!(OPTIONS.iter().any(|option| option.key == *new), "{new}");
            assert!(!OPTIONS.iter().any(|option| option.key == *old), "{old}");
        }
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
