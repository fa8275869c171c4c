//! How far answers are looked for.
//!
//! Code has no end: a function calls another one, a name stands for another name, and much of it goes round in circles.
//! Each search therefore gives up after so many steps, and what lies beyond counts as not known. All these numbers stand
//! here; no other file of the analysis or of the codemods has one of its own.

use std::fmt;
use std::ops::Range;

/// How many of something are followed or kept, or how many are left of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit(usize);

impl Limit {
    /// Whether `count` of them are not too many.
    #[must_use]
    pub const fn allows(self, count: usize) -> bool {
        count <= self.0
    }

    /// Whether there is room for one more beside `count` of them.
    #[must_use]
    pub const fn has_room(self, count: usize) -> bool {
        count < self.0
    }

    /// What is left after one step. `None` where none is left to take.
    #[must_use]
    pub fn less(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// What each of several searches gets that go on side by side.
    #[must_use]
    pub fn shared_by(self, several: usize) -> Self {
        Self(self.0 / several.max(1))
    }

    /// The rounds of a search that takes one step for all it has found in each.
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

/// How many calls are followed to how long something takes, which loop it runs, what breaks under a loop, and who calls a
/// callback. Nothing is seen of what lies further down.
pub const CALLS: Limit = Limit(4);

/// How many bodies of functions are looked into, one calling the next: for what they raise, give or free, which threads
/// they start, and what they make of what they are given. What lies further down is not seen, and where that would be
/// rash, it may be anything.
pub const BODIES: Limit = Limit(3);

/// How many functions are followed from a coroutine to those that it awaits, for whether it comes to an end. Further down
/// that is not known.
pub const AWAITED: Limit = Limit(6);

/// How many calls deep it counts that a coroutine waits for its turn. What is further down limits something else.
pub const TURN: Limit = Limit(3);

/// The same for a lock: further down it protects something else.
pub const LOCK: Limit = Limit(1);

/// How many calls deep it counts that a coroutine uses something scarce: what it uses itself, and what those use that it
/// calls.
pub const SCARCE: Limit = Limit(2);

/// How many coroutines around one are looked through: what is further in may raise.
pub const WRAPPERS: Limit = Limit(2);

/// How many functions something is followed into that is handed to them: results, an object, the words of a command.
/// Further down it may be used in any way, and what a command is made of is not known.
pub const HANDED_ON: Limit = Limit(2);

/// How many coroutine functions are followed to what they await. Further down they let others run.
pub const LETTING_RUN: Limit = Limit(2);

/// How many functions hand a path on, one to the next. What further ones do to the file is not seen.
pub const PATHS_HANDED_ON: Limit = Limit(3);

/// How many plain functions call one another on the way to what runs an event loop. A longer way is not seen.
pub const LOOP_RUNNERS: Limit = Limit(3);

/// How many functions up from one its callers are looked at. What those above do is not seen.
pub const CALLERS: Limit = Limit(3);

/// How many calls a chain to a blocking call may have for the thread that it would run in to be thought through. A longer
/// one is not fixed.
pub const CHAIN: Limit = Limit(16);

/// How many functions and variables are followed to where an object is made. It counts as known to others beyond.
pub const MAKERS: Limit = Limit(5);

/// How many classes are followed whose objects make others. Beyond, there may be many of them.
pub const MAKING_CLASSES: Limit = Limit(3);

// Names, values and classes that are followed.

/// How many names for one thing are followed in a function, where the next one stands close by. What is behind more is
/// not known.
pub const ALIASES: Limit = Limit(3);

/// How many assignments (`pause = time.sleep`) are followed to what a name, a number or a flag stands for, or to what
/// made an object. What is behind more is not known.
pub const NAMES: Limit = Limit(4);

/// How many bindings are followed in a file to find out what a name stands for, without any types. Behind more it stands
/// for something unknown.
pub const BINDINGS: Limit = Limit(5);

/// How many attributes, assignments and calls are followed to a value, one behind the other. What is behind more is not
/// known, and may be shared.
pub const STEPS: Limit = Limit(6);

/// How many expressions are looked into for whether nobody can know what a value is. Beyond, somebody may.
pub const UNKNOWN: Limit = Limit(12);

/// How often a look for a value may begin anew within another one, as for the receiver of a method whose annotation says
/// what a call gives: a value may be made of itself. One more finds nothing.
pub const LOOKS: Limit = Limit(6);

/// How many imports are followed from one module to the next. A name behind more is not known.
pub const IMPORTS: Limit = Limit(6);

/// How many names are followed to find out what an import means in the index. It means nothing known behind more.
pub const LINKED: Limit = Limit(16);

/// How many names and imports are followed to a decorator. One behind more is not known.
pub const DECORATORS: Limit = Limit(5);

/// How many attributes of a module are followed, one behind the other. Those behind are not told apart.
pub const ATTRIBUTES: Limit = Limit(5);

/// How often a member's own value is followed to find out what calling it gives. Beyond, it may be awaited.
pub const CALLED: Limit = Limit(4);

/// How many steps from an asynchronous iterator, or context manager, its other names are followed. Names behind more count
/// as those of something else.
pub const PROTOCOLS: Limit = Limit(2);

/// How many bindings are followed to a path where all of them are written out in what it is compared by. What is behind
/// more is compared by its name.
pub const WRITTEN_OUT: Limit = Limit(3);

/// How far down the parts of an annotation are looked at. What stands deeper is not known.
pub const PARTS: Limit = Limit(4);

/// How many base classes up a method or an attribute is looked for. Higher up nothing is known of a class.
pub const BASES: Limit = Limit(8);

/// How many base classes are looked at for whether an object keeps its tasks. A class with more may.
pub const KEEPING_BASES: Limit = Limit(16);

/// How many classes above one are looked at for whether it is an exception. One further up is none.
pub const EXCEPTIONS: Limit = Limit(12);

/// How many folders up from a file may be the one for tests, where the name of its module is not known. Higher ones are
/// somebody's own.
pub const TEST_FOLDERS: Limit = Limit(4);

/// How many folders up from a file may be the one of the package that it belongs to. Higher ones are somebody's own.
pub const PACKAGE_FOLDERS: Limit = Limit(3);

// Sizes: how many there may be of what is looked at, and how long it may be.

/// How many conditions a chain may depend on: with more of them, nobody can say that the call blocks.
pub const CONDITIONS: Limit = Limit(1);

/// How many alternatives there may be for one name. Each step compares each with each, and where they are classes, the
/// engine builds a type of every combination. With more, it is not asked.
pub const ALTERNATIVES: Limit = Limit(128);

/// How many conditions may ask about one name: where it is bound again in between, each binding carries on with those
/// before it. With more, the engine is not asked.
pub const CONDITIONS_ON_NAME: Limit = Limit(60);

/// How many expressions may stand behind one. With more of them it may be anything.
pub const REACHING: Limit = Limit(24);

/// How many calls are looked at for what a parameter is given: each may give what another parameter is given. With more
/// of them that is not known.
pub const GIVING_CALLS: Limit = Limit(8);

/// How many things a function may return: what each of them is made of may be returned by a function as well. With more
/// of them it is not known what calling it gives.
pub const RETURNS: Limit = Limit(8);

/// How many values of an attribute are looked at beside the first: each of them may be made of such an attribute. With
/// more of them it is not known.
pub const VALUES: Limit = Limit(4);

/// How many classes are looked at for one that a library knows. Those beyond are none.
pub const ABOVE: Limit = Limit(32);

/// From how many plain methods of subclasses on none is asked what it gives: it may be something to await.
pub const OVERRIDES: Limit = Limit(64);

/// How many functions are looked at to find the files that one of them leads to. What more of them use is not seen.
pub const FILE_USERS: Limit = Limit(64);

/// How many steps one search takes through the values of a project; what needs more may be anything.
pub const SEARCH: Limit = Limit(20_000);

/// How many statements make a file a table. The time that the type engine takes for one of them grows with the number of
/// all. With more of them, it is not asked.
pub const TABLE: Limit = Limit(1000);

/// How many steps are compared with each other. More of them are put into a set.
pub const COMPARED: Limit = Limit(12);

/// How often statements are gone through: what a later one makes may be used by an earlier one of a loop. What would be
/// found after more rounds is not seen.
pub const PASSES: Limit = Limit(4);

/// How deep loops are gone through twice. Those further in are gone through once.
pub const LOOPS: Limit = Limit(3);

/// How many calls in coroutine functions are reported one by one. Of a function with as many or more that blocks, the
/// definition is reported.
pub const CROWD: Limit = Limit(20);

/// How many facts are told about one piece of code. More are left out.
pub const FACTS: Limit = Limit(8);

/// How many callers are named. Three dots stand for more.
pub const NAMED_CALLERS: Limit = Limit(4);

/// The longest text of a constant that may be a path, in bytes.
pub const PATH: Limit = Limit(120);

/// How far behind what it asks about the classes of an `isinstance` are looked for, in bytes.
pub const ASKED_CLASSES: Limit = Limit(400);
