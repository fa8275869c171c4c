//! The text of a file and the bytes it came from.

use std::path::Path;
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};

/// A decoded file that can be turned back into its bytes.
#[derive(Debug, Clone)]
pub struct Source {
    /// The text. A UTF-8 byte order mark is its first character.
    pub text: Arc<str>,
    encoding: &'static Encoding,
}

impl Source {
    /// Decodes the bytes of a Python file: UTF-8, or what its first two lines declare (PEP 263).
    ///
    /// `Err` says what is wrong, without the file's name: bytes that do not belong to the encoding,
    /// or an encoding that is not known.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, String> {
        // CPython takes no such file either.
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            return Err(format!("not Python: it holds a NUL character (byte {at})"));
        }
        let encoding = match declared_encoding(&bytes) {
            Some(label) => find_encoding(&label)
                .ok_or_else(|| format!("asyncfix does not know the encoding `{label}`"))?,
            None => UTF_8,
        };
        if encoding == UTF_8 {
            let text = String::from_utf8(bytes).map_err(|error| {
                format!(
                    "not valid UTF-8 (byte {})",
                    error.utf8_error().valid_up_to()
                )
            })?;
            return Ok(Self {
                text: Arc::from(text),
                encoding,
            });
        }
        let (text, malformed) = encoding.decode_without_bom_handling(&bytes);
        let source = Self {
            text: Arc::from(text),
            encoding,
        };
        // What cannot be written back as it was is not touched.
        if malformed || source.encode(&source.text).as_deref() != Ok(bytes.as_slice()) {
            return Err(format!("not valid {}", encoding.name()));
        }
        Ok(source)
    }

    /// A text that was never encoded otherwise than in UTF-8.
    pub(crate) fn utf8(text: String) -> Self {
        Self {
            text: Arc::from(text),
            encoding: UTF_8,
        }
    }

    /// Whether the file is in UTF-8.
    pub(crate) fn is_utf8(&self) -> bool {
        self.encoding == UTF_8
    }

    /// Encodes `text` the way this file was. `Err` where a character has no place in the encoding.
    pub fn encode(&self, text: &str) -> Result<Vec<u8>, String> {
        if self.encoding == UTF_8 {
            return Ok(text.as_bytes().to_vec());
        }
        let (bytes, _, unmappable) = self.encoding.encode(text);
        if unmappable {
            return Err(format!(
                "the result has characters that {} cannot hold",
                self.encoding.name()
            ));
        }
        Ok(bytes.into_owned())
    }
}

fn find_encoding(label: &str) -> Option<&'static Encoding> {
    // Python does not care how the parts of a name are joined; the web's list of names does.
    let joined = label.to_lowercase().replace('_', "-");
    // As Python does, whatever stands behind these: `latin-1-unix`.
    let is = |name: &str| joined == name || joined.starts_with(&format!("{name}-"));
    if is("utf-8") {
        return Some(UTF_8);
    }
    if is("latin-1") || is("iso-8859-1") || is("iso-latin-1") {
        return Encoding::for_label(b"latin1");
    }
    match joined.as_str() {
        "cp932" => return Encoding::for_label(b"shift_jis"),
        "646" | "us-ascii" => return Encoding::for_label(b"ascii"),
        _ => {}
    }
    Encoding::for_label(joined.as_bytes())
        .or_else(|| Encoding::for_label(joined.replace('-', "").as_bytes()))
}

/// The encoding that a comment in the first two lines declares, as PEP 263 defines it.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return None;
    }
    bytes
        .split(|byte| *byte == b'\n')
        .take(2)
        .map_while(|line| {
            let line = String::from_utf8_lossy(line);
            let trimmed = line.trim_start_matches([' ', '\t', '\x0c']);
            // Code on the first line ends the search.
            (trimmed.is_empty() || trimmed.trim_end().is_empty() || trimmed.starts_with('#'))
                .then(|| trimmed.to_owned())
        })
        .find_map(|line| {
            let rest = line.split_once("coding")?.1;
            let rest = rest
                .strip_prefix([':', '='])?
                .trim_start_matches([' ', '\t']);
            let label: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                .collect();
            (!label.is_empty()).then_some(label)
        })
}

/// The text of a file that says something about a project. `None` where there is none that can be read, or something else
/// goes by its name: a pipe may never say anything.
pub(crate) fn text_of(path: &Path) -> Option<String> {
    let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file.then(|| std::fs::read_to_string(path).ok())?
}

/// Reads and decodes the file at `path`. `Err` says what is wrong and what to do.
pub fn read(path: &Path) -> Result<Source, String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        // Without the number that the operating system gives it.
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    })?;
    Source::decode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_1_is_kept_byte_for_byte() {
        let bytes = b"# -*- coding: latin-1 -*-\nname = 'caf\xe9 \x80'\n".to_vec();
        let source = Source::decode(bytes.clone()).expect("latin-1 holds every byte");
        assert!(source.text.contains("café"));
        assert_eq!(source.encode(&source.text), Ok(bytes));
    }

    #[test]
    fn a_character_outside_the_encoding_is_refused() {
        let source = Source::decode(b"# coding: latin-1\n".to_vec()).expect("plain ASCII");
        assert!(source.encode("# coding: latin-1\n# \u{4e16}\n").is_err());
    }

    #[test]
    fn undeclared_bytes_say_where_they_are() {
        let error = Source::decode(b"x = '\xff'\n".to_vec()).expect_err("no UTF-8");
        assert!(error.contains("byte 5"), "{error}");
    }

    #[test]
    fn code_on_the_first_line_ends_the_search_for_a_declaration() {
        assert_eq!(declared_encoding(b"import os\n# coding: latin-1\n"), None);
        assert_eq!(
            declared_encoding(b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n"),
            Some("cp1252".to_owned())
        );
    }
}
