//! What a function has for itself: values that it made, and values that nobody can change. Whatever it does with
//! these, no other code notices.

use asyncfix_knowledge::blocking::{hands_out, is_fresh};
use asyncfix_knowledge::conduct::{
    gives_collection, holds_arguments, is_unchanging, method_changes, method_hands_back,
};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::suites_in;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use super::values::Value;
use super::walk::Walk;
use super::writer::Writer;
use super::{Target, is_constructor};
use crate::facts::scopes::{Binding, Scope};
use crate::limits::{BINDINGS, Limit};

/// How much of a value is the function's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Extent {
    /// The value itself: what it holds may be somebody else's.
    Itself,
    /// All that can be reached from it as well.
    Whole,
}

/// A name that only part of an expression knows, and what it goes through.
pub(super) struct Inner<'a> {
    /// Where the name is known.
    pub(super) range: TextRange,
    pub(super) name: &'a str,
    /// What its values are taken from.
    pub(super) source: &'a Expr,
}

/// A question whether something is the function's own.
struct Question<'w, 's, 'a> {
    walk: &'w Walk<'w, 's, 'a>,
    /// The names that were asked about: what is made of itself is as good as what it was made of at first.
    asked: FxHashSet<(&'a str, Extent)>,
    /// The same for attributes of the object that a constructor makes.
    asked_attributes: FxHashSet<&'a str>,
    /// What names of parts of expressions go through, as far as it was asked about.
    gone_through: FxHashSet<TextRange>,
    /// The parameters that it depends on.
    given: Vec<&'a str>,
    /// Whether what any thread may use counts as well: something can be put into that, too.
    may_be_free: bool,
}

impl<'a> Walk<'_, '_, 'a> {
    /// Whether an expression gives what only this function has, or what nobody can change.
    pub(super) fn is_own(&self, expr: &'a Expr, extent: Extent) -> bool {
        self.own_if(expr, extent)
            .is_some_and(|given| given.is_empty())
    }

    /// The same under the condition that these parameters are given what nobody can change; `None` where it depends on
    /// more than that.
    pub(super) fn own_if(&self, expr: &'a Expr, extent: Extent) -> Option<Vec<&'a str>> {
        let mut question = self.question();
        question
            .is_own(expr, extent)
            .then(|| std::mem::take(&mut question.given))
    }

    /// Whether an expression gives what the function made itself: only it sees what it puts into that.
    pub(super) fn is_own_to_fill(&self, expr: &'a Expr) -> bool {
        let mut question = self.question();
        question.may_be_free = false;
        question.is_own(expr, Extent::Itself) && question.given.is_empty()
    }

    fn question(&self) -> Question<'_, '_, 'a> {
        Question {
            walk: self,
            asked: FxHashSet::default(),
            asked_attributes: FxHashSet::default(),
            gone_through: FxHashSet::default(),
            given: Vec::new(),
            may_be_free: true,
        }
    }

    /// What a name goes through that only a part of an expression knows.
    pub(super) fn inner(&self, name: &ast::ExprName) -> Option<&'a Expr> {
        let mut known = self.inner.iter().rev();
        let inner = known
            .find(|inner| inner.name == name.id && inner.range.contains_range(name.range()))?;
        Some(inner.source)
    }

    /// What an expression stands for.
    pub(super) fn value(&self, expr: &'a Expr) -> Option<Value> {
        match root(expr) {
            Expr::Name(name) if self.inner(name).is_some() => None,
            _ => self.writer.value(expr, self.scope, BINDINGS),
        }
    }

    /// Notes the names that a comprehension binds.
    pub(super) fn binds_inside(&mut self, range: TextRange, clauses: &'a [ast::Comprehension]) {
        for clause in clauses {
            self.note_inner(range, &clause.target, &clause.iter);
        }
    }

    /// Notes the names of a function that is called for each part of `source`.
    pub(super) fn binds_parameters(&mut self, lambda: &'a ast::ExprLambda, source: &'a Expr) {
        let parameters = lambda.parameters.iter();
        for parameter in parameters.flat_map(|all| all.iter_non_variadic_params()) {
            self.inner.push(Inner {
                range: lambda.range(),
                name: parameter.name(),
                source,
            });
        }
    }

    fn note_inner(&mut self, range: TextRange, target: &'a Expr, source: &'a Expr) {
        match target {
            Expr::Name(name) => self.inner.push(Inner {
                range,
                name: &name.id,
                source,
            }),
            Expr::Starred(starred) => self.note_inner(range, &starred.value, source),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.note_inner(range, target, source);
                }
            }
            _ => {}
        }
    }
}

