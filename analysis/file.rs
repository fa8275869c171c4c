//! A parsed and indexed file, and the project around it.

use std::cell::OnceCell;
use std::path::Path;

use asyncfix_knowledge::libraries::Library;
use asyncfix_knowledge::testing::RUNNERS;
use asyncfix_syntax::lines::indent_unit;
use asyncfix_syntax::queries::{self, is_test, last_name};
use asyncfix_syntax::site::{Owner, Site, Surroundings};
use ruff_db::parsed::ParsedModuleRef;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, PythonVersion, Stmt};
use ruff_python_codegen::Stylist;
use ruff_python_trivia::CommentRanges;
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};
use ty_python_core::ProgramFile;
use ty_python_semantic::Db;

use crate::answers::decorators::is_fixture;
use crate::answers::replaced::Replacements;
use crate::facts::imports::{Import, for_each_import};
use crate::facts::libraries;
use crate::facts::spelling::awaits_at_top;
use crate::facts::value_flow::Place;
use crate::index::asked::Asked;
use crate::limits::{PACKAGE_FOLDERS, TEST_FOLDERS};
use crate::resolve::semantics::Semantics;
use crate::settings::Settings;

/// How the path of a file ends that holds the cells of a notebook, one behind the other.
pub const NOTEBOOK_CODE: &str = ".ipynb.py";

/// What stands behind the cells of a notebook: a cell may await, and so the kernel has a running event loop, whether a
/// cell does or not.
pub const KERNEL: &str = "await _asyncfix_kernel_\n";

/// A parsed and indexed file, with the options that apply to it and the project around it.
pub struct ParsedFile<'a, 'db> {
    /// The text, as it is now.
    pub source: &'a str,
    /// The options for this file.
    pub settings: &'a Settings,
    /// What is known about the files beside it.
    pub project: Asked<'a>,
    /// The number of the file among those of the project.
    pub number: usize,
    /// The file's own style: indentation, quotes, line ending.
    pub stylist: Stylist<'a>,
    /// The comments, by range.
    pub comments: CommentRanges,
    /// Whether the file is a package's `__init__.py`, whose imports are its interface.
    pub is_package: bool,
    /// The meaning of names and values.
    pub semantics: Semantics<'db>,
    module: &'a ParsedModuleRef,
    library: OnceCell<Option<Library>>,
    awaits_at_top: OnceCell<bool>,
    in_package: OnceCell<bool>,
    replacements: OnceCell<Replacements>,
}

impl<'a, 'db> ParsedFile<'a, 'db> {
    /// Prepares `file` for questions. `module` and `source` must be of the same revision.
    pub fn new(
        db: &'db dyn Db,
        file: ProgramFile<'db>,
        module: &'a ParsedModuleRef,
        source: &'a str,
        settings: &'a Settings,
        project: Asked<'a>,
        number: usize,
    ) -> Self {
        let semantics = Semantics::new(db, file, module.clone());
        let is_package = semantics
            .path()
            .and_then(std::path::Path::file_name)
            .is_some_and(|name| name == "__init__.py");
        Self {
            source,
            settings,
            project,
            number,
            stylist: Stylist::from_tokens(module.tokens(), source),
            comments: CommentRanges::from(module.tokens()),
            is_package,
            semantics,
            module,
            library: OnceCell::new(),
            awaits_at_top: OnceCell::new(),
            in_package: OnceCell::new(),
            replacements: OnceCell::new(),
        }
    }

    /// What the file puts in the place of something else.
    pub(crate) fn replacements(&self) -> &Replacements {
        self.replacements
            .get_or_init(|| Replacements::of(&self.semantics))
    }

