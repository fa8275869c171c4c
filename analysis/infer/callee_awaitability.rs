//! What calls give, told from the function that is called, where that is in sight.
//!
//! The type engine infers a whole function to answer one question about it. A call of an
//! `async def` of the same file, or of a method of the class around, needs no more than where its
//! name is bound.

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ty_python_core::definition::{Definition, DefinitionKind, ParameterDefinitionNodeKind};

use crate::facts::spelling::Explained;
use crate::infer::types::Awaitability;
use crate::limits::{BODIES, Limit};
use crate::resolve::bindings::Origin;
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

const OVERLOADS: [&str; 2] = ["typing.overload", "typing_extensions.overload"];

/// What gives back what it is given second.
pub(crate) const CASTS: [&str; 2] = ["typing.cast", "typing_extensions.cast"];

/// What tells whether a function is a coroutine function.
const ASKING: [&str; 2] = ["asyncio.iscoroutinefunction", "inspect.iscoroutinefunction"];

/// Annotations that say nothing of what a function gives that is called.
const OPEN: [&str; 4] = [
    "typing.Callable",
    "collections.abc.Callable",
    "typing.Any",
    "typing_extensions.Any",
];

impl Semantics<'_> {
    /// What awaiting the value of a call would mean, where that needs no types. `None` where the
    /// types must be asked.
    pub(crate) fn awaitability_in_sight(&self, call: &ast::ExprCall) -> Option<Awaitability> {
        let known = self.awaitability_when_called(&call.func);
        if matches!(known, Some(Awaitability::No | Awaitability::Unknown)) {
            return known;
        }
        let Some(behind) = self.called_behind(&call.func) else {
            return Some(Awaitability::Unknown);
        };
        // What may not be called by its own name may not be called by another.
        let is_held = |callee: &&Expr| {
            let known = self.awaitability_when_called(callee);
            known.is_some_and(|known| {
                !matches!(known, Awaitability::Coroutine | Awaitability::Awaitable)
            })
        };
        let is_choice = || {
            let several = match &*call.func {
                Expr::Name(name) => self.bindings(name).is_some_and(|all| all.len() > 1),
                _ => false,
            };
            several
                || behind
                    .iter()
                    .any(|value| value.is_if_expr() || value.is_bool_op_expr())
        };
        // Of two functions of which one is plain, the code knows which it is.
        let is_told_apart = || {
            known.is_none() && is_choice() && self.awaitability(call.into()) == Awaitability::Mixed
        };
        if behind.iter().any(is_held) || !behind.is_empty() && is_told_apart() {
            return Some(Awaitability::Unknown);
        }
        known
    }

    /// The same of calling a value.
    fn awaitability_when_called(&self, callee: &Expr) -> Option<Awaitability> {
        match callee {
            Expr::Name(name) => {
                if self.is_builtin(name) {
                    return Some(Awaitability::No);
                }
                let Some(definitions) = self.bindings(name) else {
                    return Some(Awaitability::Unknown);
                };
                let [definition] = definitions.as_slice() else {
                    if self.are_coroutine_functions(&definitions) {
                        return Some(Awaitability::Coroutine);
                    }
                    // The type engine goes by the `def`, whatever else is bound to its name.
                    let functions_only = definitions
                        .iter()
                        .all(|definition| definition.kind(self.db()).is_function_def());
                    let values_only = definitions.iter().all(|definition| {
                        is_value(definition.kind(self.db())) && !self.is_function_too(*definition)
                    });
                    return (!functions_only && !values_only).then_some(Awaitability::Unknown);
                };
                match definition.kind(self.db()) {
                    DefinitionKind::Function(function) => {
                        self.awaitability_of_function(function.node(self.module()))
                    }
                    // `work = wrap(work)`: the type engine goes by the `def`, whatever the wrapper
                    // made of it.
                    DefinitionKind::Assignment(_) if self.is_function_too(*definition) => {
                        Some(Awaitability::Unknown)
                    }
                    DefinitionKind::Assignment(assignment)
                        if assignment.unpack().is_none()
                            && self.is_coroutine_function(assignment.value(self.module())) =>
                    {
                        Some(Awaitability::Coroutine)
                    }
                    DefinitionKind::Assignment(assignment)
                        if assignment.unpack().is_none()
                            && assignment.value(self.module()).is_attribute_expr()
                            && self.awaitability_of_callee(assignment.value(self.module()))
                                == Some(Awaitability::No) =>
                    {
                        Some(Awaitability::No)
                    }
                    DefinitionKind::For(clause)
                        if !clause.is_async()
                            && self.takes_coroutine_functions(
                                name,
                                clause.target_kind(),
                                clause.iterable(self.module()),
                            ) =>
                    {
                        Some(Awaitability::Coroutine)
                    }
                    // The type engine goes by what stands in a collection at first.
                    DefinitionKind::For(_) | DefinitionKind::Comprehension(_) => self
                        .awaitability_by_callable(callee)
                        .or(Some(Awaitability::Unknown)),
                    DefinitionKind::LambdaParameter(_) => Some(Awaitability::Unknown),
                    _ => self
                        .awaitability_of_callee(callee)
                        .or_else(|| self.awaitability_by_callable(callee)),
                }
            }
            Expr::Attribute(attribute) => {
                let own = self
                    .names()
                    .define_function(&attribute.attr)
                    .then(|| self.class_of_receiver(&attribute.value))
                    .flatten();
                let own = own.and_then(|class| self.index().try_definition(class));
                if let Some(class) = own.and_then(|class| Class::of(self, class))
                    && class.rebinds_otherwise(&attribute.attr)
                {
                    return Some(Awaitability::Unknown);
                }
                self.awaitability_of_callee(callee)
                    .or_else(|| self.awaitability_by_callable(callee))
                    .or_else(|| self.awaitability_by_signatures(attribute))
            }
            _ => None,
        }
    }

    /// What awaiting the value of a call would mean, where what is called has several signatures and all of
    /// them say the same. Which of them is meant depends on the types of what it is given.
    fn awaitability_by_signatures(&self, callee: &ast::ExprAttribute) -> Option<Awaitability> {
        let signatures = self.signatures_in_sight(callee);
        if signatures.len() < 2 {
            return None;
        }
        let mut answers = signatures.iter().map(|signature| {
            let own = self.of_function(signature);
            let node = signature.node(self.db())?;
            let mut decorators = node.decorator_list.iter();
            let is_kept = decorators.all(|decorator| {
                let path = &decorator.expression;
                own.is_overload(path) || own.keeps_call(path)
            });
            if !is_kept {
                return None;
            }
            own.awaitability_of_signature(node)
        });
        let first = answers.next()??;
        answers.all(|other| other == Some(first)).then_some(first)
    }

    /// Whether calling a function means the same with a decorator.
    fn keeps_call(&self, decorator: &Expr) -> bool {
        self.is_kept_by(decorator)
            || self.means(
                decorator,
                &["builtins.classmethod", "builtins.staticmethod"],
            )
    }

    /// Whether a decorator says that a function is one of several signatures of another one.
    pub fn is_overload(&self, decorator: &Expr) -> bool {
        self.means(decorator, &OVERLOADS)
            // The module that has it does not import it.
            || matches!(decorator, Expr::Name(name) if name.id.as_str() == "overload")
                && self.module_name().as_deref() == Some("typing")
    }

    pub(crate) fn is_builtin(&self, name: &ast::ExprName) -> bool {
        matches!(self.names().explained(&name.id), Some(Explained::Builtin))
    }

    /// Whether each of some bindings gives its name to a coroutine function, those aside that give it to
    /// `None`: to call that is an error.
    fn are_coroutine_functions(&self, definitions: &[Definition<'_>]) -> bool {
        let is_none = |definition: &Definition<'_>| {
            let value = definition.kind(self.db()).value(self.module());
            value.is_some_and(Expr::is_none_literal_expr)
        };
        let mut others = definitions
            .iter()
            .filter(|definition| !is_none(definition))
            .peekable();
        others.peek().is_some()
            && others.all(|definition| match definition.kind(self.db()) {
                DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                    self.is_coroutine_function(assignment.value(self.module()))
                }
                DefinitionKind::Function(function) => {
                    let function = function.node(self.module());
                    self.awaitability_of_function(function) == Some(Awaitability::Coroutine)
                }
                _ => false,
            })
    }

    /// Whether a value is plainly a coroutine function.
    pub(crate) fn is_coroutine_function(&self, value: &Expr) -> bool {
        match value {
            Expr::If(conditional) => {
                self.is_coroutine_function(&conditional.body)
                    && self.is_coroutine_function(&conditional.orelse)
            }
            Expr::Call(call) if self.means(&call.func, &["functools.partial"]) => call
                .arguments
                .args
                .first()
                .is_some_and(|function| self.is_coroutine_function(function)),
            Expr::Call(call) => self.makes_coroutine_functions(&call.func),
            value => {
                let known = self
                    .awaitability_of_callee(value)
                    .or_else(|| self.awaitability_said(value));
                known == Some(Awaitability::Coroutine)
            }
        }
    }

    /// Whether a function without an annotation gives nothing but a coroutine function that it defines.
    fn makes_coroutine_functions(&self, callee: &Expr) -> bool {
        let Some(function) = self.function_in_sight(callee) else {
            return false;
        };
        function.node(self.db()).is_some_and(|node| {
            !node.is_async
                && node.returns.is_none()
                && node.decorator_list.is_empty()
                && always_returns(&node.body)
                && self
                    .of_function(&function)
                    .returns_coroutine_functions(&node.body)
        })
    }

    /// Whether all that code of this file returns are coroutine functions that it defines.
    pub(crate) fn returns_coroutine_functions(&self, body: &[Stmt]) -> bool {
        let returned = self.functions_returned(body);
        returned.is_some_and(|functions| {
            functions.into_iter().all(|function| {
                self.awaitability_of_function(function) == Some(Awaitability::Coroutine)
            })
        })
    }

    /// The functions that are all that code of this file returns.
    pub(crate) fn functions_returned(&self, body: &[Stmt]) -> Option<Vec<&ast::StmtFunctionDef>> {
        let functions = returned_by(body).into_iter().map(|value| {
            let name = match value? {
                // `return cast(F, wrapper)`
                Expr::Call(call) if self.means(&call.func, &CASTS) => call.arguments.args.get(1)?,
                value => value,
            };
            match self.bindings(name.as_name_expr()?)?.as_slice() {
                [definition] => match definition.kind(self.db()) {
                    DefinitionKind::Function(function) => Some(function.node(self.module())),
                    _ => None,
                },
                _ => None,
            }
        });
        let functions = functions.collect::<Option<Vec<_>>>()?;
        (!functions.is_empty()).then_some(functions)
    }

    /// Whether a decorator is in sight, and makes a coroutine function of one, or of whatever it is given.
    fn wraps_asynchronously(&self, decorator: &Expr, is_asynchronous: bool) -> bool {
        let callee = match decorator {
            Expr::Call(call) => &*call.func,
            callee => callee,
        };
        let Some(maker) = self.function_in_sight(callee) else {
            return false;
        };
        // Of an object, it may be that of a subclass.
        if let Expr::Attribute(method) = callee
            && let Some(class) = self.class_of_callee(method)
        {
            self.note_kept(class, &method.attr);
        }
        let own = self.of_function(&maker);
        let gives_wrappers = |node: &ast::StmtFunctionDef| {
            if !decorator.is_call_expr() {
                return own.gives_wrappers(node, is_asynchronous);
            }
            // `@retry(3)`
            own.is_open(node)
                && always_returns(&node.body)
                && own.functions_returned(&node.body).is_some_and(|inner| {
                    inner
                        .into_iter()
                        .all(|inner| own.gives_wrappers(inner, is_asynchronous))
                })
        };
        // A wrapper may have decorators as well.
        let node = maker.node(self.db());
        self.look_again(|| node.filter(|node| gives_wrappers(node)))
            .is_some()
    }

    /// Whether a function of this file gives nothing but coroutine functions where it is given one, or whatever
    /// it is given.
    fn gives_wrappers(&self, function: &ast::StmtFunctionDef, is_asynchronous: bool) -> bool {
        let asks_for_it = |test: &Expr| {
            matches!(test, Expr::Call(asked)
                if self.means(&asked.func, &ASKING)
                    && matches!(&*asked.arguments.args, [asked] if self.is_given_first(function, asked)))
        };
        let mut body = function.body.as_slice();
        let branch = body.iter().position(|statement| {
            matches!(statement, Stmt::If(branch) if is_asynchronous && asks_for_it(&branch.test))
        });
        if let Some(place) = branch
            && let (before, [Stmt::If(branch), ..]) = body.split_at(place)
        {
            if !returned_by(before).is_empty() {
                return false;
            }
            body = &branch.body;
        }
        if !self.is_open(function) || !always_returns(body) {
            return false;
        }
        let gives_asynchronous = || {
            self.functions_returned(body).is_some_and(|functions| {
                functions.into_iter().all(|inner| {
                    inner.is_async
                        && self.awaitability_of_function(inner) == Some(Awaitability::Coroutine)
                        || is_asynchronous && self.passes_on(function, inner)
                })
            })
        };
        is_asynchronous && self.returns_given(function, body) || gives_asynchronous()
    }

    /// Whether a plain wrapper gives what the function gives that is wrapped.
    fn passes_on(&self, decorator: &ast::StmtFunctionDef, wrapper: &ast::StmtFunctionDef) -> bool {
        let mut returned = returned_by(&wrapper.body).into_iter();
        !wrapper.is_async
            && wrapper.returns.is_none()
            && self.keeps_function(wrapper)
            && always_returns(&wrapper.body)
            && returned.all(|value| {
                matches!(value, Some(Expr::Call(call))
                    if self.is_given_first(decorator, &call.func)
                        && last_name(&call.func)
                            .is_some_and(|name| !wrapper.parameters.includes(name)))
            })
    }

    /// Whether all that a function of this file returns is what it is given first.
    pub(crate) fn gives_back(&self, function: &ast::StmtFunctionDef) -> bool {
        self.returns_given(function, &function.body)
    }

    /// The same of some of its code.
    fn returns_given(&self, function: &ast::StmtFunctionDef, body: &[Stmt]) -> bool {
        let returned = returned_by(body);
        !returned.is_empty()
            && returned
                .into_iter()
                .all(|value| value.is_some_and(|value| self.is_given_first(function, value)))
    }

    /// Whether a value is the first parameter of a function, behind the object whose method it is, and nothing else
    /// has taken its place.
    fn is_given_first(&self, function: &ast::StmtFunctionDef, value: &Expr) -> bool {
        let Expr::Name(name) = value else {
            return false;
        };
        let mut parameters = function.parameters.iter_non_variadic_params();
        let first = parameters.nth(usize::from(self.is_method(function)));
        first.is_some_and(|first| first.name().id == name.id)
            && matches!(self.bindings(name).as_deref(), Some([definition])
                if definition.kind(self.db()).is_parameter_def())
    }

    /// Whether nothing is said of what a plain function gives, but that it can be called.
    fn is_open(&self, function: &ast::StmtFunctionDef) -> bool {
        !function.is_async
            && function.decorator_list.is_empty()
            && function
                .returns
                .as_deref()
                .is_none_or(|annotation| self.means(annotation, &OPEN))
    }

    fn awaitability_of_callee(&self, callee: &Expr) -> Option<Awaitability> {
        let function = self.function_in_sight(callee)?;
        let own = self.of_function(&function);
        own.awaitability_of_function(function.node(self.db())?)
    }

    /// What awaiting what a function of this file gives would mean, where that is in sight.
    pub fn awaitability_of_function(
        &self,
        function: &ast::StmtFunctionDef,
    ) -> Option<Awaitability> {
        let mut is_wrapped = false;
        // It is asked for with `iscoroutinefunction`, and a generator is none.
        let mut is_asynchronous = function.is_async
            && !self
                .function_scope(function)?
                .is_generator_function(self.index());
        for decorator in function.decorator_list.iter().rev() {
            if self.keeps_call(&decorator.expression) {
                continue;
            }
            if !self.wraps_asynchronously(&decorator.expression, is_asynchronous) {
                return None;
            }
            is_wrapped = true;
            is_asynchronous = true;
        }
        if is_wrapped {
            Some(Awaitability::Coroutine)
        } else {
            self.awaitability_of_signature(function)
        }
    }

    /// The same of a function whose decorators make no difference.
    fn awaitability_of_signature(&self, function: &ast::StmtFunctionDef) -> Option<Awaitability> {
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
        match function.returns.as_deref() {
            None => (!returns_call(function)).then_some(Awaitability::Unknown),
            Some(annotation) => self.awaitability_by(annotation),
        }
    }

    /// What awaiting the value of a call would mean that the type engine does not know, because the
    /// function it calls has no annotation: judged by what that function returns.
    pub(crate) fn awaitability_of_body(&self, call: &ast::ExprCall) -> Awaitability {
        self.awaitability_of_returned(call, BODIES)
    }

    fn awaitability_of_returned(&self, call: &ast::ExprCall, depth: Limit) -> Awaitability {
        let Some(depth) = depth.less() else {
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
        let returned = returned_by(&node.body);
        let all_coroutines = !returned.is_empty()
            && returned.iter().all(|value| {
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
            Expr::Call(call) => self.makes_async_generator(call),
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

    /// Whether an asynchronous generator function is called.
    pub fn makes_async_generator(&self, call: &ast::ExprCall) -> bool {
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
}

/// What code returns: `None` for nothing, and where it yields.
pub fn returned_by(body: &[Stmt]) -> Vec<Option<&Expr>> {
    let mut returned = Returned(Vec::new());
    returned.visit_body(body);
    returned.0
}

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

/// Whether a function returns the value of a call.
fn returns_call(function: &ast::StmtFunctionDef) -> bool {
    !crate::facts::awaitable_names::returned_calls(function).is_empty()
}

/// Whether a definition gives its name a value that the type engine knows as well as its type: no item of a
/// collection, and nothing that a class or a module has.
fn is_value(kind: &DefinitionKind<'_>) -> bool {
    matches!(
        kind,
        DefinitionKind::Assignment(_)
            | DefinitionKind::AnnotatedAssignment(_)
            | DefinitionKind::NamedExpression(_)
            | DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(_))
    )
}
