//! Which of the words that codemods look for stand in a file: the first and cheapest question about it.

use std::sync::LazyLock;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use asyncfix_codemods::CODEMODS;

/// The words that files are looked at for. Codemods share many.
struct Vocabulary {
    /// Finds all of them in one go, from this state on; they are many, and most are in no file.
    search: Option<(DFA, StateID)>,
    count: usize,
    /// The length of the longest, in bytes.
    longest: usize,
    /// By the places of the codemods, the places of their words.
    of_codemods: Vec<Vec<usize>>,
    /// Code without these has nothing to do with coroutines, other files' aside.
    of_coroutines: Vec<usize>,
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let mut words: Vec<&'static str> = Vec::new();
    let mut places = |of: &[&'static str]| {
        let place = |word: &'static str| {
            let known = words.iter().position(|known| *known == word);
            known.unwrap_or_else(|| {
                words.push(word);
                words.len() - 1
            })
        };
        of.iter().copied().map(place).collect::<Vec<usize>>()
    };
    let of_coroutines = places(&["async", "await"]);
    let of_codemods = CODEMODS
        .iter()
        .map(|codemod| places(codemod.words()))
        .collect();
    let search = DFA::new(&words).ok().and_then(|search| {
        let start = search.start_state(Anchored::No).ok()?;
        Some((search, start))
    });
    Vocabulary {
        search,
        count: words.len(),
        longest: words.iter().map(|word| word.len()).max().unwrap_or(0),
        of_codemods,
        of_coroutines,
    }
});

/// Which words a text holds.
pub struct Words {
    are_held: Vec<bool>,
}

/// In how many parts of a text words are looked for side by side. Every step waits for what the one before
/// it has read from the tables: with several of them, the processor has something to do meanwhile.
const PARTS: usize = 4;

impl Words {
    /// The words of a text.
    pub fn of(text: &str) -> Self {
        // Without the search, any may be there.
        let mut words = Self {
            are_held: vec![VOCABULARY.search.is_none(); VOCABULARY.count],
        };
        let Some((search, start)) = &VOCABULARY.search else {
            return words;
        };
        let mut step = |state: &mut StateID, byte: u8| words.step(search, state, byte);
        let bytes = text.as_bytes();
        let length = bytes.len().div_ceil(PARTS);
        // A word may begin in one part and end in the next.
        let [first, second, third, fourth] = std::array::from_fn(|part| {
            let start = (part * length).min(bytes.len());
            let end = (start + length + VOCABULARY.longest).min(bytes.len());
            bytes.get(start..end).unwrap_or_default()
        });
        let mut states = [*start; PARTS];
        let side_by_side = first.iter().zip(second).zip(third).zip(fourth);
        let [a, b, c, d] = &mut states;
        for (((first, second), third), fourth) in side_by_side {
            step(a, *first);
            step(b, *second);
            step(c, *third);
            step(d, *fourth);
        }
        // The last part is the shortest.
        for (part, state) in [first, second, third].into_iter().zip(&mut states) {
            for byte in part.get(fourth.len()..).unwrap_or_default() {
                step(state, *byte);
            }
        }
        words
    }

    /// Takes a byte, and notes the words that end with it.
    #[inline]
    fn step(&mut self, search: &DFA, state: &mut StateID, byte: u8) {
        *state = search.next_state(Anchored::No, *state, byte);
        if search.is_special(*state) && search.is_match(*state) {
            self.note(search, *state);
        }
    }

    #[cold]
    fn note(&mut self, search: &DFA, state: StateID) {
        for at in 0..search.match_len(state) {
            let word = search.match_pattern(state, at).as_usize();
            if let Some(is_held) = self.are_held.get_mut(word) {
                *is_held = true;
            }
        }
    }

    /// Whether the text has something to do with coroutines.
    pub fn are_of_coroutines(&self) -> bool {
        self.hold_any(&VOCABULARY.of_coroutines)
    }

    fn hold_any(&self, words: &[usize]) -> bool {
        words
            .iter()
            .any(|word| self.are_held.get(*word).is_some_and(|is_held| *is_held))
    }

    /// Whether one of the words stands in the text that the codemod at this place has work with.
    pub(crate) fn are_for(&self, place: usize) -> bool {
        let words = VOCABULARY.of_codemods.get(place);
        words.is_some_and(|words| self.hold_any(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_stands() {
        for length in [0, 1, 7, 64] {
            for before in 0..=length {
                let text = format!("{}await{}", "-".repeat(before), "-".repeat(length - before));
                assert!(Words::of(&text).are_of_coroutines(), "{text}");
                let broken = text.replace("await", "awa-it");
                assert!(!Words::of(&broken).are_of_coroutines(), "{broken}");
            }
        }
    }
}
