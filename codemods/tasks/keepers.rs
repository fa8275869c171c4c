//! The sets that keep references to running tasks.

use std::path::Path;

use asyncfix_syntax::site::Site;
use ruff_db::source::source_text;
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;

use super::available;
use crate::edit::fresh_names;
use crate::file::File;

/// Whether the task has a place in a set with an annotation.
type Fits<'f> = &'f dyn Fn(Option<&Expr>) -> bool;

/// The set of tasks that the module has, as an expression: `background_tasks`.
pub fn in_module<'a>(file: &File<'a, '_>, fits: Fits<'_>) -> Option<&'a str> {
    file.body().iter().find_map(|statement| {
        let (target, value, annotation) = assignment(statement)?;
        let Expr::Name(name) = target else {
            return None;
        };
        (is_set(file, value)
            && (names_tasks(file, annotation) || holds_tasks(file, file.body(), file.text(target)))
            && fits(annotation.or_else(|| type_of_new(value)))
            && only_keeps(file, Set::OfModule(&name.id))
            && !is_imported(file, &name.id))
        .then_some(name.id.as_str())
    })
}

/// The set of tasks that every instance of `class` has, as an expression: `self.tasks`. It is there already when the code
/// at `site` runs.
pub fn in_instance<'a>(
    file: &File<'a, '_>,
    class: &'a ast::StmtClassDef,
    site: &Site<'_, 'a>,
    fits: Fits<'_>,
) -> Option<String> {
    field(file, class, fits).or_else(|| in_init(file, class, site, fits).map(str::to_owned))
}

/// A dataclass's `tasks: set[asyncio.Task] = field(default_factory=set)`.
fn field(file: &File<'_, '_>, class: &ast::StmtClassDef, fits: Fits<'_>) -> Option<String> {
    class.body.iter().find_map(|statement| {
        let Stmt::AnnAssign(assign) = statement else {
            return None;
        };
        let (Expr::Name(name), Some(Expr::Call(call))) = (&*assign.target, assign.value.as_deref())
        else {
            return None;
        };
        let factory = call.arguments.find_keyword("default_factory")?;
        (file.semantics.means(&call.func, &["dataclasses.field"])
            && file.semantics.means(&factory.value, &["builtins.set"])
            && names_tasks(file, Some(&assign.annotation))
            && fits(Some(&assign.annotation))
            && only_keeps(file, Set::OfInstance(&name.id, &class.name)))
        .then(|| format!("self.{}", name.id))
    })
}

fn in_init<'a>(
    file: &File<'a, '_>,
    class: &'a ast::StmtClassDef,
    site: &Site<'_, 'a>,
    fits: Fits<'_>,
) -> Option<&'a str> {
    class
        .body
        .iter()
        .filter_map(|statement| match statement {
            Stmt::FunctionDef(function) if function.name.as_str() == "__init__" => Some(function),
            _ => None,
        })
        .flat_map(|init| std::iter::repeat(init).zip(init.body.iter().enumerate()))
        .find_map(|(init, (at, statement))| {
            let (target, value, annotation) = assignment(statement)?;
            let Expr::Attribute(attribute) = target else {
                return None;
            };
            let on_self = matches!(&*attribute.value, Expr::Name(name) if name.id == "self");
            let text = file.text(target);
            (on_self
                && is_set(file, value)
                && (names_tasks(file, annotation) || holds_tasks(file, &class.body, text))
                && fits(annotation.or_else(|| type_of_new(value)))
                && available::is_made_before(file, class, init, at, site)
                && only_keeps(file, Set::OfInstance(&attribute.attr, &class.name)))
            .then_some(text)
        })
}

fn assignment(statement: &Stmt) -> Option<(&Expr, &Expr, Option<&Expr>)> {
    match statement {
        Stmt::Assign(assign) => match assign.targets.as_slice() {
            [target] => Some((target, &assign.value, None)),
            _ => None,
        },
        Stmt::AnnAssign(assign) => Some((
            &assign.target,
            assign.value.as_deref()?,
            Some(&assign.annotation),
        )),
        _ => None,
    }
}

/// Whether a value is a new set that tasks can be added to; one of weak references keeps nothing.
fn is_set(file: &File<'_, '_>, value: &Expr) -> bool {
    match value {
        Expr::Call(call) => {
            let callee = match &*call.func {
                Expr::Subscript(subscript) => &*subscript.value,
                other => other,
            };
            file.semantics.means(callee, &["builtins.set"])
        }
        Expr::Set(_) => true,
        _ => false,
    }
}

/// The type that a new set is made by: `set[asyncio.Task[None]]()`.
fn type_of_new(value: &Expr) -> Option<&Expr> {
    let call = value.as_call_expr()?;
    call.func.is_subscript_expr().then_some(&*call.func)
}

