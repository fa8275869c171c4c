//! What the function that is called says of its parameters and of what it gives.

use asyncfix_syntax::queries::{last_name, names_in};
use asyncfix_syntax::site::Owner;
use ruff_db::source::source_text;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;
use ty_python_core::definition::Definition;
use ty_python_semantic::Db;

use crate::file::ParsedFile;
use crate::resolve::definitions::Function;
use crate::resolve::semantics::Semantics;

/// The signature of a function that is called.
pub struct Signature<'db> {
    function: Function<'db>,
    /// The semantics of its file.
    own: Semantics<'db>,
    /// How many of its parameters the call does not name.
    skipped: usize,
}

impl<'db> Signature<'db> {
    /// That of what `callee` means, called with `given` positional arguments; `None` where it is not
    /// in sight.
    pub fn of(semantics: &Semantics<'db>, callee: &Expr, given: usize) -> Option<Self> {
        let function = semantics.function(callee)?;
        let node = function.node(semantics.db())?;
        let own = semantics.of_function(&function);
        let is_static = node
            .decorator_list
            .iter()
            .any(|decorator| own.means(&decorator.expression, &["builtins.staticmethod"]));
        // `Class.method(instance, item)` names all of them.
        let parameters = node.parameters.posonlyargs.len() + node.parameters.args.len();
        let has_room = given < parameters || node.parameters.vararg.is_some();
        let is_bound = own.is_method(node) && !is_static && callee.is_attribute_expr() && has_room;
        Some(Self {
            function,
            own,
            skipped: usize::from(is_bound),
        })
    }

    /// What the parameter is called that takes the positional argument with this index.
    pub fn parameter(&self, db: &'db dyn Db, index: usize) -> Option<String> {
        let node = self.function.node(db)?;
        let parameter = self.positional(node, index)?;
        let is_variadic = node.parameters.vararg.as_deref() == Some(parameter);
        (!is_variadic).then(|| parameter.name.to_string())
    }

