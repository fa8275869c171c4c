//! Measures moving a block of a thousand, ten thousand and a hundred thousand lines: the edits, the
//! new text and the proof, without the type engine's index, whose time for one function of this
//! size is its own. Ten times the lines should take about ten times as long.
//!
//! `cargo bench --bench reindent`

#![allow(
    clippy::expect_used,
    reason = "a measurement that cannot go on must stop"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use asyncfix_codemods::edit::lines::Lines;
use asyncfix_codemods::edit::proof::prove;
use asyncfix_codemods::edit::rewrite::apply;
use ruff_python_ast::Stmt;
use ruff_python_codegen::Stylist;
use ruff_python_parser::parse_module;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const DEPTH: usize = 12;
const RUNS: usize = 5;

/// A function of so many lines, nested deeply, with strings in between.
fn program(lines: usize) -> String {
    let mut text = String::from("async def poll(client):\n");
    let mut made = 1;
    while made < lines {
        for depth in 1..=DEPTH {
            let indent = "    ".repeat(depth);
            let _ = write!(
                text,
                "{indent}# at depth {depth}\n{indent}await client.call(\n{indent}    1,\n{indent})\n\
                 {indent}text = f\"\"\"\nas it is\n\"\"\"\n{indent}if client.open:\n"
            );
        }
        let indent = "    ".repeat(DEPTH + 1);
        let _ = writeln!(text, "{indent}await client.step()");
        made += 8 * DEPTH + 1;
    }
    text
}

/// How long it takes to wrap the body of the function.
fn wrap(source: &str) -> Duration {
    let module = parse_module(source).expect("the program is right");
    let stylist = Stylist::from_tokens(module.tokens(), source);
    let function = module
        .syntax()
        .body
        .first()
        .and_then(Stmt::as_function_def_stmt)
        .expect("there is a function");
    let start = Instant::now();
    let edits = Lines::new(source, module.tokens(), &stylist)
        .block(
            &function.body,
            Some(function.into()),
            0..function.body.len(),
        )
        .expect("it is not empty")
        .wrap("try:", &["finally:".to_owned(), "    end()".to_owned()])
        .expect("it can be moved");
    let text = apply(source, &edits);
    prove(source, &module, &text, &edits, &[]).expect("it is the same");
    start.elapsed()
}

fn main() {
    let mut before: Option<Duration> = None;
    for size in SIZES {
        let source = program(size);
        let best = (0..RUNS).map(|_| wrap(&source)).min().unwrap_or_default();
        let ratio = before.map_or(String::new(), |before| {
            format!(
                ", {:.1} times the one before",
                best.as_secs_f64() / before.as_secs_f64()
            )
        });
        println!("{size:>7} lines: {:.2} ms{ratio}", best.as_secs_f64() * 1e3);
        before = Some(best);
    }
}
