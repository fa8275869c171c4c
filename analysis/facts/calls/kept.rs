//! Collections that several functions may have: which of them the code changes in place, and which of them it goes
//! through step by step, so that other threads may run in between.

use asyncfix_knowledge::conduct::{
    Taking, method_changes, method_writes_each, takes, takes_at_once,
};
use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::lines::one_line;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use serde::{Deserialize, Serialize};

use super::own::{Extent, root};
use super::values::Value;
use super::walk::Walk;
use super::writer::Writer;
use super::{Path, RECEIVER, Target, is_constructor};
use crate::facts::name::Name;
use crate::facts::scopes::{Binding, Kind};
use crate::limits::{BINDINGS, Limit};

/// Methods of collections that give something in them.
const LOOKUPS: [&str; 2] = ["get", "setdefault"];

/// Methods that show what is in a collection.
pub(super) const VIEWS: [&str; 3] = ["items", "keys", "values"];

/// Functions that go through what they are given as far as they are asked for more.
const LAZY: [&str; 6] = ["enumerate", "filter", "iter", "map", "reversed", "zip"];

/// A collection that several functions may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kept {
    /// An attribute of the instances of a class, or of what a function gives; each of them where it has no name.
    Member(Target, Name),
    /// A name of the module.
    Global(Name),
    /// What can be imported by this path.
    Import(Path),
}

/// A collection of others that a function goes through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GoneThrough {
    pub(crate) kept: Kept,
    /// How it is written.
    pub(crate) written: Name,
}

