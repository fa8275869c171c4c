//! What code goes through that other code may change at the same time: a dictionary of the module that
//! is dumped, the rows of an object that are written one by one.
//!
//! On the event loop nothing else runs until such code is done. In a thread the loop goes on, and a
//! collection that grows while somebody goes through it raises a `RuntimeError`, or is written half old
//! and half new.

use asyncfix_analysis::answers::coroutines;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::limits::{Limit, STEPS};
use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_knowledge::conduct::{Taking, method_changes, method_traverses, takes};
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::site::{Site, suites_in};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Operator, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::blocking::locals::{Locals, Source};
use crate::file::File;

/// Methods that show what is in a collection.
const VIEWS: [&str; 3] = ["items", "keys", "values"];

/// Classes whose instances never change.
const UNCHANGING: [&str; 14] = [
    "builtins.str",
    "builtins.bytes",
    "builtins.int",
    "builtins.float",
    "builtins.bool",
    "builtins.complex",
    "builtins.tuple",
    "builtins.frozenset",
    "builtins.range",
    "types.NoneType",
    "datetime.datetime",
    "datetime.date",
    "decimal.Decimal",
    "uuid.UUID",
];

/// What the code of a module changes and gives names to, at its top level.
#[derive(Default)]
pub struct ModuleNames {
    /// What is bound at the top level, once; and whether others can only find there what was put in at
    /// once.
    filled: FxHashMap<String, bool>,
    /// Names of what some code changes.
    changed: FxHashSet<String>,
}

impl ModuleNames {
    /// Those of `file`.
    pub fn of(file: &File<'_, '_>) -> Self {
        let mut names = Self::default();
        names.bind(file.body());
        let mut changes = Changes(&mut names.changed);
        changes.visit_body(file.body());
        names
    }

    fn bind(&mut self, suite: &[Stmt]) {
        for statement in suite {
            let (target, value) = match statement {
                Stmt::Assign(inner) => match inner.targets.as_slice() {
                    [Expr::Name(name)] => (name, &*inner.value),
                    _ => continue,
                },
                Stmt::AnnAssign(inner) => match (&*inner.target, &inner.value) {
                    (Expr::Name(name), Some(value)) => (name, &**value),
                    _ => continue,
                },
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => continue,
                other => {
                    for inner in suites_in(other) {
                        self.bind(inner);
                    }
                    continue;
                }
            };
            self.filled
                .entry(target.id.to_string())
                .and_modify(|filled| *filled = false)
                .or_insert_with(|| is_filled(value));
        }
    }

    /// Whether a name of the module stands for one thing that nothing is seen to change.
    fn is_constant(&self, name: &str) -> bool {
        self.filled.get(name).copied().unwrap_or_default() && !self.changed.contains(name)
    }
}

/// Whether a value is a collection with something in it, or none at all.
fn is_filled(value: &Expr) -> bool {
    match value {
        Expr::List(list) => !list.elts.is_empty(),
        Expr::Set(set) => !set.elts.is_empty(),
        Expr::Dict(dict) => !dict.items.is_empty(),
        Expr::Tuple(_) | Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) => true,
        Expr::BinOp(operation) => is_filled(&operation.left) || is_filled(&operation.right),
        other => other.is_literal_expr() || other.is_f_string_expr(),
    }
}

/// Collects the names of what is changed.
struct Changes<'n>(&'n mut FxHashSet<String>);

impl Changes<'_> {
    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Attribute(ast::ExprAttribute { value, .. })
            | Expr::Subscript(ast::ExprSubscript { value, .. }) => {
                if let Expr::Name(name) = &**value {
                    self.0.insert(name.id.to_string());
                } else {
                    self.target(value);
                }
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.target(target);
                }
            }
            _ => {}
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Changes<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(statement) => {
                statement
                    .targets
                    .iter()
                    .for_each(|target| self.target(target));
            }
            AnyNodeRef::StmtAugAssign(statement) => match &*statement.target {
                Expr::Name(name) => {
                    self.0.insert(name.id.to_string());
                }
                target => self.target(target),
            },
            AnyNodeRef::StmtDelete(statement) => {
                statement
                    .targets
                    .iter()
                    .for_each(|target| self.target(target));
            }
            AnyNodeRef::StmtGlobal(statement) => {
                self.0
                    .extend(statement.names.iter().map(|name| name.id.to_string()));
            }
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && method_changes(&method.attr)
                {
                    match &*method.value {
                        Expr::Name(name) => {
                            self.0.insert(name.id.to_string());
                        }
                        // `TABLE["x"].append(…)`
                        other => self.target(other),
                    }
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// What a piece of a function's code does with collections.
pub(super) struct Collections<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    locals: &'f Locals<'a>,
    /// The scope of the function.
    scope: FileScopeId,
    /// Why the code cannot safely run beside other code.
    reason: Option<String>,
}

