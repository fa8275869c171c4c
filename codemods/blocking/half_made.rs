//! Collections of a module that code empties and fills again: on the event loop nobody sees them in between.

use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use crate::blocking::alone::nothing_else_runs;
use crate::blocking::gap::reaches;
use crate::blocking::listings::is_open;
use crate::blocking::shared_state::{Shared, root_of};
use crate::file::File;

/// Methods that put something into a collection.
const FILLING: [&str; 7] = [
    "add",
    "append",
    "appendleft",
    "extend",
    "insert",
    "setdefault",
    "update",
];

/// Why others must not run at `site`: a collection that they see is emptied before it, and filled behind it or with what it
/// gives.
pub(super) fn left_empty<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let mut steps = Steps {
        function,
        shared: Shared::of(function, None),
        emptied: Vec::new(),
        filled: Vec::new(),
    };
    steps.visit_body(&function.body);
    let at = site.node.range();
    let fills = |name: &str, emptied: TextRange| {
        let mut filled = steps.filled.iter().filter(|(own, _)| *own == name);
        filled.any(|(_, range)| {
            (range.start() >= at.end() || range.contains_range(at))
                && !is_open(function, emptied.end(), range.end())
        })
    };
    let (_, emptied) = steps.emptied.iter().find(|(name, emptied)| {
        emptied.end() <= at.start()
            && reaches(file, &function.body, *emptied, at)
            && fills(name, *emptied)
    })?;
    (!nothing_else_runs(file, owner)).then(|| {
        format!(
            "other tasks would see what `{}` leaves empty, before it is filled",
            one_line(file.text(*emptied))
        )
    })
}

/// Collects where a function empties and fills collections that others see.
struct Steps<'a> {
    function: &'a ast::StmtFunctionDef,
    shared: Shared<'a>,
    emptied: Vec<(&'a str, TextRange)>,
    filled: Vec<(&'a str, TextRange)>,
}

impl<'a> Steps<'a> {
    /// The name of the module that an expression starts from. `None` for what is the function's own, or was given to it.
    fn name_of(&self, expr: &'a Expr) -> Option<&'a str> {
        let name = root_of(expr)?;
        let is_given = self.function.parameters.includes(name);
        (!is_given && self.shared.has(expr)).then_some(name)
    }

    fn assigned(&mut self, target: &'a Expr, value: &Expr, range: TextRange) {
        if !(target.is_name_expr() || target.is_subscript_expr()) {
            return;
        }
        let Some(name) = self.name_of(target) else {
            return;
        };
        if is_empty(value) {
            self.emptied.push((name, range));
        } else {
            self.filled.push((name, range));
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Steps<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.assigned(target, &assign.value, assign.range());
                }
            }
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && let Some(name) = self.name_of(&method.value)
                {
                    if &method.attr == "clear" {
                        self.emptied.push((name, call.range()));
                    } else if FILLING.contains(&method.attr.as_str()) {
                        self.filled.push((name, call.range()));
                    }
                }
            }
            _ => {}
        }
        own_code(node)
    }
}

/// Whether an expression makes an empty collection.
fn is_empty(value: &Expr) -> bool {
    match value {
        Expr::List(list) => list.elts.is_empty(),
        Expr::Dict(dict) => dict.items.is_empty(),
        Expr::Call(call) => {
            call.arguments.is_empty()
                && matches!(&*call.func, Expr::Name(name)
                    if matches!(name.id.as_str(), "dict" | "list" | "set"))
        }
        _ => false,
    }
}
