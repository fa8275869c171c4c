//! New imports, and where they go.

use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_syntax::lines::line_before;
use asyncfix_syntax::site::suites_in;
use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{self as ast, PythonVersion, Stmt};
use ruff_python_stdlib::sys::is_known_standard_library;
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::bound::Imports;
use crate::file::File;

/// How to name a member of a module at a place, and the edit that makes the name exist.
pub struct Imported {
    /// The expression, such as `asyncio.sleep`, `aio.sleep` or `sleep`.
    pub expression: String,
    /// The import to add, if the file does not have it.
    pub edit: Option<Edit>,
}

/// Names `member` of `module` in `scope`, the way the file names it already: `import asyncio`,
/// `import asyncio as aio` or `from asyncio import gather`.
///
/// `at` is where the name will be used: an import inside the same function counts when it stands
/// before. `Err` with the reason where the name would mean something else there.
pub fn import(
    file: &File<'_, '_>,
    module: &str,
    member: &str,
    scope: FileScopeId,
    at: TextSize,
) -> Result<Imported, String> {
    let statements = top_level_imports(file.body());
    let mut names_members = None;
    for statement in &statements {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    if alias.name.as_str() == module && means(file, bound, scope, module, at) {
                        return Ok(Imported {
                            expression: format!("{bound}.{member}"),
                            edit: None,
                        });
                    }
                }
            }
            Stmt::ImportFrom(import)
                if import.level == 0 && import.module.as_deref() == Some(module) =>
            {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    let path = format!("{module}.{member}");
                    if alias.name.as_str() == member && means(file, bound, scope, &path, at) {
                        return Ok(Imported {
                            expression: bound.to_string(),
                            edit: None,
                        });
                    }
                    if alias.name.as_str() != "*" {
                        names_members = Some(import);
                    }
                }
            }
            _ => {}
        }
    }
    if means(file, module, scope, module, at) {
        return Ok(Imported {
            expression: format!("{module}.{member}"),
            edit: None,
        });
    }
    if let Some(import) = names_members
        && !file.semantics.is_taken(member, scope)
        && let Some(edit) = extend(file, import, member)
    {
        return Ok(Imported {
            expression: member.to_owned(),
            edit: Some(edit),
        });
    }
    // Imports for type checkers alone, or such as may not run.
    let imported = file.semantics.lookup(module, scope).unwrap_or_default();
    let mut definitions = imported.iter();
    if !imported.is_empty()
        && definitions.all(|definition| file.semantics.is_import_of(*definition, module))
    {
        let db = file.semantics.db();
        let mut scopes = imported.iter().map(|definition| definition.file_scope(db));
        if !scopes.all(FileScopeId::is_global) {
            return Err(format!(
                "this function imports `{module}`, and the import may not have run before this line"
            ));
        }
        return Ok(Imported {
            expression: format!("{module}.{member}"),
            edit: Some(insert(file, module, &format!("import {module}"))),
        });
    }
    // Where it stands nonetheless, it can mean nothing but the module.
    if file.semantics.is_bound_nowhere(module) {
        return Ok(Imported {
            expression: format!("{module}.{member}"),
            edit: Some(insert(file, module, &format!("import {module}"))),
        });
    }
    if file.semantics.is_taken(module, scope)
        || file.semantics.is_taken(module, FileScopeId::global())
            && file
                .semantics
                .lookup(module, FileScopeId::global())
                .is_none_or(|definitions| !definitions.is_empty())
    {
        return Err(format!("`{module}` is another name in this scope"));
    }
    Ok(Imported {
        expression: format!("{module}.{member}"),
        edit: Some(insert(file, module, &format!("import {module}"))),
    })
}

