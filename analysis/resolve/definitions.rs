//! Functions and classes of the project or of a stub.

use asyncfix_syntax::site::suites_in;
use ruff_db::parsed::{ParsedModuleRef, parsed_module};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use rustc_hash::FxHashSet;
use ty_python_core::ast_node_ref::AstNodeRef;
use ty_python_core::definition::{Definition, DefinitionKind};
use ty_python_semantic::Db;

use crate::facts::key::{Key, name_key};
use crate::resolve::semantics::Semantics;

/// A function of the project or of a stub, found through a call.
pub struct Function<'db> {
    /// The definition in the type engine's terms.
    pub definition: Definition<'db>,
    pub(crate) module: ParsedModuleRef,
}

impl<'db> Function<'db> {
    /// The function that a definition is one of, wherever it stands.
    pub(crate) fn of(db: &'db dyn Db, definition: Definition<'db>) -> Option<Self> {
        let is_one = definition.kind(db).is_function_def();
        is_one.then(|| Self {
            definition,
            module: parsed_module(db, definition.python_file(db)).load(db),
        })
    }

    /// The definition in the type engine's terms.
    pub fn definition(&self) -> Definition<'db> {
        self.definition
    }

    /// The function's node, in the file it is defined in.
    pub fn node<'a>(&'a self, db: &'a dyn Db) -> Option<&'a ast::StmtFunctionDef> {
        match self.definition.kind(db) {
            DefinitionKind::Function(node) => Some(node.node(&self.module)),
            _ => None,
        }
    }
}

/// What makes a class a record, and is no class itself.
pub(crate) const RECORDS: [&str; 3] = [
    "typing.TypedDict",
    "typing_extensions.TypedDict",
    "typing.NamedTuple",
];

/// A class of the project or of a stub, with the semantics of the file it stands in.
pub struct Class<'db> {
    /// Where it is defined.
    pub definition: Definition<'db>,
    node: &'db AstNodeRef<ast::StmtClassDef>,
    /// The semantics of its file.
    pub own: Semantics<'db>,
}

/// The keys of the names that the body of a class assigns to, and of the attributes of variables that something in
/// it gives a value: some classes are thousands of lines long, and they are asked for one name after the other.
#[derive(Debug, Default)]
struct Assigned {
    in_body: FxHashSet<Key>,
    to_instances: FxHashSet<Key>,
}

#[salsa::tracked(returns(ref), no_eq)]
fn assigned_in<'db>(db: &'db dyn Db, definition: Definition<'db>) -> Assigned {
    let mut assigned = Assigned::default();
    let Some(class) = Class::alone(db, definition) else {
        return assigned;
    };
    for statement in &class.node().body {
        if let Stmt::Assign(assign) = statement {
            let names = assign.targets.iter().filter_map(Expr::as_name_expr);
            assigned
                .in_body
                .extend(names.map(|name| name_key(&name.id)));
        }
    }
    assigned.visit_body(&class.node().body);
    assigned
}

impl<'a> SourceOrderVisitor<'a> for Assigned {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let targets = match node {
            AnyNodeRef::StmtAssign(assign) => assign.targets.as_slice(),
            AnyNodeRef::StmtAnnAssign(assign) if assign.value.is_some() => {
                std::slice::from_ref(&*assign.target)
            }
            _ => return TraversalSignal::Traverse,
        };
        let attributes = targets
            .iter()
            .filter_map(Expr::as_attribute_expr)
            .filter(|target| target.value.is_name_expr());
        self.to_instances
            .extend(attributes.map(|target| name_key(&target.attr)));
        TraversalSignal::Skip
    }
}

impl<'db> Class<'db> {
    /// The class that `definition` is one of, whatever file it stands in.
    ///
    /// What is asked of it belongs to the look of `semantics`.
    pub fn of(semantics: &Semantics<'db>, definition: Definition<'db>) -> Option<Self> {
        Self::with(semantics.db(), definition, || {
            semantics.at_definition(definition)
        })
    }

    /// The same, for queries, which nobody looks from.
    pub(crate) fn alone(db: &'db dyn Db, definition: Definition<'db>) -> Option<Self> {
        Self::with(db, definition, || Semantics::of_definition(db, definition))
    }

