//! The files that a function uses which runs in a thread as a whole: those that it knows by itself, and those that it is
//! given.

use asyncfix_analysis::answers::made::is_made_in;
use asyncfix_analysis::facts::value_flow::Place;
use asyncfix_analysis::index::call_graph::Chain;
use asyncfix_analysis::index::file_users::{FileCall, FileMet};
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_knowledge::conduct::is_lock_of_loop;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextSize};

use crate::blocking::files::{Use, is_run_once};
use crate::blocking::helper::uses_files;
use crate::blocking::paths::Agreement;
use crate::blocking::{folders, objects, patterns, through};
use crate::file::File;

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
    let may_clash = |found: &Use, other: &Use| {
        (other.does.changes() || found.does.changes())
            && !other.does.asks
            && other.function.is_some()
            && other.function != Some(helper.range())
            // What the caller itself is told to do to it.
            && (other.through.is_empty() || other.function != Some(function.range()))
    };
    let of_others = |found: &Use| {
        let mut others = all.uses.iter();
        others.any(|other| may_clash(found, other) && other.path.is_same(&found.path))
    };
    let may_meet = |found: &Use| {
        let mut others = all.uses.iter();
        others.any(|other| {
            may_clash(found, other) && found.path.pattern.may_meet(&other.path.pattern)
        })
    };
    let of_folder = |found: &Use| {
        let others = all.uses.iter().filter(|other| may_clash(found, other));
        let mut folders = others.filter_map(|other| found.path.common_folder(&other.path));
        let folder = folders.next()?;
        Some(folders::reason(folder, found.does.changes()))
    };
    // What is given takes the place of a path that is written out for calls that give none.
    let given: Vec<String> = through::given(&file.semantics, helper, call)
        .filter(|(_, value)| !value.is_none_literal_expr())
        .map(|(name, _)| name)
        .collect();
    let is_given = |found: &Use| {
        let mut names = found.path.shape.names();
        names.any(|name| given.iter().any(|given| given == name))
    };
    let known = all.within(helper.range()).iter();
    let known = known.filter(|found| found.locks.is_empty() && !is_given(found));
    let told = all.within(call.range()).iter();
    let told = told.filter(|found| found.through.first() == Some(&helper.range()));
    known
        .chain(told)
        .filter(|found| found.path.agreement == Agreement::Same && !found.does.asks)
        .find_map(|found| {
            let elsewhere = of_others(found);
            if !elsewhere && let Some(reason) = of_folder(found) {
                return Some(reason);
            }
            if !elsewhere && is_run_once(file, function) {
                return None;
            }
            let text = &found.path.text;
            if found.does.changes() {
                Some(format!("two calls may write `{text}` at the same time"))
            } else {
                if elsewhere {
                    return Some(format!(
                        "other code writes `{text}`, maybe at the same time"
                    ));
                }
                may_meet(found).then(|| patterns::reason(text, false))
            }
        })
}

/// Whether a coroutine function also gives the path of `found` to a function of the project that uses files.
pub(super) fn is_given_to_another(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    found: &Use,
) -> bool {
    struct Search<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        path: &'f str,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let semantics = &self.file.semantics;
            if let AnyNodeRef::ExprCall(call) = node
                && !self.found
                && call
                    .arguments
                    .iter_source_order()
                    .any(|given| self.file.text(given.value()) == self.path)
                && let Some(helper) = semantics.function_in_sight(&call.func)
                // Of the functions of the module more is known.
                && !semantics.is_here(helper.definition())
                && let Some((place, name)) = semantics.place_of_function(&helper)
                && let Some(chain) = self.file.project.blocking_chain(&place, &name)
            {
                self.found = uses_files(self.file, &chain);
            }
            match node {
                _ if self.found => TraversalSignal::Skip,
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
                _ => TraversalSignal::Traverse,
            }
        }
    }
    if !found.changes_for_others() {
        return false;
    }
    let mut search = Search {
        file,
        path: &found.path.text,
        found: false,
    };
    search.visit_body(&function.body);
    search.found
}

/// The path of a file that a coroutine function itself changes and also gives to a call.
pub(super) fn changed_by_caller<'f>(
    file: &'f File<'_, '_>,
    function: &ast::StmtFunctionDef,
    call: &ast::ExprCall,
) -> Option<&'f str> {
    let own = file.file_uses().within(function.range()).iter();
    let mut changed = own.filter(|found| {
        found.through.is_empty()
            && found.changes_for_others()
            && found.path.agreement != Agreement::Never
    });
    let changed = changed.find(|found| {
        let mut given = call.arguments.iter_source_order();
        given.any(|given| file.text(given.value()) == found.path.text)
    })?;
    Some(&changed.path.text)
}

/// The name of a function, behind those of the classes and functions around it.
fn name_in_project(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Option<String> {
    let index = file.semantics.index();
    let own = index.scope(file.semantics.function_scope(function)?);
    let mut name = function.name.to_string();
    let mut around = own.parent();
    while let Some(scope) = around.map(|around| index.scope(around)) {
        if let Some(class) = scope.node().as_class() {
            name = format!("{}.{name}", class.node(file.semantics.module()).name);
        } else if let Some(outer) = scope.node().as_function() {
            let outer = &outer.node(file.semantics.module()).name;
            name = format!("{outer}.<locals>.{name}");
        }
        around = scope.parent();
    }
    Some(name)
}

/// Whether code of other files changes the file that `path` names in a function, or uses it where this one changes it.
pub(super) fn is_used_by_others(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    path: &str,
) -> bool {
    let is_once = is_run_once(file, function);
    name_in_project(file, function).is_some_and(|name| {
        let place = file.place();
        file.project.is_used_by_others(&place, &name, path, is_once)
    })
}

/// Why the files that a function of the project uses, called at `site`, may meet code of other modules in a thread.
pub(super) fn of_other_files<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
    call: &ast::ExprCall,
    (place, name): (&Place, &str),
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    if held_lock(file, site).is_some() {
        return None;
    }
    let caller = name_in_project(file, function)?;
    let met = file.project.file_met(&FileCall {
        caller: (&file.place(), &caller),
        helper: (place, name),
        is_once: is_run_once(file, function),
        is_of_own_object: is_of_own_object(file, function, call),
    })?;
    Some(match met {
        FileMet::Changed(path) => format!("two calls may write `{path}` at the same time"),
        FileMet::Shared(path) => format!("other code uses `{path}`, maybe at the same time"),
        FileMet::Read(path) => format!("other code writes `{path}`, maybe at the same time"),
    })
}

