//! What functions need to know of their arguments to run in another thread, from one function to the next.

use std::collections::VecDeque;

use crate::facts::name::Name;
use rustc_hash::FxHashMap;

use crate::facts::calls::{Need, Passed, RECEIVER, RECEIVER_AT, Slot};
use crate::index::call_graph::{Graph, Id, Reason};
use crate::index::changed::Changed;

/// The calls of each function that are given what others may change: the caller, and the number of the call.
pub(super) type Passing = FxHashMap<Id, Vec<(Id, u32)>>;

/// What a function needs to know of one of its parameters.
#[derive(Debug, Clone)]
pub(super) struct Needed {
    parameter: Name,
    position: u32,
    is_gone_through: bool,
    /// Whether it is a collection of the parameter that is gone through.
    is_kept: bool,
    /// The function that calls a method of it, or goes through it, in the end, and the number of this need there.
    origin: (Id, u32),
}

/// What functions need.
type Needs = FxHashMap<Id, Vec<Needed>>;

impl Graph {
    /// What each function needs, by way of what it calls; and the functions that cannot know what one of these is given.
    pub(super) fn follow_needs(
        &self,
        passing: &Passing,
        changed: &Changed,
    ) -> (Needs, Vec<(Id, Reason)>) {
        let mut known: FxHashMap<Id, Vec<Needed>> = FxHashMap::default();
        let mut unknown = Vec::new();
        let mut pending: VecDeque<(Id, Needed)> = VecDeque::new();
        for (number, file) in self.files.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            for (index, function) in file.functions.iter().enumerate() {
                let id = self.id(number, index);
                let needs = function.needs.iter().zip(0..);
                let needs = needs.filter(|(need, _)| {
                    let kept = need.kept.as_ref();
                    kept.is_none_or(|kept| changed.has(self, number, kept))
                });
                pending.extend(needs.map(|(need, at)| {
                    let needed = Needed {
                        parameter: need.parameter.clone(),
                        position: need.position,
                        is_gone_through: need.is_gone_through,
                        is_kept: need.kept.is_some(),
                        origin: (id, at),
                    };
                    (id, needed)
                }));
            }
        }
        while let Some((id, needed)) = pending.pop_front() {
            let all = known.entry(id).or_default();
            let is_same = |other: &Needed| {
                other.parameter == needed.parameter
                    && other.is_gone_through == needed.is_gone_through
                    && other.is_kept == needed.is_kept
            };
            if all.iter().any(is_same) {
                continue;
            }
            for (caller, call) in passing.get(&id).into_iter().flatten() {
                let passed = self
                    .function(*caller)
                    .and_then(|function| function.calls.get(*call as usize))
                    .map_or(&[][..], |call| &call.passed);
                for passed in passed.iter().filter(|passed| needed.is_given(passed)) {
                    let by = if needed.is_gone_through {
                        &passed.changing_by
                    } else {
                        &passed.by
                    };
                    let Some(parameters) = by else {
                        unknown.push((*caller, Reason::Needs(needed.origin.0, needed.origin.1)));
                        continue;
                    };
                    for parameter in parameters {
                        let position = self.position(*caller, parameter);
                        let own = Needed {
                            parameter: parameter.clone(),
                            position: position.unwrap_or(u32::MAX),
                            is_gone_through: needed.is_gone_through,
                            is_kept: needed.is_kept,
                            origin: needed.origin,
                        };
                        pending.push_back((*caller, own));
                    }
                }
            }
            all.push(needed);
        }
        (known, unknown)
    }

    fn position(&self, function: Id, parameter: &Name) -> Option<u32> {
        if **parameter == *RECEIVER {
            return Some(RECEIVER_AT);
        }
        let parameters = &self.function(function)?.parameters;
        let position = parameters.iter().position(|own| own == parameter)?;
        u32::try_from(position).ok()
    }

    /// The needs as the functions have written them down.
    pub(super) fn needs_of(&self, id: Id) -> Vec<Need> {
        let needs = self.needs.get(&id).into_iter().flatten();
        let needs = needs.filter_map(|needed| {
            let origin = self.need(needed.origin)?;
            Some(Need {
                parameter: needed.parameter.clone(),
                position: needed.position,
                written: origin.written.clone(),
                kept: origin.kept.clone(),
                is_gone_through: needed.is_gone_through,
            })
        });
        needs.collect()
    }

    /// The need with this number of a function.
    pub(super) fn need(&self, (id, at): (Id, u32)) -> Option<&Need> {
        self.function(id)?.needs.get(at as usize)
    }
}

impl Needed {
    fn is_given(&self, passed: &Passed) -> bool {
        match &passed.slot {
            Slot::Position(position) => *position == self.position,
            Slot::Keyword(name) => *name == self.parameter,
            Slot::Receiver => self.position == RECEIVER_AT,
            Slot::Any => true,
        }
    }
}
