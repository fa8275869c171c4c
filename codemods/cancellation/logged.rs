//! Which logger can tell in a function that its task was cancelled: one that is certainly there by then.

use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::limits::{BASES, Limit};
use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_analysis::resolve::definitions::{Class, instance_values};
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::loggers;
use asyncfix_syntax::queries::{is_property, last_name, own_calls};
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use super::suites;
use crate::file::File;

/// Methods that make an instance ready before anybody has it.
const CONSTRUCTORS: [&str; 2] = ["__init__", "__post_init__"];

/// The loggers around a function.
pub struct Loggers<'f, 'a, 'db> {
    pub file: &'f File<'a, 'db>,
    /// The function.
    pub function: &'a ast::StmtFunctionDef,
    /// The class around, where the function is a method.
    pub class: Option<&'a ast::StmtClassDef>,
}

impl Loggers<'_, '_, '_> {
    /// What is written for a logger in the function.
    pub fn find(&self) -> Option<String> {
        self.of_instance()
            .or_else(|| self.of_module())
            .or_else(|| self.used())
    }

    /// What the class around has: a method or property that gives a logger, or an attribute that holds one.
    fn of_instance(&self) -> Option<String> {
        let class = self.class?;
        let receiver = self.function.parameters.iter_non_variadic_params().next()?;
        if !self.function.decorator_list.is_empty() {
            return None;
        }
        let receiver = receiver.name();
        let semantics = &self.file.semantics;
        if let Some(given) = given(semantics, class, BASES) {
            return Some(format!("{receiver}.{given}"));
        }
        let mut search = Attributes {
            file: self.file,
            found: Vec::new(),
        };
        search.visit_body(&class.body);
        let attribute = search.found.into_iter().find(|attribute| {
            match told(semantics, class, attribute.name, BASES) {
                Told::Logger => true,
                Told::Other => false,
                // What comes from elsewhere, the class logs with as it is.
                Told::Set | Told::Nothing => attribute.is_used,
            }
        })?;
        Some(format!("{receiver}.{}", attribute.name))
    }

    /// A parameter of the function or a variable of the module that the function, or else the module, logs something
    /// with, and that is called like a logger.
    fn used(&self) -> Option<String> {
        let file = self.file;
        let semantics = &file.semantics;
        let scope = semantics.function_scope(self.function)?;
        let search = |body| {
            let mut used = UsedLogger {
                file,
                names: Vec::new(),
            };
            used.visit_body(body);
            used.names.into_iter()
        };
        let module = file.body();
        search(&self.function.body)
            .chain(search(module))
            .find(|(receiver, name)| {
                let mut words = name.id.split('_');
                let Some(definitions) = semantics.lookup(&name.id, scope) else {
                    return false;
                };
                let is_of_module = || {
                    semantics.lookup(&name.id, FileScopeId::global()).as_ref() == Some(&definitions)
                };
                words.any(|word| loggers::WORDS.contains(&word.to_ascii_lowercase().as_str()))
                    && (!semantics.means(receiver, &["logging"]) || self.root_is_shown())
                    && matches!(definitions.as_slice(), [one]
                        if one.kind(semantics.db()).is_parameter_def() || is_of_module())
            })
            .map(|(_, name)| name.id.to_string())
    }

    /// Whether the file sets up the root logger, or writes to it what is as unimportant.
    fn root_is_shown(&self) -> bool {
        any_over_body(self.file.body(), |expr| match expr {
            Expr::Call(call) => {
                let semantics = &self.file.semantics;
                semantics.means(&call.func, &loggers::ROOT_IS_SHOWN)
            }
            _ => false,
        })
    }

    /// The module's own logger, by its name.
    fn of_module(&self) -> Option<String> {
        let file = self.file;
        let scope = file.semantics.function_scope(self.function)?;
        let bound = file.body().iter().find_map(|statement| match statement {
            Stmt::Assign(assign) => match (assign.targets.as_slice(), &*assign.value) {
                ([Expr::Name(name)], Expr::Call(call))
                    if file.semantics.means(&call.func, &loggers::FUNCTIONS) =>
                {
                    Some(name.id.as_str())
                }
                _ => None,
            },
            Stmt::AnnAssign(assign) => match (&*assign.target, assign.value.as_deref()) {
                (Expr::Name(name), Some(Expr::Call(call)))
                    if file.semantics.means(&call.func, &loggers::FUNCTIONS) =>
                {
                    Some(name.id.as_str())
                }
                _ => None,
            },
            Stmt::ImportFrom(import) if import.module.as_deref() == Some("loguru") => import
                .names
                .iter()
                .find(|alias| alias.name.as_str() == "logger" && alias.asname.is_none())
                .map(|alias| alias.name.as_str()),
            _ => None,
        })?;
        // Seen from the function, the name is the module's.
        let module = file.semantics.lookup(bound, FileScopeId::global())?;
        (file.semantics.lookup(bound, scope)? == module).then(|| bound.to_owned())
    }
}

