//! Unified diffs that `patch -p0` and `git apply` accept.

use std::fmt::Write as _;
use std::path::Path;

use similar::{ChangeTag, TextDiff};

/// The unified diff that leads from `old` to `new`, as text in the file's own characters.
///
/// Only `\n` ends a line, as for `patch`; a carriage return is part of the line. Empty when
/// nothing changed.
pub fn unified(path: &Path, old: &str, new: &str, color: bool) -> String {
    headed(&quoted(header_name(path)), old, new, color)
}

/// The same of a cell of a notebook, which no other program applies.
pub fn unified_of_cell(path: &Path, cell: usize, old: &str, new: &str, color: bool) -> String {
    let name = format!("{}:cell {cell}", header_name(path));
    headed(&name, old, new, color)
}

fn headed(name: &str, old: &str, new: &str, color: bool) -> String {
    if old == new {
        return String::new();
    }
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let diff = TextDiff::from_slices(&old_lines, &new_lines);
    let mut text = String::new();
    let paint = Paint(color);
    text.push_str(&paint.header(&format!("--- {name}\n+++ {name}\n")));
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        text.push_str(&paint.hunk(&format!("{}\n", hunk.header())));
        for change in hunk.iter_changes() {
            let line = change.value();
            let (sign, style) = match change.tag() {
                ChangeTag::Equal => (' ', None),
                ChangeTag::Delete => ('-', Some(anstyle::AnsiColor::Red)),
                ChangeTag::Insert => ('+', Some(anstyle::AnsiColor::Green)),
            };
            text.push_str(&paint.line(sign, line, style));
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// The file's name in the header. With `./` before it, `patch -p0` takes it as it stands, and
/// `git apply`, which strips one component, finds the same file.
fn header_name(path: &Path) -> String {
    let cwd = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(cwd).unwrap_or(path);
    let name = path.to_string_lossy();
    let name = if std::path::MAIN_SEPARATOR == '\\' {
        name.replace('\\', "/")
    } else {
        name.into_owned()
    };
    if path.is_absolute() || name.starts_with("./") || name.starts_with("../") {
        name
    } else {
        format!("./{name}")
    }
}

/// A name as git and `patch` read it: in quotes with escapes where it holds what ends a name or a line, and with a tab
/// behind it where a space would end it.
fn quoted(name: String) -> String {
    let is_odd = |c: char| c.is_control() || matches!(c, '"' | '\\');
    if !name.contains(is_odd) {
        return if name.contains(' ') {
            format!("{name}\t")
        } else {
            name
        };
    }
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c.is_control() => {
                for byte in c.to_string().bytes() {
                    let _ = write!(text, "\\{byte:03o}");
                }
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

struct Paint(bool);

impl Paint {
    fn wrap(&self, text: &str, style: anstyle::Style) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let (body, end) = match text.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (text, ""),
        };
        format!("{style}{body}{style:#}{end}")
    }

    fn header(&self, text: &str) -> String {
        self.wrap(text, anstyle::Style::new().bold())
    }

    fn hunk(&self, text: &str) -> String {
        self.wrap(
            text,
            anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Cyan.into())),
        )
    }

    fn line(&self, sign: char, line: &str, color: Option<anstyle::AnsiColor>) -> String {
        let text = format!("{sign}{line}");
        match color {
            Some(color) => self.wrap(&text, anstyle::Style::new().fg_color(Some(color.into()))),
            None => text,
        }
    }
}
