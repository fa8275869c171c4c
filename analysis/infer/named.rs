//! Which class an annotation names.

use ruff_python_ast::{self as ast, Expr, Operator};
use ty_python_core::definition::{Definition, DefinitionKind};
use ty_python_semantic::types::Type;

use crate::limits::IMPORTS;
use crate::resolve::semantics::Semantics;

/// A type, with words about it.
const ANNOTATED: [&str; 2] = ["typing.Annotated", "typing_extensions.Annotated"];

/// Text, for all who do not check types.
const LITERAL_TEXT: [&str; 2] = ["typing.LiteralString", "typing_extensions.LiteralString"];

impl<'db> Semantics<'db> {
    /// What an annotation says of a value that is there: `None` has no attributes worth asking for.
    pub(super) fn without_none<'e>(&self, annotation: &'e Expr) -> &'e Expr {
        match annotation {
            Expr::BinOp(union) if union.op == Operator::BitOr => {
                match (&*union.left, &*union.right) {
                    (known, Expr::NoneLiteral(_)) | (Expr::NoneLiteral(_), known) => known,
                    _ => annotation,
                }
            }
            Expr::Subscript(optional) if self.means(&optional.value, &["typing.Optional"]) => {
                &optional.slice
            }
            // What stands behind the type says nothing about it.
            Expr::Subscript(annotated) if self.means(&annotated.value, &ANNOTATED) => {
                match &*annotated.slice {
                    Expr::Tuple(parts) => match parts.elts.first() {
                        Some(first) => self.without_none(first),
                        None => annotation,
                    },
                    _ => annotation,
                }
            }
            _ => annotation,
        }
    }

    /// The class that an annotation says a value is an instance of. To infer a parameter, the type
    /// engine infers all that stands around its function.
    pub(super) fn class_of_instance(&self, annotation: &Expr) -> Option<Definition<'db>> {
        let named = match self.without_none(annotation) {
            // What is in the brackets of a class makes it no other class.
            Expr::Subscript(generic)
                if !self.means(&generic.value, &["builtins.type", "typing.Type"]) =>
            {
                &generic.value
            }
            other => other,
        };
        if let Expr::StringLiteral(quoted) = named {
            return self.class_quoted(quoted);
        }
        match self.class_named(named) {
            Some(class) => Some(class),
            None if self.means(named, &LITERAL_TEXT) => self.builtin_class("str"),
            None => self.behind_alias(named, &|own, value| own.class_of_instance(value)),
        }
    }

    /// The class that an annotation names.
    pub fn class_named(&self, annotation: &Expr) -> Option<Definition<'db>> {
        if let Expr::Attribute(member) = annotation {
            let module = self.module_in_sight(&member.value)?;
            let definition = self.definition_in_file(module, &member.attr, IMPORTS)?;
            return self.as_class(definition);
        }
        match self.type_in_sight(annotation.into()) {
            Some(ty @ (Type::ClassLiteral(_) | Type::SubclassOf(_))) => self.class_definition(ty),
            Some(_) => self.class_behind_decorators(annotation),
            None => {
                let name = annotation.as_name_expr()?;
                match self.bindings(name)?.as_slice() {
                    [] => self.class_named_ahead(name),
                    bindings => self.class_imported(name, bindings),
                }
            }
        }
    }

    /// The class that a name stands for which `from … import *` binds, or several imports do: all of them
    /// lead to that one.
    pub(super) fn class_imported(
        &self,
        name: &ast::ExprName,
        bindings: &[Definition<'db>],
    ) -> Option<Definition<'db>> {
        let are_imports = bindings.iter().all(|binding| {
            matches!(
                binding.kind(self.db()),
                DefinitionKind::ImportFrom(_) | DefinitionKind::StarImport(_)
            )
        });
        if !are_imports {
            return None;
        }
        // One that leads nowhere may be another class.
        let (definition, count) = self.one_definition(name.into())?;
        (count == bindings.len()).then(|| self.as_class(definition))?
    }

    /// The definition that all of what a name is bound to leads to, and how many bindings do.
    pub(super) fn one_definition(
        &self,
        name: ast::ExprRef<'_>,
    ) -> Option<(Definition<'db>, usize)> {
        let definitions = self.definitions_named(name);
        let (first, others) = definitions.split_first()?;
        let are_one = others.iter().all(|other| other == first);
        are_one.then_some((*first, definitions.len()))
    }

    /// The class that a name stands for which nothing binds before it is used: in an annotation, which is
    /// never run, it may be one that comes later. Else it is built in.
    pub(super) fn class_named_ahead(&self, name: &ast::ExprName) -> Option<Definition<'db>> {
        match self.lookup(&name.id, self.scope_of(name)?)?.as_slice() {
            [] => self.builtin_class(&name.id),
            [definition] => self.as_class(*definition),
            _ => None,
        }
    }

    /// The class that a name in quotes stands for in an annotation (PEP 484, "Forward references").
    pub(super) fn class_quoted(&self, quoted: &ast::ExprStringLiteral) -> Option<Definition<'db>> {
        let (path, scope) = (quoted.value.to_str(), self.scope_of(quoted)?);
        if let Some((module, name)) = path.rsplit_once('.') {
            let module = self.module_quoted(module, scope)?;
            return self.as_class(self.definition_in_file(module, name, IMPORTS)?);
        }
        match self.lookup(path, scope)?.as_slice() {
            [definition] => self.as_class(self.imported_by(*definition)?),
            _ => None,
        }
    }
}
