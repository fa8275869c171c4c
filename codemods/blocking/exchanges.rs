//! What another machine is asked, and told because of its answer: a key is not set, and is set then. On the event loop
//! nothing comes in between; who lets other tasks run lets them get the same answer.

use asyncfix_analysis::facts::value_flow::Place;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{own_calls, own_code};
use asyncfix_syntax::site::{Owner, suites_in};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_stmt};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use crate::blocking::call::HTTP;
use crate::blocking::files::is_run_once;
use crate::blocking::helper::ends_with;
use crate::file::File;

/// The longest call that a reason shows as it is written.
const SHOWN: usize = 48;

/// What tells another machine to change something, by the last name of what is called.
const CHANGING: [&str; 4] = ["delete", "patch", "put", "post"];

/// Why others must not run between `call` in the code of `owner` and another one, which is made because of what the
/// first of them gives.
pub(super) fn opened<'a>(
    file: &File<'a, '_>,
    owner: Owner<'a>,
    call: &'a ast::ExprCall,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let mut known = None;
    let others = own_calls(&function.body).into_iter();
    let pair = others
        .filter(|other| other.range() != call.range())
        .find_map(|other| {
            let is_first =
                other.range().contains_range(call.range()) || call.end() <= other.start();
            let (first, second) = if is_first {
                (call, other)
            } else {
                (other, call)
            };
            let (all, others) = (values(first), values(second));
            if !share_key(file, function, all, others) || !decides(function, first, second) {
                return None;
            }
            let own = known
                .get_or_insert_with(|| Exchange::of(file, call))
                .as_ref()?;
            let its = Exchange::of(file, other)?;
            let (asked, told) = if is_first { (own, &its) } else { (&its, own) };
            // Of a function of the project it is not known what the address is.
            let is_one = asked.place == told.place
                && (told.place.is_some()
                    || share_key(file, function, address(first), address(second)));
            (is_one
                && told.changes(function, first, second)
                && !lets_others_run(function, first, second))
            .then_some((first, second))
        });
    let (first, second) = pair?;
    (!is_run_once(file, function)).then(|| {
        format!(
            "other tasks may run between `{}` and `{}`, and get the same answer",
            shown(file, first),
            shown(file, second)
        )
    })
}

fn shown(file: &File<'_, '_>, call: &ast::ExprCall) -> String {
    let whole = one_line(file.text(call));
    if whole.chars().count() <= SHOWN {
        whole
    } else {
        one_line(file.text(&*call.func))
    }
}

/// A call that waits for another machine.
struct Exchange {
    /// Where the function of the project stands that does so.
    place: Option<Place>,
    /// What the call in the end is called.
    verb: String,
}

impl Exchange {
    fn of(file: &File<'_, '_>, call: &ast::ExprCall) -> Option<Self> {
        let semantics = &file.semantics;
        if let Some(function) = semantics.function_in_sight(&call.func)
            && let Some((place, name)) = semantics.place_of_function(&function)
            && let Some(chain) = file.project.blocking_chain(&place, &name)
        {
            return ends_with(file, &chain, HTTP).then(|| Self {
                place: Some(place),
                verb: last(chain.names.last().map_or("", String::as_str)).to_owned(),
            });
        }
        let table = &file.settings.blocking;
        let path = semantics.qualified_name(&call.func);
        let row = path.as_deref().and_then(|path| table.function(path));
        let row = row.or_else(|| {
            let method = call.func.as_attribute_expr()?;
            let ClassOf::Known(class) = semantics.class_of(&method.value) else {
                return None;
            };
            Some(table.method(&class, &method.attr)?.1)
        });
        let verb = match &*call.func {
            Expr::Attribute(method) => method.attr.as_str(),
            _ => last(path.as_deref().unwrap_or_default()),
        };
        (row?.code == HTTP).then(|| Self {
            place: None,
            verb: verb.to_owned(),
        })
    }

    /// Whether `second`, which this is, seems to change something on the other machine: by its name, or nothing is done
    /// with its answer.
    fn changes(
        &self,
        function: &ast::StmtFunctionDef,
        first: &ast::ExprCall,
        second: &ast::ExprCall,
    ) -> bool {
        let is_told = match self.place {
            // Asking is done by `post` as well, where a function wraps it.
            Some(_) => CHANGING.contains(&self.verb.as_str()) && self.verb != "post",
            None => CHANGING.contains(&self.verb.as_str()),
        };
        is_told
            || match use_of(function, second) {
                Use::Dropped => true,
                // It is given more than what was asked with.
                Use::Returned => second.arguments.len() > first.arguments.len(),
                Use::Other => false,
            }
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

/// What is done with what a call gives.
enum Use {
    Dropped,
    Returned,
    Other,
}

fn use_of(function: &ast::StmtFunctionDef, call: &ast::ExprCall) -> Use {
    struct Search {
        call: TextRange,
        found: Use,
    }
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtExpr(statement) if statement.value.range() == self.call => {
                    self.found = Use::Dropped;
                }
                AnyNodeRef::StmtReturn(statement)
                    if statement
                        .value
                        .as_ref()
                        .is_some_and(|value| value.range() == self.call) =>
                {
                    self.found = Use::Returned;
                }
                _ => {}
            }
            own_code(node)
        }
    }
    let mut search = Search {
        call: call.range(),
        found: Use::Other,
    };
    search.visit_body(&function.body);
    search.found
}

fn values(call: &ast::ExprCall) -> Vec<&Expr> {
    let given = call.arguments.iter_source_order();
    given.map(ast::ArgOrKeyword::value).collect()
}

/// What a function of a library is given first.
fn address(call: &ast::ExprCall) -> &[Expr] {
    call.arguments.args.get(..1).unwrap_or_default()
}

