//! What is done in a folder because of what a listing of it gives: the oldest file is removed, a new one gets the next
//! number. On the event loop nobody else lists the folder in between, and does the same.

use asyncfix_knowledge::conduct::names_a_path;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{argument, last_name, own_code};
use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use crate::blocking::files::Use;
use crate::blocking::listings::{Listing, fails, is_open};
use crate::file::File;

/// Methods that put something into a collection.
const ADDING: [&str; 4] = ["add", "append", "extend", "insert"];

/// What is raised where a file is gone, and what that is a kind of.
const GONE: [&str; 4] = ["Exception", "FileNotFoundError", "IOError", "OSError"];

/// Arguments with which a call is content where a file is gone.
const CONTENT: [&str; 2] = ["missing_ok", "ignore_errors"];

/// Whether the function changes something in the folder because of what `listing` gives, in one step with it, at `at` or
/// behind.
pub(super) fn follows(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    listing: &Listing,
    at: TextRange,
) -> bool {
    let around = file.file_uses().within(function.range());
    // A folder that the function has made is its own.
    let is_own = around.iter().any(|found| {
        found.does.makes
            && found.range.start() < listing.range.start()
            && found.path.is_same(&listing.folder.path)
    });
    let changes = around.iter().filter(|found| {
        (found.does.changes() || found.does.makes || found.does.ensures)
            && found.range != listing.range
            && found.range.start() > listing.range.start()
            && found.range.end() >= at.end()
            && !found.locks.iter().any(|lock| listing.locks.contains(lock))
            && !is_open(function, listing.range.end(), found.range.start())
            // What is asked for once more is not taken on trust.
            && !around.iter().any(|other| {
                other.does.asks
                    && other.range.start() > listing.range.end()
                    && other.range.start() < found.range.start()
                    && other.path.is_same(&found.path)
                    && !fails(file, other)
            })
    });
    let changes: Vec<&Use> = changes.collect();
    if is_own || changes.is_empty() {
        return false;
    }
    let mut acts = Acts {
        file,
        listing,
        around,
        changes,
        whole: function.range(),
        items: FxHashSet::default(),
        made: FxHashSet::default(),
        decided: Vec::new(),
        caught: Vec::new(),
        found: false,
    };
    // What a comprehension gives is bound before its own variables are.
    acts.visit_body(&function.body);
    acts.visit_body(&function.body);
    acts.found
}

/// Follows what a listing gives.
struct Acts<'f, 'b, 'a, 'db> {
    file: &'f File<'a, 'db>,
    listing: &'f Listing,
    around: &'f [Use],
    changes: Vec<&'f Use>,
    /// The function.
    whole: TextRange,
    /// The variables that are what it gives, or one of that.
    items: FxHashSet<&'b str>,
    /// Those that are made of it in any way.
    made: FxHashSet<&'b str>,
    /// The code that runs because of a test on it.
    decided: Vec<TextRange>,
    /// The code behind the listing in which it does not matter that a file is gone.
    caught: Vec<TextRange>,
    found: bool,
}