impl<'a> Writer<'_, 'a> {
    /// The collection that an expression stands for, or is part of, and what stands at the start of it.
    fn kept(&self, expr: &'a Expr, scope: usize, steps: Limit) -> Option<(Kept, &'a Expr)> {
        let steps = steps.less()?;
        match expr {
            Expr::Subscript(item) => self.kept(&item.value, scope, steps),
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) if LOOKUPS.contains(&method.attr.as_str()) => {
                    self.kept(&method.value, scope, steps)
                }
                _ => None,
            },
            Expr::Attribute(attribute) => {
                let kept = match self.value(&attribute.value, scope, BINDINGS) {
                    Some(Value::Instance(target) | Value::Target(target @ Target::Class(_))) => {
                        Kept::Member(target, Name::new(&attribute.attr))
                    }
                    Some(Value::Target(Target::Import(path))) => {
                        Kept::Import(path.attribute(&attribute.attr))
                    }
                    _ => return self.kept(&attribute.value, scope, steps),
                };
                Some((kept, root(expr)))
            }
            Expr::Name(name) => self.kept_name(expr, &name.id, scope, steps),
            _ => None,
        }
    }

    fn kept_name(
        &self,
        expr: &'a Expr,
        name: &'a str,
        scope: usize,
        steps: Limit,
    ) -> Option<(Kept, &'a Expr)> {
        let at = if self.scopes.shared.contains(name) {
            0
        } else {
            self.scope_of(name, scope)?
        };
        let own = self.scopes.all.get(at)?;
        let bindings = own.bindings.get(name)?.as_slice();
        match (own.kind, bindings) {
            (Kind::Module, [Binding::ImportFrom(..)]) => {
                match self.value_of_name(name, at, steps) {
                    Some(Value::Target(Target::Import(path))) => Some((Kept::Import(path), expr)),
                    _ => None,
                }
            }
            (Kind::Module, all) => {
                let is_value = |binding: &Binding<'a>| {
                    matches!(binding, Binding::Value(_) | Binding::Annotated(..))
                };
                all.iter()
                    .any(is_value)
                    .then(|| (Kept::Global(Name::new(name)), expr))
            }
            (Kind::Function(_), [Binding::Value(value)]) if at == scope => {
                self.kept(value, at, steps)
            }
            _ => None,
        }
    }

    /// Adds the collection of others that a part of a function, whose scope has this number, changes in place.
    pub(super) fn add_changed(
        &self,
        changed: &mut Vec<Kept>,
        node: AnyNodeRef<'a>,
        function: &'a ast::StmtFunctionDef,
        scope: usize,
    ) {
        match node {
            AnyNodeRef::StmtAssign(statement) => {
                for target in &statement.targets {
                    self.add_changed_target(changed, target, function, scope);
                }
            }
            AnyNodeRef::StmtDelete(statement) => {
                for target in &statement.targets {
                    self.add_changed_target(changed, target, function, scope);
                }
            }
            AnyNodeRef::StmtAugAssign(statement) => {
                self.add_changed_value(changed, &statement.target, function, scope);
            }
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && method_changes(&method.attr)
                {
                    self.add_changed_value(changed, &method.value, function, scope);
                }
            }
            _ => {}
        }
    }

    fn add_changed_target(
        &self,
        changed: &mut Vec<Kept>,
        target: &'a Expr,
        function: &'a ast::StmtFunctionDef,
        scope: usize,
    ) {
        match target {
            Expr::Subscript(item) => {
                self.add_changed_value(changed, &item.value, function, scope);
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.add_changed_target(changed, target, function, scope);
                }
            }
            _ => {}
        }
    }

    fn add_changed_value(
        &self,
        changed: &mut Vec<Kept>,
        value: &'a Expr,
        function: &'a ast::StmtFunctionDef,
        scope: usize,
    ) {
        let Some((kept, start)) = self.kept(value, scope, BINDINGS) else {
            return;
        };
        // Nobody else has yet what a constructor makes.
        let is_new = is_constructor(&function.name) && self.is_receiver(start, function, scope);
        if !is_new && !changed.contains(&kept) {
            changed.push(kept);
        }
    }

    /// Whether an expression is the object whose method a function is.
    fn is_receiver(&self, expr: &Expr, function: &ast::StmtFunctionDef, scope: usize) -> bool {
        let own = self.scopes.all.get(scope);
        matches!((expr, own), (Expr::Name(name), Some(own))
            if self.scopes.own_class(function, own.parent, &name.id).is_some())
    }

    /// The class or function that what a name of the module stands for is made by, where it may be one of the project.
    pub(super) fn made_by(&self, name: &str) -> Option<Target> {
        match self.value_of_name(name, 0, BINDINGS)? {
            Value::Instance(target @ Target::Class(_)) => Some(target),
            Value::Instance(Target::Import(path)) => {
                let first = path.below.split('.').next().unwrap_or_default();
                let is_foreign = path.level == 0 && (first == "builtins" || is_stdlib(first));
                (!is_foreign).then_some(Target::Import(path))
            }
            _ => None,
        }
    }

    /// The class that a function says it gives an instance of.
    pub(super) fn says_it_gives(
        &self,
        function: &'a ast::StmtFunctionDef,
        scope: usize,
    ) -> Option<Target> {
        let parent = self.scopes.all.get(scope)?.parent;
        let returns = function.returns.as_deref()?;
        let target = match returns {
            Expr::Name(_) | Expr::Attribute(_) => self.target(returns, parent),
            _ => return None,
        };
        match &target {
            Target::Class(_) => Some(target),
            Target::Import(path) => {
                let first = path.below.split('.').next().unwrap_or_default();
                let is_foreign = path.level == 0 && (first == "builtins" || is_stdlib(first));
                (!is_foreign).then_some(target)
            }
            _ => None,
        }
    }
}

