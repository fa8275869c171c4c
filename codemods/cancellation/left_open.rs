//! What a function opens before an endless loop and closes nowhere.

use asyncfix_analysis::answers::coroutines;
use asyncfix_analysis::answers::resources::opened;
use asyncfix_knowledge::left_open::TABLE;
use asyncfix_knowledge::resources::Resource;
use asyncfix_syntax::site::{Site, suites_of};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::FxHashSet;

use super::suites;
use crate::file::File;

fn paths(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

/// The lines that close what `function` opens before the loop at `site` and closes nowhere, in the order in which
/// they are to run.
pub fn closing<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    function: &'a ast::StmtFunctionDef,
) -> Vec<String> {
    let mut levels: Vec<(AnyNodeRef<'a>, AnyNodeRef<'a>)> = site.enclosing_in_function().collect();
    let outermost = levels.last().map_or(site.node, |(outermost, _)| *outermost);
    levels.push((function.into(), outermost));
    // What was opened last goes first.
    levels
        .into_iter()
        .flat_map(|(around, child)| {
            let suites = suites_of(around).into_iter();
            let before = suites.filter_map(move |suite| {
                let at = suite
                    .iter()
                    .position(|statement| statement.range() == child.range())?;
                suite.get(..at)
            });
            before.flat_map(|suite| suite.iter().rev())
        })
        .filter_map(|statement| closing_of(file, function, statement))
        .flatten()
        .collect()
}

/// The lines that close what `statement` opens and the function keeps.
fn closing_of(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    statement: &Stmt,
) -> Option<Vec<String>> {
    let assign = statement.as_assign_stmt()?;
    let [target] = assign.targets.as_slice() else {
        return None;
    };
    let (call, awaited) = match &*assign.value {
        Expr::Await(awaited) => (awaited.value.as_call_expr()?, true),
        other => (other.as_call_expr()?, false),
    };
    let row = opened(file, call, awaited).into_iter().next();
    let name = match (target, row.and_then(Resource::place_in_tuple)) {
        (Expr::Name(name), None) => name,
        (Expr::Tuple(tuple), Some(index)) => tuple.elts.get(index)?.as_name_expr()?,
        _ => return None,
    };
    let close = if let Some(row) = row {
        vec![row.closing(&name.id)?]
    } else {
        let mut table = TABLE.opened.iter();
        let row = table.find(|row| file.semantics.means(&call.func, &paths(&row.by)))?;
        let close = format!("{}.{}()", name.id, row.close);
        match &row.condition {
            Some(condition) => vec![
                format!("if {}{condition}:", name.id),
                format!("{}{close}", file.indent_unit()),
            ],
            None => vec![close],
        }
    };
    is_owned(file, function, name).then_some(close)
}

/// Whether a variable is the function's alone, and closed nowhere: bound once, and then only its attributes are
/// used, or it is lent to a call that gives it back.
fn is_owned(file: &File<'_, '_>, function: &ast::StmtFunctionDef, name: &ast::ExprName) -> bool {
    let mut uses = OwnUses {
        file,
        lenders: paths(&TABLE.lent_to),
        name: &name.id,
        stored: 0,
        lent: FxHashSet::default(),
        is_given_away: false,
    };
    uses.visit_body(&function.body);
    uses.stored == 1 && !uses.is_given_away
}

/// Looks for what becomes of a variable of a function.
struct OwnUses<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    lenders: Vec<&'f str>,
    name: &'f str,
    stored: usize,
    /// Where it is used and stays the function's: as an argument of a call that is awaited or gives it back,
    /// or for an attribute of it.
    lent: FxHashSet<TextSize>,
    is_given_away: bool,
}

impl OwnUses<'_, '_, '_> {
    fn lend(&mut self, call: &ast::ExprCall) {
        let arguments = call.arguments.iter_source_order();
        self.lent
            .extend(arguments.map(|argument| argument.value().start()));
    }
}

impl<'a> SourceOrderVisitor<'a> for OwnUses<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprAwait(awaited) => {
                if let Expr::Call(call) = &*awaited.value {
                    self.lend(call);
                }
            }
            AnyNodeRef::StmtExpr(statement) => {
                if let Expr::Call(call) = &*statement.value
                    && suites::is_log_call(self.file, &statement.value)
                {
                    self.lend(call);
                }
            }
            AnyNodeRef::ExprCall(call) if self.file.semantics.means(&call.func, &self.lenders) => {
                self.lend(call);
            }
            AnyNodeRef::ExprAttribute(attribute) => {
                if matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == self.name) {
                    self.lent.insert(attribute.value.start());
                    self.is_given_away |= coroutines::undoes(&attribute.attr);
                }
            }
            AnyNodeRef::ExprName(name) if name.id.as_str() == self.name => match name.ctx {
                ExprContext::Store => self.stored += 1,
                ExprContext::Load => self.is_given_away |= !self.lent.contains(&name.start()),
                _ => self.is_given_away = true,
            },
            AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
            | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                self.is_given_away |= names.iter().any(|name| name.as_str() == self.name);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
