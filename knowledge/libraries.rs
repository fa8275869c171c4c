//! Packages that tell under which library coroutines run.

/// The packages that tell in this way (`imports`, `own`) that coroutines run under several libraries.
pub fn signs_of_several(way: &'static str) -> impl Iterator<Item = &'static str> {
    include_str!("data/several_libraries.txt")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(move |(known, _)| *known == way)
        .map(|(_, package)| package)
}
