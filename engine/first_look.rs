//! The first look at a file: read, parsed, summarized, and asked whether a codemod may have work in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_analysis::facts::calls;
use asyncfix_analysis::facts::interface::Interface;
use asyncfix_analysis::facts::scopes::Scopes;
use asyncfix_analysis::facts::summary::{Summary, may_drive_coroutines, may_start_loops};
use asyncfix_analysis::facts::value_flow::{Place, Writer};
use asyncfix_analysis::index::project::Project;
use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::codemod::Codemod;
use asyncfix_codemods::traversal::Prospects;
use ruff_db::system::SystemPathBuf;
use ruff_python_ast::PySourceType;
use ruff_python_parser::parse_unchecked_source;

use crate::cache::stored::text_number;
use crate::config::{Config, ConfigError, Resolver};
use crate::discovery::{self, Found};
use crate::embedded::path_on_disk;
use crate::index::system_path;
use crate::lines::Lines;
use crate::places::Places;
use crate::problem::{Kind, Problem};
use crate::roots::View;
use crate::rounds::Active;
use crate::run::Input;
use crate::source::{self, Source};
use crate::words::Words;

/// A file that may have something for a codemod. Most turn out to have nothing once the others are known,
/// and so their texts are not kept.
pub(crate) struct Candidate {
    pub(crate) index: usize,
    pub(crate) shown: PathBuf,
    pub(crate) path: SystemPathBuf,
    pub(crate) config: Arc<Config>,
    pub(crate) prospects: Prospects,
    /// The text, where that is not what is on disk, or is sure to be needed.
    pub(crate) source: Option<Source>,
    /// The lines that are looked at, where these are not all.
    pub(crate) lines: Option<Arc<Lines>>,
}

impl Candidate {
    /// The codemods that have something to look at. `own` is the file's summary, where that of the project was made
    /// without a look for codemods.
    pub(crate) fn codemods(
        &self,
        project: &Project,
        own: Option<&Summary>,
    ) -> Vec<&'static dyn Codemod> {
        let own = own.and_then(Summary::traces);
        self.prospects.settle(project, self.index, own)
    }

    /// Makes a file of a run of it, which these codemods look at.
    pub(crate) fn settle(self, codemods: Vec<&'static dyn Codemod>) -> Settled {
        if codemods.is_empty() {
            return Settled::Nothing;
        }
        let source = match self.source {
            Some(source) => source,
            None => match source::read(self.path.as_std_path()) {
                Ok(source) => source,
                Err(reason) => {
                    let error = Problem::new(&self.shown, Kind::Unreadable, reason);
                    return Settled::Error(self.index, error);
                }
            },
        };
        let view = View::of_version(self.config.version_of_types());
        let mut active = Active::new(self.index, self.shown, self.path, view, self.config, source);
        active.codemods = codemods;
        active.lines = self.lines;
        Settled::Active(Box::new(active))
    }
}

/// What a file turns out to have, once the others are known.
pub(crate) enum Settled {
    Nothing,
    Active(Box<Active>),
    /// It cannot be looked at any more. With its place among the files.
    Error(usize, Problem),
}

/// What codemods have to do with a file.
pub(crate) enum FirstLook {
    /// Nothing.
    Nothing,
    /// Something to look at.
    Candidate(Box<Candidate>),
    /// It cannot be looked at.
    Error(Problem),
}

/// What the first look at a file brings.
pub(crate) struct Looked {
    pub(crate) first: FirstLook,
    /// What the file says about others. `None` where it cannot be parsed.
    pub(crate) summary: Option<Arc<Summary>>,
    /// What others see of it, where that was asked for.
    pub(crate) interface: Interface,
    /// The number of its text. `None` where it cannot be read.
    pub(crate) text: Option<u128>,
    pub(crate) is_utf8: bool,
}

impl Looked {
    fn new(first: FirstLook, source: Option<&Source>) -> Self {
        Self {
            first,
            summary: None,
            interface: Interface::default(),
            text: source.map(|source| text_number(&source.text)),
            is_utf8: source.is_none_or(Source::is_utf8),
        }
    }

    fn with(self, summary: Box<Summary>) -> Self {
        Self {
            summary: Some(Arc::from(summary)),
            ..self
        }
    }
}

/// Why a file is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Aim {
    /// For what codemods find in it. One that is no target is read for what it says about others alone.
    pub(crate) is_target: bool,
    /// Whether it matters what others see of it.
    pub(crate) for_others: bool,
}

/// A look at a stub file, which is read for what it defines alone.
fn look_at_stub(path: &Path, source: &Source, config: &Config, aim: Aim) -> Looked {
    let text = &source.text;
    let parsed = parse_unchecked_source(text, PySourceType::from(path));
    let scopes = Scopes::of(parsed.syntax(), text, Place::of(path));
    let mut summary = Box::new(Summary::of(parsed.syntax(), text, true));
    summary.add_traces(Writer::new(&scopes).finish());
    summary.add_calls(calls::write(&scopes, text, &config.settings.blocking));
    let mut looked = Looked::new(FirstLook::Nothing, Some(source)).with(summary);
    if aim.for_others {
        let place = Place::of(path);
        looked.interface = Interface::of(&parsed, text, &place);
    }
    looked
}

