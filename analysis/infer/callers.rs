//! What a parameter without an annotation is given by the calls of its function in the same file, or by the library
//! that calls it.

use asyncfix_knowledge::decorators::KEEPING;
use asyncfix_knowledge::handlers::{Handler, handlers_in_class, handlers_of};
use asyncfix_syntax::queries::{called, last_name};
use ruff_db::parsed::parsed_module;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{
    self as ast, AnyNodeRef, AnyRootNodeRef, Expr, HasNodeIndex, NodeIndex, Stmt,
};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};
use ty_python_core::ProgramFile;
use ty_python_core::definition::Definition;
use ty_python_semantic::Db;

use crate::facts::key::{Key, name_key};
use crate::facts::scopes::place_of;
use crate::limits::{ABOVE, GIVING_CALLS, Limit, STEPS};
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

/// The calls of a file, by the keys of the last names of what they call.
#[derive(Debug, Default)]
struct Callers {
    calls: FxHashMap<Key, Vec<NodeIndex>>,
    /// The names that are read otherwise than to call what they stand for: it may be called anywhere.
    handed: FxHashSet<Key>,
    /// The callees, and what only asks for a class.
    passed: FxHashSet<TextRange>,
}

#[salsa::tracked(returns(ref), no_eq)]
fn callers_in<'db>(db: &'db dyn Db, file: ProgramFile<'db>) -> Callers {
    let module = parsed_module(db, file.python_file(db)).load(db);
    let mut callers = Callers::default();
    callers.visit_body(&module.syntax().body);
    callers.passed = FxHashSet::default();
    callers
}

impl<'a> SourceOrderVisitor<'a> for Callers {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprCall(call) => {
                if let Some(name) = last_name(&call.func) {
                    self.passed.insert(call.func.range());
                    let calls = self.calls.entry(name_key(name)).or_default();
                    calls.push(call.node_index().load());
                    if matches!(name, "isinstance" | "issubclass" | "super") {
                        let mut given = call.arguments.args.iter();
                        self.passed.extend(given.by_ref().map(Ranged::range));
                    }
                }
            }
            AnyNodeRef::ExprName(name)
                if name.ctx.is_load() && !self.passed.contains(&name.range()) =>
            {
                self.handed.insert(name_key(&name.id));
            }
            AnyNodeRef::ExprAttribute(attribute)
                if attribute.ctx.is_load() && !self.passed.contains(&attribute.range()) =>
            {
                self.handed.insert(name_key(&attribute.attr));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn visit_annotation(&mut self, _annotation: &'a Expr) {}
}

/// The calls that give a parameter its value.
pub(super) struct GivenByCalls<'s> {
    /// What is called: the function, or the class whose constructor it is.
    pub(super) function: String,
    taken: Taken<'s>,
    pub(super) calls: Vec<&'s ast::ExprCall>,
}

/// Which argument of a call a parameter takes.
struct Taken<'n> {
    /// Its place among the positional ones, if it takes one of them.
    place: Option<usize>,
    name: &'n str,
}

impl<'db> Semantics<'db> {
    /// The class of what a library, or all calls in this file, give a parameter without an annotation. The calls only
    /// answer where it is noted what an answer relies on: other files may call the function as well.
    pub(super) fn class_given_by_callers(
        &self,
        definition: Definition<'db>,
        parameter: &ast::ParameterWithDefault,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        if parameter.annotation().is_some() {
            return None;
        }
        if let Some(class) = self.class_given_by_library(definition, parameter, steps) {
            return Some(class);
        }
        if !self.is_noting() {
            return None;
        }
        let given = self.given_by_calls(definition, parameter)?;
        let mut found = None;
        for call in given.calls {
            let Some(value) = given.taken.among(&call.arguments)?.or(parameter.default()) else {
                continue;
            };
            if value.is_none_literal_expr() {
                continue;
            }
            // A function that calls itself hands on what it was given.
            if let Expr::Name(value) = value
                && self.bindings(value).as_deref() == Some(&[definition])
            {
                continue;
            }
            let class = self.look_again(|| self.class_to(value, steps.min(STEPS)))?;
            if found.is_some_and(|found| found != class) {
                return None;
            }
            found = Some(class);
        }
        found.inspect(|_| self.note_callers(&given.function))
    }

