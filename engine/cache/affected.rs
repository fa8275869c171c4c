//! Which files may be judged differently, because of what they import, after some files have changed.
//!
//! A file counts by its [`Interface`](asyncfix_analysis::facts::interface::Interface): where only the bodies of
//! ordinary functions have changed, no other file is affected.

use std::sync::Arc;

use asyncfix_analysis::facts::interface::{Link, words};
use asyncfix_analysis::facts::key::Key;
use rayon::prelude::*;
use ruff_python_ast::PySourceType;
use ruff_python_parser::parse_unchecked_source;
use rustc_hash::{FxHashMap, FxHashSet};

/// How many files are looked at by one thread before it asks for more.
const AT_A_TIME: usize = 16;

/// The changes of files' interfaces.
#[derive(Default)]
pub(crate) struct Changes {
    /// Files in which any name may mean something else.
    wide: Vec<usize>,
    /// Files in which only some names mean something else.
    narrow: Vec<usize>,
    /// These names, of all narrow files together.
    names: FxHashSet<Key>,
}

impl Changes {
    /// Notes that these names mean something else in the file with this number; `None` where any name may.
    pub(crate) fn add(&mut self, number: usize, names: Option<FxHashSet<Key>>) {
        match names {
            Some(names) => {
                self.narrow.push(number);
                self.names.extend(names);
            }
            None => self.wide.push(number),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wide.is_empty() && self.narrow.is_empty()
    }

    /// The numbers of the files that may be affected, the changed ones included. `files` has, for each file, the path
    /// of its module and what it imports; `text_of` reads a file.
    ///
    /// A changed name affects only files that import its module, directly or not, and that contain the name, or another
    /// name that is defined by means of it (`from base import load as fetch`). So the set of names grows until no more
    /// files are met.
    pub(crate) fn affected(
        self,
        files: &[(String, Vec<&str>)],
        text_of: impl Fn(usize) -> Option<Arc<str>> + Sync,
    ) -> FxHashSet<usize> {
        let Self {
            wide,
            narrow,
            mut names,
        } = self;
        let mut affected = importing(wide, files);
        if narrow.is_empty() {
            return affected;
        }
        let near: Vec<usize> = importing(narrow, files)
            .into_iter()
            .filter(|number| !affected.contains(number))
            .collect();
        // `None` for a file that can't be read: it may contain any word.
        let mut left: Vec<(usize, Option<FxHashSet<Key>>)> = near
            .into_par_iter()
            .with_max_len(AT_A_TIME)
            .map(|number| (number, text_of(number).map(|text| words(&text).collect())))
            .collect();
        let mut links: Vec<Link> = Vec::new();
        loop {
            let is_met = |(_, words): &(usize, Option<FxHashSet<Key>>)| {
                words
                    .as_ref()
                    .is_none_or(|words| names.iter().any(|name| words.contains(name)))
            };
            let (met, others) = left.into_iter().partition::<Vec<_>, _>(is_met);
            left = others;
            for (number, _) in &met {
                affected.insert(*number);
                if let Some(text) = text_of(*number) {
                    let parsed = parse_unchecked_source(&text, PySourceType::Python);
                    links.extend(Link::all_of(&parsed, &text));
                }
            }
            let before = names.len();
            links.retain(|link| {
                let is_met = link.words.iter().any(|word| names.contains(word));
                if is_met {
                    names.extend(link.names.iter().copied());
                }
                !is_met
            });
            if met.is_empty() && names.len() == before {
                return affected;
            }
        }
    }
}

/// The files in `changed`, and all that import one of them, directly or not. `files` has, for each file, the path of
/// its module and what it imports; a file's number is its index there. Where several modules may be meant, all count.
fn importing<'n>(
    changed: impl IntoIterator<Item = usize>,
    files: &[(String, Vec<&'n str>)],
) -> FxHashSet<usize> {
    // By the last component of a module's name (`base`), and by its whole name (`app/base`): who imports it.
    let mut importers: FxHashMap<&'n str, FxHashMap<&'n str, Vec<usize>>> = FxHashMap::default();
    for (number, (_, imports)) in files.iter().enumerate() {
        for import in imports {
            // Importing `a.b.c` also runs `a` and `a.b`.
            let ends = import.match_indices('/').map(|(end, _)| end);
            for end in ends.chain([import.len()]) {
                let name = import.get(..end).unwrap_or_default();
                let last = name.rsplit('/').next().unwrap_or_default();
                if last.is_empty() {
                    continue;
                }
                let known = importers.entry(last).or_default();
                let numbers = known.entry(name).or_default();
                if numbers.last() != Some(&number) {
                    numbers.push(number);
                }
            }
        }
    }
    let mut affected: FxHashSet<usize> = changed.into_iter().collect();
    let mut left: Vec<usize> = affected.iter().copied().collect();
    while let Some(number) = left.pop() {
        let Some((path, _)) = files.get(number) else {
            continue;
        };
        let last = path.rsplit('/').next().unwrap_or_default();
        for (name, numbers) in importers.get(last).into_iter().flatten() {
            let is_meant = path
                .strip_suffix(name)
                .is_some_and(|before| before.is_empty() || before.ends_with('/'));
            if is_meant {
                left.extend(
                    numbers
                        .iter()
                        .copied()
                        .filter(|other| affected.insert(*other)),
                );
            }
        }
    }
    affected
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]
mod tests {
    use std::path::Path;

    use asyncfix_analysis::facts::interface::{Interface, module_path};
    use asyncfix_analysis::facts::value_flow::Place;
    use ruff_python_ast::PySourceType;
    use ruff_python_parser::parse_unchecked_source;

    use super::{Changes, importing};

    #[test]
    fn who_imports_a_module_directly_or_not() {
        let files =
            |files: &[(&str, &'static [&'static str])]| -> Vec<(String, Vec<&'static str>)> {
                let files = files.iter();
                files
                    .map(|(path, imports)| (module_path(Path::new(path)), imports.to_vec()))
                    .collect()
            };
        let project = files(&[
            ("/p/app/__init__.py", &[]),
            ("/p/app/base.py", &["typing"]),
            ("/p/app/mid.py", &["p/app/base/Base"]),
            ("/p/app/top.py", &["app/mid"]),
            ("/p/other/base.py", &[]),
            ("/p/other/use.py", &["other/base/f"]),
            ("/p/run.py", &["app"]),
        ]);
        let sorted = |changed| {
            let mut all: Vec<usize> = importing([changed], &project).into_iter().collect();
            all.sort_unstable();
            all
        };
        assert_eq!(sorted(1), [1, 2, 3]);
        assert_eq!(sorted(4), [4, 5]);
        assert_eq!(sorted(0), [0, 2, 3, 6]);
        assert_eq!(sorted(6), [6]);
    }

    /// The numbers of the files that are affected when the text of the first file changes from `before` to what `files`
    /// has.
    fn affected_by(before: &str, files: &[(&str, &str)]) -> Vec<usize> {
        let interface = |path: &str, text: &str| {
            let parsed = parse_unchecked_source(text, PySourceType::Python);
            Interface::of(&parsed, text, &Place::of(Path::new(path)))
        };
        let interfaces: Vec<Interface> = files
            .iter()
            .map(|(path, text)| interface(path, text))
            .collect();
        let modules: Vec<(String, Vec<&str>)> = files
            .iter()
            .zip(&interfaces)
            .map(|((path, _), interface)| {
                let imports = interface.imports.iter().map(|name| &**name);
                (module_path(Path::new(path)), imports.collect())
            })
            .collect();
        let mut changes = Changes::default();
        changes.add(
            0,
            interfaces[0].changed_since(&interface(files[0].0, before)),
        );
        let affected = changes.affected(&modules, |number| Some(files[number].1.into()));
        let mut affected: Vec<usize> = affected.into_iter().collect();
        affected.sort_unstable();
        affected
    }

    #[test]
    fn who_names_what_has_changed_is_affected() {
        let now = "def load(): ...\nclass Store: ...\n";
        let files = [
            ("/p/base.py", now),
            (
                "/p/makes.py",
                "from base import Store\ndef make() -> Store: ...\n",
            ),
            (
                "/p/uses.py",
                "from makes import make\ndef run():\n    make().save()\n",
            ),
            ("/p/loads.py", "import base\ndef run():\n    base.load()\n"),
            ("/p/star.py", "from base import *\n"),
            ("/p/renames.py", "from star import load as fetch\n"),
            ("/p/fetches.py", "import renames\nrenames.fetch()\n"),
            ("/p/beside.py", "def load(): ...\n"),
        ];
        // A name that was not there, a class that is another one, a function, and a call at the top.
        let nothing_new = format!("{now}def more(): ...\n");
        assert!(affected_by(&nothing_new, &files).is_empty());
        let other_class = now.replace("class Store", "class Store(dict)");
        assert_eq!(affected_by(&other_class, &files), [0, 1, 2]);
        let other_function = now.replace("load()", "load(name)");
        assert_eq!(affected_by(&other_function, &files), [0, 3, 5, 6]);
        let with_call = format!("{now}register(Store)\n");
        assert_eq!(affected_by(&with_call, &files), [0, 1, 2, 3, 4, 5, 6]);
        let other_body = now.replace("load(): ...", "load(): return 1");
        assert!(affected_by(&other_body, &files).is_empty());
    }
}
