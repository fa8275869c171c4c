//! The one walk over a file that feeds all codemods.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, ModModule};

use crate::file::File;
use crate::finding::Finding;
use crate::site::Site;
use crate::spelling::Spellings;
use crate::{Codemod, suppression};

/// Everything `codemods` find in `file`, in source order, without what its comments suppress.
pub fn check(file: &File<'_, '_>, codemods: &[&'static dyn Codemod]) -> Vec<Finding> {
    let mut traversal = Traversal {
        file,
        codemods,
        spellings: Spellings::of(file.syntax()),
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
    ancestors: Vec<AnyNodeRef<'a>>,
    findings: Vec<Finding>,
}

impl<'a> SourceOrderVisitor<'a> for Traversal<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        for codemod in self.codemods {
            if codemod.is_candidate(&self.spellings, &site)
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

/// Those of `codemods` that have a candidate in `module`: the only ones worth a closer look.
pub fn with_candidates(
    module: &ModModule,
    codemods: Vec<&'static dyn Codemod>,
) -> Vec<&'static dyn Codemod> {
    if codemods.is_empty() {
        return codemods;
    }
    let mut search = Candidates {
        spellings: Spellings::of(module),
        waiting: codemods,
        found: Vec::new(),
        ancestors: vec![AnyNodeRef::ModModule(module)],
    };
    search.visit_body(&module.body);
    search.found.sort_by_key(|codemod| codemod.rule().code);
    search.found
}

struct Candidates<'a> {
    spellings: Spellings,
    waiting: Vec<&'static dyn Codemod>,
    found: Vec<&'static dyn Codemod>,
    ancestors: Vec<AnyNodeRef<'a>>,
}

impl<'a> SourceOrderVisitor<'a> for Candidates<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.waiting.is_empty() {
            self.ancestors.push(node);
            return TraversalSignal::Skip;
        }
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let found = &mut self.found;
        self.waiting.retain(|codemod| {
            let is_candidate = codemod.is_candidate(&self.spellings, &site);
            if is_candidate {
                found.push(*codemod);
            }
            !is_candidate
        });
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
