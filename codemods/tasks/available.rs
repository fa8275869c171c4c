//! Whether the set that `__init__` makes is there when a task is made.

use asyncfix_analysis::limits::KEEPING_BASES;
use asyncfix_analysis::resolve::definitions::Class;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;
use rustc_hash::FxHashSet;

use super::leaving::leaves_early;
use crate::file::File;

/// Whether `init`, the `__init__` of `class`, has run the statement at `at` of its body before the code at `site` may
/// run.
pub(super) fn is_made_before<'a>(
    file: &File<'a, '_>,
    class: &'a ast::StmtClassDef,
    init: &'a ast::StmtFunctionDef,
    at: usize,
    site: &Site<'_, 'a>,
) -> bool {
    let Some((before, [set, ..])) = init.body.split_at_checked(at) else {
        return false;
    };
    if leaves_early(before) {
        return false;
    }
    let functions: Vec<&ast::StmtFunctionDef> = site
        .ancestors
        .iter()
        .rev()
        .take_while(|node| !node.is_stmt_class_def())
        .filter_map(|node| node.as_stmt_function_def().copied())
        .collect();
    // A coroutine runs when `__init__` is done: that awaits nothing.
    if functions.iter().any(|function| function.is_async) {
        return true;
    }
    let Some(method) = functions.last() else {
        return false;
    };
    if method.name.as_str() == "__init__" {
        return site.node.start() > set.end();
    }
    let names = leading_to(class, &method.name);
    // Python itself calls the others, whenever.
    if names
        .iter()
        .any(|name| name.starts_with("__") && name.ends_with("__"))
    {
        return false;
    }
    let mut early = Early {
        names: &names,
        is_led: false,
        calls_base: false,
    };
    early.visit_body(before);
    !(early.is_led || early.calls_base && may_be_led_by_base(file, class, &names))
}

/// The names of the methods of a class that call its method `name`, or may: of those that mention it.
fn leading_to<'a>(class: &'a ast::StmtClassDef, name: &'a str) -> FxHashSet<&'a str> {
    let mut names: FxHashSet<&str> = [name].into_iter().collect();
    loop {
        let more: Vec<&str> = class
            .body
            .iter()
            .filter_map(Stmt::as_function_def_stmt)
            .filter(|function| !function.is_async && function.name.as_str() != "__init__")
            .filter(|function| !names.contains(function.name.as_str()))
            .filter(|function| mentions(&function.body, &names))
            .map(|function| function.name.as_str())
            .collect();
        if more.is_empty() {
            return names;
        }
        names.extend(more);
    }
}

/// Whether code uses or defines a method of one of these names.
fn mentions(body: &[Stmt], names: &FxHashSet<&str>) -> bool {
    struct Mentions<'s, 'n>(&'s FxHashSet<&'n str>, bool);
    impl<'a> SourceOrderVisitor<'a> for Mentions<'_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.1 |= match node {
                AnyNodeRef::ExprAttribute(attribute) => self.0.contains(attribute.attr.as_str()),
                AnyNodeRef::StmtFunctionDef(function) => self.0.contains(function.name.as_str()),
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut search = Mentions(names, false);
    search.visit_body(body);
    search.1
}

/// Looks for what may lead to methods of an instance.
struct Early<'s, 'n> {
    names: &'s FxHashSet<&'n str>,
    /// One of the methods is mentioned, or the instance is given to something.
    is_led: bool,
    calls_base: bool,
}

impl<'a> SourceOrderVisitor<'a> for Early<'_, '_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Attribute(attribute) => {
                self.is_led |= self.names.contains(attribute.attr.as_str());
                if attribute.value.is_name_expr() {
                    return;
                }
            }
            Expr::Name(name) => {
                self.is_led |= name.id == "self";
                self.calls_base |= name.id == "super";
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

/// Whether the code of a base class may call one of these methods of an instance, as far as that can be seen.
fn may_be_led_by_base(
    file: &File<'_, '_>,
    class: &ast::StmtClassDef,
    names: &FxHashSet<&str>,
) -> bool {
    let mut open = Vec::new();
    for base in class.bases() {
        let Some(definition) = file.semantics.class_named(base) else {
            return true;
        };
        open.push(definition);
    }
    for _ in KEEPING_BASES.rounds() {
        let Some(definition) = open.pop() else {
            return false;
        };
        let Some(base) = Class::of(&file.semantics, definition) else {
            return true;
        };
        if mentions(&base.node().body, names) || base.bases().count() != base.base_classes().count()
        {
            return true;
        }
        open.extend(base.base_classes());
    }
    true
}
