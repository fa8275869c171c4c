//! Stubs of packages that are often not importable where the tool runs.

use include_dir::{Dir, include_dir};

/// Minimal stubs, as a tree of `.pyi` files. Whatever they leave out is unknown to the type engine.
pub static STUBS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/data/stubs");

/// Where the stubs seem to be: a folder that is never on disk.
pub const STUB_ROOT: &str = "/<asyncfix stubs>";
