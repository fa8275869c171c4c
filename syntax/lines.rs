//! Lines of text.

use ruff_python_codegen::Stylist;
use ruff_source_file::LineRanges;
use ruff_text_size::{TextLen, TextRange, TextSize};

/// A piece of code as it stands in a message: its first line.
pub fn one_line(text: &str) -> String {
    match text.split_once(['\n', '\r']) {
        Some((first, _)) => format!("{}…", first.trim_end()),
        None => text.to_owned(),
    }
}

/// The line before the one that begins at `start`, with its line ending. `None` where there is none, or where no
/// line begins there.
pub fn line_before(source: &str, start: TextSize) -> Option<TextRange> {
    let before = &source[..start.to_usize()];
    let before = before
        .strip_suffix("\r\n")
        .or_else(|| before.strip_suffix(['\n', '\r']))?;
    Some(TextRange::new(source.line_start(before.text_len()), start))
}

/// Whether there is nothing on a line. A form feed is something: it parts the pages of a file.
pub fn is_blank(line: &str) -> bool {
    line.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// One step of a file's indentation.
pub fn indent_unit<'s>(stylist: &'s Stylist<'_>) -> &'s str {
    let unit: &str = stylist.indentation();
    // The style is that of the first indented line, and that may begin with a form feed.
    unit.rsplit('\x0c').next().unwrap_or(unit)
}
