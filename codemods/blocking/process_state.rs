//! What a process has once, and code changes for a while: its folder, its output, its environment. On the event loop
//! nothing else runs until it is put back; an `await` in between lets others run with it.

use asyncfix_analysis::limits::{BASES, BODIES, Limit};
use asyncfix_analysis::resolve::definitions::{Class, instance_values};
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::conduct::method_changes;
use asyncfix_knowledge::process_state::TABLE;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{awaits, own_calls, own_code, root_name};
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use crate::blocking::alone::nothing_else_runs;
use crate::blocking::gap::reaches;
use crate::blocking::listings::is_open;
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
        "{name} changes {what} for the whole process, and other tasks would run with that meanwhile"
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
    let changed = before.find(|before| {
        let mut behind = changes.iter();
        behind.any(|behind| {
            behind.range.start() >= at.end()
                && behind.is_of(before)
                && !is_open(function, before.range.end(), behind.range.start())
        })
    })?;
    let text = one_line(file.text(changed.range));
    Some((text, changed.what.clone(), "it is put back"))
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

/// What a function has for itself, and what it shares with others.
struct Shared<'a> {
    own: FxHashSet<&'a str>,
    /// Names that mean those of the module.
    declared: FxHashSet<&'a str>,
    /// Its first parameter, where that is an object which was made for one block, and the class of that.
    object: Option<(&'a str, &'a ast::StmtClassDef)>,
}

impl<'a> Shared<'a> {
    fn of(function: &'a ast::StmtFunctionDef, class: Option<&'a ast::StmtClassDef>) -> Self {
        let first = function.parameters.iter().next();
        let mut shared = Self {
            own: FxHashSet::default(),
            declared: FxHashSet::default(),
            object: first.map(|first| first.name().as_str()).zip(class),
        };
        shared.visit_body(&function.body);
        shared
    }

    /// Whether others see that a target is given a value.
    fn has_target(&self, target: &Expr) -> bool {
        match target {
            Expr::Name(name) => self.declared.contains(name.id.as_str()),
            Expr::Attribute(ast::ExprAttribute { value, .. })
            | Expr::Subscript(ast::ExprSubscript { value, .. }) => self.has(value),
            _ => false,
        }
    }

    /// Whether others see an object.
    fn has(&self, object: &Expr) -> bool {
        let Some(root) = root_of(object) else {
            return false;
        };
        match self.object {
            Some((own, class)) if own == root => {
                // What it was given is not its own.
                first_attribute(object).is_some_and(|attribute| {
                    let values = instance_values(class, attribute);
                    values.iter().any(|value| value.is_name_expr())
                })
            }
            _ => self.declared.contains(root) || !self.own.contains(root),
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Shared<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if !name.ctx.is_load() => {
                self.own.insert(&name.id);
            }
            AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
            | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                self.declared.extend(names.iter().map(|name| name.as_str()));
            }
            _ => {}
        }
        own_code(node)
    }
}

/// The name that a target starts from.
fn root_of(target: &Expr) -> Option<&str> {
    match target {
        Expr::Subscript(item) => root_of(&item.value),
        Expr::Attribute(attribute) => root_of(&attribute.value),
        other => root_name(other),
    }
}

/// The attribute of a name that an expression starts from.
fn first_attribute(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Attribute(attribute) if attribute.value.is_name_expr() => Some(&attribute.attr),
        Expr::Attribute(ast::ExprAttribute { value, .. })
        | Expr::Subscript(ast::ExprSubscript { value, .. }) => first_attribute(value),
        _ => None,
    }
}

/// A change of something that others share.
struct Change {
    range: TextRange,
    /// What is changed, as it stands in a reason.
    what: String,
    /// Which part of it, where it has several.
    part: Option<String>,
}

impl Change {
    /// Whether both are of the same.
    fn is_of(&self, other: &Self) -> bool {
        self.what == other.what
            && match (&self.part, &other.part) {
                (Some(one), Some(other)) => one == other,
                _ => true,
            }
    }
}