/// What a class says of an attribute.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    /// It holds a logger from the start.
    Logger,
    /// It holds something from the start that is not `None`.
    Set,
    /// It may be `None`, or there may be none of it yet.
    Other,
    /// It does not speak of it.
    Nothing,
}

fn told(semantics: &Semantics<'_>, class: &ast::StmtClassDef, name: &str, depth: Limit) -> Told {
    let of_value = |value: &Expr| match value {
        _ if may_be_none(class, value) => Told::Other,
        _ if is_logger(semantics, value) => Told::Logger,
        _ => Told::Set,
    };
    let later = instance_values(class, name);
    if later.iter().any(|value| may_be_none(class, value)) {
        return Told::Other;
    }
    let constructors = class.body.iter().filter_map(|statement| match statement {
        Stmt::FunctionDef(method) if CONSTRUCTORS.contains(&method.name.as_str()) => Some(method),
        _ => None,
    });
    let made = constructors
        .flat_map(|method| &method.body)
        .filter_map(|statement| {
            assigned(statement, |target| {
                matches!(target, Expr::Attribute(target)
                if target.attr == *name && target.value.is_name_expr())
            })
        });
    let in_body = class.body.iter().filter_map(|statement| {
        assigned(
            statement,
            |target| matches!(target, Expr::Name(target) if target.id == *name),
        )
    });
    if let Some(value) = made.last().or_else(|| in_body.last()) {
        return of_value(value);
    }
    if !later.is_empty() {
        return Told::Other;
    }
    let Some(depth) = depth.less() else {
        return Told::Nothing;
    };
    let bases = class
        .bases()
        .iter()
        .filter_map(|base| semantics.class_named(base));
    bases
        .filter_map(|base| Class::of(semantics, base))
        .map(|base| told(&base.own, base.node(), name, depth))
        .find(|told| *told != Told::Nothing)
        .unwrap_or(Told::Nothing)
}

/// The value that a statement gives to a target.
fn assigned(statement: &Stmt, is_it: impl Fn(&Expr) -> bool) -> Option<&Expr> {
    match statement {
        Stmt::Assign(assign) if assign.targets.iter().any(&is_it) => Some(&assign.value),
        Stmt::AnnAssign(assign) if is_it(&assign.target) => assign.value.as_deref(),
        _ => None,
    }
}

/// Whether a value that a class keeps may be `None`: it says so, or a parameter has that as its default.
fn may_be_none(class: &ast::StmtClassDef, value: &Expr) -> bool {
    match value {
        Expr::NoneLiteral(_) => true,
        Expr::If(either) => may_be_none(class, &either.body) || may_be_none(class, &either.orelse),
        Expr::BoolOp(either) => either
            .values
            .last()
            .is_none_or(|last| either.op == ast::BoolOp::And || may_be_none(class, last)),
        Expr::Name(name) => class.body.iter().any(|statement| {
            let Stmt::FunctionDef(method) = statement else {
                return false;
            };
            method
                .parameters
                .iter_non_variadic_params()
                .any(|parameter| {
                    parameter.name().id == name.id
                        && parameter.default().is_some_and(Expr::is_none_literal_expr)
                })
        }),
        _ => false,
    }
}

