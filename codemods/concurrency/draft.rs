//! What the coroutine function that waits for its turn does, and how it is called.

use std::fmt::Write as _;

use asyncfix_analysis::answers::endings;
use asyncfix_analysis::answers::signature::{Argument, Signature};
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::queries::{last_name, names_in};
use asyncfix_syntax::site::Owner;
use ruff_python_ast::{self as ast, ArgOrKeyword, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashSet;

use super::fan_out::FanOut;
use crate::concurrency::arguments::{parameter_name, unique, wish_for};
use crate::file::File;

/// A parameter of the new function.
pub(super) struct Parameter<'a> {
    pub(super) name: String,
    /// The annotation that the function has for it which is called.
    pub(super) annotation: Option<String>,
    /// What it is given.
    pub(super) value: Option<&'a Expr>,
}

/// What the new function does, and how it is called.
#[derive(Default)]
pub(super) struct Draft<'a> {
    pub(super) parameters: Vec<Parameter<'a>>,
    /// The call in its body.
    pub(super) body: String,
    /// What makes the calls at the fan-out calls of it; the name is `NAME`.
    pub(super) edits: Vec<(TextRange, String)>,
    pub(super) returns: Option<String>,
    /// Whether the function that is called lacks annotations itself.
    pub(super) is_half_typed: bool,
}

impl Draft<'_> {
    /// Whether nothing is left of what stands in `range`.
    fn removes(&self, range: TextRange) -> bool {
        self.edits
            .iter()
            .any(|(edit, _)| !edit.is_empty() && edit.contains_range(range))
    }
}

/// Stands in a draft for the name of the new function, which is only known at the end.
pub(super) const NAME: &str = "\0";

/// The call that makes the coroutine: the one that a time limit or shield is put around.
pub fn innermost<'a>(semantics: &Semantics<'_>, call: &'a ast::ExprCall) -> &'a ast::ExprCall {
    match call.arguments.args.first() {
        Some(Expr::Call(inner))
            if matches!(last_name(&call.func), Some("wait_for" | "shield"))
                && endings::ends_with_arguments(semantics, &call.func) =>
        {
            inner
        }
        _ => call,
    }
}

pub(super) struct Writer<'f, 's, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) fan_out: &'f FanOut<'s, 'a>,
    /// The name of the semaphore, which no parameter may have.
    pub(super) semaphore: &'f str,
    pub(super) statement: TextRange,
    /// The loops around the statement.
    pub(super) loops: Vec<TextRange>,
    pub(super) owner: Owner<'a>,
}

/// What a call calls, as the new function writes it.
pub(super) struct Callee<'a> {
    pub(super) text: String,
    /// The receiver, where it has to be a parameter, and the wish for its name.
    pub(super) receiver: Option<(TextRange, String)>,
    pub(super) value: Option<&'a Expr>,
}