/// Whether two calls are given one thing by which they may mean the same: a variable of the function, or a text.
fn share_key<'e>(
    file: &'e File<'_, '_>,
    function: &'e ast::StmtFunctionDef,
    first: impl IntoIterator<Item = &'e Expr>,
    second: impl IntoIterator<Item = &'e Expr>,
) -> bool {
    let keys = Keys::of(file, function, first);
    !keys.is_empty() && !keys.is_disjoint(&Keys::of(file, function, second))
}

/// Collects what a call is given.
struct Keys<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'f ast::StmtFunctionDef,
    found: FxHashSet<&'f str>,
}

impl<'f, 'a, 'db> Keys<'f, 'a, 'db> {
    fn of(
        file: &'f File<'a, 'db>,
        function: &'f ast::StmtFunctionDef,
        values: impl IntoIterator<Item = &'f Expr>,
    ) -> FxHashSet<&'f str> {
        let mut keys = Self {
            file,
            function,
            found: FxHashSet::default(),
        };
        for value in values {
            // `requests.get(STATE_URL)`
            if let Expr::Name(name) = value {
                keys.found.insert(&name.id);
            }
            keys.visit_expr(value);
        }
        keys.found
    }
}

impl<'f> SourceOrderVisitor<'f> for Keys<'f, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'f>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprAttribute(attribute) => {
                self.found.insert(self.file.text(attribute));
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprName(name)
                if self.file.semantics.has_variable(self.function, &name.id) =>
            {
                self.found.insert(&name.id);
            }
            AnyNodeRef::ExprStringLiteral(text) => {
                self.found.insert(text.value.to_str());
            }
            AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether what `first` gives decides whether `second` is called, or what it is given.
fn decides(function: &ast::StmtFunctionDef, first: &ast::ExprCall, second: &ast::ExprCall) -> bool {
    let mut answer = Answer {
        asked: first.range(),
        told: second.range(),
        names: Vec::new(),
        decides: false,
    };
    answer.visit_body(&function.body);
    answer.decides
        || second
            .arguments
            .iter_source_order()
            .any(|given| answer.is_in(given.value()))
}

/// Follows what a call gives.
struct Answer<'a> {
    asked: TextRange,
    told: TextRange,
    /// The variables that are made of it.
    names: Vec<&'a str>,
    /// Whether a test on it decides about the other call.
    decides: bool,
}

impl<'a> Answer<'a> {
    /// Whether an expression is made of it.
    fn is_in(&self, expr: &Expr) -> bool {
        struct Search<'r, 'a> {
            answer: &'r Answer<'a>,
            found: bool,
        }
        impl<'b> SourceOrderVisitor<'b> for Search<'_, '_> {
            fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
                self.found |= match node {
                    AnyNodeRef::ExprName(name) => self.answer.names.contains(&name.id.as_str()),
                    AnyNodeRef::ExprCall(call) => call.range() == self.answer.asked,
                    _ => false,
                };
                if self.found {
                    TraversalSignal::Skip
                } else {
                    TraversalSignal::Traverse
                }
            }
        }
        let mut search = Search {
            answer: self,
            found: false,
        };
        search.visit_expr(expr);
        search.found
    }

    fn bind(&mut self, target: &'a Expr, value: &Expr) {
        if !self.is_in(value) {
            return;
        }
        match target {
            Expr::Name(name) => self.names.push(&name.id),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                let names = elts.iter().filter_map(Expr::as_name_expr);
                self.names.extend(names.map(|name| name.id.as_str()));
            }
            _ => {}
        }
    }

    /// Whether the statement, which has a test on the answer, decides about the other call.
    fn is_way(&self, statement: &Stmt) -> bool {
        let suites = suites_in(statement);
        let mut inside = suites.iter().map(|suite| {
            let mut statements = suite.iter();
            statements.any(|inner| inner.range().contains_range(self.told))
        });
        let leaves = || {
            suites.iter().any(|suite| {
                matches!(
                    suite.last(),
                    Some(Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_))
                )
            })
        };
        inside.any(|is_inside| is_inside) || statement.end() <= self.told.start() && leaves()
    }
}

impl<'a> SourceOrderVisitor<'a> for Answer<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(statement) => {
                for target in &statement.targets {
                    self.bind(target, &statement.value);
                }
            }
            AnyNodeRef::StmtAnnAssign(statement) => {
                if let Some(value) = &statement.value {
                    self.bind(&statement.target, value);
                }
            }
            AnyNodeRef::ExprNamed(named) => self.bind(&named.target, &named.value),
            _ => {}
        }
        own_code(node)
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::If(branch) = statement {
            // `if (answer := ask(key)):`
            self.visit_expr(&branch.test);
            let mut tests = branch.elif_else_clauses.iter();
            let is_asked = self.is_in(&branch.test)
                || tests.any(|clause| clause.test.as_ref().is_some_and(|test| self.is_in(test)));
            self.decides |= is_asked && self.is_way(statement);
        }
        walk_stmt(self, statement);
    }
}

/// Whether something is awaited between two calls, so that others run there anyway.
fn lets_others_run(
    function: &ast::StmtFunctionDef,
    first: &ast::ExprCall,
    second: &ast::ExprCall,
) -> bool {
    struct Awaits {
        between: TextRange,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Awaits {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |=
                matches!(node, AnyNodeRef::ExprAwait(_)) && self.between.contains(node.start());
            own_code(node)
        }
    }
    if second.range().contains_range(first.range()) {
        return false;
    }
    let mut awaits = Awaits {
        between: TextRange::new(first.end(), second.start()),
        found: false,
    };
    awaits.visit_body(&function.body);
    awaits.found
}
