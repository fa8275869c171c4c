//! Runs over a case's files, in a folder that one thread uses for all of its cases.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use asyncfix_engine::cache::Place;
use asyncfix_engine::choose::Plan;
use asyncfix_engine::config::{Overrides, Resolver};
use asyncfix_engine::discovery;
use asyncfix_engine::run::{self, Input, Knowledge, Mode, Outcomes, Request};
use asyncfix_engine::selection::Layer;
use asyncfix_engine::session::{Cancellation, Checked, Session, SessionError};

use super::pages::Case;

/// How many cases share one database. It keeps what it was told of every text that it has seen.
const CASES_OF_ONE_DATABASE: usize = 200;

/// A folder, and what the runs in it have learned of the standard library.
pub struct Folder {
    _kept: tempfile::TempDir,
    root: PathBuf,
    knowledge: Option<Knowledge>,
    /// Where runs keep what they find out.
    pub cache: Place,
    cases: usize,
    /// The time of the last change: two texts that are written within one tick of the system's clock must differ.
    time: SystemTime,
    threads: rayon::ThreadPool,
}

/// What a run or a session lays over the settings of a case.
pub fn overrides(code: Option<&str>, unsafe_fixes: bool) -> Overrides {
    // What suppresses nothing is told by all the others.
    let code = code.filter(|code| *code != "AF001");
    Overrides {
        layer: Layer {
            select: Some(vec![code.unwrap_or("ALL").to_owned()]),
            ..Layer::default()
        },
        unsafe_fixes: Some(unsafe_fixes),
        ..Overrides::default()
    }
}

/// What a run is about.
pub struct Asked<'a> {
    /// What to look at: paths below the folder, as people would write them. Empty for the folder itself.
    pub paths: Vec<PathBuf>,
    /// The text that comes over standard input, for the only path.
    pub text: Option<String>,
    /// The rules, or all of them.
    pub code: Option<&'a str>,
    /// What to do.
    pub mode: Mode,
    /// Whether unsafe fixes are applied.
    pub unsafe_fixes: bool,
    /// The working folder.
    pub cwd: PathBuf,
}

impl Folder {
    /// An empty folder.
    pub fn new() -> Self {
        let kept = tempfile::tempdir().expect("a temporary folder");
        let root = fs::canonicalize(kept.path())
            .expect("it was just made")
            .join("case");
        // What is installed on the machine that runs the tests plays no part.
        let environment = root.with_file_name(".venv");
        let packages = environment.join("lib/python3.11/site-packages");
        fs::create_dir_all(packages).expect("an empty environment");
        let settings = format!("home = {}\n", kept.path().display());
        fs::write(environment.join("pyvenv.cfg"), settings).expect("its settings");
        // One thread: a second one would only look ahead for what others need now.
        let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        Self {
            _kept: kept,
            root,
            knowledge: None,
            cache: Place::Nowhere,
            cases: 0,
            time: SystemTime::now(),
            threads: threads.expect("a thread"),
        }
    }

    /// The folder that the files of a case lie in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Puts the files of a case there, and nothing else, with this text as the main file's.
    pub fn fill(&mut self, case: &Case, source: &str) {
        if self.root.exists() {
            fs::remove_dir_all(&self.root).expect("the files of the last case go");
        }
        self.cases += 1;
        if self.cases.is_multiple_of(CASES_OF_ONE_DATABASE) {
            self.knowledge = None;
        }
        self.write("asyncfix.toml", &case.settings);
        for (name, text) in &case.others {
            self.write(name, text);
        }
        self.write(&case.file, source);
        let root = self.root.clone();
        self.tick_all(&root);
    }

    /// Writes one file below the folder.
    pub fn write(&mut self, name: &str, text: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("a name has a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Gives everything in a folder a time of its own.
    fn tick_all(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                self.tick_all(&path);
            } else {
                self.tick(&path);
            }
        }
        self.tick(folder);
    }

    fn tick(&mut self, path: &Path) {
        self.time += Duration::from_millis(10);
        let file = fs::File::open(path).expect("it is there");
        file.set_modified(self.time).expect("its time can be set");
    }

    /// Runs over the files that are there.
    pub fn run(&mut self, asked: Asked<'_>) -> Outcomes {
        let overrides = overrides(asked.code, asked.unsafe_fixes);
        let resolver = Resolver::new(overrides, &asked.cwd).expect("the settings are right");
        let paths = if asked.paths.is_empty() {
            vec![self.root.clone()]
        } else {
            asked.paths
        };
        let discovered = discovery::discover(&paths, &resolver).expect("the settings are right");
        let root = &self.root;
        let mut text = asked.text;
        let inputs = discovered
            .files
            .into_iter()
            .map(|mut found| {
                let shown = found.path.strip_prefix(root).map(Path::to_path_buf);
                found.shown = shown.unwrap_or(found.shown);
                let text = text.take();
                Input {
                    text,
                    ..Input::new(found)
                }
            })
            .collect();
        let earlier = self.knowledge.take();
        let mut outcomes = self
            .threads
            .install(|| {
                let request = Request {
                    inputs,
                    folders: discovered.folders,
                    earlier,
                    cache: self.cache.clone(),
                };
                run::run(request, &resolver, Plan::new(asked.mode), &|| {})
            })
            .expect("the settings are right");
        self.knowledge = outcomes.knowledge.take();
        outcomes
    }

    /// What a session over the folder finds in a file, as an editor would ask it.
    pub fn ask(&self, session: &mut Session, file: &str) -> Result<Checked, SessionError> {
        let path = self.root.join(file);
        session
            .configuration_changed(None)
            .map_err(SessionError::from)?;
        self.threads
            .install(|| session.check(&path, true, &Cancellation::default()))
    }

    /// Runs over the whole folder, from within.
    pub fn run_all(&mut self, code: Option<&str>, mode: Mode, unsafe_fixes: bool) -> Outcomes {
        self.run(Asked {
            paths: Vec::new(),
            text: None,
            code,
            mode,
            unsafe_fixes,
            cwd: self.root.clone(),
        })
    }
}
