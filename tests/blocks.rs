//! Blocks of statements that move, tried on real code: whatever is wrapped parses, means the same
//! inside, and is byte for byte what it was when it is unwrapped again.
//!
//! The code is the standard library of the `python3` on the machine, a few files of it; all files of
//! a folder with `ASYNCFIX_BLOCKS=folder`.

#![allow(clippy::expect_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use asyncfix_codemods::edit::lines::Lines;
use asyncfix_codemods::edit::proof::{Flaw, prove};
use asyncfix_codemods::edit::rewrite::apply;
use asyncfix_syntax::lines;
use asyncfix_syntax::site::suites_in;
use ruff_diagnostics::Edit;
use ruff_python_ast::{AnyNodeRef, ExceptHandler, Expr, ModModule, Stmt};
use ruff_python_codegen::Stylist;
use ruff_python_parser::{Parsed, parse_module};
use ruff_text_size::{Ranged, TextRange, TextSize};

const HEADER: &str = "if wrapped_by_the_test:";
const MARK: &str = "wrapped_by_the_test";

/// `SplitMix64`: numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (limit.max(1) as u64)).expect("it is below the limit")
    }
}

/// Every suite, with the statement or clause it belongs to.
fn suites(module: &ModModule) -> Vec<(&[Stmt], Option<AnyNodeRef<'_>>)> {
    fn owner<'a>(statement: &'a Stmt, suite: &'a [Stmt]) -> AnyNodeRef<'a> {
        let holds = |body: &[Stmt]| body.as_ptr() == suite.as_ptr();
        match statement {
            Stmt::If(inner) => inner
                .elif_else_clauses
                .iter()
                .find(|clause| holds(&clause.body))
                .map_or(statement.into(), Into::into),
            Stmt::Try(inner) => inner
                .handlers
                .iter()
                .map(|ExceptHandler::ExceptHandler(handler)| handler)
                .find(|handler| holds(&handler.body))
                .map_or(statement.into(), Into::into),
            Stmt::Match(inner) => inner
                .cases
                .iter()
                .find(|case| holds(&case.body))
                .map_or(statement.into(), Into::into),
            _ => statement.into(),
        }
    }
    fn walk<'a>(suite: &'a [Stmt], found: &mut Vec<(&'a [Stmt], Option<AnyNodeRef<'a>>)>) {
        for statement in suite {
            for inner in suites_in(statement) {
                if !inner.is_empty() {
                    found.push((inner, Some(owner(statement, inner))));
                    walk(inner, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    if !module.body.is_empty() {
        found.push((module.body.as_slice(), None));
    }
    walk(&module.body, &mut found);
    found
}

fn wrapper(suite: &[Stmt]) -> Option<(&Stmt, &[Stmt])> {
    suite.iter().find_map(|statement| match statement {
        Stmt::If(inner) if matches!(&*inner.test, Expr::Name(name) if name.id.as_str() == MARK) => {
            Some((statement, inner.body.as_slice()))
        }
        _ => suites_in(statement).into_iter().find_map(wrapper),
    })
}

fn make(
    source: &str,
    module: &Parsed<ModModule>,
    mut edits: Vec<Edit>,
    removed: &[TextRange],
    what: &str,
) -> String {
    edits.sort_by_key(|edit| (edit.start(), edit.end()));
    let text = apply(source, &edits);
    if let Err(flaw) = prove(source, module, &text, &edits, removed)
        // What is removed may have bound a name that an inner function declares `nonlocal`.
        && (removed.is_empty() || !matches!(flaw, Flaw::Compile(_)))
    {
        panic!("{what}: {flaw}\n{edits:?}");
    }
    text
}

/// How often each thing was done, to see that it was done at all.
#[derive(Default)]
struct Tally {
    wrapped: usize,
    unwrapped: usize,
    refused: usize,
    deleted: usize,
}

fn try_file(name: &str, source: &str, numbers: &mut Numbers, tally: &mut Tally) {
    let Ok(module) = parse_module(source) else {
        return;
    };
    let stylist = Stylist::from_tokens(module.tokens(), source);
    let lines = Lines::new(source, module.tokens(), &stylist);
    let all = suites(module.syntax());
    for _ in 0..12.min(all.len()) {
        let (suite, parent) = *all.get(numbers.below(all.len())).expect("it is below");
        let from = numbers.below(suite.len());
        let to = from + 1 + numbers.below(suite.len() - from);
        // These stand at the beginning of a module or nowhere.
        if suite.get(from..to).into_iter().flatten().any(
            |statement| matches!(statement, Stmt::ImportFrom(import) if import.module.as_deref() == Some("__future__") || import.names.iter().any(|alias| alias.name.as_str() == "*")),
        ) {
            continue;
        }
        let at = suite.get(from).map(Ranged::start).unwrap_or_default();
        let what = format!("{name}, {} statements at {at:?}", to - from);
        let block = lines
            .block(suite, parent, from..to)
            .expect("it is not empty");
        let trailer = [
            "except ValueError:".to_owned(),
            format!("{}raise", &**stylist.indentation()),
        ];
        match block.wrap("try:", &trailer) {
            Ok(edits) => {
                make(source, &module, edits, &[], &what);
            }
            Err(_) => tally.refused += 1,
        }
        make(
            source,
            &module,
            block.append(&["pass".to_owned()]),
            &[],
            &what,
        );
        if let Ok(edit) = lines.delete(suite, from) {
            let removed = [edit.range()];
            make(source, &module, vec![edit], &removed, &what);
            tally.deleted += 1;
        }
        let Ok(edits) = block.wrap(HEADER, &[]) else {
            continue;
        };
        // A block that shared a line with something has lines of its own now, and keeps them.
        let reversible = block.indented().is_ok()
            && !edits
                .iter()
                .any(|edit| edit.start() < block.start() || edit.end() > block.end());
        let wrapped = make(source, &module, edits, &[], &what);
        tally.wrapped += 1;
        let wrapped_module = parse_module(&wrapped).expect("it was proved");
        let (statement, body) = wrapper(&wrapped_module.syntax().body).expect("it is there");
        // The style is the original's: one more level may be what it would be told by.
        let lines = Lines::new(&wrapped, wrapped_module.tokens(), &stylist);
        let edits = lines
            .unwrap(statement, body)
            .unwrap_or_else(|reason| panic!("{what}: {reason}"));
        let back = make(&wrapped, &wrapped_module, edits, &[], &what);
        if reversible {
            assert!(
                back == source,
                "{what}: it came back changed\n{}",
                difference(source, &back)
            );
            tally.unwrapped += 1;
        }
    }
}

fn difference(one: &str, other: &str) -> String {
    asyncfix::output::diff::unified(Path::new("before to after"), one, other, false)
        .lines()
        .take(40)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The same code in other clothes.
fn variants(source: &str, numbers: &mut Numbers) -> String {
    match numbers.below(6) {
        0 => source.replace('\n', "\r\n"),
        1 => source.replace('\n', "\r"),
        2 => source.trim_end_matches('\n').to_owned(),
        3 => source
            .replace("\n        ", "\n\t")
            .replace("\n    ", "\n  "),
        4 => format!("\u{feff}{source}"),
        _ => source.replace("\n    ", "\n\x0c    "),
    }
}

fn python_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            // What is installed beside the standard library is another one on every machine.
            if path.file_name().is_none_or(|name| name != "site-packages") {
                python_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "py") {
            found.push(path);
        }
    }
}

#[test]
fn what_is_wrapped_and_unwrapped_is_as_it_was() {
    let mut files = Vec::new();
    let given = std::env::var_os("ASYNCFIX_BLOCKS");
    if let Some(folder) = &given {
        python_files(Path::new(folder), &mut files);
    } else {
        let output = Command::new("python3")
            .args(["-c", "import os; print(os.path.dirname(os.__file__))"])
            .output()
            .expect("python3 is on the PATH");
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        python_files(Path::new(&folder), &mut files);
    }
    files.sort();
    let step = if given.is_some() { 1 } else { 25 };
    let mut numbers = Numbers(7);
    let mut tally = Tally::default();
    for path in files.iter().step_by(step) {
        let Ok(source) = fs::read_to_string(path) else {
            continue;
        };
        let name = path.display().to_string();
        try_file(&name, &source, &mut numbers, &mut tally);
        let variant = variants(&source, &mut numbers);
        try_file(&name, &variant, &mut numbers, &mut tally);
    }
    println!(
        "{} wrapped, {} of them unwrapped to the same bytes, {} refused, {} statements deleted",
        tally.wrapped, tally.unwrapped, tally.refused, tally.deleted
    );
    assert!(tally.unwrapped > 100, "hardly anything was tried");
    assert!(tally.refused * 100 < tally.wrapped, "too much was refused");
}
/// Wraps the statements of the first function of `source` in a `try`.
fn wrapped(source: &str, range: Range<usize>) -> String {
    let module = parse_module(source).expect("the source is right");
    let stylist = Stylist::from_tokens(module.tokens(), source);
    let function = module
        .syntax()
        .body
        .iter()
        .find_map(Stmt::as_function_def_stmt)
        .expect("there is a function");
    let edits = Lines::new(source, module.tokens(), &stylist)
        .block(&function.body, Some(function.into()), range)
        .expect("it is not empty")
        .wrap("try:", &["finally:".to_owned(), "    end()".to_owned()])
        .expect("it can be moved");
    make(source, &module, edits, &[], source)
}

#[test]
fn comments_go_with_their_statements() {
    let source = "\
def f():  # header
    # about a
    a()  # a

    # about b
 # dedented
    if b:
        b()
        # end of b
    # about c
    c()
    # end of f
# not in f
";
    assert_eq!(
        wrapped(source, 1..2),
        "\
def f():  # header
    # about a
    a()  # a

    try:
        # about b
     # dedented
        if b:
            b()
            # end of b
    finally:
        end()
    # about c
    c()
    # end of f
# not in f
"
    );
    assert_eq!(
        wrapped(source, 2..3),
        "\
def f():  # header
    # about a
    a()  # a

    # about b
 # dedented
    if b:
        b()
        # end of b
    try:
        # about c
        c()
        # end of f
    finally:
        end()
# not in f
"
    );
}

#[test]
fn strings_keep_their_bytes() {
    let source = "\
def f():
    a = \"\"\"one
    two\"\"\", (
1, # in brackets
  )
    b = f\"\"\"{
        x = :>{
    width}} and
    {f'''
    {y}'''}
    \"\"\" + \\
  'c\\
    d'
";
    assert_eq!(
        wrapped(source, 0..2),
        "\
def f():
    try:
        a = \"\"\"one
    two\"\"\", (
    1, # in brackets
      )
        b = f\"\"\"{
        x = :>{
    width}} and
    {f'''
    {y}'''}
    \"\"\" + \\
      'c\\
    d'
    finally:
        end()
"
    );
}