impl<'b> Acts<'_, 'b, '_, '_> {
    /// Whether an expression is what the listing gives, or one of that.
    fn is_item(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.items.contains(name.id.as_str()),
            Expr::Call(call) if call.range() == self.listing.range => true,
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) if self.is_item(&method.value) => true,
                func => {
                    let path = self.file.semantics.qualified_name(func);
                    let given = &*call.arguments.args;
                    let passes = |path: &str| {
                        path.starts_with("builtins.") || given.len() == 1 && names_a_path(path)
                    };
                    path.is_some_and(|path| passes(&path))
                        && given.iter().any(|given| self.is_item(given))
                }
            },
            Expr::Subscript(part) => self.is_item(&part.value),
            Expr::Attribute(entry) => &entry.attr == "path" && self.is_item(&entry.value),
            Expr::ListComp(ast::ExprListComp { elt, .. })
            | Expr::SetComp(ast::ExprSetComp { elt, .. })
            | Expr::Generator(ast::ExprGenerator { elt, .. }) => self.is_item(elt),
            Expr::Tuple(several) => several.elts.iter().any(|part| self.is_item(part)),
            Expr::Starred(starred) => self.is_item(&starred.value),
            Expr::Named(named) => self.is_item(&named.value),
            Expr::If(either) => self.is_item(&either.body) || self.is_item(&either.orelse),
            _ => false,
        }
    }

    /// Whether an expression is made of it in any way.
    fn is_made(&self, expr: &Expr) -> bool {
        any_over_expr(expr, |part| match part {
            Expr::Name(name) => self.made.contains(name.id.as_str()),
            other => other.range() == self.listing.range,
        })
    }

    fn bind(&mut self, target: &'b Expr, value: &Expr) {
        let (is_item, is_made) = (self.is_item(value), self.is_made(value));
        if is_item || is_made {
            self.name(target, is_item);
        }
    }

    fn name(&mut self, target: &'b Expr, is_item: bool) {
        match target {
            Expr::Name(name) => {
                self.made.insert(&name.id);
                if is_item {
                    self.items.insert(&name.id);
                }
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for part in elts {
                    self.name(part, is_item);
                }
            }
            Expr::Starred(starred) => self.name(&starred.value, is_item),
            _ => {}
        }
    }

    /// Notes what a branch decides about: its own code, and where it is left, all that follows.
    fn decide(&mut self, branch: &ast::StmtIf) {
        let others = branch.elif_else_clauses.iter().map(|clause| &clause.body);
        let leaves = std::iter::once(&branch.body).chain(others).any(|suite| {
            matches!(
                suite.last(),
                Some(Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_))
            )
        });
        self.decided.push(if leaves {
            TextRange::new(branch.start(), self.whole.end())
        } else {
            branch.range()
        });
    }

    /// Notes code that goes on where a file is gone.
    fn catch(&mut self, body: &[Stmt]) {
        let whole = body.first().zip(body.last());
        let whole = whole.map(|(first, last)| first.range().cover(last.range()));
        self.caught
            .extend(whole.filter(|body| body.start() > self.listing.range.start()));
    }

    /// Whether a call takes a file away, and it does not matter where that is gone.
    fn is_content(&self, call: &ast::ExprCall) -> bool {
        let around = self.around.iter();
        let changes = around.filter(|found| found.range == call.range());
        // What is moved is written to twice: where it was, and where it is.
        let is_taken = changes.clone().any(|found| found.does.removes)
            || changes.filter(|found| found.does.writes).count() > 1;
        let is_told = || {
            CONTENT.iter().any(|name| {
                let given = argument(call, name);
                given.is_some_and(|given| matches!(given, Expr::BooleanLiteral(is) if is.value))
            })
        };
        let mut caught = self.caught.iter();
        is_told() || is_taken && caught.any(|code| code.contains_range(call.range()))
    }

    /// Whether a call changes what the listing gave, or something else in the folder because of it.
    fn is_act(&self, call: &ast::ExprCall) -> bool {
        let changes = self.changes.iter();
        let mut changes = changes.filter(|found| found.range == call.range());
        changes.any(|found| {
            let is_inside = found
                .path
                .folder
                .as_ref()
                .is_some_and(|folder| folder.path.is_same(&self.listing.folder.path));
            let is_because = || {
                let mut decided = self.decided.iter();
                // A folder that is there anyway may be made by each.
                !found.does.ensures && decided.any(|code| code.contains_range(call.range()))
                    || self.is_made(&call.func)
                    || call
                        .arguments
                        .iter_source_order()
                        .any(|given| self.is_made(given.value()))
            };
            let is_path = |expr: &Expr| {
                one_line(self.file.text(expr)) == found.path.text && self.is_item(expr)
            };
            let is_listed = || {
                let mut given = call.arguments.iter_source_order();
                matches!(&*call.func, Expr::Attribute(method) if is_path(&method.value))
                    || given.any(|given| is_path(given.value()))
            };
            is_inside && is_because() || !found.does.ensures && is_listed()
        })
    }
}

impl<'b> SourceOrderVisitor<'b> for Acts<'_, 'b, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.bind(target, &assign.value);
                }
            }
            AnyNodeRef::StmtAnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.bind(&assign.target, value);
                }
            }
            AnyNodeRef::StmtAugAssign(assign) => self.bind(&assign.target, &assign.value),
            AnyNodeRef::ExprNamed(named) => self.bind(&named.target, &named.value),
            AnyNodeRef::StmtFor(inner) => {
                // The variable may have been that of a loop over something else.
                if let Expr::Name(name) = &*inner.target {
                    self.items.remove(name.id.as_str());
                    self.made.remove(name.id.as_str());
                }
                self.bind(&inner.target, &inner.iter);
            }
            AnyNodeRef::Comprehension(clause) => self.bind(&clause.target, &clause.iter),
            AnyNodeRef::WithItem(item) => {
                if let Some(target) = &item.optional_vars {
                    self.bind(target, &item.context_expr);
                }
            }
            AnyNodeRef::StmtIf(branch) => {
                let mut tests = branch.elif_else_clauses.iter();
                let is_asked = self.is_made(&branch.test)
                    || tests
                        .any(|clause| clause.test.as_ref().is_some_and(|test| self.is_made(test)));
                if is_asked {
                    self.decide(branch);
                }
            }
            AnyNodeRef::StmtTry(inner) => {
                let catches = inner.handlers.iter().any(|handler| {
                    let ExceptHandler::ExceptHandler(handler) = handler;
                    handler.type_.as_deref().is_none_or(is_about_gone)
                });
                if catches {
                    self.catch(&inner.body);
                }
            }
            AnyNodeRef::StmtWith(inner) => {
                let suppresses = inner.items.iter().any(|item| {
                    let Expr::Call(call) = &item.context_expr else {
                        return false;
                    };
                    last_name(&call.func) == Some("suppress")
                        && call.arguments.args.iter().any(is_about_gone)
                });
                if suppresses {
                    self.catch(&inner.body);
                }
            }
            AnyNodeRef::StmtWhile(inner) if self.is_made(&inner.test) => {
                self.decided.push(inner.range());
            }
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && let Expr::Name(_) = &*method.value
                    && ADDING.contains(&method.attr.as_str())
                {
                    for given in &call.arguments.args {
                        self.bind(&method.value, given);
                    }
                }
                self.found |= self.is_act(call) && !self.is_content(call);
            }
            _ => {}
        }
        if self.found {
            TraversalSignal::Skip
        } else {
            own_code(node)
        }
    }
}

/// Whether what is named is raised where a file is gone.
fn is_about_gone(kind: &Expr) -> bool {
    match kind {
        Expr::Tuple(several) => several.elts.iter().any(is_about_gone),
        other => last_name(other).is_some_and(|name| GONE.contains(&name)),
    }
}
