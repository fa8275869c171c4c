//! What the functions of a module read and change, in the words of their callers.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::limits::{BODIES, Limit};
use asyncfix_analysis::resolve::definitions::Function;
use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr};
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::edit::changes::{Read, Search, Shared};
use crate::edit::sections::chain;
use crate::file::File;

/// What a function does, by where it stands and how many bodies further it was looked for.
type ByFunction<T> = RefCell<FxHashMap<(TextSize, Limit), Rc<Vec<T>>>>;

/// What the functions of a file read and change, each looked through once.
#[derive(Default)]
pub(crate) struct Memory {
    defined: OnceCell<FxHashSet<String>>,
    changed: ByFunction<(Path, bool)>,
    read: ByFunction<Path>,
}

impl<'f, 'db> Shared<'f, '_, 'db> {
    /// The function of the module that is called.
    fn function_here(&self, call: &ast::ExprCall) -> Option<Function<'db>> {
        let semantics = &self.file.semantics;
        // Most functions that are called are not of the module.
        let name = last_name(&call.func)?;
        let calls = &self.file.sections.calls;
        let defined = calls.defined.get_or_init(|| names_defined(self.file));
        if !defined.contains(name) {
            return None;
        }
        let function = semantics.function_in_sight(&call.func)?;
        semantics.is_here(function.definition()).then_some(function)
    }

    /// What a function of the module changes before it waits for anything, in the words of the caller: of its object, of
    /// what is passed to it, and of what the module has. And whether it gets a plain constant. `None` where another
    /// function is called.
    pub(super) fn changed_by(
        &self,
        call: &ast::ExprCall,
        limit: Limit,
    ) -> Option<Vec<(Path, bool)>> {
        let function = self.function_here(call)?;
        let node = function.node(self.file.semantics.db())?;
        let changed = remembered(&self.file.sections.calls.changed, node, limit, || {
            self.changed_in(node, limit)
        });
        let changed = changed.iter();
        let for_caller = changed.filter_map(|(path, is_constant)| {
            Some((self.for_caller(call, node, path)?, *is_constant))
        });
        Some(for_caller.collect())
    }

    /// The same in the function's own words.
    fn changed_in(&self, node: &ast::StmtFunctionDef, limit: Limit) -> FxHashSet<(Path, bool)> {
        let mut search = Search::default();
        search.visit_body(&node.body);
        let waits = search.awaits.iter().map(|(at, _)| *at).min();
        let is_before = |at: TextSize| waits.is_none_or(|waits| at <= waits);
        let written = search.written.iter().filter(|change| {
            is_before(change.at)
                && !self.is_of_function(change)
                && (!change.is_rebound || !self.file.semantics.has_variable(node, &change.root.id))
        });
        let mut changed: FxHashSet<(Path, bool)> = written
            .map(|change| (boxed(&change.path), change.is_constant))
            .collect();
        if let Some(limit) = limit.less() {
            let inner = search.called.iter().filter(|inner| is_before(inner.at));
            changed.extend(
                inner
                    .filter_map(|inner| self.changed_by(inner.call, limit))
                    .flatten(),
            );
        }
        changed
    }

    /// What a function calls `path`, in the words of the caller. `None` for a variable of the function.
    fn for_caller(
        &self,
        call: &ast::ExprCall,
        node: &ast::StmtFunctionDef,
        path: &[Box<str>],
    ) -> Option<Path> {
        let (root, rest) = path.split_first()?;
        let mut parameters = node.parameters.iter_non_variadic_params();
        let Some(position) = parameters.position(|parameter| parameter.name().as_str() == &**root)
        else {
            let is_own = self.file.semantics.has_variable(node, root);
            return (!is_own).then(|| path.to_vec());
        };
        let is_bound = self.file.semantics.is_method(node) && call.func.is_attribute_expr();
        let mut found = match position.checked_sub(usize::from(is_bound)) {
            None => object_of(call)?,
            Some(position) => {
                let argument = call.arguments.find_argument_value(root, position)?;
                boxed(&plain_chain(argument)?.1)
            }
        };
        found.extend(rest.iter().cloned());
        Some(found)
    }

    /// What the calls in a test ask: what a function of the module reads, in the words of the caller, and the object
    /// itself of any other method.
    pub(crate) fn asked_by(&self, test: &'f Expr) -> Vec<Asked<'f>> {
        struct Calls<'a>(Vec<(&'a ast::ExprCall, bool)>);
        impl<'a> SourceOrderVisitor<'a> for Calls<'a> {
            fn visit_expr(&mut self, expr: &'a Expr) {
                match expr {
                    Expr::Await(inner) => {
                        if let Expr::Call(call) = &*inner.value {
                            self.0.push((call, true));
                        }
                    }
                    Expr::Call(call) if self.0.last().is_none_or(|(last, _)| *last != call) => {
                        self.0.push((call, false));
                    }
                    Expr::Lambda(_) => return,
                    _ => {}
                }
                walk_expr(self, expr);
            }
        }
        let mut calls = Calls(Vec::new());
        calls.visit_expr(test);
        let mut asked = Vec::new();
        for (call, is_awaited) in calls.0 {
            let read = self.read_by(call, BODIES);
            let is_known = read.is_some();
            let read = read.into_iter().flatten();
            asked.extend(read.map(|path| Asked { path, object: None }));
            // What is awaited lets other tasks run by itself.
            if let Expr::Attribute(method) = &*call.func
                && let Some(path) = object_of(call)
                && !is_awaited
            {
                let questions = [(!is_known).then_some(ASKED_BY_UNKNOWN), Some(ASKED)];
                asked.extend(questions.into_iter().flatten().map(|question| {
                    let mut path = path.clone();
                    path.push(question.into());
                    let object = Some(&*method.value);
                    Asked { path, object }
                }));
            }
        }
        asked
    }

    /// What a function of the module reads, in the words of the caller. `None` where another function is called.
    pub(crate) fn read_by(&self, call: &ast::ExprCall, limit: Limit) -> Option<Vec<Path>> {
        let function = self.function_here(call)?;
        let node = function.node(self.file.semantics.db())?;
        let read = remembered(&self.file.sections.calls.read, node, limit, || {
            self.read_in(node, limit)
        });
        let read = read.iter();
        Some(
            read.filter_map(|path| self.for_caller(call, node, path))
                .collect(),
        )
    }

    /// The same in the function's own words.
    fn read_in(&self, node: &ast::StmtFunctionDef, limit: Limit) -> FxHashSet<Path> {
        let mut reads = Reads::default();
        reads.visit_body(&node.body);
        let mut found: FxHashSet<Path> = reads.names.iter().map(|read| boxed(&read.path)).collect();
        if let Some(limit) = limit.less() {
            let inner = reads.calls.iter();
            found.extend(
                inner
                    .filter_map(|inner| self.read_by(inner, limit))
                    .flatten(),
            );
        }
        found
    }

    /// Whether what a method was asked of may change: other code knows the object, and it is none of the standard
    /// library (whose containers are told by the methods that change them).
    pub(crate) fn may_change(&self, object: &Expr) -> bool {
        let semantics = &self.file.semantics;
        plain_chain(object).is_some_and(|(root, _)| self.is_known_elsewhere(root))
            && match semantics.class_of(object) {
                ClassOf::Known(class) => !class
                    .split('.')
                    .next()
                    .is_some_and(|root| root == "builtins" || is_stdlib(root)),
                ClassOf::Other => false,
                ClassOf::Unknown => true,
            }
    }
}

