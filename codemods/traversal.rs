//! The one walk over a file that feeds all codemods.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, ModModule};
use rustc_hash::FxHashSet;

use crate::file::File;
use crate::finding::Finding;
use crate::key::Key;
use crate::project::Project;
use crate::settings::Settings;
use crate::site::Site;
use crate::spelling::Spellings;
use crate::support::twins;
use crate::traces::search::Sought;
use crate::traces::{Node, Scopes, Writer};
use crate::{Candidate, Codemod, suppression};

/// Everything `codemods` find in `file`, in source order, without what its comments suppress.
pub fn check(file: &File<'_, '_>, codemods: &[&'static dyn Codemod]) -> Vec<Finding> {
    let scopes = codemods
        .iter()
        .any(|codemod| codemod.asks_for_types())
        .then(|| Scopes::of(file.syntax(), file.source, file.place()));
    let mut traversal = Traversal {
        file,
        codemods,
        spellings: Spellings::with(file.syntax(), file.settings),
        writer: scopes.as_ref().map(Writer::new),
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

/// Whether a mistake may stand at a node of this kind. Names, literals and the parts of calls and
/// signatures are most of a tree, and none of them is one.
fn may_be_mistake(node: AnyNodeRef<'_>) -> bool {
    !matches!(
        node,
        AnyNodeRef::ExprName(_)
            | AnyNodeRef::ExprStringLiteral(_)
            | AnyNodeRef::ExprNumberLiteral(_)
            | AnyNodeRef::ExprBooleanLiteral(_)
            | AnyNodeRef::ExprNoneLiteral(_)
            | AnyNodeRef::StringLiteral(_)
            | AnyNodeRef::Arguments(_)
            | AnyNodeRef::Keyword(_)
            | AnyNodeRef::Identifier(_)
            | AnyNodeRef::Parameters(_)
            | AnyNodeRef::Parameter(_)
            | AnyNodeRef::ParameterWithDefault(_)
            | AnyNodeRef::Alias(_)
    )
}

struct Traversal<'f, 's, 'a, 'db> {
    file: &'f File<'a, 'db>,
    codemods: &'f [&'static dyn Codemod],
    spellings: Spellings,
    writer: Option<Writer<'s, 'a>>,
    ancestors: Vec<AnyNodeRef<'a>>,
    findings: Vec<Finding>,
}

impl<'a> SourceOrderVisitor<'a> for Traversal<'_, '_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let codemods = if may_be_mistake(node) {
            self.codemods
        } else {
            &[]
        };
        for codemod in codemods {
            let possible = match codemod.candidate(&self.spellings, &site) {
                Candidate::No => false,
                Candidate::Yes => true,
                Candidate::If(name, sought) => {
                    let project = self.file.project;
                    project.may_be_meant(name, sought)
                        && self.writer.as_mut().is_none_or(|writer| {
                            let node = writer.node_at(&site, self.file.source);
                            let (number, own) = (self.file.number, writer.traces());
                            project.may_hold(number, Some(own), node, name, sought)
                        })
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

/// A codemod, with the names it waits for, what it seeks, and what the expression there is made of.
type Waiting = (&'static dyn Codemod, FxHashSet<(Key, Sought, Option<Node>)>);

/// What the codemods could find in one file.
#[derive(Default)]
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
        let mut search = Search {
            spellings: Spellings::with(module, settings),
            source,
            writer,
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
            waiting: search
                .open
                .into_iter()
                .filter(|(_, names)| !names.is_empty())
                .collect(),
        }
    }

    /// Whether nothing can be found, whatever the other files hold.
    pub fn is_empty(&self) -> bool {
        self.certain.is_empty() && self.waiting.is_empty()
    }

    /// The codemods that are worth a closer look, now that the project is known. `file` is the
    /// number of the file in it.
    pub fn settle(&self, project: &Project, file: usize) -> Vec<&'static dyn Codemod> {
        let found = self.waiting.iter().filter_map(|(codemod, values)| {
            values
                .iter()
                .any(|(name, sought, node)| project.may_hold(file, None, *node, *name, *sought))
                .then_some(*codemod)
        });
        let mut codemods: Vec<_> = self.certain.iter().copied().chain(found).collect();
        codemods.sort_by_key(|codemod| codemod.rule().code);
        codemods
    }
}

struct Search<'w, 's, 'a> {
    spellings: Spellings,
    source: &'w str,
    writer: Option<&'w mut Writer<'s, 'a>>,
    open: Vec<Waiting>,
    certain: Vec<&'static dyn Codemod>,
    ancestors: Vec<AnyNodeRef<'a>>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if !may_be_mistake(node) {
            self.ancestors.push(node);
            return TraversalSignal::Traverse;
        }
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let certain = &mut self.certain;
        let spellings = &self.spellings;
        let (source, writer) = (self.source, &mut self.writer);
        self.open.retain_mut(|(codemod, values)| {
            match codemod.candidate(spellings, &site) {
                Candidate::No => {}
                Candidate::Yes => {
                    certain.push(*codemod);
                    return false;
                }
                Candidate::If(name, sought) => {
                    // Attributes are everywhere and properties that give something awaitable are
                    // rare: their names are enough for now.
                    let node = match (sought, &mut *writer) {
                        (Sought::Property(_), _) | (_, None) => None,
                        (_, Some(writer)) => writer.node_at(&site, source),
                    };
                    values.insert((name, sought, node));
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
