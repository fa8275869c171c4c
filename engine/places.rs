//! Positions as people and other programs count them.

use asyncfix_syntax::site::suites_in;
use ruff_python_ast::{self as ast, PySourceType, Stmt};
use ruff_python_parser::parse_unchecked_source;
use ruff_source_file::LineIndex;
use ruff_text_size::{Ranged, TextRange, TextSize};

/// The lines of a text.
pub struct Places<'t> {
    text: &'t str,
    index: LineIndex,
}

impl<'t> Places<'t> {
    /// Those of `text`.
    pub fn of(text: &'t str) -> Self {
        let index = LineIndex::from_source_text(text);
        Self { text, index }
    }

    /// The line and the column of a byte offset, both from 1, the column in characters.
    pub fn at(&self, offset: TextSize) -> (usize, usize) {
        let place = self.index.line_column(offset, self.text);
        (place.line.get(), place.column.get())
    }
}

/// The range of the name of a function where it is defined, in a text that may have errors. `path` is its name behind
/// those of the classes and functions around it (`Store.load`); of several definitions, the last one counts.
pub fn definition_of(text: &str, path: &str) -> Option<TextRange> {
    let parsed = parse_unchecked_source(text, PySourceType::Python);
    let mut suites: Vec<&[Stmt]> = vec![&parsed.syntax().body];
    let mut range = None;
    for name in path.split('.') {
        let mut found: Option<(TextRange, &[Stmt])> = None;
        let mut note = |own: &ast::Identifier, body| {
            if own.as_str() == name && found.is_none_or(|(known, _)| known.start() < own.start()) {
                found = Some((own.range(), body));
            }
        };
        while let Some(suite) = suites.pop() {
            for statement in suite {
                match statement {
                    Stmt::FunctionDef(function) => note(&function.name, &function.body),
                    Stmt::ClassDef(class) => note(&class.name, &class.body),
                    statement => suites.extend(suites_in(statement)),
                }
            }
        }
        let (own, body) = found?;
        range = Some(own);
        suites.push(body);
    }
    range
}

#[cfg(test)]
mod tests {
    use super::definition_of;

    #[test]
    fn a_function_is_found_by_its_path() {
        let text = "class A:\n    def f(self): ...\nif x:\n    class B:\n        def f(self): ...\ndef f(: ...\n";
        let line = |path| {
            let range = definition_of(text, path)?;
            Some(text[..range.start().to_usize()].matches('\n').count())
        };
        assert_eq!(line("A.f"), Some(1));
        assert_eq!(line("B.f"), Some(4));
        assert_eq!(line("f"), Some(5));
        assert_eq!(line("A.g"), None);
    }
}
