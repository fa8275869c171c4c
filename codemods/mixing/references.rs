//! The places that name a function, and what stands around the calls among them.

use std::path::{Path, PathBuf};

use asyncfix_analysis::answers::callbacks::{Caller, caller_of_argument};
use asyncfix_analysis::answers::locks;
use asyncfix_analysis::answers::signature::{Argument, Signature};
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::limits::ALIASES;
use asyncfix_analysis::resolve::Definition;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::awaited::repeats;
use asyncfix_syntax::queries::is_main_guard;
use asyncfix_syntax::site::{Obstacle, Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::given_on::{Use, use_of};
use crate::edit::imports;
use crate::file::File;

/// A place that names a function.
#[derive(Clone)]
pub(super) struct Reference<'db> {
    pub(super) path: PathBuf,
    pub(super) kind: Kind<'db>,
}

#[derive(Clone)]
pub(super) enum Kind<'db> {
    /// It is imported, or listed; with whether a package's `__init__.py` does so.
    Import {
        by_package: bool,
    },
    Call(Call<'db>),
    /// It is passed on.
    Value {
        /// How the place is written.
        place: String,
        /// Who calls it there, if that is known.
        caller: Option<Caller>,
    },
    /// A text holds its name; how the place is written.
    Text(String),
}

/// A call of the function.
#[derive(Clone)]
pub(super) struct Call<'db> {
    pub(super) range: TextRange,
    pub(super) around: Around<'db>,
    /// Why no `await` may stand here.
    pub(super) obstacle: Option<String>,
    /// Why it is not certain that one may.
    pub(super) doubt: Option<String>,
    /// Whether it stands in a loop or a comprehension.
    pub(super) repeats: bool,
    /// What becomes of what it gives.
    pub(super) used: Use,
    /// The edits that await it here.
    pub(super) awaits: Vec<Edit>,
    /// The edits, and the import, that run it in a new event loop here.
    pub(super) runs: Result<(Vec<Edit>, Option<Edit>), String>,
}

/// What a call stands in.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Around<'db> {
    Coroutine,
    Plain(Definition<'db>, String),
    /// The top level of a script.
    Script,
    /// The top level of a module that others import.
    Module,
    Lambda,
}

/// The number of the line that something starts on.
pub(super) fn line_of(file: &File<'_, '_>, at: impl Ranged) -> usize {
    let before = TextRange::up_to(at.start());
    // Somebody counts from one.
    file.source.count_lines(before) as usize + 1
}

/// The places of the file at `path` that name the function `of`. `Err` with the reason where one cannot be told.
pub(super) fn references_in<'db>(
    file: &File<'_, 'db>,
    of: Definition<'db>,
    name: &str,
    path: &Path,
) -> Result<Vec<Reference<'db>>, String> {
    let mut search = Search {
        file,
        of,
        name,
        path,
        ancestors: vec![AnyNodeRef::ModModule(file.syntax())],
        found: Vec::new(),
        unclear: None,
    };
    search.visit_body(file.body());
    match search.unclear {
        Some(reason) => Err(reason),
        None => Ok(search.found),
    }
}

/// Finds the places of a file that name a function.
struct Search<'s, 'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    of: Definition<'db>,
    name: &'s str,
    path: &'s Path,
    ancestors: Vec<AnyNodeRef<'a>>,
    found: Vec<Reference<'db>>,
    /// Why not every place can be told.
    unclear: Option<String>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if name.id == self.name && name.ctx.is_load() => {
                self.name_or_attribute(node);
            }
            AnyNodeRef::ExprAttribute(attribute) if attribute.attr.as_str() == self.name => {
                if attribute.ctx.is_load() {
                    self.name_or_attribute(node);
                } else if self.file.semantics.is_in_class(self.of)
                    // An attribute of an object of another kind only has the same name.
                    || self.file.semantics.class_of_receiver(&attribute.value).is_none()
                {
                    let place = self.place(node);
                    self.unclear.get_or_insert(format!(
                        "`{}` is reassigned or patched in {place}",
                        self.name
                    ));
                }
            }
            AnyNodeRef::Alias(alias) if alias.name.as_str() == self.name => self.import(alias),
            AnyNodeRef::ExprStringLiteral(text) => self.text(text),
            _ => {}
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}

