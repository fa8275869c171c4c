//! What names could mean, judged by the tree alone.
//!
//! The cheap question before the exact one: a call that is not spelled like a function, in a file
//! that makes no other name stand for it, cannot be a call of that function. Only what passes here
//! is worth indexing a file for. Nothing is ever decided to be something by its spelling.

use std::cell::{Cell, OnceCell};

use asyncfix_knowledge::blocking::Table;
use asyncfix_syntax::queries::{last_name, tests_for_main};
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, ExprContext, ModModule, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::facts::imports::import_source;
use crate::facts::loop_runners::loop_runners;
use crate::limits::{Limit, NAMES};
use crate::settings::Settings;

/// What the names of a file may stand for, as far as imports and plain assignments tell, in any scope.
#[derive(Default)]
pub struct Spellings {
    /// Nearly always, that is one thing.
    bound: FxHashMap<Name, SmallVec<[Bound; 1]>>,
    /// The modules that something is imported from, by the numbers of the imports.
    modules: Vec<String>,
    /// The top-level packages that something is imported from.
    packages: FxHashSet<Name>,
    /// The modules that everything is imported from.
    stars: Vec<String>,
    awaits_at_top: bool,
}

/// What the tree of a file alone tells codemods that look for candidates in it.
pub struct Hints<'s> {
    /// What the names of the file may stand for.
    pub spellings: &'s Spellings,
    /// The calls that block, where the configuration has its say.
    pub(crate) blocking: &'s Table,
    /// The callee that was asked about last, and whether the table has one of its names.
    asked: Cell<Option<(TextRange, bool)>>,
    /// The names of the functions that may run a loop, once somebody has asked.
    loop_runners: OnceCell<FxHashSet<Name>>,
}

impl<'s> Hints<'s> {
    /// The hints of a file with these names, for codemods with these settings.
    pub fn new(spellings: &'s Spellings, settings: &'s Settings) -> Self {
        Self {
            spellings,
            blocking: &settings.blocking,
            asked: Cell::new(None),
            loop_runners: OnceCell::new(),
        }
    }

    /// Whether a plain function of this name may run an event loop. `module` is the file that the hints are of.
    pub fn may_run_loop(&self, module: &ModModule, name: &str) -> bool {
        let names = self.loop_runners.get_or_init(|| loop_runners(&module.body));
        names.contains(name)
    }

    /// Whether the table of blocking calls has something with a name of `callee`. All its rules ask that
    /// about a call, one behind the other.
    pub(crate) fn may_block(&self, callee: &Expr) -> bool {
        match self.asked.get() {
            Some((range, known)) if range == callee.range() => known,
            _ => {
                let mut names = self.spellings.last_names(callee);
                let known = names.any(|name| self.blocking.knows(name));
                self.asked.set(Some((callee.range(), known)));
                known
            }
        }
    }
}

/// What a name is bound to.
enum Bound {
    /// A module, as a dotted path.
    Module(Name),
    /// What has this name in the module with this number.
    Member(usize, Name),
    /// Another name, or attributes of one.
    Value(String),
}

impl Bound {
    fn last_name(&self) -> &str {
        match self {
            Self::Module(path) | Self::Member(_, path) => last_component(path),
            Self::Value(path) => last_component(path),
        }
    }
}

impl Spellings {
    /// Collects the names of a module.
    pub fn of(module: &ModModule) -> Self {
        let mut spellings = Self {
            awaits_at_top: awaits_at_top(module),
            ..Self::default()
        };
        spellings.visit_body(&module.body);
        spellings
    }

    /// Whether the module awaits at its top level, as a notebook does.
    pub fn await_at_top(&self) -> bool {
        self.awaits_at_top
    }

    /// Whether the file imports this top-level package, or something from it.
    pub fn import(&self, package: &str) -> bool {
        self.packages.contains(package)
    }