#[test]
fn statements_on_one_line_get_lines() {
    let source = "def f(): a(); b(); c()  # why";
    assert_eq!(
        wrapped(source, 1..2),
        "def f():\n    a()\n    try:\n        b()\n    finally:\n        end()\n    c()  # why"
    );
    assert_eq!(
        wrapped(source, 0..3),
        "def f():\n    try:\n        a(); b(); c()  # why\n    finally:\n        end()"
    );
    assert_eq!(
        wrapped("def f():\r\n\ta(); \\\r\n\tb()\r\n", 1..2),
        "def f():\r\n\ta()\r\n\ttry:\r\n\t\tb()\r\n\tfinally:\r\n\t    end()\r\n"
    );
}

/// A line ending has one or two characters, and a page break is no blank line.
#[test]
fn the_line_before_is_a_whole_one() {
    for newline in ["\n", "\r\n", "\r"] {
        let source = format!("one{newline}{newline}two");
        let two = TextSize::of(source.as_str()) - TextSize::of("two");
        let blank = lines::line_before(&source, two).expect("there are two");
        assert_eq!(&source[blank], newline);
        let one = lines::line_before(&source, blank.start()).expect("there is one");
        assert_eq!(&source[one], format!("one{newline}"));
        assert_eq!(lines::line_before(&source, one.start()), None);
        assert_eq!(lines::line_before(&source, two + TextSize::of("t")), None);
        assert!(lines::is_blank(&format!(" \t{newline}")));
        assert!(!lines::is_blank(&format!("\x0c{newline}")));
    }
}
