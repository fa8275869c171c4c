//! How something is run in a thread and awaited: the spelling of each library, and of each version.

use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::edit::aligned::realigned;
use crate::edit::imports::{self, Imported};
use crate::edit::submodules;
use crate::file::File;
use crate::finding::Rewrite;

/// What stands for the threads of the loop itself, before the function that runs there.
const NO_EXECUTOR: &str = "None, ";

/// The function that runs another one in a thread, as it is written at one place.
pub struct Runner {
    /// Up to where the function to run is named.
    head: String,
    /// How `functools.partial` is written, where keyword arguments need it.
    partial: Option<String>,
    /// What it is called in the title of a fix.
    name: String,
    /// The imports to add.
    imports: Vec<Edit>,
}

impl Runner {
    /// The spelling for `library` at `at`. `with_keywords` where the function to run takes keyword
    /// arguments, which only `asyncio.to_thread` hands on.
    ///
    /// `Err` with the reason where a name it needs means something else there.
    pub fn of(
        file: &File<'_, '_>,
        library: Library,
        scope: FileScopeId,
        at: TextSize,
        with_keywords: bool,
    ) -> Result<Self, String> {
        let import = |module: &str, member: &str| imports::import(file, module, member, scope, at);
        let hands_on_keywords;
        let (imported, head) = match library {
            Library::Anyio | Library::Trio => {
                hands_on_keywords = false;
                let package = library.module().unwrap_or_default();
                // trio exports it.
                let imported = match library {
                    Library::Trio => import(package, "to_thread"),
                    _ => submodules::import(file, package, "to_thread", scope, at),
                }?;
                let head = format!("{}.run_sync(", imported.expression);
                (imported, head)
            }
            // New in Python 3.9.
            _ if file.targets(PythonVersion::PY39) => {
                hands_on_keywords = true;
                let imported = import("asyncio", "to_thread")?;
                let head = format!("{}(", imported.expression);
                (imported, head)
            }
            _ => {
                hands_on_keywords = false;
                let imported = import("asyncio", "get_running_loop")?;
                let head = format!("{}().run_in_executor({NO_EXECUTOR}", imported.expression);
                (imported, head)
            }
        };
        let partial = (with_keywords && !hands_on_keywords)
            .then(|| import("functools", "partial"))
            .transpose()?;
        let name = head.split_once('(').map_or(head.as_str(), |(name, _)| name);
        let name = match library {
            Library::Asyncio | Library::Other if head.ends_with(' ') => {
                format!("{name}().run_in_executor")
            }
            _ => name.to_owned(),
        };
        let mut imports: Vec<Edit> = imported.edit.into_iter().collect();
        let partial = partial.map(|Imported { expression, edit }| {
            imports.extend(edit);
            expression
        });
        Ok(Self {
            head,
            partial,
            name,
            imports,
        })
    }

    /// Whether keyword arguments are handed on by `functools.partial`.
    pub fn uses_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// What is written before the function to run, behind `await `.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The same with the function to run, and what stands behind it.
    pub fn headed(&self, text: &str) -> String {
        match self.head.strip_suffix(NO_EXECUTOR) {
            // It gets a line, too, where each argument has one.
            Some(short) if text.starts_with(['\n', '\r']) => {
                let gap = &text[..text.len() - text.trim_start().len()];
                format!("{short}{gap}{}{text}", NO_EXECUTOR.trim_end())
            }
            _ => format!("{}{text}", self.head),
        }
    }

    /// The edits that turn `callee(…)` at `site` into a call of it in a thread. The arguments keep
    /// their bytes.
    pub fn call_edits<'a>(
        &self,
        file: &File<'a, '_>,
        site: &Site<'_, 'a>,
        call: &ast::ExprCall,
        callee: TextRange,
    ) -> Result<Vec<Edit>, String> {
        let (text, replaced) = with_callee(file, call, callee)?;
        let (head, tail) = match &self.partial {
            Some(partial) => (format!("{}{partial}({text}", self.head), ")".to_owned()),
            None => (self.headed(&text), String::new()),
        };
        let replaced = TextRange::new(call.start(), replaced);
        let mut edits = file.await_edits(site, replaced, &head);
        if !tail.is_empty() {
            edits.insert(1, Edit::insertion(tail, call.end()));
        }
        let written = edits.first().and_then(Edit::content).unwrap_or_default();
        if let Some(before) = written.strip_suffix(&text) {
            let moved = with_aligned(file, call, before);
            edits.splice(1..1, moved);
        }
        Ok(edits)
    }

    /// The safe rewrite that these edits are.
    pub fn rewrite(self, edits: Vec<Edit>) -> Rewrite {
        Rewrite::safe(
            format!("Run it in a thread: `await {}(…)`", self.name),
            edits,
        )
        .with_shared(self.imports)
    }
}

/// The edits that move the lines of a call that were aligned with its first argument, where `before` is written between
/// the start of the call and what they are to be aligned with.
fn with_aligned(file: &File<'_, '_>, call: &ast::ExprCall, before: &str) -> Vec<Edit> {
    let source = file.source;
    let opening = call.arguments.start();
    let callee = &source[TextRange::new(call.start(), opening)];
    if callee.contains(['\n', '\r']) {
        return Vec::new();
    }
    let columns = |text: &str| isize::try_from(text.chars().count()).unwrap_or_default();
    let by = columns(before) - columns(callee) - 1;
    realigned(file, TextRange::new(opening, call.end()), by)
}

/// The callee of a call, to be written among its arguments before the first one, and up to where that takes the place
/// of what stands there.
pub fn with_callee(
    file: &File<'_, '_>,
    call: &ast::ExprCall,
    callee: TextRange,
) -> Result<(String, TextSize), String> {
    let is_bare_generator = matches!(
        (&*call.arguments.args, &*call.arguments.keywords),
        ([Expr::Generator(generator)], []) if !generator.parenthesized
    );
    if is_bare_generator {
        return Err("the generator argument would run in the thread".to_owned());
    }
    let inside = TextRange::new(
        call.arguments.start() + TextSize::from(1),
        call.arguments.end() - TextSize::from(1),
    );
    let text = file.text(inside);
    let gap = &text[..text.len() - text.trim_start().len()];
    let mut written = file.text(callee).trim_end().to_owned();
    let mut replaced = inside.start();
    if call.arguments.is_empty() {
        if gap.len() == text.len() {
            replaced = inside.end();
        } else {
            written.push(',');
        }
    } else if gap.contains(['\n', '\r']) {
        // One argument a line: the function gets one too.
        written = format!("{gap}{written},{gap}");
        replaced += TextSize::of(gap);
    } else {
        written.push(',');
        if gap.is_empty() {
            written.push(' ');
        }
    }
    Ok((written, replaced))
}

/// Why an expression cannot become the body of a lambda.
pub fn keeps_out_of_lambda(call: &ast::ExprCall) -> Option<&'static str> {
    struct Search(Option<&'static str>);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::ExprAwait(_) | AnyNodeRef::ExprYield(_) => {
                    self.0 = Some("an argument contains `await` or `yield`");
                }
                AnyNodeRef::ExprYieldFrom(_) => self.0 = Some("an argument contains `yield`"),
                AnyNodeRef::Comprehension(inner) if inner.is_async => {
                    self.0 = Some("an argument contains `await` or `yield`");
                }
                AnyNodeRef::ExprNamed(_) => {
                    self.0 = Some(
                        "an argument assigns a name (`:=`), which would be lost in the thread",
                    );
                }
                AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(None);
    search.visit_expr(&call.func);
    search.visit_arguments(&call.arguments);
    search.0
}
