//! Imports that nothing needs any more once a rewrite is made.

use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_analysis::resolve::semantics::contains;
use asyncfix_syntax::lines::{self, line_before};
use asyncfix_syntax::queries::{last_name, names_in};
use asyncfix_syntax::site::suites_in;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExprContext, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::imports::{Section, alone_on_lines, section};
use crate::file::File;

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
            Stmt::FunctionDef(function) => removable_imports(&function.body, false, found),
            Stmt::ClassDef(class) => {
                for inner in &class.body {
                    if let Stmt::FunctionDef(method) = inner {
                        removable_imports(&method.body, false, found);
                    }
                }
            }
            // What a module imports on a condition, or tries, is somebody's business.
            _ if is_module || tries_import(statement) => {}
            other => {
                for inner in suites_in(other) {
                    removable_imports(inner, false, found);
                }
            }
        }
    }
}

/// Whether a statement does something else where a module is not there.
fn tries_import(statement: &Stmt) -> bool {
    let Stmt::Try(tried) = statement else {
        return false;
    };
    tried.handlers.iter().any(|handler| {
        let ast::ExceptHandler::ExceptHandler(handler) = handler;
        handler.type_.as_deref().is_some_and(|kind| {
            names_in(kind)
                .any(|name| matches!(last_name(name), Some("ImportError" | "ModuleNotFoundError")))
        })
    })
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
