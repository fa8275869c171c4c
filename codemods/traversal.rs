//! The one walk over a file that feeds all codemods.

use ruff_python_ast::AnyNodeRef;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};

use crate::file::File;
use crate::finding::Finding;
use crate::site::Site;
use crate::{Codemod, suppression};

/// Everything `codemods` find in `file`, in source order, without what its comments suppress.
pub fn check(file: &File<'_, '_>, codemods: &[&'static dyn Codemod]) -> Vec<Finding> {
    let mut traversal = Traversal {
        file,
        codemods,
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
            if let Some(finding) = codemod.check(self.file, &site) {
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
