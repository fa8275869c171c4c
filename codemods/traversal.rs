//! The one walk over a file that feeds all codemods.

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

/// Everything `codemods` find in `file`, in source order, without what its comments suppress. `selected` has the codes of
/// all rules that run on the file, those that were found to have no work in it as well.
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

/// Asks the database what [`check`] asks it, from the end of the file to its start. Beside it on another
/// thread, each finds ready what the other one has asked.
pub fn ask_from_the_end(file: &File<'_, '_>, codemods: &[&'static dyn Codemod]) {
    let scopes = OnceCell::new();
    let mut traversal = Traversal::new(file, codemods, &scopes);
    for statement in file.body().iter().rev() {
        traversal.visit_stmt(statement);
    }
}

/// For each kind of node, which of some codemods look at it, as their places among them.
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

/// What the values of a file are made of, in the text as it is now. Made when the first candidate depends
/// on it.
struct Written<'s, 'a> {
    scopes: &'s OnceCell<Scopes<'a>>,
    writer: Option<Writer<'s, 'a>>,
}

impl<'a> Written<'_, 'a> {
    /// Whether what is sought may be reached from what stands at a site.
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

/// Names that a codemod waits for, what it seeks, and what the expression there is made of.
pub(crate) type Waits = FxHashSet<(Key, Sought, Option<Node>)>;

/// A codemod, with what it waits for.
type Waiting = (&'static dyn Codemod, Waits);

/// What the codemods could find in one file.
#[derive(Default, Clone)]
pub struct Prospects {
    /// These have a candidate.
    pub certain: Vec<&'static dyn Codemod>,
    /// These have one if what they seek may be reached.
    pub waiting: Vec<Waiting>,
}

impl Prospects {
    /// Looks for candidates of `codemods` in `module`, and writes down what those are made of that
    /// depend on other files, where there is a writer.
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

    /// Lets `codemod` wait for functions of the file to have many callers.
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

    /// The codemods that are worth a closer look, now that the project is known. `file` is the
    /// number of the file in it, and `own` has the file's traces, where those of the project were written without a look
    /// for codemods.
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

struct Search<'w, 's, 'a> {
    hints: Hints<'w>,
    source: &'w str,
    writer: Option<&'w mut Writer<'s, 'a>>,
    by_node: ByNode,
    /// With what each codemod waits for; `None` where it has a candidate whatever that is.
    open: Vec<(&'static dyn Codemod, Option<Waits>)>,
    /// How many of them wait.
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
                    // Attributes are everywhere and properties that give something awaitable are
                    // rare: their names are enough for now.
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