impl<'a> Writer<'_, '_, 'a, '_> {
    /// The draft for `work(item)`.
    pub(super) fn called(&self, call: &'a ast::ExprCall) -> Result<Draft<'a>, String> {
        let inner = innermost(&self.file.semantics, call);
        if inner.range() != call.range() {
            return self.called_in(call, inner);
        }
        let callee = self.callee(&call.func)?;
        let arguments = self.arguments(call)?;
        let comments_inside = self.file.comments.intersects(call.range());
        let signature = self.signature(&call.func, Some(call));
        let mut taken = self.taken(&callee);
        let mut draft = Draft::default();
        let head = TextRange::new(call.start(), call.arguments.start());
        draft.edits.push((head, NAME.to_owned()));
        let receiver = callee.receiver.as_ref().map(|(range, wish)| {
            let name = unique(wish, &mut taken);
            draft.parameters.push(Parameter {
                name: name.clone(),
                annotation: None,
                value: callee.value,
            });
            (*range, name)
        });
        let callee_text = match &receiver {
            Some((_, name)) => callee.text.replace(NAME, name),
            None => callee.text.clone(),
        };
        if arguments.iter().any(|argument| argument.of.is_variadic()) {
            let passed = Self::variadic(&arguments, &mut draft.parameters);
            let kept: Vec<TextRange> = arguments.iter().map(|argument| argument.range).collect();
            draft.body = format!("{callee_text}({passed})");
            self.edit_arguments(
                call,
                &arguments,
                &kept,
                receiver.map(|(range, _)| range),
                &mut draft,
            );
            return Ok(draft);
        }
        // What is given by name keeps its name, so no other parameter may have it.
        for keyword in &call.arguments.keywords {
            if let Some(name) = &keyword.arg
                && !taken.insert(parameter_name(name).to_owned())
            {
                return Err(format!(
                    "`{name}` would have two meanings in the new function"
                ));
            }
        }
        let mut kept = Vec::new();
        let mut passed = Vec::new();
        for (index, argument) in arguments.iter().enumerate() {
            let value = argument.of.value();
            if !comments_inside && self.is_constant(value) && self.may_move(value) {
                passed.push(self.file.text(argument.range).to_owned());
                continue;
            }
            kept.push(argument.range);
            let (name, text) = if let ArgOrKeyword::Keyword(ast::Keyword {
                arg: Some(name), ..
            }) = argument.of
            {
                let own = parameter_name(name);
                if own != name.as_str() {
                    draft.edits.push((name.range(), own.to_owned()));
                }
                (own.to_owned(), format!("{name}={own}"))
            } else {
                let wish = signature
                    .as_ref()
                    .and_then(|signature| signature.parameter(self.file.semantics.db(), index))
                    .unwrap_or_else(|| wish_for(value));
                let name = unique(parameter_name(&wish), &mut taken);
                (name.clone(), name)
            };
            passed.push(text);
            let annotation = signature.as_ref().and_then(|signature| {
                let argument = match argument.of {
                    ArgOrKeyword::Arg(_) => Argument::At(index),
                    ArgOrKeyword::Keyword(keyword) => Argument::Named(keyword.arg.as_deref()?),
                };
                signature.annotation_for(self.file, self.owner, argument)
            });
            draft.parameters.push(Parameter {
                name,
                annotation,
                value: Some(value),
            });
        }
        draft.body = format!("{callee_text}({})", passed.join(", "));
        self.edit_arguments(
            call,
            &arguments,
            &kept,
            receiver.map(|(range, _)| range),
            &mut draft,
        );
        draft.is_half_typed = signature
            .as_ref()
            .is_some_and(|signature| signature.is_incomplete(self.file.semantics.db()));
        draft.returns = signature.and_then(|signature| signature.gives(self.file, self.owner));
        Ok(draft)
    }

    /// The draft for `wait_for(work(item), 5)`: the time starts with the work.
    fn called_in(
        &self,
        outer: &'a ast::ExprCall,
        inner: &'a ast::ExprCall,
    ) -> Result<Draft<'a>, String> {
        let text = self.file.text(outer);
        if text.contains(['\n', '\r']) {
            return Err("multi-line calls are not supported here".to_owned());
        }
        let mut draft = self.called(inner)?;
        let mut taken: FxHashSet<String> = draft
            .parameters
            .iter()
            .map(|parameter| parameter.name.clone())
            .collect();
        taken.insert(self.semaphore.to_owned());
        for callee in [&outer.func, &inner.func] {
            taken.extend(names_in(callee).filter_map(last_name).map(str::to_owned));
        }
        let mut passed = vec![draft.body.clone()];
        let mut added = String::new();
        for argument in self.arguments(outer)?.into_iter().skip(1) {
            let value = argument.of.value();
            let keyword = match argument.of {
                ArgOrKeyword::Keyword(keyword) => keyword.arg.as_ref(),
                ArgOrKeyword::Arg(_) => None,
            };
            if argument.of.is_variadic() {
                return Err("the call uses `*args` or `**kwargs`".to_owned());
            }
            if self.is_constant(value) && self.may_move(value) {
                passed.push(self.file.text(argument.range).to_owned());
                continue;
            }
            let wish = keyword.map_or_else(|| wish_for(value), ToString::to_string);
            let name = unique(parameter_name(&wish), &mut taken);
            passed.push(match keyword {
                Some(keyword) => format!("{keyword}={name}"),
                None => name.clone(),
            });
            // By name, because arguments by name may stand before it.
            let _ = write!(added, ", {name}={}", self.file.text(value));
            draft.parameters.push(Parameter {
                name,
                annotation: None,
                value: Some(value),
            });
        }
        draft.body = format!("{}({})", self.file.text(&*outer.func), passed.join(", "));
        let before = TextRange::new(outer.start(), inner.start());
        if let Some((head, _)) = draft.edits.first_mut() {
            *head = TextRange::new(before.start(), head.end());
        }
        // Without arguments of its own the inner call gets these as its first ones.
        let has_arguments = inner
            .arguments
            .iter_source_order()
            .any(|argument| !draft.removes(argument.range()));
        let has_arguments = has_arguments || draft.edits.iter().any(|(range, _)| range.is_empty());
        let added = if has_arguments {
            added
        } else {
            added.trim_start_matches(", ").to_owned()
        };
        draft.edits.push((
            TextRange::new(inner.end() - TextSize::from(1), outer.end()),
            format!("{added})"),
        ));
        Ok(draft)
    }

    /// The draft for `map(work, items)`.
    pub(super) fn mapped(&self, map: &'a ast::ExprCall) -> Result<Draft<'a>, String> {
        let (function, iterables) = map
            .arguments
            .args
            .split_first()
            .ok_or("`map` has no function")?;
        if !function.is_name_expr() && !function.is_attribute_expr() {
            return Err("the function passed to `map` isn't a simple name".to_owned());
        }
        let callee = self.callee(function)?;
        if callee.receiver.is_some() {
            return Err("the function passed to `map` may be reassigned".to_owned());
        }
        let signature = self.signature(function, None);
        let mut taken = self.taken(&callee);
        let mut draft = Draft::default();
        for (index, _) in iterables.iter().enumerate() {
            let wish = signature
                .as_ref()
                .and_then(|signature| signature.parameter(self.file.semantics.db(), index))
                .unwrap_or_else(|| "item".to_owned());
            draft.parameters.push(Parameter {
                name: unique(parameter_name(&wish), &mut taken),
                annotation: signature.as_ref().and_then(|signature| {
                    signature.annotation_for(self.file, self.owner, Argument::At(index))
                }),
                value: None,
            });
        }
        let names: Vec<&str> = draft
            .parameters
            .iter()
            .map(|parameter| parameter.name.as_str())
            .collect();
        draft.body = format!("{}({})", callee.text, names.join(", "));
        draft.edits.push((function.range(), NAME.to_owned()));
        draft.is_half_typed = signature
            .as_ref()
            .is_some_and(|signature| signature.is_incomplete(self.file.semantics.db()));
        draft.returns = signature.and_then(|signature| signature.gives(self.file, self.owner));
        Ok(draft)
    }

    /// What is called, and what of it has to be given to the new function.
    fn callee(&self, callee: &'a Expr) -> Result<Callee<'a>, String> {
        if self.is_settled(callee) {
            return Ok(Callee {
                text: self.file.text(callee).to_owned(),
                receiver: None,
                value: None,
            });
        }
        let (receiver, text, wish) = match callee {
            Expr::Attribute(attribute) => (
                &*attribute.value,
                format!("{NAME}.{}", attribute.attr),
                wish_for(&attribute.value),
            ),
            Expr::Name(name) => (callee, NAME.to_owned(), name.id.to_string()),
            other => (other, NAME.to_owned(), "function".to_owned()),
        };
        if self.file.text(receiver).contains(['\n', '\r'])
            || self.file.comments.intersects(callee.range())
        {
            return Err("multi-line calls are not supported here".to_owned());
        }
        Ok(Callee {
            text,
            receiver: Some((receiver.range(), wish)),
            value: Some(receiver),
        })
    }

    /// Whether an expression is a name, or an attribute of one, that means the same until the last
    /// coroutine has started.
    fn is_settled(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Attribute(attribute) => self.is_settled(&attribute.value),
            Expr::Name(name) => self.is_settled_name(name),
            _ => false,
        }
    }

    pub(super) fn is_settled_name(&self, name: &ast::ExprName) -> bool {
        if self.fan_out.bound.contains(name.id.as_str()) {
            return false;
        }
        let semantics = &self.file.semantics;
        let Some(definitions) = semantics.bindings(name) else {
            return false;
        };
        let own_scope = semantics.scope_of_owner(self.owner);
        definitions.iter().all(|definition| {
            let scope = definition.file_scope(semantics.db());
            // All that code of that scope ever binds the name to, not only what reaches this use.
            let Some(all) = semantics.lookup(&name.id, scope) else {
                return false;
            };
            all.iter().all(|other| {
                let Some(range) = semantics.definition_range(*other) else {
                    return false;
                };
                if Some(scope) != own_scope {
                    return scope.is_global() || all.len() == 1;
                }
                let is_parameter = other.kind(semantics.db()).is_parameter_def();
                is_parameter
                    || range.end() <= self.statement.start()
                        && !self.loops.iter().any(|around| around.contains_range(range))
            })
        })
    }

    /// Takes the call that makes a task away from around the call, unless a comment stands in it.
    pub(super) fn unwrap_task(
        &self,
        task: &ast::ExprCall,
        call: &ast::ExprCall,
        draft: &mut Draft<'_>,
    ) {
        let before = TextRange::new(task.start(), call.start());
        let behind = TextRange::new(call.end(), task.end());
        if self.file.comments.intersects(before) || self.file.comments.intersects(behind) {
            return;
        }
        if let Some((head, _)) = draft.edits.first_mut() {
            *head = TextRange::new(before.start(), head.end());
        }
        match draft.edits.last_mut() {
            Some((last, _)) if last.end() == call.end() => {
                *last = TextRange::new(last.start(), behind.end());
            }
            _ => draft.edits.push((behind, String::new())),
        }
    }

    fn taken(&self, callee: &Callee<'_>) -> FxHashSet<String> {
        let root: String = callee
            .text
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        [root, self.semaphore.to_owned()].into_iter().collect()
    }
}

impl<'db> Writer<'_, '_, '_, 'db> {
    /// The function that is called, where it is in sight.
    fn signature(&self, callee: &Expr, call: Option<&ast::ExprCall>) -> Option<Signature<'db>> {
        let given = call.map_or(0, |call| call.arguments.args.len());
        Signature::of(&self.file.semantics, callee, given)
    }
}
