//! An answer depends on the files and on what is asked alone: not on the order in which files are looked at, on the number
//! of threads that do so, or on the other rules that are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use asyncfix_codemods::CODEMODS;
use asyncfix_engine::cache::Place;
use asyncfix_engine::choose::Plan;
use asyncfix_engine::config::{Overrides, Resolver};
use asyncfix_engine::discovery;
use asyncfix_engine::run::{self, Input, Mode, Request};
use asyncfix_engine::selection::Layer;

use crate::cache::Dice;
use crate::harness::pages;
use crate::harness::project::{Folder, overrides};

/// One of so many cases of each rule is part of it.
const ONE_CASE_OF: usize = 15;

/// What is said of each file that something is said of.
type Said = BTreeMap<String, Vec<String>>;

/// Cases of all rules, each in a folder of its own, as one run over one folder.
struct AllCases {
    folder: Folder,
}

impl AllCases {
    fn new() -> Self {
        let mut folder = Folder::new();
        for codemod in CODEMODS {
            let all = pages::of(*codemod);
            for (number, case) in all.iter().enumerate().step_by(ONE_CASE_OF) {
                let place = format!("{}_{number}", codemod.rule().code.to_lowercase());
                let settings = ("asyncfix.toml".to_owned(), case.settings.clone());
                let file = (case.file.clone(), case.source.clone());
                for (name, text) in case.others.iter().chain([&settings, &file]) {
                    folder.write(&format!("{place}/{name}"), text);
                }
            }
        }
        Self { folder }
    }

    fn inputs(&self, resolver: &Resolver) -> (Vec<Input>, Vec<PathBuf>) {
        let paths = [self.folder.root().to_path_buf()];
        let found = discovery::discover(&paths, resolver).expect("the settings are right");
        (
            found.files.into_iter().map(Input::new).collect(),
            found.folders,
        )
    }

    /// What a run says that looks at the files in this order.
    fn run(
        &self,
        overrides: Overrides,
        threads: usize,
        order: impl FnOnce(&mut Vec<Input>),
    ) -> Said {
        let resolver =
            Resolver::new(overrides, self.folder.root()).expect("the settings are right");
        let (mut inputs, folders) = self.inputs(&resolver);
        order(&mut inputs);
        let request = Request {
            inputs,
            folders,
            earlier: None,
            cache: Place::Nowhere,
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let outcomes = pool
            .expect("threads")
            .install(|| run::run(request, &resolver, Plan::new(Mode::Report), &|| {}))
            .expect("the settings are right");
        let mut said = Said::new();
        for problem in &outcomes.errors {
            said.entry("errors".to_owned())
                .or_default()
                .push(problem.to_string());
        }
        for errors in said.values_mut() {
            errors.sort();
        }
        for outcome in &outcomes.files {
            let findings = outcome.findings.iter().map(crate::shown).collect();
            said.insert(outcome.path.display().to_string(), findings);
        }
        said
    }
}

fn all_rules() -> Overrides {
    overrides(None, true)
}

fn shuffle<T>(items: &mut [T], dice: &mut Dice) {
    for last in (1..items.len()).rev() {
        items.swap(last, dice.below(last + 1));
    }
}

/// The places where two answers differ.
fn compare(way: &str, said: &Said, expected: &Said) {
    let files: BTreeSet<&String> = said.keys().chain(expected.keys()).collect();
    let different: Vec<String> = files
        .into_iter()
        .filter(|file| said.get(*file) != expected.get(*file))
        .map(|file| {
            format!(
                "{file}: {:#?}\ninstead of {:#?}",
                said.get(file),
                expected.get(file)
            )
        })
        .collect();
    assert!(different.is_empty(), "{way}:\n{}", different.join("\n"));
}

#[test]
fn an_answer_does_not_depend_on_order_threads_or_other_rules() {
    let cases = AllCases::new();
    let expected = cases.run(all_rules(), 1, |_| {});
    assert!(
        expected.len() > CODEMODS.len(),
        "nothing is found in the cases"
    );
    let mut dice = Dice(7);

    let said = cases.run(all_rules(), 1, |inputs| shuffle(inputs, &mut dice));
    compare("in another order", &said, &expected);
    let said = cases.run(all_rules(), 4, |inputs| shuffle(inputs, &mut dice));
    compare("by four threads", &said, &expected);

    // What suppresses nothing is told by all rules together.
    let mut codes: Vec<&str> = CODEMODS.iter().map(|codemod| codemod.rule().code).collect();
    codes.retain(|code| *code != "AF001");
    shuffle(&mut codes, &mut dice);
    let (some, others) = codes.split_at(codes.len() / 2);
    for chosen in [some, others] {
        let some_rules = Overrides {
            layer: Layer {
                select: Some(chosen.iter().map(|code| (*code).to_owned()).collect()),
                ..Layer::default()
            },
            ..all_rules()
        };
        let is_chosen = |line: &String| chosen.iter().any(|code| line.starts_with(code));
        let of_chosen = |said: &Said| -> Said {
            let files = said.iter().map(|(file, lines)| {
                let lines = lines.iter().filter(|line| is_chosen(line)).cloned();
                (file.clone(), lines.collect())
            });
            files
                .filter(|(_, lines): &(_, Vec<_>)| !lines.is_empty())
                .collect()
        };
        let said = cases.run(some_rules, 2, |_| {});
        let way = format!("with {} alone", chosen.join(", "));
        compare(&way, &of_chosen(&said), &of_chosen(&expected));
    }
}