/// What stands at the start of an expression.
pub(super) fn root(expr: &Expr) -> &Expr {
    match expr {
        Expr::Attribute(ast::ExprAttribute { value, .. })
        | Expr::Subscript(ast::ExprSubscript { value, .. }) => root(value),
        Expr::Call(call) => root(&call.func),
        other => other,
    }
}

impl<'a> Question<'_, '_, 'a> {
    fn is_own(&mut self, expr: &'a Expr, extent: Extent) -> bool {
        let is_shallow = extent == Extent::Itself;
        match expr {
            Expr::FString(_) | Expr::Compare(_) => true,
            other if other.is_literal_expr() => true,
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. }) => is_shallow || self.are_whole(elts),
            Expr::Dict(dict) => {
                is_shallow || self.are_whole(dict.items.iter().map(|item| &item.value))
            }
            Expr::ListComp(ast::ExprListComp { elt, .. })
            | Expr::SetComp(ast::ExprSetComp { elt, .. })
            | Expr::Generator(ast::ExprGenerator { elt, .. }) => {
                is_shallow || self.is_own(elt, Extent::Whole)
            }
            Expr::DictComp(comprehension) => {
                is_shallow || self.is_own(&comprehension.value, Extent::Whole)
            }
            Expr::Name(name) => match self.walk.inner(name) {
                Some(source) => {
                    !self.gone_through.insert(source.range()) || self.is_own(source, Extent::Whole)
                }
                None => self.is_own_name(&name.id, extent),
            },
            Expr::Attribute(attribute) => self.is_own_attribute(attribute),
            Expr::Subscript(subscript) => {
                self.is_environment(&subscript.value)
                    || self.is_own(&subscript.value, Extent::Whole)
            }
            Expr::Call(call) => self.is_own_result(call, extent),
            Expr::BinOp(operation) => {
                let is_text = matches!(&*operation.left, Expr::StringLiteral(_) | Expr::FString(_));
                match operation.op {
                    ast::Operator::Mod | ast::Operator::Add if is_text => true,
                    ast::Operator::Div => self.is_own(&operation.left, Extent::Whole),
                    _ => {
                        self.is_own(&operation.left, extent)
                            && (is_shallow || self.is_own(&operation.right, extent))
                    }
                }
            }
            Expr::UnaryOp(operation) => {
                operation.op == ast::UnaryOp::Not || self.is_own(&operation.operand, extent)
            }
            Expr::If(either) => {
                self.is_own(&either.body, extent) && self.is_own(&either.orelse, extent)
            }
            Expr::BoolOp(operation) => operation
                .values
                .iter()
                .all(|value| self.is_own(value, extent)),
            Expr::Named(named) => self.is_own(&named.value, extent),
            _ => false,
        }
    }

    fn are_whole(&mut self, values: impl IntoIterator<Item = &'a Expr>) -> bool {
        values
            .into_iter()
            .all(|value| self.is_own(value, Extent::Whole))
    }

    fn is_own_name(&mut self, name: &'a str, extent: Extent) -> bool {
        let writer = self.walk.writer;
        if writer.scopes.shared.contains(name) {
            return false;
        }
        let own = writer.scopes.all.get(self.walk.scope);
        let Some(bindings) = own.and_then(|own| own.bindings.get(name)) else {
            return self.may_be_free && writer.is_constant(name, self.walk.scope, BINDINGS);
        };
        if !self.asked.insert((name, extent)) {
            return true;
        }
        let is_own = bindings.iter().all(|binding| match *binding {
            Binding::Value(value) => self.is_own(value, extent),
            Binding::Annotated(annotation, value) => value.is_none_or(|value| {
                self.may_be_free && writer.is_plain_type(annotation, self.walk.scope)
                    || self.is_own(value, extent)
            }),
            Binding::Changed(value) => extent == Extent::Itself || self.is_own(value, extent),
            Binding::Inside(value) => {
                writer.is_class(value, self.walk.scope) || self.is_own(value, Extent::Whole)
            }
            Binding::Entered(value) => self.is_own(value, Extent::Whole),
            Binding::Parameter(_) if self.walk.makes(name) => extent == Extent::Itself,
            Binding::Parameter(parameter) => match parameter.annotation() {
                Some(annotation) => {
                    self.may_be_free && writer.is_plain_type(annotation, self.walk.scope)
                        || extent == Extent::Whole
                            && writer.holds_plain_types(annotation, self.walk.scope)
                }
                None => self.depends_on(name),
            },
            _ => false,
        });
        is_own && (extent == Extent::Itself || !self.takes_in(name))
    }

    /// Whether a name is that of a parameter that calls decide about.
    fn depends_on(&mut self, name: &'a str) -> bool {
        let walk = self.walk;
        let mut parameters = walk.function.parameters.iter_non_variadic_params();
        let own = walk.writer.scopes.all.get(walk.scope);
        let is_of_method = own
            .and_then(|own| {
                walk.writer
                    .scopes
                    .own_class(walk.function, own.parent, name)
            })
            .is_some();
        let is_given = !is_of_method && parameters.any(|parameter| parameter.name() == name);
        if is_given && !self.given.contains(&name) {
            self.given.push(name);
        }
        is_given
    }

    /// Whether the function puts into what a name stands for what may be somebody else's.
    fn takes_in(&mut self, name: &'a str) -> bool {
        let mut search = TakenIn {
            name,
            values: Vec::new(),
        };
        search.visit_body(&self.walk.function.body);
        // Nothing is put into these.
        let may_be_free = std::mem::replace(&mut self.may_be_free, true);
        let are_whole = self.are_whole(search.values);
        self.may_be_free = may_be_free;
        !are_whole
    }

    fn is_environment(&self, expr: &'a Expr) -> bool {
        matches!(self.walk.value(expr), Some(Value::Target(Target::Import(path)))
            if path.dotted() == Some("os.environ"))
    }

    fn is_own_attribute(&mut self, attribute: &'a ast::ExprAttribute) -> bool {
        if let Expr::Name(name) = &*attribute.value
            && self.walk.makes(&name.id)
        {
            return self.is_filled_here(&attribute.attr);
        }
        match self.walk.value(&attribute.value) {
            Some(Value::Target(Target::Import(path))) => {
                let path = path.attribute(&attribute.attr);
                self.may_be_free && path.dotted().is_some_and(is_unchanging)
            }
            Some(Value::Instance(Target::Class(class)) | Value::Target(Target::Class(class))) => {
                let writer = self.walk.writer;
                self.may_be_free && writer.is_constant_attribute(class, &attribute.attr, BINDINGS)
            }
            _ => self.is_own(&attribute.value, Extent::Whole),
        }
    }

    /// Whether a constructor puts into an attribute of its object only what it made.
    fn is_filled_here(&mut self, name: &'a str) -> bool {
        if !self.asked_attributes.insert(name) {
            return true;
        }
        let scopes = self.walk.writer.scopes;
        let own = scopes.all.get(self.walk.scope);
        let class = own.and_then(|own| scopes.all.get(own.parent));
        let members = class.map_or(&[][..], |class| &class.members);
        let mut values = members
            .iter()
            .filter(|(member, _, at)| *member == name && *at == self.walk.scope)
            .map(|(_, binding, _)| match *binding {
                Binding::Value(value) | Binding::Annotated(_, Some(value)) => Some(value),
                _ => None,
            })
            .peekable();
        values.peek().is_some()
            && values.all(|value| value.is_some_and(|value| self.is_own(value, Extent::Whole)))
    }

    fn is_own_result(&mut self, call: &'a ast::ExprCall, extent: Extent) -> bool {
        let walk = self.walk;
        let given = call.arguments.iter_source_order();
        let given = given.map(ast::ArgOrKeyword::value);
        if let Some(path) = walk.called_path(&call.func) {
            return if hands_out(&path) {
                // `globals()` gives what everybody has.
                !call.arguments.is_empty() && self.are_whole(given)
            } else if holds_arguments(&path) {
                extent == Extent::Itself || self.are_whole(given)
            } else {
                is_fresh(&path)
                    || self.may_be_free && is_unchanging(&path)
                    || walk.writer.table.function(&path).is_some()
            };
        }
        let Expr::Attribute(method) = &*call.func else {
            return match walk.value(&call.func) {
                Some(Value::Target(Target::Function(number))) => {
                    walk.writer.returns_plain(number) || self.is_made_by(number, call)
                }
                Some(Value::Target(Target::Class(_))) => extent == Extent::Itself,
                _ => false,
            };
        };
        match walk.value(&method.value) {
            Some(Value::Target(Target::Class(class)) | Value::Instance(Target::Class(class))) => {
                let number = walk.writer.method_of(class, &method.attr);
                return number.is_some_and(|number| {
                    walk.writer.returns_plain(number) || self.is_made_by(number, call)
                });
            }
            Some(Value::Instance(Target::Import(class)))
                if class.dotted().is_some_and(|class| {
                    walk.writer.table.method(class, &method.attr).is_some()
                }) =>
            {
                return true;
            }
            _ => {}
        }
        self.is_own(&method.value, Extent::Whole)
            && (!method_hands_back(&method.attr) || self.are_whole(given))
    }
}

