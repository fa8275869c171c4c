//! What is seen of the files that a path may name, where it is made of what a function is given.

use asyncfix_analysis::limits::Limit;
use ruff_python_ast::visitor::source_order::SourceOrderVisitor;
use ruff_python_ast::{self as ast, Expr, Operator, Stmt};
use rustc_hash::FxHashMap;

use crate::blocking::file_uses::{Names, Search, innermost};
use crate::blocking::folders::{SAME, Visible};
use crate::blocking::locals::Source;
use crate::blocking::paths::Folder;
use asyncfix_knowledge::conduct::names_a_path;

/// The files that a path may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// What is the same for every call, as it is written.
    Known(String),
    /// Anything, or what the parameter of this name is given.
    Any(Option<String>),
}

impl Pattern {
    /// The one of a path that is written out.
    pub(super) fn of_text(text: &str) -> Self {
        let text = text.strip_prefix("./").unwrap_or(text);
        Self(text.chars().map(Piece::Char).collect())
    }

    fn any(parameter: Option<&str>) -> Self {
        Self(vec![Piece::Any(parameter.map(str::to_owned))])
    }

    fn of_known(text: &str) -> Self {
        let text = text.chars().filter(|char| !char.is_whitespace());
        Self(vec![Piece::Known(text.collect())])
    }

    /// The one of the files in a folder.
    pub(super) fn of_folder(folder: &Folder) -> Self {
        let mut all = folder.path.pattern.clone();
        all.add_text("/");
        all.add(Self::any(None));
        if let Some(ending) = &folder.ending {
            all.add_text(".");
            all.add_text(ending);
        }
        all
    }

    fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn add_text(&mut self, text: &str) {
        self.0.extend(text.chars().map(Piece::Char));
    }

    /// Whether it is open which file it is.
    fn is_open(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Any(_)))
    }

    /// Whether two paths, at least one of which is open, may name the same file.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        (self.is_open() || other.is_open())
            && start_alike(self.0.iter(), other.0.iter())
            && start_alike(self.0.iter().rev(), other.0.iter().rev())
    }

    /// The same with what the parameters are given.
    pub(super) fn given<'p>(&self, value: impl Fn(&str) -> Option<&'p Self>) -> Self {
        let mut given = Self::default();
        for piece in &self.0 {
            match piece {
                Piece::Any(parameter) => {
                    let value = parameter.as_deref().and_then(&value);
                    given.add(value.cloned().unwrap_or_else(|| Self::any(None)));
                }
                piece => given.0.push(piece.clone()),
            }
        }
        given
    }
}

/// Why a thread that uses the file at `path` may meet other code, where callers say which file it is.
pub(super) fn reason(path: &str, changes: bool) -> String {
    let does = if changes { "uses" } else { "writes" };
    format!("`{path}` may be a file that other code {does} at the same time")
}

/// Whether two patterns agree up to where one of them is open.
fn start_alike<'p>(
    one: impl Iterator<Item = &'p Piece>,
    other: impl Iterator<Item = &'p Piece>,
) -> bool {
    for pair in one.zip(other) {
        match pair {
            (Piece::Char(one), Piece::Char(other)) => {
                if one != other {
                    return false;
                }
            }
            // Two names of one kind are not given to one thing.
            (Piece::Known(one), Piece::Known(other))
                if one.contains('.') == other.contains('.') =>
            {
                if one != other {
                    return false;
                }
            }
            _ => return true,
        }
    }
    true
}

impl<'a> Search<'_, 'a, '_> {
    /// The files that a path may name. `steps` is how far it is looked: a value takes two of them, a folder one.
    pub(super) fn pattern(
        &self,
        path: &'a Expr,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Pattern {
        use ast::InterpolatedStringElement::{Interpolation, Literal};
        match self.unwrapped(path) {
            Expr::StringLiteral(text) => Pattern::of_text(text.value.to_str()),
            Expr::FString(text) => {
                let mut whole = Pattern::default();
                for element in text.value.elements() {
                    match element {
                        Literal(literal) => whole.add_text(&literal.value),
                        Interpolation(part) => {
                            whole.add(self.pattern(&part.expression, visible, steps));
                        }
                    }
                }
                whole
            }
            Expr::BinOp(join) if join.op == Operator::Div => {
                self.joined_pattern([&*join.left, &*join.right], visible, steps)
            }
            Expr::BinOp(sum) if sum.op == Operator::Add => {
                let mut whole = self.pattern(&sum.left, visible, steps);
                whole.add(self.pattern(&sum.right, visible, steps));
                whole
            }
            whole @ Expr::Call(call) => self
                .pattern_of_call(call, visible, steps)
                .unwrap_or_else(|| self.pattern_of_other(whole, visible)),
            Expr::Name(name) => self.pattern_of_name(name, visible, steps),
            // What `os.scandir` gives.
            Expr::Attribute(entry) if &entry.attr == "path" && entry.value.is_name_expr() => {
                match self
                    .folder(path, visible, steps)
                    .filter(|_| self.knows_folders)
                {
                    Some(folder) if folder.is_any => Pattern::of_folder(&folder),
                    _ => self.pattern_of_other(path, visible),
                }
            }
            other => self.pattern_of_other(other, visible),
        }
    }

