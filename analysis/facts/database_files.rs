//! Files that are databases, and whether a function that opens one changes it.

use asyncfix_knowledge::conduct::method_changes;
use asyncfix_syntax::queries::{argument, last_name, own_code};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};

/// Words of the commands that change what is in a database.
const CHANGING: [&str; 7] = [
    "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER",
];

/// Methods that are given such a command.
const RUNNING: [&str; 3] = ["execute", "executemany", "executescript"];

/// Whether the code of a function says that it changes what is in a database: by a word of a command, or by `commit`.
pub fn says_that_it_changes(body: &[Stmt]) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let says = |text: &str| {
                let text = text.to_uppercase();
                CHANGING.iter().any(|word| text.contains(word))
            };
            self.0 |= match node {
                AnyNodeRef::StringLiteral(text) => says(&text.value),
                AnyNodeRef::InterpolatedStringLiteralElement(text) => says(&text.value),
                AnyNodeRef::ExprAttribute(method) => &method.attr == "commit",
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(false);
    search.visit_body(body);
    search.0
}

/// Whether a function with this body may change the database that `call` opens in it: its code says so, or does not
/// tell what it does with it.
pub fn may_change(body: &[Stmt], call: &ast::ExprCall) -> bool {
    let mut uses = Uses {
        opened: call.range(),
        names: Vec::new(),
        written_out: Vec::new(),
        found: false,
    };
    uses.visit_body(body);
    uses.found || says_that_it_changes(body)
}

/// Looks for what is done with a database.
struct Uses<'a> {
    /// The call that opens it.
    opened: TextRange,
    /// The names that stand for it.
    names: Vec<&'a str>,
    /// The names of texts that the function writes out.
    written_out: Vec<&'a str>,
    /// Whether something may change it.
    found: bool,
}

impl<'a> Uses<'a> {
    fn is_it(&self, expr: &Expr) -> bool {
        expr.range() == self.opened
            || matches!(expr, Expr::Name(name) if self.names.contains(&name.id.as_str()))
    }

    /// Whether an expression is the database, in what closes it.
    fn gives_it(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Call(call) if is_closing(call) => {
                call.arguments.args.iter().any(|given| self.is_it(given))
            }
            _ => self.is_it(expr),
        }
    }

    fn is_written_out(&self, expr: &Expr) -> bool {
        match expr {
            Expr::StringLiteral(_) | Expr::FString(_) => true,
            Expr::BinOp(sum) => self.is_written_out(&sum.left),
            Expr::Name(name) => self.written_out.contains(&name.id.as_str()),
            _ => false,
        }
    }

    fn bind(&mut self, target: &'a Expr, value: &Expr) {
        let Expr::Name(name) = target else {
            // Others find it there.
            self.found |= self.is_it(value);
            return;
        };
        if self.gives_it(value) {
            self.names.push(&name.id);
        } else if self.is_written_out(value) {
            self.written_out.push(&name.id);
        }
    }

    fn called(&mut self, call: &'a ast::ExprCall) {
        // Its own arguments are known.
        if call.range() == self.opened {
            return;
        }
        if let Expr::Attribute(method) = &*call.func {
            self.found |= self.is_it(&method.value) && method_changes(&method.attr);
            if RUNNING.contains(&method.attr.as_str()) {
                let command = argument(call, "0").or_else(|| argument(call, "sql"));
                self.found |= !command.is_some_and(|command| self.is_written_out(command));
            }
        }
        let mut given = call.arguments.iter_source_order();
        self.found |= !is_closing(call) && given.any(|given| self.is_it(given.value()));
    }
}

impl<'a> SourceOrderVisitor<'a> for Uses<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.bind(target, &assign.value);
                }
            }
            AnyNodeRef::StmtAnnAssign(assign) => {
                if let Some(value) = assign.value.as_deref() {
                    self.bind(&assign.target, value);
                }
            }
            AnyNodeRef::WithItem(item) => {
                if let Some(target) = item.optional_vars.as_deref() {
                    self.bind(target, &item.context_expr);
                }
            }
            AnyNodeRef::ExprSubscript(item) => {
                self.found |= item.ctx != ExprContext::Load && self.is_it(&item.value);
            }
            AnyNodeRef::ExprCall(call) => self.called(call),
            _ => {}
        }
        own_code(node)
    }
}

/// Whether a call gives a context manager that closes what it is given. Judged by its name.
fn is_closing(call: &ast::ExprCall) -> bool {
    last_name(&call.func) == Some("closing")
}
