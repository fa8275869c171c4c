//! A module's interface: what its importers can depend on. It is all of the code except the bodies of ordinary
//! functions; a body counts as well where it has an effect outside (see `shows_itself`). The cache compares interfaces,
//! so that a change inside of a function does not invalidate what is known of other files.

use std::hash::{Hash, Hasher};
use std::path::Path;

use ruff_python_ast::token::Token;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext};
use ruff_python_parser::Parsed;
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use serde::{Deserialize, Serialize};

use crate::facts::imports::{Import, for_each_import};
use crate::facts::key::{Key, name_key};
use crate::facts::name::Name;
use crate::facts::value_flow::Place;

/// What stands between the components of a module's name here, in the place of a dot.
const SEPARATOR: &str = "/";

/// What a file imports, and hashes of what its importers can depend on.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// A hash of the whole interface: the tokens that are outside of hidden bodies, without comments and white space.
    pub digest: u64,
    /// The modules that it may import, sorted, each once, with `/` between the components: a suffix of [`module_path()`]
    /// of the imported file. `from a import b` counts as `a/b`, because `b` may be a module. Relative imports are
    /// resolved, and so start with the folders of the file's path.
    pub imports: Vec<Name>,
    /// The names that its top-level statements bind, each with a hash of these statements, sorted.
    pub names: Vec<(Key, u32)>,
    /// A hash of the statements that may change the meaning of any name: calls, star imports, attributes that are set.
    pub rest: u32,
    /// What the file says, bodies and comments included.
    pub parts: Parts,
}

/// The text of a file in parts: that of each function or class at its top, and all other statements. To each belongs
/// what stands between the statement before and its own end, and where it stands: findings elsewhere name lines, and
/// their fixes have offsets. Comments behind the last statement belong to none.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The names of the functions and classes, each with a hash, sorted.
    named: Vec<(Key, u32)>,
    /// A hash of the other statements, and of what comments behind the last one say to programs.
    others: u32,
}

/// What stands for the statements at the top of a file that are no function or class, beside the names of these.
pub const OTHERS: Key = 0;

/// The name of the function or class that a statement at the top of a file defines.
pub fn part(statement: &ast::Stmt) -> Option<Key> {
    match statement {
        ast::Stmt::FunctionDef(function) => Some(name_key(&function.name)),
        ast::Stmt::ClassDef(class) => Some(name_key(&class.name)),
        _ => None,
    }
}

impl Parts {
    /// The parts of a module.
    fn of(module: &ast::ModModule, source: &str) -> Self {
        let mut others = FxHasher::default();
        let mut named: FxHashMap<Key, FxHasher> = FxHashMap::default();
        let mut start = 0;
        let mut line = 0;
        for statement in &module.body {
            let end = statement.end().to_usize();
            let text = source.get(start..end).unwrap_or_default();
            let hasher = match part(statement) {
                Some(name) => named.entry(name).or_default(),
                None => &mut others,
            };
            (start, line, text).hash(hasher);
            start = end;
            line += text.bytes().filter(|byte| *byte == b'\n').count();
        }
        let behind = source.get(start..).unwrap_or_default();
        let is_for_programs = |line: &&str| line.contains("asyncfix") || line.contains("noqa");
        behind
            .lines()
            .filter(is_for_programs)
            .for_each(|line| line.hash(&mut others));
        let named = named.into_iter();
        let mut named: Vec<_> = named.map(|(name, said)| (name, short(&said))).collect();
        named.sort_unstable();
        Self {
            named,
            others: short(&others),
        }
    }

    /// The names of functions and classes that say something else than in `before`, were added or are gone. `None` where
    /// any part may be another one.
    pub fn changed_since(&self, before: &Self) -> Option<FxHashSet<Key>> {
        let [own, others]: [FxHashSet<_>; 2] =
            [self, before].map(|one| one.named.iter().copied().collect());
        (self.others == before.others).then(|| {
            let changed = own.symmetric_difference(&others);
            changed.map(|(name, _)| *name).collect()
        })
    }
}

/// The identifiers, keywords and numbers of a text as [`Key`]s (hashes), in order and with repetitions, also those in
/// strings and comments.
pub fn words(text: &str) -> impl Iterator<Item = Key> {
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
    text.split(move |c: char| !is_part(c))
        .filter(|part| !part.is_empty())
        .map(name_key)
}

