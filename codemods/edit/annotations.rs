//! The annotations of a function that a codemod writes. Type checkers look into a function only where it has some,
//! and many projects ask for them on every function.

use asyncfix_analysis::resolve::Definition;
use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_syntax::queries::{last_name, names_in};
use asyncfix_syntax::site::Owner;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Operator, PythonVersion, Stmt, UnaryOp};
use ruff_text_size::{Ranged, TextSize};
use ty_python_semantic::types::{Type, TypeDefinition, TypeDetail, TypeDisplayDetails};

use crate::edit::imports;
use crate::file::File;

/// Writes the annotations of one new function.
pub struct Annotations<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    scope: FileScopeId,
    at: TextSize,
    /// Whether no annotation is evaluated: `from __future__ import annotations`.
    are_postponed: bool,
    /// Whether the code around says all of its types, so that what is not known has to be written as `Any`.
    is_complete: bool,
    /// Whether something is written as `Any` of which nothing is known.
    is_guessed: bool,
    /// The import of `Any`.
    import: Option<Edit>,
}

/// The annotations of a new function: all of them, or none.
#[derive(Default)]
pub struct Written {
    /// Those of the parameters, in order, as far as there are some.
    pub parameters: Vec<Option<String>>,
    /// That of what it gives.
    pub returns: Option<String>,
    /// The import that they need.
    pub imports: Option<Edit>,
    /// Why that is unsafe.
    pub unsafe_because: Option<String>,
}

impl Written {
    /// The parameters with these names, as they stand between the parentheses.
    pub fn parameters(&self, names: &[String]) -> String {
        let mut annotations = self.parameters.iter();
        let written: Vec<String> = names
            .iter()
            .map(|name| match annotations.next() {
                Some(Some(annotation)) => format!("{name}: {annotation}"),
                _ => name.clone(),
            })
            .collect();
        written.join(", ")
    }

    /// What stands before the colon.
    pub fn arrow(&self) -> String {
        let returns = self.returns.as_ref();
        returns.map_or(String::new(), |returns| format!(" -> {returns}"))
    }
}

impl<'f, 'a, 'db> Annotations<'f, 'a, 'db> {
    /// Those of a function that is written at `at` in code of `owner`. `None` where nobody asks for them.
    pub fn of(file: &'f File<'a, 'db>, owner: Owner<'a>, at: TextSize) -> Option<Self> {
        if !file.settings.asks_for_annotations && !is_checked(file, owner) {
            return None;
        }
        Some(Self {
            file,
            scope: file.semantics.scope_of_owner(owner)?,
            at,
            are_postponed: are_postponed(file.body()),
            is_complete: is_complete(owner),
            is_guessed: false,
            import: None,
        })
    }

    /// What is written: nothing at all where one annotation cannot be told.
    pub fn finish(self, parameters: Option<Vec<String>>, returns: Option<String>) -> Written {
        let is_asked = self.file.settings.asks_for_annotations;
        let is_enough = is_asked || self.is_complete || !self.is_guessed && self.import.is_none();
        match (parameters, returns) {
            (Some(parameters), Some(returns)) if is_enough => Written {
                parameters: parameters.into_iter().map(Some).collect(),
                returns: Some(returns),
                imports: self.import,
                unsafe_because: (is_asked && self.is_guessed).then(|| {
                    "asyncfix can't tell all types of the new function, so type checkers would see `Any`".to_owned()
                }),
            },
            _ => Written {
                unsafe_because: is_asked.then(|| {
                    "the new function has no annotations, which the project's type checker asks for".to_owned()
                }),
                ..Written::default()
            },
        }
    }

    /// What is written where type checkers would not know any more what has been tested of `place`.
    pub fn forget(place: &str) -> Written {
        Written {
            unsafe_because: Some(format!(
                "in the new function, type checkers don't know what is tested of `{place}` before"
            )),
            ..Written::default()
        }
    }

    /// The annotation of a value of this expression, where it can be told and written here.
    pub fn of_value(&mut self, expr: &Expr) -> Option<String> {
        self.of_value_at(expr.into())
    }

    fn of_value_at(&mut self, expr: ast::ExprRef<'_>) -> Option<String> {
        let semantics = &self.file.semantics;
        let ty = semantics.type_of(expr)?;
        let env = semantics.model().program_environment();
        let shown = ty.display(semantics.db(), &env).to_string_parts();
        let parsed = ruff_python_parser::parse_expression(&shown.label).ok()?;
        self.written(parsed.expr(), &shown)
    }

