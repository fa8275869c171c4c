//! Limits of the searches through code: how many calls, names and values are followed.
//!
//! A function calls another one, a name stands for another name, and much of it is recursive. So each search gives up
//! after some steps. What that means for its answer stands at each limit; most often the answer is "not known", which
//! makes a fix unsafe or leaves it out. All these numbers stand here; no other file of the analysis or of the codemods
//! has one of its own.
//!
//! A limit that is handed down through a recursion counts what is left ([`Limit::less`]); one that stays as it is, is
//! compared with a count ([`Limit::allows`]).

use std::fmt;
use std::ops::Range;

/// How many steps a search may take, or how many are left; or how many of something there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit(usize);

impl Limit {
    /// Whether `count` is within the limit.
    #[must_use]
    pub const fn allows(self, count: usize) -> bool {
        count <= self.0
    }

    /// Whether one more than `count` is within the limit.
    #[must_use]
    pub const fn has_room(self, count: usize) -> bool {
        count < self.0
    }

    /// The limit after one step. `None` where no step was left.
    #[must_use]
    pub fn less(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// An equal share for each of `several` searches.
    #[must_use]
    pub fn shared_by(self, several: usize) -> Self {
        Self(self.0 / several.max(1))
    }

    /// The numbers of the rounds, for a search in rounds (breadth first).
    #[must_use]
    pub fn rounds(self) -> Range<usize> {
        0..self.0
    }

    /// The number.
    #[must_use]
    pub const fn count(self) -> usize {
        self.0
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// Functions that are followed.

/// How many calls deep it is looked for how long a coroutine sleeps, whether a call runs an event loop, what fails
/// under a running loop, and who calls a callback. Nothing is seen of calls further down.
pub const CALLS: Limit = Limit(4);

/// How many function bodies deep it is looked for what functions raise, return or release, which threads they start,
/// and what they do with their arguments. Further down nothing is found, or anything is assumed, whichever is the
/// careful answer.
pub const BODIES: Limit = Limit(3);

/// How many calls deep coroutines are followed to what they await, to find out whether they end. Further down that is
/// not known.
pub const AWAITED: Limit = Limit(6);

/// How many calls deep a semaphore or the like counts as a limit on the coroutine. One further down limits something
/// else.
pub const TURN: Limit = Limit(3);

/// The same for a lock: one further down protects something else.
pub const LOCK: Limit = Limit(1);

/// How many calls deep it counts that a coroutine uses something scarce, such as a connection or a file. Use further
/// down is not counted.
pub const SCARCE: Limit = Limit(2);

/// How many wrappers (coroutines that only return what another one returns) are looked through for whether exceptions
/// are caught or returned. What is further in may raise.
pub const WRAPPERS: Limit = Limit(2);

/// How many calls deep a value is followed that is passed as an argument: the results of a `gather`, an object to be
/// closed, the words of a command. Further down it may be used in any way.
pub const HANDED_ON: Limit = Limit(2);

/// How many calls deep coroutine functions are looked through for an `await` at which other tasks may run. Further down
/// there is one.
pub const LETTING_RUN: Limit = Limit(2);

/// How many calls deep a file path is followed as an argument. What functions further down do to the file is not seen.
pub const PATHS_HANDED_ON: Limit = Limit(3);

/// How many calls deep sync functions are looked through for one that runs an event loop. One further down is missed.
pub const LOOP_RUNNERS: Limit = Limit(3);

/// How many calls up callers of a function are looked at. Callers further up are ignored.
pub const CALLERS: Limit = Limit(3);

/// How many calls the chain from a function to the blocking call in it may have for a fix: all of it has to be examined
/// for whether it may run in a thread. A longer one is not fixed.
pub const CHAIN: Limit = Limit(16);

/// How many functions and variables are followed back to where an object is made. Beyond, the object counts as shared
/// with other code.
pub const MAKERS: Limit = Limit(5);

/// How many classes are followed, each making the objects of the next, for how many objects of a class there are.
/// Beyond, there may be many.
pub const MAKING_CLASSES: Limit = Limit(3);

// Names, values and classes that are followed.

/// How many aliases (`lock = self.lock`) are followed within one function. Beyond, the value is not known.
pub const ALIASES: Limit = Limit(3);

/// How many assignments (`pause = time.sleep`) are followed to the value of a name. Beyond, it is not known.
pub const NAMES: Limit = Limit(4);

/// How many bindings are followed within a file to the value of a name when the facts are written down, without types.
/// Beyond, it is not known.
pub const BINDINGS: Limit = Limit(5);

/// How many attributes, assignments and calls are followed, one after the other, to where a value comes from. Beyond,
/// it is not known, and counts as shared with other code.
pub const STEPS: Limit = Limit(6);

/// How many expressions are followed to show that the type engine cannot know the type of a value. Beyond, the engine
/// is asked.
pub const UNKNOWN: Limit = Limit(12);

/// How many searches for a value may be nested, as for the receiver of a method whose annotation says what a call
/// returns: a value may depend on itself. A deeper one finds nothing.
pub const LOOKS: Limit = Limit(6);

/// How many modules an imported name is followed through. Beyond, it is not known.
pub const IMPORTS: Limit = Limit(6);

/// How many names and imports are followed in the index of the project to what an import means. Beyond, it is not
/// resolved.
pub const LINKED: Limit = Limit(16);

/// How many names and imports are followed to what a decorator stands for. Beyond, it is not known.
pub const DECORATORS: Limit = Limit(5);

/// How long a chain of attributes (`a.b.c`) is kept in the traces. Attributes behind it are not told apart.
pub const ATTRIBUTES: Limit = Limit(5);

/// How many searches through the traces may be nested, each asking what calling a class member returns. Beyond, it may
/// be awaitable.
pub const CALLED: Limit = Limit(4);

/// How many steps other names of an async iterator or context manager are followed. Names further away count as those
/// of something else.
pub const PROTOCOLS: Limit = Limit(2);

/// How many variables are replaced by their values before two file paths are compared. Variables behind these are
/// compared by name.
pub const WRITTEN_OUT: Limit = Limit(3);

/// How deep the parts of an annotation are looked at, as in `Optional[Union[A, B]]`. What is nested deeper is not
/// known.
pub const PARTS: Limit = Limit(4);

/// How many base classes up a method or an attribute is looked for. One further up is not found.
pub const BASES: Limit = Limit(8);

/// How many base classes are looked at for whether an object keeps references to its tasks. With more bases, it may.
pub const KEEPING_BASES: Limit = Limit(16);

/// How many base classes are looked at for whether a class is an exception. With more, it is taken for none.
pub const EXCEPTIONS: Limit = Limit(12);

/// How many folders up from a file a folder such as `tests` marks it as test code, where the name of its module is not
/// known. Folders higher up may be the user's own.
pub const TEST_FOLDERS: Limit = Limit(4);

/// How many folders up from a file may be that of the package it belongs to. Folders higher up may be the user's own.
pub const PACKAGE_FOLDERS: Limit = Limit(3);

// Sizes: how many there may be of what is looked at, and how long it may be.

/// How many conditions a call chain to a blocking call may depend on. With more, it is too doubtful that the call
/// blocks, and nothing is reported.
pub const CONDITIONS: Limit = Limit(1);

/// How many alternative values one name may have. The type engine compares each with each, and for classes builds a
/// type of every combination, so its time explodes. With more, it is not asked.
pub const ALTERNATIVES: Limit = Limit(128);

/// How many conditions may test one name: where the name is bound again in between, the engine carries all earlier
/// conditions along. With more, it is not asked.
pub const CONDITIONS_ON_NAME: Limit = Limit(60);

/// How many expressions the value of one may come from. With more, it may be anything.
pub const REACHING: Limit = Limit(24);

/// How many calls of a function are looked at for the value of a parameter: each argument may be another parameter.
/// With more, it is not known.
pub const GIVING_CALLS: Limit = Limit(8);

/// How many `return` values of a function are looked at: each may be another call. With more, it is not known what the
/// function returns.
pub const RETURNS: Limit = Limit(8);

/// How many values that are assigned to an attribute are looked at beside the first: each may depend on another
/// attribute. With more, its value is not known.
pub const VALUES: Limit = Limit(4);

/// How many base classes are looked at for one that the tables of libraries know. One beyond is not found.
pub const ABOVE: Limit = Limit(32);

/// How many classes with a method of one name are looked at, where the class of an object is not known. With more, the
/// name says too little, and none is.
pub const NAMESAKES: Limit = Limit(16);

/// How many sync overrides of a method in subclasses are asked for their type. With more, the method may return an
/// awaitable.
pub const OVERRIDES: Limit = Limit(64);

/// How many functions are looked at, from one on through its calls, for the files on disk that they use. Use by further
/// ones is not seen.
pub const FILE_USERS: Limit = Limit(64);

/// How many steps one search through the traces of a project takes (`index/reach.rs`). Beyond, the answer is yes: the
/// type engine is asked.
pub const SEARCH: Limit = Limit(20_000);

/// How many statements of the form `table[key] = value` a module may have. One with more is a table of data: the time
/// of the type engine for each statement grows with their number, so the engine is not shown the file.
pub const TABLE: Limit = Limit(1000);

/// How many steps of a trace are compared one by one to drop repetitions. For more of them a hash set is faster; the
/// result is the same.
pub const COMPARED: Limit = Limit(12);

/// How often the statements of a function are gone through, because in a loop an earlier statement may use what a later
/// one has made. What takes more passes is not seen.
pub const PASSES: Limit = Limit(4);

/// How deep nested loops are walked twice, once for the first turn and once for the next. Loops further in are walked
/// once.
pub const LOOPS: Limit = Limit(3);

/// From how many calls in coroutine functions on AF206 reports a blocking function once, at its definition, in the
/// place of each call.
pub const CROWD: Limit = Limit(20);

/// How many facts `--explain` prints about one piece of code. More are left out.
pub const FACTS: Limit = Limit(8);

/// How many callers `--explain` names. Three dots stand for more.
pub const NAMED_CALLERS: Limit = Limit(4);

/// How long a string constant may be to count as a file path, in bytes.
pub const PATH: Limit = Limit(120);

/// How far behind the first argument of an `isinstance` the classes are looked for, in bytes.
pub const ASKED_CLASSES: Limit = Limit(400);