impl<'a> Question<'_, '_, 'a> {
    /// Whether what a function of the file gives is nobody else's: it has made it, or `call` gives it that.
    fn is_made_by(&mut self, number: u32, call: &'a ast::ExprCall) -> bool {
        let writer = self.walk.writer;
        let Some(parameters) = writer.gives_new(number, BINDINGS) else {
            return false;
        };
        parameters.into_iter().all(|(name, at)| {
            let given = call.arguments.find_argument_value(name, at);
            given.is_some_and(|given| self.is_own(given, Extent::Whole))
        })
    }
}

impl<'a> Walk<'_, '_, 'a> {
    /// Whether a name is that of the object that the function is a constructor of: nobody else has it yet.
    fn makes(&self, name: &str) -> bool {
        let own = self.writer.scopes.all.get(self.scope);
        is_constructor(&self.function.name)
            && own.is_some_and(|own| {
                let class = self
                    .writer
                    .scopes
                    .own_class(self.function, own.parent, name);
                class.is_some()
            })
    }

    /// The dotted path of a function or class that is called, where it is none of the file.
    fn called_path(&self, func: &'a Expr) -> Option<String> {
        match self.value(func)? {
            Value::Target(Target::Import(path)) => path.dotted().map(str::to_owned),
            _ => None,
        }
    }
}

