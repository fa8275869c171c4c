//! What is known about code of tests, and of what stands in for other code there.

/// Words of which one stands in each file that a runner of tests reads.
pub const WORDS: [&str; 3] = ["pytest", "unittest", "assert"];

/// Classes whose objects stand in for a coroutine function.
pub const ASYNC_MOCKS: [&str; 2] = ["unittest.mock.AsyncMock", "mock.AsyncMock"];

/// The section of a `pyproject.toml` that speaks of what runs the tests.
pub const RUNNER: &str = "pytest";
