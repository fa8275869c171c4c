//! What the function that is called says of its parameters and of what it gives.

use asyncfix_syntax::queries::{last_name, names_in};
use asyncfix_syntax::site::Owner;
use ruff_db::source::source_text;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use ty_python_core::definition::Definition;
use ty_python_semantic::Db;

use crate::file::ParsedFile;
use crate::resolve::definitions::{Class, Function};
use crate::resolve::semantics::Semantics;

/// An argument of a call.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// At this place.
    At(usize),
    /// By this name.
    Named(&'a str),
}

impl<'a> Argument<'a> {
    /// The one of `call` for which `is_it` holds; `None` for what is unpacked, and for what stands behind that.
    pub fn of(call: &'a ast::ExprCall, is_it: impl Fn(&Expr) -> bool) -> Option<Self> {
        let positional = &call.arguments.args;
        if let Some(place) = positional.iter().position(&is_it) {
            let mut until = positional.iter().take(place + 1);
            return (!until.any(Expr::is_starred_expr)).then_some(Self::At(place));
        }
        let mut keywords = call.arguments.keywords.iter();
        let keyword = keywords.find(|keyword| is_it(&keyword.value))?;
        Some(Self::Named(keyword.arg.as_deref()?))
    }
}

/// The signature of a function that is called.
pub struct Signature<'db> {
    function: Function<'db>,
    /// The semantics of its file.
    pub(super) own: Semantics<'db>,
    /// How many of its parameters the call does not name.
    skipped: usize,
}

impl<'db> Signature<'db> {
    /// That of what `callee` means, called with `given` positional arguments; `None` where it is not
    /// in sight.
    pub fn of(semantics: &Semantics<'db>, callee: &Expr, given: usize) -> Option<Self> {
        Self::named(semantics, callee, given, semantics.function(callee)?)
    }

    /// That of the function of the project that `call` calls, or that runs first when it makes an object, told without
    /// inferring the code around. `None` where it is not in sight, or there are several.
    pub(super) fn called(semantics: &Semantics<'db>, call: &ast::ExprCall) -> Option<Self> {
        let Some(class) = semantics.class_named(&call.func) else {
            let function = semantics.function_in_sight(&call.func)?;
            return Self::named(semantics, &call.func, call.arguments.args.len(), function);
        };
        let function = Class::of(semantics, class)?.constructor()?;
        let takes_arguments = function.node(semantics.db())?.name.as_str() == "__init__";
        let own = semantics.of_function(&function);
        takes_arguments.then_some(Self {
            function,
            own,
            skipped: 1,
        })
    }

    fn named(
        semantics: &Semantics<'db>,
        callee: &Expr,
        given: usize,
        function: Function<'db>,
    ) -> Option<Self> {
        let node = function.node(semantics.db())?;
        let own = semantics.of_function(&function);
        let is_bound = match callee {
            Expr::Attribute(method) if own.is_method(node) => match kind_of(&own, node) {
                Some(MethodKind::Static) => false,
                Some(MethodKind::OfClass) => true,
                // `Class.method(instance, item)` names all of them.
                None => {
                    let parameters = node.parameters.posonlyargs.len() + node.parameters.args.len();
                    let has_room = given < parameters || node.parameters.vararg.is_some();
                    has_room && semantics.class_named(&method.value).is_none()
                }
            },
            _ => false,
        };
        Some(Self {
            function,
            own,
            skipped: usize::from(is_bound),
        })
    }

    /// The function, in the file it is defined in.
    pub(super) fn node<'a>(&'a self, db: &'a dyn Db) -> Option<&'a ast::StmtFunctionDef> {
        self.function.node(db)
    }

    /// Whether a decorator may make something else of the function.
    pub(super) fn is_wrapped(&self, node: &ast::StmtFunctionDef) -> bool {
        !node.decorator_list.is_empty() && kind_of(&self.own, node).is_none()
    }

    /// What the parameter is called that takes the positional argument with this index.
    pub fn parameter(&self, db: &'db dyn Db, index: usize) -> Option<String> {
        let parameter = self.takes(self.node(db)?, Argument::At(index))?;
        Some(parameter.name.to_string())
    }

