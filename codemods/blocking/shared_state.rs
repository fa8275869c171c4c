//! What code changes of what others share with it: of the whole process, of its module, of the objects that it was given.

use asyncfix_analysis::resolve::definitions::instance_values;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::conduct::method_changes;
use asyncfix_knowledge::process_state::TABLE;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{own_code, root_name};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

/// What a function has for itself, and what it shares with others.
pub(super) struct Shared<'a> {
    own: FxHashSet<&'a str>,
    /// Names that mean those of the module.
    declared: FxHashSet<&'a str>,
    /// Its first parameter, where that is an object which was made for one block, and the class of that.
    object: Option<(&'a str, &'a ast::StmtClassDef)>,
}

impl<'a> Shared<'a> {
    pub(super) fn of(
        function: &'a ast::StmtFunctionDef,
        class: Option<&'a ast::StmtClassDef>,
    ) -> Self {
        let first = function.parameters.iter().next();
        let mut shared = Self {
            own: FxHashSet::default(),
            declared: FxHashSet::default(),
            object: first.map(|first| first.name().as_str()).zip(class),
        };
        shared.visit_body(&function.body);
        shared
    }

    /// Whether others see that a target is given a value.
    fn has_target(&self, target: &Expr) -> bool {
        match target {
            Expr::Name(name) => self.declared.contains(name.id.as_str()),
            Expr::Attribute(ast::ExprAttribute { value, .. })
            | Expr::Subscript(ast::ExprSubscript { value, .. }) => self.has(value),
            _ => false,
        }
    }

    /// Whether others see an object.
    pub(super) fn has(&self, object: &Expr) -> bool {
        let Some(root) = root_of(object) else {
            return false;
        };
        match self.object {
            Some((own, class)) if own == root => {
                // What it was given is not its own.
                first_attribute(object).is_some_and(|attribute| {
                    let values = instance_values(class, attribute);
                    values.iter().any(|value| value.is_name_expr())
                })
            }
            _ => self.declared.contains(root) || !self.own.contains(root),
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Shared<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if !name.ctx.is_load() => {
                self.own.insert(&name.id);
            }
            AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
            | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                self.declared
                    .extend(names.iter().map(ast::Identifier::as_str));
            }
            _ => {}
        }
        own_code(node)
    }
}

/// The name that a target starts from.
pub(super) fn root_of(target: &Expr) -> Option<&str> {
    match target {
        Expr::Subscript(item) => root_of(&item.value),
        Expr::Attribute(attribute) => root_of(&attribute.value),
        other => root_name(other),
    }
}

/// The attribute of a name that an expression starts from.
fn first_attribute(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Attribute(attribute) if attribute.value.is_name_expr() => Some(&attribute.attr),
        Expr::Attribute(ast::ExprAttribute { value, .. })
        | Expr::Subscript(ast::ExprSubscript { value, .. }) => first_attribute(value),
        _ => None,
    }
}

/// A change of something that others share.
pub(super) struct Change {
    pub(super) range: TextRange,
    /// What is changed, as it stands in a reason.
    pub(super) what: String,
    /// Which part of it, where it has several.
    part: Option<String>,
}

impl Change {
    /// Whether both are of the same.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.what == other.what
            && match (&self.part, &other.part) {
                (Some(one), Some(other)) => one == other,
                _ => true,
            }
    }
}

/// Looks for what code changes of what it shares with others.
pub(super) struct Changes<'s, 'm, 'db> {
    semantics: &'s Semantics<'db>,
    /// Where all that others see counts, what the code has for itself.
    shared: Option<&'m Shared<'m>>,
    found: Vec<Change>,
}

impl<'s, 'm, 'db> Changes<'s, 'm, 'db> {
    pub(super) fn of(
        semantics: &'s Semantics<'db>,
        body: &[Stmt],
        shared: Option<&'m Shared<'m>>,
    ) -> Vec<Change> {
        let mut changes = Self {
            semantics,
            shared,
            found: Vec::new(),
        };
        changes.visit_body(body);
        changes.found
    }

    fn add(&mut self, range: TextRange, what: String, part: Option<String>) {
        self.found.push(Change { range, what, part });
    }

    /// Something that is given a value, or is deleted.
    fn target(&mut self, target: &Expr, statement: TextRange) {
        match target {
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.target(target, statement);
                }
                return;
            }
            Expr::Subscript(item) => {
                if let Some(what) = self.known(&item.value) {
                    self.add(statement, what, Some(self.text(&item.slice)));
                    return;
                }
            }
            Expr::Attribute(attribute) => {
                if let Some(what) = self.known(target) {
                    self.add(statement, what, None);
                    return;
                }
                if let Some(module) = self.semantics.qualified_name(&attribute.value)
                    && self.semantics.is_module(&attribute.value)
                    && !self.semantics.is_first_party(&module)
                {
                    self.add(statement, format!("`{module}.{}`", attribute.attr), None);
                    return;
                }
            }
            _ => {}
        }
        if self.shared.is_some_and(|shared| shared.has_target(target)) {
            let what = format!("`{}`", self.text(target));
            self.add(statement, what, None);
        }
    }

    fn call(&mut self, call: &ast::ExprCall) {
        if let Some(path) = self.semantics.qualified_name(&call.func)
            && let Some(what) = TABLE.changed_by_function(&path)
        {
            let part = match &*call.arguments.args {
                [part, _, ..] => Some(self.text(part)),
                _ => None,
            };
            self.add(call.range(), what.to_owned(), part);
            return;
        }
        let Expr::Attribute(method) = &*call.func else {
            return;
        };
        if !method_changes(&method.attr) {
            return;
        }
        if let Some(what) = self.known(&method.value) {
            let part = match &*call.arguments.args {
                [part, ..] if matches!(method.attr.as_str(), "pop" | "setdefault") => {
                    Some(self.text(part))
                }
                _ => None,
            };
            self.add(call.range(), what, part);
        } else if self.shared.is_some_and(|shared| shared.has(&method.value)) {
            let what = format!("`{}`", self.text(&method.value));
            self.add(call.range(), what, None);
        }
    }

    /// What the table says that something is which is given a value.
    fn known(&self, object: &Expr) -> Option<String> {
        let path = self.semantics.qualified_name(object)?;
        Some(TABLE.changed_by_object(&path)?.to_owned())
    }

    fn text(&self, expr: &Expr) -> String {
        match expr {
            Expr::StringLiteral(text) => text.value.to_str().to_owned(),
            other => {
                let source = self.semantics.text();
                let text = source.as_str().get(other.range().to_std_range());
                one_line(text.unwrap_or_default())
            }
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Changes<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(statement) => {
                for target in &statement.targets {
                    self.target(target, statement.range());
                }
            }
            AnyNodeRef::StmtAnnAssign(statement) if statement.value.is_some() => {
                self.target(&statement.target, statement.range());
            }
            AnyNodeRef::StmtAugAssign(statement) => {
                self.target(&statement.target, statement.range());
            }
            AnyNodeRef::StmtDelete(statement) => {
                for target in &statement.targets {
                    self.target(target, statement.range());
                }
            }
            AnyNodeRef::ExprCall(call) => self.call(call),
            _ => {}
        }
        own_code(node)
    }
}
