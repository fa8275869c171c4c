//! What the functions of a file change, and what they had read before it.

use asyncfix_analysis::infer::callee_awaitability::returned_by;
use asyncfix_analysis::limits::BODIES;
use asyncfix_analysis::resolve::bindings::Origin;
use asyncfix_knowledge::blocking::is_fresh;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::edit::called::{ASKED, ASKED_BY_UNKNOWN, Path, boxed, object_of, plain_chain};
use crate::edit::sections::{chain, names_in, range_of, read_by, reads_path};
use crate::file::File;

/// A change of something that others share.
pub(super) struct Change {
    pub(crate) range: TextRange,
    /// When it is done, as a place in the source.
    pub(super) at: TextSize,
    pub(super) path: Vec<Box<str>>,
    /// Whether it gets a plain constant.
    pub(super) is_constant: bool,
    /// Where it was read before for the names that its new value depends on.
    pub(crate) stale: Vec<TextSize>,
    /// Where a method is called that may change its object, what the arguments are made of. Only what is made by the
    /// code in question counts then.
    pub(crate) made_of: Option<Vec<TextRange>>,
}

impl Change {
    /// Whether it is done after the code at `site`: also where that stands in an argument.
    pub(crate) fn is_behind(&self, site: TextRange) -> bool {
        self.at >= site.end() || self.range.contains_range(site) && self.range != site
    }

    /// Whether it counts for code at `site`.
    pub(crate) fn depends_on(&self, site: TextRange) -> bool {
        self.made_of
            .as_ref()
            .is_none_or(|made_of| made_of.iter().any(|range| range.contains_range(site)))
    }
}

/// What a function changes of what it shares, and where it awaits already.
pub(super) struct Behind {
    pub(super) changes: Vec<Change>,
    /// Each with the suite that it stands in.
    pub(super) awaits: Vec<(TextSize, TextRange)>,
}

impl Behind {
    /// Whether the way to a change awaits already, besides what is at `site`.
    pub(crate) fn is_open(&self, way: TextRange, change: &Change, site: TextRange) -> bool {
        self.awaits.iter().any(|(at, suite)| {
            way.contains(*at)
                && !site.contains(*at)
                && (suite.contains_range(site) || suite.contains_range(change.range))
        })
    }
}

/// A change of something that has a name.
pub(super) struct Written<'a> {
    range: TextRange,
    pub(super) at: TextSize,
    pub(super) root: &'a ast::ExprName,
    pub(super) path: Vec<&'a str>,
    /// What a method is called on, where it is a method that changes it.
    receiver: Option<&'a Expr>,
    /// Whether the name itself gets another value.
    pub(super) is_rebound: bool,
    pub(super) is_constant: bool,
    /// The names it depends on.
    uses: Vec<&'a ast::ExprName>,
}

/// A call of a function, or of a method of something that has a name.
pub(super) struct Called<'a> {
    pub(super) call: &'a ast::ExprCall,
    /// When what it does before it waits is done, as a place in the source.
    pub(super) at: TextSize,
}

