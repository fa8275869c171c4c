//! Which function is called, and where it stands.

use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::suites_in;
use ruff_db::parsed::parsed_module;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use ty_python_core::definition::{Definition, DefinitionKind};
use ty_python_core::semantic_index;
use ty_python_semantic::{
    ImportAliasResolution, ResolvedDefinition, definitions_for_attribute, definitions_for_name,
};

use crate::facts::spelling::Explained;
use crate::resolve::definitions::{Class, Function};
use crate::resolve::semantics::Semantics;

/// Whether all a function does is to raise an exception.
pub(crate) fn only_raises(function: &ast::StmtFunctionDef) -> bool {
    let returns_never = function
        .returns
        .as_deref()
        .and_then(last_name)
        .is_some_and(|name| matches!(name, "NoReturn" | "Never"));
    let body = function.body.iter().filter(|statement| {
        !matches!(statement, Stmt::Expr(statement) if statement.value.is_string_literal_expr())
    });
    returns_never || body.clone().count() > 0 && body.into_iter().all(Stmt::is_raise_stmt)
}

/// The functions with the name of `function` in the suite that it stands in, in their order.
fn beside<'a>(
    suite: &'a [Stmt],
    function: &ast::StmtFunctionDef,
) -> Option<Vec<&'a ast::StmtFunctionDef>> {
    let around = suite
        .iter()
        .find(|statement| statement.range().contains_range(function.range()))?;
    match around {
        Stmt::FunctionDef(found) if found.range() == function.range() => {
            let functions = suite.iter().filter_map(Stmt::as_function_def_stmt);
            Some(
                functions
                    .filter(|other| other.name.id == function.name.id)
                    .collect(),
            )
        }
        Stmt::FunctionDef(outer) => beside(&outer.body, function),
        Stmt::ClassDef(outer) => beside(&outer.body, function),
        other => suites_in(other)
            .into_iter()
            .find_map(|inner| beside(inner, function)),
    }
}

impl<'db> Semantics<'db> {
    /// The functions with the name of `function`, which is one of this file, in the suite that it stands in: signatures
    /// (`typing.overload`) and what they are for. The function itself is one of them.
    pub fn functions_beside(&self, function: &ast::StmtFunctionDef) -> Vec<&ast::StmtFunctionDef> {
        beside(&self.module().syntax().body, function).unwrap_or_default()
    }

