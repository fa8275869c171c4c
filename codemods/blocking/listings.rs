//! Folders whose files are gone through, and what is done with each of them then: on the event loop nothing takes a file
//! away in between.

use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::blocking::acted;
use crate::blocking::files::{Use, is_run_once};
use crate::blocking::paths::{Agreement, Folder};
use crate::file::File;

/// What fails where a file is gone, of all that asks about files.
const FAILING: [&str; 6] = [
    "stat", "lstat", "getsize", "getmtime", "getctime", "getatime",
];

/// A call that gives the files of a folder.
pub(super) struct Listing {
    /// The call.
    pub(super) range: TextRange,
    pub(super) folder: Folder,
    /// The coroutine function around it, or else the outermost function.
    pub(super) function: Option<TextRange>,
    /// The locks of the event loop that are held, as they are written.
    pub(super) locks: Vec<String>,
}

impl Listing {
    /// Whether a use is of a file that lies in the folder.
    fn has(&self, found: &Use) -> bool {
        let folder = found.path.folder.as_ref();
        folder.is_some_and(|folder| folder.path.is_same(&self.folder.path))
    }

    /// Whether a use is of any file of the folder, and goes wrong where it is gone.
    fn counts_on(&self, file: &File<'_, '_>, found: &Use) -> bool {
        let folder = found.path.folder.as_ref();
        folder.is_some_and(|folder| folder.is_any) && self.has(found) && fails(file, found)
    }
}

/// Why others must not run at `range`, in the code of `owner`: a folder is listed there or before, what is in it is used
/// behind, and some code of the module takes files out of it.
pub(super) fn opened(file: &File<'_, '_>, owner: Owner<'_>, range: TextRange) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let all = file.file_uses();
    let inside = |listing: &&Listing| function.range().contains_range(listing.range);
    let mut listings = all.listings.iter().filter(inside).filter(|listing| {
        listing.range.start() <= range.start() && listing.folder.path.agreement != Agreement::Never
    });
    let opened = listings.clone().find(|listing| {
        let mut removals = all.uses.iter().filter(|found| found.does.removes);
        let is_taken_from = removals.any(|found| found.function.is_some() && listing.has(found));
        let around = all.within(function.range()).iter();
        let mut used = around.filter(|found| {
            found.range.start() > listing.range.start()
                && found.range.end() >= range.end()
                && listing.counts_on(file, found)
        });
        is_taken_from
            && (used.any(|found| !is_open(function, listing.range.end(), found.range.start()))
                || is_sorted_behind(function, listing.range, range))
    });
    let reason = if let Some(listing) = opened {
        format!(
            "other tasks may remove files of `{}` between listing and using them",
            listing.folder.path.text
        )
    } else {
        let acted = listings.find(|listing| acted::follows(file, function, listing, range))?;
        format!(
            "other tasks may change `{}` between the listing and what is done because of it",
            acted.folder.path.text
        )
    };
    (!is_run_once(file, function)).then_some(reason)
}

/// Why what takes a file out of a folder at `range` must not run beside the loop: some function of the module lists that
/// folder, and counts on the files being there.
pub(super) fn takes_from_listed(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    range: TextRange,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let all = file.file_uses();
    let own = all.within(range).iter();
    let mut taken =
        own.filter(|found| found.does.removes && found.path.agreement != Agreement::Never);
    let listing = taken.find_map(|found| {
        let mut listings = all.listings.iter();
        listings.find(|listing| {
            listing.has(found)
                && all.uses.iter().any(|used| {
                    used.function.is_some()
                        && used.function == listing.function
                        && used.range != found.range
                        && used.range.start() > listing.range.start()
                        && listing.counts_on(file, used)
                })
        })
    })?;
    (!is_run_once(file, function)).then(|| {
        format!(
            "other code lists the files of `{}` and uses them, maybe at the same time",
            listing.folder.path.text
        )
    })
}

/// Whether a use of a file fails where that is gone.
pub(super) fn fails(file: &File<'_, '_>, found: &Use) -> bool {
    let text = file.text(found.range);
    let is_named = || {
        FAILING
            .iter()
            .any(|name| text.contains(&format!("{name}(")))
    };
    !found.does.asks || is_named()
}

/// Whether something is awaited between two places of a function.
pub(super) fn is_open(function: &ast::StmtFunctionDef, from: TextSize, to: TextSize) -> bool {
    struct Awaits(TextSize, TextSize, bool);
    impl<'a> SourceOrderVisitor<'a> for Awaits {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let is_await = node.is_expr_await()
                || matches!(node, AnyNodeRef::StmtWith(with) if with.is_async)
                || matches!(node, AnyNodeRef::StmtFor(statement) if statement.is_async);
            self.2 |= is_await && self.0 <= node.start() && node.start() < self.1;
            own_code(node)
        }
    }
    let mut awaits = Awaits(from, to, false);
    awaits.visit_body(&function.body);
    awaits.2
}

/// Whether files are sorted, or one of them is chosen, by what is asked about them behind a listing:
/// `max(files, key=os.path.getmtime)`. `at` is where others would run.
fn is_sorted_behind(function: &ast::StmtFunctionDef, listing: TextRange, at: TextRange) -> bool {
    struct Keys {
        from: TextSize,
        at: TextSize,
        found: Option<TextSize>,
    }
    struct Asked(bool);
    impl<'a> SourceOrderVisitor<'a> for Asked {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(node, AnyNodeRef::ExprAttribute(attribute)
                if FAILING.contains(&attribute.attr.as_str()));
            TraversalSignal::Traverse
        }
    }
    impl<'a> SourceOrderVisitor<'a> for Keys {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::Keyword(keyword) = node
                && keyword
                    .arg
                    .as_ref()
                    .is_some_and(|name| name.as_str() == "key")
                && keyword.start() > self.from
                && keyword.start() > self.at
            {
                let mut asked = Asked(false);
                asked.visit_expr(&keyword.value);
                if asked.0 {
                    self.found = self.found.or(Some(keyword.start()));
                }
            }
            own_code(node)
        }
    }
    let mut keys = Keys {
        from: listing.start(),
        at: at.start(),
        found: None,
    };
    keys.visit_body(&function.body);
    keys.found
        .is_some_and(|found| !is_open(function, listing.end(), found))
}
