//! What a codemod says about a site: a finding, and the rewrite for it or the reason there is none.

use std::path::PathBuf;

use asyncfix_analysis::answers::evidence::Evidence;
use ruff_diagnostics::{Applicability, Edit, Fix};
use ruff_text_size::{TextRange, TextSize};
use serde::{Deserialize, Serialize};

use crate::edit::rewrite::{in_order, joined};
use crate::rule::Rule;
use crate::stored::by_code;

/// One mistake at one place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that found it.
    #[serde(with = "by_code")]
    pub rule: &'static Rule,
    /// The expression to change, in byte offsets into the file's text.
    pub range: TextRange,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What can be done about it.
    pub remedy: Remedy,
    /// Functions of the project that play a part in it.
    pub related: Vec<Related>,
    /// What is known of the values in it, and how.
    pub evidence: Vec<Evidence>,
    /// The code of the rule by which ruff reports the same, if it does.
    #[serde(skip)]
    pub in_ruff: Option<&'static str>,
}

/// A function that plays a part in a mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// The file, as an absolute path.
    pub path: PathBuf,
    /// The function's name, behind those of the classes around it.
    pub function: String,
    /// What it does, one sentence without a full stop.
    pub message: String,
}

impl Finding {
    /// A mistake at one place. `message` is one sentence without a full stop.
    pub fn new(
        rule: &'static Rule,
        range: TextRange,
        message: impl Into<String>,
        remedy: Remedy,
    ) -> Self {
        Self {
            rule,
            range,
            message: message.into(),
            remedy,
            related: Vec::new(),
            evidence: Vec::new(),
            in_ruff: None,
        }
    }

    /// Names the rule of ruff that reports the same.
    #[must_use]
    pub fn with_code_in_ruff(mut self, code: Option<&'static str>) -> Self {
        self.in_ruff = code;
        self
    }

    /// Names functions of the project that play a part in it.
    #[must_use]
    pub fn with_related(mut self, related: Vec<Related>) -> Self {
        self.related = related;
        self
    }

    /// Why its fix is unsafe, or why there is none. `None` for a safe fix.
    pub fn reason(&self) -> Option<&str> {
        match &self.remedy {
            Remedy::Rewrite(rewrite) => rewrite.unsafe_because.as_deref(),
            Remedy::NotFixed(reason) => Some(reason),
        }
    }
}

/// What can be done about a finding.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Remedy {
    /// The file can be rewritten.
    Rewrite(Rewrite),
    /// The file is left as it is, and this is the reason: one sentence without a full stop.
    NotFixed(String),
}

impl Remedy {
    /// The rewrite, if there is one.
    pub fn rewrite(&self) -> Option<&Rewrite> {
        match self {
            Self::Rewrite(rewrite) => Some(rewrite),
            Self::NotFixed(_) => None,
        }
    }
}

/// What a rewrite changes in another file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Elsewhere {
    /// The file, as an absolute path.
    pub path: PathBuf,
    /// The edits, in order and without overlaps.
    pub edits: Vec<Edit>,
}

impl Elsewhere {
    /// The edits, for programs that make them one by one: no two begin at one place.
    pub fn joined_edits(&self) -> Vec<Edit> {
        joined(self.edits.clone())
    }
}

/// The edits that turn one ❌ into its ✅, applied whole or not at all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rewrite {
    /// What the rewrite does, in the imperative.
    pub title: String,
    /// The edits that belong to this finding alone.
    pub edits: Vec<Edit>,
    /// What has to change in other files. All of it is applied, or nothing.
    pub elsewhere: Vec<Elsewhere>,
    /// Edits that other findings in the file may need too, such as a new import: where two
    /// rewrites hold the same one, it is applied once.
    pub shared: Vec<Edit>,
    /// Whether the rewrite can change what a working program does beyond curing the pitfall.
    pub applicability: Applicability,
    /// Why the rewrite is unsafe, one sentence without a full stop.
    pub unsafe_because: Option<String>,
    /// Rewrites with the same key never go into one round, because each names something anew in
    /// the same scope. The key is the start of that scope.
    pub alone_in: Option<TextSize>,
    /// The block that the rewrite indents anew. Other rewrites in it, which know its lines as they
    /// are, never go into the same round.
    pub moves: Option<TextRange>,
}

impl Rewrite {
    /// A safe rewrite.
    pub fn safe(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self {
            title: title.into(),
            edits,
            elsewhere: Vec::new(),
            shared: Vec::new(),
            applicability: Applicability::Safe,
            unsafe_because: None,
            alone_in: None,
            moves: None,
        }
    }

    /// Adds edits that other rewrites may hold as well.
    #[must_use]
    pub fn with_shared(mut self, edits: impl IntoIterator<Item = Edit>) -> Self {
        self.shared.extend(edits);
        self
    }

    /// Makes the rewrite unsafe if there is a reason to; the first reason given is kept.
    #[must_use]
    pub fn unsafe_if(mut self, reason: Option<impl Into<String>>) -> Self {
        if let Some(reason) = reason {
            self.applicability = self.applicability.min(Applicability::Unsafe);
            self.unsafe_because.get_or_insert(reason.into());
        }
        self
    }

    /// All edits in the finding's own file, in order, for programs that make them one by one: no two begin at one place.
    pub fn own_edits(&self) -> Vec<Edit> {
        joined(in_order(self.shared.clone(), self.edits.clone()))
    }

    /// Every edit of the rewrite as one fix, for renderers and editors.
    ///
    /// `None` for a rewrite without edits, and for one that other files are part of.
    pub fn fix(&self) -> Option<Fix> {
        if !self.elsewhere.is_empty() {
            return None;
        }
        let mut edits = self.own_edits().into_iter();
        let first = edits.next()?;
        Some(Fix::applicable_edits(first, edits, self.applicability))
    }
}
