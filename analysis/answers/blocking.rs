//! What is known about calls that keep their thread waiting.

use asyncfix_knowledge::blocking::{Entry, Found, Kind, Row, Starter, Table, starters};
use asyncfix_syntax::queries::{argument, last_name};
use asyncfix_syntax::site::Site;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Number};
use ruff_text_size::Ranged;

use crate::answers::opened::{is_for_process, is_open_already};
use crate::candidate::Candidate;
use crate::facts::key::name_key;
use crate::facts::spelling::Hints;
use crate::file::ParsedFile;
use crate::index::reach::Sought;
use crate::infer::types::ClassOf;
use crate::limits::{Limit, NAMES};
use crate::resolve::bindings::Origin;

/// What runs functions in threads, if a call is one of it.
pub fn starter(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> Option<&'static Starter> {
    let last = last_name(&call.func)?;
    let is_last = |path: &String| path.rsplit('.').next() == Some(last);
    let mut starters = starters().filter(|starter| {
        let lists = [&starter.functions, &starter.methods, &starter.names];
        lists.into_iter().flatten().any(is_last)
    });
    let path = || file.semantics.qualified_name(&call.func);
    starters.find(|starter| match &*call.func {
        Expr::Attribute(method)
            if starter.names.iter().any(|name| name == last)
                || !starter.methods.is_empty() && {
                    let classes = file.semantics.classes_up_to(&method.value, last);
                    classes.iter().any(|class| {
                        let path = format!("{class}.{last}");
                        starter.methods.contains(&path)
                    })
                } =>
        {
            true
        }
        _ => path().is_some_and(|path| starter.functions.contains(&path)),
    })
}

/// The row of a method that reads or writes files: of a path, or of an archive.
pub fn path_method<'f>(file: &'f ParsedFile<'_, '_>, call: &ast::ExprCall) -> Option<&'f Row> {
    let Expr::Attribute(callee) = &*call.func else {
        return None;
    };
    let table = &*file.settings.blocking;
    let method = callee.attr.as_str();
    // A path may come from another module, whatever this one imports.
    let is_worth_asking = table.named(method).any(|entry| {
        entry.found == Found::AsMethod
            && entry.row.uses_files()
            && entry
                .row
                .arguments
                .is_none_or(|number| number == call.arguments.len())
    });
    if !is_worth_asking || file.semantics.is_module(&callee.value) {
        return None;
    }
    let classes = class_in_sight(file, &callee.value).into_iter();
    let all = || {
        file.semantics
            .classes_up_to(&callee.value, method)
            .into_iter()
    };
    classes
        .chain(all())
        .find_map(|class| table.method(&class, method))
        .map(|(_, row)| row)
        .filter(|row| {
            row.uses_files()
                && row
                    .arguments
                    .is_none_or(|number| number == call.arguments.len())
        })
}

impl Hints<'_> {
    /// Whether a call of `callee` could be one that the rule `code` speaks of, by its spelling: as a
    /// function, or only as a method of what it is called on. An awaited one can only be if it is to be
    /// replaced: `await time.sleep(1)`.
    pub fn blocking_call(&self, code: &str, callee: &Expr, awaited: bool) -> Candidate {
        let Some(last) = last_name(callee).filter(|_| self.may_block(callee)) else {
            return Candidate::No;
        };
        let spellings = self.spellings;
        let possible = |name: &str, found: Found| {
            self.blocking.named(name).any(|entry| {
                if entry.found != found
                    || entry.row.code != code
                    || awaited && !may_be_awaited(entry, callee)
                {
                    return false;
                }
                let package = entry.package();
                match found {
                    Found::AsFunction => {
                        (package == "builtins"
                            || spellings.import(package)
                            || spellings.lacks(package))
                            && spellings.allow(callee, &[entry.path.as_str()])
                    }
                    Found::AsMethod => !entry.row.imported || spellings.import(package),
                }
            })
        };
        let function = |name: &str| possible(name, Found::AsFunction);
        if spellings.last_names(callee).any(function) {
            Candidate::Yes
        } else if callee.is_attribute_expr() && possible(last, Found::AsMethod) {
            let method = name_key(last);
            Candidate::If(method, Sought::Receiver(method))
        } else {
            Candidate::No
        }
    }
}

