//! What opens something that also blocks: the block that uses it moves into a function, and that runs
//! in a thread.

use asyncfix_analysis::answers::blocking::called;
use asyncfix_analysis::answers::flow::Exits;
use asyncfix_analysis::facts::file_access::{Modes, modes};
use asyncfix_analysis::facts::in_thread::Obstacles;
use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_knowledge::blocking::Kind;
use asyncfix_syntax::lines::{line_before, one_line};
use asyncfix_syntax::queries::argument;
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextSize};

use crate::blocking::awaiting::{self, First};
use crate::blocking::block::{AWAITS, Block};
use crate::blocking::files;
use crate::blocking::locals::Locals;
use crate::blocking::process_state;
use crate::blocking::rewrite::Blocking;
use crate::blocking::state::Collections;
use crate::blocking::variables::{self, Variables};
use crate::edit::annotations::{Annotations, Written};
use crate::edit::fresh_names;
use crate::edit::narrowed::forgotten_test;
use crate::finding::Rewrite;

/// The rewrite for a call that gives something that also blocks, or the reason why there is none.
pub fn rewrite(blocking: &Blocking<'_, '_, '_, '_>) -> Result<Rewrite, String> {
    let site = blocking.site;
    if let Some(read) = read_at_once(blocking) {
        return in_lambda(blocking, &read);
    }
    if let Some(consumer) = blocking.consumer() {
        return in_lambda(blocking, &consumer);
    }
    // `urlopen(url)` alone: nothing is left that goes on blocking.
    if matches!(site.parent(), Some(AnyNodeRef::StmtExpr(_))) {
        return blocking.moved();
    }
    let statement = match site.parent() {
        Some(AnyNodeRef::WithItem(_)) => site.outer().and_then(|item| item.outer()),
        Some(AnyNodeRef::StmtFor(inner))
            if inner.iter.range() == site.node.range() && !inner.is_async =>
        {
            site.outer()
        }
        _ => None,
    };
    let Some(statement) = statement else {
        return Err(
            "the returned object blocks too; move every use of it into one function and run that in \
             `asyncio.to_thread`"
                .to_owned(),
        );
    };
    let Owner::Function(function) = blocking.owner() else {
        return Err("the block is not inside a function".to_owned());
    };
    Outlined {
        blocking,
        site: statement,
        function,
        scope: blocking.scope()?,
    }
    .rewrite()
}

/// `open(p).read()`: the call of the method.
fn read_at_once<'s, 'a>(blocking: &Blocking<'_, 's, 'a, '_>) -> Option<Site<'s, 'a>> {
    let attribute = blocking.site.outer()?;
    let AnyNodeRef::ExprAttribute(method) = attribute.node else {
        return None;
    };
    if !blocking
        .called
        .row
        .reads
        .iter()
        .any(|read| *read == method.attr.as_str())
    {
        return None;
    }
    let call = attribute.outer()?;
    matches!(call.node, AnyNodeRef::ExprCall(call) if call.func.range() == method.range())
        .then_some(call)
}

/// `await asyncio.to_thread(lambda: json.load(open(p)))`
fn in_lambda<'a>(
    blocking: &Blocking<'_, '_, 'a, '_>,
    whole: &Site<'_, 'a>,
) -> Result<Rewrite, String> {
    let file = blocking.file;
    let rewrite = blocking.in_lambda(whole, "", "")?;
    let AnyNodeRef::ExprCall(call) = whole.node else {
        return Ok(rewrite);
    };
    let path_of = |expr: &'a Expr| file.semantics.qualified_name(expr);
    let obstacles = Obstacles::new(file.source, &path_of, caught_around(whole));
    if let Some(reason) = obstacles.of_call(call) {
        return Err(reason);
    }
    let changing = match blocking.owner() {
        Owner::Function(function) => {
            let locals = Locals::of(file, function);
            Collections::new(file, &locals, blocking.scope()?).of_call(call)
        }
        _ => None,
    };
    Ok(rewrite
        .unsafe_if(Block::of_call(file, call).stranger())
        .unsafe_if(changing)
        .unsafe_if(files::meets_others(file, blocking.owner(), call.range())))
}

