//! AF601 unmanaged-resource: what is opened and not closed by a context manager stays open when
//! something goes wrong.

use asyncfix_analysis::answers::decorators::is_fixture;
use asyncfix_analysis::answers::intent::{self, Deed};
use asyncfix_analysis::answers::resources::{is_idle, opened};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::opening_key;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_knowledge::resources::{
    CALL, Form, callable_classes, is_opening_method, opening_names, opening_paths,
};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::{AnyNodeRef, NodeKind, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::in_expression;
use super::managed::{Answer, CLOSED_MANUALLY, Managed, Opening};
use super::never_closed::Around;
use super::uses::{UseKind, Used, closes_behind_yield, uses_of};
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy};
use crate::rule::{Rule, Stability};

/// The codemod of AF601.
pub struct UnmanagedResource;

static RULE: Rule = Rule {
    code: "AF601",
    name: "unmanaged-resource",
    finds: "a session or connection without `async with`",
    pitfall: "not using context managers",
    page: include_str!("AF601.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

impl Codemod for UnmanagedResource {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        opening_names()
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[
            NodeKind::StmtAssign,
            NodeKind::StmtAnnAssign,
            NodeKind::ExprCall,
        ]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        if let AnyNodeRef::ExprCall(call) = site.node {
            let is_opening = || {
                let mut paths = spellings.last_names(&call.func).flat_map(opening_paths);
                paths.any(|path| spellings.allow(&call.func, &[path]))
            };
            return Candidate::when(
                in_expression::used_at_once(site, call).is_some()
                    && is_opening()
                    && site.is_asynchronous(false),
            );
        }
        let Some(opening) = Opening::of(site.node) else {
            return Candidate::No;
        };
        let callee = &opening.call.func;
        let is_opening = spellings
            .last_names(callee)
            .flat_map(opening_paths)
            .any(|path| spellings.allow(callee, &[path]));
        let method =
            last_name(callee).filter(|name| callee.is_attribute_expr() && is_opening_method(name));
        let may_be_object = callable_classes()
            .iter()
            .filter_map(|path| path.split('.').next())
            .any(|package| spellings.import(package));
        let sought = |key| Candidate::If(key, Sought::Receiver(key));
        let candidate = match method {
            _ if is_opening => Candidate::Yes,
            Some(_) if may_be_object => Candidate::Yes,
            Some(method) => sought(opening_key(method)),
            None if may_be_object => sought(opening_key(CALL)),
            None if opening.may_be_closed_generator(site) => Candidate::Yes,
            None => Candidate::No,
        };
        candidate.and(|| site.is_asynchronous(false))
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        if let AnyNodeRef::ExprCall(call) = site.node {
            let (message, rewrite) = in_expression::answer(file, site, call)?;
            if intent::is_deliberate(file, site, Deed::Leak) {
                return None;
            }
            return Some(Finding::new(
                &RULE,
                call.range(),
                message,
                match rewrite {
                    Ok(rewrite) => Remedy::Rewrite(rewrite),
                    Err(reason) => Remedy::NotFixed(reason),
                },
            ));
        }
        let opening = Opening::of(site.node)?;
        let Owner::Function(function) = file.surroundings(site).owner else {
            return None;
        };
        let mut rows = opened(file, opening.call, opening.awaited);
        // What cannot be entered has no use for the tuple, and the call for nothing else.
        rows.retain(|row| {
            row.place_in_tuple().is_some() == opening.is_tuple
                && (!opening.is_tuple || row.form == Form::None)
                && !is_idle(row, file, opening.call)
        });
        let object = opening.object(&rows)?;
        let name = &object.id;
        let scope = file.semantics.function_scope(function)?;
        // `name = None` may stand above.
        let bindings = file.semantics.lookup(name, scope)?.len();
        if file.semantics.is_declared_outside(name, scope) || !(1..=2).contains(&bindings) {
            return None;
        }
        let uses = uses_of(name, &function.body);
        if is_fixture(function) && closes_behind_yield(function, object) {
            return None;
        }
        let mut managed = Managed {
            file,
            function,
            opening,
            object,
            place: site.place()?,
            rows,
            uses,
        };
        let mut guards = Vec::new();
        managed.guards_in(&function.body, &mut guards);
        managed
            .uses
            .retain(|used| !guards.iter().any(|test| test.contains_range(used.range)));
        let is_kept = |used: &Used<'_>| used.kind == UseKind::Kept;
        if managed.uses.is_empty() || managed.uses.iter().any(is_kept) || !managed.is_opened() {
            return None;
        }
        let (message, rewrite) = if bindings == 1 {
            managed.rewrite(site)?
        } else {
            managed.opened_in_try(site)?
        };
        if intent::is_deliberate(file, site, Deed::Leak) {
            return None;
        }
        Some(Finding::new(
            &RULE,
            opening.call.range(),
            format!("`{name}` {message}"),
            match rewrite {
                Ok(rewrite) => Remedy::Rewrite(
                    rewrite
                        .with_shared(managed.import())
                        .unsafe_if(managed.is_narrowed())
                        .unsafe_if(managed.may_not_be_open())
                        .unsafe_if(managed.loses_type_arguments()),
                ),
                Err(reason) => Remedy::NotFixed(reason),
            },
        ))
    }
}

impl<'a> Managed<'_, 'a, '_> {
    fn rewrite(&self, site: &Site<'_, 'a>) -> Answer {
        let statements = self.place.suite;
        let whole = TextRange::new(self.place.statement.start(), statements.last()?.end());
        if self
            .uses
            .iter()
            .any(|used| !whole.contains_range(used.range))
        {
            return None;
        }
        let closes = self.closes_in(&self.function.body);
        if closes == 0 {
            return self.never_closed(site);
        }
        let first = self.first_of_body()?;
        self.closed_in_try(first, closes).or_else(|| {
            let (message, rewrite) = self.closed_in_suite(first, closes)?;
            // An exception leaves the block of what made it, which closes it as well.
            if !self.is_owned(site, Around::Nearest) {
                return Some((message, rewrite));
            }
            let has_block = self.rows.first()?.form != Form::None;
            has_block.then(|| (CLOSED_MANUALLY.to_owned(), rewrite))
        })
    }

    /// An `async with` has no place for `name: Client[Any]`, and what stands in the brackets can't be inferred from the
    /// call where somebody had to write it.
    fn loses_type_arguments(&self) -> Option<String> {
        let Stmt::AnnAssign(statement) = self.place.statement else {
            return None;
        };
        let is_kept = self.rows.first()?.form == Form::None;
        (statement.annotation.is_subscript_expr() && !is_kept).then(|| {
            format!(
                "`async with` has no place for the annotation of `{}`, and a type checker may ask for it",
                self.object.id
            )
        })
    }

    /// Why a type checker of the project would complain about the block: an attribute is used that what entering gives
    /// does not have by its annotation.
    fn is_narrowed(&self) -> Option<String> {
        let known = self.rows.first()?.entered_as.as_deref()?;
        let lost = self.uses.iter().find_map(|used| match used.kind {
            UseKind::Receiver(name) if !known.iter().any(|other| other == name) => Some(name),
            _ => None,
        })?;
        self.file
            .settings
            .is_type_checked
            .then(|| format!("type checkers would not find `{lost}` on what `async with` gives"))
    }
}