/// A call of the table.
pub struct Called<'t> {
    /// What the table calls it.
    pub name: String,
    /// What it says about it.
    pub row: &'t Row,
}

/// The row of the rule `code` for the call at `site`. `None` where there is none, or the
/// call does not block with these arguments, or its function makes sure that it does not.
pub fn called<'f>(
    file: &'f ParsedFile<'_, '_>,
    site: &Site<'_, '_>,
    call: &ast::ExprCall,
    code: &str,
) -> Option<Called<'f>> {
    let table = &*file.settings.blocking;
    let path = file.semantics.qualified_name(&call.func);
    let called = match path.and_then(|path| Some((table.function(&path)?, path))) {
        Some((row, name)) => Called { name, row },
        None => called_method(file, table, call, code)?,
    };
    let row = called.row;
    (row.code == code
        && !row
            .harmless
            .iter()
            .any(|given| has_argument(file, call, given))
        && (row.only.is_empty() || row.only.iter().any(|given| has_argument(file, call, given)))
        && (!row.bounded || is_bounded(file, call))
        && row
            .unless
            .as_ref()
            .is_none_or(|word| !file.source.contains(word.as_str()))
        && !is_guarded(file, site, call, row)
        && !(row.shared && is_made_here(file, site, call))
        && !(row.memory && is_in_memory(file, call))
        && !(row.kind == Kind::Outline && (is_open_already(call) || is_for_process(file, site))))
    .then_some(called)
}

fn called_method<'t>(
    file: &ParsedFile<'_, '_>,
    table: &'t Table,
    call: &ast::ExprCall,
    code: &str,
) -> Option<Called<'t>> {
    let Expr::Attribute(callee) = &*call.func else {
        return None;
    };
    let method = callee.attr.as_str();
    let spellings = file.semantics.spellings();
    let is_worth_asking = table.named(method).any(|entry| {
        entry.found == Found::AsMethod
            && entry.row.code == code
            && (!entry.row.imported || spellings.import(entry.package()))
    });
    if !is_worth_asking || file.semantics.is_module(&callee.value) {
        return None;
    }
    let known = |class: &str| table.method(class, method);
    // The cheap answer first: types are what costs.
    let found = class_in_sight(file, &callee.value)
        .and_then(|class| known(&class))
        .or_else(|| {
            file.semantics
                .classes_up_to(&callee.value, method)
                .iter()
                .find_map(|class| known(class))
        });
    found.map(|(name, row)| Called {
        name: name.to_owned(),
        row,
    })
}

/// What is called, or named in an annotation, where the value of `receiver` comes from: the path of
/// its class where that is a class.
fn class_in_sight(file: &ParsedFile<'_, '_>, receiver: &Expr) -> Option<String> {
    let made_by = |value: &Expr| match value {
        Expr::Call(call) => file.semantics.qualified_name(&call.func),
        _ => None,
    };
    match receiver {
        Expr::Call(_) => made_by(receiver),
        Expr::Name(name) => {
            let classes = file
                .semantics
                .origins(name)
                .into_iter()
                .map(|origin| match origin {
                    Origin::Value(value) => made_by(value),
                    Origin::Annotation(annotation) => file.semantics.qualified_name(annotation),
                    Origin::Unknown => None,
                });
            agreed(classes)
        }
        Expr::Attribute(attribute) => agreed(
            file.semantics
                .attribute_values(attribute)
                .into_iter()
                .map(made_by),
        ),
        _ => None,
    }
}

/// The one answer that all give.
fn agreed(answers: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let mut answers = answers.into_iter();
    let first = answers.next()??;
    answers
        .all(|other| other.as_deref() == Some(first.as_str()))
        .then_some(first)
}

/// Whether a call has an argument that is written as in the table: `block=False`.
fn has_argument(file: &ParsedFile<'_, '_>, call: &ast::ExprCall, written: &str) -> bool {
    let Some((which, value)) = written.split_once('=') else {
        return false;
    };
    argument(call, which).is_some_and(|given| match given {
        Expr::BooleanLiteral(literal) => value == if literal.value { "True" } else { "False" },
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => value == int.to_string(),
            Number::Float(float) => *float == 0.0 && value == "0",
            Number::Complex { .. } => false,
        },
        other => has_flag(file, other, value, NAMES),
    })
}