    /// The function that a callee expression names, where that can be told without inferring the code
    /// around: a function of this file or imported into it or into a module, or a method of a class in
    /// sight. `None` for anything else.
    pub fn function_in_sight(&self, callee: &Expr) -> Option<Function<'db>> {
        match callee {
            Expr::Name(name) => match self.names().explained(&name.id) {
                Some(Explained::Builtin) => None,
                Some(Explained::Import(_)) | None => self
                    .function(callee)
                    .or_else(|| self.function_of(self.definition_behind(name)?)),
            },
            Expr::Attribute(attribute) => {
                let definition = self.method_in_sight(attribute)?;
                self.function_of(definition)
            }
            _ => None,
        }
    }

    /// The class that a callee expression names, where it names one alone.
    pub fn class_called(&self, callee: &Expr) -> Option<Class<'db>> {
        let [definition] = self.definitions_named(callee.into())[..] else {
            return None;
        };
        Class::of(self, definition)
    }

    /// The class whose method the first parameter `receiver` belongs to.
    pub fn class_of_receiver(&self, receiver: &Expr) -> Option<&ast::StmtClassDef> {
        let Expr::Name(name) = receiver else {
            return None;
        };
        let definitions = self.bindings(name)?;
        let [definition] = definitions.as_slice() else {
            return None;
        };
        if !definition.kind(self.db()).is_parameter_def() {
            return None;
        }
        let scope = definition.file_scope(self.db());
        let class = self.index().class_definition_of_method(scope)?;
        let function = self.index().scope(scope).node().as_function()?;
        let function = function.node(&self.module);
        // Of what another class it is, a mixin may say: `def stop(self: "Client")`.
        let is_first = function
            .parameters
            .iter_non_variadic_params()
            .next()
            .is_some_and(|first| {
                first.name().id == name.id
                    && first
                        .annotation()
                        .is_none_or(|annotation| self.says_own_class(annotation))
            });
        let is_static = function
            .decorator_list
            .iter()
            .any(|decorator| self.means(&decorator.expression, &["builtins.staticmethod"]));
        match class.kind(self.db()) {
            DefinitionKind::Class(class) if is_first && !is_static => {
                Some(class.node(&self.module))
            }
            _ => None,
        }
    }

    /// All functions that a callee may name: also those with several signatures, by each of them.
    pub fn functions(&self, callee: &Expr) -> Vec<Function<'db>> {
        if let Expr::Attribute(method) = callee {
            let signatures = self.signatures_in_sight(method);
            if signatures.len() > 1 {
                return signatures;
            }
        }
        let definitions = self.definitions_named(callee.into()).into_iter();
        definitions
            .filter_map(|definition| self.function_of(definition))
            .collect()
    }

    /// The one function that a callee expression names, followed through imports, attributes and
    /// inferred receivers, into other files. `None` when there is none or more than one.
    pub fn function(&self, callee: &Expr) -> Option<Function<'db>> {
        self.function_named(callee.into())
    }

    /// The function that a callee names, or, where it is a method and that cannot be told, all methods of its name in
    /// this file. Only for what means to hold back.
    pub fn function_or_namesakes(&self, callee: &Expr) -> Vec<Function<'db>> {
        if let Some(function) = self.function(callee) {
            return vec![function];
        }
        let Expr::Attribute(method) = callee else {
            return Vec::new();
        };
        let mut namesakes = Namesakes {
            name: &method.attr,
            found: Vec::new(),
        };
        namesakes.visit_body(self.body());
        let definitions = namesakes.found.into_iter();
        definitions
            .filter_map(|function| self.function_of(self.definition_of(function)?))
            .collect()
    }

    /// [`Self::function`], for an expression that need not be called.
    pub(crate) fn function_named(&self, callee: ast::ExprRef<'_>) -> Option<Function<'db>> {
        if let ast::ExprRef::Attribute(method) = callee
            && self.signatures_in_sight(method).len() > 1
        {
            return None;
        }
        let [definition] = self.definitions_named(callee)[..] else {
            return None;
        };
        self.function_of(definition)
    }

    /// Everything that an expression may name, followed through imports, attributes and inferred
    /// receivers. Empty where something of it is not known.
    pub fn definitions_named(&self, callee: ast::ExprRef<'_>) -> Vec<Definition<'db>> {
        let resolved = match callee {
            ast::ExprRef::Name(name) => {
                // The exact answer first: a function of this file.
                if let Some(definitions) = self.bindings(name)
                    && let [definition] = definitions.as_slice()
                    && definition.kind(self.db()).is_function_def()
                {
                    return vec![*definition];
                }
                definitions_for_name(
                    &self.model,
                    &name.id,
                    name.into(),
                    ImportAliasResolution::ResolveAliases,
                )
            }
            ast::ExprRef::Attribute(attribute) => {
                if let Some(definition) = self.method_in_sight(attribute) {
                    return vec![definition];
                }
                if self.is_unknown((&*attribute.value).into()) || self.is_endless(attribute.into())
                {
                    return Vec::new();
                }
                definitions_for_attribute(&self.model, attribute)
            }
            _ => return Vec::new(),
        };
        let definitions: Option<Vec<_>> = resolved
            .iter()
            .map(|resolved| match resolved {
                ResolvedDefinition::Definition(definition) => Some(*definition),
                _ => None,
            })
            .collect();
        definitions.unwrap_or_default()
    }

    /// The function that a definition is one of, wherever it stands.
    pub fn function_of(&self, definition: Definition<'db>) -> Option<Function<'db>> {
        self.note_opened(definition);
        Function::of(self.db(), definition)
    }

    /// The file that a definition stands in, where it is on disk.
    pub fn file_of(&self, definition: Definition<'db>) -> Option<std::path::PathBuf> {
        let path = definition.file(self.db()).path(self.db());
        Some(path.as_system_path()?.as_std_path().to_path_buf())
    }

    /// The definition of a function of this file.
    pub fn definition_of(&self, function: &ast::StmtFunctionDef) -> Option<Definition<'db>> {
        self.index().try_definition(function)
    }

    /// Whether the scope of a definition has others of the same name.
    pub fn has_other_definitions(&self, definition: Definition<'db>) -> bool {
        let index = semantic_index(self.db(), definition.program_file(self.db()));
        let scope = definition.file_scope(self.db());
        let place = definition.place(self.db());
        index
            .use_def_map(scope)
            .reachable_bindings(place)
            .filter_map(|binding| binding.binding.definition())
            .any(|other| other != definition)
    }

    /// Whether a definition stands in the body of a protocol of types: anything that has such a member may be meant.
    pub fn is_in_protocol(&self, definition: Definition<'db>) -> bool {
        const PROTOCOLS: [&str; 2] = ["typing.Protocol", "typing_extensions.Protocol"];
        let index = semantic_index(self.db(), definition.program_file(self.db()));
        let scope = index.scope(definition.file_scope(self.db()));
        let own = self.at_definition(definition);
        scope.node().as_class().is_some_and(|class| {
            let mut bases = class.node(own.module()).bases().iter();
            bases.any(|base| {
                let base = match base {
                    Expr::Subscript(generic) => &generic.value,
                    base => base,
                };
                // `asyncio.Protocol` is another thing.
                last_name(base) == Some("Protocol") && own.means(base, &PROTOCOLS)
            })
        })
    }

    /// Whether a definition stands directly in the body of a class, in whatever file.
    pub fn is_in_class(&self, definition: Definition<'db>) -> bool {
        self.class_around(definition).is_some()
    }

    /// The name of the class in whose body a definition stands directly, in whatever file.
    pub fn class_around(&self, definition: Definition<'db>) -> Option<String> {
        let index = semantic_index(self.db(), definition.program_file(self.db()));
        let scope = index.scope(definition.file_scope(self.db()));
        let module = parsed_module(self.db(), definition.python_file(self.db())).load(self.db());
        Some(scope.node().as_class()?.node(&module).name.to_string())
    }

    /// Where a definition stands, when it is in this file.
    pub fn definition_range(&self, definition: Definition<'db>) -> Option<TextRange> {
        (definition.program_file(self.db()) == self.file)
            .then(|| definition.kind(self.db()).full_range(&self.module))
    }

    /// Whether a definition is one of this file.
    pub fn is_here(&self, definition: Definition<'db>) -> bool {
        definition.program_file(self.db()) == self.file
    }
}

/// Collects the methods of one name in a module.
struct Namesakes<'a, 'n> {
    name: &'n str,
    found: Vec<&'a ast::StmtFunctionDef>,
}

impl<'a> SourceOrderVisitor<'a> for Namesakes<'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::StmtClassDef(class) = node {
            let methods = class.body.iter().filter_map(Stmt::as_function_def_stmt);
            self.found
                .extend(methods.filter(|method| method.name.as_str() == self.name));
        }
        if node.is_expression() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}