    /// The calls of this file that give a parameter its value. `None` where others may.
    pub(super) fn given_by_calls<'s>(
        &'s self,
        definition: Definition<'db>,
        parameter: &'s ast::ParameterWithDefault,
    ) -> Option<GivenByCalls<'s>> {
        let scope = definition.file_scope(self.db());
        let function = self.index().scope(scope).node().as_function()?;
        let function = function.node(self.module());
        let keeps = |decorator: &ast::Decorator| self.means(&decorator.expression, &KEEPING);
        if !function.decorator_list.iter().all(keeps) {
            return None;
        }
        let class = self.index().class_definition_of_method(scope);
        let is_static = function
            .decorator_list
            .iter()
            .any(|decorator| self.means(&decorator.expression, &["builtins.staticmethod"]));
        let object = usize::from(class.is_some() && !is_static);
        let name = parameter.name().as_str();
        let parameters = &function.parameters;
        let mut positional = parameters.posonlyargs.iter().chain(&parameters.args);
        let place = positional.position(|other| other.name().as_str() == name);
        let taken = Taken {
            place: match place {
                Some(place) => Some(place.checked_sub(object)?),
                None => None,
            },
            name,
        };
        let own = self.index().try_definition(function)?;
        let (name, target) = match class {
            Some(class) if function.name.as_str() == "__init__" => (class.name(self.db())?, class),
            _ if function.name.starts_with("__") => return None,
            _ => (function.name.to_string(), own),
        };
        let key = name_key(&name);
        // They may stand anywhere in the file.
        let _ = self.body();
        let callers = callers_in(self.db(), self.file());
        if callers.handed.contains(&key) {
            return None;
        }
        let candidates = callers.calls.get(&key)?;
        if !GIVING_CALLS.allows(candidates.len()) {
            return None;
        }
        let mut calls = Vec::new();
        for call in candidates {
            let AnyRootNodeRef::Expr(Expr::Call(call)) = self.module().get_by_index(*call) else {
                return None;
            };
            if self.leads_to(&call.func, target)? {
                calls.push(call);
            }
        }
        Some(GivenByCalls {
            function: name,
            taken,
            calls,
        })
    }

    /// The class of what a library gives a parameter of a coroutine function that it calls.
    fn class_given_by_library(
        &self,
        definition: Definition<'db>,
        parameter: &ast::ParameterWithDefault,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        let scope = definition.file_scope(self.db());
        let function = self.index().scope(scope).node().as_function()?;
        let function = function.node(self.module());
        if !function.is_async {
            return None;
        }
        let class = self.index().class_definition_of_method(scope);
        let place = place_of(function, class.is_some(), parameter.name())?;
        let is_given = |handler: &&Handler| handler.given(&function.name, place).is_some();
        let decorating = function.decorator_list.iter().find_map(|decorator| {
            let decorator = called(decorator);
            let mut handlers = handlers_of(last_name(decorator)?).filter(is_given);
            handlers.find(|handler| self.is_of_handler(decorator, handler, steps))
        });
        let handler = decorating.or_else(|| {
            let class = class.filter(|_| function.decorator_list.is_empty())?;
            let mut handlers = handlers_in_class().filter(is_given);
            handlers.find(|handler| self.is_below(class, &handler.objects))
        })?;
        let (module, name) = handler.given(&function.name, place)?.rsplit_once('.')?;
        self.class_in_module(module, name)
    }

    /// Whether a decorator is one of those of a handler.
    fn is_of_handler(&self, decorator: &Expr, handler: &Handler, steps: Limit) -> bool {
        let functions: Vec<&str> = handler.functions.iter().map(String::as_str).collect();
        if self.means(decorator, &functions) {
            return true;
        }
        let Expr::Attribute(method) = decorator else {
            return false;
        };
        let class = self.look_again(|| self.class_to(&method.value, steps.min(STEPS)));
        class.is_some_and(|class| self.is_below(class, &handler.objects))
    }

    /// Whether a class is one of these, or inherits from one of them.
    fn is_below(&self, class: Definition<'db>, paths: &[String]) -> bool {
        let mut seen = FxHashSet::default();
        let mut pending = vec![class];
        while let Some(class) = pending.pop() {
            if !seen.insert(class) || !ABOVE.allows(seen.len()) {
                continue;
            }
            if paths.contains(&self.path_of_class(class)) {
                return true;
            }
            pending.extend(Class::of(self, class).iter().flat_map(Class::base_classes));
        }
        false
    }

    /// Whether a callee is this function, or this class. `None` where it may be.
    fn leads_to(&self, callee: &Expr, target: Definition<'db>) -> Option<bool> {
        if target.kind(self.db()).is_function_def() {
            return match callee {
                Expr::Name(name) => match self.bindings(name)?.as_slice() {
                    [one] => Some(*one == target),
                    _ => None,
                },
                Expr::Attribute(method) => Some(self.method_in_sight(method)? == target),
                _ => None,
            };
        }
        Some(self.class_named(callee)? == target)
    }
}