impl<'f, 'a, 'db> Collections<'f, 'a, 'db> {
    /// Of the function with these variables, whose scope is `scope`.
    pub(super) fn new(file: &'f File<'a, 'db>, locals: &'f Locals<'a>, scope: FileScopeId) -> Self {
        Self {
            file,
            locals,
            scope,
            reason: None,
        }
    }

    /// Why a statement cannot safely run beside other code.
    pub(super) fn of_statement(mut self, statement: &'a Stmt) -> Option<String> {
        self.visit_stmt(statement);
        self.reason
    }

    /// Why a call cannot safely run beside other code.
    pub(super) fn of_call(mut self, call: &'a ast::ExprCall) -> Option<String> {
        self.call(call);
        self.visit_expr(&call.func);
        self.visit_arguments(&call.arguments);
        self.reason
    }

    /// Whether other code may change a collection while something goes through it.
    pub(super) fn may_change_meanwhile(&self, collection: &'a Expr) -> bool {
        self.changing(collection, Taking::Shallowly).is_some()
    }

    /// Why a new `await` at `site` would let other code change a collection that a loop around goes
    /// through: one that lets nothing else run so far.
    pub(super) fn of_loops_around(self, site: &Site<'_, 'a>) -> Option<String> {
        site.enclosing_in_function().find_map(|(node, child)| {
            let iterables: Vec<&'a Expr> = match node {
                AnyNodeRef::StmtFor(statement)
                    if !statement.is_async && !statement.body.iter().any(coroutines::awaits) =>
                {
                    vec![&statement.iter]
                }
                AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
                | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
                | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. }) => {
                    generators.iter().map(|clause| &clause.iter).collect()
                }
                _ => return None,
            };
            let mut iterables = iterables
                .into_iter()
                .filter(|iterable| !child.range().contains_range(iterable.range()));
            let changing = iterables.find_map(|iterable| self.sized(iterable))?;
            Some(format!(
                "other code may change `{}` while the loop over it waits",
                one_line(self.file.text(changing))
            ))
        })
    }

    /// The part of an iterable that others may have, and that must not grow while a loop goes through
    /// it: a dictionary or a set.
    fn sized(&self, iterable: &'a Expr) -> Option<&'a Expr> {
        let (collection, is_view) = match iterable {
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method)
                    if VIEWS.contains(&method.attr.as_str()) && call.arguments.is_empty() =>
                {
                    (&*method.value, true)
                }
                _ => return None,
            },
            other => (other, false),
        };
        let is_place = matches!(
            collection,
            Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_)
        );
        let has_size = || {
            matches!(self.file.semantics.class_of(collection), ClassOf::Known(class)
                if matches!(class.as_str(), "builtins.dict" | "builtins.set")
                    || class.starts_with("collections."))
        };
        (is_place && self.is_shared(collection, STEPS) && (is_view || has_size()))
            .then_some(collection)
    }

    fn take(&mut self, expr: &'a Expr, how: Taking) {
        if self.reason.is_some() {
            return;
        }
        if let Some(range) = self.changing(expr, how) {
            self.reason = Some(format!(
                "other code may change `{}` while the thread uses it",
                one_line(self.file.text(range))
            ));
        }
    }

    /// The part of an expression that is a collection which other code may change.
    fn changing(&self, expr: &'a Expr, how: Taking) -> Option<TextRange> {
        match expr {
            Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_) => {
                (self.is_shared(expr, STEPS) && self.may_change(expr, how)).then(|| expr.range())
            }
            Expr::Starred(starred) => self.changing(&starred.value, how),
            Expr::Named(named) => self.changing(&named.value, how),
            Expr::If(either) => self
                .changing(&either.body, how)
                .or_else(|| self.changing(&either.orelse, how)),
            Expr::BoolOp(operation) => operation
                .values
                .iter()
                .find_map(|value| self.changing(value, how)),
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. })
                if how == Taking::Deeply =>
            {
                elts.iter().find_map(|value| self.changing(value, how))
            }
            Expr::Dict(dict) if how == Taking::Deeply => dict
                .items
                .iter()
                .find_map(|item| self.changing(&item.value, how)),
            _ => None,
        }
    }

    /// Whether others may have what an expression stands for.
    fn is_shared(&self, expr: &'a Expr, steps: Limit) -> bool {
        let Some(steps) = steps.less() else {
            return true;
        };
        match expr {
            Expr::Name(name) => self.is_shared_name(&name.id, steps),
            Expr::Attribute(attribute) => self.is_shared(&attribute.value, steps),
            Expr::Subscript(subscript) => self.is_shared(&subscript.value, steps),
            Expr::Named(named) => self.is_shared(&named.value, steps),
            Expr::If(either) => {
                self.is_shared(&either.body, steps) || self.is_shared(&either.orelse, steps)
            }
            Expr::BoolOp(operation) => operation
                .values
                .iter()
                .any(|value| self.is_shared(value, steps)),
            // `for user in self.users.values():`
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) if VIEWS.contains(&method.attr.as_str()) => {
                    self.is_shared(&method.value, steps)
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn is_shared_name(&self, name: &'a str, steps: Limit) -> bool {
        let semantics = &self.file.semantics;
        if semantics.is_declared_outside(name, self.scope) {
            return true;
        }
        if self.locals.parameters.contains(name) || self.locals.shared.contains(name) {
            return true;
        }
        if let Some(sources) = self.locals.sources(name) {
            sources.iter().any(|source| match source {
                Source::Value(value) | Source::Item(value) => self.is_shared(value, steps),
                Source::Other => false,
            })
        } else {
            // Neither is what a comprehension binds: what that goes through is looked at itself.
            let is_builtin = semantics
                .qualified_name_in(name, self.scope)
                .is_some_and(|path| path.starts_with("builtins."));
            !is_builtin && !self.file.module_names().is_constant(name)
        }
    }

    /// Whether the value of an expression may be a collection that changes.
    fn may_change(&self, expr: &Expr, how: Taking) -> bool {
        match self.file.semantics.class_of(expr) {
            ClassOf::Known(class) if how == Taking::AsText => {
                class.starts_with("collections.")
                    || matches!(
                        class.as_str(),
                        "builtins.list" | "builtins.dict" | "builtins.set" | "builtins.bytearray"
                    )
            }
            ClassOf::Known(class) => !UNCHANGING.contains(&class.as_str()),
            ClassOf::Other => false,
            ClassOf::Unknown => how != Taking::AsText,
        }
    }

    fn call(&mut self, call: &'a ast::ExprCall) {
        let values = call.arguments.args.iter();
        let path = self.file.semantics.qualified_name(&call.func);
        if let Some(how) = path.as_deref().and_then(takes) {
            let skipped = match path.as_deref() {
                Some("builtins.map" | "builtins.filter") => 1,
                // `max(a, b)` goes through neither.
                Some("builtins.max" | "builtins.min") if values.len() > 1 => values.len(),
                _ => 0,
            };
            values.skip(skipped).for_each(|value| self.take(value, how));
            return;
        }
        let Expr::Attribute(method) = &*call.func else {
            return;
        };
        let name = method.attr.as_str();
        if method_traverses(name) {
            values.for_each(|value| self.take(value, Taking::Shallowly));
        } else if VIEWS.contains(&name) && call.arguments.is_empty() {
            self.take(&method.value, Taking::Shallowly);
        } else if name == "format" && method.value.is_literal_expr() {
            values.for_each(|value| self.take(value, Taking::AsText));
        } else if method_changes(name)
            && self.reason.is_none()
            && self.is_shared(&method.value, STEPS)
            && matches!(self.file.semantics.class_of(&method.value), ClassOf::Known(class)
                if class.starts_with("builtins.") || class.starts_with("collections."))
        {
            self.reason = Some(format!(
                "`{}` would be modified in another thread",
                one_line(self.file.text(&*method.value))
            ));
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Collections<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFor(statement) => self.take(&statement.iter, Taking::Shallowly),
            AnyNodeRef::Comprehension(clause) => self.take(&clause.iter, Taking::Shallowly),
            AnyNodeRef::ExprStarred(starred) if starred.ctx.is_load() => {
                self.take(&starred.value, Taking::Shallowly);
            }
            AnyNodeRef::Keyword(keyword) if keyword.arg.is_none() => {
                self.take(&keyword.value, Taking::Shallowly);
            }
            AnyNodeRef::ExprDict(dict) => {
                for item in dict.items.iter().filter(|item| item.key.is_none()) {
                    self.take(&item.value, Taking::Shallowly);
                }
            }
            AnyNodeRef::InterpolatedElement(part) => self.take(&part.expression, Taking::AsText),
            AnyNodeRef::ExprBinOp(operation)
                if operation.op == Operator::Mod && operation.left.is_literal_expr() =>
            {
                self.take(&operation.right, Taking::AsText);
            }
            AnyNodeRef::ExprCall(call) => self.call(call),
            _ => {}
        }
        if self.reason.is_some() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}
