//! New imports, and imports that nothing uses any more.

use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_analysis::resolve::semantics::contains;
use asyncfix_syntax::lines::{self, line_before};
use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExprContext, PythonVersion, Stmt};
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
    all_count && Imports { file, ranges, at }.have_run(file.body())
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
enum Section {
    Future,
    Standard,
    ThirdParty,
    FirstParty,
    Relative,
}

fn section(file: &File<'_, '_>, statement: &Stmt) -> Section {
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

fn alone_on_lines(file: &File<'_, '_>, statement: &Stmt) -> bool {
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

fn holds_import(statement: &Stmt) -> bool {
    asyncfix_syntax::site::suites_in(statement)
        .into_iter()
        .flatten()
        .any(|inner| inner.is_import_stmt() || inner.is_import_from_stmt())
}

/// The edits that remove the imports whose last uses are in the text that `edits` replace.
///
/// Only imports of standard-library modules go, whose import has no effect of its own, and not
/// where they may be somebody's interface: in a package's `__init__.py`, in `__all__`, written as
/// `import x as x`, imported from here by another file of the project, or with a comment.
pub fn orphaned(file: &File<'_, '_>, edits: &[Edit]) -> Vec<Edit> {
    if file.is_package {
        return Vec::new();
    }
    let removed = |range: TextRange| {
        edits
            .iter()
            .any(|edit| !edit.range().is_empty() && contains(edit, range))
    };
    let mut removals = Vec::new();
    let mut statements = Vec::new();
    removable_imports(file.body(), true, &mut statements);
    for (statement, opens_suite) in statements {
        if section(file, statement) != Section::Standard
            || !alone_on_lines(file, statement)
            || has_comment(file, statement)
        {
            continue;
        }
        let names: &[ast::Alias] = match statement {
            Stmt::Import(import) => &import.names,
            Stmt::ImportFrom(import) => &import.names,
            _ => continue,
        };
        let mut orphans = Vec::new();
        for (index, alias) in names.iter().enumerate() {
            let bound = match &alias.asname {
                Some(asname) if *asname.as_str() == *alias.name => continue,
                Some(asname) => asname.as_str(),
                None if alias.name.contains('.') || alias.name.as_str() == "*" => continue,
                None => alias.name.as_str(),
            };
            // Only a name in text that goes away can have had its last use there.
            let is_replaced = edits
                .iter()
                .any(|edit| is_named(&file.source[edit.range()], bound));
            let is_written_again = edits.iter().any(|edit| {
                edit.content()
                    .is_some_and(|content| is_named(content, bound))
            });
            if !is_replaced || is_written_again {
                continue;
            }
            let mut uses = Uses {
                file,
                alias: alias.range(),
                name: bound,
                removed: &removed,
                gone: 0,
                kept: 0,
            };
            uses.visit_body(file.body());
            let exported = file
                .semantics
                .module_name()
                .and_then(|module| module.rsplit('.').next().map(str::to_owned))
                .is_some_and(|module| {
                    file.project.imports_from(&module, bound)
                        || file.project.imports_from(&module, "*")
                });
            if uses.gone > 0 && uses.kept == 0 && !exported {
                orphans.push(index);
            }
        }
        removals.extend(remove(file, statement, names, &orphans, opens_suite, edits));
    }
    removals.extend(moved_out_of_typing(file, edits));
    removals
}

/// Takes the blank line away with which a new import begins, where the imports go that it was to be parted from.
pub fn close_gaps(file: &File<'_, '_>, edits: &mut [Edit], orphans: &[Edit]) {
    let newline = file.newline();
    for edit in edits {
        let is_open = |orphan: &Edit| {
            orphan.end() == edit.start()
                && (orphan.start() == file.source.bom_start_offset()
                    || file.source[..orphan.start().to_usize()].ends_with(&newline.repeat(2)))
        };
        if edit.range().is_empty()
            && orphans.iter().any(is_open)
            && let Some(rest) = edit.content().and_then(|text| text.strip_prefix(newline))
        {
            *edit = Edit::insertion(rest.to_owned(), edit.start());
        }
    }
}

/// The edits that remove an import under `if TYPE_CHECKING:` which one of `edits` writes at the top of the module.
fn moved_out_of_typing(file: &File<'_, '_>, edits: &[Edit]) -> Vec<Edit> {
    let is_written = |line: &str| {
        edits.iter().any(|edit| {
            let mut lines = edit.content().unwrap_or_default().lines();
            edit.range().is_empty() && lines.any(|written| written == line)
        })
    };
    let mut removals = Vec::new();
    for statement in file.body() {
        let Stmt::If(block) = statement else {
            continue;
        };
        let Some(first) = block.body.first() else {
            continue;
        };
        if !file.semantics.is_in_typing_block(first.range()) || block.body.len() < 2 {
            continue;
        }
        for (index, statement) in block.body.iter().enumerate() {
            let Stmt::Import(import) = statement else {
                continue;
            };
            if alone_on_lines(file, statement)
                && !has_comment(file, statement)
                && import.names.len() == 1
                && is_written(file.text(statement))
            {
                removals.extend(remove(
                    file,
                    statement,
                    &import.names,
                    &[0],
                    index == 0,
                    edits,
                ));
            }
        }
    }
    removals
}

/// The import statements that can be removed without leaving a suite empty, each with whether it
/// opens the suite of a function.
fn removable_imports<'a>(suite: &'a [Stmt], is_module: bool, found: &mut Vec<(&'a Stmt, bool)>) {
    for (index, statement) in suite.iter().enumerate() {
        match statement {
            Stmt::Import(_) | Stmt::ImportFrom(_) if is_module || suite.len() > 1 => {
                found.push((statement, !is_module && index == 0));
            }
            // What is imported on a condition, or tried, is somebody's business.
            Stmt::FunctionDef(function) => removable_imports(&function.body, false, found),
            Stmt::ClassDef(class) => {
                for inner in &class.body {
                    if let Stmt::FunctionDef(method) = inner {
                        removable_imports(&method.body, false, found);
                    }
                }
            }
            _ => {}
        }
    }
}

fn has_comment(file: &File<'_, '_>, statement: &Stmt) -> bool {
    let lines = TextRange::new(statement.start(), file.source.line_end(statement.end()));
    file.comments.intersects(lines)
}

fn remove(
    file: &File<'_, '_>,
    statement: &Stmt,
    names: &[ast::Alias],
    orphans: &[usize],
    opens_suite: bool,
    edits: &[Edit],
) -> Vec<Edit> {
    if orphans.is_empty() {
        return Vec::new();
    }
    if orphans.len() == names.len() {
        let start = file.source.line_start(statement.start());
        let mut end = file.source.full_line_end(statement.end());
        // The only import of its section takes the blank line behind it along.
        let is_blank = |at: TextSize| file.source.full_line_str(at).trim().is_empty();
        let alone = (opens_suite
            || start == file.source.bom_start_offset()
            || line_before(file.source, start)
                .is_some_and(|above| lines::is_blank(&file.source[above])))
            && end < TextSize::of(file.source)
            && is_blank(end);
        let is_refilled = edits
            .iter()
            .any(|edit| edit.range().is_empty() && edit.start() >= start && edit.start() <= end);
        if alone && !is_refilled {
            end = file.source.full_line_end(end);
            // Nothing is left to part from at the top of a file.
            let is_first = start == file.source.bom_start_offset();
            while is_first && end < TextSize::of(file.source) && is_blank(end) {
                end = file.source.full_line_end(end);
            }
        }
        return vec![Edit::range_deletion(TextRange::new(start, end))];
    }
    // Each name goes with the comma and the space that part it from a neighbour that stays.
    let last_kept = (0..names.len())
        .rev()
        .find(|index| !orphans.contains(index))
        .unwrap_or_default();
    orphans
        .iter()
        .filter_map(|&index| {
            let alias = names.get(index)?;
            let range = if index < last_kept {
                TextRange::new(alias.start(), names.get(index + 1)?.start())
            } else {
                TextRange::new(names.get(index.checked_sub(1)?)?.end(), alias.end())
            };
            Some(Edit::range_deletion(range))
        })
        .collect()
}

/// Counts what refers to one import, apart from the import itself.
struct Uses<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    alias: TextRange,
    name: &'f str,
    removed: &'f dyn Fn(TextRange) -> bool,
    gone: usize,
    kept: usize,
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if name.id == self.name => {
                let may_be_it = match name.ctx {
                    ExprContext::Load => {
                        self.file
                            .semantics
                            .bindings(name)
                            .is_none_or(|definitions| {
                                definitions.iter().any(|definition| {
                                    self.file
                                        .semantics
                                        .definition_range(*definition)
                                        .is_some_and(|range| range == self.alias)
                                })
                            })
                    }
                    // Written somewhere else, or deleted: more than an import.
                    _ => self
                        .file
                        .semantics
                        .scope_of(name)
                        .is_none_or(FileScopeId::is_global),
                };
                if may_be_it {
                    if (self.removed)(name.range()) {
                        self.gone += 1;
                    } else {
                        self.kept += 1;
                    }
                }
            }
            // A string may be an annotation, a member of `__all__` or a doctest.
            AnyNodeRef::StringLiteral(literal) if mentions(&literal.value, self.name) => {
                let is_prose = literal.value.contains(['\n', ' ']);
                if !is_prose || literal.value.contains(">>>") {
                    self.kept += 1;
                }
            }
            AnyNodeRef::Alias(alias) if alias.range() != self.alias => {
                let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                if bound.as_str() == self.name && (self.removed)(alias.range()) {
                    self.kept += 1;
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether `name` stands in `text` as a name of its own, not as somebody's attribute.
fn is_named(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(|c| joins(c) || c == '.') && !after.is_some_and(joins)
    })
}

/// Whether `name` stands in `text` as an identifier.
fn mentions(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == name)
}