/// Whether code in `scope` that runs after `at` sees the import of `path` under `name`, whatever branches were taken.
pub(super) fn means(
    file: &File<'_, '_>,
    name: &str,
    scope: FileScopeId,
    path: &str,
    at: TextSize,
) -> bool {
    let semantics = &file.semantics;
    let Some(definitions) = semantics.lookup(name, scope) else {
        return false;
    };
    let mut ranges = Vec::new();
    for definition in &definitions {
        let Some(range) = semantics.definition_range(*definition) else {
            return false;
        };
        if !semantics.is_import_of(*definition, path)
            || semantics.is_typing_only(*definition, range)
        {
            return false;
        }
        if definition.file_scope(semantics.db()).is_global() || range.end() <= at {
            ranges.push(range);
        }
    }
    let all_count = ranges.len() == definitions.len();
    let imports = Imports {
        file,
        ranges,
        at,
        is_deferred: !scope.is_global(),
    };
    all_count && imports.have_run(file.body())
}

/// The import statements that run whenever the module is imported.
fn top_level_imports(body: &[Stmt]) -> Vec<&Stmt> {
    body.iter()
        .filter(|statement| statement.is_import_stmt() || statement.is_import_from_stmt())
        .collect()
}

/// Adds `member` to `from module import …`, in sorted place.
pub(super) fn extend(
    file: &File<'_, '_>,
    import: &ast::StmtImportFrom,
    member: &str,
) -> Option<Edit> {
    if file.comments.intersects(import.range()) {
        return None;
    }
    let follower = follower(&import.names, member);
    let last = import.names.last()?;
    if let Some(follower) = follower {
        let separator = if file.starts_line(follower.start()) {
            format!(
                ",{}{}",
                file.newline(),
                file.indentation_at(follower.start())
            )
        } else {
            ", ".to_owned()
        };
        return Some(Edit::insertion(
            format!("{member}{separator}"),
            follower.start(),
        ));
    }
    let separator = if import.names.len() > 1 && file.starts_line(last.start()) {
        format!(",{}{}", file.newline(), file.indentation_at(last.start()))
    } else {
        ", ".to_owned()
    };
    Some(Edit::insertion(format!("{separator}{member}"), last.end()))
}

/// The first of the names of an import that a sorter puts behind `member`: constants come before classes, and these before
/// the others, unless the names are in the order of their letters alone. `None` where they are in neither order.
fn follower<'a>(names: &'a [ast::Alias], member: &str) -> Option<&'a ast::Alias> {
    let by_kind = |name: &str| {
        let is_lower = |char: char| char.is_lowercase();
        let kind = match name.chars().next() {
            Some(_) if name.len() > 1 && !name.contains(is_lower) => 0,
            Some(first) if first.is_uppercase() => 1,
            _ => 2,
        };
        (kind, name.to_lowercase())
    };
    let by_letters = |name: &str| (0, name.to_lowercase());
    if names.is_sorted_by_key(|alias| by_kind(&alias.name)) {
        let mut names = names.iter();
        names.find(|alias| by_kind(&alias.name) > by_kind(member))
    } else if names.is_sorted_by_key(|alias| by_letters(&alias.name)) {
        let mut names = names.iter();
        names.find(|alias| by_letters(&alias.name) > by_letters(member))
    } else {
        None
    }
}

/// The sections that import sorters keep apart, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Future,
    Standard,
    ThirdParty,
    FirstParty,
    Relative,
}

pub(super) fn section(file: &File<'_, '_>, statement: &Stmt) -> Section {
    match statement {
        Stmt::ImportFrom(import) if import.level > 0 => Section::Relative,
        statement => section_of(file, module_of(statement)),
    }
}

fn section_of(file: &File<'_, '_>, module: &str) -> Section {
    let root = module.split('.').next().unwrap_or_default();
    if root == "__future__" {
        Section::Future
    } else if is_known_standard_library(PythonVersion::latest().minor, root) {
        Section::Standard
    } else if file.semantics.is_first_party(root) {
        Section::FirstParty
    } else {
        Section::ThirdParty
    }
}

fn module_of(statement: &Stmt) -> &str {
    match statement {
        Stmt::Import(import) => import.names.first().map_or("", |alias| &alias.name),
        Stmt::ImportFrom(import) => import.module.as_deref().unwrap_or_default(),
        _ => "",
    }
}

