//! What calls do to the files whose paths they are given.

use asyncfix_knowledge::blocking::Row;
use asyncfix_knowledge::conduct::is_database_in_memory;
use asyncfix_syntax::queries::argument;
use ruff_python_ast::{self as ast, Expr, Stmt};

use super::database_files::may_change;

/// What a call does to a file.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a call may do several of these"
)]
pub struct Does {
    /// It reads what is there.
    pub reads: bool,
    /// It writes something.
    pub writes: bool,
    /// What is there afterwards is something else than before, or nothing.
    pub removes: bool,
    /// It writes files in the folder, whatever these are called.
    pub fills: bool,
    /// It makes something, and fails where something is.
    pub makes: bool,
    /// It makes something, and is content with what is there: `os.makedirs(path, exist_ok=True)`.
    pub ensures: bool,
    /// It asks about what is there.
    pub asks: bool,
    /// It writes a file that was not there, and fails where one is.
    pub creates: bool,
}

impl Does {
    /// Whether what is in a file afterwards is something else.
    pub fn changes(self) -> bool {
        self.writes || self.removes || self.fills
    }

    /// Whether it reads what is in a file.
    pub fn reads(self) -> bool {
        self.reads
    }

    /// Whether it says nothing about what is in a file.
    pub fn is_about_names(self) -> bool {
        self.asks || self.makes || self.ensures
    }
}

/// The paths that a call of the table is given, or is a method of, and what it does to what is there. `writes_both` is
/// whether a file that is opened for both is written, and `body` the function around, which tells that of a database. One
/// that is only read is left out: whoever writes it keeps it in order.
pub fn paths<'a>(
    call: &'a ast::ExprCall,
    row: &Row,
    receiver: Option<&'a Expr>,
    writes_both: bool,
    body: &[Stmt],
) -> Vec<(&'a Expr, Does)> {
    let given = |at: usize| match (receiver, at) {
        (Some(receiver), 0) => Some(receiver),
        (Some(_), at) => argument(call, &(at - 1).to_string()).or_else(|| argument(call, "path")),
        (None, at) => argument(call, &at.to_string()).or_else(|| {
            // The names that the functions of the table have for it.
            let names: &[&str] = match at {
                0 => &["file", "filename", "name", "path", "src", "database"],
                _ => &["dst", "extract_dir", "filename"],
            };
            names.iter().find_map(|name| argument(call, name))
        }),
    };
    if let Some(without) = &row.database {
        let path = given(0).filter(|path| !is_in_memory(path));
        let is_written = || opens_for_writing(call, row, without) && may_change(body, call);
        let does = Does {
            writes: true,
            ..Does::default()
        };
        let written = path.filter(|_| is_written());
        return written.map(|path| (path, does)).into_iter().collect();
    }
    positions(call, row, receiver.is_some(), writes_both)
        .into_iter()
        .filter_map(|(at, does)| Some((given(at)?, does)))
        .collect()
}

/// Whether a database is opened for writing, where `without` is what it is opened for if nothing says so.
fn opens_for_writing(call: &ast::ExprCall, row: &Row, without: &str) -> bool {
    let by_position = || argument(call, &row.mode?.to_string());
    match argument(call, "flag").or_else(by_position) {
        Some(Expr::StringLiteral(flag)) => !flag.value.to_str().starts_with('r'),
        Some(_) => true,
        None => without != "r",
    }
}

fn is_in_memory(path: &Expr) -> bool {
    matches!(path, Expr::StringLiteral(name) if is_database_in_memory(name.value.to_str()))
}

/// Where a call of the table has its paths, and what it does to what is there. In a method of a path, that is the
/// first one.
fn positions(
    call: &ast::ExprCall,
    row: &Row,
    is_method: bool,
    writes_both: bool,
) -> Vec<(usize, Does)> {
    let Some(position) = row.mode else {
        let mut does = Vec::new();
        let mut add = |positions: &[usize], what: fn(&mut Does)| {
            let mut done = Does::default();
            what(&mut done);
            does.extend(positions.iter().map(|at| (*at, done)));
        };
        add(&row.reads_from, |does| does.reads = true);
        add(&row.writes_to, |does| does.writes = true);
        add(&row.removes, |does| does.removes = true);
        add(&row.fills, |does| does.fills = true);
        add(&row.asks_about, |does| does.asks = true);
        add(
            &row.makes,
            if takes_what_is_there(call) {
                |does| does.ensures = true
            } else {
                |does| does.makes = true
            },
        );
        return does;
    };
    let position = position - usize::from(is_method && position > 0);
    let mode = argument(call, "mode").or_else(|| argument(call, &position.to_string()));
    let (reads, writes) = match mode.map(modes) {
        None => (true, false),
        Some(Some(Modes {
            reads: true,
            writes: true,
        })) => (true, writes_both),
        Some(Some(modes)) => (modes.reads, modes.writes),
        // Which one it is depends.
        Some(None) => (false, true),
    };
    let creates =
        matches!(mode, Some(Expr::StringLiteral(text)) if text.value.to_str().contains('x'));
    let does = Does {
        reads,
        writes,
        creates,
        ..Does::default()
    };
    vec![(0, does)]
}

/// Whether a call that makes something is content with what is there: `os.makedirs(path, exist_ok=True)`.
fn takes_what_is_there(call: &ast::ExprCall) -> bool {
    argument(call, "exist_ok")
        .or_else(|| argument(call, "2"))
        .is_some_and(|given| !matches!(given, Expr::BooleanLiteral(literal) if !literal.value))
}

/// What a file may be opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    /// It may be read.
    pub reads: bool,
    /// It may be written.
    pub writes: bool,
}

/// What a file is opened for, where that can be told.
pub fn modes(mode: &Expr) -> Option<Modes> {
    match mode {
        Expr::StringLiteral(text) => {
            let mode = text.value.to_str();
            let is_new = mode.contains(['w', 'a', 'x']);
            let is_both = mode.contains('+');
            Some(Modes {
                reads: !is_new || is_both,
                writes: is_new || is_both,
            })
        }
        Expr::If(either) => {
            let [one, other] = [modes(&either.body)?, modes(&either.orelse)?];
            (one == other).then_some(one)
        }
        _ => None,
    }
}
