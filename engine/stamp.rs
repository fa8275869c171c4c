//! What tells whether a file has changed, without reading it.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A file that was changed so shortly before it was read may change again without another time of change.
const TOO_FRESH: Duration = Duration::from_secs(2);

/// The size of a file, and when it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    size: u64,
    seconds: u64,
    nanoseconds: u32,
}

impl Stamp {
    /// The stamp of a file as it is now. `None` where there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self {
            size: metadata.len(),
            seconds: since.as_secs(),
            nanoseconds: since.subsec_nanos(),
        })
    }

    /// The same for a file that may be told by its stamp later: not where it was changed just before `now`.
    pub(crate) fn to_be_kept(path: &Path, now: SystemTime) -> Option<Self> {
        let stamp = Self::of(path)?;
        let changed = UNIX_EPOCH + Duration::new(stamp.seconds, stamp.nanoseconds);
        (changed + TOO_FRESH <= now).then_some(stamp)
    }
}
