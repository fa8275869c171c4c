//! The libraries that drive coroutines, and what tells which one does.

use crate::package_of;
use serde::{Deserialize, Serialize};

/// The libraries that drive coroutines. Which one does decides what may be written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Library {
    /// The standard library's `asyncio`.
    Asyncio,
    /// `anyio`, which runs on asyncio or on trio.
    Anyio,
    /// `trio`.
    Trio,
    /// Twisted, curio, or another one whose loop nothing of asyncio may run on.
    Other,
}

/// What they are called.
pub const LIBRARIES: [&str; 5] = ["asyncio", "anyio", "trio", "twisted", "curio"];

/// What people call those of [`Library::Other`].
pub const OTHERS: &str = "Twisted or curio";

/// Packages whose locks and conditions belong to a loop.
pub const WITH_LOCKS: [&str; 3] = ["asyncio", "anyio", "trio"];

/// Packages beside the standard library's that may await what their functions are given, or hand it back.
pub const HANDING_BACK: [&str; 2] = ["anyio", "trio"];

/// What a module is marked with whose tests may be coroutine functions: `pytestmark = pytest.mark.anyio`.
pub const MARKS: [&str; 2] = ["asyncio", "anyio"];

/// Functions that run a coroutine function, and not a coroutine.
pub const FUNCTION_RUNNERS: [&str; 2] = ["anyio.run", "trio.run"];

/// Functions that say on which loop they run: whoever calls them knows about coroutines.
pub const AWARE: [&str; 5] = [
    "asyncio.get_running_loop",
    "asyncio._get_running_loop",
    "asyncio.current_task",
    "anyio.get_current_task",
    "sniffio.current_async_library",
];

impl Library {
    /// The one whose module this is.
    pub fn of_import(module: &str) -> Option<Self> {
        match package_of(module) {
            "asyncio" => Some(Self::Asyncio),
            "anyio" => Some(Self::Anyio),
            "trio" => Some(Self::Trio),
            "twisted" | "curio" => Some(Self::Other),
            _ => None,
        }
    }

    /// The name of the module to import, for libraries that have one.
    pub fn module(self) -> Option<&'static str> {
        match self {
            Self::Asyncio => Some("asyncio"),
            Self::Anyio => Some("anyio"),
            Self::Trio => Some("trio"),
            Self::Other => None,
        }
    }
}

/// The packages that tell in this way (`imports`, `own`) that coroutines run under several libraries.
pub fn signs_of_several(way: &'static str) -> impl Iterator<Item = &'static str> {
    include_str!("data/several_libraries.txt")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(move |(known, _)| *known == way)
        .map(|(_, package)| package)
}
