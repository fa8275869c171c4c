//! What writes messages for those who run a program.

/// Functions that answer with a logger.
pub const FUNCTIONS: [&str; 2] = ["logging.getLogger", "structlog.get_logger"];

/// The classes of loggers.
pub const CLASSES: [&str; 2] = ["logging.Logger", "logging.LoggerAdapter"];

/// Words in the names of loggers.
pub const WORDS: [&str; 3] = ["log", "logger", "logging"];

/// Calls that show a program to see what `logging.info` writes: without one of them the line is lost, and `logging.info`
/// sets up the root logger, so that a later `logging.basicConfig` does nothing.
pub const ROOT_IS_SHOWN: [&str; 6] = [
    "logging.basicConfig",
    "logging.config.dictConfig",
    "logging.config.fileConfig",
    "logging.debug",
    "logging.info",
    "logging.log",
];