/// Reads a file, parses it, and says whether any codemod could have work in it.
pub(crate) fn first_look(
    index: usize,
    input: Input,
    resolver: &Resolver,
    aim: Aim,
) -> Result<Looked, ConfigError> {
    let Aim {
        is_target,
        for_others,
    } = aim;
    let Found { shown, path, named } = input.found;
    let folder = path.parent().unwrap_or(&path);
    let config = resolver.for_folder(folder)?;
    let is_given = input.text.is_some();
    let source = match input.text {
        Some(text) => Source::utf8(text),
        None => match source::read(&path) {
            Ok(source) => source,
            Err(_) if !is_target => return Ok(Looked::new(FirstLook::Nothing, None)),
            Err(reason) => {
                let problem = Problem::new(&shown, Kind::Unreadable, reason);
                return Ok(Looked::new(FirstLook::Error(problem), None));
            }
        },
    };
    if discovery::is_stub(&path) {
        return Ok(look_at_stub(&path, &source, &config, aim));
    }
    let nothing = || Looked::new(FirstLook::Nothing, Some(&source));
    let words = Words::of(&source.text);
    let is_plain = !words.are_of_coroutines();
    let codes = config.codes_for(&path_on_disk(&path));
    let selected: Vec<(usize, &'static dyn Codemod)> = CODEMODS
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, codemod)| codes.contains(&codemod.rule().code))
        .collect();
    // Types are decided across files, and so by code without coroutines as well.
    let for_types = selected.iter().any(|(_, codemod)| codemod.asks_for_types());
    let in_plain_code = selected
        .iter()
        .any(|(place, codemod)| codemod.in_plain_code() && words.are_for(*place));
    let is_asked_for = is_target && (named || in_plain_code);
    let is_of_libraries = may_drive_coroutines(&source.text) || may_start_loops(&source.text);
    if is_plain && !for_types && !is_asked_for && !is_of_libraries {
        let summary = Summary::of_plain_code(&source.text);
        return Ok(nothing().with(Box::new(summary)));
    }
    let parsed = parse_unchecked_source(&source.text, PySourceType::Python);
    if let Some(error) = parsed.errors().first() {
        if !is_target || is_plain && !named {
            return Ok(nothing());
        }
        let place = Places::of(&source.text).at(error.location.start());
        let message = format!("syntax error: {}", error.error);
        let problem = Problem::new(&shown, Kind::InvalidSyntax, message).at(place);
        return Ok(Looked::new(FirstLook::Error(problem), Some(&source)));
    }
    let scopes = for_types.then(|| Scopes::of(parsed.syntax(), &source.text, Place::of(&path)));
    let mut writer = scopes.as_ref().map(Writer::new);
    let mut summary = Box::new(Summary::of(parsed.syntax(), &source.text, for_types));
    let helpers = selected
        .iter()
        .find(|(_, codemod)| is_target && codemod.counts_callers())
        .map(|(place, codemod)| (*codemod, is_plain || !words.are_for(*place)));
    let codemods = selected
        .into_iter()
        .filter(|_| is_target)
        .filter(|(_, codemod)| !is_plain || codemod.in_plain_code())
        .filter(|(place, _)| words.are_for(*place))
        .map(|(_, codemod)| codemod)
        .collect();
    let mut prospects = Prospects::of(
        parsed.syntax(),
        &source.text,
        writer.as_mut(),
        codemods,
        &config.settings,
    );
    if let Some(writer) = writer {
        summary.add_traces(writer.finish());
    }
    if let Some(scopes) = &scopes {
        let calls = calls::write(scopes, &source.text, &config.settings.blocking);
        if let Some((codemod, true)) = helpers {
            prospects.add_functions(codemod, calls.callers());
        }
        summary.add_calls(calls);
    }
    let mut looked = nothing().with(summary);
    let Some(path) = system_path(&path) else {
        let message = "the path is not valid UTF-8";
        let problem = Problem::new(&shown, Kind::Unreadable, message);
        return Ok(Looked::new(FirstLook::Error(problem), Some(&source)));
    };
    if for_others {
        let place = Place::of(path.as_std_path());
        looked.interface = Interface::of(&parsed, &source.text, &place);
    }
    if prospects.is_empty() {
        return Ok(looked);
    }
    let is_needed = is_given || !prospects.certain.is_empty();
    looked.first = FirstLook::Candidate(Box::new(Candidate {
        index,
        shown,
        path,
        config,
        prospects,
        source: is_needed.then_some(source),
        lines: input.lines,
    }));
    Ok(looked)
}