    /// The parameter that takes an argument, and nothing else.
    pub(super) fn takes<'n>(
        &self,
        node: &'n ast::StmtFunctionDef,
        argument: Argument<'_>,
    ) -> Option<&'n ast::Parameter> {
        let parameters = &node.parameters;
        let parameter = match argument {
            Argument::At(index) => {
                let mut positional = parameters.posonlyargs.iter().chain(&parameters.args);
                positional.nth(index + self.skipped)
            }
            Argument::Named(name) => {
                let mut named = parameters.args.iter().chain(&parameters.kwonlyargs);
                named.find(|parameter| parameter.name() == name)
            }
        };
        parameter.map(|parameter| &parameter.parameter)
    }

    /// What the function says that an argument is.
    pub(super) fn annotation<'n>(
        &self,
        node: &'n ast::StmtFunctionDef,
        argument: Argument<'_>,
    ) -> Option<&'n Expr> {
        let others = || match argument {
            Argument::At(_) => node.parameters.vararg.as_deref(),
            Argument::Named(_) => node.parameters.kwarg.as_deref(),
        };
        let parameter = self.takes(node, argument).or_else(others)?;
        parameter.annotation()
    }

    /// Whether the parameter that takes an argument takes something to await. `None` where its annotation does not say.
    pub fn takes_awaitable(&self, db: &'db dyn Db, argument: Argument<'_>) -> Option<bool> {
        let annotation = self.annotation(self.node(db)?, argument)?;
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
        let node = self.node(file.semantics.db())?;
        self.text(file, owner, node.returns.as_deref()?)
    }

    /// The annotation of what awaiting a call of the function gives.
    pub fn gives(&self, file: &ParsedFile<'_, 'db>, owner: Owner<'_>) -> Option<String> {
        let node = self.node(file.semantics.db())?;
        node.is_async.then(|| self.returns(file, owner))?
    }

    /// Whether some of its annotations are missing.
    pub fn is_incomplete(&self, db: &'db dyn Db) -> bool {
        let Some(node) = self.node(db) else {
            return true;
        };
        let mut parameters = node.parameters.iter().skip(self.skipped);
        node.returns.is_none() || parameters.any(|parameter| parameter.annotation().is_none())
    }

    /// The text of what the function says that an argument is, for code of `owner` in `file`.
    pub fn annotation_for(
        &self,
        file: &ParsedFile<'_, 'db>,
        owner: Owner<'_>,
        argument: Argument<'_>,
    ) -> Option<String> {
        let node = self.node(file.semantics.db())?;
        self.text(file, owner, self.annotation(node, argument)?)
    }

    /// The class whose method the function is, and the names that stand for other types in each object of it.
    fn generic_class(&self) -> Option<(TextRange, Vec<String>)> {
        let node = self.function.node(self.own.db())?;
        let mut search = ClassAround {
            at: node.range(),
            found: None,
        };
        search.visit_body(self.own.body());
        let class = search.found?;
        let of_bases = class.bases().iter().filter_map(Expr::as_subscript_expr);
        let of_bases = of_bases
            .flat_map(|base| names_in(&base.slice))
            .filter_map(last_name);
        let own = class.type_params.iter().flat_map(|all| all.iter());
        let own = own.map(|variable| variable.name().as_str());
        let variables = of_bases.chain(own).map(str::to_owned);
        Some((class.range(), variables.collect()))
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
        let class = self.generic_class();
        let is_for_class = |name: &Expr| {
            class.as_ref().is_some_and(|(class, variables)| {
                let is_inside = matches!(owner, Owner::Function(function)
                    if is_here && class.contains_range(function.range()));
                !is_inside
                    && variables
                        .iter()
                        .any(|variable| last_name(name) == Some(variable))
            })
        };
        let means_the_same = names_in(annotation).all(|name| match name {
            _ if last_name(name) == Some("Self") || is_for_class(name) => false,
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

/// Looks for the innermost class around a method.
struct ClassAround<'a> {
    at: TextRange,
    found: Option<&'a ast::StmtClassDef>,
}

impl<'a> SourceOrderVisitor<'a> for ClassAround<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if !statement.range().contains_range(self.at) {
            return;
        }
        if let Stmt::ClassDef(class) = statement {
            self.found = Some(class);
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, _expr: &'a Expr) {}
}

/// What a method is that does not belong to an object.
enum MethodKind {
    Static,
    OfClass,
}

/// What the only decorator of a function makes of it, where it is one of these.
fn kind_of(own: &Semantics<'_>, node: &ast::StmtFunctionDef) -> Option<MethodKind> {
    let [decorator] = node.decorator_list.as_slice() else {
        return None;
    };
    if own.means(&decorator.expression, &["builtins.staticmethod"]) {
        Some(MethodKind::Static)
    } else if own.means(&decorator.expression, &["builtins.classmethod"]) {
        Some(MethodKind::OfClass)
    } else {
        None
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
