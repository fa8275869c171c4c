//! The coroutines that a piece of plain code makes and never runs, all of them at once.

use asyncfix_analysis::answers::awaitable::{
    awaitability_of, called_at, is_plain_behind_signatures, once_plain,
};
use asyncfix_analysis::answers::runners::runner;
use asyncfix_analysis::answers::uses::{is_forgotten, may_be_forgotten};
use asyncfix_analysis::facts::key::name_key;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::{Ranged, TextRange};

use crate::file::File;

/// What has to change so that some code can be that of a coroutine function.
#[derive(Default)]
pub(super) struct Awaits {
    /// The edits that await each coroutine that it makes, and each that it runs in an event loop.
    pub(super) edits: Vec<Edit>,
    /// Where these stand.
    pub(super) places: Vec<TextRange>,
    /// Whether it makes another coroutine, of which somebody else may take care.
    pub(super) makes_others: bool,
}

/// What has to change in the code of `owner` that stands in `within`. `Err` with the reason where it cannot.
pub(super) fn awaits_in<'a>(
    file: &File<'a, '_>,
    owner: Owner<'a>,
    within: TextRange,
) -> Result<Awaits, String> {
    let mut search = Search {
        file,
        owner,
        within,
        ancestors: vec![AnyNodeRef::ModModule(file.syntax())],
        found: Awaits::default(),
        obstacle: None,
    };
    search.visit_body(file.body());
    match search.obstacle {
        Some(reason) => Err(reason),
        None => Ok(search.found),
    }
}

struct Search<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    owner: Owner<'a>,
    within: TextRange,
    ancestors: Vec<AnyNodeRef<'a>>,
    found: Awaits,
    obstacle: Option<String>,
}

impl<'a> Search<'_, 'a, '_> {
    fn look_at(&mut self, call: &'a ast::ExprCall, node: AnyNodeRef<'a>) {
        let file = self.file;
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let surroundings = file.surroundings(&site);
        if !is_same(surroundings.owner, self.owner) {
            return;
        }
        let runs = file.semantics.means(&call.func, &["asyncio.run"]);
        let edits = if runs {
            let ([coroutine], []) = (&*call.arguments.args, &*call.arguments.keywords) else {
                self.obstacle = Some("an event loop is run here already".to_owned());
                return;
            };
            let before = TextRange::new(call.start(), coroutine.start());
            let after = TextRange::new(coroutine.end(), call.end());
            if file.comments.intersects(before) || file.comments.intersects(after) {
                self.obstacle = Some("the fix would remove a comment".to_owned());
                return;
            }
            let mut edits = file.await_edits(&site, before, "");
            edits.push(Edit::range_deletion(after));
            edits
        } else {
            if runner(&file.semantics, call).is_some() {
                self.obstacle = Some("an event loop is run here already".to_owned());
                return;
            }
            if !last_name(&call.func)
                .is_some_and(|name| file.project.may_be_awaitable(name_key(name)))
                || awaitability_of(file, call) != Awaitability::Coroutine
            {
                return;
            }
            let is_run = matches!(site.outer().and_then(|outer| outer.parent()),
                Some(AnyNodeRef::ExprCall(taker))
                    if file.semantics.means(&taker.func, &["asyncio.run"]));
            if !may_be_forgotten(file.semantics.spellings(), &site)
                || !is_forgotten(file, &site, self.owner)
                || called_at(file, node).iter().any(|callee| {
                    once_plain(file, callee).is_some() || is_plain_behind_signatures(file, callee)
                })
            {
                self.found.makes_others |= !is_run;
                return;
            }
            file.await_edits(&site, TextRange::empty(call.start()), "")
        };
        if let Some(obstacle) = surroundings.obstacle {
            self.obstacle = Some(obstacle.reason().to_owned());
            return;
        }
        self.found.edits.extend(edits);
        self.found.places.push(call.range());
    }
}

fn is_same(one: Owner<'_>, other: Owner<'_>) -> bool {
    match (one, other) {
        (Owner::Module, Owner::Module) => true,
        (Owner::Function(one), Owner::Function(other)) => one.range() == other.range(),
        _ => false,
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_outside = node.is_statement() && node.range().intersect(self.within).is_none();
        if let AnyNodeRef::ExprCall(call) = node
            && self.within.contains_range(call.range())
        {
            self.look_at(call, node);
        }
        self.ancestors.push(node);
        if is_outside {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
