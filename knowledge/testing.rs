//! What is known about code of tests, and of what stands in for other code there.

/// What runs tests: a file that holds some imports one of these, or asserts something.
pub const RUNNERS: [&str; 2] = ["pytest", "unittest"];

/// Classes whose objects stand in for a coroutine function.
pub const ASYNC_MOCKS: [&str; 2] = ["unittest.mock.AsyncMock", "mock.AsyncMock"];

/// The function that takes the dotted path of what it replaces.
pub const PATCH: [&str; 2] = ["unittest.mock.patch", "mock.patch"];

/// The section of a `pyproject.toml` that speaks of what runs the tests.
pub const RUNNER: &str = "pytest";