/// Whether a flag is among those that an expression joins with `|`, or may be.
fn has_flag(file: &ParsedFile<'_, '_>, flags: &Expr, flag: &str, steps: Limit) -> bool {
    let Some(steps) = steps.less() else {
        return false;
    };
    let has = |flags: &Expr| has_flag(file, flags, flag, steps);
    match flags {
        Expr::BinOp(joined) => has(&joined.left) || has(&joined.right),
        Expr::Name(name) if !file.semantics.means(flags, &[flag]) => {
            let mut values = file.semantics.values_in_scope(name).into_iter();
            values.any(has)
        }
        other => file.semantics.means(other, &[flag]),
    }
}

/// Whether the code around the call at `site` asks the same object whether it has to wait.
fn is_guarded(
    file: &ParsedFile<'_, '_>,
    site: &Site<'_, '_>,
    call: &ast::ExprCall,
    row: &Row,
) -> bool {
    let Expr::Attribute(callee) = &*call.func else {
        return false;
    };
    let receiver = file.text(&*callee.value);
    let asks = |text: &str, methods: &[String]| {
        methods
            .iter()
            .any(|method| text.contains(&format!("{receiver}.{method}(")))
    };
    let function = site
        .ancestors
        .iter()
        .rev()
        .find(|node| node.is_stmt_function_def());
    function.is_some_and(|function| asks(file.text(function), &row.guards))
        || !row.tests.is_empty()
            && site.enclosing_in_function().any(|(node, _)| match node {
                AnyNodeRef::StmtIf(statement) => asks(file.text(&*statement.test), &row.tests),
                AnyNodeRef::StmtWhile(statement) => asks(file.text(&*statement.test), &row.tests),
                _ => false,
            })
}

/// Whether the object that a method is called on was made in the same function.
fn is_made_here(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>, call: &ast::ExprCall) -> bool {
    let Expr::Attribute(callee) = &*call.func else {
        return false;
    };
    let Expr::Name(name) = &*callee.value else {
        return false;
    };
    let function = site
        .ancestors
        .iter()
        .rev()
        .find(|node| node.is_stmt_function_def());
    let origins = file.semantics.origins(name);
    !origins.is_empty()
        && origins.iter().all(|origin| {
            matches!(origin, Origin::Value(value) if value.is_call_expr()
                && function.is_some_and(|function| function.range().contains_range(value.range())))
        })
}

/// Whether an argument is a file in memory.
fn is_in_memory(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    call.arguments.iter_source_order().any(|argument| {
        matches!(file.semantics.class_of(argument.value()), ClassOf::Known(class)
            if matches!(class.as_str(),
                "io.BytesIO" | "io.StringIO" | "_io.BytesIO" | "_io.StringIO"))
    })
}

/// Whether the object that a method is called on was made with a size, as far as is seen.
fn is_bounded(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    let has_size = |value: &Expr| {
        let Expr::Call(made) = value else {
            return false;
        };
        argument(made, "maxsize")
            .or_else(|| argument(made, "0"))
            .is_some_and(|size| {
                !matches!(size, Expr::NumberLiteral(literal)
                if matches!(&literal.value, Number::Int(int) if *int == 0))
            })
    };
    let Expr::Attribute(callee) = &*call.func else {
        return false;
    };
    match &*callee.value {
        Expr::Name(name) => file
            .semantics
            .origins(name)
            .iter()
            .any(|origin| matches!(origin, Origin::Value(value) if has_size(value))),
        Expr::Attribute(attribute) => file
            .semantics
            .attribute_values(attribute)
            .into_iter()
            .any(has_size),
        _ => false,
    }
}

/// Whether an awaited call of `callee` could be meant for this one. `await asyncio.sleep(…)` is
/// all over the code that is right.
fn may_be_awaited(entry: &Entry, callee: &Expr) -> bool {
    let Some((module, _)) = entry.path.rsplit_once('.') else {
        return false;
    };
    entry.row.kind == Kind::Replace
        && !matches!(callee, Expr::Attribute(attribute)
            if matches!(&*attribute.value, Expr::Name(name) if name.id != module))
}
