//! What runs an event loop until it is done: functions and methods of asyncio and of other libraries.

use asyncfix_knowledge::runners::TABLE;
use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::awaited::needs_coroutine;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use rustc_hash::FxHashSet;
use ty_python_core::definition::Definition;

use crate::limits::{CALLS, Limit};
use crate::resolve::bindings::Origin;
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

/// What runs an event loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runner {
    /// It runs the coroutine that it is given, so that others could be run together with that one.
    OfCoroutine,
    /// It runs something of its own; with its name.
    OfItsOwn(String),
    /// It may do so; with its name.
    Perhaps(String),
}

/// What `call` runs an event loop with, if it is plain that it does.
pub fn runner(semantics: &Semantics<'_>, call: &ast::ExprCall) -> Option<Runner> {
    let name = last_name(&call.func)?;
    let of_its_own = || {
        // A coroutine function of that name runs nothing by itself.
        let function = semantics.function_in_sight(&call.func);
        let is_async = function
            .as_ref()
            .and_then(|function| function.node(semantics.db()))
            .is_some_and(|node| node.is_async);
        (!is_async).then(|| Runner::OfItsOwn(name.to_owned()))
    };
    let one_of = |paths: &[String]| {
        let paths = paths.iter().map(String::as_str);
        let paths: Vec<&str> = paths.filter(|path| path.ends_with(name)).collect();
        !paths.is_empty() && semantics.means(&call.func, &paths)
    };
    if one_of(&TABLE.given) {
        return Some(Runner::OfCoroutine);
    }
    if one_of(&TABLE.functions) {
        return of_its_own();
    }
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    if TABLE.given_methods.contains(name) {
        return Some(Runner::OfCoroutine);
    }
    if TABLE.methods.contains(name) {
        return of_its_own();
    }
    let packages = TABLE.of_packages.get(name)?;
    let of = packages_of(semantics, &method.value, CALLS);
    if of.iter().any(|package| packages.contains(package)) {
        return of_its_own();
    }
    // `with asyncio.Runner() as runner: runner.run(main())`
    let is_given = name == "run"
        && semantics.class_path_in_sight(&method.value).as_deref()
            == Some("asyncio.runners.Runner");
    is_given.then_some(Runner::OfCoroutine)
}

/// The coroutine, or the coroutine function, that a call runs in an event loop until it is done.
pub(crate) fn given<'e>(semantics: &Semantics<'_>, call: &'e ast::ExprCall) -> Option<&'e Expr> {
    if runner(semantics, call) != Some(Runner::OfCoroutine) {
        return None;
    }
    let mut keywords = call.arguments.keywords.iter();
    let by_name = || {
        keywords.find_map(|keyword| {
            matches!(keyword.arg.as_deref(), Some("main" | "future")).then_some(&keyword.value)
        })
    };
    call.arguments.args.first().or_else(by_name)
}

/// What runs an event loop when `call` is made, looking into what is called, and with what may run one.
pub(super) fn reached(semantics: &Semantics<'_>, call: &ast::ExprCall) -> Option<Runner> {
    reached_to(semantics, call, CALLS, &mut FxHashSet::default())
}

fn reached_to<'db>(
    semantics: &Semantics<'db>,
    call: &ast::ExprCall,
    depth: Limit,
    seen: &mut FxHashSet<Definition<'db>>,
) -> Option<Runner> {
    if let Some(known) = runner(semantics, call) {
        return Some(known);
    }
    // What others have nothing to do with is not looked into.
    if runs_alone(semantics, call) {
        return None;
    }
    let db = semantics.db();
    if let Some(function) = semantics.function_in_sight(&call.func)
        && let Some(node) = function.node(db)
    {
        let depth = depth.less()?;
        if node.is_async || !seen.insert(function.definition()) {
            return None;
        }
        // It will run one, once it is mended.
        if needs_coroutine(node) {
            return Some(Runner::OfCoroutine);
        }
        let own = semantics.of_function(&function);
        let mut search = Reached {
            semantics: &own,
            depth,
            seen,
            found: None,
        };
        search.visit_body(&node.body);
        return search.found;
    }
    directly(semantics, call)
}

/// What `call` itself runs an event loop with, or may run one with, if nothing of what it calls is in sight.
pub(super) fn directly(semantics: &Semantics<'_>, call: &ast::ExprCall) -> Option<Runner> {
    if let Some(known) = runner(semantics, call) {
        return Some(known);
    }
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    let may_run = TABLE.perhaps.methods.contains(method.attr.as_str())
        && semantics.function_in_sight(&call.func).is_none()
        && may_have_loop(semantics, &method.value);
    may_run.then(|| Runner::Perhaps(method.attr.to_string()))
}

/// Whether `call` runs an event loop that other coroutines have nothing to do with.
pub(super) fn runs_alone(semantics: &Semantics<'_>, call: &ast::ExprCall) -> bool {
    let alone = &TABLE.alone;
    let one_of = |callee: &Expr, paths: &[String]| {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        semantics.means(callee, &paths)
    };
    let makes =
        |value: &Expr| matches!(value, Expr::Call(maker) if one_of(&maker.func, &alone.makers));
    let of_package = || {
        let Expr::Attribute(method) = &*call.func else {
            return false;
        };
        alone
            .of_packages
            .get(method.attr.as_str())
            .is_some_and(|packages| {
                let of = packages_of(semantics, &method.value, CALLS);
                of.iter().any(|package| packages.contains(package))
            })
    };
    one_of(&call.func, &alone.functions)
        || makes(&call.func)
        || semantics.values_behind(&call.func).into_iter().any(makes)
        || of_package()
}

