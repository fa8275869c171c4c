//! What a compiler refuses although it parses: a late import from `__future__`, `nonlocal` without a binding, `await`
//! in a plain function.

use std::cell::RefCell;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, ModModule, PythonVersion, Stmt};
use ruff_python_parser::semantic_errors::{
    LazyImportContext, SemanticSyntaxChecker, SemanticSyntaxContext, SemanticSyntaxError,
};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

/// The errors in a module, each as the sentence that says it, in the order of their places. Which versions of Python
/// know what is written plays no part.
pub fn of(module: &ModModule, source: &str) -> Vec<String> {
    let mut visitor = Errors {
        checker: SemanticSyntaxChecker::new(),
        context: Context {
            source,
            scopes: vec![Scope::Module],
            loops: 0,
            errors: RefCell::default(),
        },
    };
    visitor.visit_body(&module.body);
    let mut errors = visitor.context.errors.into_inner();
    errors.sort_by_key(|error| error.range.start());
    errors.iter().map(ToString::to_string).collect()
}

/// A scope around what is looked at.
enum Scope<'a> {
    Module,
    Class,
    Function { is_async: bool, names: Names<'a> },
    Lambda(FxHashSet<&'a str>),
    Comprehension { is_async: bool, is_generator: bool },
}

/// What the body of a function says of its names.
#[derive(Default)]
struct Names<'a> {
    parameters: FxHashSet<&'a str>,
    bound: FxHashSet<&'a str>,
    globals: FxHashMap<&'a str, TextRange>,
    nonlocals: FxHashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(function: &'a ast::StmtFunctionDef) -> Self {
        let mut names = Self {
            parameters: names_of(&function.parameters),
            ..Self::default()
        };
        names.bound.clone_from(&names.parameters);
        names.visit_body(&function.body);
        for name in names.globals.keys().chain(&names.nonlocals) {
            names.bound.remove(name);
        }
        names
    }
}

fn names_of(parameters: &ast::Parameters) -> FxHashSet<&str> {
    let parameters = parameters.iter();
    parameters
        .map(|parameter| parameter.name().as_str())
        .collect()
}

impl<'a> SourceOrderVisitor<'a> for Names<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if name.ctx != ExprContext::Load => {
                self.bound.insert(&name.id);
            }
            AnyNodeRef::Alias(alias) => {
                let bound = match &alias.asname {
                    Some(name) => Some(name.as_str()),
                    None => alias.name.split('.').next(),
                };
                self.bound.extend(bound);
            }
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                self.bound.extend(handler.name.as_deref());
            }
            AnyNodeRef::PatternMatchAs(pattern) => self.bound.extend(pattern.name.as_deref()),
            AnyNodeRef::PatternMatchStar(pattern) => self.bound.extend(pattern.name.as_deref()),
            AnyNodeRef::PatternMatchMapping(pattern) => self.bound.extend(pattern.rest.as_deref()),
            AnyNodeRef::StmtGlobal(statement) => {
                let names = statement.names.iter();
                self.globals
                    .extend(names.map(|name| (name.as_str(), name.range())));
            }
            AnyNodeRef::StmtNonlocal(statement) => {
                self.nonlocals
                    .extend(statement.names.iter().map(ast::Identifier::as_str));
            }
            AnyNodeRef::StmtFunctionDef(function) => {
                self.bound.insert(&function.name);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtClassDef(class) => {
                self.bound.insert(&class.name);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

struct Context<'a> {
    source: &'a str,
    scopes: Vec<Scope<'a>>,
    /// How many loops of the function are around.
    loops: usize,
    errors: RefCell<Vec<SemanticSyntaxError>>,
}

impl<'a> Context<'a> {
    /// The scopes, from the inside out, without comprehensions.
    fn blocks(&self) -> impl Iterator<Item = &Scope<'a>> {
        let is_block = |scope: &&Scope<'a>| !matches!(scope, Scope::Comprehension { .. });
        self.scopes.iter().rev().filter(is_block)
    }
}