impl<'a> Writer<'_, 'a> {
    /// Whether a name from outside of the function in `scope` stands for one value that nobody can change.
    fn is_constant(&self, name: &'a str, scope: usize, steps: Limit) -> bool {
        let Some(steps) = steps.less() else {
            return false;
        };
        if self.scopes.shared.contains(name) {
            return false;
        }
        let Some(at) = self.scope_of(name, scope) else {
            return false;
        };
        let bindings = self
            .scopes
            .all
            .get(at)
            .and_then(|own| own.bindings.get(name));
        matches!(bindings.map(Vec::as_slice), Some([binding]) if self.is_constant_binding(*binding, at, steps))
    }

    /// Whether a name of the module stands for one value that any thread may use: one that nobody can change, or an
    /// object that is made for several threads.
    pub(super) fn is_free_for_all(&self, name: &str) -> bool {
        let own = self.scopes.all.first();
        let Some((name, [binding])) = own
            .and_then(|own| own.bindings.get_key_value(name))
            .map(|(name, bindings)| (*name, bindings.as_slice()))
        else {
            return false;
        };
        !self.scopes.shared.contains(name) && self.is_constant_binding(*binding, 0, BINDINGS)
    }

    fn is_constant_binding(&self, binding: Binding<'a>, scope: usize, steps: Limit) -> bool {
        match binding {
            Binding::Value(value) => self.is_unchanging(value, scope, steps),
            Binding::Annotated(annotation, value) => {
                self.is_plain_type(annotation, scope)
                    || value.is_some_and(|value| self.is_unchanging(value, scope, steps))
            }
            Binding::Parameter(parameter) => parameter
                .annotation()
                .is_some_and(|annotation| self.is_plain_type(annotation, scope)),
            _ => false,
        }
    }

    /// Whether all that a class puts into an attribute is nothing that anybody can change.
    fn is_constant_attribute(&self, class: u32, name: &'a str, steps: Limit) -> bool {
        let Some(steps) = steps.less() else {
            return false;
        };
        let Some((own, scope)) = self.class_scope(class) else {
            return false;
        };
        if self.scopes.placed.contains_key(name) {
            return false;
        }
        let of_class = own.bindings.get(name).into_iter().flatten();
        let of_class = of_class.map(|binding| (*binding, scope));
        let members = own.members.iter().filter(|(member, ..)| *member == name);
        let mut all = of_class
            .chain(members.map(|(_, binding, at)| (*binding, *at)))
            .peekable();
        all.peek().is_some()
            && all.all(|(binding, at)| self.is_constant_binding(binding, at, steps))
    }

    /// Whether an expression gives what nobody can change: a text, a number, a path.
    fn is_unchanging(&self, expr: &'a Expr, scope: usize, steps: Limit) -> bool {
        match expr {
            Expr::FString(_) | Expr::Compare(_) => true,
            other if other.is_literal_expr() => true,
            Expr::Tuple(tuple) => tuple
                .elts
                .iter()
                .all(|value| self.is_unchanging(value, scope, steps)),
            Expr::Name(name) => {
                self.is_constant(&name.id, scope, steps)
                    || matches!(self.target_to(expr, scope, steps), Target::Import(path)
                        if path.dotted().is_some_and(is_unchanging))
            }
            Expr::Attribute(attribute) => match self.value(&attribute.value, scope, steps) {
                Some(Value::Target(Target::Import(path))) => {
                    let path = path.attribute(&attribute.attr);
                    path.dotted().is_some_and(is_unchanging)
                }
                Some(Value::Instance(Target::Class(class))) => {
                    self.is_constant_attribute(class, &attribute.attr, steps)
                }
                _ => self.is_unchanging(&attribute.value, scope, steps),
            },
            Expr::Subscript(subscript) => {
                matches!(self.value(&subscript.value, scope, steps), Some(Value::Target(Target::Import(path)))
                    if path.dotted() == Some("os.environ"))
                    || self.is_unchanging(&subscript.value, scope, steps)
            }
            Expr::Call(call) => {
                if let Target::Import(path) = self.target_to(&call.func, scope, steps) {
                    return path.dotted().is_some_and(is_unchanging);
                }
                matches!(&*call.func, Expr::Attribute(method)
                    if !gives_collection(&method.attr)
                        && self.is_unchanging(&method.value, scope, steps))
            }
            Expr::BinOp(operation) => {
                self.is_unchanging(&operation.left, scope, steps)
                    && (matches!(operation.op, ast::Operator::Div | ast::Operator::Mod)
                        || self.is_unchanging(&operation.right, scope, steps))
            }
            Expr::UnaryOp(operation) => self.is_unchanging(&operation.operand, scope, steps),
            Expr::If(either) => {
                self.is_unchanging(&either.body, scope, steps)
                    && self.is_unchanging(&either.orelse, scope, steps)
            }
            Expr::BoolOp(operation) => operation
                .values
                .iter()
                .all(|value| self.is_unchanging(value, scope, steps)),
            _ => false,
        }
    }

    /// Whether a type has instances that nobody can change.
    fn is_plain_type(&self, annotation: &'a Expr, scope: usize) -> bool {
        match annotation {
            Expr::NoneLiteral(_) => true,
            Expr::Name(_) | Expr::Attribute(_) => {
                matches!(self.target(annotation, scope), Target::Import(path)
                    if path.dotted().is_some_and(is_unchanging))
            }
            Expr::BinOp(union) if union.op == ast::Operator::BitOr => {
                self.is_plain_type(&union.left, scope) && self.is_plain_type(&union.right, scope)
            }
            Expr::Subscript(generic) => match last_name(&generic.value) {
                Some("Optional" | "Final" | "ClassVar" | "Union") => match &*generic.slice {
                    Expr::Tuple(members) => members
                        .elts
                        .iter()
                        .all(|member| self.is_plain_type(member, scope)),
                    member => self.is_plain_type(member, scope),
                },
                _ => false,
            },
            Expr::StringLiteral(text) => {
                let text = text.value.to_str();
                text.split('|').all(|part| {
                    matches!(
                        part.trim(),
                        "str" | "bytes" | "int" | "float" | "bool" | "None"
                    )
                })
            }
            _ => false,
        }
    }

    /// Whether a type is a collection of what nobody can change.
    fn holds_plain_types(&self, annotation: &'a Expr, scope: usize) -> bool {
        const COLLECTIONS: [&str; 14] = [
            "list",
            "tuple",
            "set",
            "frozenset",
            "dict",
            "List",
            "Tuple",
            "Set",
            "Dict",
            "Sequence",
            "Iterable",
            "Mapping",
            "Collection",
            "Iterator",
        ];
        let Expr::Subscript(generic) = annotation else {
            return false;
        };
        last_name(&generic.value).is_some_and(|name| COLLECTIONS.contains(&name))
            && match &*generic.slice {
                Expr::Tuple(members) => members.elts.iter().all(|member| {
                    member.is_ellipsis_literal_expr() || self.is_plain_type(member, scope)
                }),
                member => self.is_plain_type(member, scope),
            }
    }

    /// Whether an expression names a class, or several: those of an exception that is caught.
    fn is_class(&self, expr: &'a Expr, scope: usize) -> bool {
        match expr {
            Expr::Tuple(classes) => classes.elts.iter().all(|class| self.is_class(class, scope)),
            _ => match self.target(expr, scope) {
                Target::Class(_) => true,
                Target::Import(path) => {
                    let name = path.below.rsplit('.').next().unwrap_or_default();
                    name.starts_with(char::is_uppercase)
                }
                _ => false,
            },
        }
    }

    /// Whether a function of the file says that it gives what nobody can change.
    fn returns_plain(&self, function: u32) -> bool {
        self.function_of(function)
            .is_some_and(|(scope, function)| self.gives_constant(function, scope))
    }

    /// Whether a function says that it gives what nobody can change, or gives nothing else.
    pub(super) fn gives_constant(&self, function: &'a ast::StmtFunctionDef, scope: usize) -> bool {
        let parent = self.scopes.all.get(scope).map_or(0, |own| own.parent);
        match (&function.returns, function.body.last()) {
            (Some(returns), _) => self.is_plain_type(returns, parent),
            // `def logger_of(name): return logging.getLogger(name)`
            (None, Some(Stmt::Return(last))) => last.value.as_deref().is_some_and(|value| {
                returned_in(&function.body) == 1 && self.is_unchanging(value, scope, BINDINGS)
            }),
            _ => false,
        }
    }

    /// The scope of the class with this number.
    fn class_scope(&self, class: u32) -> Option<(&Scope<'a>, usize)> {
        let mut scopes = self.classes.iter();
        let (scope, _) = scopes.find(|(_, number)| **number == class)?;
        Some((self.scopes.all.get(*scope)?, *scope))
    }

    /// The number of a method that a class of the file defines.
    pub(super) fn method_of(&self, class: u32, name: &str) -> Option<u32> {
        let (own, _) = self.class_scope(class)?;
        match own.bindings.get(name)?.as_slice() {
            [Binding::Function(function)] => self.function_number(function),
            _ => None,
        }
    }
}