/// Whether an object may have to do with an event loop: all that is known of it is that it is of no package that has
/// none.
pub(super) fn may_have_loop(semantics: &Semantics<'_>, object: &Expr) -> bool {
    let of = packages_of(semantics, object, CALLS);
    let has_none = |package: &String| {
        package != "asyncio" && is_stdlib(package)
            || package == "builtins"
            || TABLE.perhaps.other_packages.contains(package)
    };
    of.is_empty() || !of.iter().all(has_none)
}

/// Looks for the first call that runs an event loop, in the code of one function.
struct Reached<'s, 'db> {
    semantics: &'s Semantics<'db>,
    depth: Limit,
    seen: &'s mut FxHashSet<Definition<'db>>,
    found: Option<Runner>,
}

impl<'a> SourceOrderVisitor<'a> for Reached<'_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprCall(call) => {
                let found = reached_to(self.semantics, call, self.depth, self.seen);
                // What certainly runs one says more.
                if let (None | Some(Runner::Perhaps(_)), Some(found)) = (&self.found, found) {
                    self.found = Some(found);
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether code runs an event loop somewhere, the functions in it included.
pub fn runs_loop(semantics: &Semantics<'_>, body: &[Stmt]) -> bool {
    any_call(body, |call| runner(semantics, call).is_some())
}

/// Why a coroutine that is run beside this code may be run in another event loop than it is made for: something in it
/// may run one.
pub fn may_run_loop(semantics: &Semantics<'_>, body: &[Stmt]) -> Option<String> {
    let mut found = None;
    any_call(body, |call| {
        if let Some(Runner::Perhaps(name)) = directly(semantics, call) {
            found = Some(name);
        }
        found.is_some()
    });
    found.map(|name| own_loop(&name))
}

/// Why it may break something to run a coroutine where `name` may run an event loop.
pub(super) fn own_loop(name: &str) -> String {
    format!(
        "`{name}` may run its own event loop, and what this coroutine uses would belong to another \
         loop"
    )
}

/// Whether one of the calls in some code is as `is_it` says.
fn any_call(body: &[Stmt], is_it: impl FnMut(&ast::ExprCall) -> bool) -> bool {
    struct Search<F>(F, bool);
    impl<'a, F: FnMut(&ast::ExprCall) -> bool> SourceOrderVisitor<'a> for Search<F> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && !self.1
            {
                self.1 = (self.0)(call);
            }
            if self.1 {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Search(is_it, false);
    search.visit_body(body);
    search.1
}

/// The top-level packages that an object may come from: those of its classes and of their bases, and those of the call
/// that makes it. Empty where nothing is known.
fn packages_of(semantics: &Semantics<'_>, expr: &Expr, depth: Limit) -> Vec<String> {
    let Some(depth) = depth.less() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for class in semantics.classes_of(expr) {
        add_packages_of_class(semantics, class, depth, &mut found);
    }
    if !found.is_empty() {
        return found;
    }
    if let Some(path) = semantics.qualified_name(expr) {
        return vec![root(&path)];
    }
    let values = match expr {
        Expr::Call(call) => return packages_of_callee(semantics, &call.func, depth),
        Expr::Await(awaited) => return packages_of(semantics, &awaited.value, depth),
        Expr::Name(name) => {
            let origins = semantics.origins(name);
            let annotations = origins.iter().filter_map(|origin| match origin {
                Origin::Annotation(annotation) => semantics.qualified_name(annotation),
                _ => None,
            });
            found.extend(annotations.map(|path| root(&path)));
            let values = origins.into_iter().filter_map(|origin| match origin {
                Origin::Value(value) => Some(value),
                _ => None,
            });
            values.collect()
        }
        Expr::Attribute(attribute) => semantics.attribute_values(attribute),
        _ => Vec::new(),
    };
    for value in values {
        found.extend(packages_of(semantics, value, depth));
    }
    found
}

/// The packages of what a callee makes: of the class that it names, else that of the function.
pub(super) fn packages_of_callee(
    semantics: &Semantics<'_>,
    callee: &Expr,
    depth: Limit,
) -> Vec<String> {
    if let Some(path) = semantics.qualified_name(callee) {
        return vec![root(&path)];
    }
    match callee {
        // `Application.builder().token(…).build()`
        Expr::Attribute(attribute) => packages_of(semantics, &attribute.value, depth),
        _ => Vec::new(),
    }
}

fn add_packages_of_class<'db>(
    semantics: &Semantics<'db>,
    class: Definition<'db>,
    depth: Limit,
    found: &mut Vec<String>,
) {
    found.push(root(&semantics.path_of_class(class)));
    let Some((depth, class)) = depth.less().zip(Class::of(semantics, class)) else {
        return;
    };
    let own = class.semantics();
    for base in class.bases() {
        found.extend(own.qualified_name(base).map(|path| root(&path)));
    }
    for base in class.base_classes() {
        add_packages_of_class(own, base, depth, found);
    }
}

fn root(path: &str) -> String {
    path.split('.').next().unwrap_or(path).to_owned()
}