    /// Whether no import or assignment binds a name: in code that forgets to import it, it may be a module's.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        !self.bound.contains_key(name)
    }

    /// The last name of `expr` and, where it is a plain name, those of what that may have been made to stand
    /// for.
    pub fn last_names<'n>(&'n self, expr: &'n Expr) -> impl Iterator<Item = &'n str> {
        let sources = match expr {
            Expr::Name(name) => self.sources(&name.id),
            _ => Vec::new(),
        };
        last_name(expr).into_iter().chain(sources)
    }

    /// The last names of what `name` may have been made to stand for, through several steps.
    fn sources<'n>(&'n self, name: &'n str) -> Vec<&'n str> {
        let mut found = Vec::new();
        let mut next = Some(name);
        let mut at = 0;
        while let Some(known) = next {
            for bound in self.bound.get(known).into_iter().flatten() {
                let source = bound.last_name();
                if source != name && !found.contains(&source) {
                    found.push(source);
                }
            }
            next = found.get(at).copied();
            at += 1;
        }
        found
    }

    /// Whether `expr` could stand for one of `paths`, each a dotted path such as `asyncio.gather`.
    pub fn allow(&self, expr: &Expr, paths: &[&str]) -> bool {
        paths.iter().any(|path| self.allows(expr, path))
    }

    fn allows(&self, expr: &Expr, path: &str) -> bool {
        match expr {
            Expr::Name(name) => self.allows_name(&name.id, path, NAMES),
            Expr::Attribute(attribute) => above(path, &attribute.attr)
                .is_some_and(|above| self.allows(&attribute.value, above)),
            Expr::Named(named) => self.allows(&named.value, path),
            _ => false,
        }
    }

    fn allows_name(&self, name: &str, path: &str, depth: Limit) -> bool {
        let mut bound = self.bound.get(name).into_iter().flatten();
        if path == name && self.lacks(name) {
            return true;
        }
        above(path, name).is_some_and(|module| {
            module == "builtins" || self.stars.iter().any(|star| star == module)
        }) || bound.any(|bound| match bound {
            Bound::Module(module) => module == path,
            Bound::Member(module, member) => above(path, member).is_some_and(|above| {
                self.modules
                    .get(*module)
                    .is_some_and(|module| module == above)
            }),
            Bound::Value(value) => {
                let (root, attributes) = value.split_at(value.find('.').unwrap_or(value.len()));
                let rest = path.strip_suffix(attributes).zip(depth.less());
                rest.is_some_and(|(path, depth)| self.allows_name(root, path, depth))
            }
        })
    }

    fn bind(&mut self, name: Name, bound: Bound) {
        self.bound.entry(name).or_default().push(bound);
    }
}

/// The path of what has `last` as an attribute, where `path` is the path of that.
fn above<'p>(path: &'p str, last: &str) -> Option<&'p str> {
    path.strip_suffix(last)?.strip_suffix('.')
}

fn last_component(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A name and the attributes of it, as they are written. Attributes of anything else have nothing before
/// the first dot.
fn dotted(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => {
            let before = dotted(&attribute.value).unwrap_or_default();
            Some(format!("{before}.{}", attribute.attr))
        }
        _ => None,
    }
}

impl<'a> SourceOrderVisitor<'a> for Spellings {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtImport(import) => {
                for alias in &import.names {
                    let first = alias.name.split('.').next().unwrap_or_default();
                    let first = Name::new(first);
                    self.packages.insert(first.clone());
                    match &alias.asname {
                        Some(name) => {
                            self.bind(name.id.clone(), Bound::Module(alias.name.id.clone()));
                        }
                        None => self.bind(first.clone(), Bound::Module(first)),
                    }
                }
            }
            AnyNodeRef::StmtImportFrom(import) => {
                let module = import_source(import);
                if import.level == 0 {
                    let first = module.split('.').next().unwrap_or_default();
                    self.packages.insert(Name::new(first));
                }
                for alias in &import.names {
                    if alias.name.as_str() == "*" {
                        self.stars.push(module.clone());
                    } else {
                        let name = alias.asname.as_ref().unwrap_or(&alias.name);
                        let member = Bound::Member(self.modules.len(), alias.name.id.clone());
                        self.bind(name.id.clone(), member);
                    }
                }
                self.modules.push(module);
            }
            AnyNodeRef::StmtAssign(assign) => {
                let Some(value) = dotted(&assign.value) else {
                    return TraversalSignal::Skip;
                };
                for name in assign.targets.iter().filter_map(Expr::as_name_expr) {
                    self.bind(name.id.clone(), Bound::Value(value.clone()));
                }
            }
            _ => {}
        }
        if node.is_expression() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

/// Every name of a file, and which of them one binding in the whole file explains.
///
/// For those, the exact answer needs no index: a name that only one import at the module's top
/// level binds means that import wherever it is used.
#[derive(Default)]
pub struct Names {
    mentioned: FxHashSet<Name>,
    /// How many bindings a name has, in all scopes together.
    bindings: FxHashMap<Name, usize>,
    /// What the imports at the module's top level bind.
    imports: FxHashMap<Name, String>,
    functions: FxHashSet<Name>,
    has_star: bool,
}

/// What one binding in the whole file says about a name.
pub enum Explained<'n> {
    /// An import of this dotted path binds it.
    Import(&'n str),
    /// Nothing in the file binds it.
    Builtin,
}

