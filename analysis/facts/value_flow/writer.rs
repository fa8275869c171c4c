//! Writes down the traces of a file, by the names of its scopes.

use std::hash::{Hash, Hasher};

use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::queries::{defines_what_it_returns, is_property, last_name, yields};
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::{Chain, Class, Function, ImportPath, Member, Node, Origin, Step, Traces};
use crate::facts::key::{Key, name_key};
use crate::facts::scopes::{Binding, Kind, Scopes};
use crate::facts::value_flow::walk::{Walk, callee_of, generators};
use crate::limits::COMPARED;

/// Writes the traces of one file.
pub struct Writer<'s, 'a> {
    pub(crate) scopes: &'s Scopes<'a>,
    traces: Traces,
    /// The nodes of names, by their scopes.
    named: FxHashMap<(usize, &'a str), Node>,
    /// The nodes of what is assigned to attributes and items, by their names.
    placed: FxHashMap<&'a str, Node>,
    /// The nodes of expressions, by their scopes and their texts.
    expressions: FxHashMap<(usize, u64), Node>,
    classes: FxHashMap<usize, u32>,
    functions: FxHashMap<usize, u32>,
    pending: Vec<Pending<'a>>,
}

/// What is still to be written.
enum Pending<'a> {
    Name(Node, usize, &'a str),
    Placed(Node, &'a str),
    Class(u32, usize, &'a ast::StmtClassDef),
    Function(u32, usize, &'a ast::StmtFunctionDef),
}

/// Whether a class has something of its own by this binding: what is `None` has no use.
fn is_value(binding: Binding<'_>) -> bool {
    match binding {
        Binding::Value(value) => !value.is_none_literal_expr(),
        Binding::Function(_) => false,
        _ => true,
    }
}

impl<'s, 'a> Writer<'s, 'a> {
    /// A writer that has written what other files may ask about.
    pub fn new(scopes: &'s Scopes<'a>) -> Self {
        let mut writer = Self {
            scopes,
            traces: Traces {
                tail: scopes.place.tail(),
                chains: vec![Box::default(), Box::from([0])],
                ..Traces::default()
            },
            named: FxHashMap::default(),
            placed: FxHashMap::default(),
            expressions: FxHashMap::default(),
            classes: FxHashMap::default(),
            functions: FxHashMap::default(),
            pending: Vec::new(),
        };
        for import in &scopes.stars {
            let path = writer.import_from(import, None);
            writer.traces.stars.push(path);
        }
        if let Some(module) = scopes.all.first() {
            for name in module.bindings.keys() {
                let node = writer.named(0, name);
                writer.traces.names.insert(name_key(name), node);
            }
        }
        // A name that is only assigned through `global` is one of the module too.
        for name in &scopes.shared {
            let node = writer.named(0, name);
            writer.traces.names.entry(name_key(name)).or_insert(node);
        }
        for (object, name, value, scope) in &scopes.replaced {
            if let Some(class) = last_name(object) {
                let class = name_key(writer.name_behind(object, class, *scope));
                let mut steps = Vec::new();
                writer.walk(value, *scope, &mut steps);
                let node = writer.node(&steps);
                writer.traces.replaced.push((class, name_key(name), node));
            }
        }
        writer.write_pending();
        writer
    }

    /// What is written so far.
    pub fn traces(&mut self) -> &Traces {
        self.write_pending();
        &self.traces
    }

    /// What was written.
    pub fn finish(mut self) -> Traces {
        self.write_pending();
        self.traces
    }

    /// The node of what is asked about at `site`: of the callee of a call that stands there or is assigned
    /// there, of an attribute, of what a loop, a clause of a comprehension or a context manager takes, of what is awaited,
    /// or of all the arguments of a call.
    /// `None` for anything else. `source` is the text of the file.
    pub fn node_at(&mut self, site: &Site<'_, 'a>, source: &str) -> Option<Node> {
        let expr = match site.node {
            AnyNodeRef::ExprCall(call) => &*call.func,
            AnyNodeRef::ExprAttribute(attribute) => {
                return Some(self.written(&attribute.value, Some(&attribute.attr), site, source));
            }
            AnyNodeRef::StmtAssign(statement) => callee_of(&statement.value)?,
            AnyNodeRef::StmtAnnAssign(statement) => callee_of(statement.value.as_deref()?)?,
            AnyNodeRef::StmtFor(statement) => &*statement.iter,
            AnyNodeRef::Comprehension(clause) => &clause.iter,
            AnyNodeRef::WithItem(item) => &item.context_expr,
            AnyNodeRef::ExprAwait(awaited) => &*awaited.value,
            AnyNodeRef::Arguments(arguments) => {
                let given: Vec<Step> = arguments
                    .iter_source_order()
                    .map(|argument| self.written(argument.value(), None, site, source))
                    .map(|node| Step::Node(node, 0))
                    .collect();
                return Some(self.node(&given));
            }
            _ => return None,
        };
        Some(self.written(expr, None, site, source))
    }

    fn written(
        &mut self,
        expr: &'a Expr,
        attribute: Option<&'a str>,
        site: &Site<'_, 'a>,
        source: &str,
    ) -> Node {
        let scope = site
            .ancestors
            .iter()
            .rev()
            .find_map(|node| match node {
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                    self.scopes.by_start.get(&node.start()).copied()
                }
                _ => None,
            })
            .unwrap_or(0);
        // What comprehensions and lambdas bind has no scope of its own here.
        let has_own_names = site
            .ancestors
            .iter()
            .rev()
            .take_while(|node| !node.is_statement())
            .any(|node| generators(node).next().is_some() || node.is_expr_lambda());
        let mut hasher = FxHasher::default();
        source.get(expr.range().to_std_range()).hash(&mut hasher);
        attribute.hash(&mut hasher);
        let key = (scope, hasher.finish());
        if !has_own_names && let Some(node) = self.expressions.get(&key) {
            return *node;
        }
        let mut steps = Vec::new();
        let around = if has_own_names { site.ancestors } else { &[] };
        let mut walk = Walk {
            writer: self,
            scope,
            around,
            clauses: Vec::new(),
            is_annotation: false,
            is_narrowing: false,
            steps: &mut steps,
        };
        match attribute {
            Some(attribute) => {
                walk.attribute(attribute);
                walk.receiver(expr, attribute);
            }
            None => walk.expression(expr),
        }
        let node = self.node(&steps);
        if !has_own_names {
            self.expressions.insert(key, node);
        }
        node
    }

    /// A new node, of these steps.
    pub(crate) fn node(&mut self, steps: &[Step]) -> Node {
        let node = self.empty_node();
        self.fill(node, steps);
        node
    }

    fn empty_node(&mut self) -> Node {
        let node = index(self.traces.nodes.len());
        self.traces.nodes.push((0, 0));
        node
    }

    fn fill(&mut self, node: Node, steps: &[Step]) {
        let start = index(self.traces.steps.len());
        if COMPARED.allows(steps.len()) {
            for (at, step) in steps.iter().enumerate() {
                if !steps.iter().take(at).any(|other| other == step) {
                    self.traces.steps.push(*step);
                }
            }
        } else {
            let mut seen = FxHashSet::default();
            self.traces
                .steps
                .extend(steps.iter().filter(|step| seen.insert(**step)));
        }
        let end = index(self.traces.steps.len());
        if let Some(range) = self.traces.nodes.get_mut(node as usize) {
            *range = (start, end);
        }
    }

    /// The node of a name in the scope that binds it.
    pub(crate) fn named(&mut self, scope: usize, name: &'a str) -> Node {
        // What is declared `global` or `nonlocal` anywhere has one node for all scopes.
        let scope = if self.scopes.shared.contains(name) {
            0
        } else {
            scope
        };
        if let Some(node) = self.named.get(&(scope, name)) {
            return *node;
        }
        let node = self.empty_node();
        self.named.insert((scope, name), node);
        self.pending.push(Pending::Name(node, scope, name));
        node
    }

    pub(crate) fn placed(&mut self, name: &'a str) -> Node {
        if let Some(node) = self.placed.get(name) {
            return *node;
        }
        let node = self.empty_node();
        self.placed.insert(name, node);
        self.pending.push(Pending::Placed(node, name));
        node
    }

    pub(crate) fn class(&mut self, class: &'a ast::StmtClassDef) -> Option<Step> {
        let scope = *self.scopes.by_start.get(&class.start())?;
        if let Some(known) = self.classes.get(&scope) {
            return Some(Step::Class(*known));
        }
        let new = index(self.traces.classes.len());
        self.traces.classes.push(Class {
            name: name_key(&class.name),
            label: class.name.as_str().into(),
            bases: 0,
            base_names: Vec::new(),
            members: Vec::new(),
            is_record: false,
            makes_methods: false,
        });
        self.classes.insert(scope, new);
        self.pending.push(Pending::Class(new, scope, class));
        Some(Step::Class(new))
    }

    fn function(&mut self, function: &'a ast::StmtFunctionDef) -> Option<u32> {
        let scope = *self.scopes.by_start.get(&function.start())?;
        if let Some(known) = self.functions.get(&scope) {
            return Some(*known);
        }
        let new = index(self.traces.functions.len());
        self.traces.functions.push(Function {
            name: name_key(&function.name),
            is_async: function.is_async,
            is_generator: function.is_async && yields(function),
            is_property: is_property(function),
            decorators: 0,
            gives: 0,
        });
        self.functions.insert(scope, new);
        self.pending.push(Pending::Function(new, scope, function));
        Some(new)
    }

    fn write_pending(&mut self) {
        while let Some(pending) = self.pending.pop() {
            match pending {
                Pending::Name(node, scope, name) => {
                    let mut steps = Vec::new();
                    if self.scopes.shared.contains(name) {
                        for scope in 0..self.scopes.all.len() {
                            self.bindings(scope, name, &mut steps);
                        }
                    } else {
                        self.bindings(scope, name, &mut steps);
                    }
                    self.fill(node, &steps);
                }
                Pending::Placed(node, name) => {
                    let mut steps = Vec::new();
                    let bindings = self.scopes.placed.get(name);
                    for (binding, scope) in bindings.into_iter().flatten() {
                        self.binding(*binding, *scope, &mut steps);
                    }
                    self.fill(node, &steps);
                }
                Pending::Class(id, scope, class) => self.write_class(id, scope, class),
                Pending::Function(id, scope, function) => {
                    self.write_function(id, scope, function);
                }
            }
        }
    }

    fn bindings(&mut self, scope: usize, name: &'a str, steps: &mut Vec<Step>) {
        let scopes = self.scopes;
        let Some(own) = scopes.all.get(scope) else {
            return;
        };
        if let Kind::Function(function) = own.kind
            && let Some(class) = scopes.own_class(function, own.parent, name)
        {
            steps.extend(self.class(class));
        }
        for binding in own.bindings.get(name).into_iter().flatten() {
            self.binding(*binding, scope, steps);
        }
    }

    fn binding(&mut self, binding: Binding<'a>, scope: usize, steps: &mut Vec<Step>) {
        match binding {
            Binding::Import(alias) => {
                // Without another name, the first component is bound.
                let path = match &alias.asname {
                    Some(_) => alias.name.as_str(),
                    None => alias.name.split('.').next().unwrap_or_default(),
                };
                let path = absolute(path.split('.'));
                steps.push(self.import(path));
            }
            Binding::ImportFrom(import, alias) => {
                let path = self.import_from(import, Some(alias));
                steps.push(Step::Import(path));
            }
            Binding::Value(value)
            | Binding::Inside(value)
            | Binding::Changed(value)
            | Binding::Entered(value) => {
                self.walk(value, scope, steps);
            }
            Binding::Annotated(annotation, value) => {
                self.annotation(annotation, scope, steps);
                if let Some(value) = value {
                    self.walk(value, scope, steps);
                }
            }
            Binding::Parameter(parameter) => {
                // What it is by default is evaluated where the function stands.
                let outside = self.scopes.all.get(scope).map_or(0, |own| own.parent);
                match (parameter.annotation(), parameter.default()) {
                    (Some(annotation), _) => self.annotation(annotation, outside, steps),
                    (None, Some(default)) => self.walk(default, outside, steps),
                    (None, None) => {}
                }
                if parameter.annotation().is_none()
                    && let Some(own) = self.scopes.all.get(scope)
                    && let Kind::Function(function) = own.kind
                {
                    let scopes = self.scopes;
                    for (value, scope) in scopes.given(function, own.parent, parameter.name()) {
                        self.walk(value, scope, steps);
                    }
                    for class in scopes.given_by_libraries(function, own.parent, parameter.name()) {
                        steps.push(self.import(absolute(class.split('.'))));
                    }
                }
            }
            Binding::Variadic(parameter) => {
                let outside = self.scopes.all.get(scope).map_or(0, |own| own.parent);
                if let Some(annotation) = parameter.annotation() {
                    self.annotation(annotation, outside, steps);
                }
            }
            Binding::Function(function) => {
                steps.extend(self.function(function).map(Step::Function));
            }
            Binding::Class(class) => steps.extend(self.class(class)),
        }
    }

    fn walk(&mut self, expr: &'a Expr, scope: usize, steps: &mut Vec<Step>) {
        let mut walk = Walk {
            writer: self,
            scope,
            around: &[],
            clauses: Vec::new(),
            is_annotation: false,
            is_narrowing: false,
            steps,
        };
        walk.expression(expr);
    }

    fn annotation(&mut self, expr: &'a Expr, scope: usize, steps: &mut Vec<Step>) {
        let mut walk = Walk {
            writer: self,
            scope,
            around: &[],
            clauses: Vec::new(),
            is_annotation: true,
            is_narrowing: false,
            steps,
        };
        walk.expression(expr);
    }

    fn import(&mut self, path: ImportPath) -> Step {
        Step::Import(self.path(path))
    }

    pub(crate) fn path(&mut self, path: ImportPath) -> u32 {
        let new = index(self.traces.paths.len());
        self.traces.paths.push(path);
        new
    }

    /// The path of a module that something is imported from, or of `alias` in it.
    pub(crate) fn import_from(
        &mut self,
        import: &ast::StmtImportFrom,
        alias: Option<&ast::Alias>,
    ) -> u32 {
        let module = import.module.as_deref().unwrap_or_default();
        let below = module
            .split('.')
            .filter(|part| !part.is_empty())
            .chain(alias.map(|alias| alias.name.as_str()));
        let path = if import.level == 0 {
            absolute(below)
        } else {
            let base = super::tail(self.scopes.place.base(import.level));
            ImportPath {
                components: base.into_iter().chain(below.map(name_key)).collect(),
                origin: Origin::Own,
            }
        };
        self.path(path)
    }

    /// The name of the class that the name of a base stands for, where it was imported or assigned under another
    /// one: `from base import Base as B`.
    fn name_behind(&self, base: &'a Expr, name: &'a str, scope: usize) -> &'a str {
        if !base.is_name_expr() {
            return name;
        }
        let bindings = self
            .scopes
            .all
            .get(scope)
            .and_then(|scope| scope.bindings.get(name));
        match bindings.map(Vec::as_slice) {
            Some([Binding::ImportFrom(_, alias)]) => &alias.name,
            Some([Binding::Value(value)]) => last_name(value).unwrap_or(name),
            _ => name,
        }
    }

    fn write_class(&mut self, id: u32, scope: usize, class: &'a ast::StmtClassDef) {
        let outside = self.scopes.all.get(scope).map_or(0, |own| own.parent);
        let mut steps = Vec::new();
        let mut base_names = Vec::new();
        let mut is_record = false;
        for base in class.bases() {
            let name = match base {
                Expr::Subscript(subscript) => last_name(&subscript.value),
                other => last_name(other),
            };
            if let Some(name) = name {
                base_names.push(name_key(self.name_behind(base, name, outside)));
                is_record |= matches!(name, "NamedTuple" | "TypedDict")
                    || name.ends_with("Enum")
                    || name.ends_with("Flag");
            }
            self.annotation(base, outside, &mut steps);
        }
        for keyword in class.keywords() {
            self.walk(&keyword.value, outside, &mut steps);
        }
        for decorator in &class.decorator_list {
            self.walk(&decorator.expression, outside, &mut steps);
        }
        let bases = self.node(&steps);
        let mut members = Vec::new();
        let scopes = self.scopes;
        if let Some(own) = scopes.all.get(scope) {
            for (name, bindings) in &own.bindings {
                let key = name_key(name);
                let mut steps = Vec::new();
                for binding in bindings {
                    if let Binding::Function(function) = binding {
                        let method = self.function(function).map(Member::Method);
                        members.extend(method.map(|method| (key, method)));
                    } else {
                        self.binding(*binding, scope, &mut steps);
                    }
                }
                if bindings.iter().any(|binding| is_value(*binding)) {
                    members.push((key, Member::Value(self.node(&steps))));
                }
            }
            for (name, binding, method) in &own.members {
                let mut steps = Vec::new();
                self.binding(*binding, *method, &mut steps);
                if is_value(*binding) {
                    members.push((name_key(name), Member::Value(self.node(&steps))));
                }
            }
        }
        members.sort_by_key(|(name, _)| *name);
        if let Some(written) = self.traces.classes.get_mut(id as usize) {
            written.bases = bases;
            written.base_names = base_names;
            written.members = members;
            written.is_record = is_record;
            written.makes_methods = class.body.iter().any(|statement| {
                matches!(statement, Stmt::FunctionDef(function)
                    if function.name.as_str() == "__getattr__" && defines_what_it_returns(function))
            });
        }
    }

    fn write_function(&mut self, id: u32, scope: usize, function: &'a ast::StmtFunctionDef) {
        let outside = self.scopes.all.get(scope).map_or(0, |own| own.parent);
        let mut steps = Vec::new();
        for decorator in &function.decorator_list {
            self.walk(&decorator.expression, outside, &mut steps);
        }
        let decorators = self.node(&steps);
        steps.clear();
        if let Some(annotation) = &function.returns {
            self.annotation(annotation, outside, &mut steps);
        } else {
            let mut returned = Returned(Vec::new());
            returned.visit_body(&function.body);
            for value in returned.0 {
                self.walk(value, scope, &mut steps);
            }
        }
        let gives = self.node(&steps);
        if let Some(written) = self.traces.functions.get_mut(id as usize) {
            written.decorators = decorators;
            written.gives = gives;
        }
    }

    pub(crate) fn chain(&mut self, attributes: Vec<Key>) -> Chain {
        if attributes.is_empty() {
            return 0;
        }
        let new = index(self.traces.chains.len());
        self.traces.chains.push(attributes.into_boxed_slice());
        new
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

pub(crate) fn absolute<'p>(components: impl Iterator<Item = &'p str>) -> ImportPath {
    let mut components = components.peekable();
    let is_stdlib = components.peek().is_some_and(|root| is_stdlib(root));
    ImportPath {
        components: components.map(name_key).collect(),
        origin: if is_stdlib {
            Origin::Stdlib
        } else {
            Origin::Other
        },
    }
}

/// Collects what a function returns or yields.
struct Returned<'a>(Vec<&'a Expr>);

impl<'a> SourceOrderVisitor<'a> for Returned<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtReturn(statement) => {
                self.0.extend(statement.value.as_deref());
                TraversalSignal::Skip
            }
            AnyNodeRef::ExprYield(ast::ExprYield {
                value: Some(value), ..
            })
            | AnyNodeRef::ExprYieldFrom(ast::ExprYieldFrom { value, .. }) => {
                self.0.push(value);
                TraversalSignal::Skip
            }
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
            _ => TraversalSignal::Traverse,
        }
    }
}
