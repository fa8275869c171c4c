//! What the coroutine function that waits for its turn is given: its parameters, and the arguments of its calls.

use ruff_python_ast::{self as ast, ArgOrKeyword, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashSet;

use crate::concurrency::draft::{Draft, Parameter, Writer};

impl<'a> Writer<'_, '_, 'a, '_> {
    /// The arguments of a call, with the parentheses around each.
    pub(super) fn arguments(&self, call: &'a ast::ExprCall) -> Result<Vec<Argument<'a>>, String> {
        let arguments: Vec<Argument<'a>> = call
            .arguments
            .iter_source_order()
            .map(|of| {
                let range = match of {
                    ArgOrKeyword::Arg(value) => ast::token::parenthesized_range(
                        value.into(),
                        (&call.arguments).into(),
                        self.file.tokens(),
                    )
                    .unwrap_or(value.range()),
                    ArgOrKeyword::Keyword(keyword) => {
                        let end = ast::token::parenthesized_range(
                            (&keyword.value).into(),
                            keyword.into(),
                            self.file.tokens(),
                        )
                        .map_or(keyword.end(), TextRange::end);
                        TextRange::new(keyword.start(), end)
                    }
                };
                Argument { of, range }
            })
            .collect();
        let is_bare_generator = arguments.iter().any(|argument| {
            matches!(argument.of.value(), Expr::Generator(generator) if !generator.parenthesized)
        });
        if is_bare_generator {
            return Err("its argument is a generator without its own parentheses".to_owned());
        }
        Ok(arguments)
    }

    /// The edits that leave of the arguments those that are kept, with the receiver before them.
    pub(super) fn edit_arguments(
        &self,
        call: &ast::ExprCall,
        arguments: &[Argument<'a>],
        kept: &[TextRange],
        receiver: Option<TextRange>,
        draft: &mut Draft<'a>,
    ) {
        let open = call.arguments.start() + TextSize::from(1);
        if let Some(receiver) = receiver {
            let text = self.file.text(receiver);
            let text = match kept.first() {
                None => text.to_owned(),
                // One argument a line.
                Some(first) if self.file.starts_line(first.start()) => format!(
                    "{}{}{text},",
                    self.file.newline(),
                    self.file.indentation_at(first.start())
                ),
                Some(_) => format!("{text}, "),
            };
            draft.edits.push((TextRange::empty(open), text));
        }
        let Some(last_kept) = kept.last() else {
            let inside = TextRange::new(open, call.arguments.end() - TextSize::from(1));
            if !inside.is_empty() && !arguments.is_empty() {
                draft.edits.push((inside, String::new()));
            }
            return;
        };
        let mut next = arguments.iter().skip(1);
        for argument in arguments {
            let following = next.next();
            if kept.contains(&argument.range) {
                continue;
            }
            let range = match following {
                Some(following) if argument.range.start() < last_kept.start() => {
                    TextRange::new(argument.range.start(), following.range.start())
                }
                _ => {
                    // What is behind the last kept one goes as a whole.
                    let end = arguments
                        .last()
                        .map_or(argument.range.end(), |last| last.range.end());
                    draft
                        .edits
                        .push((TextRange::new(last_kept.end(), end), String::new()));
                    break;
                }
            };
            draft.edits.push((range, String::new()));
        }
    }

    /// The parameters and the arguments of a function that passes on what it is given.
    pub(super) fn variadic(
        arguments: &[Argument<'a>],
        parameters: &mut Vec<Parameter<'a>>,
    ) -> String {
        let has_positional = arguments
            .iter()
            .any(|argument| matches!(argument.of, ArgOrKeyword::Arg(_)));
        let has_keywords = arguments
            .iter()
            .any(|argument| matches!(argument.of, ArgOrKeyword::Keyword(_)));
        let mut passed = Vec::new();
        if has_keywords && !parameters.is_empty() {
            // Nothing that is given by name can mean the parameters before it.
            parameters.push(Parameter {
                name: "/".to_owned(),
                annotation: None,
                value: None,
            });
        }
        for (name, is_there) in [("*args", has_positional), ("**kwargs", has_keywords)] {
            if is_there {
                parameters.push(Parameter {
                    name: name.to_owned(),
                    annotation: None,
                    value: None,
                });
                passed.push(name);
            }
        }
        passed.join(", ")
    }

    /// Whether an expression has the same value whenever it is evaluated.
    pub(super) fn is_constant(&self, expr: &Expr) -> bool {
        match expr {
            Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_) => true,
            Expr::UnaryOp(operation) => operation.operand.is_number_literal_expr(),
            Expr::Tuple(tuple) => tuple.elts.iter().all(|elt| self.is_constant(elt)),
            // The instance that the code is a method of.
            Expr::Name(name) => {
                self.is_settled_name(name) && self.file.semantics.class_of_receiver(expr).is_some()
            }
            _ => false,
        }
    }

    /// Whether a constant may go before the statement: the strings of a file keep their order, so
    /// that it can be proved that none is lost.
    pub(super) fn may_move(&self, constant: &Expr) -> bool {
        let before = TextRange::new(self.statement.start(), constant.start());
        !self.file.has_string(constant.range()) || !self.file.has_string(before)
    }
}

/// One argument of a call, with the parentheses around it.
pub(super) struct Argument<'a> {
    pub(super) of: ArgOrKeyword<'a>,
    pub(super) range: TextRange,
}

/// What a parameter with this name is called in a coroutine function, where linters expect time limits
/// around calls and not in them (ruff's ASYNC109).
pub(super) fn parameter_name(wish: &str) -> &str {
    if wish == "timeout" {
        "time_limit"
    } else {
        wish
    }
}

/// What a parameter for this argument is called.
pub(super) fn wish_for(argument: &Expr) -> String {
    match argument {
        Expr::Name(name) => name.id.to_string(),
        Expr::Attribute(attribute) => attribute.attr.to_string(),
        Expr::Await(awaited) => wish_for(&awaited.value),
        Expr::Named(named) => wish_for(&named.target),
        _ => "item".to_owned(),
    }
}

/// The wish, or the wish with a number, that is not taken yet; it is afterwards.
pub(super) fn unique(wish: &str, taken: &mut FxHashSet<String>) -> String {
    let mut name = wish.to_owned();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{wish}_{number}");
        number += 1;
    }
    name
}