/// The names of the exceptions that the handlers around have caught.
fn caught_around<'a>(site: &Site<'_, 'a>) -> Vec<&'a str> {
    site.enclosing_in_function()
        .filter_map(|(node, _)| match node {
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => handler.name.as_deref(),
            _ => None,
        })
        .collect()
}

/// A statement that becomes a function.
struct Outlined<'b, 'f, 's, 'a, 'db> {
    blocking: &'b Blocking<'f, 's, 'a, 'db>,
    site: Site<'s, 'a>,
    function: &'a ast::StmtFunctionDef,
    scope: FileScopeId,
}

impl<'a> Outlined<'_, '_, '_, 'a, '_> {
    /// Whether code around catches what the block raises.
    fn is_tried(&self) -> bool {
        let statement = self.site.node.range();
        self.site.enclosing_in_function().any(|(node, _)| {
            matches!(node, AnyNodeRef::StmtTry(around) if !around.handlers.is_empty()
                && around.body.iter().any(|inner| inner.range().contains_range(statement)))
        })
    }

    fn rewrite(&self) -> Result<Rewrite, String> {
        let file = self.blocking.file;
        let place = self.site.place().ok_or("asyncfix can't find the block")?;
        let is_written = self.wish() == WRITES;
        let first = (self.is_of_file() && is_written)
            .then(|| First::of(file, self.function, place.statement, self.blocking.call))
            .flatten();
        let without = first.as_ref().map(|first| first.awaited.range());
        let block = Block::of_statement(file, place.statement, without);
        if let Some(reason) = block.obstacle {
            let one_by_one = (self.is_of_file() && reason == AWAITS)
                .then(|| awaiting::one_by_one(self.blocking, place.statement))
                .flatten();
            return one_by_one.ok_or_else(|| self.advice(reason, place.statement));
        }
        let path_of = |expr: &'a Expr| file.semantics.qualified_name(expr);
        let obstacles = Obstacles::new(file.source, &path_of, caught_around(&self.site));
        if let Some(reason) = obstacles.of_suite(std::slice::from_ref(place.statement)) {
            return Err(reason);
        }
        let returns = self.returned(place.statement)?;
        let mut variables =
            variables::of_block(file, &self.site, self.function, self.scope, &block)?;
        let is_in_loop = || {
            self.site
                .enclosing_in_function()
                .any(|(node, _)| matches!(node, AnyNodeRef::StmtFor(_) | AnyNodeRef::StmtWhile(_)))
        };
        if let Some(first) = &first
            && is_in_loop()
        {
            variables.parameters.push(first.name.clone());
        }

        let moved = file
            .lines()
            .statement(place.suite, place.parent, place.index)
            .ok_or("the block is empty")?;
        let runner = self.blocking.runner(false)?;
        let name = fresh_names::fresh(file, Owner::Function(self.function), &[self.wish()]);
        let unit = moved.unit();
        let mut trailer = Vec::new();
        let list = variables.returned.join(", ");
        if !list.is_empty() {
            trailer.push(format!("{unit}return {list}"));
        }
        trailer.push(String::new());
        let given = std::iter::once(name.as_str())
            .chain(variables.parameters.iter().map(AsRef::as_ref))
            .collect::<Vec<_>>()
            .join(", ");
        let awaited = format!("await {}{given})", runner.head());
        trailer.push(if returns {
            format!("return {awaited}")
        } else if list.is_empty() {
            awaited
        } else {
            format!("{list} = {awaited}")
        });
        let written = self.annotations(place.statement, &block, &variables, returns);
        let mut header = format!(
            "def {name}({}){}:",
            written.parameters(&variables.parameters),
            written.arrow()
        );
        if !variables.outside.is_empty() {
            let newline = file.newline();
            header = format!(
                "{header}{newline}{}{unit}nonlocal {}",
                moved.indent(),
                variables.outside.join(", ")
            );
        }
        let mut edits: Vec<Edit> = Vec::new();
        if let Some(first) = &first {
            let newline = file.newline();
            header = format!(
                "{} = {}{newline}{newline}{}{header}",
                first.name,
                file.text(first.awaited),
                moved.indent()
            );
            edits.push(first.edit());
        }
        // The comments above stay where they are.
        let top = file.lines().start_with_comments(place.statement.start());
        // Black wants one, but for what a function starts with, or behind a comment that does.
        let opens_function = place.index == 0
            && (top != file.source.line_start(place.statement.start())
                || matches!(
                    place.parent,
                    None | Some(AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_))
                ));
        if !opens_function && first.is_none() && !self.is_blank_above(top) {
            edits.push(Edit::insertion(file.newline().to_owned(), top));
        }
        edits.extend(moved.wrap(&header, &trailer)?);
        let mut rewrite = runner.rewrite(edits).with_shared(written.imports);
        "Move the block into a function and run it in a thread".clone_into(&mut rewrite.title);
        rewrite.moves = Some(moved.range());
        rewrite.alone_in = Some(self.function.start());
        let locals = Locals::of(file, self.function);
        let collections = Collections::new(file, &locals, self.scope);
        let owner = Owner::Function(self.function);
        Ok(rewrite
            .unsafe_if(self.foreign_manager(place.statement))
            .unsafe_if((first.is_some() && self.is_tried()).then_some(
                "what is awaited comes before the file is opened, and is lost if that fails",
            ))
            .unsafe_if(first.and_then(|first| first.unsafe_because))
            .unsafe_if(block.stranger())
            .unsafe_if(process_state::changed_in_thread(
                &file.semantics,
                std::slice::from_ref(place.statement),
                "the block",
            ))
            .unsafe_if(collections.of_statement(place.statement))
            .unsafe_if(files::meets_others(file, owner, place.statement.range()))
            .unsafe_if(variables.unsafe_because)
            .unsafe_if(written.unsafe_because))
    }

    /// The annotations of the new function, where the code around it has some.
    fn annotations(
        &self,
        statement: &'a Stmt,
        block: &Block<'a, '_, '_>,
        variables: &Variables,
        returns: bool,
    ) -> Written {
        let file = self.blocking.file;
        let owner = Owner::Function(self.function);
        let Some(mut annotations) = Annotations::of(file, owner, statement.start()) else {
            return Written::default();
        };
        let given = &variables.parameters;
        if let Some(place) = forgotten_test(file, self.function, statement.range(), given) {
            return Annotations::forget(&place);
        }
        let given = variables.parameters.iter().map(|name| {
            let load = block.loads.iter().find(|load| load.id == name.as_str())?;
            annotations.of_load(load)
        });
        let given = given.collect();
        let result = if returns {
            match (&self.function.returns, returned_value(statement)) {
                (Some(result), _) => annotations.as_written(result),
                (None, Returned::Value(value)) => annotations.of_value(value),
                (None, Returned::Nothing) => Some("None".to_owned()),
                (None, Returned::Various) => None,
            }
        } else {
            let results = variables
                .returned
                .iter()
                .map(|name| annotations.of_variable(name, statement));
            match results.collect::<Option<Vec<_>>>() {
                Some(none) if none.is_empty() => Some("None".to_owned()),
                Some(mut one) if one.len() == 1 => one.pop(),
                Some(several) if file.targets(PythonVersion::PY39) => {
                    Some(format!("tuple[{}]", several.join(", ")))
                }
                _ => None,
            }
        };
        annotations.finish(given, result)
    }

    /// What the new function would be called.
    fn wish(&self) -> &'static str {
        let call = self.blocking.call;
        let mode = argument(call, "mode").or_else(|| {
            let position = if self.blocking.called.name.starts_with("pathlib.") {
                "0"
            } else {
                "1"
            };
            argument(call, position)
        });
        match mode.map_or(Some(READ), modes) {
            _ if !self.is_of_file() => "in_thread",
            Some(Modes {
                reads: true,
                writes: false,
            }) => "read_file",
            Some(Modes {
                reads: false,
                writes: true,
            }) => WRITES,
            // Which one it is depends, or it is both.
            _ => "use_file",
        }
    }

    /// What to do by hand where a block cannot move for this reason.
    fn advice(&self, reason: &str, statement: &Stmt) -> String {
        let advice = match reason {
            AWAITS if self.blocking.called.name == "tempfile.TemporaryDirectory" => MAKE_AND_REMOVE,
            AWAITS if self.wish() == "read_file" && awaiting::is_given_to_awaited(statement) => {
                READ_BEFORE
            }
            other => other,
        };
        advice.to_owned()
    }

    fn is_of_file(&self) -> bool {
        self.blocking.called.row.code == "AF204"
    }

    fn is_blank_above(&self, start: TextSize) -> bool {
        let source = self.blocking.file.source;
        line_before(source, start).is_none_or(|line| source[line].trim().is_empty())
    }

    /// Whether the block ends in `return`, and that is its only way out of the function.
    fn returned(&self, statement: &'a Stmt) -> Result<bool, String> {
        let exits = Exits::of(self.blocking.file, std::slice::from_ref(statement));
        match exits.jumps.as_slice() {
            [] => Ok(false),
            jumps if !exits.falls && jumps.iter().all(|jump| jump.statement.is_return_stmt()) => {
                Ok(true)
            }
            _ => Err(
                "the block contains `return`, `break` or `continue`; move it into a separate function \
                 and run that in `asyncio.to_thread`"
                    .to_owned(),
            ),
        }
    }

    /// A context manager of the same statement that the table does not know.
    fn foreign_manager(&self, statement: &Stmt) -> Option<String> {
        let file = self.blocking.file;
        let Stmt::With(with) = statement else {
            return None;
        };
        with.items.iter().find_map(|item| {
            let known = match &item.context_expr {
                Expr::Call(call) => called(file, &self.site, call, &self.blocking.called.row.code)
                    .is_some_and(|called| called.row.kind == Kind::Outline || called.row.lazy),
                _ => false,
            };
            (!known).then(|| {
                let manager = one_line(file.text(&item.context_expr));
                format!("`{manager}` would be entered in another thread")
            })
        })
    }
}

/// What the `return` gives that a block ends with, where it has no other one.
fn returned_value(statement: &Stmt) -> Returned<'_> {
    match statement {
        Stmt::With(inner) => inner.body.last().map_or(Returned::Various, returned_value),
        Stmt::Return(inner) => match inner.value.as_deref() {
            Some(value) => Returned::Value(value),
            None => Returned::Nothing,
        },
        _ => Returned::Various,
    }
}

/// What a block returns.
enum Returned<'a> {
    Value(&'a Expr),
    Nothing,
    /// Several values, one of them at a time.
    Various,
}

/// What to do where a folder is there as long as something is awaited.
const MAKE_AND_REMOVE: &str = "the `with` block contains `await`; make the folder with `await asyncio.to_thread(tempfile.mkdtemp)`, \
                               and remove it in a `finally` with `await asyncio.to_thread(shutil.rmtree, …)`";

/// What to do where something that is awaited is given the file.
const READ_BEFORE: &str = "an awaited call is given the open file; read the file in `asyncio.to_thread` before, and \
                           give the call what is in it";

/// What a function that writes a file would be called.
const WRITES: &str = "write_file";

/// What a file is opened for where nothing is said.
const READ: Modes = Modes {
    reads: true,
    writes: false,
};