/// What is known of a function already, or else is found out now.
fn remembered<T>(
    known: &ByFunction<T>,
    node: &ast::StmtFunctionDef,
    limit: Limit,
    find: impl FnOnce() -> FxHashSet<T>,
) -> Rc<Vec<T>> {
    let key = (node.start(), limit);
    let found = known.borrow().get(&key).map(Rc::clone);
    found.unwrap_or_else(|| {
        let found: Rc<Vec<T>> = Rc::new(find().into_iter().collect());
        known.borrow_mut().insert(key, Rc::clone(&found));
        found
    })
}

/// The names of all functions of a file, also of methods.
fn names_defined(file: &File<'_, '_>) -> FxHashSet<String> {
    let tokens = file.tokens();
    let behind = tokens.iter().skip(1);
    let pairs = tokens.iter().zip(behind);
    let defined = pairs.filter(|(keyword, _)| keyword.kind() == TokenKind::Def);
    defined
        .map(|(_, name)| file.source[name.range()].to_owned())
        .collect()
}

/// A name and the attributes behind it.
pub(crate) type Path = Vec<Box<str>>;

/// Something that a call in a test asks about.
pub(crate) struct Asked<'a> {
    pub(crate) path: Path,
    /// The object of a method that is not of the module.
    pub(crate) object: Option<&'a Expr>,
}

/// Stands behind the path of an object, one of whose methods is called. Which of its attributes that reads or changes
/// is not known.
pub(super) const ASKED: &str = "()";

/// The same, where only the method that asks is not known, and another one changes the object.
pub(super) const ASKED_BY_UNKNOWN: &str = "(?)";

/// Everything that the body of a function reads, and the functions that it calls.
#[derive(Default)]
struct Reads<'a> {
    names: Vec<Read<'a>>,
    calls: Vec<&'a ast::ExprCall>,
}

impl<'a> SourceOrderVisitor<'a> for Reads<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(_) | Expr::Attribute(_) => {
                if let Some((root, path)) = chain(expr) {
                    self.names.push(Read { root, path });
                }
            }
            Expr::Call(call) => self.calls.push(call),
            _ => {}
        }
        walk_expr(self, expr);
    }
}

pub(super) fn boxed(path: &[&str]) -> Path {
    path.iter().map(|part| (*part).into()).collect()
}

/// A name and the attributes behind it, and nothing else.
pub(super) fn plain_chain(expr: &Expr) -> Option<(&ast::ExprName, Vec<&str>)> {
    match expr {
        Expr::Name(name) => Some((name, vec![name.id.as_str()])),
        Expr::Attribute(attribute) => {
            let (root, mut path) = plain_chain(&attribute.value)?;
            path.push(&attribute.attr);
            Some((root, path))
        }
        _ => None,
    }
}

/// The object whose method is called, where it has a name.
pub(super) fn object_of(call: &ast::ExprCall) -> Option<Path> {
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    Some(boxed(&plain_chain(&method.value)?.1))
}
