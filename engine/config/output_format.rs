//! The formats that findings are shown in.

use clap::ValueEnum;
use ruff_db::diagnostic::DiagnosticFormat;

/// How findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "each is the name of a format")]
pub enum OutputFormat {
    Full,
    Concise,
    Json,
    JsonLines,
    Github,
    Gitlab,
    Junit,
    Azure,
    Rdjson,
    Pylint,
    Sarif,
}

impl OutputFormat {
    /// The name, as people write it.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether what it prints is read by programs.
    pub fn is_for_programs(self) -> bool {
        !matches!(self, Self::Full | Self::Concise)
    }

    /// The format that ruff's own renderers know under this name, if they do.
    pub fn of_ruff(self) -> Option<DiagnosticFormat> {
        Some(match self {
            Self::Full => DiagnosticFormat::Full,
            Self::Concise => DiagnosticFormat::Concise,
            Self::Json => DiagnosticFormat::Json,
            Self::JsonLines => DiagnosticFormat::JsonLines,
            Self::Github => DiagnosticFormat::Github,
            Self::Gitlab => DiagnosticFormat::Gitlab,
            Self::Junit => DiagnosticFormat::Junit,
            Self::Azure => DiagnosticFormat::Azure,
            Self::Rdjson => DiagnosticFormat::Rdjson,
            Self::Pylint => DiagnosticFormat::Pylint,
            Self::Sarif => return None,
        })
    }
}