impl Taken<'_> {
    /// What a call gives for it: `Some(None)` for nothing, `None` where that is not seen.
    #[expect(clippy::option_option, reason = "an argument, none, or not known")]
    fn among<'e>(&self, arguments: &'e ast::Arguments) -> Option<Option<&'e Expr>> {
        if let Some(keyword) = arguments
            .keywords
            .iter()
            .find(|keyword| keyword.arg.as_deref() == Some(self.name))
        {
            return Some(Some(&keyword.value));
        }
        let is_open = arguments
            .keywords
            .iter()
            .any(|keyword| keyword.arg.is_none());
        let given = match self.place {
            Some(place) => {
                let mut before = arguments.args.iter().take(place + 1);
                if before.any(Expr::is_starred_expr) {
                    return None;
                }
                arguments.args.get(place)
            }
            None => None,
        };
        (given.is_some() || !is_open).then_some(given)
    }
}

/// The values that a variable of a module has, where functions assign to it as well: `global shared`. `None` where it
/// gets something in another way.
pub(super) fn values_of_global<'a>(body: &'a [Stmt], name: &str) -> Option<Vec<&'a Expr>> {
    let mut search = Global {
        name,
        declared: vec![true],
        values: Vec::new(),
        is_unclear: false,
    };
    search.visit_body(body);
    (!search.is_unclear).then_some(search.values)
}

struct Global<'a, 'n> {
    name: &'n str,
    /// Whether the name is that of the module in the scopes around.
    declared: Vec<bool>,
    values: Vec<&'a Expr>,
    is_unclear: bool,
}

impl Global<'_, '_> {
    fn is_it(&self, target: &Expr) -> bool {
        matches!(target, Expr::Name(name) if name.id == self.name)
    }
}

impl<'a> SourceOrderVisitor<'a> for Global<'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(function) => {
                let is_declared = function.body.iter().any(|statement| {
                    matches!(statement, Stmt::Global(global)
                        if global.names.iter().any(|name| name.as_str() == self.name))
                });
                self.is_unclear |= function.name.as_str() == self.name;
                self.declared.push(is_declared);
            }
            AnyNodeRef::StmtClassDef(_) => self.declared.push(false),
            _ if self.declared.last() != Some(&true) => {}
            AnyNodeRef::StmtAssign(assign) if assign.targets.iter().any(|it| self.is_it(it)) => {
                self.values.push(&assign.value);
                self.is_unclear |= assign.targets.len() > 1;
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtAnnAssign(assign) if self.is_it(&assign.target) => {
                self.values.extend(assign.value.as_deref());
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprName(name) if name.id == self.name && !name.ctx.is_load() => {
                self.is_unclear = true;
            }
            AnyNodeRef::Alias(alias) => {
                let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                self.is_unclear |= bound.as_str() == self.name;
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if node.is_stmt_function_def() || node.is_stmt_class_def() {
            self.declared.pop();
        }
    }
}
