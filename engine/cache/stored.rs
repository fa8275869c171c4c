//! What a cache file holds, and how it is written: a header about all files, and behind it what is known of each, in
//! sections, so that only what is needed has to be unpacked.

use std::path::Path;
use std::sync::OnceLock;

use asyncfix_analysis::facts::interface::Interface;
use asyncfix_analysis::facts::key::Key;
use asyncfix_analysis::index::asked::Noted;
use asyncfix_codemods::finding::Finding;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::outside::Outside;
use crate::problem::{Kind, Place};
use crate::stamp::Stamp;

/// How a cache file starts.
const MAGIC: &[u8; 16] = b"asyncfix cache 1";

/// A number for a text. Two texts with the same number are the same.
pub(crate) fn text_number(text: &str) -> u128 {
    xxh3_128(text.as_bytes())
}

/// The parts of a file behind the header, each packed as one: what is alike in many files stands there once.
#[derive(Debug, Clone, Copy)]
enum Section {
    Interfaces,
    Summaries,
    Prospects,
    Verdicts,
}

/// How many there are.
const SECTIONS: usize = 4;

/// How long the sections are: packed, and unpacked.
type Lengths = [(u64, u64); SECTIONS];

/// Where something stands in its section.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

/// What is known of a problem in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredProblem {
    pub(crate) message: String,
    /// The line and the column.
    pub(crate) place: Option<(usize, usize)>,
}

impl StoredProblem {
    /// What is kept of a problem. `None` for one that may be gone without a change of the file.
    pub(crate) fn of(kind: Kind, message: &str, place: Option<Place>) -> Option<Self> {
        (kind == Kind::InvalidSyntax).then(|| Self {
            message: message.to_owned(),
            place: place.map(|place| (place.line, place.column)),
        })
    }
}

/// What came of the last look at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// It was read for what it says about others alone.
    Beside,
    /// It was looked at, and the outcome is not known.
    Open,
    /// No codemod has work in it.
    Nothing,
    /// Codemods looked at it and found nothing.
    Clean,
    /// They found something.
    Findings,
}

/// What is known of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// The absolute path.
    pub(crate) path: String,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) text: u128,
    /// The number of the configuration that applied to it.
    pub(crate) config: u64,
    pub(crate) is_utf8: bool,
    /// The number of its interface.
    pub(crate) interface: u64,
    pub(crate) problem: Option<StoredProblem>,
    pub(crate) state: State,
    summary: Option<Span>,
    shown: Span,
    prospects: Option<Span>,
    verdict: Option<Span>,
}

impl FileEntry {
    /// Whether it could be parsed.
    pub(crate) fn has_summary(&self) -> bool {
        self.summary.is_some()
    }

    /// Whether codemods may have work in it.
    pub(crate) fn has_prospects(&self) -> bool {
        self.prospects.is_some()
    }
}

/// What codemods said of a file, and what that depends on beside its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// The codes of the rules that had a closer look.
    pub(crate) codes: Vec<String>,
    pub(crate) noted: Noted,
    /// The files into whose functions the look has led, by their places in the header, each with the function or class
    /// at its top; `None` for the whole file.
    pub(crate) opened: Vec<(u32, Option<Key>)>,
    pub(crate) findings: Vec<Finding>,
}

/// What stands at the start of a cache file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Header {
    /// A number for what lies around the files: environments, stubs.
    pub(crate) around: u64,
    /// A number for where imports start.
    pub(crate) roots: u64,
    /// What types were read from beside the files.
    pub(crate) outside: Outside,
    pub(crate) files: Vec<FileEntry>,
}

/// A cache file that was read.
pub(crate) struct Loaded {
    pub(crate) header: Header,
    lengths: Lengths,
    packed: Vec<u8>,
    sections: [OnceLock<Vec<u8>>; SECTIONS],
    places: FxHashMap<String, usize>,
    /// Whether what types were read from is as it was.
    has_same_outside: OnceLock<bool>,
}

impl Loaded {
    /// Whether the files and folders that types were read from, beside those of the run, are as they were.
    pub(crate) fn has_same_outside(&self) -> bool {
        *self
            .has_same_outside
            .get_or_init(|| self.header.outside.holds())
    }