/// Looks for what code changes of what it shares with others.
struct Changes<'s, 'm, 'db> {
    semantics: &'s Semantics<'db>,
    /// Where all that others see counts, what the code has for itself.
    shared: Option<&'m Shared<'m>>,
    found: Vec<Change>,
}

impl<'s, 'm, 'db> Changes<'s, 'm, 'db> {
    fn of(
        semantics: &'s Semantics<'db>,
        body: &[Stmt],
        shared: Option<&'m Shared<'m>>,
    ) -> Vec<Change> {
        let mut changes = Self {
            semantics,
            shared,
            found: Vec::new(),
        };
        changes.visit_body(body);
        changes.found
    }

    fn add(&mut self, range: TextRange, what: String, part: Option<String>) {
        self.found.push(Change { range, what, part });
    }

    /// Something that is given a value, or is deleted.
    fn target(&mut self, target: &Expr, statement: TextRange) {
        match target {
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.target(target, statement);
                }
                return;
            }
            Expr::Subscript(item) => {
                if let Some(what) = self.known(&item.value) {
                    self.add(statement, what, Some(self.text(&item.slice)));
                    return;
                }
            }
            Expr::Attribute(attribute) => {
                if let Some(what) = self.known(target) {
                    self.add(statement, what, None);
                    return;
                }
                if let Some(module) = self.semantics.qualified_name(&attribute.value)
                    && self.semantics.is_module(&attribute.value)
                    && !self.semantics.is_first_party(&module)
                {
                    self.add(statement, format!("`{module}.{}`", attribute.attr), None);
                    return;
                }
            }
            _ => {}
        }
        if self.shared.is_some_and(|shared| shared.has_target(target)) {
            let what = format!("`{}`", self.text(target));
            self.add(statement, what, None);
        }
    }

    fn call(&mut self, call: &ast::ExprCall) {
        if let Some(path) = self.semantics.qualified_name(&call.func)
            && let Some(what) = TABLE.changed_by_function(&path)
        {
            let part = match &*call.arguments.args {
                [part, _, ..] => Some(self.text(part)),
                _ => None,
            };
            self.add(call.range(), what.to_owned(), part);
            return;
        }
        let Expr::Attribute(method) = &*call.func else {
            return;
        };
        if !method_changes(&method.attr) {
            return;
        }
        if let Some(what) = self.known(&method.value) {
            let part = match &*call.arguments.args {
                [part, ..] if matches!(method.attr.as_str(), "pop" | "setdefault") => {
                    Some(self.text(part))
                }
                _ => None,
            };
            self.add(call.range(), what, part);
        } else if self.shared.is_some_and(|shared| shared.has(&method.value)) {
            let what = format!("`{}`", self.text(&method.value));
            self.add(call.range(), what, None);
        }
    }

    /// What the table says that something is which is given a value.
    fn known(&self, object: &Expr) -> Option<String> {
        let path = self.semantics.qualified_name(object)?;
        Some(TABLE.changed_by_object(&path)?.to_owned())
    }

    fn text(&self, expr: &Expr) -> String {
        match expr {
            Expr::StringLiteral(text) => text.value.to_str().to_owned(),
            other => {
                let source = self.semantics.text();
                let text = source.as_str().get(other.range().to_std_range());
                one_line(text.unwrap_or_default())
            }
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Changes<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(statement) => {
                for target in &statement.targets {
                    self.target(target, statement.range());
                }
            }
            AnyNodeRef::StmtAnnAssign(statement) if statement.value.is_some() => {
                self.target(&statement.target, statement.range());
            }
            AnyNodeRef::StmtAugAssign(statement) => {
                self.target(&statement.target, statement.range());
            }
            AnyNodeRef::StmtDelete(statement) => {
                for target in &statement.targets {
                    self.target(target, statement.range());
                }
            }
            AnyNodeRef::ExprCall(call) => self.call(call),
            _ => {}
        }
        own_code(node)
    }
}