impl<'a, 'db> Search<'_, '_, 'a, 'db> {
    fn add(&mut self, kind: Kind<'db>) {
        self.found.push(Reference {
            path: self.path.to_path_buf(),
            kind,
        });
    }

    /// A name in a text: in `__all__`, or for `getattr` or a test that replaces it.
    fn text(&mut self, text: &ast::ExprStringLiteral) {
        let value = text.value.to_str();
        let is_path = value
            .strip_suffix(self.name)
            .is_some_and(|before| before.ends_with(['.', ':']));
        if value != self.name && !is_path {
            return;
        }
        let statement = self.ancestors.iter().rev().find(|node| node.is_statement());
        let is_listed = statement.is_some_and(|statement| {
            self.file
                .text(*statement)
                .trim_start()
                .starts_with("__all__")
        });
        // `CommandHandler("start", start)`: the name is that of something else.
        let is_beside = matches!(self.ancestors.last(), Some(AnyNodeRef::Arguments(arguments))
        if arguments.args.iter().any(|argument| {
            matches!(argument, Expr::Name(name) if name.id == self.name)
        }));
        if is_beside {
            return;
        }
        let is_given = is_path
            || matches!(
                self.ancestors.last(),
                Some(AnyNodeRef::Arguments(_) | AnyNodeRef::ExprSubscript(_))
            );
        if is_listed {
            self.add(Kind::Import { by_package: true });
        } else if is_given {
            let place = self.place(text);
            self.add(Kind::Text(place));
        }
    }

