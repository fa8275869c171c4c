//! Event loops, and what runs a coroutine on a new one.

/// The top-level packages with classes of event loops.
const PACKAGES: [&str; 2] = ["asyncio", "uvloop"];

/// The functions of asyncio that answer with an event loop.
pub const SOURCES: [&str; 3] = [
    "asyncio.get_running_loop",
    "asyncio.get_event_loop",
    "asyncio.new_event_loop",
];

/// The methods of a loop, and of an `asyncio.Runner`, that run a coroutine to its end.
pub const RUNNING_METHODS: [&str; 2] = ["run", "run_until_complete"];

/// The methods that run a coroutine, each behind a top-level package that may have it.
pub fn running_methods() -> impl Iterator<Item = (&'static str, &'static str)> {
    let methods = |package| RUNNING_METHODS.map(|method| (package, method));
    PACKAGES.into_iter().flat_map(methods)
}

/// Whether the class with this dotted path is an event loop of asyncio, or of uvloop.
pub fn is_loop(class: &str) -> bool {
    let (module, name) = class.rsplit_once('.').unwrap_or_default();
    let package = module.split('.').next().unwrap_or_default();
    PACKAGES.contains(&package) && name.ends_with("Loop")
}
