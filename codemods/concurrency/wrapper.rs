//! The coroutine function that waits for its turn, and the calls of it.

use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Place};
use asyncfix_syntax::words::snake_case;
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, PythonVersion, Stmt};
use ruff_text_size::Ranged;

use super::fan_out::{Element, FanOut};
use crate::concurrency::draft::{Draft, NAME, Writer, innermost};
use crate::edit::annotations::{Annotations, Written};
use crate::edit::insertion::Slot;
use crate::edit::narrowed::forgotten_test;
use crate::edit::{fresh_names, imports};
use crate::file::File;

/// What is written for one fan-out.
pub struct Wrapper {
    /// The edits at the fan-out.
    pub edits: Vec<Edit>,
    /// The imports that the semaphore and the annotations need.
    pub imports: Vec<Edit>,
    /// Why that is unsafe.
    pub unsafe_because: Option<String>,
}

/// Writes the wrapper for `fan_out`, whose tasks become plain calls where `drops_tasks`.
///
/// `Err` with the reason where that is not possible.
pub fn write<'a>(
    file: &File<'a, '_>,
    fan_out: &FanOut<'_, 'a>,
    task: Option<&'a ast::ExprCall>,
    call: &'a ast::ExprCall,
    drops_task: bool,
) -> Result<Wrapper, String> {
    let surroundings = file.surroundings(&fan_out.statement);
    let owner = surroundings.owner;
    if surroundings.obstacle.is_some() {
        return Err("in a class body the helper function would become a method".to_owned());
    }
    if !file.is_async(owner) && !file.targets(PythonVersion::PY310) {
        return Err(
            "before Python 3.10 a semaphore must be created inside a running event loop".to_owned(),
        );
    }
    let place = fan_out
        .statement
        .place()
        .ok_or("a function can't be defined before this statement")?;
    let callee = callee_name(file, fan_out, call);
    let callee = snake_case(callee);
    let of_callee = format!("{}_semaphore", callee.trim_matches('_'));
    let semaphore = fresh_names::fresh(file, owner, &["semaphore", &of_callee]);
    let writer = Writer {
        file,
        fan_out,
        semaphore: &semaphore,
        statement: place.statement.range(),
        loops: fan_out
            .statement
            .enclosing_in_function()
            .map(|(node, _)| node)
            .filter(|node| node.is_stmt_for() || node.is_stmt_while())
            .map(|node| node.range())
            .collect(),
        owner,
    };
    let mut draft = match fan_out.element {
        Element::Call(_) => writer.called(call)?,
        Element::Mapped(map) => writer.mapped(map)?,
    };
    if drops_task && let Some(task) = task {
        // `create_task(work(item))` becomes `limited_work(item)`.
        writer.unwrap_task(task, call, &mut draft);
    }
    let wish = format!("limited_{}", callee.trim_start_matches('_'));
    let name = fresh_names::fresh(file, owner, &[&wish]);
    let scope = file
        .semantics
        .scope_of_owner(owner)
        .ok_or("a function can't be defined before this statement")?;
    let imported = imports::import(file, "asyncio", "Semaphore", scope, place.statement.start())?;
    let unit = file.indent_unit();
    let limit = file.settings.concurrency_limit;
    let names: Vec<String> = draft
        .parameters
        .iter()
        .map(|parameter| parameter.name.clone())
        .collect();
    let written = annotations(file, owner, place.statement, call, &draft);
    let (signature, returns) = (written.parameters(&names), written.arrow());
    let blank = blank_lines(&place);
    let mut lines = vec![format!("{semaphore} = {}({limit})", imported.expression)];
    lines.extend(std::iter::repeat_n(String::new(), blank));
    lines.extend([
        format!("async def {name}({signature}){returns}:"),
        format!("{unit}async with {semaphore}:"),
        format!("{unit}{unit}return await {}", draft.body),
    ]);
    lines.extend(std::iter::repeat_n(String::new(), blank));
    let slot = Slot::of(file, &place)?;
    let mut edits: Vec<Edit> = vec![slot.above(file, &lines)];
    edits.extend(draft.edits.into_iter().map(|(range, text)| {
        let text = text.replace(NAME, &name);
        if range.is_empty() {
            Edit::insertion(text, range.start())
        } else if text.is_empty() {
            Edit::range_deletion(range)
        } else {
            Edit::range_replacement(text, range)
        }
    }));
    Ok(Wrapper {
        edits,
        imports: imported.edit.into_iter().chain(written.imports).collect(),
        unsafe_because: written.unsafe_because,
    })
}

/// The annotations of the new function, where the code around it has some.
fn annotations<'a>(
    file: &File<'a, '_>,
    owner: Owner<'a>,
    statement: &Stmt,
    call: &'a ast::ExprCall,
    draft: &Draft<'a>,
) -> Written {
    let Some(mut annotations) = Annotations::of(file, owner, statement.start()) else {
        return Written::default();
    };
    let callee = innermost(&file.semantics, call).func.range();
    let given: Vec<String> = draft
        .parameters
        .iter()
        .filter_map(|parameter| Some(file.text(parameter.value?).to_owned()))
        .collect();
    if let Owner::Function(function) = owner
        && let Some(place) = forgotten_test(file, function, callee, &given)
    {
        return Annotations::forget(&place);
    }
    let parameters = draft.parameters.iter().map(|parameter| {
        let annotation = parameter.annotation.clone();
        annotation.or_else(|| annotations.of_value(parameter.value?))
    });
    let parameters = parameters.collect();
    let returns = draft.returns.clone().or_else(|| {
        let made = innermost(&file.semantics, call);
        (!draft.is_half_typed).then(|| annotations.of_awaited(made))?
    });
    let is_complete = annotations.is_complete();
    let mut written = annotations.finish(parameters, returns);
    if written.returns.is_some() {
        return written;
    }
    if !draft.is_half_typed {
        if is_complete {
            written.unsafe_because.get_or_insert_with(|| {
                "asyncfix can't tell the types of the new function, and strict type checkers ask for them".to_owned()
            });
        }
        return written;
    }
    // Whoever wrote the function that is called has nothing against half of them.
    let parameters = draft.parameters.iter();
    Written {
        parameters: parameters
            .map(|parameter| parameter.annotation.clone())
            .collect(),
        returns: draft.returns.clone(),
        ..written
    }
}

/// The blank lines that Black wants around a function in this place.
fn blank_lines(place: &Place<'_>) -> usize {
    if place.parent.is_none() { 2 } else { 1 }
}

/// What the function that makes the coroutines is called.
fn callee_name<'a>(
    file: &File<'a, '_>,
    fan_out: &FanOut<'_, 'a>,
    call: &'a ast::ExprCall,
) -> &'a str {
    let callee = match fan_out.element {
        Element::Call(_) => &*innermost(&file.semantics, call).func,
        Element::Mapped(map) => map.arguments.args.first().unwrap_or(&map.func),
    };
    last_name(callee).unwrap_or("call")
}
