//! How rules and codemods are written to disk: by their codes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::CODEMODS;
use crate::codemod::Codemod;
use crate::rule::Rule;
use crate::traversal::{Prospects, Waits};

/// For `#[serde(with)]` on a field that holds a rule.
pub(crate) mod by_code {
    use super::{Deserialize, Deserializer, Rule, Serialize, Serializer, codemod_of};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "this is how it is called"
    )]
    pub(crate) fn serialize<S: Serializer>(
        rule: &&'static Rule,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        rule.code.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<&'static Rule, D::Error> {
        let code = <&str>::deserialize(deserializer)?;
        Ok(codemod_of(code)?.rule())
    }
}

fn codemod_of<E: serde::de::Error>(code: &str) -> Result<&'static dyn Codemod, E> {
    let mut codemods = CODEMODS.iter().copied();
    let codemod = codemods.find(|codemod| codemod.rule().code == code);
    codemod.ok_or_else(|| E::custom(format_args!("no rule has the code `{code}`")))
}

/// [`Prospects`] with codes for codemods.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    certain: Vec<&'a str>,
    waiting: Vec<(&'a str, Waits)>,
}

impl Serialize for Prospects {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let code = |codemod: &&'static dyn Codemod| codemod.rule().code;
        let waiting = self.waiting.iter();
        Stored {
            certain: self.certain.iter().map(code).collect(),
            waiting: waiting
                .map(|(codemod, waits)| (code(codemod), waits.clone()))
                .collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Prospects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let certain = stored.certain.into_iter().map(codemod_of);
        let waiting = stored.waiting.into_iter();
        Ok(Self {
            certain: certain.collect::<Result<_, D::Error>>()?,
            waiting: waiting
                .map(|(code, waits)| Ok((codemod_of(code)?, waits)))
                .collect::<Result<_, D::Error>>()?,
        })
    }
}