    /// Whether the code around says all of its types.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The annotation of what awaiting the coroutine gives that a call makes, where it can be told and written here.
    pub fn of_awaited(&mut self, call: &ast::ExprCall) -> Option<String> {
        let semantics = &self.file.semantics;
        let ty = semantics.type_of(call)?;
        let env = semantics.model().program_environment();
        let shown = ty.display(semantics.db(), &env).to_string_parts();
        let parsed = ruff_python_parser::parse_expression(&shown.label).ok()?;
        let Expr::Subscript(coroutine) = parsed.expr() else {
            return None;
        };
        let is_coroutine = matches!(
            last_name(&coroutine.value),
            Some("Coroutine" | "CoroutineType")
        );
        let result = coroutine.slice.as_tuple_expr()?.elts.get(2)?;
        is_coroutine.then(|| self.written(result, &shown))?
    }

    /// The annotation of a variable at a use of it.
    pub fn of_load(&mut self, load: &ast::ExprName) -> Option<String> {
        self.of_value_at(load.into())
    }

    /// The annotation of a variable that `statement` binds, after that.
    pub fn of_variable(&mut self, name: &str, statement: &Stmt) -> Option<String> {
        let mut bindings = Bindings {
            name,
            found: Vec::new(),
            annotation: None,
        };
        bindings.visit_stmt(statement);
        if let Some(annotation) = bindings.annotation {
            return self.as_written(annotation);
        }
        let parts = bindings
            .found
            .into_iter()
            .map(|target| self.of_load(target))
            .collect::<Option<Vec<_>>>()?;
        (!parts.is_empty()).then(|| self.union(parts))?
    }

    /// An annotation of the same code, as it stands there: those of variables are never evaluated, those of
    /// functions are.
    pub fn as_written(&self, annotation: &Expr) -> Option<String> {
        let text = self.file.text(annotation);
        let is_old = text.contains('|') && !self.evaluates(PythonVersion::PY310)
            || text.contains('[') && !self.evaluates(PythonVersion::PY39);
        let is_there = |name: &Expr| match name {
            Expr::Name(name) => self
                .file
                .semantics
                .lookup(&name.id, self.scope)
                .is_some_and(|found| found.iter().all(|definition| self.exists(*definition))),
            _ => true,
        };
        (!is_old && !text.contains(['\n', '\r']) && names_in(annotation).all(is_there))
            .then(|| text.to_owned())
    }

    /// Whether what is new in a version of Python may stand in an annotation.
    fn evaluates(&self, version: PythonVersion) -> bool {
        self.file.targets(version) || self.are_postponed
    }

    fn union(&self, parts: Vec<String>) -> Option<String> {
        let mut distinct: Vec<String> = Vec::new();
        for part in parts {
            for one in part.split(" | ") {
                if !distinct.iter().any(|other| other == one) {
                    distinct.push(one.to_owned());
                }
            }
        }
        // `None` stands last.
        distinct.sort_by_key(|part| part == "None");
        let is_written = distinct.len() < 2
            || self.evaluates(PythonVersion::PY310)
                && distinct.iter().all(|part| is_balanced(part));
        is_written.then(|| distinct.join(" | "))
    }

    /// A type as the type engine shows it, in the names that there are.
    fn written(&mut self, shown: &Expr, details: &TypeDisplayDetails<'db>) -> Option<String> {
        match shown {
            Expr::NoneLiteral(_) => Some("None".to_owned()),
            Expr::EllipsisLiteral(_) => Some("...".to_owned()),
            Expr::Name(name) => self.named(name, details),
            Expr::BinOp(union) if union.op == Operator::BitOr => {
                let parts = vec![
                    self.written(&union.left, details)?,
                    self.written(&union.right, details)?,
                ];
                self.union(parts)
            }
            Expr::Subscript(generic) => {
                let slices: &[Expr] = match &*generic.slice {
                    Expr::Tuple(tuple) => &tuple.elts,
                    one => std::slice::from_ref(one),
                };
                if last_name(&generic.value) == Some("Literal") {
                    let classes = slices.iter().map(class_of_literal);
                    return self.union(classes.collect::<Option<_>>()?);
                }
                if !self.evaluates(PythonVersion::PY39) {
                    return None;
                }
                let class = self.written(&generic.value, details)?;
                let parts = slices
                    .iter()
                    .map(|part| self.written(part, details))
                    .collect::<Option<Vec<_>>>()?;
                Some(format!("{class}[{}]", parts.join(", ")))
            }
            _ => None,
        }
    }

