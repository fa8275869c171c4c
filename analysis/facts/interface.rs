//! What the files that import a module can see of it: whatever stands outside of the bodies of its functions, and the
//! bodies that say something about what is outside of them.

use std::hash::{Hash, Hasher};
use std::path::Path;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext};
use ruff_python_parser::Parsed;
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use crate::facts::imports::{Import, for_each_import};
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
        let mut bodies = Bodies::default();
        bodies.visit_body(&module.body);
        let mut hasher = FxHasher::default();
        let mut hidden = bodies.hidden.into_iter().peekable();
        for token in parsed.tokens() {
            while hidden.next_if(|body| body.end() <= token.start()).is_some() {}
            let is_hidden = hidden
                .peek()
                .is_some_and(|body| body.contains_range(token.range()));
            if !is_hidden && !token.kind().is_trivia() {
                token.kind().hash(&mut hasher);
                source.get(token.range().to_std_range()).hash(&mut hasher);
            }
        }
        Self {
            digest: hasher.finish(),
            imports,
        }
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
