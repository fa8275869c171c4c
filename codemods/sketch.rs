//! What values are, told from the tree and the project's outlines alone.
//!
//! The type engine infers a whole function to answer one question about it. Most questions need
//! less: where a name is bound, what an annotation names, what the signature of a method in the
//! project says.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_python_stdlib::sys::is_known_standard_library;
use ty_python_core::definition::{Definition, DefinitionKind, ParameterDefinitionNodeKind};

use crate::outline::{
    Gives, Origin as Where, Outlines, annotation_gives, is_builtin_type, is_display, name_key,
    names_awaitable, root_of,
};
use crate::project::is_stdlib_coroutine_function;
use crate::semantics::{Awaitability, Origin, Semantics, rebinds};
use crate::spelling::Explained;

/// How many assignments and calls are followed to find what a value is.
const DEPTH: usize = 6;

/// How many functions without annotations are looked into, one behind the other.
const BODIES: usize = 3;

impl<'db> Semantics<'db> {
    /// What awaiting the value of a call would mean, where that needs no types. `None` where the
    /// types must be asked.
    pub fn awaitability_in_sight(
        &self,
        call: &ast::ExprCall,
        outlines: &Outlines,
    ) -> Option<Awaitability> {
        let function = match &*call.func {
            Expr::Name(name) => {
                if let Some(Explained::Builtin) = self.names().explained(&name.id) {
                    return Some(Awaitability::No);
                }
                let Some(definitions) = self.bindings(name) else {
                    return Some(Awaitability::Unknown);
                };
                let [definition] = definitions.as_slice() else {
                    // The type engine goes by the `def`, whatever else is bound to its name.
                    let functions_only = definitions
                        .iter()
                        .all(|definition| definition.kind(self.db()).is_function_def());
                    return (!functions_only).then_some(Awaitability::Unknown);
                };
                match definition.kind(self.db()) {
                    DefinitionKind::Function(function) => function.node(self.module()),
                    // `work = wrap(work)`: the type engine goes by the `def`, whatever the wrapper
                    // made of it.
                    DefinitionKind::Assignment(_) if self.is_function_too(*definition) => {
                        return Some(Awaitability::Unknown);
                    }
                    // A parameter gives a coroutine only where its annotation says so.
                    DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(
                        parameter,
                    )) => {
                        let annotation = parameter.node(self.module()).annotation();
                        let says_so = annotation.is_some_and(|annotation| {
                            names_awaitable(annotation)
                                || match outlines.resolved(&self.annotated(annotation)) {
                                    Gives::Class(class) => outlines.is_callable_coroutine(class),
                                    Gives::Open => true,
                                    _ => false,
                                }
                        });
                        return (!says_so).then_some(Awaitability::Unknown);
                    }
                    DefinitionKind::For(_)
                    | DefinitionKind::Comprehension(_)
                    | DefinitionKind::LambdaParameter(_) => return Some(Awaitability::Unknown),
                    _ => {
                        return self
                            .is_plain_call(call, outlines)
                            .then_some(Awaitability::No);
                    }
                }
            }
            Expr::Attribute(attribute) if self.has_no_coroutines(attribute, outlines) => {
                return Some(Awaitability::No);
            }
            Expr::Attribute(attribute) => {
                let own = self
                    .names()
                    .define_function(&attribute.attr)
                    .then(|| self.class_of_receiver(&attribute.value))
                    .flatten();
                if let Some(class) = own
                    && rebinds(class, &attribute.attr)
                {
                    return Some(Awaitability::Unknown);
                }
                let method = own
                    .into_iter()
                    .flat_map(|class| class.body.iter().rev())
                    .find_map(|statement| match statement {
                        Stmt::FunctionDef(function) if function.name.id == attribute.attr.id => {
                            Some(function)
                        }
                        _ => None,
                    });
                match method {
                    Some(method) => method,
                    None => {
                        return self
                            .is_plain_call(call, outlines)
                            .then_some(Awaitability::No);
                    }
                }
            }
            _ => return None,
        };
        if !function.decorator_list.is_empty() {
            return self
                .is_plain_call(call, outlines)
                .then_some(Awaitability::No);
        }
        if function.is_async {
            let scope = self.function_scope(function)?;
            let yields = scope.is_generator_function(self.index());
            return Some(if yields {
                Awaitability::No
            } else {
                Awaitability::Coroutine
            });
        }
        // A plain function gives a coroutine only where it says so, or returns one.
        (function.returns.is_none() && !returns_call(function)).then_some(Awaitability::Unknown)
    }

    /// What awaiting the value of a call would mean that the type engine does not know, because the
    /// function it calls has no annotation: judged by what that function returns.
    pub fn awaitability_of_body(&self, call: &ast::ExprCall) -> Awaitability {
        self.awaitability_of_returned(call, BODIES)
    }

    fn awaitability_of_returned(&self, call: &ast::ExprCall, depth: usize) -> Awaitability {
        let Some(depth) = depth.checked_sub(1) else {
            return Awaitability::Unknown;
        };
        if let Expr::Attribute(method) = &*call.func
            && matches!(
                method.attr.as_str(),
                "aclose" | "asend" | "athrow" | "__anext__"
            )
            && self.is_async_generator(&method.value)
        {
            return Awaitability::Coroutine;
        }
        let Some(function) = self.function(&call.func) else {
            return Awaitability::Unknown;
        };
        let Some(node) = function.node(self.db()) else {
            return Awaitability::Unknown;
        };
        if node.is_async
            || node.returns.is_some()
            || !node.decorator_list.is_empty()
            || !always_returns(&node.body)
        {
            return Awaitability::Unknown;
        }
        let own = self.of_function(&function);
        let mut returned = Returned(Vec::new());
        returned.visit_body(&node.body);
        let all_coroutines = !returned.0.is_empty()
            && returned.0.iter().all(|value| {
                let Some(Expr::Call(call)) = value else {
                    return false;
                };
                match own.awaitability(call.into()) {
                    Awaitability::Unknown => {
                        own.awaitability_of_returned(call, depth) == Awaitability::Coroutine
                    }
                    known => known == Awaitability::Coroutine,
                }
            });
        if all_coroutines {
            Awaitability::Coroutine
        } else {
            Awaitability::Unknown
        }
    }

    /// Whether the value of `expr` comes from calling an asynchronous generator function. Without
    /// an annotation, the type engine does not know.
    pub fn is_async_generator(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Call(call) => {
                let Some(function) = self.function(&call.func) else {
                    return false;
                };
                let Some(node) = function.node(self.db()) else {
                    return false;
                };
                let own = self.of_function(&function);
                let is_method = |decorator: &ast::Decorator| {
                    own.means(
                        &decorator.expression,
                        &["builtins.classmethod", "builtins.staticmethod"],
                    )
                };
                node.is_async
                    && node.decorator_list.iter().all(is_method)
                    && own
                        .function_scope(node)
                        .is_some_and(|scope| scope.is_generator_function(own.index()))
            }
            Expr::Name(name) => {
                let origins = self.origins(name);
                !origins.is_empty()
                    && origins.iter().all(|origin| {
                        matches!(origin, Origin::Value(value @ Expr::Call(_))
                            if self.is_async_generator(value))
                    })
            }
            _ => false,
        }
    }

    fn is_plain_call(&self, call: &ast::ExprCall, outlines: &Outlines) -> bool {
        outlines.is_plain(&self.gives_of_call(call, outlines, DEPTH))
    }

    /// What the value of `expr` is.
    fn sketch(&self, expr: &Expr, outlines: &Outlines, depth: usize) -> Gives {
        let Some(depth) = depth.checked_sub(1) else {
            return Gives::Open;
        };
        if self.is_unresolved(expr, outlines) {
            return Gives::Unknown;
        }
        match expr {
            _ if is_display(expr) => Gives::Plain,
            Expr::Subscript(subscript) => match self.sketch(&subscript.value, outlines, depth) {
                Gives::Container | Gives::Unknown => Gives::Unknown,
                _ => Gives::Open,
            },
            Expr::Call(call) => self.gives_of_call(call, outlines, depth),
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => match &*call.func {
                    Expr::Attribute(method) => match self.sketch(&method.value, outlines, depth) {
                        Gives::Class(class) => outlines.awaited_method(class, &method.attr),
                        _ => Gives::Open,
                    },
                    _ => Gives::Open,
                },
                _ => Gives::Open,
            },
            Expr::Attribute(attribute) => {
                if let Expr::Name(name) = &*attribute.value
                    && let Some(Explained::Import(path)) = self.names().explained(&name.id)
                {
                    return outlines.variable(last(path), &attribute.attr);
                }
                match self.sketch(&attribute.value, outlines, depth) {
                    Gives::Class(class) => outlines.attribute(class, &attribute.attr),
                    Gives::Unknown => Gives::Unknown,
                    _ => Gives::Open,
                }
            }
            Expr::Name(name) => {
                if let Some(Explained::Import(path)) = self.names().explained(&name.id) {
                    return match path.rsplit_once('.') {
                        Some((module, name)) => outlines.variable(last(module), name),
                        None => Gives::Open,
                    };
                }
                if let Some(class) = self.class_of_receiver(expr) {
                    return Gives::Class(name_key(&class.name));
                }
                self.bindings(name)
                    .into_iter()
                    .flatten()
                    .map(|definition| self.defined(definition, outlines, depth))
                    .reduce(|one, two| if one == two { one } else { Gives::Open })
                    .unwrap_or(Gives::Open)
            }
            _ => Gives::Open,
        }
    }

    /// Whether an expression takes all it is made of from a package that the type engine does not
    /// find.
    fn is_unresolved(&self, expr: &Expr, outlines: &Outlines) -> bool {
        match root_of(expr) {
            Some(Expr::Name(name)) => match self.names().explained(&name.id) {
                Some(Explained::Import(path)) => outlines.is_unresolved(root(path)),
                _ => false,
            },
            _ => false,
        }
    }

    fn defined(&self, definition: Definition<'db>, outlines: &Outlines, depth: usize) -> Gives {
        match definition.kind(self.db()) {
            DefinitionKind::Assignment(assignment) => {
                let value = self.sketch(assignment.value(self.module()), outlines, depth);
                if assignment.unpack().is_none() {
                    value
                } else {
                    part_of(&value)
                }
            }
            DefinitionKind::For(statement) => {
                part_of(&self.sketch(statement.iterable(self.module()), outlines, depth))
            }
            DefinitionKind::WithItem(item) => {
                part_of(&self.sketch(item.context_expr(self.module()), outlines, depth))
            }
            DefinitionKind::NamedExpression(named) => {
                self.sketch(&named.node(self.module()).value, outlines, depth)
            }
            DefinitionKind::AnnotatedAssignment(assignment) => {
                outlines.resolved(&self.annotated(assignment.annotation(self.module())))
            }
            DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                parameter
                    .node(self.module())
                    .annotation()
                    .map_or(Gives::Open, |annotation| {
                        outlines.resolved(&self.annotated(annotation))
                    })
            }
            _ => Gives::Open,
        }
    }

    /// What the value of a call is.
    fn gives_of_call(&self, call: &ast::ExprCall, outlines: &Outlines, depth: usize) -> Gives {
        match &*call.func {
            Expr::Name(name) => match self.names().explained(&name.id) {
                Some(Explained::Import(path)) if is_plain_stdlib(root(path)) => Gives::Plain,
                Some(Explained::Import(path)) if outlines.is_unresolved(root(path)) => {
                    Gives::Unknown
                }
                Some(Explained::Import(path)) => match path.rsplit_once('.') {
                    Some((module, function)) => outlines.call(last(module), function),
                    None => Gives::Open,
                },
                Some(Explained::Builtin) if is_builtin_type(&name.id) => Gives::Plain,
                _ => Gives::Open,
            },
            Expr::Attribute(attribute) => {
                if let Expr::Name(name) = &*attribute.value
                    && let Some(Explained::Import(path)) = self.names().explained(&name.id)
                {
                    return if is_plain_stdlib(root(path)) {
                        Gives::Plain
                    } else {
                        outlines.call(last(path), &attribute.attr)
                    };
                }
                match self.sketch(&attribute.value, outlines, depth) {
                    Gives::Class(class) => outlines.method(class, &attribute.attr),
                    Gives::Container => Gives::Unknown,
                    gives @ (Gives::Plain | Gives::Unknown) => gives,
                    _ => Gives::Open,
                }
            }
            _ => Gives::Open,
        }
    }

    /// What an annotation in this file names.
    fn annotated(&self, annotation: &Expr) -> Gives {
        let gives = annotation_gives(annotation, &|name| {
            let Some(Explained::Import(path)) = self.names().explained(&name.into()) else {
                return Where::Here;
            };
            match root(path) {
                "" => Where::Here,
                root if is_plain_stdlib(root) => Where::Stdlib,
                root => Where::Package(name_key(root)),
            }
        });
        // `from library import Client as LibraryClient`
        if let Expr::Name(name) = annotation
            && let Some(Explained::Import(path)) = self.names().explained(&name.id)
        {
            let class = name_key(last(path));
            return match gives {
                Gives::Class(_) => Gives::Class(class),
                Gives::Foreign(root, _) => Gives::Foreign(root, class),
                gives => gives,
            };
        }
        gives
    }

    fn has_plain_methods(&self, receiver: &Expr, outlines: &Outlines) -> bool {
        matches!(
            self.sketch(receiver, outlines, DEPTH),
            Gives::Plain | Gives::Container | Gives::Unknown
        )
    }

    /// Whether the receiver of a method is, as can be seen without types, something that has no
    /// coroutine functions: a display or literal, a builtin container, a module of the standard
    /// library or an instance of one of its classes, or a parameter that says nothing.
    fn has_no_coroutines(&self, method: &ast::ExprAttribute, outlines: &Outlines) -> bool {
        let Expr::Name(name) = &*method.value else {
            return self.has_plain_methods(&method.value, outlines);
        };
        if let Some(Explained::Import(path)) = self.names().explained(&name.id) {
            let root = root(path);
            if is_known_standard_library(PythonVersion::latest().minor, root) {
                return is_plain_stdlib(root) || !is_stdlib_coroutine_function(&method.attr);
            }
        }
        if self.has_plain_methods(&method.value, outlines) {
            return true;
        }
        let Some(definitions) = self.bindings(name) else {
            return false;
        };
        !definitions.is_empty()
            && definitions
                .iter()
                .all(|definition| match definition.kind(self.db()) {
                    // `**options` is a dictionary, `*values` a tuple.
                    DefinitionKind::Parameter(
                        ParameterDefinitionNodeKind::VariadicKeywordParameter(_)
                        | ParameterDefinitionNodeKind::VariadicPositionalParameter(_),
                    ) => true,
                    DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(
                        parameter,
                    )) => {
                        let parameter = parameter.node(self.module());
                        parameter.annotation().is_none()
                            && parameter.default.is_none()
                            && !is_first_parameter(name)
                    }
                    _ => false,
                })
    }
}

