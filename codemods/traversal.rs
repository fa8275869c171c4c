//! The walks over a file that ask every codemod about every node. There are two: [`Prospects::of`] asks
//! [`Codemod::candidate`] from the tree alone, before the project is linked; [`check`] then asks [`Codemod::check`],
//! with types, and makes the findings.

use std::cell::OnceCell;

use asyncfix_analysis::answers::evidence::evidence;
use asyncfix_analysis::answers::{duals, examples};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::Key;
use asyncfix_analysis::facts::scopes::Scopes;
use asyncfix_analysis::facts::spelling::{Hints, Spellings};
use asyncfix_analysis::facts::value_flow::{Node, Traces, Writer};
use asyncfix_analysis::index::project::Project;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_analysis::settings::Settings;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, ModModule};
use rustc_hash::FxHashSet;

use crate::cancellation::broad::let_pass;
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy};
use crate::suppression::{self, unused};

/// All findings of `codemods` in `file`, in source order, without those that a comment suppresses.
///
/// `selected` has the codes of all rules that are on for the file, also of those that have no candidate in it: AF001
/// needs them, to tell a comment that suppresses nothing from one for a rule that is off.
pub fn check(
    file: &File<'_, '_>,
    codemods: &[&'static dyn Codemod],
    selected: &[&'static str],
) -> Vec<Finding> {
    let scopes = OnceCell::new();
    let mut traversal = Traversal::new(file, codemods, &scopes);
    traversal.visit_body(file.body());
    if let Some(writer) = &mut traversal.written.writer {
        file.project.note_traces(writer.traces());
    }
    let mut findings = traversal.findings;
    let suppressions = suppression::Suppressions::of(file);
    findings.retain(|finding| !suppressions.cover(finding));
    for finding in &mut findings {
        finding.evidence = evidence(file, finding.range);
    }
    if !findings.is_empty() {
        let reason = examples::shows_mistake(file);
        for finding in &mut findings {
            if let Remedy::Rewrite(rewrite) = &finding.remedy {
                finding.remedy = Remedy::Rewrite(rewrite.clone().unsafe_if(reason));
            }
        }
    }
    if codemods.iter().any(|codemod| codemod.is_about_comments()) {
        findings.extend(unused::findings(file, &suppressions, selected));
    }
    findings.sort_by_key(|finding| {
        (
            finding.range.start(),
            finding.rule.code,
            finding.range.end(),
        )
    });
    findings
}

/// Puts the questions of [`check`] to the type engine, from the file's last statement to its first, and drops the
/// findings. Run on a second thread, it makes [`check`] faster: the engine remembers answers, so the two meet in the
/// middle.
pub fn ask_from_the_end(file: &File<'_, '_>, codemods: &[&'static dyn Codemod]) {
    let scopes = OnceCell::new();
    let mut traversal = Traversal::new(file, codemods, &scopes);
    for statement in file.body().iter().rev() {
        traversal.visit_stmt(statement);
    }
}

/// For each kind of node, by its discriminant, the codemods that look at it, as indices into the list given to
/// [`Self::of`].
struct ByNode(Vec<Vec<usize>>);

impl ByNode {
    fn of<'c>(codemods: impl Iterator<Item = &'c &'static dyn Codemod>) -> Self {
        let mut by_node: Vec<Vec<usize>> = Vec::new();
        for (place, codemod) in codemods.enumerate() {
            for kind in codemod.nodes() {
                let kind = *kind as usize;
                if by_node.len() <= kind {
                    by_node.resize_with(kind + 1, Vec::new);
                }
                if let Some(places) = by_node.get_mut(kind) {
                    places.push(place);
                }
            }
        }
        Self(by_node)
    }

    fn at(&self, node: AnyNodeRef<'_>) -> &[usize] {
        self.0.get(node.kind() as usize).map_or(&[], Vec::as_slice)
    }
}

/// The walk that makes findings.
struct Traversal<'f, 's, 'a, 'db> {
    file: &'f File<'a, 'db>,
    codemods: &'f [&'static dyn Codemod],
    by_node: ByNode,
    hints: Hints<'f>,
    written: Written<'s, 'a>,
    ancestors: Vec<AnyNodeRef<'a>>,
    findings: Vec<Finding>,
}

impl<'f, 's, 'a, 'db> Traversal<'f, 's, 'a, 'db> {
    fn new(
        file: &'f File<'a, 'db>,
        codemods: &'f [&'static dyn Codemod],
        scopes: &'s OnceCell<Scopes<'a>>,
    ) -> Self {
        Self {
            file,
            codemods,
            by_node: ByNode::of(codemods.iter()),
            hints: Hints::new(file.semantics.spellings(), file.settings),
            written: Written {
                scopes,
                writer: None,
            },
            ancestors: vec![AnyNodeRef::ModModule(file.syntax())],
            findings: Vec::new(),
        }
    }
}

/// The traces of the file (`facts/value_flow`), written from its text as it is in this round: those of the project may
/// be of an older text. Made when the first candidate depends on them.
struct Written<'s, 'a> {
    scopes: &'s OnceCell<Scopes<'a>>,
    writer: Option<Writer<'s, 'a>>,
}

impl<'a> Written<'_, 'a> {
    /// Whether the value of the expression at `site` may lead to what is sought.
    fn may_reach(
        &mut self,
        file: &File<'a, '_>,
        site: &Site<'_, 'a>,
        name: Key,
        sought: Sought,
    ) -> bool {
        let writer = self.writer.get_or_insert_with(|| {
            let scopes = || Scopes::of(file.syntax(), file.source, file.place());
            Writer::new(self.scopes.get_or_init(scopes))
        });
        let node = writer.node_at(site, file.source);
        file.project
            .may_hold(file.number, Some(writer.traces()), node, name, sought)
    }
}

