//! Lines of source text. Offsets and ranges are in bytes.

use ruff_python_codegen::Stylist;
use ruff_source_file::LineRanges;
use ruff_text_size::{TextLen, TextRange, TextSize};

/// The first line of a piece of code, for a message; with `…` where more lines follow.
pub fn one_line(text: &str) -> String {
    match text.split_once(['\n', '\r']) {
        Some((first, _)) => format!("{}…", first.trim_end()),
        None => text.to_owned(),
    }
}

/// The range of the line before the one that begins at the byte offset `start`, with its line ending. `None` for the
/// first line of `source`, or where no line begins at `start`.
pub fn line_before(source: &str, start: TextSize) -> Option<TextRange> {
    let before = &source[..start.to_usize()];
    let before = before
        .strip_suffix("\r\n")
        .or_else(|| before.strip_suffix(['\n', '\r']))?;
    Some(TextRange::new(source.line_start(before.text_len()), start))
}

/// Whether a line holds only spaces, tabs and line endings. A form feed counts as content, because it separates the
/// pages of a file and must be kept.
pub fn is_blank(line: &str) -> bool {
    line.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// The text by which a file indents one level deeper, such as four spaces or a tab.
pub fn indent_unit<'s>(stylist: &'s Stylist<'_>) -> &'s str {
    let unit: &str = stylist.indentation();
    // The stylist takes the indentation of the first indented line, which may begin with a form feed.
    unit.rsplit('\x0c').next().unwrap_or(unit)
}