/// How many `return` statements stand in a suite.
fn returned_in(suite: &[Stmt]) -> usize {
    let inside = |statement: &Stmt| match statement {
        Stmt::FunctionDef(_) | Stmt::ClassDef(_) => 0,
        Stmt::Return(_) => 1,
        other => suites_in(other).into_iter().map(returned_in).sum(),
    };
    suite.iter().map(inside).sum()
}

/// Finds what a function puts into what a name stands for.
pub(super) struct TakenIn<'a> {
    pub(super) name: &'a str,
    pub(super) values: Vec<&'a Expr>,
}

impl TakenIn<'_> {
    fn is_it(&self, expr: &Expr) -> bool {
        matches!(root(expr), Expr::Name(name) if name.id == self.name)
    }

    fn is_part(&self, target: &Expr) -> bool {
        matches!(target, Expr::Attribute(_) | Expr::Subscript(_)) && self.is_it(target)
    }
}

impl<'a> SourceOrderVisitor<'a> for TakenIn<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(statement)
                if statement.targets.iter().any(|target| self.is_part(target)) =>
            {
                self.values.push(&statement.value);
            }
            AnyNodeRef::StmtAugAssign(statement) if self.is_part(&statement.target) => {
                self.values.push(&statement.value);
            }
            AnyNodeRef::StmtAnnAssign(statement) if self.is_part(&statement.target) => {
                self.values.extend(statement.value.as_deref());
            }
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && method_changes(&method.attr)
                    && self.is_it(&method.value)
                {
                    let given = call.arguments.iter_source_order();
                    let given = given.map(ast::ArgOrKeyword::value);
                    // `rows.sort(key=lambda …)`
                    self.values
                        .extend(given.filter(|value| !value.is_lambda_expr()));
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