    /// The module's statements.
    pub fn body(&self) -> &'a [Stmt] {
        &self.module.syntax().body
    }

    /// The module's node.
    pub fn syntax(&self) -> &'a ast::ModModule {
        self.module.syntax()
    }

    /// The module's tokens, comments and line breaks included.
    pub fn tokens(&self) -> &'a ast::token::Tokens {
        self.module.tokens()
    }

    /// The text of a node.
    pub fn text(&self, node: impl Ranged) -> &'a str {
        &self.source[node.range()]
    }

    /// The first line of a node's text, for a message, with `…` where there are more.
    pub fn first_line(&self, node: impl Ranged) -> String {
        let text = self.text(node);
        match text.split_once(['\n', '\r']) {
            Some((first, _)) => format!("{}…", first.trim_end()),
            None => text.to_owned(),
        }
    }

    /// The line ending of the file, to end inserted lines with.
    pub fn newline(&self) -> &'static str {
        self.stylist.line_ending().as_str()
    }

    /// One step of the file's indentation.
    pub fn indent_unit(&self) -> &str {
        indent_unit(&self.stylist)
    }

    /// The white space before the first token of the line that `offset` is on.
    pub fn indentation_at(&self, offset: TextSize) -> &'a str {
        let line = &self.source[TextRange::new(self.source.line_start(offset), offset)];
        let indent = line.len() - line.trim_start_matches([' ', '\t', '\x0c']).len();
        &line[..indent]
    }

    /// Whether nothing but white space stands before `offset` on its line, and no backslash joins that line with the
    /// one before.
    pub fn starts_line(&self, offset: TextSize) -> bool {
        let start = self.source.line_start(offset);
        let before = &self.source[..start.to_usize()];
        let before = before.strip_suffix('\n').unwrap_or(before);
        let before = before.strip_suffix('\r').unwrap_or(before);
        let is_joined = before.ends_with('\\')
            && !self
                .tokens()
                .at_offset(before.text_len())
                .any(|token| token.kind() == TokenKind::Comment);
        self.source[TextRange::new(start, offset)]
            .trim_start_matches([' ', '\t', '\x0c'])
            .is_empty()
            && !is_joined
    }

    /// Whether a string literal stands in a part of the file.
    pub fn has_string(&self, range: TextRange) -> bool {
        self.tokens().in_range(range).iter().any(|token| {
            matches!(
                token.kind(),
                TokenKind::String | TokenKind::FStringMiddle | TokenKind::TStringMiddle
            )
        })
    }

    /// Where the file stands among the modules.
    pub fn place(&self) -> Place {
        self.semantics.path().map(Place::of).unwrap_or_default()
    }

    /// Whether the target version is `version` or newer.
    pub fn targets(&self, version: PythonVersion) -> bool {
        self.settings.target_version >= version
    }

    /// What a node is part of.
    pub fn surroundings(&self, site: &Site<'_, 'a>) -> Surroundings<'a> {
        site.surroundings(self.targets(PythonVersion::PY311))
    }

    /// Whether code owned by `owner` runs on an event loop: an `async def`, or the top level of a
    /// module that awaits there (a notebook, a snippet for the asyncio REPL).
    pub fn is_async(&self, owner: Owner<'_>) -> bool {
        match owner {
            Owner::Function(function) => function.is_async,
            Owner::Lambda(_) => false,
            Owner::Module => self.awaits_at_top_level(),
        }
    }

    /// Whether the module awaits at its top level.
    pub fn awaits_at_top_level(&self) -> bool {
        *self
            .awaits_at_top
            .get_or_init(|| awaits_at_top(self.syntax()))
    }

    /// Whether the file holds cells that run in an event loop: by its path ([`NOTEBOOK_CODE`]), or a script in cells
    /// (`# %%`, as Jupytext, VS Code and Spyder read it) that awaits outside of functions.
    pub fn is_notebook(&self) -> bool {
        if self.awaits_at_top_level() && self.has_cells() {
            return true;
        }
        let name = self
            .semantics
            .path()
            .and_then(|path| path.file_name()?.to_str().map(str::to_owned));
        name.is_some_and(|name| name.ends_with(NOTEBOOK_CODE))
    }

    /// Whether something may run on an event loop beside code of `owner`, and be kept waiting: not at the top level of a
    /// notebook of which no cell knows anything asynchronous.
    pub fn has_company(&self, owner: Owner<'_>) -> bool {
        let cells = match owner {
            Owner::Module => self.source.strip_suffix(KERNEL),
            Owner::Function(_) | Owner::Lambda(_) => None,
        };
        cells.is_none_or(|cells| {
            self.tokens().iter().any(|token| {
                matches!(token.kind(), TokenKind::Await | TokenKind::Async)
                    && token.start() < cells.text_len()
            })
        })
    }

    fn has_cells(&self) -> bool {
        let mut comments = self.comments.iter();
        comments.any(|comment| {
            let text = &self.source[*comment];
            text.starts_with("# %%") && self.starts_line(comment.start())
        })
    }

    /// Whether the file is a module of a package, and no script: an `__init__.py` stands beside it, or in one of the
    /// folders right above, and it starts no program itself.
    ///
    /// The name of its module does not tell: it depends on the folder from which one looks.
    pub fn is_in_package(&self) -> bool {
        *self.in_package.get_or_init(|| {
            let is_package = |folder: &Path| {
                let path = folder.join("__init__.py");
                self.semantics.beside(&path).is_some()
            };
            // A folder of a package needs no `__init__.py` of its own.
            let is_below_package = || {
                let mut folders = self.semantics.path()?.ancestors().skip(1);
                Some(
                    folders
                        .by_ref()
                        .take(PACKAGE_FOLDERS.count())
                        .any(is_package),
                )
            };
            // A module that others import is no script, although it may run something of its own.
            (self.is_package || is_below_package() == Some(true))
                && (!self.starts_program() || self.is_imported())
        })
    }

    /// Whether the file is a program of its own, wherever it lies: its top level runs an event loop, or
    /// asks whether it is what was started.
    pub fn starts_program(&self) -> bool {
        struct Starts<'f, 'a, 'db> {
            file: &'f ParsedFile<'a, 'db>,
            found: bool,
        }
        impl<'a> SourceOrderVisitor<'a> for Starts<'_, '_, '_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                self.found |= match node {
                    AnyNodeRef::StmtIf(statement) => queries::tests_for_main(statement),
                    AnyNodeRef::ExprCall(call) => match last_name(&call.func) {
                        Some("run") => self.file.semantics.means(&call.func, &["asyncio.run"]),
                        Some("run_until_complete" | "run_forever") => true,
                        _ => false,
                    },
                    _ => false,
                };
                match node {
                    AnyNodeRef::StmtFunctionDef(_)
                    | AnyNodeRef::StmtClassDef(_)
                    | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
                    _ if self.found => TraversalSignal::Skip,
                    _ => TraversalSignal::Traverse,
                }
            }
        }
        let mut search = Starts {
            file: self,
            found: self.awaits_at_top_level(),
        };
        search.visit_body(self.body());
        search.found
    }

    /// Whether code is that of a test, or stands in a file of tests.
    pub fn is_test_code(&self, owner: Owner<'_>) -> bool {
        matches!(owner, Owner::Function(function) if self.is_test_function(function))
            || match self.semantics.module_name() {
                Some(module) => module.split('.').any(is_test),
                None => self.semantics.path().is_some_and(|path| {
                    let stem = path.file_stem().and_then(|stem| stem.to_str());
                    let mut folders = path.iter().rev().skip(1).take(TEST_FOLDERS.count());
                    stem.is_some_and(is_test)
                        || folders.any(|folder| folder == "tests" || folder == "test")
                }),
            }
    }

    /// Whether a runner of tests would take a function for one, or for a fixture: by its name and by what stands around it.
    /// Programs have functions and methods such as `test_connection` as well.
    fn is_test_function(&self, function: &ast::StmtFunctionDef) -> bool {
        let is_named_so = function.name.starts_with("test_") || function.name.as_str() == "test";
        if !(is_named_so || is_fixture(function)) {
            return false;
        }
        // Their plugins, too: `pytest_asyncio`.
        let is_of_runner = |module: &str| {
            let name = module.split(['.', '_']).next().unwrap_or_default();
            RUNNERS.contains(&name)
        };
        let mut imports_runner = false;
        for_each_import(self.body(), &mut |import| {
            imports_runner |= match import {
                Import::Module(names) => names.iter().any(|alias| is_of_runner(&alias.name)),
                Import::From(import) => import.module.as_deref().is_some_and(is_of_runner),
            };
        });
        let is_of_tests = |class: &ast::StmtClassDef| {
            let names = class.bases().iter().filter_map(last_name);
            names
                .chain([class.name.as_str()])
                .any(|name| name.starts_with("Test") || name.ends_with("TestCase"))
        };
        let asserts = || {
            let tokens = self.tokens().in_range(function.range());
            tokens.iter().any(|token| token.kind() == TokenKind::Assert)
        };
        (imports_runner || asserts())
            && self.class_at_top(function).is_none_or(|class| {
                is_of_tests(class) || imports_runner && !class.bases().is_empty()
            })
    }

    /// The class at the top level of the file that the function stands in.
    pub fn class_at_top(&self, function: &ast::StmtFunctionDef) -> Option<&'a ast::StmtClassDef> {
        let mut classes = self.body().iter().filter_map(Stmt::as_class_def_stmt);
        classes.find(|class| class.range().contains_range(function.range()))
    }

    /// Whether another file of the project may import this module. Modules are told apart by their
    /// last names, so that none is missed.
    pub fn is_imported(&self) -> bool {
        let module = self.last_name_of_module();
        module.is_none_or(|module| self.project.imports_module(&module))
    }

    /// The last part of the name that others import this module by. A text that is not on disk, and what no search path
    /// leads to, has the name that its path says.
    pub fn last_name_of_module(&self) -> Option<String> {
        let known = self.semantics.module_name();
        let last = |module: String| module.rsplit('.').next().map(str::to_owned);
        known.and_then(last).or_else(|| {
            let path = self.semantics.path()?;
            let stem = path.file_stem()?.to_str()?;
            let name = match stem {
                "__init__" => path.parent()?.file_name()?.to_str()?,
                stem => stem,
            };
            Some(name.to_owned())
        })
    }

    /// Whether another file may use the variable `name` of this module.
    pub fn is_imported_name(&self, name: &str) -> bool {
        self.last_name_of_module().is_none_or(|module| {
            self.project.imports_from(&module, name)
                || self.project.imports_from(&module, "*")
                || self.project.imports_whole(&module)
        })
    }

    /// The library whose event loop runs this file's coroutines: from the file's own imports, else
    /// from those of the files that import it, else from the project's. `None` where they disagree, or the project runs
    /// under several.
    pub fn library(&self) -> Option<Library> {
        *self.library.get_or_init(|| {
            let of_importers = || {
                let module = self.last_name_of_module()?;
                self.project.library_of_importers(&module)
            };
            let own = libraries::of_module(self.syntax(), self.source);
            if own.is_some() || self.project.runs_under_several() {
                return own;
            }
            of_importers().or_else(|| self.project.library())
        })
    }

    /// The library whose functions are written into this file: the one that runs it, or anyio where the file imports
    /// that as well.
    pub fn library_to_write(&self) -> Option<Library> {
        libraries::to_write(self.syntax(), self.source).or_else(|| self.library())
    }
}
