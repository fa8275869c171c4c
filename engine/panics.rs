//! What a panic said, for those who catch it: a message to people says what went wrong, and where.

use std::panic::PanicHookInfo;
use std::sync::Mutex;

/// What the last panic said, and where.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps what a panic says, for [`last_panic`]: whoever catches it is not told where it was.
pub fn note_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("unknown cause");
    let place = panic
        .location()
        .map_or_else(String::new, |place| format!(" ({place})"));
    if let Ok(mut last) = LAST_PANIC.lock() {
        *last = Some(format!("{message}{place}"));
    }
}

/// What the last panic said, and where it was.
pub fn last_panic() -> String {
    let last = LAST_PANIC.lock().ok().and_then(|last| last.clone());
    last.unwrap_or_else(|| "unknown cause".to_owned())
}
