//! The table of blocking calls beside a real `CPython`: every name of the standard library exists.

#![allow(clippy::expect_used, reason = "a test that cannot go on must stop")]

use std::path::Path;
use std::process::Command;

#[test]
fn every_name_of_the_standard_library_is_there() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/check_blocking.py");
    let output = Command::new("python3")
        .arg(script)
        .output()
        .expect("python3 is on the PATH");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaint}");
}