impl<'a> SourceOrderVisitor<'a> for Traversal<'_, '_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let codemods = self.by_node.at(node).iter();
        for codemod in codemods.filter_map(|place| self.codemods.get(*place)) {
            let possible = match codemod.candidate(&self.hints, &site) {
                Candidate::No => false,
                Candidate::Yes => true,
                Candidate::If(name, sought) => {
                    self.file.project.may_be_meant(name, sought)
                        && self.written.may_reach(self.file, &site, name, sought)
                }
            };
            if possible
                && !duals::has_twin(self.file, &site, codemod.minds_twins())
                && let Some(mut finding) = codemod.check(self.file, &site)
            {
                if let Remedy::Rewrite(rewrite) = finding.remedy {
                    finding.remedy = Remedy::Rewrite(let_pass(self.file, &site, rewrite));
                }
                self.findings.push(finding);
            }
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}

/// The conditions under which a codemod has a candidate, one for each place ([`Candidate::If`]): the name, what is
/// sought, and the node of the traces for the expression there; no node where the name alone decides.
pub(crate) type Waits = FxHashSet<(Key, Sought, Option<Node>)>;

/// A codemod, with its conditions: it has a candidate if one of them is met.
type Waiting = (&'static dyn Codemod, Waits);

/// The codemods that may find something in one file, judged from its tree alone.
#[derive(Default, Clone)]
pub struct Prospects {
    /// These have a candidate, whatever the other files hold.
    pub certain: Vec<&'static dyn Codemod>,
    /// Whether these have one depends on other files.
    pub waiting: Vec<Waiting>,
}

impl Prospects {
    /// Looks for candidates of `codemods` in `module`. For those that depend on other files, `writer` writes down what
    /// their expressions are made of; without one, only the names are compared later.
    pub fn of<'a>(
        module: &'a ModModule,
        source: &str,
        writer: Option<&mut Writer<'_, 'a>>,
        codemods: Vec<&'static dyn Codemod>,
        settings: &Settings,
    ) -> Self {
        if codemods.is_empty() {
            return Self::default();
        }
        let by_node = ByNode::of(codemods.iter());
        let spellings = Spellings::of(module);
        let mut search = Search {
            hints: Hints::new(&spellings, settings),
            source,
            writer,
            left: codemods.len(),
            by_node,
            open: codemods
                .into_iter()
                .map(|codemod| (codemod, Some(FxHashSet::default())))
                .collect(),
            ancestors: vec![AnyNodeRef::ModModule(module)],
        };
        search.visit_body(&module.body);
        let mut prospects = Self::default();
        for (codemod, values) in search.open {
            if codemod.is_about_comments() && unused::may_be_in(source) {
                prospects.certain.push(codemod);
                continue;
            }
            match values {
                None => prospects.certain.push(codemod),
                Some(values) if values.is_empty() => {}
                Some(values) => prospects.waiting.push((codemod, values)),
            }
        }
        prospects
    }

    /// Adds a condition: `codemod` has a candidate if one of the functions with these names turns out to block and to
    /// have many callers ([`Sought::Helper`]).
    pub fn add_functions(
        &mut self,
        codemod: &'static dyn Codemod,
        names: impl Iterator<Item = Key>,
    ) {
        let waits: Waits = names.map(|name| (name, Sought::Helper, None)).collect();
        if !waits.is_empty() {
            self.waiting.push((codemod, waits));
        }
    }

    /// Whether nothing can be found, whatever the other files hold.
    pub fn is_empty(&self) -> bool {
        self.certain.is_empty() && self.waiting.is_empty()
    }

    /// The codemods that have a candidate, now that the project is linked, sorted by their codes. `file` is the number
    /// of the file in the project. `own` has the file's traces where those in the project were written without the
    /// candidates, so that the nodes of the conditions are not in them.
    pub fn settle(
        &self,
        project: &Project,
        file: usize,
        own: Option<&Traces>,
    ) -> Vec<&'static dyn Codemod> {
        let found = self.waiting.iter().filter_map(|(codemod, values)| {
            values
                .iter()
                .any(|(name, sought, node)| project.may_hold(file, own, *node, *name, *sought))
                .then_some(*codemod)
        });
        let mut codemods: Vec<_> = self.certain.iter().copied().chain(found).collect();
        codemods.sort_by_key(|codemod| codemod.rule().code);
        codemods
    }
}

/// The walk that looks for candidates.
struct Search<'w, 's, 'a> {
    hints: Hints<'w>,
    source: &'w str,
    writer: Option<&'w mut Writer<'s, 'a>>,
    by_node: ByNode,
    /// Each codemod with its conditions so far; `None` once it has a candidate for certain.
    open: Vec<(&'static dyn Codemod, Option<Waits>)>,
    /// How many codemods have no certain candidate yet: at 0 the walk may end.
    left: usize,
    ancestors: Vec<AnyNodeRef<'a>>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        for place in self.by_node.at(node) {
            let Some((codemod, waits @ Some(_))) = self.open.get_mut(*place) else {
                continue;
            };
            match codemod.candidate(&self.hints, &site) {
                Candidate::No => {}
                Candidate::Yes => {
                    *waits = None;
                    self.left -= 1;
                }
                Candidate::If(name, sought) => {
                    // Every attribute might be a property, but few properties return an awaitable. So these are judged
                    // by name alone here: to write traces for all attributes would cost more than it saves.
                    let node = match (sought, &mut self.writer) {
                        (Sought::Property(_) | Sought::Helper, _) | (_, None) => None,
                        (_, Some(writer)) => writer.node_at(&site, self.source),
                    };
                    waits.get_or_insert_default().insert((name, sought, node));
                }
            }
        }
        self.ancestors.push(node);
        if self.left == 0 {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
