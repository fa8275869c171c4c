//! What code changes for its whole process, and puts back afterwards. `data/process_state.toml` says more about each key.

use std::sync::LazyLock;

use serde::Deserialize;

/// What is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "`data/process_state.toml` says what each key is"
)]
pub struct Table {
    pub enters: Vec<String>,
    pub stacks: Vec<String>,
    state: Vec<State>,
}

/// Something that a process has once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    what: String,
    #[serde(default)]
    managers: Vec<String>,
    #[serde(default)]
    functions: Vec<String>,
    #[serde(default)]
    objects: Vec<String>,
}

/// The table.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| {
    crate::read(
        "process_state.toml",
        include_str!("data/process_state.toml"),
    )
});

impl Table {
    fn what(&self, path: &str, list: impl Fn(&State) -> &Vec<String>) -> Option<&str> {
        let mut all = self.state.iter();
        let found = all.find(|state| list(state).iter().any(|known| known == path))?;
        Some(&found.what)
    }

    /// What a context manager with this path changes until its block ends.
    pub fn changed_by_manager(&self, path: &str) -> Option<&str> {
        self.what(path, |state| &state.managers)
    }

    /// What a function with this path changes.
    pub fn changed_by_function(&self, path: &str) -> Option<&str> {
        self.what(path, |state| &state.functions)
    }

    /// What is changed where something with this path is given a value.
    pub fn changed_by_object(&self, path: &str) -> Option<&str> {
        self.what(path, |state| &state.objects)
    }
}
