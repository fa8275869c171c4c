//! The one walk over a file that feeds all codemods.

use std::cell::OnceCell;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, ModModule};
use rustc_hash::FxHashSet;

use crate::file::File;
use crate::finding::Finding;
use crate::project::Project;
use crate::scopes::Scopes;
use crate::settings::Settings;
use crate::site::Site;
use crate::spelling::Spellings;
use crate::support::twins;
use crate::symbol::{Key, Symbol};
use crate::{Candidate, Codemod, suppression};

/// Everything `codemods` find in `file`, in source order, without what its comments suppress.
pub fn check(file: &File<'_, '_>, codemods: &[&'static dyn Codemod]) -> Vec<Finding> {
    let mut traversal = Traversal {
        file,
        codemods,
        spellings: Spellings::with(file.syntax(), file.settings),
        scopes: OnceCell::new(),
        ancestors: vec![AnyNodeRef::ModModule(file.syntax())],
        findings: Vec::new(),
    };
    traversal.visit_body(file.body());
    let mut findings = traversal.findings;
    let suppressions = suppression::Suppressions::of(file);
    findings.retain(|finding| !suppressions.cover(finding));
    findings.sort_by_key(|finding| {
        (
            finding.range.start(),
            finding.rule.code,
            finding.range.end(),
        )
    });
    findings
}

struct Traversal<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    codemods: &'f [&'static dyn Codemod],
    spellings: Spellings,
    scopes: OnceCell<Scopes<'a>>,
    ancestors: Vec<AnyNodeRef<'a>>,
    findings: Vec<Finding>,
}

impl<'a> Traversal<'_, 'a, '_> {
    fn scopes(&self) -> &Scopes<'a> {
        self.scopes
            .get_or_init(|| Scopes::of(self.file.syntax(), self.file.source, self.file.place()))
    }
}

impl<'a> SourceOrderVisitor<'a> for Traversal<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        for codemod in self.codemods {
            let possible = match codemod.candidate(&self.spellings, &site) {
                Candidate::No => false,
                Candidate::Yes => true,
                Candidate::IfNamed(name) => {
                    let project = self.file.project;
                    project.may_be_awaitable(name)
                        && project.may_have_protocols(name, &self.scopes().symbol_at(&site))
                }
                Candidate::IfAwaitable(name) => {
                    let project = self.file.project;
                    project.may_be_awaitable(name)
                        && project.may_give_awaitable(name, &self.scopes().symbol_at(&site))
                }
            };
            if possible
                && !twins::has_twin(self.file, &site)
                && let Some(finding) = codemod.check(self.file, &site)
            {
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

/// A codemod, with the names of the values it waits for and what they are made of.
type Named = (&'static dyn Codemod, FxHashSet<(Candidate, Key, Symbol)>);

/// What the codemods could find in one file.
#[derive(Default)]
pub struct Prospects {
    /// These have a candidate.
    pub certain: Vec<&'static dyn Codemod>,
    /// These have one if a value with one of these names, and made of this, may be awaitable.
    pub named: Vec<Named>,
}

impl Prospects {
    /// Looks for candidates of `codemods` in `module`, with its `scopes` where one of them asks for
    /// types.
    pub fn of(
        module: &ModModule,
        scopes: Option<&Scopes<'_>>,
        codemods: Vec<&'static dyn Codemod>,
        settings: &Settings,
    ) -> Self {
        if codemods.is_empty() {
            return Self::default();
        }
        let mut search = Search {
            spellings: Spellings::with(module, settings),
            scopes,
            open: codemods
                .into_iter()
                .map(|codemod| (codemod, FxHashSet::default()))
                .collect(),
            certain: Vec::new(),
            ancestors: vec![AnyNodeRef::ModModule(module)],
        };
        search.visit_body(&module.body);
        Self {
            certain: search.certain,
            named: search
                .open
                .into_iter()
                .filter(|(_, names)| !names.is_empty())
                .collect(),
        }
    }

    /// Whether nothing can be found, whatever the other files hold.
    pub fn is_empty(&self) -> bool {
        self.certain.is_empty() && self.named.is_empty()
    }

    /// The codemods that are worth a closer look, now that the project is known.
    pub fn settle(&self, project: &Project) -> Vec<&'static dyn Codemod> {
        let named = self.named.iter().filter_map(|(codemod, values)| {
            values
                .iter()
                .any(|(candidate, name, symbol)| match candidate {
                    Candidate::IfNamed(_) => project.may_have_protocols(*name, symbol),
                    _ => project.may_give_awaitable(*name, symbol),
                })
                .then_some(*codemod)
        });
        let mut codemods: Vec<_> = self.certain.iter().copied().chain(named).collect();
        codemods.sort_by_key(|codemod| codemod.rule().code);
        codemods
    }
}

struct Search<'s, 'a> {
    spellings: Spellings,
    scopes: Option<&'s Scopes<'s>>,
    open: Vec<Named>,
    certain: Vec<&'static dyn Codemod>,
    ancestors: Vec<AnyNodeRef<'a>>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let certain = &mut self.certain;
        let spellings = &self.spellings;
        let scopes = self.scopes;
        self.open.retain_mut(|(codemod, names)| {
            match codemod.candidate(spellings, &site) {
                Candidate::No => {}
                Candidate::Yes => {
                    certain.push(*codemod);
                    return false;
                }
                candidate @ (Candidate::IfAwaitable(name) | Candidate::IfNamed(name)) => {
                    let symbol = scopes.map_or(Symbol::Open, |scopes| scopes.symbol_at(&site));
                    names.insert((candidate, name, symbol));
                }
            }
            true
        });
        self.ancestors.push(node);
        if self.open.is_empty() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