    /// Reads the bytes of a cache file that was written by the same program. `None` for anything else: half a file, one
    /// of another version, another file.
    pub(crate) fn read(mut bytes: Vec<u8>, program: u64) -> Option<Self> {
        let start = bytes.strip_prefix(MAGIC)?;
        let (sum, start) = start.split_first_chunk::<8>()?;
        let (own, start) = start.split_first_chunk::<8>()?;
        if u64::from_le_bytes(*own) != program || u64::from_le_bytes(*sum) != xxh3_64(start) {
            return None;
        }
        let ((header, lengths), behind) =
            postcard::take_from_bytes::<(Header, Lengths)>(start).ok()?;
        let before = bytes.len() - behind.len();
        let places = header.files.iter().map(|file| file.path.clone()).zip(0..);
        let places = places.collect();
        bytes.drain(..before);
        Some(Self {
            header,
            lengths,
            packed: bytes,
            sections: Default::default(),
            places,
            has_same_outside: OnceLock::new(),
        })
    }

    /// The place of a file in the header, and what is known of it.
    pub(crate) fn file(&self, path: &Path) -> Option<(usize, &FileEntry)> {
        let place = *self.places.get(path.to_str()?)?;
        Some((place, self.header.files.get(place)?))
    }

    fn unpack(&self, section: usize) -> Option<Vec<u8>> {
        let before = self.lengths.iter().take(section);
        let start: u64 = before.map(|(packed, _)| packed).sum();
        let (packed, unpacked) = *self.lengths.get(section)?;
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(packed).ok()?)?;
        let packed = self.packed.get(start..end)?;
        lz4_flex::block::decompress(packed, usize::try_from(unpacked).ok()?).ok()
    }

    fn at(&self, section: Section, span: Span) -> Option<&[u8]> {
        let section = section as usize;
        let unpacked = self.sections.get(section)?;
        let unpacked = unpacked.get_or_init(|| self.unpack(section).unwrap_or_default());
        let start = span.start as usize;
        unpacked.get(start..start.checked_add(span.len as usize)?)
    }

    fn get<'a, T: Deserialize<'a>>(&'a self, section: Section, span: Span) -> Option<T> {
        postcard::from_bytes(self.at(section, span)?).ok()
    }

    /// The file's summary. `None` where it has none, or that cannot be read.
    pub(crate) fn summary<T: DeserializeOwned>(&self, file: &FileEntry) -> Option<T> {
        self.get(Section::Summaries, file.summary?)
    }

    /// What it imports, and the number of what it shows.
    pub(crate) fn interface(&self, file: &FileEntry) -> Option<Interface> {
        let (imports, names, rest, parts) = self.get(Section::Interfaces, file.shown)?;
        Some(Interface {
            digest: file.interface,
            imports,
            names,
            rest,
            parts,
        })
    }

    /// What codemods could find in it. `None` where there is nothing.
    pub(crate) fn prospects<'a, T: Deserialize<'a>>(&'a self, file: &FileEntry) -> Option<T> {
        self.get(Section::Prospects, file.prospects?)
    }

    /// What codemods said of it.
    pub(crate) fn verdict(&self, file: &FileEntry) -> Option<Verdict> {
        self.get(Section::Verdicts, file.verdict?)
    }
}

/// A cache file that is being written.
#[derive(Default)]
pub(crate) struct Writer {
    header: Header,
    sections: [Vec<u8>; SECTIONS],
}

/// What is written down of a file that was looked at anew.
pub(crate) struct Fresh<'a, S, P> {
    pub(crate) path: &'a str,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) text: u128,
    pub(crate) config: u64,
    pub(crate) is_utf8: bool,
    pub(crate) summary: Option<&'a S>,
    pub(crate) interface: &'a Interface,
    pub(crate) prospects: Option<&'a P>,
    pub(crate) problem: Option<StoredProblem>,
    pub(crate) state: State,
}

impl Writer {
    pub(crate) fn new(around: u64, roots: u64, outside: Outside) -> Self {
        Self {
            header: Header {
                around,
                roots,
                outside,
                files: Vec::new(),
            },
            ..Self::default()
        }
    }