impl Names {
    /// Collects the names of a module.
    pub fn of(module: &ModModule) -> Self {
        let mut names = Self::default();
        names.visit_body(&module.body);
        for statement in &module.body {
            match statement {
                Stmt::Import(import) => {
                    for alias in &import.names {
                        match &alias.asname {
                            Some(asname) => {
                                names
                                    .imports
                                    .insert(asname.id.clone(), alias.name.to_string());
                            }
                            // `import a.b` binds `a`, and more than `a` becomes reachable.
                            None if alias.name.contains('.') => {}
                            None => {
                                names
                                    .imports
                                    .insert(alias.name.id.clone(), alias.name.to_string());
                            }
                        }
                    }
                }
                Stmt::ImportFrom(import) => {
                    for alias in &import.names {
                        let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                        let path = format!("{}.{}", import_source(import), alias.name);
                        names.imports.insert(bound.id.clone(), path);
                    }
                }
                _ => {}
            }
        }
        names
    }

    /// What `name` means, where one binding explains it.
    pub(crate) fn explained(&self, name: &Name) -> Option<Explained<'_>> {
        match self.bindings.get(name) {
            _ if self.has_star => None,
            None => Some(Explained::Builtin),
            Some(1) => self.imports.get(name).map(|path| Explained::Import(path)),
            Some(_) => None,
        }
    }

    /// Whether `name` stands anywhere in the file as the name of something, attributes aside.
    pub(crate) fn mention(&self, name: &str) -> bool {
        self.mentioned.contains(name)
    }

    /// Whether a function or method of this name is defined in the file.
    pub(crate) fn define_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    fn bind(&mut self, name: &Name) {
        self.mentioned.insert(name.clone());
        *self.bindings.entry(name.clone()).or_default() += 1;
    }
}

impl<'a> SourceOrderVisitor<'a> for Names {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => {
                if name.ctx == ExprContext::Load {
                    self.mentioned.insert(name.id.clone());
                } else {
                    self.bind(&name.id);
                }
            }
            AnyNodeRef::Alias(alias) => {
                self.has_star |= alias.name.as_str() == "*";
                if let Some(name) = &alias.asname {
                    self.bind(&name.id);
                } else {
                    let first = alias.name.split('.').next().unwrap_or_default();
                    self.bind(&Name::new(first));
                }
            }
            AnyNodeRef::StmtFunctionDef(function) => {
                self.functions.insert(function.name.id.clone());
                self.bind(&function.name.id);
            }
            AnyNodeRef::StmtClassDef(class) => self.bind(&class.name.id),
            AnyNodeRef::Parameter(parameter) => self.bind(&parameter.name.id),
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                handler.name.iter().for_each(|name| self.bind(&name.id));
            }
            AnyNodeRef::PatternMatchAs(pattern) => {
                pattern.name.iter().for_each(|name| self.bind(&name.id));
            }
            AnyNodeRef::PatternMatchStar(pattern) => {
                pattern.name.iter().for_each(|name| self.bind(&name.id));
            }
            AnyNodeRef::PatternMatchMapping(pattern) => {
                pattern.rest.iter().for_each(|name| self.bind(&name.id));
            }
            AnyNodeRef::TypeParamTypeVar(parameter) => self.bind(&parameter.name.id),
            AnyNodeRef::TypeParamTypeVarTuple(parameter) => self.bind(&parameter.name.id),
            AnyNodeRef::TypeParamParamSpec(parameter) => self.bind(&parameter.name.id),
            AnyNodeRef::StmtGlobal(statement) => {
                statement.names.iter().for_each(|name| self.bind(&name.id));
            }
            AnyNodeRef::StmtNonlocal(statement) => {
                statement.names.iter().for_each(|name| self.bind(&name.id));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether a module awaits at its top level: a notebook, or a snippet for the asyncio REPL.
pub(crate) fn awaits_at_top(module: &ModModule) -> bool {
    let mut search = TopLevelAwait(false);
    search.visit_body(&module.body);
    search.0
}

struct TopLevelAwait(bool);

impl<'a> SourceOrderVisitor<'a> for TopLevelAwait {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.0 |= match node {
            AnyNodeRef::ExprAwait(_) => true,
            AnyNodeRef::StmtFor(statement) => statement.is_async,
            AnyNodeRef::StmtWith(statement) => statement.is_async,
            AnyNodeRef::Comprehension(comprehension) => comprehension.is_async,
            _ => false,
        };
        let own_scope = match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_)
            | AnyNodeRef::ExprGenerator(_) => true,
            // Whoever asks for that writes a script, which cannot await there.
            AnyNodeRef::StmtIf(statement) => tests_for_main(statement),
            _ => false,
        };
        if self.0 || own_scope {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}