/// Inserts `line`, which imports `module` or something from it, where an import sorter would put it.
pub(super) fn insert(file: &File<'_, '_>, module: &str, line: &str) -> Edit {
    let newline = file.newline();
    let is_from = line.starts_with("from ");
    let body = file.body();
    let after_docstring = body
        .iter()
        .take_while(|statement| is_docstring(statement, body))
        .count();
    // The first run of imports; an import further down belongs to something else.
    let run: Vec<&Stmt> = body
        .iter()
        .skip(after_docstring)
        .take_while(|statement| statement.is_import_stmt() || statement.is_import_from_stmt())
        .filter(|statement| alone_on_lines(file, statement))
        .collect();
    let own = section_of(file, module);
    let same: Vec<&Stmt> = run
        .iter()
        .copied()
        .filter(|statement| section(file, statement) == own)
        .collect();
    if !same.is_empty() {
        // Import sorters put `import a` before `from a import b`, or sort both by module.
        let mixed = same
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.is_import_from_stmt() && b.is_import_stmt()));
        let predecessor = same.iter().rev().find(|statement| {
            let is_before = module_of(statement) < module;
            match (mixed, is_from) {
                (true, _) => is_before || is_from && module_of(statement) == module,
                (false, true) => statement.is_import_stmt() || is_before,
                (false, false) => statement.is_import_stmt() && is_before,
            }
        });
        if let Some(predecessor) = predecessor {
            return after_line(file, predecessor.end(), line);
        }
        if let Some(first) = same.first() {
            let at = file.source.line_start(first.start());
            return Edit::insertion(format!("{line}{newline}"), at);
        }
    }
    let before = run
        .iter()
        .rev()
        .find(|statement| section(file, statement) < own);
    let after = run.iter().find(|statement| section(file, statement) > own);
    match (before, after) {
        // Some files keep no sections apart.
        (Some(before), Some(after))
            if file.source.line_start(after.start()) == file.source.full_line_end(before.end()) =>
        {
            after_line(file, before.end(), line)
        }
        (Some(before), _) => after_line(file, before.end(), &format!("{newline}{line}")),
        (None, Some(after)) => {
            let at = file.source.line_start(after.start());
            Edit::insertion(format!("{line}{newline}{newline}"), at)
        }
        (None, None) => at_start(file, after_docstring, line),
    }
}

/// The first import of a file that has none at its top.
fn at_start(file: &File<'_, '_>, docstrings: usize, line: &str) -> Edit {
    let newline = file.newline();
    let first = file.body().get(docstrings);
    if let Some(end) = end_of_shared_prefix(file) {
        return after_line(file, end, line);
    }
    if let Some(header) = end_of_header(file) {
        return after_line(file, header, &format!("{newline}{line}"));
    }
    match first {
        Some(first) => {
            // Black leaves one blank line after imports, two before a function or class.
            let blank = match first {
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => 2,
                Stmt::Import(_) | Stmt::ImportFrom(_) => 0,
                _ => 1,
            };
            // Comments at the top (a shebang, an encoding, a licence) stay at the top.
            let at = after_leading_comments(file, first.start());
            let blank = newline.repeat(blank);
            Edit::insertion(format!("{line}{newline}{blank}"), at)
        }
        None => Edit::insertion(
            format!("{line}{newline}"),
            TextSize::try_from(file.source.len()).unwrap_or_default(),
        ),
    }
}

/// The end of the line on which the docstring, or the last import from `__future__`, stands together with other
/// statements: nothing may come before these (Python reference, "Future statements"), and nothing between.
fn end_of_shared_prefix(file: &File<'_, '_>) -> Option<TextSize> {
    let body = file.body();
    let is_first = |statement: &&Stmt| {
        is_docstring(statement, body)
            || matches!(statement, Stmt::ImportFrom(import)
                if import.level == 0 && import.module.as_deref() == Some("__future__"))
    };
    let last = body.iter().take_while(is_first).last()?;
    if alone_on_lines(file, last) {
        return None;
    }
    let mut end = last.end();
    for statement in body
        .iter()
        .skip_while(|statement| statement.start() < last.end())
    {
        if statement.start() > file.source.line_end(end) {
            break;
        }
        end = statement.end();
    }
    Some(end)
}