impl Interface {
    /// The interface of the module at `place`.
    pub fn of(parsed: &Parsed<ast::ModModule>, source: &str, place: &Place) -> Self {
        let module = parsed.syntax();
        let mut imports = Vec::new();
        for_each_import(&module.body, &mut |import| match import {
            Import::Module(names) => {
                let names = names.iter().map(|alias| alias.name.replace('.', SEPARATOR));
                imports.extend(names.map(Name::from));
            }
            Import::From(statement) => {
                let base = match statement.level {
                    0 => &[],
                    level => place.base(level),
                };
                let below = statement.module.as_deref().unwrap_or_default();
                let below = below.split('.').filter(|part| !part.is_empty());
                // The first component is the root of the file system (`/`).
                let base = base.iter().skip(1).map(String::as_str);
                let from: Vec<&str> = base.chain(below).collect();
                let from = from.join(SEPARATOR);
                // Each imported name may be a module.
                for alias in &statement.names {
                    imports.push(Name::concat(&[&from, SEPARATOR, &alias.name]));
                }
            }
        });
        imports.sort_unstable();
        imports.dedup();
        let mut all = FxHasher::default();
        let mut rest = FxHasher::default();
        let mut names: FxHashMap<Key, FxHasher> = FxHashMap::default();
        for_each_statement(parsed, |statement, tokens| {
            let mut own = FxHasher::default();
            for token in tokens {
                token.kind().hash(&mut own);
                source.get(token.range().to_std_range()).hash(&mut own);
            }
            let own = own.finish();
            own.hash(&mut all);
            let bound = Bound::by(statement);
            if bound.may_do_more {
                own.hash(&mut rest);
            }
            for name in bound.names {
                own.hash(names.entry(name).or_default());
            }
        });
        let names = names.into_iter();
        let mut names: Vec<_> = names.map(|(name, said)| (name, short(&said))).collect();
        names.sort_unstable();
        Self {
            digest: all.finish(),
            imports,
            names,
            rest: short(&rest),
            parts: Parts::of(module, source),
        }
    }

    /// The names that are bound by other statements than in the interface `before`, were added or are gone. `None`
    /// where any name may mean something else, because `rest` differs.
    pub fn changed_since(&self, before: &Self) -> Option<FxHashSet<Key>> {
        let [own, others]: [FxHashSet<_>; 2] =
            [self, before].map(|one| one.names.iter().copied().collect());
        (self.rest == before.rest).then(|| {
            own.symmetric_difference(&others)
                .map(|(name, _)| *name)
                .collect()
        })
    }
}

/// One top-level statement, as a dependency between names: the names that it binds may change their meaning when one of
/// the words in its visible code does. In `from base import load as fetch`, `fetch` depends on `load`.
pub struct Link {
    /// The names that the statement binds.
    pub names: Vec<Key>,
    /// The words in its visible code, sorted, each once.
    pub words: Vec<Key>,
}

impl Link {
    /// One link for each top-level statement of a module.
    pub fn all_of(parsed: &Parsed<ast::ModModule>, source: &str) -> Vec<Self> {
        let mut all = Vec::new();
        for_each_statement(parsed, |statement, tokens| {
            let texts = tokens.filter_map(|token| source.get(token.range().to_std_range()));
            let mut words: Vec<Key> = texts.flat_map(words).collect();
            words.sort_unstable();
            words.dedup();
            let names = Bound::by(statement).names;
            all.push(Self { names, words });
        });
        all
    }
}

/// The lower 32 bits of a hash.
fn short(hasher: &FxHasher) -> u32 {
    #[expect(clippy::cast_possible_truncation)]
    let number = hasher.finish() as u32;
    number
}

/// Calls `each` with every top-level statement of a module, and with those of its tokens that are part of the
/// interface.
fn for_each_statement<'p>(
    parsed: &'p Parsed<ast::ModModule>,
    mut each: impl FnMut(&'p ast::Stmt, &mut dyn Iterator<Item = &'p Token>),
) {
    let body = &parsed.syntax().body;
    let mut bodies = Bodies::default();
    bodies.visit_body(body);
    let mut hidden = bodies.hidden.into_iter().peekable();
    let mut tokens = parsed.tokens().iter().peekable();
    for statement in body {
        while tokens
            .next_if(|token| token.start() < statement.start())
            .is_some()
        {}
        let mut own = std::iter::from_fn(|| {
            loop {
                let token = tokens.next_if(|token| token.start() < statement.end())?;
                while hidden.next_if(|body| body.end() <= token.start()).is_some() {}
                let is_hidden = hidden
                    .peek()
                    .is_some_and(|body| body.contains_range(token.range()));
                if !is_hidden && !token.kind().is_trivia() {
                    return Some(token);
                }
            }
        });
        each(statement, &mut own);
        own.for_each(drop);
    }
}

/// What a statement of a module binds.
#[derive(Default)]
struct Bound {
    names: Vec<Key>,
    /// Whether it may change the meaning of names that it does not bind.
    may_do_more: bool,
}

