//! What the files that import a module can see of it: whatever stands outside of the bodies of its functions, and the
//! bodies that say something about what is outside of them.

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

/// What stands between the components of an imported module's name.
const SEPARATOR: &str = "/";

/// What a file imports, and what it shows to those that import it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// A number for what it shows. Two files with the same number show the same.
    pub digest: u64,
    /// The modules that it may import, each once: the components of their names with `/` between them, as
    /// [`module_path`] has them at the end. Those of relative imports start with the folders.
    pub imports: Vec<Name>,
    /// The names that it binds, each with a number for the statements that do so, sorted.
    pub names: Vec<(Key, u32)>,
    /// A number for the statements that may change something else: calls, star imports, attributes that are set.
    pub rest: u32,
}

/// The [`Key`]s of the words of a text, as often as they stand there.
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
                // Without the root of all paths.
                let base = base.iter().skip(1).map(String::as_str);
                let from: Vec<&str> = base.chain(below).collect();
                let from = from.join(SEPARATOR);
                // What is imported may be a module.
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
        }
    }

    /// The names of which something else is said than before. `None` where anything may mean something else.
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

/// The names that a statement of a module binds, and the words that stand in what it shows of itself: what these mean,
/// those may depend on.
pub struct Link {
    /// The names.
    pub names: Vec<Key>,
    /// The words, sorted, each once.
    pub words: Vec<Key>,
}

impl Link {
    /// What the names of a module may depend on.
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

fn short(hasher: &FxHasher) -> u32 {
    #[expect(clippy::cast_possible_truncation)]
    let number = hasher.finish() as u32;
    number
}

/// Calls `each` with the statements of a module, and with the tokens of each that can be seen from outside.
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
    /// Whether it may change what other names mean.
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
        // These say how the module itself is looked at.
        self.may_do_more |= name.starts_with("__");
        self.names.push(name_key(name));
    }

    /// Binds the names of the module that the functions in a body bind.
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

/// The components of the path that a module is imported by, at its longest, with `/` between them: without the ending,
/// and of a package that of its folder.
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

/// The bodies that nobody sees from outside: those of functions which keep nothing in an object, bind no name of the module
/// and make no generator of the function. The type engine goes by what a function says that it returns.
#[derive(Default)]
struct Bodies {
    /// In their order.
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

/// Whether a body says something about what is outside of it.
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
                // An object is changed by its name as well.
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
