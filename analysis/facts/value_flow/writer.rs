//! Writes down the traces of a file, by the names of its scopes.

use std::hash::{Hash, Hasher};

use asyncfix_knowledge::stdlib::{RESULTS, is_stdlib};
use asyncfix_syntax::queries::{
    defines_what_it_returns, is_property, last_name, root_name, yields,
};
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::{ANY_CHAIN, Chain, Class, Function, ImportPath, Member, Node, Origin, Step, Traces};
use crate::facts::key::{Key, name_key};
use crate::facts::scopes::{Binding, Kind, Scopes, imported_module, literal_key};

/// Writes the traces of one file.
pub struct Writer<'s, 'a> {
    scopes: &'s Scopes<'a>,
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
    /// there, of an attribute, or of what a loop, a clause of a comprehension or a context manager takes.
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
    fn node(&mut self, steps: &[Step]) -> Node {
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
        if steps.len() <= FEW {
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
    fn named(&mut self, scope: usize, name: &'a str) -> Node {
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

    fn placed(&mut self, name: &'a str) -> Node {
        if let Some(node) = self.placed.get(name) {
            return *node;
        }
        let node = self.empty_node();
        self.placed.insert(name, node);
        self.pending.push(Pending::Placed(node, name));
        node
    }

    fn class(&mut self, class: &'a ast::StmtClassDef) -> Option<Step> {
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

    fn path(&mut self, path: ImportPath) -> u32 {
        let new = index(self.traces.paths.len());
        self.traces.paths.push(path);
        new
    }

    /// The path of a module that something is imported from, or of `alias` in it.
    fn import_from(&mut self, import: &ast::StmtImportFrom, alias: Option<&ast::Alias>) -> u32 {
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

    fn chain(&mut self, attributes: Vec<Key>) -> Chain {
        if attributes.is_empty() {
            return 0;
        }
        let new = index(self.traces.chains.len());
        self.traces.chains.push(attributes.into_boxed_slice());
        new
    }
}

/// How many steps are compared with each other.
const FEW: usize = 12;

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn absolute<'p>(components: impl Iterator<Item = &'p str>) -> ImportPath {
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

/// Writes the steps of one expression.
struct Walk<'w, 's, 'a> {
    writer: &'w mut Writer<'s, 'a>,
    scope: usize,
    /// The nodes around the expression, for what comprehensions and lambdas bind.
    around: &'w [AnyNodeRef<'a>],
    /// The clauses of them that are followed.
    clauses: Vec<TextRange>,
    /// Whether strings are names.
    is_annotation: bool,
    /// Whether the expression is a class that the code asks for.
    is_narrowing: bool,
    steps: &'w mut Vec<Step>,
}

impl<'s, 'a> Walk<'_, 's, 'a> {
    fn expression(&mut self, expr: &'a Expr) {
        self.visit_expr(expr);
    }

    /// A name, with the attributes that follow it.
    fn name(&mut self, name: &'a str, attributes: Vec<Key>) {
        for node in self.around.iter().rev() {
            if let AnyNodeRef::ExprLambda(lambda) = node
                && let Some(parameters) = &lambda.parameters
                && parameters.includes(name)
            {
                return;
            }
            for generator in generators(node) {
                // What its own clause iterates over may have the same name.
                if binds(&generator.target, name) && !self.clauses.contains(&generator.range()) {
                    self.clauses.push(generator.range());
                    self.visit_expr(&generator.iter);
                    self.clauses.pop();
                    return;
                }
            }
        }
        let scopes = self.writer.scopes;
        self.narrowings(name);
        let mut scope = self.scope;
        let mut is_first = true;
        loop {
            let Some(own) = scopes.all.get(scope) else {
                return;
            };
            let is_visible = is_first || !matches!(own.kind, Kind::Class(_));
            if is_visible && own.bindings.contains_key(name) {
                break;
            }
            is_first = false;
            if scope == 0 {
                break;
            }
            scope = own.parent;
        }
        // Attributes only matter one by one where a module may be what has them.
        let may_be_module = scopes.shared.contains(name)
            || scopes
                .all
                .get(scope)
                .and_then(|own| own.bindings.get(name))
                .is_none_or(|bindings| bindings.iter().any(Binding::may_be_module));
        let chain = match attributes.as_slice() {
            [_, ..] if !may_be_module => ANY_CHAIN,
            _ => self.writer.chain(attributes),
        };
        if scope == 0 {
            if name == "super" {
                self.own_class();
            }
            self.steps.push(Step::Name(name_key(name), chain));
        } else {
            let node = self.writer.named(scope, name);
            self.steps.push(Step::Node(node, chain));
        }
    }

    /// The classes that the code asks for what has this name.
    fn narrowings(&mut self, name: &'a str) {
        // What is asked for may be asked about somewhere else.
        if self.is_narrowing {
            return;
        }
        let scopes = self.writer.scopes;
        self.is_narrowing = true;
        for classes in scopes.narrowed.get(name).into_iter().flatten() {
            self.names_in(classes);
        }
        self.is_narrowing = false;
        for (class, scope) in scopes.matched.get(name).into_iter().flatten() {
            let mut walk = Walk {
                writer: self.writer,
                scope: *scope,
                around: &[],
                clauses: Vec::new(),
                is_annotation: false,
                is_narrowing: true,
                steps: self.steps,
            };
            walk.expression(class);
        }
    }

    fn own_class(&mut self) {
        let scopes = self.writer.scopes;
        let mut scope = self.scope;
        while let Some(own) = scopes.all.get(scope) {
            if let Kind::Class(class) = own.kind {
                let class = self.writer.class(class);
                self.steps.extend(class);
                return;
            }
            if scope == 0 {
                return;
            }
            scope = own.parent;
        }
    }

    /// Whether the result of calling `callee` holds nothing of what it is given.
    fn keeps_nothing(&self, callee: &Expr) -> bool {
        let Some(root) = root_name(callee) else {
            return false;
        };
        match self.bindings_of(root) {
            None => callee.is_name_expr() && RESULTS.plain.iter().any(|plain| plain == root),
            Some(bindings) => {
                let mut modules = bindings.iter().map(Binding::stdlib_module);
                modules.all(|module| {
                    module.is_some_and(|module| {
                        !RESULTS.generic.iter().any(|generic| generic == module)
                    })
                })
            }
        }
    }

    /// Whether the value of `expr` may be a class, of which something in brackets is another one.
    fn may_be_class(&self, expr: &Expr) -> bool {
        let Some(root) = root_name(expr) else {
            return false;
        };
        self.bindings_of(root).is_none_or(|bindings| {
            bindings.iter().any(|binding| {
                matches!(
                    binding,
                    Binding::Import(_) | Binding::ImportFrom(..) | Binding::Class(_)
                )
            })
        })
    }

    /// The import that binds what `callee` starts from, as the index of its path.
    fn imported(&mut self, callee: &Expr) -> Option<u32> {
        let root = root_name(callee)?;
        match self.bindings_of(root)? {
            [Binding::ImportFrom(import, alias)] if import.level == 0 => {
                Some(self.writer.import_from(import, Some(alias)))
            }
            [Binding::Import(alias)] => Some(self.writer.path(absolute(alias.name.split('.')))),
            _ => None,
        }
    }

    /// What binds a name that is visible here. `None` for builtin names.
    fn bindings_of(&self, name: &str) -> Option<&'s [Binding<'a>]> {
        let scopes = self.writer.scopes;
        if scopes.shared.contains(name) {
            return Some(&[]);
        }
        let mut scope = self.scope;
        let mut is_first = true;
        loop {
            let own = scopes.all.get(scope)?;
            if (is_first || !matches!(own.kind, Kind::Class(_)))
                && let Some(bindings) = own.bindings.get(name)
            {
                return Some(bindings);
            }
            if scope == 0 {
                return (!scopes.stars.is_empty()).then_some(&[]);
            }
            is_first = false;
            scope = own.parent;
        }
    }

    fn attribute(&mut self, name: &'a str) {
        self.steps.push(Step::Attribute(name_key(name)));
        self.narrowings(name);
        if self.writer.scopes.placed.contains_key(name) {
            let node = self.writer.placed(name);
            self.steps.push(Step::Node(node, 0));
        }
    }

    /// A walk from the same place that writes to steps of its own.
    fn beside<'b>(&'b mut self, steps: &'b mut Vec<Step>) -> Walk<'b, 's, 'a> {
        Walk {
            writer: self.writer,
            scope: self.scope,
            around: self.around,
            clauses: self.clauses.clone(),
            is_annotation: self.is_annotation,
            is_narrowing: self.is_narrowing,
            steps,
        }
    }

    /// What an attribute is taken of.
    fn receiver(&mut self, value: &'a Expr, attribute: &'a str) {
        let mut names = vec![name_key(attribute)];
        let mut root = value;
        while let Expr::Attribute(inner) = root {
            names.push(name_key(&inner.attr));
            root = &inner.value;
        }
        if let Expr::Name(name) = root {
            names.reverse();
            self.name(&name.id, names);
        }
        if !value.is_name_expr() {
            let mut steps = Vec::new();
            self.beside(&mut steps).expression(value);
            let node = self.writer.node(&steps);
            self.steps.push(Step::Part(node));
        }
    }

    /// The names in a text: of an annotation, of a forward reference.
    fn names_in(&mut self, text: &'a str) {
        let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        for path in text.split(|c| !is_path(c)) {
            let mut components = path.split('.');
            let Some(name) = components.next().filter(|name| !name.is_empty()) else {
                continue;
            };
            let attributes: Vec<Key> = components.map(name_key).collect();
            let attribute_steps = attributes.iter().map(|name| Step::Attribute(*name));
            self.steps.extend(attribute_steps);
            self.name(name, attributes);
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Walk<'_, '_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => {
                if !name.ctx.is_store() {
                    self.name(&name.id, Vec::new());
                }
                TraversalSignal::Skip
            }
            AnyNodeRef::ExprAttribute(attribute) => {
                self.attribute(&attribute.attr);
                self.receiver(&attribute.value, &attribute.attr);
                TraversalSignal::Skip
            }
            AnyNodeRef::ExprSubscript(subscript) => {
                self.visit_expr(&subscript.value);
                if let Some(key) = literal_key(&subscript.slice) {
                    self.attribute(key);
                }
                // `Union["Client", None]`, outside of an annotation
                let outer = self.is_annotation;
                self.is_annotation |= self.may_be_class(&subscript.value);
                self.visit_expr(&subscript.slice);
                self.is_annotation = outer;
                TraversalSignal::Skip
            }
            AnyNodeRef::ExprCall(call) => {
                let takes_names = matches!(
                    last_name(&call.func),
                    Some(
                        "TypeVar"
                            | "ParamSpec"
                            | "cast"
                            | "NewType"
                            | "NamedTuple"
                            | "TypedDict"
                            | "ForwardRef"
                    )
                );
                self.visit_expr(&call.func);
                // What a collection holds may be called: `for task in self.tasks.values(): task()`.
                if let Expr::Attribute(method) = &*call.func
                    && GIVING.contains(&method.attr.as_str())
                {
                    self.visit_expr(&method.value);
                }
                if let Some(module) = imported_module(call) {
                    let path = self.writer.path(absolute(module.split('.')));
                    self.steps.push(Step::Import(path));
                }
                if self.keeps_nothing(&call.func) {
                    return TraversalSignal::Skip;
                }
                let mut steps = Vec::new();
                let mut walk = self.beside(&mut steps);
                let keywords = call.arguments.keywords.iter();
                for argument in call
                    .arguments
                    .args
                    .iter()
                    .chain(keywords.map(|keyword| &keyword.value))
                {
                    match argument {
                        Expr::StringLiteral(text) if takes_names => {
                            walk.names_in(text.value.to_str());
                        }
                        // `getattr(client, "get")`, and a key of a typed dictionary
                        Expr::StringLiteral(text) => {
                            let name = name_key(text.value.to_str());
                            walk.steps.push(Step::Attribute(name));
                        }
                        argument => walk.expression(argument),
                    }
                }
                match self.imported(&call.func) {
                    Some(path) if !steps.is_empty() => {
                        let given = self.writer.node(&steps);
                        self.steps.push(Step::Given(given, path));
                    }
                    _ => self.steps.extend(steps),
                }
                TraversalSignal::Skip
            }
            AnyNodeRef::ExprStringLiteral(text) => {
                if self.is_annotation {
                    self.names_in(text.value.to_str());
                }
                TraversalSignal::Skip
            }
            AnyNodeRef::ExprIf(conditional) => {
                self.visit_expr(&conditional.body);
                self.visit_expr(&conditional.orelse);
                TraversalSignal::Skip
            }
            AnyNodeRef::StringLiteral(_)
            | AnyNodeRef::ExprFString(_)
            | AnyNodeRef::ExprTString(_)
            | AnyNodeRef::ExprBytesLiteral(_)
            | AnyNodeRef::ExprNumberLiteral(_) => TraversalSignal::Skip,
            AnyNodeRef::ExprUnaryOp(operation) if operation.op == ast::UnaryOp::Not => {
                TraversalSignal::Skip
            }
            _ => TraversalSignal::Traverse,
        }
    }
}

/// Methods of collections that give all that these hold.
const GIVING: [&str; 4] = ["items", "pop", "popleft", "values"];

/// The clauses of a comprehension.
fn generators<'a>(node: &AnyNodeRef<'a>) -> impl Iterator<Item = &'a ast::Comprehension> {
    let generators: &'a [ast::Comprehension] = match node {
        AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
        | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
        | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. })
        | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. }) => generators,
        _ => &[],
    };
    generators.iter()
}

fn binds(target: &Expr, name: &str) -> bool {
    match target {
        Expr::Name(bound) => bound.id == name,
        Expr::Starred(starred) => binds(&starred.value, name),
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
            elts.iter().any(|target| binds(target, name))
        }
        _ => false,
    }
}

/// What is called to give a value, awaited or not.
fn callee_of(value: &Expr) -> Option<&Expr> {
    match value {
        Expr::Call(call) => Some(&call.func),
        Expr::Await(awaited) => callee_of(&awaited.value),
        _ => None,
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
