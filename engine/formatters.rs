//! What a project says to the tools that lay out its code.

use toml::de::{DeTable, DeValue};

use crate::folder_files::FolderFiles;

/// The layout that a project asks for, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// How long a line may be.
    pub line_length: Option<u16>,
    /// How many blank lines stand behind the imports.
    pub lines_after_imports: Option<u8>,
}

impl Layout {
    /// This, and what another one says where this one does not.
    fn or(self, other: Self) -> Self {
        Self {
            line_length: self.line_length.or(other.line_length),
            lines_after_imports: self.lines_after_imports.or(other.lines_after_imports),
        }
    }
}

/// What the files in `folder` say.
pub fn layout(files: &FolderFiles<'_>) -> Layout {
    let read = |name: &str| files.text_of(name).unwrap_or_default();
    let mut layout = Layout::default();
    for name in [".ruff.toml", "ruff.toml"] {
        if let Ok(document) = DeTable::parse(&read(name)) {
            layout = layout.or(of_ruff(document.get_ref()));
        }
    }
    if let Ok(document) = DeTable::parse(&read("pyproject.toml")) {
        let tools = table(document.get_ref(), "tool");
        let of = |name: &str| tools.and_then(|tools| table(tools, name));
        layout = layout.or(of("ruff").map(of_ruff).unwrap_or_default());
        layout = layout.or(Layout {
            line_length: of("black").and_then(|black| number(black, "line-length")),
            lines_after_imports: of("isort").and_then(|isort| number(isort, "lines_after_imports")),
        });
    }
    for (name, section) in [(".isort.cfg", "[settings]"), ("setup.cfg", "[isort]")] {
        let text = read(name);
        let mut lines = text.lines().skip_while(|line| line.trim() != section);
        let found = lines
            .by_ref()
            .skip(1)
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split_once('='))
            .find(|(option, _)| option.trim() == "lines_after_imports");
        layout = layout.or(Layout {
            line_length: None,
            lines_after_imports: found.and_then(|(_, value)| value.trim().parse().ok()),
        });
    }
    layout
}

fn of_ruff(ruff: &DeTable<'_>) -> Layout {
    let isort = table(ruff, "lint")
        .and_then(|lint| table(lint, "isort"))
        .or_else(|| table(ruff, "isort"));
    Layout {
        line_length: number(ruff, "line-length"),
        lines_after_imports: isort.and_then(|isort| number(isort, "lines-after-imports")),
    }
}

fn table<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
    table.get(name)?.get_ref().as_table()
}

/// A number; one below zero means that the tool decides.
fn number<N: std::str::FromStr>(table: &DeTable<'_>, name: &str) -> Option<N> {
    match table.get(name)?.get_ref() {
        DeValue::Integer(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_its_place() {
        for (name, text, line_length, lines_after_imports) in [
            (
                "pyproject.toml",
                "[tool.ruff]\nline-length = 100\n[tool.ruff.lint.isort]\nlines-after-imports = 2\n",
                Some(100),
                Some(2),
            ),
            (
                "ruff.toml",
                "line-length = 79\n[lint.isort]\nlines-after-imports = -1\n",
                Some(79),
                None,
            ),
            (
                "pyproject.toml",
                "[tool.black]\nline-length = 120\n[tool.isort]\nlines_after_imports = 2\n",
                Some(120),
                Some(2),
            ),
            (
                "setup.cfg",
                "[isort]\nlines_after_imports = 1\n",
                None,
                Some(1),
            ),
            ("pyproject.toml", "[tool\n", None, None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), text).unwrap();
            let expected = Layout {
                line_length,
                lines_after_imports,
            };
            assert_eq!(layout(&FolderFiles::of(folder.path())), expected, "{text}");
        }
    }
}
