//! What the value of an expression is made of.

use asyncfix_knowledge::stdlib::RESULTS;
use asyncfix_syntax::queries::{last_name, root_name};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use super::{ANY_CHAIN, Step};
use crate::facts::key::{Key, name_key};
use crate::facts::scopes::{Binding, Kind, imported_module, literal_key};
use crate::facts::value_flow::writer::{Writer, absolute};

/// Writes the steps of one expression.
pub(crate) struct Walk<'w, 's, 'a> {
    pub(crate) writer: &'w mut Writer<'s, 'a>,
    pub(crate) scope: usize,
    /// The nodes around the expression, for what comprehensions and lambdas bind.
    pub(crate) around: &'w [AnyNodeRef<'a>],
    /// The clauses of them that are followed.
    pub(crate) clauses: Vec<TextRange>,
    /// Whether strings are names.
    pub(crate) is_annotation: bool,
    /// Whether the expression is a class that the code asks for.
    pub(crate) is_narrowing: bool,
    pub(crate) steps: &'w mut Vec<Step>,
}

impl<'s, 'a> Walk<'_, 's, 'a> {
    pub(crate) fn expression(&mut self, expr: &'a Expr) {
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

    pub(crate) fn attribute(&mut self, name: &'a str) {
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
    pub(crate) fn receiver(&mut self, value: &'a Expr, attribute: &'a str) {
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

/// Methods of collections that give what these hold.
const GIVING: [&str; 6] = ["get", "items", "pop", "popleft", "setdefault", "values"];

/// The clauses of a comprehension.
pub(crate) fn generators<'a>(
    node: &AnyNodeRef<'a>,
) -> impl Iterator<Item = &'a ast::Comprehension> {
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
pub(crate) fn callee_of(value: &Expr) -> Option<&Expr> {
    match value {
        Expr::Call(call) => Some(&call.func),
        Expr::Await(awaited) => callee_of(&awaited.value),
        _ => None,
    }
}