impl Bound {
    fn by(statement: &ast::Stmt) -> Self {
        let mut bound = Self::default();
        bound.visit_stmt(statement);
        bound.names.sort_unstable();
        bound.names.dedup();
        bound
    }

    fn bind(&mut self, name: &str) {
        // `__all__`, `__getattr__` and the like decide what the other names of the module are.
        self.may_do_more |= name.starts_with("__");
        self.names.push(name_key(name));
    }

    /// Adds the names that functions in a body declare `global`: these bind names of the module.
    fn globals(&mut self, body: &[ast::Stmt]) {
        struct Globals<'b>(&'b mut Bound);
        impl<'a> SourceOrderVisitor<'a> for Globals<'_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                if let AnyNodeRef::StmtGlobal(statement) = node {
                    statement.names.iter().for_each(|name| self.0.bind(name));
                }
                if node.is_expression() {
                    TraversalSignal::Skip
                } else {
                    TraversalSignal::Traverse
                }
            }
        }
        Globals(self).visit_body(body);
    }
}

impl<'a> SourceOrderVisitor<'a> for Bound {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(function) => {
                self.bind(&function.name);
                self.globals(&function.body);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtClassDef(class) => {
                self.bind(&class.name);
                self.globals(&class.body);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::Alias(alias) => match &alias.asname {
                Some(name) => self.bind(name),
                None if alias.name.as_str() == "*" => self.may_do_more = true,
                None => self.bind(alias.name.split('.').next().unwrap_or_default()),
            },
            AnyNodeRef::ExprName(name) if name.ctx != ExprContext::Load => {
                self.may_do_more |= name.ctx == ExprContext::Del;
                self.bind(&name.id);
            }
            AnyNodeRef::ExprAttribute(ast::ExprAttribute { ctx, .. })
            | AnyNodeRef::ExprSubscript(ast::ExprSubscript { ctx, .. }) => {
                self.may_do_more |= *ctx != ExprContext::Load;
            }
            AnyNodeRef::StmtExpr(statement) => {
                self.may_do_more |= !statement.value.is_literal_expr();
            }
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                if let Some(name) = &handler.name {
                    self.bind(name);
                }
            }
            AnyNodeRef::PatternMatchAs(ast::PatternMatchAs { name, .. })
            | AnyNodeRef::PatternMatchStar(ast::PatternMatchStar { name, .. })
            | AnyNodeRef::PatternMatchMapping(ast::PatternMatchMapping { rest: name, .. }) => {
                if let Some(name) = name {
                    self.bind(name);
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// A file's path as a module name with `/` between the components, from the root of the file system: `/p/app/base.py`
/// is `p/app/base`, and `/p/app/__init__.py` is `p/app`. The name in an import is a suffix of it, because nothing is
/// known here of where imports start.
pub fn module_path(path: &Path) -> String {
    let place = Place::of(path);
    let components: Vec<&str> = place
        .components()
        .iter()
        .skip(1)
        .map(String::as_str)
        .collect();
    components.join(SEPARATOR)
}

/// Collects the bodies that are not part of the interface: those of functions for which [`shows_itself`] is false. That
/// is right because the type engine judges a call by what the function says that it returns, not by its body.
#[derive(Default)]
struct Bodies {
    /// In source order.
    hidden: Vec<TextRange>,
}

impl<'a> SourceOrderVisitor<'a> for Bodies {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(function) => {
                if !shows_itself(&function.body)
                    && let (Some(first), Some(last)) = (function.body.first(), function.body.last())
                {
                    let body = TextRange::new(first.start(), last.end());
                    self.hidden.push(body);
                }
                TraversalSignal::Skip
            }
            node if node.is_expression() => TraversalSignal::Skip,
            _ => TraversalSignal::Traverse,
        }
    }
}

/// Whether the body of a function matters outside of it: it binds outer names (`global`, `nonlocal`), sets attributes,
/// or makes the function a generator (`yield`).
fn shows_itself(body: &[ast::Stmt]) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::StmtGlobal(_)
                | AnyNodeRef::StmtNonlocal(_)
                | AnyNodeRef::ExprYield(_)
                | AnyNodeRef::ExprYieldFrom(_) => true,
                AnyNodeRef::ExprAttribute(attribute) => attribute.ctx != ExprContext::Load,
                // `setattr` sets an attribute as well.
                AnyNodeRef::ExprCall(call) => {
                    matches!(&*call.func, Expr::Name(name) if name.id == "setattr")
                }
                _ => false,
            };
            if self.0 {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Search(false);
    search.visit_body(body);
    search.0
}