/// Looks for what a function changes, and where it awaits.
#[derive(Default)]
pub(crate) struct Search<'a> {
    pub(super) written: Vec<Written<'a>>,
    pub(super) called: Vec<Called<'a>>,
    /// Each with the suite that it stands in.
    pub(super) awaits: Vec<(TextSize, TextRange)>,
    suites: Vec<TextRange>,
    /// The names in the tests around.
    tests: Vec<Vec<&'a ast::ExprName>>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
            _ => TraversalSignal::Traverse,
        }
    }

    fn visit_body(&mut self, body: &'a [Stmt]) {
        self.suites.extend(range_of(body));
        for statement in body {
            self.visit_stmt(statement);
        }
        self.suites.pop();
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let mut test = None;
        match statement {
            Stmt::Assign(inner) => {
                for target in &inner.targets {
                    self.assigned(target, statement, Some(&inner.value));
                }
            }
            Stmt::AnnAssign(inner) if inner.value.is_some() => {
                self.assigned(&inner.target, statement, inner.value.as_deref());
            }
            Stmt::AugAssign(inner) => self.assigned(&inner.target, statement, None),
            Stmt::Delete(inner) => {
                for target in &inner.targets {
                    self.assigned(target, statement, None);
                }
            }
            Stmt::With(inner) if inner.is_async => self.awaited(statement.start()),
            Stmt::For(inner) if inner.is_async => self.awaited(statement.start()),
            Stmt::If(inner) => test = Some(&*inner.test),
            Stmt::While(inner) => test = Some(&*inner.test),
            _ => {}
        }
        let is_tested = test.is_some();
        self.tests.extend(test.map(names_in));
        walk_stmt(self, statement);
        if is_tested {
            self.tests.pop();
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Await(inner) => {
                self.awaited(expr.start());
                if let Expr::Call(call) = &*inner.value {
                    self.called(call, expr.start());
                }
            }
            Expr::Call(call) => {
                self.called(call, expr.end());
                if let Expr::Attribute(method) = &*call.func
                    && CHANGING.contains(&method.attr.as_str())
                    && let Some((root, path)) = chain(&method.value)
                {
                    let uses = self.uses(expr);
                    self.written.push(Written {
                        range: expr.range(),
                        at: expr.end(),
                        root,
                        path,
                        receiver: Some(&method.value),
                        is_rebound: false,
                        is_constant: false,
                        uses,
                    });
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

impl<'a> Search<'a> {
    fn awaited(&mut self, at: TextSize) {
        if let Some(suite) = self.suites.last() {
            self.awaits.push((at, *suite));
        }
    }

    fn called(&mut self, call: &'a ast::ExprCall, at: TextSize) {
        let is_known = self
            .called
            .last()
            .is_some_and(|last| last.call.range() == call.range());
        let is_named = match &*call.func {
            Expr::Name(_) => true,
            Expr::Attribute(method) => plain_chain(&method.value).is_some(),
            _ => false,
        };
        if is_named && !is_known {
            self.called.push(Called { call, at });
        }
    }

    fn uses(&self, expr: &'a Expr) -> Vec<&'a ast::ExprName> {
        let tests = self.tests.iter().flatten().copied();
        tests.chain(names_in(expr)).collect()
    }

    fn assigned(&mut self, target: &'a Expr, statement: &'a Stmt, value: Option<&'a Expr>) {
        match target {
            Expr::Starred(starred) => self.assigned(&starred.value, statement, None),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.assigned(target, statement, None);
                }
            }
            _ => {
                let Some((root, path)) = chain(target) else {
                    return;
                };
                let mut uses = self.uses(target);
                uses.extend(value.map(names_in).into_iter().flatten());
                if let Stmt::AugAssign(inner) = statement {
                    uses.extend(names_in(&inner.value));
                }
                self.written.push(Written {
                    range: statement.range(),
                    at: statement.end(),
                    root,
                    path,
                    receiver: None,
                    is_rebound: target.is_name_expr(),
                    is_constant: value.is_some_and(Expr::is_literal_expr),
                    uses,
                });
            }
        }
    }
}

pub(super) struct Shared<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) owner: Owner<'a>,
}

impl<'f> Shared<'f, '_, '_> {
    /// Adds what the names that are read were made of.
    pub(crate) fn follow(&self, reads: &mut Vec<Read<'f>>) {
        let mut more = Vec::new();
        for read in reads.iter().filter(|read| read.path.len() == 1) {
            for origin in self.file.semantics.origins(read.root) {
                if let Origin::Value(value) = origin {
                    read_by(value, &mut more);
                }
            }
        }
        reads.extend(more);
    }

    /// Where `path` was read for one of the names.
    fn read_for(&self, names: &[&ast::ExprName], path: &[&str]) -> Vec<TextSize> {
        let origins = names
            .iter()
            .flat_map(|name| self.file.semantics.origins(name));
        origins
            .filter_map(|origin| match origin {
                Origin::Value(value) if reads_path(value, path) => Some(value.end()),
                _ => None,
            })
            .collect()
    }

    /// What the function with this body changes, and where it awaits.
    pub(super) fn behind(&self, body: &[Stmt]) -> Behind {
        let mut search = Search::default();
        search.visit_body(body);
        let shared = search.written.iter();
        let shared = shared.filter(|change| self.is_changed(change));
        let mut changes: Vec<Change> = shared
            .map(|change| Change {
                range: change.range,
                at: change.at,
                path: boxed(&change.path),
                is_constant: change.is_constant,
                stale: self.read_for(&change.uses, &change.path),
                made_of: None,
            })
            .collect();
        changes.extend(search.called.iter().flat_map(|called| self.by_call(called)));
        Behind {
            changes,
            awaits: search.awaits,
        }
    }

    /// What a call changes of what other code shares with this function: what a function of the module is known to
    /// change, and the object of any other method, in case that other methods ask about the same.
    fn by_call(&self, called: &Called<'_>) -> Vec<Change> {
        let call = called.call;
        let arguments = call.arguments.iter_source_order();
        let names = arguments.flat_map(|argument| names_in(argument.value()));
        let own: Vec<&str> = names
            .chain(names_in(&call.func))
            .filter(|name| !self.is_known_elsewhere(name))
            .map(|name| name.id.as_str())
            .collect();
        let is_own = |path: &Path| path.first().is_some_and(|root| own.contains(&&**root));
        let change = |path, is_constant, made_of| Change {
            range: call.range(),
            at: called.at,
            path,
            is_constant,
            stale: Vec::new(),
            made_of,
        };
        let written = self.changed_by(call, BODIES);
        let object = object_of(call);
        let is_of_object = |(path, _): &(Path, bool)| {
            let object = object.as_ref();
            object.is_some_and(|object| path.len() > object.len() && path.starts_with(object))
        };
        let question = match &written {
            None => Some(ASKED),
            Some(written) => written.iter().any(is_of_object).then_some(ASKED_BY_UNKNOWN),
        };
        let mut found = Vec::new();
        if let Some((question, object)) = question.zip(object.as_ref())
            && !call.arguments.is_empty()
            && !is_own(object)
        {
            let mut path = object.clone();
            path.push(question.into());
            found.push(change(path, false, Some(self.made_of(call))));
        }
        let shared = written.into_iter().flatten();
        let shared = shared.filter(|(path, _)| !is_own(path));
        found.extend(shared.map(|(path, is_constant)| change(path, is_constant, None)));
        found
    }

    /// What the arguments of a call are made of: the call itself, and the values of the names in it.
    fn made_of(&self, call: &ast::ExprCall) -> Vec<TextRange> {
        let mut made_of = vec![call.range()];
        let arguments = call.arguments.iter_source_order();
        for name in arguments.flat_map(|argument| names_in(argument.value())) {
            for origin in self.file.semantics.origins(name) {
                if let Origin::Value(value) = origin {
                    made_of.push(value.range());
                }
            }
        }
        made_of
    }

    fn is_changed(&self, change: &Written<'_>) -> bool {
        if change.is_rebound {
            let scope = self.file.semantics.scope_of_owner(self.owner);
            return scope.is_some_and(|scope| {
                self.file
                    .semantics
                    .is_declared_outside(&change.root.id, scope)
            });
        }
        self.is_known_elsewhere(change.root) && !self.is_of_function(change)
    }

    /// Whether it is a function of a module that is called, and no method of a container: `os.remove(path)`.
    pub(super) fn is_of_function(&self, change: &Written<'_>) -> bool {
        let receiver = change.receiver;
        receiver.is_some_and(|receiver| self.file.semantics.is_module(receiver))
    }

    /// Whether a name may stand for something that is not this call's own.
    pub(super) fn is_known_elsewhere(&self, name: &ast::ExprName) -> bool {
        let semantics = &self.file.semantics;
        let bindings = semantics.bindings(name).unwrap_or_default();
        let mut values = bindings
            .iter()
            .map(|definition| semantics.value_assigned(*definition));
        bindings.is_empty() || !values.all(|value| value.is_some_and(|value| self.is_made(value)))
    }

    /// Whether a call is one of a class method that makes an instance: `return cls(…)`.
    fn is_made_by_class_method(&self, call: &ast::ExprCall) -> bool {
        let Expr::Attribute(method) = &*call.func else {
            return false;
        };
        let semantics = &self.file.semantics;
        if semantics.class_named(&method.value).is_none() {
            return false;
        }
        let function = semantics.function_in_sight(&call.func);
        let node = function
            .as_ref()
            .and_then(|function| function.node(semantics.db()));
        let Some(node) = node else {
            return false;
        };
        let is_of_class = node
            .decorator_list
            .iter()
            .any(|decorator| last_name(&decorator.expression) == Some("classmethod"));
        let first = node.parameters.iter_non_variadic_params().next();
        let returned = returned_by(&node.body);
        let is_made = |returned: Option<&Expr>| {
            matches!(returned, Some(Expr::Call(made))
                if matches!((&*made.func, first), (Expr::Name(name), Some(first))
                    if name.id == first.name().as_str()))
        };
        is_of_class && !returned.is_empty() && returned.into_iter().all(is_made)
    }

    /// Whether a value is made anew in this function.
    fn is_made(&self, value: &Expr) -> bool {
        let is_here = match self.owner {
            Owner::Function(function) => function.range().contains_range(value.range()),
            _ => false,
        };
        let semantics = &self.file.semantics;
        is_here
            && match value {
                Expr::List(_)
                | Expr::Dict(_)
                | Expr::Set(_)
                | Expr::Tuple(_)
                | Expr::ListComp(_)
                | Expr::SetComp(_)
                | Expr::DictComp(_) => true,
                Expr::Call(call) => {
                    self.is_made_by_class_method(call)
                        || semantics
                            .qualified_name(&call.func)
                            .is_some_and(|path| is_fresh(&path))
                        || semantics
                            .class_path_in_sight(value)
                            .is_some_and(|class| class.rsplit('.').next() == last_name(&call.func))
                }
                other => other.is_literal_expr(),
            }
    }
}

/// Methods of containers that change them.
const CHANGING: &[&str] = &[
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "popleft",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
];

/// A name or a chain of attributes, up to the first subscript or call.
pub(crate) struct Read<'a> {
    pub(crate) root: &'a ast::ExprName,
    pub(crate) path: Vec<&'a str>,
}
