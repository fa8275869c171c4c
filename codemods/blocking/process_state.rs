//! What a process has once, and code changes for a while: its folder, its output, its environment. On the event loop
//! nothing else runs until it is put back; an `await` in between lets others run with it.

use asyncfix_analysis::limits::{BASES, BODIES, Limit};
use asyncfix_analysis::resolve::definitions::Class;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::process_state::TABLE;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{awaits, own_calls, own_code};
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::blocking::alone::nothing_else_runs;
use crate::blocking::gap::reaches;
use crate::blocking::listings::is_open;
use crate::blocking::shared_state::{Change, Changes, Shared};
use crate::file::File;

/// The module that makes context managers of generator functions.
const GENERATOR: [&str; 1] = ["contextlib.contextmanager"];

/// Why others must not run at `site`: something that they share is changed there, and is put back behind it.
pub(super) fn held<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
) -> Option<String> {
    let (text, what, until) = by_manager(file, site).or_else(|| by_itself(file, site, owner))?;
    (!nothing_else_runs(file, owner)).then(|| {
        format!(
            "`{text}` changes {what} for all tasks until {until}, and others would run with that while this waits"
        )
    })
}

/// Why code must not run beside the event loop: it changes what all of the process has once.
pub(super) fn changed_in_thread(
    semantics: &Semantics<'_>,
    body: &[Stmt],
    name: &str,
) -> Option<String> {
    let what = changed_within(semantics, body, BODIES)?;
    Some(format!(
        "{name} changes {what} for the whole process, and other tasks would run with that"
    ))
}

/// The context manager around `site` that changes something, and what.
fn by_manager<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
) -> Option<(String, String, &'static str)> {
    let semantics = &file.semantics;
    site.enclosing_in_function().find_map(|(node, child)| {
        let AnyNodeRef::StmtWith(with) = node else {
            return None;
        };
        let is_child = |statement: &&Stmt| statement.range().contains_range(child.range());
        let inside = with.body.iter().find(is_child)?;
        // What awaits there already lets others in.
        let others = with
            .body
            .iter()
            .filter(|other| other.range() != inside.range());
        if others
            .clone()
            .any(|other| awaits(std::slice::from_ref(other)))
        {
            return None;
        }
        let entered = with.items.iter().flat_map(|item| {
            let is_stack = matches!(&item.context_expr, Expr::Call(call)
                if semantics.qualified_name(&call.func).is_some_and(|path| TABLE.stacks.contains(&path)));
            match item.optional_vars.as_deref().and_then(Expr::as_name_expr) {
                Some(stack) if is_stack => entered_by(&with.body, &stack.id, site.node.range()),
                _ if with.is_async => Vec::new(),
                _ => vec![&item.context_expr],
            }
        });
        entered.into_iter().find_map(|manager| {
            let what = changed_by(semantics, manager, true, BODIES)?;
            Some((one_line(file.text(manager)), what, "its block ends"))
        })
    })
}

/// What is entered by the stack with this name before `at`.
fn entered_by<'a>(body: &'a [Stmt], stack: &str, at: TextRange) -> Vec<&'a Expr> {
    let calls = own_calls(body).into_iter();
    let enters = calls.filter(|call| {
        call.end() <= at.start()
            && matches!(&*call.func, Expr::Attribute(method)
                if TABLE.enters.iter().any(|name| *name == method.attr.as_str())
                    && matches!(&*method.value, Expr::Name(name) if name.id == stack))
    });
    enters
        .filter_map(|call| call.arguments.args.first())
        .collect()
}

/// What code before `site` changes, and code behind it puts back.
fn by_itself<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
) -> Option<(String, String, &'static str)> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let changes = Changes::of(&file.semantics, &function.body, None);
    let at = site.node.range();
    let mut before = changes.iter().filter(|change| {
        change.range.end() <= at.start() && reaches(file, &function.body, change.range, at)
    });
    let first = before.find(|before| {
        let mut behind = changes.iter();
        behind.any(|behind| {
            behind.range.start() >= at.end()
                && behind.is_of(before)
                && !is_open(function, before.range.end(), behind.range.start())
        })
    })?;
    let text = one_line(file.text(first.range));
    Some((text, first.what.clone(), "it is put back"))
}