/// The end of what opens a file and is no code: its docstring, or a comment (a shebang, a licence)
/// with a blank line behind it. New code for the top of the file goes after it.
pub fn end_of_header(file: &File<'_, '_>) -> Option<TextSize> {
    let source = file.source;
    if let Some(first) = file.body().first()
        && is_docstring(first, file.body())
    {
        return alone_on_lines(file, first).then(|| first.end());
    }
    let mut end = None;
    let mut line = source.full_line_range(source.bom_start_offset());
    while source[line].starts_with('#') {
        end = Some(source.line_end(line.start()));
        line = source.full_line_range(line.end());
    }
    let is_apart = source[line].trim().is_empty() && !line.is_empty();
    end.filter(|_| is_apart)
}

/// The start of the first statement's line, or of the comment block right above it.
fn after_leading_comments(file: &File<'_, '_>, first: TextSize) -> TextSize {
    // A byte order mark is part of no line.
    let top = file.source.bom_start_offset();
    let mut at = file.source.line_start(first);
    while at > top {
        let Some(line) = line_before(file.source, at) else {
            break;
        };
        let previous = line.start().max(top);
        let text = file.source[TextRange::new(previous, at)].trim();
        let is_header = previous == top || text.starts_with("#!") || text.contains("coding");
        if !text.starts_with('#') || is_header {
            break;
        }
        at = previous;
    }
    at
}

fn after_line(file: &File<'_, '_>, end: TextSize, text: &str) -> Edit {
    let newline = file.newline();
    let at = file.source.full_line_end(end);
    if at > file.source.line_end(end) {
        Edit::insertion(format!("{text}{newline}"), at)
    } else {
        Edit::insertion(format!("{newline}{text}"), at)
    }
}

fn is_docstring(statement: &Stmt, body: &[Stmt]) -> bool {
    body.first()
        .is_some_and(|first| first.range() == statement.range())
        && matches!(statement, Stmt::Expr(expr) if expr.value.is_string_literal_expr())
}

pub(super) fn alone_on_lines(file: &File<'_, '_>, statement: &Stmt) -> bool {
    let rest = TextRange::new(statement.end(), file.source.line_end(statement.end()));
    let rest = file.source[rest].trim_start();
    file.starts_line(statement.start()) && (rest.is_empty() || rest.starts_with('#'))
}

/// The end of the imports at the top of the module: that of the line that the last import, `if TYPE_CHECKING:` block or
/// `try: import …` block before the first other statement ends on, which it may share. New code for the top of the
/// module goes below.
///
/// `None` when there are none.
pub fn end_of_imports(file: &File<'_, '_>) -> Option<TextSize> {
    let body = file.body();
    let mut last = None;
    for (index, statement) in body.iter().enumerate() {
        match statement {
            Stmt::Import(_) | Stmt::ImportFrom(_) => last = Some(index),
            Stmt::If(_) | Stmt::Try(_) if holds_import(statement) => last = Some(index),
            Stmt::Expr(_) | Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::If(_) | Stmt::Try(_) => {}
            _ => break,
        }
    }
    let mut sharing = body.get(last?..)?.iter();
    let mut end = sharing.next()?.end();
    // What shares the line may take up more of them.
    for statement in sharing {
        let between = TextRange::new(end, statement.start());
        let mut tokens = file.tokens().in_range(between).iter();
        if tokens.any(|token| token.kind() == TokenKind::Newline) {
            break;
        }
        end = statement.end();
    }
    Some(end)
}

/// Whether a block is there for its imports. One with coroutine functions is code that uses them.
fn holds_import(statement: &Stmt) -> bool {
    fn is_code(statement: &Stmt) -> bool {
        match statement {
            Stmt::FunctionDef(function) => function.is_async,
            Stmt::ClassDef(class) => class.body.iter().any(is_code),
            _ => false,
        }
    }
    let inner: Vec<&Stmt> = suites_in(statement).into_iter().flatten().collect();
    let is_import = |inner: &&Stmt| inner.is_import_stmt() || inner.is_import_from_stmt();
    inner.iter().any(is_import) && !inner.into_iter().any(is_code)
}