impl SemanticSyntaxContext for Context<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        false
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        None
    }

    fn python_version(&self) -> PythonVersion {
        PythonVersion::latest()
    }

    fn source(&self) -> &str {
        self.source
    }

    fn global(&self, name: &str) -> Option<TextRange> {
        match self.blocks().next()? {
            Scope::Function { names, .. } => names.globals.get(name).copied(),
            _ => None,
        }
    }

    fn has_nonlocal_binding(&self, name: &str) -> bool {
        self.blocks().skip(1).any(|scope| match scope {
            Scope::Function { names, .. } => names.bound.contains(name),
            Scope::Lambda(parameters) => parameters.contains(name),
            _ => false,
        })
    }

    fn in_async_context(&self) -> bool {
        for scope in self.scopes.iter().rev() {
            match scope {
                Scope::Function { is_async, .. } => return *is_async,
                Scope::Class | Scope::Lambda(_) => return false,
                Scope::Comprehension { is_generator, .. } if *is_generator => return true,
                Scope::Comprehension { .. } => {}
                // Notebooks, snippets and the shell await there.
                Scope::Module => return true,
            }
        }
        true
    }

    fn in_await_allowed_context(&self) -> bool {
        !matches!(self.blocks().next(), Some(Scope::Class))
    }

    fn in_yield_allowed_context(&self) -> bool {
        matches!(
            self.scopes.last(),
            Some(Scope::Function { .. } | Scope::Lambda(_))
        )
    }

    fn in_sync_comprehension(&self) -> bool {
        self.scopes.iter().rev().any(|scope| {
            matches!(
                scope,
                Scope::Comprehension {
                    is_async: false,
                    is_generator: false
                }
            )
        })
    }

    fn in_class_body_comprehension(&self) -> bool {
        matches!(self.blocks().next(), Some(Scope::Class))
    }

    fn in_module_scope(&self) -> bool {
        self.scopes.len() == 1
    }

    fn in_function_scope(&self) -> bool {
        matches!(self.blocks().next(), Some(Scope::Function { .. }))
    }

    fn in_generator_context(&self) -> bool {
        matches!(
            self.scopes.last(),
            Some(Scope::Comprehension {
                is_generator: true,
                ..
            })
        )
    }

    fn in_notebook(&self) -> bool {
        false
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        self.errors.borrow_mut().push(error);
    }

    fn in_loop_context(&self) -> bool {
        self.loops > 0
    }

    fn is_bound_parameter(&self, name: &str) -> bool {
        match self.blocks().next() {
            Some(Scope::Function { names, .. }) => names.parameters.contains(name),
            Some(Scope::Lambda(parameters)) => parameters.contains(name),
            _ => false,
        }
    }
}

struct Errors<'a> {
    checker: SemanticSyntaxChecker,
    context: Context<'a>,
}

impl<'a> Errors<'a> {
    fn within(&mut self, scope: Scope<'a>, look: impl FnOnce(&mut Self)) {
        let loops = std::mem::take(&mut self.context.loops);
        self.context.scopes.push(scope);
        look(self);
        self.context.scopes.pop();
        self.context.loops = loops;
    }

    fn comprehension(
        &mut self,
        generators: &'a [ast::Comprehension],
        is_generator: bool,
        parts: &[&'a Expr],
    ) {
        // The first iterable is looked at outside.
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        let scope = Scope::Comprehension {
            is_async: generators.iter().any(|generator| generator.is_async),
            is_generator,
        };
        self.within(scope, |errors| {
            for (number, generator) in generators.iter().enumerate() {
                if number > 0 {
                    errors.visit_expr(&generator.iter);
                }
                errors.visit_expr(&generator.target);
                for condition in &generator.ifs {
                    errors.visit_expr(condition);
                }
            }
            for part in parts {
                errors.visit_expr(part);
            }
        });
    }
}

impl<'a> Visitor<'a> for Errors<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.checker.visit_stmt(statement, &self.context);
        match statement {
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.visit_decorator(decorator);
                }
                self.visit_parameters(&function.parameters);
                let scope = Scope::Function {
                    is_async: function.is_async,
                    names: Names::of(function),
                };
                self.within(scope, |errors| errors.visit_body(&function.body));
            }
            Stmt::ClassDef(class) => {
                for decorator in &class.decorator_list {
                    self.visit_decorator(decorator);
                }
                if let Some(arguments) = &class.arguments {
                    self.visit_arguments(arguments);
                }
                self.within(Scope::Class, |errors| errors.visit_body(&class.body));
            }
            Stmt::For(inner) => {
                self.visit_expr(&inner.iter);
                self.visit_expr(&inner.target);
                self.context.loops += 1;
                self.visit_body(&inner.body);
                self.context.loops -= 1;
                self.visit_body(&inner.orelse);
            }
            Stmt::While(inner) => {
                self.visit_expr(&inner.test);
                self.context.loops += 1;
                self.visit_body(&inner.body);
                self.context.loops -= 1;
                self.visit_body(&inner.orelse);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        self.checker.visit_expr(expr, &self.context);
        match expr {
            Expr::Lambda(lambda) => {
                let mut parameters = FxHashSet::default();
                if let Some(own) = &lambda.parameters {
                    self.visit_parameters(own);
                    parameters = names_of(own);
                }
                self.within(Scope::Lambda(parameters), |errors| {
                    errors.visit_expr(&lambda.body);
                });
            }
            Expr::ListComp(inner) => self.comprehension(&inner.generators, false, &[&inner.elt]),
            Expr::SetComp(inner) => self.comprehension(&inner.generators, false, &[&inner.elt]),
            Expr::DictComp(inner) => {
                let mut parts: Vec<&Expr> = inner.key.iter().map(|key| &**key).collect();
                parts.push(&inner.value);
                self.comprehension(&inner.generators, false, &parts);
            }
            Expr::Generator(inner) => self.comprehension(&inner.generators, true, &[&inner.elt]),
            _ => walk_expr(self, expr),
        }
    }
}