/// Whether an annotation speaks of tasks: `set[asyncio.Task[None]]`.
fn names_tasks(file: &File<'_, '_>, annotation: Option<&Expr>) -> bool {
    struct Tasks<'f, 'a, 'db>(&'f File<'a, 'db>, bool);
    impl<'a> SourceOrderVisitor<'a> for Tasks<'_, '_, '_> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.1 |= match expr {
                Expr::StringLiteral(literal) => literal.value.to_str().contains("asyncio.Task"),
                _ => self.0.semantics.means(expr, &["asyncio.Task"]),
            };
            walk_expr(self, expr);
        }
    }
    let Some(annotation) = annotation else {
        return false;
    };
    let mut search = Tasks(file, false);
    search.visit_expr(annotation);
    search.1
}

/// Whether `body` puts tasks in the set: `….add_done_callback(<set>.discard)`, or
/// `<set>.add(asyncio.create_task(…))`.
fn holds_tasks(file: &File<'_, '_>, body: &[Stmt], set: &str) -> bool {
    struct Callbacks<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        set: &'f str,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Callbacks<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && let Expr::Attribute(callee) = &*call.func
                && callee.attr.as_str() == "add_done_callback"
                && let Some(Expr::Attribute(callback)) = call.arguments.args.first()
                && matches!(callback.attr.as_str(), "discard" | "remove")
                && self.file.source[callback.value.range()] == *self.set
            {
                self.found = true;
            }
            // `tasks.add(asyncio.create_task(…))`
            if let AnyNodeRef::ExprCall(call) = node
                && let Expr::Attribute(callee) = &*call.func
                && callee.attr.as_str() == "add"
                && self.file.source[callee.value.range()] == *self.set
                && let Some(Expr::Call(added)) = call.arguments.args.first()
                && self.file.semantics.means(
                    &added.func,
                    &["asyncio.create_task", "asyncio.ensure_future"],
                )
            {
                self.found = true;
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Callbacks {
        file,
        set,
        found: false,
    };
    search.visit_body(body);
    search.found
}

/// Whether another file imports the variable, and may do with it whatever it likes.
fn is_imported(file: &File<'_, '_>, name: &str) -> bool {
    let module = file.last_name_of_module();
    module.is_some_and(|module| file.project.imports_from(&module, name))
}

/// A set, by the name of its variable or attribute.
#[derive(Clone, Copy)]
enum Set<'n> {
    OfModule(&'n str),
    /// The name of the class comes second.
    OfInstance(&'n str, &'n str),
}

/// Whether all that is done with a set is to keep tasks in it: they are added, and discarded when they are done. Where
/// they are cancelled or awaited as well, or something else is done when they are, other tasks have no place there.
fn only_keeps(file: &File<'_, '_>, set: Set<'_>) -> bool {
    let (Set::OfModule(name) | Set::OfInstance(name, _)) = set;
    // `getattr(self, "_tasks", None)` may be followed by anything.
    let is_quoted = ['"', '\''].iter().any(|quote| {
        let quoted = format!("{quote}{name}{quote}");
        file.source.contains(&quoted)
    });
    if is_quoted || matches!(set, Set::OfInstance(..)) && reaches_all_attributes(file) {
        return false;
    }
    let mut uses = UsesOfSet {
        file,
        set,
        ancestors: Vec::new(),
        only_keeps: true,
    };
    uses.visit_body(file.body());
    uses.only_keeps && !is_used_elsewhere(file, set)
}

/// Whether another file does more with the set of an instance than to keep tasks in it: it reaches for the attribute
/// of some object (`server.tasks`), or names the class as well, as a subclass does.
fn is_used_elsewhere(file: &File<'_, '_>, set: Set<'_>) -> bool {
    let Set::OfInstance(name, class) = set else {
        return false;
    };
    let semantics = &file.semantics;
    let of_file = |path: &Path| {
        let other = semantics.beside(path)?;
        Some(source_text(semantics.db(), other.file(semantics.db())))
    };
    let mentioning = file
        .project
        .mentioning(name, |path| semantics.text_of(path));
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    mentioning
        .iter()
        .filter(|path| semantics.path().is_none_or(|own| own != path.as_path()))
        .filter_map(|path| of_file(path))
        .any(|text| {
            let text = text.as_str();
            let names_class = text.split(|c| !is_word(c)).any(|word| word == class);
            text.match_indices(name).any(|(at, _)| {
                let (before, behind) = (&text[..at], &text[at + name.len()..]);
                let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
                let is_import = ["from ", "import "]
                    .iter()
                    .any(|word| line.trim_start().starts_with(word));
                let Some(object) = before.strip_suffix('.').filter(|_| !is_import) else {
                    return false;
                };
                let is_own = object
                    .strip_suffix("self")
                    .is_some_and(|before| !before.ends_with(is_word));
                let is_keeping = [".add(", ".discard"]
                    .iter()
                    .any(|method| behind.starts_with(method));
                !behind.starts_with(is_word) && !is_keeping && (names_class || !is_own)
            })
        })
}

/// Whether the file takes attributes of objects by names that do not stand in it: `vars(self).values()`,
/// `self.__dict__[name]`, `getattr(self, name)`.
fn reaches_all_attributes(file: &File<'_, '_>) -> bool {
    any_over_body(file.body(), |expr| match expr {
        Expr::Attribute(attribute) => &attribute.attr == "__dict__",
        Expr::Call(call) => {
            let given = &call.arguments.args;
            file.semantics.means(&call.func, &["builtins.vars"]) && !given.is_empty()
                || file.semantics.means(&call.func, &["builtins.getattr"])
                    && given
                        .get(1)
                        .is_some_and(|name| !name.is_string_literal_expr())
        }
        _ => false,
    })
}

/// Looks at all that is done with a set, and with the tasks that are added to it.
struct UsesOfSet<'n, 'a, 'f, 'db> {
    file: &'f File<'a, 'db>,
    set: Set<'n>,
    ancestors: Vec<AnyNodeRef<'a>>,
    only_keeps: bool,
}

impl<'a> UsesOfSet<'_, 'a, '_, '_> {
    fn is_it(&self, node: AnyNodeRef<'_>) -> bool {
        match (node, self.set) {
            (AnyNodeRef::ExprName(name), Set::OfModule(set)) => name.id == set,
            (AnyNodeRef::ExprAttribute(attribute), Set::OfInstance(set, _)) => {
                attribute.attr.as_str() == set
            }
            _ => false,
        }
    }

    /// Whether the set at `node` is made, added to, discarded from, or given as the callback that does so.
    fn is_kept(&self, node: AnyNodeRef<'a>) -> bool {
        let mut around = self.ancestors.iter().rev();
        match around.next() {
            Some(AnyNodeRef::StmtAssign(assign)) => {
                let mut targets = assign.targets.iter();
                targets.any(|target| target.range() == node.range()) && self.is_made(&assign.value)
            }
            Some(AnyNodeRef::StmtAnnAssign(assign)) => {
                assign.target.range() == node.range()
                    && assign
                        .value
                        .as_deref()
                        .is_none_or(|value| self.is_made(value))
            }
            Some(AnyNodeRef::StmtGlobal(_)) => true,
            Some(AnyNodeRef::ExprAttribute(method)) => match method.attr.as_str() {
                "add" => matches!(around.next(), Some(AnyNodeRef::ExprCall(call))
                    if call.func.range() == method.range() && !self.has_other_callback(call)),
                "discard" | "remove" => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether an assignment of this value, here, makes the set: `__init__` does, or the module. Elsewhere the set is
    /// given up for another one, or for none.
    fn is_made(&self, value: &Expr) -> bool {
        let mut functions = self
            .ancestors
            .iter()
            .rev()
            .filter_map(|node| node.as_stmt_function_def());
        match self.set {
            Set::OfInstance(..) => {
                is_set(self.file, value)
                    && functions
                        .next()
                        .is_some_and(|function| function.name.as_str() == "__init__")
            }
            // In a function it is a local variable, unless it says otherwise.
            Set::OfModule(name) => match functions.next() {
                Some(function) => !declares_global(function, name),
                None => is_set(self.file, value),
            },
        }
    }

    /// Whether the function around adds something else to be done when the task is, that `add` is given.
    fn has_other_callback(&self, add: &ast::ExprCall) -> bool {
        let Some(Expr::Name(task)) = add.arguments.args.first() else {
            return false;
        };
        let functions = self.ancestors.iter().rev();
        let body = functions
            .filter_map(|node| node.as_stmt_function_def())
            .map(|function| function.body.as_slice())
            .next();
        let mut callbacks = Callbacks {
            task: &task.id,
            set: self,
            found: false,
        };
        callbacks.visit_body(body.unwrap_or_default());
        callbacks.found
    }
}

impl<'a> SourceOrderVisitor<'a> for UsesOfSet<'_, 'a, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.is_it(node) && !self.is_kept(node) {
            self.only_keeps = false;
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}

/// Whether a function says that a name is the module's.
fn declares_global(function: &ast::StmtFunctionDef, name: &str) -> bool {
    struct Declarations<'n>(&'n str, bool);
    impl<'a> SourceOrderVisitor<'a> for Declarations<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.1 |= matches!(node, AnyNodeRef::StmtGlobal(statement)
                if statement.names.iter().any(|other| other.as_str() == self.0));
            TraversalSignal::Traverse
        }
    }
    let mut search = Declarations(name, false);
    search.visit_body(&function.body);
    search.1
}

/// Looks for callbacks of a task that are no `discard` of a set.
struct Callbacks<'s, 'n, 'a, 'f, 'db> {
    task: &'s str,
    set: &'s UsesOfSet<'n, 'a, 'f, 'db>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Callbacks<'_, '_, 'a, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && let Expr::Attribute(callee) = &*call.func
            && callee.attr.as_str() == "add_done_callback"
            && matches!(&*callee.value, Expr::Name(name) if name.id == self.task)
        {
            self.found |= !matches!(call.arguments.args.first(), Some(Expr::Attribute(callback))
                if matches!(callback.attr.as_str(), "discard" | "remove")
                    && self.set.is_it((&*callback.value).into()));
        }
        TraversalSignal::Traverse
    }
}

/// A name for a new module-level set that is free in the module and in every scope in it: a
/// parameter of the same name would hide the set from the code that uses it.
pub fn fresh_name(file: &File<'_, '_>) -> String {
    fresh_names::unmentioned(
        file,
        &["background_tasks", "_background_tasks", "running_tasks"],
    )
}