/// What a context manager changes until its block ends. `is_new` where it is made for the block alone.
fn changed_by(
    semantics: &Semantics<'_>,
    manager: &Expr,
    is_new: bool,
    steps: Limit,
) -> Option<String> {
    let steps = steps.less()?;
    let call = match manager {
        Expr::Call(call) => call,
        Expr::Name(name) => {
            let [value] = semantics.values_in_scope(name)[..] else {
                return None;
            };
            return changed_by(semantics, value, false, steps);
        }
        _ => return None,
    };
    if let Some(path) = semantics.qualified_name(&call.func) {
        if let Some(what) = TABLE.changed_by_manager(&path) {
            return Some(what.to_owned());
        }
        // What others have made is what it says.
        if path.starts_with("contextlib.") || path.starts_with("builtins.") {
            return None;
        }
    }
    if let Some(function) = semantics.function_in_sight(&call.func) {
        let own = semantics.of_function(&function);
        let node = function.node(semantics.db())?;
        let mut decorators = node.decorator_list.iter();
        return decorators
            .any(|decorator| own.means(&decorator.expression, &GENERATOR))
            .then(|| changed_by_generator(&own, node, steps))?;
    }
    let class = Class::of(semantics, semantics.class_named(&call.func)?)?;
    changed_by_class(&class, is_new, BASES)
}

/// What a generator function changes before its `yield`, and puts back behind it.
fn changed_by_generator(
    own: &Semantics<'_>,
    function: &ast::StmtFunctionDef,
    steps: Limit,
) -> Option<String> {
    let mut paused = Paused(None);
    paused.visit_body(&function.body);
    let paused = paused.0?;
    let mut around = Around {
        at: paused,
        entered: Vec::new(),
    };
    around.visit_body(&function.body);
    let by_another = around
        .entered
        .into_iter()
        .find_map(|manager| changed_by(own, manager, true, steps));
    by_another.or_else(|| {
        let shared = Shared::of(function, None);
        let changes = Changes::of(own, &function.body, Some(&shared));
        let (before, behind): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .filter(|change| !change.range.contains_range(paused))
            .partition(|change| change.range.end() <= paused.start());
        put_back(before, &behind)
    })
}

/// What the class of a context manager changes on entry, and puts back at the end.
fn changed_by_class(class: &Class<'_>, is_new: bool, bases: Limit) -> Option<String> {
    let method = |name: &str| {
        let mut methods = class
            .node()
            .body
            .iter()
            .filter_map(Stmt::as_function_def_stmt);
        methods.find(|method| method.name.as_str() == name)
    };
    let (Some(enter), Some(exit)) = (method("__enter__"), method("__exit__")) else {
        let bases = bases.less()?;
        return class
            .base_classes()
            .find_map(|base| changed_by_class(&Class::of(&class.own, base)?, is_new, bases));
    };
    let changes = |function: &ast::StmtFunctionDef| {
        let shared = Shared::of(function, is_new.then(|| class.node()));
        Changes::of(&class.own, &function.body, Some(&shared))
    };
    put_back(changes(enter), &changes(exit))
}

fn put_back(before: Vec<Change>, behind: &[Change]) -> Option<String> {
    let mut before = before.into_iter();
    let changed = before.find(|change| behind.iter().any(|other| other.is_of(change)))?;
    Some(changed.what)
}

/// What code changes of what the process has once, itself or by what it calls.
fn changed_within(semantics: &Semantics<'_>, body: &[Stmt], steps: Limit) -> Option<String> {
    struct Entered<'a>(Vec<&'a Expr>);
    impl<'a> SourceOrderVisitor<'a> for Entered<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::WithItem(item) = node {
                self.0.push(&item.context_expr);
            }
            own_code(node)
        }
    }
    let steps = steps.less()?;
    let mut entered = Entered(Vec::new());
    entered.visit_body(body);
    let mut managers = entered.0.into_iter();
    let by_manager = managers.find_map(|manager| {
        let Expr::Call(call) = manager else {
            return None;
        };
        let path = semantics.qualified_name(&call.func)?;
        Some(TABLE.changed_by_manager(&path)?.to_owned())
    });
    by_manager
        .or_else(|| Some(Changes::of(semantics, body, None).into_iter().next()?.what))
        .or_else(|| {
            own_calls(body).into_iter().find_map(|call| {
                let function = semantics.function_in_sight(&call.func)?;
                let node = function.node(semantics.db())?;
                changed_within(&semantics.of_function(&function), &node.body, steps)
            })
        })
}

/// The first `yield` of a function.
struct Paused(Option<TextRange>);

impl<'a> SourceOrderVisitor<'a> for Paused {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.0.is_none() && node.is_expr_yield() {
            self.0 = Some(node.range());
        }
        own_code(node)
    }
}

/// The context managers that are entered around a place.
struct Around<'a> {
    at: TextRange,
    entered: Vec<&'a Expr>,
}

impl<'a> SourceOrderVisitor<'a> for Around<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if !node.range().contains_range(self.at) {
            return TraversalSignal::Skip;
        }
        if let AnyNodeRef::StmtWith(with) = node {
            let items = with.items.iter().map(|item| &item.context_expr);
            self.entered.extend(items);
        }
        own_code(node)
    }
}