    fn with(
        db: &'db dyn Db,
        definition: Definition<'db>,
        own: impl FnOnce() -> Semantics<'db>,
    ) -> Option<Self> {
        let DefinitionKind::Class(node) = definition.kind(db) else {
            return None;
        };
        let own = own();
        Some(Self {
            definition,
            node,
            own,
        })
    }

    /// Whether the class assigns to a name in its body, or to the attribute of that name of an instance.
    pub(crate) fn rebinds(&self, name: &str) -> bool {
        let assigned = assigned_in(self.own.db(), self.definition);
        let key = name_key(name);
        assigned.in_body.contains(&key) || assigned.to_instances.contains(&key)
    }

    /// Whether the class puts something else in the place of a method. One coroutine function in the place of
    /// another one makes no difference.
    pub(crate) fn rebinds_otherwise(&self, method: &str) -> bool {
        let assigned = assigned_in(self.own.db(), self.definition);
        let key = name_key(method);
        let own = &self.own;
        assigned.in_body.contains(&key)
            || assigned.to_instances.contains(&key)
                && instance_values(self.node(), method)
                    .iter()
                    .any(|value| !own.is_one_more_coroutine_function(value))
    }

    /// The statement.
    pub fn node(&self) -> &ast::StmtClassDef {
        self.node.node(&self.own.module)
    }

    /// The semantics of the file it stands in.
    pub(crate) fn semantics(&self) -> &Semantics<'db> {
        &self.own
    }

    /// What it says it inherits from, without what is in brackets, but for what only says something to
    /// type checkers.
    pub fn bases(&self) -> impl Iterator<Item = &Expr> {
        const SILENT: [&str; 5] = [
            "typing.Generic",
            "typing_extensions.Generic",
            "typing.Protocol",
            "typing_extensions.Protocol",
            "abc.ABC",
        ];
        let bases = self.node().bases().iter().map(|base| match base {
            Expr::Subscript(subscript) => &*subscript.value,
            other => other,
        });
        // The module that has them does not import them.
        let is_special = |base: &Expr| {
            matches!(base, Expr::Name(name) if matches!(name.id.as_str(), "Generic" | "Protocol"))
                && self.own.module_name().as_deref() == Some("typing")
        };
        bases.filter(move |base| !self.own.means(base, &SILENT) && !is_special(base))
    }

    /// The classes it inherits from, as far as they are known.
    pub fn base_classes(&self) -> impl Iterator<Item = Definition<'db>> {
        self.bases().filter_map(|base| self.own.class_of_base(base))
    }
}

/// What the code of a class assigns to the attribute `name` of a variable.
pub fn instance_values<'a>(class: &'a ast::StmtClassDef, name: &str) -> Vec<&'a Expr> {
    struct Assignments<'a, 'n> {
        name: &'n str,
        values: Vec<&'a Expr>,
    }
    impl<'a> SourceOrderVisitor<'a> for Assignments<'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let (targets, value) = match node {
                AnyNodeRef::StmtAssign(assign) => (assign.targets.as_slice(), Some(&*assign.value)),
                AnyNodeRef::StmtAnnAssign(assign) => (
                    std::slice::from_ref(&*assign.target),
                    assign.value.as_deref(),
                ),
                _ => return TraversalSignal::Traverse,
            };
            let is_it = targets.iter().any(|target| {
                matches!(target, Expr::Attribute(target)
                    if target.attr.as_str() == self.name && target.value.is_name_expr())
            });
            if is_it {
                self.values.extend(value);
            }
            TraversalSignal::Skip
        }
    }
    let mut assignments = Assignments {
        name,
        values: Vec::new(),
    };
    assignments.visit_body(&class.body);
    assignments.values
}

/// Whether a statement, or one inside it, defines a function of this name.
pub(crate) fn defines(statement: &Stmt, name: &str) -> bool {
    match statement {
        Stmt::FunctionDef(function) => function.name.as_str() == name,
        other => suites_in(other)
            .into_iter()
            .flatten()
            .any(|inner| defines(inner, name)),
    }
}