/// Whether a method is called on an object that the function has made for itself: that has a file of its own, maybe.
fn is_of_own_object(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    call: &ast::ExprCall,
) -> bool {
    match &*call.func {
        Expr::Attribute(method) => is_made_in(&file.semantics, &method.value, function.range()),
        _ => true,
    }
}

/// Why a file that functions of other modules write whatever they are given may meet other code in a thread.
pub(super) fn of_another_module<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
    call: &ast::ExprCall,
    chain: &Chain,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let written = chain.writes.as_ref()?;
    let is_of_own_object = written.is_of_object && is_of_own_object(file, function, call);
    (!is_of_own_object && held_lock(file, site).is_none() && !is_run_once(file, function))
        .then(|| format!("two calls may write `{}` at the same time", written.path))
}

/// A lock of the event loop that is held at `site`.
fn held_lock<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<&'a Expr> {
    site.enclosing_in_function()
        .find_map(|(node, _)| match node {
            AnyNodeRef::StmtWith(with) if with.is_async => with
                .items
                .iter()
                .map(|item| &item.context_expr)
                .find(|manager| {
                    matches!(file.semantics.class_of(manager), ClassOf::Known(class)
                        if is_lock_of_loop(&class))
                        && !objects::is_of_many(file, manager)
                }),
            _ => None,
        })
}

/// Whether all code of the module that has to do with the files of a function, called at `site`, waits for one lock of
/// the event loop. What makes an object is done before anything waits.
pub(super) fn is_kept_by_lock<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    helper: &ast::StmtFunctionDef,
) -> bool {
    let Some(lock) = held_lock(file, site) else {
        return false;
    };
    let uses = file.file_uses().within(helper.range());
    // What is given to it is known by other names elsewhere.
    if uses
        .iter()
        .any(|found| found.path.agreement != Agreement::Same)
    {
        return false;
    }
    let mut search = Unlocked {
        file,
        lock: file.text(lock),
        keys: uses.iter().map(|found| &found.path.key).collect(),
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
                    uses.iter()
                        .any(|found| self.keys.contains(&&found.path.key))
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

/// Why other tasks must not run between a call and another one of the coroutine function, of a function of the project
/// that reads or writes files as the one of this chain does: what was one step on the event loop (read, change, write)
/// would be several.
pub(super) fn meets_itself<'a>(
    file: &File<'a, '_>,
    call: &ast::ExprCall,
    chain: &Chain,
    owner: Owner<'a>,
) -> Option<String> {
    struct Others<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        call: &'f ast::ExprCall,
        first: Option<&'f String>,
        found: Option<&'a ast::ExprCall>,
    }
    impl<'a> SourceOrderVisitor<'a> for Others<'_, 'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && call.range() != self.call.range()
                && self.found.is_none()
                && may_mean_one_file(self.file, call, self.call)
                && let Some(function) = self.file.semantics.function_in_sight(&call.func)
                && let Some((place, name)) = self.file.semantics.place_of_function(&function)
                && let Some(chain) = self.file.project.blocking_chain(&place, &name)
            {
                let is_one = chain.names.first() != self.first && uses_files(self.file, &chain);
                self.found = is_one.then_some(call);
            }
            match node {
                _ if self.found.is_some() => TraversalSignal::Skip,
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
                _ => TraversalSignal::Traverse,
            }
        }
    }
    let Owner::Function(function) = owner else {
        return None;
    };
    if !uses_files(file, chain) {
        return None;
    }
    if let Some(path) = changed_by_caller(file, function, call) {
        return Some(format!(
            "another task may change `{path}` between this call and where `{}` changes it",
            function.name
        ));
    }
    let mut others = Others {
        file,
        call,
        first: chain.names.first(),
        found: None,
    };
    others.visit_body(&function.body);
    let called = |call: &ast::ExprCall| one_line(file.text(&*call.func));
    let other = others.found?;
    let (first, second) = if other.start() < call.start() {
        (other, call)
    } else {
        (call, other)
    };
    Some(format!(
        "another task may change the file between `{}` and `{}`",
        called(first),
        called(second)
    ))
}

/// Whether two calls may be about one file: they are given the same value, or one of them knows its file by itself.
fn may_mean_one_file(file: &File<'_, '_>, one: &ast::ExprCall, other: &ast::ExprCall) -> bool {
    let given = |call: &ast::ExprCall| {
        let values = call.arguments.iter_source_order();
        let values = values
            .map(ast::ArgOrKeyword::value)
            .filter(|value| !is_constant(value));
        values
            .map(|value| file.text(value).to_owned())
            .collect::<Vec<_>>()
    };
    let (one, other) = (given(one), given(other));
    one.is_empty() || other.is_empty() || one.iter().any(|value| other.contains(value))
}

fn is_constant(value: &Expr) -> bool {
    value.is_none_literal_expr()
        || value.is_boolean_literal_expr()
        || value.is_number_literal_expr()
}