/// Modules of the standard library whose classes have no coroutine functions but those that are
/// known by name, and cannot stand for a coroutine.
pub fn is_plain_stdlib(root: &str) -> bool {
    is_known_standard_library(PythonVersion::latest().minor, root)
        && !matches!(
            root,
            "typing" | "asyncio" | "contextlib" | "unittest" | "collections"
        )
}

/// Collects what a function returns.
struct Returned<'a>(Vec<Option<&'a Expr>>);

impl<'a> SourceOrderVisitor<'a> for Returned<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtReturn(statement) => self.0.push(statement.value.as_deref()),
            // A generator returns none of it.
            AnyNodeRef::ExprYield(_) | AnyNodeRef::ExprYieldFrom(_) => self.0.push(None),
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether the end of a function body is plainly never reached.
fn always_returns(body: &[Stmt]) -> bool {
    match body.last() {
        Some(Stmt::Return(_) | Stmt::Raise(_)) => true,
        Some(Stmt::If(statement)) => {
            always_returns(&statement.body)
                && statement
                    .elif_else_clauses
                    .iter()
                    .all(|clause| always_returns(&clause.body))
                && statement
                    .elif_else_clauses
                    .last()
                    .is_some_and(|clause| clause.test.is_none())
        }
        _ => false,
    }
}

/// What is inside of a value.
fn part_of(whole: &Gives) -> Gives {
    match whole {
        Gives::Container | Gives::Unknown => Gives::Unknown,
        _ => Gives::Open,
    }
}

/// Whether a function returns the value of a call.
fn returns_call(function: &ast::StmtFunctionDef) -> bool {
    !crate::outline::returned_calls(function).is_empty()
}

fn root(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

/// The first parameter of a method has the type of its class.
fn is_first_parameter(name: &ast::ExprName) -> bool {
    matches!(name.id.as_str(), "self" | "cls")
}