impl<'a> Walk<'_, '_, 'a> {
    /// Whose an object is: the parameters that decide about it, among them the one that a method belongs to; `None` where
    /// others have it.
    pub(super) fn whose(&self, object: &'a Expr) -> Option<Vec<&'a str>> {
        if let Some(given) = self.own_if(object, Extent::Itself) {
            return Some(given);
        }
        if let Expr::Call(call) = object
            && matches!(self.writer.target(&call.func, self.scope), Target::Import(path)
                if path.dotted() == Some("builtins.super"))
        {
            let is_new = is_constructor(&self.function.name);
            return Some(if is_new { Vec::new() } else { vec![RECEIVER] });
        }
        let Expr::Name(name) = object else {
            return None;
        };
        if self.inner(name).is_some() {
            return None;
        }
        if self.writer.is_receiver(object, self.function, self.scope) {
            return Some(vec![RECEIVER]);
        }
        let own = self.writer.scopes.all.get(self.scope)?;
        match own.bindings.get(name.id.as_str())?.as_slice() {
            [Binding::Parameter(parameter)] => Some(vec![parameter.name().as_str()]),
            _ => None,
        }
    }

    /// Notes what a call goes through step by step.
    pub(super) fn steps_through_arguments(&mut self, call: &'a ast::ExprCall) {
        let values = &*call.arguments.args;
        let keywords = &call.arguments.keywords;
        let has_keyword = |name: &str| {
            keywords
                .iter()
                .any(|keyword| keyword.arg.as_deref() == Some(name))
        };
        let path = match self.writer.target(&call.func, self.scope) {
            Target::Import(path) => path.dotted().map(str::to_owned),
            _ => None,
        };
        let (value, is_deep) = match path.as_deref() {
            Some(path) if takes(path) == Some(Taking::Deeply) => (
                values.first().filter(|_| !takes_at_once(path, has_keyword)),
                true,
            ),
            // It runs a function in between.
            Some("builtins.map" | "builtins.filter") => (values.get(1), false),
            None if matches!(&*call.func, Expr::Attribute(method) if method_writes_each(&method.attr)) => {
                (values.first(), false)
            }
            _ => return,
        };
        if let Some(value) = value {
            self.steps_through(value, is_deep);
        }
    }

    /// Notes that code goes through a value, and through what is in it if it `is_deep`, while others may change it.
    pub(super) fn steps_through(&mut self, value: &'a Expr, is_deep: bool) {
        match value {
            Expr::Starred(starred) => self.steps_through(&starred.value, is_deep),
            Expr::Named(named) => self.steps_through(&named.value, is_deep),
            Expr::If(either) => {
                self.steps_through(&either.body, is_deep);
                self.steps_through(&either.orelse, is_deep);
            }
            Expr::BoolOp(operation) => {
                for value in &operation.values {
                    self.steps_through(value, is_deep);
                }
            }
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. })
                if is_deep =>
            {
                for value in elts {
                    self.steps_through(value, true);
                }
            }
            Expr::Dict(dict) if is_deep => {
                for item in &dict.items {
                    self.steps_through(&item.value, true);
                }
            }
            Expr::Call(call) => self.steps_through_view(call),
            Expr::Name(name) if is_deep => {
                let made = self.literal_behind(&name.id);
                match made {
                    Some(made) => self.steps_through(made, true),
                    None => self.stepped_through(value, true),
                }
            }
            Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_) => {
                self.stepped_through(value, is_deep);
            }
            _ => {}
        }
    }

    /// `self.users.items()`, `enumerate(self.rows)`
    fn steps_through_view(&mut self, call: &'a ast::ExprCall) {
        match &*call.func {
            Expr::Attribute(method)
                if VIEWS.contains(&method.attr.as_str()) && call.arguments.is_empty() =>
            {
                self.steps_through(&method.value, false);
            }
            Expr::Name(name) if LAZY.contains(&name.id.as_str()) => {
                for value in &call.arguments.args {
                    self.steps_through(value, false);
                }
            }
            _ => {}
        }
    }

    /// The collection that a local name was given where it was written down.
    fn literal_behind(&self, name: &str) -> Option<&'a Expr> {
        let own = self.writer.scopes.all.get(self.scope)?;
        match own.bindings.get(name)?.as_slice() {
            [Binding::Value(value) | Binding::Annotated(_, Some(value))] => match value {
                Expr::List(_) | Expr::Tuple(_) | Expr::Set(_) | Expr::Dict(_) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    fn stepped_through(&mut self, value: &'a Expr, is_deep: bool) {
        let found = match self.writer.kept(value, self.scope, BINDINGS) {
            // `dataclasses.asdict(self)`
            None if is_deep => match self.value(value) {
                Some(Value::Instance(target)) => {
                    Some((Kept::Member(target, Name::new_static("")), value))
                }
                _ => None,
            },
            found => found,
        };
        let Some((kept, start)) = found else {
            return;
        };
        let written = Name::new(one_line(self.writer.text(value)));
        if let Some(given) = self.whose(start) {
            self.needs_kept(&written, &given, &kept);
            return;
        }
        let gone = GoneThrough { kept, written };
        if !self.written.gone_through.contains(&gone) {
            self.written.gone_through.push(gone);
        }
    }
}
