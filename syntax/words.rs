//! The words that names are made of.

use std::collections::HashSet;
use std::hash::BuildHasher;

/// Whether one of the words of `name` is in `words`.
pub fn has_word(name: &str, words: &HashSet<String, impl BuildHasher>) -> bool {
    name.split('_')
        .flat_map(split_camel)
        .any(|word| words.contains(&word))
}

/// `name` as functions are named: `getFullTree` is `get_full_tree`.
pub fn snake_case(name: &str) -> String {
    let mut words = String::new();
    for part in name.split_inclusive('_') {
        words.push_str(&split_camel(part).join("_"));
    }
    words
}

/// The words of `CamelCase`, in lower case. Several capitals in a row are one word, but for the last
/// one before a small letter.
fn split_camel(part: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let letters: Vec<char> = part.chars().collect();
    let mut after_lower = false;
    for (at, letter) in letters.iter().enumerate() {
        let before_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let begins = letter.is_uppercase() && (after_lower || at > 0 && before_lower);
        if words.is_empty() || begins {
            words.push(String::new());
        }
        after_lower = !letter.is_uppercase();
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{has_word, snake_case, split_camel};

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(split_camel("BoundedSemaphore"), ["bounded", "semaphore"]);
        assert_eq!(split_camel("HTTPPool"), ["http", "pool"]);
        let words: HashSet<String> = ["limited".to_owned()].into_iter().collect();
        assert!(has_word("_fetch_limited", &words));
        assert!(!has_word("eliminated", &words));
    }

    #[test]
    fn names_become_those_of_functions() {
        assert_eq!(snake_case("getFullAXTree"), "get_full_ax_tree");
        assert_eq!(snake_case("_fetch_all"), "_fetch_all");
        assert_eq!(snake_case("__call__"), "__call__");
    }
}