    fn joined_pattern(
        &self,
        parts: impl IntoIterator<Item = &'a Expr>,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Pattern {
        let mut whole = Pattern::default();
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                whole.add_text("/");
            }
            whole.add(self.pattern(part, visible, steps));
        }
        whole
    }

    fn pattern_of_call(
        &self,
        call: &'a ast::ExprCall,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Option<Pattern> {
        let path = self.file.semantics.qualified_name(&call.func);
        let given = &*call.arguments.args;
        let joins = |path: &str| path == "os.path.join" || names_a_path(path);
        if path.as_deref().is_some_and(joins) && !given.is_empty() {
            return Some(self.joined_pattern(given, visible, steps));
        }
        let Expr::Attribute(method) = &*call.func else {
            return None;
        };
        match (method.attr.as_str(), given) {
            ("joinpath", parts) => {
                let parts = std::iter::once(&*method.value).chain(parts);
                Some(self.joined_pattern(parts, visible, steps))
            }
            ("with_suffix", [suffix]) => {
                let mut whole = Pattern::any(None);
                whole.add(self.pattern(suffix, visible, steps));
                Some(whole)
            }
            (same, []) if SAME.contains(&same) => Some(self.pattern(&method.value, visible, steps)),
            _ => None,
        }
    }

    fn pattern_of_name(
        &self,
        name: &'a ast::ExprName,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Pattern {
        let id = name.id.as_str();
        let Some((_, locals)) = innermost(visible, id) else {
            let value = self.constants.get(id).copied().flatten();
            return match (value, steps.less().and_then(Limit::less)) {
                (Some(value), Some(steps)) => self.pattern(value, &[], steps),
                _ => Pattern::of_known(id),
            };
        };
        if locals.receiver == Some(id) {
            return Pattern::of_known(id);
        }
        let is_parameter = locals.parameters.contains(id);
        let Some(sources) = locals.sources(id) else {
            return Pattern::any(Some(id));
        };
        let known = match sources {
            _ if is_parameter => None,
            [Source::Value(value)] => steps
                .less()
                .and_then(Limit::less)
                .map(|steps| self.pattern(value, visible, steps)),
            [Source::Item(items)] if self.knows_folders => steps
                .less()
                .and_then(|steps| self.listed(items, visible, steps))
                .map(|folder| Pattern::of_folder(&folder)),
            _ => None,
        };
        known.unwrap_or_else(|| Pattern::any(None))
    }

    fn pattern_of_other(&self, path: &'a Expr, visible: Visible<'_, 'a>) -> Pattern {
        let mut names = Names::default();
        names.visit_expr(path);
        let is_open = names.found.iter().any(|name| {
            let name = name.id.as_str();
            innermost(visible, name).is_some_and(|(_, locals)| locals.receiver != Some(name))
        });
        if is_open {
            Pattern::any(None)
        } else {
            Pattern::of_known(self.file.text(path))
        }
    }
}

/// What the names of a module stand for that are given one value in it.
pub(super) fn constants(body: &[Stmt]) -> FxHashMap<&str, Option<&Expr>> {
    let mut constants = FxHashMap::default();
    for statement in body {
        let (target, value) = match statement {
            Stmt::Assign(assign) => match &*assign.targets {
                [target] => (target, Some(&*assign.value)),
                _ => continue,
            },
            Stmt::AnnAssign(assign) => (&*assign.target, assign.value.as_deref()),
            Stmt::AugAssign(assign) => (&*assign.target, None),
            _ => continue,
        };
        if let Expr::Name(name) = target {
            let known = constants.entry(name.id.as_str());
            known.and_modify(|value| *value = None).or_insert(value);
        }
    }
    constants
}
