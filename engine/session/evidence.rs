//! What is known of a piece of code, whether a rule has something to say about it or not.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use asyncfix_analysis::answers::evidence::{Evidence, evidence};
use asyncfix_codemods::file::Writable;
use ruff_text_size::TextRange;
use salsa::Database as _;

use super::{Cancellation, Session, SessionError, text_of, unasked};
use crate::panics::last_panic;
use crate::rounds::{Given, with_context};

impl Session {
    /// What is known of the calls in a range of a file's text, in byte offsets, and what that relies on. Empty for a
    /// file that does not parse.
    ///
    /// # Errors
    /// When the file can't be read, its configuration is wrong, or it was called off.
    pub fn evidence(
        &mut self,
        path: &Path,
        range: TextRange,
        cancellation: &Cancellation,
    ) -> Result<Vec<Evidence>, SessionError> {
        let whole = self.whole_of(path)?;
        let Self {
            resolver,
            open,
            known,
            cache,
            ..
        } = self;
        let known = known.entry(whole.clone()).or_default();
        known.bring_up_to_date(path, &whole, resolver, open, cache, cancellation)?;
        let index = known.link(&whole, resolver)?;
        let number = known.numbers.get(path).copied().unwrap_or_default();
        let config = resolver.for_folder(path.parent().unwrap_or(path))?;
        let file = unasked(number, path, &index, config, text_of(path, open)?);
        let database = known.database(&index, &file, open, false)?;
        database.set_text(&file.path, Arc::clone(&file.text));
        cancellation.watch(Some(database.cancellation_token()));
        let given = Given {
            index: &index,
            writable: Writable::Only(number),
            shown: &[],
            resolver,
            takes_notes: false,
        };
        let told = salsa::Cancelled::catch(AssertUnwindSafe(|| {
            with_context(database, &file, &given, |file, _| evidence(file, range))
        }));
        cancellation.watch(None);
        match told {
            Ok(told) => Ok(told.unwrap_or_default()),
            Err(salsa::Cancelled::PropagatedPanic) => Err(SessionError::Internal(last_panic())),
            Err(_) => Err(SessionError::Cancelled),
        }
    }
}
