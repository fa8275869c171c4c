//! What functions of the module do to the files that they are given, told of the calls of them.

use asyncfix_analysis::limits::PATHS_HANDED_ON;
use asyncfix_analysis::resolve::semantics::Semantics;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashMap;

use crate::blocking::files::Use;
use crate::blocking::paths::{Agreement, Folder, Path};
use crate::file::File;
use asyncfix_syntax::queries::last_name;

/// The functions that a module defines, by their names.
#[derive(Default)]
pub(super) struct Defined<'a>(FxHashMap<&'a str, Vec<&'a ast::StmtFunctionDef>>);

impl<'a> Defined<'a> {
    pub(super) fn of(body: &'a [Stmt]) -> Self {
        let mut defined = Self::default();
        defined.visit_body(body);
        defined
    }

    /// The function of the module that a call calls.
    pub(super) fn called(
        &self,
        file: &File<'_, '_>,
        call: &ast::ExprCall,
    ) -> Option<&'a ast::StmtFunctionDef> {
        let defined = self.0.get(last_name(&call.func)?)?;
        let semantics = &file.semantics;
        let function = semantics.function_in_sight(&call.func)?;
        if !semantics.is_here(function.definition()) {
            return None;
        }
        let range = function.node(semantics.db())?.range();
        let mut defined = defined.iter().copied();
        defined.find(|function| function.range() == range)
    }
}

impl<'a> SourceOrderVisitor<'a> for Defined<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::StmtFunctionDef(function) = node {
            self.0.entry(&function.name).or_default().push(function);
        }
        if node.is_expression() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

/// A call of a function of the module.
pub(super) struct HelperCall {
    pub(super) range: TextRange,
    /// The coroutine function around it, or else the outermost function.
    pub(super) function: Option<TextRange>,
    /// The locks of the event loop that are held, as they are written.
    pub(super) locks: Vec<String>,
    /// The function that is called.
    pub(super) helper: TextRange,
    /// What its parameters are given.
    pub(super) given: Vec<(String, Path)>,
}

/// What the parameters of a function are given by a call. `own` is what is known of the function's file.
pub(super) fn given<'a>(
    own: &Semantics<'_>,
    function: &ast::StmtFunctionDef,
    call: &'a ast::ExprCall,
) -> impl Iterator<Item = (String, &'a Expr)> {
    let is_bound = call.func.is_attribute_expr() && own.is_method(function);
    let parameters = function
        .parameters
        .posonlyargs
        .iter()
        .chain(&function.parameters.args)
        .skip(usize::from(is_bound))
        .map(|parameter| parameter.name().to_string());
    let parameters: Vec<String> = parameters.collect();
    let by_position = parameters.into_iter().zip(&call.arguments.args);
    let by_name = call
        .arguments
        .keywords
        .iter()
        .filter_map(|keyword| Some((keyword.arg.as_ref()?.to_string(), &keyword.value)));
    by_position.chain(by_name)
}

/// Adds to the uses of files what the calls do to the files that they give to functions of the module.
pub(super) fn follow(uses: &mut Vec<Use>, calls: &[HelperCall]) {
    let mut known = 0;
    for _ in PATHS_HANDED_ON.rounds() {
        let new = uses.get(known..).unwrap_or_default();
        let mut found = Vec::new();
        for call in calls {
            let inside = new
                .iter()
                .filter(|other| call.helper.contains_range(other.range) && !other.does.asks);
            for other in inside {
                found.extend(call.path(&other.path).map(|path| {
                    let path = if other.does.fills { path.below() } else { path };
                    call.does(other, path)
                }));
            }
        }
        known = uses.len();
        uses.extend(found);
    }
}

/// What functions of the module do to files that they know by themselves, told of the calls of them.
pub(super) fn known_to_helpers(uses: &[Use], calls: &[HelperCall]) -> Vec<Use> {
    let of_call = |call: &HelperCall| {
        let inside = uses.iter().filter(|other| {
            call.helper.contains_range(other.range)
                && other.path.agreement == Agreement::Same
                && other.path.key.0.is_none()
                && !other.does.asks
        });
        let told = inside.map(|other| call.does(other, other.path.clone()));
        told.collect::<Vec<_>>()
    };
    let mut found: Vec<Use> = calls.iter().flat_map(of_call).collect();
    found.sort_by_key(|found| found.range.start());
    found
}

impl HelperCall {
    /// A use of a file inside of the function that is called, as one that the call makes of `path`.
    fn does(&self, inside: &Use, path: Path) -> Use {
        Use {
            range: self.range,
            path,
            does: inside.does,
            function: self.function,
            locks: self.locks.clone(),
            through: std::iter::once(self.helper)
                .chain(inside.through.iter().copied())
                .collect(),
        }
    }

    /// The path that a use in the function is about, in words of its caller. `None` where it does not depend on what the
    /// function is given.
    fn path(&self, path: &Path) -> Option<Path> {
        let given = |name: &str| {
            self.given
                .iter()
                .find(|(parameter, _)| parameter == name)
                .map(|(_, path)| path)
        };
        if let Some(name) = path.shape.name() {
            return given(name).cloned();
        }
        let shape = path.shape.given(|name| Some(&given(name)?.shape));
        let pattern = path.pattern.given(|name| Some(&given(name)?.pattern));
        let of_given = path
            .shape
            .names()
            .filter_map(|name| Some(given(name)?.agreement))
            .max()?;
        // The rest are variables of the function itself.
        let is_whole = path.shape.names().all(|name| given(name).is_some());
        let agreement = match path.agreement {
            own if own == Agreement::Never || !is_whole => own.max(of_given),
            _ => of_given,
        };
        let around = if is_whole {
            self.function.filter(|_| agreement != Agreement::Same)
        } else {
            Some(self.helper)
        };
        Some(Path {
            text: path.text.clone(),
            key: (around.map(TextRange::start), shape.to_text()),
            agreement,
            shape,
            pattern,
            folder: path.folder.as_ref().and_then(|folder| self.folder(folder)),
        })
    }

    /// A folder in words of the caller.
    fn folder(&self, folder: &Folder) -> Option<Folder> {
        let path = if folder.path.shape.names().next().is_none() {
            folder.path.clone()
        } else {
            Box::new(self.path(&folder.path)?)
        };
        Some(Folder {
            path,
            ..folder.clone()
        })
    }
}
