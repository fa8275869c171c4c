//! The files that a function uses which runs in a thread as a whole: those that it knows by itself, and those that it is
//! given.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::blocking::files::{Agreement, Does, Use, is_run_once};
use crate::blocking::locals::Locals;
use crate::file::File;
use crate::semantics::ClassOf;
use crate::site::{Owner, Site};
use crate::support::conduct::is_lock_of_loop;

/// Why the files that a function of the same module uses, called by `call` in the code of `owner`, may meet other code
/// in a thread: those that it knows by itself, and those that it is given by what all calls share.
pub(super) fn of_helper(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    call: &ast::ExprCall,
    helper: &ast::StmtFunctionDef,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let all = file.file_uses();
    let of_others = |path: &Path, does: Does| {
        all.uses.iter().any(|other| {
            (other.does.changes() || does.changes())
                && !other.does.asks
                && other.function.is_some()
                && other.function != Some(helper.range())
                && other.key == path.key
        })
    };
    let given = Handed::of(file, helper, call);
    let uses = all.within(helper.range()).iter();
    uses.filter(|found| !found.does.asks && found.locks.is_empty())
        .find_map(|found| {
            let path = if found.agreement == Agreement::Same {
                Path {
                    text: found.path.clone(),
                    key: found.key.clone(),
                }
            } else {
                given.path(file, function, found)?
            };
            let elsewhere =
                of_others(&path, found.does) || given_elsewhere(file, function, &path, found.does);
            if !elsewhere && is_run_once(file, function) {
                return None;
            }
            let text = path.text;
            if found.does.changes() {
                Some(format!("two calls may write `{text}` at the same time"))
            } else {
                elsewhere.then(|| format!("other code writes `{text}`, maybe at the same time"))
            }
        })
}

/// A path, as it is written, and what tells whether two of them are equal.
struct Path {
    text: String,
    key: (Option<TextSize>, String),
}

/// What the parameters of a function are given by a call.
struct Handed<'a> {
    values: Vec<(String, &'a Expr)>,
}

impl<'a> Handed<'a> {
    fn of(file: &File<'_, '_>, function: &ast::StmtFunctionDef, call: &'a ast::ExprCall) -> Self {
        let is_bound = call.func.is_attribute_expr() && file.semantics.is_method(function);
        let positional = function
            .parameters
            .posonlyargs
            .iter()
            .chain(&function.parameters.args)
            .skip(usize::from(is_bound));
        let by_position = positional
            .zip(&call.arguments.args)
            .map(|(parameter, value)| (parameter.name().to_string(), value));
        let by_name = call
            .arguments
            .keywords
            .iter()
            .filter_map(|keyword| Some((keyword.arg.as_ref()?.to_string(), &keyword.value)));
        Self {
            values: by_position.chain(by_name).collect(),
        }
    }

    /// The path that a use in the function is about, where the code of `caller` gives it something that all its calls
    /// share.
    fn path(
        &self,
        file: &File<'_, '_>,
        caller: &ast::StmtFunctionDef,
        found: &Use,
    ) -> Option<Path> {
        let (_, value) = self.values.iter().find(|(name, _)| *name == found.key.1)?;
        let root = match value {
            Expr::Attribute(attribute) => attribute.value.as_name_expr()?,
            Expr::Name(name) => name,
            _ => return None,
        };
        let locals = Locals::of(file, caller);
        let is_shared = if locals.receiver == Some(root.id.as_str()) {
            value.is_attribute_expr()
        } else {
            !locals.parameters.contains(root.id.as_str()) && locals.sources(&root.id).is_none()
        };
        let text = file.text(*value);
        is_shared.then(|| Path {
            text: text.to_owned(),
            key: (None, text.to_owned()),
        })
    }
}

/// Whether other code of the module gives a path to a function that does something else to what is there.
fn given_elsewhere(
    file: &File<'_, '_>,
    caller: &ast::StmtFunctionDef,
    path: &Path,
    does: Does,
) -> bool {
    struct Search<'f, 'p, 'a, 'db> {
        file: &'f File<'a, 'db>,
        caller: TextRange,
        path: &'p Path,
        does: Does,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, 'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let semantics = &self.file.semantics;
            if let AnyNodeRef::ExprCall(call) = node
                && !self.found
                && call
                    .arguments
                    .iter_source_order()
                    .any(|given| self.file.text(given.value()) == self.path.text)
                && let Some(function) = semantics.function_in_sight(&call.func)
                && semantics.is_here(function.definition())
                && let Some(node) = function.node(semantics.db())
            {
                let given = Handed::of(self.file, node, call);
                let uses = self.file.file_uses().within(node.range());
                self.found = uses.iter().any(|other| {
                    (other.does.changes() || self.does.changes())
                        && !other.does.asks
                        && given.values.iter().any(|(name, value)| {
                            *name == other.key.1 && self.file.text(*value) == self.path.text
                        })
                });
            }
            if self.found || node.range() == self.caller {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Search {
        file,
        caller: caller.range(),
        path,
        does,
        found: false,
    };
    search.visit_body(file.body());
    search.found
}

/// Whether all code of the module that has to do with the files of a function, called at `site`, waits for one lock of
/// the event loop. What makes an object is done before anything waits.
pub(super) fn is_kept_by_lock(
    file: &File<'_, '_>,
    site: &Site<'_, '_>,
    helper: &ast::StmtFunctionDef,
) -> bool {
    let held = site
        .enclosing_in_function()
        .find_map(|(node, _)| match node {
            AnyNodeRef::StmtWith(with) if with.is_async => with.items.iter().find(|item| {
                matches!(file.semantics.class_of(&item.context_expr), ClassOf::Known(class)
                if is_lock_of_loop(&class))
            }),
            _ => None,
        });
    let Some(lock) = held else {
        return false;
    };
    let uses = file.file_uses().within(helper.range());
    // What is given to it is known by other names elsewhere.
    if uses.iter().any(|found| found.agreement != Agreement::Same) {
        return false;
    }
    let mut search = Unlocked {
        file,
        lock: file.text(&lock.context_expr),
        keys: uses.iter().map(|found| &found.key).collect(),
        held: 0,
        found: false,
    };
    search.visit_body(file.body());
    !search.found
}

/// Looks for calls of functions of the module that use some files, without a lock.
struct Unlocked<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    lock: &'f str,
    keys: Vec<&'f (Option<TextSize>, String)>,
    held: usize,
    found: bool,
}

impl Unlocked<'_, '_, '_> {
    fn takes_lock(&self, node: AnyNodeRef<'_>) -> bool {
        matches!(node, AnyNodeRef::StmtWith(with)
            if with.is_async && with.items.iter().any(|item| self.file.text(&item.context_expr) == self.lock))
    }
}

impl<'a> SourceOrderVisitor<'a> for Unlocked<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.held += usize::from(self.takes_lock(node));
        let semantics = &self.file.semantics;
        match node {
            AnyNodeRef::StmtFunctionDef(function) if &function.name == "__init__" => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprCall(call) if self.held == 0 && !self.found => {
                let function = semantics.function_in_sight(&call.func);
                let node = function
                    .as_ref()
                    .filter(|function| semantics.is_here(function.definition()))
                    .and_then(|function| function.node(semantics.db()));
                self.found = node.is_some_and(|node| {
                    let uses = self.file.file_uses().within(node.range());
                    uses.iter().any(|found| self.keys.contains(&&found.key))
                });
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        self.held -= usize::from(self.takes_lock(node));
    }
}