/// Whether a value is a logger: it is made as one, or said to be one.
fn is_logger(semantics: &Semantics<'_>, value: &Expr) -> bool {
    match value {
        Expr::Call(call) => semantics.means(&call.func, &loggers::FUNCTIONS),
        Expr::Name(_) => matches!(semantics.class_of(value), ClassOf::Known(class)
            if loggers::CLASSES.contains(&class.as_str())),
        _ => false,
    }
}

/// The method or property of a class that gives a logger, as it is written behind the instance: `logger()`.
fn given(semantics: &Semantics<'_>, class: &ast::StmtClassDef, depth: Limit) -> Option<String> {
    let own = class.body.iter().find_map(|statement| {
        let Stmt::FunctionDef(method) = statement else {
            return None;
        };
        gives_logger(semantics, method).then(|| {
            if is_property(method) {
                method.name.to_string()
            } else {
                format!("{}()", method.name)
            }
        })
    });
    let depth = depth.less()?;
    let mut bases = class
        .bases()
        .iter()
        .filter_map(|base| semantics.class_named(base));
    own.or_else(|| {
        bases.find_map(|base| {
            let base = Class::of(semantics, base)?;
            let db = semantics.db();
            let is_stub = base.definition.file(db).is_stub(db);
            (!is_stub).then(|| given(&base.own, base.node(), depth))?
        })
    })
}

fn gives_logger(semantics: &Semantics<'_>, method: &ast::StmtFunctionDef) -> bool {
    let is_called_so = method
        .name
        .split('_')
        .any(|word| loggers::WORDS.contains(&word));
    let takes_nothing = method.parameters.iter().count() <= 1;
    let is_decorated = method.decorator_list.iter().any(|decorator| {
        !matches!(
            last_name(&decorator.expression),
            Some("classmethod" | "staticmethod" | "property" | "cached_property")
        )
    });
    let says_so = || {
        let returned = method.returns.as_deref().and_then(last_name);
        returned.is_some_and(|name| name.ends_with("Logger"))
    };
    let makes_one = || {
        own_calls(&method.body)
            .into_iter()
            .any(|call| semantics.means(&call.func, &loggers::FUNCTIONS))
            && method.body.last().is_some_and(Stmt::is_return_stmt)
    };
    is_called_so && takes_nothing && !is_decorated && !method.is_async && (says_so() || makes_one())
}

/// Looks for a variable that something is logged with.
struct UsedLogger<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    /// The variables, as expressions and as names.
    names: Vec<(&'f Expr, &'f ast::ExprName)>,
}

impl<'f> SourceOrderVisitor<'f> for UsedLogger<'f, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'f>) -> TraversalSignal {
        if let AnyNodeRef::StmtExpr(statement) = node
            && suites::is_log_call(self.file, &statement.value)
            && let Expr::Call(call) = &*statement.value
            && let Expr::Attribute(method) = &*call.func
            && let Expr::Name(name) = &*method.value
        {
            self.names.push((&method.value, name));
        }
        TraversalSignal::Traverse
    }
}

/// Collects the attributes of instances that hold loggers.
struct Attributes<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    found: Vec<LoggerAttribute<'f>>,
}

struct LoggerAttribute<'n> {
    name: &'n str,
    /// Something is written to it where it was found.
    is_used: bool,
}

impl<'f> SourceOrderVisitor<'f> for Attributes<'f, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'f>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign) => {
                if let [Expr::Attribute(target)] = assign.targets.as_slice()
                    && target.value.is_name_expr()
                    && is_logger(&self.file.semantics, &assign.value)
                {
                    self.found.push(LoggerAttribute {
                        name: &target.attr,
                        is_used: false,
                    });
                }
            }
            // `self.log.warning(…)`
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && let Expr::Attribute(attribute) = &*method.value
                    && matches!(&*attribute.value, Expr::Name(name) if name.id == "self")
                    && suites::is_log_call(self.file, &ast::Expr::Call(call.clone()))
                {
                    self.found.push(LoggerAttribute {
                        name: &attribute.attr,
                        is_used: true,
                    });
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
