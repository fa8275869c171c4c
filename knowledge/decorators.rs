//! What is known about decorators.

/// Decorators that leave a function what it is, and calling it what that was. One that remembers
/// results runs the function once at most, and is none of them.
pub const KEEPING: [&str; 9] = [
    "builtins.staticmethod",
    "builtins.classmethod",
    "typing.override",
    "typing_extensions.override",
    "typing.final",
    "typing_extensions.final",
    "warnings.deprecated",
    "typing_extensions.deprecated",
    "abc.abstractmethod",
];

/// Decorators of a property that keeps what its function returns.
pub const CACHED_PROPERTIES: [&str; 6] = [
    "functools.cached_property",
    "cached_property.cached_property",
    "django.utils.functional.cached_property",
    "propcache.cached_property",
    "propcache.api.cached_property",
    "werkzeug.utils.cached_property",
];