    fn positional<'n>(
        &self,
        node: &'n ast::StmtFunctionDef,
        index: usize,
    ) -> Option<&'n ast::Parameter> {
        let parameters = &node.parameters;
        parameters
            .posonlyargs
            .iter()
            .chain(&parameters.args)
            .nth(index + self.skipped)
            .map(|parameter| &parameter.parameter)
            .or(parameters.vararg.as_deref())
    }

    /// Whether the parameter that takes the positional argument with this index, or this keyword, takes
    /// something to await. `None` where its annotation does not say.
    pub fn takes_awaitable(
        &self,
        db: &'db dyn Db,
        index: usize,
        keyword: Option<&str>,
    ) -> Option<bool> {
        let node = self.function.node(db)?;
        let parameter = match keyword {
            Some(name) => &node.parameters.find(name)?.parameter,
            None => self.positional(node, index)?,
        };
        let annotation = parameter.annotation.as_deref()?;
        let names: Vec<&Expr> = names_in(annotation).collect();
        let awaitable = [
            "typing.Awaitable",
            "typing.Coroutine",
            "collections.abc.Awaitable",
            "collections.abc.Coroutine",
            "types.CoroutineType",
        ];
        if names.iter().any(|name| self.own.means(name, &awaitable)) {
            return Some(true);
        }
        let is_plain = |name: &&Expr| {
            self.own.qualified_name(name).is_some_and(|path| {
                path != "builtins.object"
                    && (path.starts_with("builtins.")
                        || path.starts_with("typing.") && path != "typing.Any")
            })
        };
        (!names.is_empty() && names.iter().all(is_plain)).then_some(false)
    }

    /// The annotation of what the function gives, for code of `owner` in `file`.
    pub fn returns(&self, file: &ParsedFile<'_, 'db>, owner: Owner<'_>) -> Option<String> {
        let node = self.function.node(file.semantics.db())?;
        self.text(file, owner, node.returns.as_deref()?)
    }

    /// The annotation of what awaiting a call of the function gives.
    pub fn gives(&self, file: &ParsedFile<'_, 'db>, owner: Owner<'_>) -> Option<String> {
        let node = self.function.node(file.semantics.db())?;
        node.is_async.then(|| self.returns(file, owner))?
    }

    /// Whether some of its annotations are missing.
    pub fn is_incomplete(&self, db: &'db dyn Db) -> bool {
        let Some(node) = self.function.node(db) else {
            return true;
        };
        let mut parameters = node.parameters.iter().skip(self.skipped);
        node.returns.is_none() || parameters.any(|parameter| parameter.annotation().is_none())
    }

    /// The annotation of the parameter that takes the positional argument with this index.
    pub fn annotation_at(
        &self,
        file: &ParsedFile<'_, 'db>,
        owner: Owner<'_>,
        index: usize,
    ) -> Option<String> {
        let node = self.function.node(file.semantics.db())?;
        self.text(file, owner, self.positional(node, index)?.annotation()?)
    }

    /// The annotation of the parameter with this name.
    pub fn annotation_of(
        &self,
        file: &ParsedFile<'_, 'db>,
        owner: Owner<'_>,
        name: &str,
    ) -> Option<String> {
        let node = self.function.node(file.semantics.db())?;
        let parameter = &node.parameters.find(name)?.parameter;
        self.text(file, owner, parameter.annotation()?)
    }

    /// The text of an annotation of the function, if it means the same in code of `owner`.
    fn text(
        &self,
        file: &ParsedFile<'_, 'db>,
        owner: Owner<'_>,
        annotation: &Expr,
    ) -> Option<String> {
        let semantics = &file.semantics;
        let db = semantics.db();
        let scope = semantics.scope_of_owner(owner)?;
        let is_here = semantics.is_here(self.function.definition);
        let is_global = |definitions: Option<Vec<Definition<'_>>>| {
            definitions.is_some_and(|definitions| {
                definitions
                    .iter()
                    .all(|definition| definition.file_scope(db).is_global())
            })
        };
        // What is only imported for a type checker cannot stand in a function that is made when the
        // program runs.
        let exists = |definitions: Option<Vec<Definition<'db>>>| {
            definitions.is_some_and(|definitions| {
                definitions.iter().all(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_some_and(|range| !semantics.is_typing_only(*definition, range))
                })
            })
        };
        // The names of types that are made for one function or class mean nothing outside.
        let means_the_same = names_in(annotation).all(|name| match name {
            _ if last_name(name) == Some("Self") => false,
            Expr::StringLiteral(_) => is_here,
            Expr::Name(id) if is_here => {
                is_global(semantics.lookup(&id.id, scope)) && is_global(self.own.bindings(id))
            }
            Expr::Name(id) => {
                let there = self.own.qualified_name(name);
                there.is_some()
                    && there == semantics.qualified_name_in(&id.id, scope)
                    && exists(semantics.lookup(&id.id, scope))
            }
            _ => true,
        });
        if !means_the_same {
            return None;
        }
        let text = source_text(db, self.function.definition.file(db));
        let text = text.as_str().get(annotation.range().to_std_range())?;
        (!text.contains(['\n', '\r'])).then(|| text.to_owned())
    }
}

/// Whether every function and method of a module says what it takes and what it gives; functions
/// inside functions aside.
pub fn is_typed_throughout(body: &[Stmt]) -> bool {
    struct Functions {
        are_typed: bool,
        count: usize,
        is_in_class: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Functions {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            match statement {
                Stmt::FunctionDef(function) => {
                    self.count += 1;
                    self.are_typed &= function.returns.is_some()
                        && function
                            .parameters
                            .iter()
                            .skip(usize::from(self.is_in_class))
                            .all(|parameter| parameter.annotation().is_some());
                }
                Stmt::ClassDef(class) => {
                    let is_in_class = std::mem::replace(&mut self.is_in_class, true);
                    self.visit_body(&class.body);
                    self.is_in_class = is_in_class;
                }
                _ => walk_stmt(self, statement),
            }
        }

        fn visit_expr(&mut self, _expr: &'a Expr) {}
    }
    let mut functions = Functions {
        are_typed: true,
        count: 0,
        is_in_class: false,
    };
    functions.visit_body(body);
    functions.are_typed && functions.count > 0
}