    fn named(&mut self, name: &ast::ExprName, details: &TypeDisplayDetails<'db>) -> Option<String> {
        let file = self.file;
        let semantics = &file.semantics;
        let detail = details
            .targets
            .iter()
            .zip(&details.details)
            .find_map(|(range, detail)| (*range == name.range()).then_some(detail))?;
        let TypeDetail::Type(ty) = detail else {
            return None;
        };
        if let Type::Dynamic(_) = ty {
            self.is_guessed |= name.id != "Any";
            let imported = imports::import(file, "typing", "Any", self.scope, self.at).ok()?;
            self.import = imported.edit;
            return Some(imported.expression);
        }
        if name.id == "LiteralString" {
            return Some("str".to_owned());
        }
        let env = semantics.model().program_environment();
        let TypeDefinition::StaticClass(class) = ty.definition(semantics.db(), &env)? else {
            return None;
        };
        let path = semantics.path_of_class(class);
        let definitions = semantics.lookup(&name.id, self.scope)?;
        match definitions.as_slice() {
            [] => (path == format!("builtins.{}", name.id)).then(|| name.id.to_string()),
            [one] if self.exists(*one) && semantics.imported_by(*one) == Some(class) => {
                Some(name.id.to_string())
            }
            _ => None,
        }
        .or_else(|| {
            // `pathlib.Path`
            let (module, _) = path.rsplit_once('.')?;
            let is_public = !path.split('.').any(|part| part.starts_with('_'));
            let is_there = !module.contains('.')
                && semantics.qualified_name_in(module, self.scope).as_deref() == Some(module)
                && semantics
                    .lookup(module, self.scope)?
                    .iter()
                    .all(|definition| self.exists(*definition));
            (is_public && is_there && module != "builtins").then_some(path)
        })
    }

    /// Whether a name is there when the program runs.
    fn exists(&self, definition: Definition<'db>) -> bool {
        let semantics = &self.file.semantics;
        definition.file_scope(semantics.db()).is_global()
            && (self.are_postponed
                || semantics
                    .definition_range(definition)
                    .is_some_and(|range| !semantics.is_typing_only(definition, range)))
    }
}

/// Where a statement binds a variable.
struct Bindings<'n, 'a> {
    name: &'n str,
    found: Vec<&'a ast::ExprName>,
    annotation: Option<&'a Expr>,
}

impl<'a> SourceOrderVisitor<'a> for Bindings<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::StmtAnnAssign(statement) => {
                if matches!(&*statement.target, Expr::Name(name) if name.id == self.name) {
                    self.annotation = Some(&statement.annotation);
                }
            }
            AnyNodeRef::ExprName(name) if name.ctx.is_store() && name.id == self.name => {
                self.found.push(name);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether code of `owner` says all of its types.
fn is_complete(owner: Owner<'_>) -> bool {
    match owner {
        Owner::Function(function) => {
            let mut parameters = function.parameters.iter().enumerate();
            function.returns.is_some()
                && parameters.all(|(index, parameter)| {
                    parameter.annotation().is_some()
                        || index == 0 && matches!(parameter.name().as_str(), "self" | "cls")
                })
        }
        Owner::Module | Owner::Lambda(_) => false,
    }
}

/// Whether type checkers look into code of `owner`.
fn is_checked(file: &File<'_, '_>, owner: Owner<'_>) -> bool {
    match owner {
        Owner::Function(function) => {
            let mut parameters = function.parameters.iter();
            function.returns.is_some()
                || parameters.any(|parameter| parameter.annotation().is_some())
        }
        Owner::Module => is_typed(file.body()),
        Owner::Lambda(_) => false,
    }
}

/// Whether no annotation of a module is evaluated: `from __future__ import annotations`.
pub fn are_postponed(body: &[Stmt]) -> bool {
    body.iter().any(|statement| {
        matches!(statement, Stmt::ImportFrom(import)
            if import.module.as_deref() == Some("__future__")
                && import.names.iter().any(|alias| &alias.name == "annotations"))
    })
}

/// Whether all brackets of a text are closed in it.
fn is_balanced(text: &str) -> bool {
    text.matches('[').count() == text.matches(']').count()
}

/// The class of the literals of a `Literal[…]`.
fn class_of_literal(literal: &Expr) -> Option<String> {
    let class = match literal {
        Expr::StringLiteral(_) => "str",
        Expr::BytesLiteral(_) => "bytes",
        Expr::BooleanLiteral(_) => "bool",
        Expr::NumberLiteral(_) => "int",
        Expr::UnaryOp(negative) if negative.op == UnaryOp::USub => "int",
        _ => return None,
    };
    Some(class.to_owned())
}

/// Whether code is written for type checkers, so that what is new in it should say what it holds: something in it is
/// annotated.
pub fn is_typed(body: &[Stmt]) -> bool {
    struct Annotations(bool);
    impl<'a> SourceOrderVisitor<'a> for Annotations {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::StmtFunctionDef(function) => function.returns.is_some(),
                AnyNodeRef::Parameter(parameter) => parameter.annotation.is_some(),
                AnyNodeRef::StmtAnnAssign(_) => true,
                AnyNodeRef::StmtImportFrom(import) => {
                    import.module.as_deref() == Some("__future__")
                        && import
                            .names
                            .iter()
                            .any(|alias| &alias.name == "annotations")
                }
                _ => false,
            };
            if self.0 || node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut annotations = Annotations(false);
    annotations.visit_body(body);
    annotations.0
}