    fn place(&self, at: impl Ranged) -> String {
        let line = line_of(self.file, at);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}:{line}")
    }

    fn import(&mut self, alias: &ast::Alias) {
        // Something else may have the name too.
        let own = self.file.semantics.file_of(self.of);
        let is_own = |module: &str| {
            let last = module.rsplit('.').next().unwrap_or_default();
            own.as_ref().is_some_and(|own| {
                own.with_extension("")
                    .iter()
                    .any(|component| component == last)
            })
        };
        match self.ancestors.last() {
            Some(AnyNodeRef::StmtImportFrom(import))
                if import.module.as_deref().is_none_or(is_own) => {}
            _ => return,
        }
        if alias
            .asname
            .as_ref()
            .is_some_and(|other| other.as_str() != self.name)
        {
            let place = self.place(alias);
            self.unclear
                .get_or_insert(format!("it is imported under another name in {place}"));
        }
        self.add(Kind::Import {
            by_package: self.file.is_package,
        });
    }

    fn name_or_attribute(&mut self, node: AnyNodeRef<'a>) {
        let Some(expr) = node.as_expr_ref() else {
            return;
        };
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let meant = self.file.semantics.definitions_named(expr);
        let is_unclear = match meant.as_slice() {
            [one] if *one == self.of => false,
            // One of several, or what anything with such a method may be.
            several if several.contains(&self.of) => true,
            [_, ..] => {
                let is_protocol = |one: &Definition<'db>| self.file.semantics.is_in_protocol(*one);
                if !meant.iter().any(is_protocol) {
                    return;
                }
                true
            }
            [] => match expr {
                ast::ExprRef::Attribute(attribute) if self.may_be_method(attribute) => true,
                // Nothing in the file binds it: it comes from a star import.
                ast::ExprRef::Name(name)
                    if self
                        .file
                        .semantics
                        .bindings(name)
                        .is_none_or(|all| all.is_empty()) =>
                {
                    true
                }
                _ => return,
            },
        };
        if is_unclear {
            let place = self.place(node);
            self.unclear.get_or_insert(format!(
                "can't tell whether `{}` in {place} is this function",
                self.file.first_line(node)
            ));
            return;
        }
        let call = match site.parent() {
            Some(AnyNodeRef::ExprCall(call)) if call.func.range() == node.range() => call,
            _ => {
                let place = self.place(node);
                let caller = self.caller(&site);
                self.add(Kind::Value { place, caller });
                return;
            }
        };
        let Some(outer) = site.outer() else {
            return;
        };
        let kind = self.call(call, &outer);
        self.add(Kind::Call(kind));
    }

    /// Who calls the function where it is an argument.
    fn caller(&self, site: &Site<'_, 'a>) -> Option<Caller> {
        let semantics = &self.file.semantics;
        let around = site.outer()?;
        let call = match around.node {
            AnyNodeRef::Keyword(_) => around.outer()?.parent()?,
            AnyNodeRef::Arguments(_) => around.parent()?,
            _ => return None,
        };
        let AnyNodeRef::ExprCall(call) = call else {
            return None;
        };
        if let Some(known) = caller_of_argument(semantics, &call.func) {
            return Some(known);
        }
        let argument = Argument::of(call, |argument| argument.range() == site.node.range())?;
        let signature = Signature::of(semantics, &call.func, call.arguments.args.len())?;
        let takes = signature.takes_awaitable(semantics.db(), argument);
        (takes == Some(true)).then_some(Caller::Awaits)
    }

    /// Whether an attribute of which nothing is known may be the method that is asked about.
    fn may_be_method(&self, attribute: &ast::ExprAttribute) -> bool {
        let semantics = &self.file.semantics;
        // What is imported is a module or a class, and no instance of one; nor is a text.
        semantics.is_in_class(self.of)
            && semantics.qualified_name(&attribute.value).is_none()
            && semantics.class_of(&attribute.value) != ClassOf::Other
    }

    fn call(&self, call: &'a ast::ExprCall, site: &Site<'_, 'a>) -> Call<'db> {
        let file = self.file;
        let surroundings = file.surroundings(site);
        let around = match surroundings.owner {
            Owner::Function(function) if function.is_async => Around::Coroutine,
            Owner::Function(function) => match file.semantics.definition_of(function) {
                Some(definition) => Around::Plain(definition, function.name.to_string()),
                None => Around::Lambda,
            },
            Owner::Lambda(_) => Around::Lambda,
            Owner::Module if file.awaits_at_top_level() => Around::Coroutine,
            Owner::Module => {
                let is_guarded = site.enclosing_in_function().any(|(node, child)| {
                    matches!(node, AnyNodeRef::StmtIf(statement) if is_main_guard(statement, child))
                });
                if is_guarded || !file.is_imported() {
                    Around::Script
                } else {
                    Around::Module
                }
            }
        };
        let obstacle = surroundings.obstacle.map(Obstacle::reason);
        let held = locks::allow_await(file, site, surroundings.owner);
        // It runs when somebody asks for more, and then as what it is: no asynchronous one.
        let is_lazy = matches!(
            site.outer().and_then(|site| site.parent()),
            Some(AnyNodeRef::ExprGenerator(_))
        );
        let looped = match site.parent() {
            _ if is_lazy => None,
            Some(AnyNodeRef::StmtFor(statement)) if statement.iter.range() == call.range() => {
                Some((statement.start(), statement.is_async))
            }
            Some(AnyNodeRef::Comprehension(clause)) if clause.iter.range() == call.range() => {
                Some((clause.start(), clause.is_async))
            }
            _ => None,
        };
        let used = match looped {
            Some((_, true)) => Use::AsyncLoop,
            Some((at, false)) => Use::Loop(Edit::insertion("async ".to_owned(), at)),
            None if is_lazy => Use::Value,
            None => use_of(file, site, surroundings.owner, ALIASES),
        };
        Call {
            range: call.range(),
            obstacle: obstacle.map(str::to_owned).or(held.as_ref().err().cloned()),
            doubt: held.ok().flatten(),
            around,
            repeats: repeats(site),
            used,
            awaits: file.await_edits(site, TextRange::empty(call.start()), ""),
            runs: run_edits(file, call.range(), call.start(), &call.func),
        }
    }
}

/// The edits, and the import, that write `asyncio.run(…)` over `before` and behind `range`. `head` is an
/// expression of the scope.
pub(super) fn run_edits(
    file: &File<'_, '_>,
    range: TextRange,
    before: TextSize,
    head: &Expr,
) -> Result<(Vec<Edit>, Option<Edit>), String> {
    if !matches!(file.library(), Some(Library::Asyncio)) {
        return Err("this code uses another async library than asyncio".to_owned());
    }
    if file
        .comments
        .intersects(TextRange::new(range.start(), before))
    {
        return Err("the fix would remove a comment".to_owned());
    }
    let scope = file
        .semantics
        .scope_of(head)
        .ok_or("the scope of the call can't be found")?;
    let imported = imports::import(file, "asyncio", "run", scope, range.start())?;
    let open = Edit::range_replacement(
        format!("{}(", imported.expression),
        TextRange::new(range.start(), before),
    );
    let close = Edit::insertion(")".to_owned(), range.end());
    Ok((vec![open, close], imported.edit))
}