    fn put<T: Serialize + ?Sized>(&mut self, section: Section, value: &T) -> Option<Span> {
        let bytes = self.sections.get_mut(section as usize)?;
        let start = u32::try_from(bytes.len()).ok()?;
        *bytes = postcard::to_extend(value, std::mem::take(bytes)).ok()?;
        let len = u32::try_from(bytes.len()).ok()? - start;
        Some(Span { start, len })
    }

    fn copy(&mut self, section: Section, from: &Loaded, span: Span) -> Option<Span> {
        let bytes = self.sections.get_mut(section as usize)?;
        let start = u32::try_from(bytes.len()).ok()?;
        bytes.extend(from.at(section, span)?);
        Some(Span { start, ..span })
    }

    /// Writes down what was known of a file before. Its verdict is left out.
    pub(crate) fn keep(
        &mut self,
        from: &Loaded,
        file: &FileEntry,
        stamp: Option<Stamp>,
        state: State,
    ) -> Option<()> {
        let mut entry = FileEntry {
            stamp,
            state,
            verdict: None,
            ..file.clone()
        };
        if let Some(summary) = &mut entry.summary {
            *summary = self.copy(Section::Summaries, from, *summary)?;
        }
        if let Some(prospects) = &mut entry.prospects {
            *prospects = self.copy(Section::Prospects, from, *prospects)?;
        }
        entry.shown = self.copy(Section::Interfaces, from, entry.shown)?;
        self.header.files.push(entry);
        Some(())
    }

    /// Writes down what is known of a file that was looked at anew.
    pub(crate) fn add<S: Serialize, P: Serialize>(&mut self, file: Fresh<'_, S, P>) -> Option<()> {
        let summary = match file.summary {
            Some(summary) => Some(self.put(Section::Summaries, summary)?),
            None => None,
        };
        let prospects = match file.prospects {
            Some(prospects) => Some(self.put(Section::Prospects, prospects)?),
            None => None,
        };
        let interface = file.interface;
        let Interface {
            digest: _,
            imports,
            names,
            rest,
            parts,
        } = interface;
        let shown = (imports, names, rest, parts);
        let shown = self.put(Section::Interfaces, &shown)?;
        self.header.files.push(FileEntry {
            path: file.path.to_owned(),
            stamp: file.stamp,
            text: file.text,
            config: file.config,
            is_utf8: file.is_utf8,
            interface: file.interface.digest,
            problem: file.problem,
            state: file.state,
            summary,
            shown,
            prospects,
            verdict: None,
        });
        Some(())
    }

    /// Adds what codemods said of the file that was written last.
    pub(crate) fn say(&mut self, verdict: &Verdict) -> Option<()> {
        let span = self.put(Section::Verdicts, verdict)?;
        let file = self.header.files.last_mut()?;
        file.verdict = Some(span);
        file.state = if verdict.findings.is_empty() {
            State::Clean
        } else {
            State::Findings
        };
        Some(())
    }

    /// The bytes of the file. `program` is a number for the program that may read it again.
    pub(crate) fn finish(self, program: u64) -> Option<Vec<u8>> {
        let pack = |section: &Vec<u8>| lz4_flex::block::compress(section);
        let packed: Vec<Vec<u8>> = self.sections.par_iter().map(pack).collect();
        let mut lengths = Lengths::default();
        for (length, (packed, unpacked)) in
            lengths.iter_mut().zip(packed.iter().zip(&self.sections))
        {
            *length = (packed.len() as u64, unpacked.len() as u64);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend([0; 8]);
        bytes.extend(program.to_le_bytes());
        let mut bytes = postcard::to_extend(&(&self.header, lengths), bytes).ok()?;
        bytes.extend(packed.into_iter().flatten());
        let (head, rest) = bytes.split_at_mut(MAGIC.len() + 8);
        let sum = xxh3_64(rest.get(8..)?);
        head.get_mut(MAGIC.len()..)?
            .copy_from_slice(&sum.to_le_bytes());
        Some(bytes)
    }
}
