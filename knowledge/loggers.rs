//! What writes messages for those who run a program.

/// Functions that answer with a logger.
pub const FUNCTIONS: [&str; 2] = ["logging.getLogger", "structlog.get_logger"];

/// The classes of loggers.
pub const CLASSES: [&str; 2] = ["logging.Logger", "logging.LoggerAdapter"];

/// Words in the names of loggers.
pub const WORDS: [&str; 3] = ["log", "logger", "logging"];
