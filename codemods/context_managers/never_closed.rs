//! An object that nothing closes, and that does not leave its function.

use asyncfix_analysis::answers::locks;
use asyncfix_analysis::limits::{HANDED_ON, Limit, NAMES};
use asyncfix_analysis::resolve::bindings::Origin;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::resources::Form;
use asyncfix_syntax::queries::{first_name, last_name};
use asyncfix_syntax::site::{Place, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::closes::CLOSING;
use super::leaving::{Leaving, leaving};
use super::managed::{Answer, Managed, SHARED, title};
use super::uses::{UseKind, uses_of};
use crate::edit::removal;
use crate::finding::Rewrite;

/// Arguments by which an object is given another one that it closes with itself.
pub(super) const PARTS: [&str; 10] = [
    "bind",
    "client",
    "connection",
    "connection_pool",
    "connector",
    "engine",
    "http_client",
    "pool",
    "session",
    "transport",
];

/// Which blocks around an object count as those of what made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// All of them.
    Any,
    /// Those that an exception leaves at once: no loop goes on in them, and no `try` is in between.
    Nearest,
}

/// Why it may be wrong to close an object at the end of the block.
pub(super) const STILL_NEEDED: &str =
    "something created from it is returned or passed on, and may still need it open";

/// Why it may be wrong to close an object at the end of the block whose work lasts as long as it is open.
const HOLDS: &str = "what it does ends with the block, and may be meant to go on";

impl<'a> Managed<'_, 'a, '_> {
    /// Nothing closes it, and it does not leave the function.
    pub(super) fn never_closed(&self, site: &Site<'_, 'a>) -> Answer {
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let first = self.first_of_body()?;
        let row = *self.rows.first()?;
        // Closing it would close what it was given as well.
        let shares = self.opening.call.arguments.keywords.iter().any(|keyword| {
            keyword
                .arg
                .as_deref()
                .is_none_or(|name| PARTS.contains(&name))
        });
        // It may close it by itself, once all is sent.
        let drains = self
            .uses
            .iter()
            .any(|used| used.kind == UseKind::Receiver("drain"));
        // To wait for its end is not to bring it about: the other side does.
        let waits = self.rows.iter().any(|row| {
            row.then.as_deref().is_some_and(|then| {
                self.uses
                    .iter()
                    .any(|used| used.kind == UseKind::Receiver(then))
            })
        });
        if shares
            || drains
            || waits
            || self.rows.iter().any(|row| row.is_fine_unclosed())
            || row.owner_closes
            || self.closes_otherwise()
            || !self.uses.iter().all(|used| match used.kind {
                UseKind::Receiver(_) => true,
                UseKind::Argument(call) => self.is_lent(call, &self.object.id),
                _ => false,
            })
            || suite.get(first..).is_none_or(<[Stmt]>::is_empty)
            || self.is_owned(site, Around::Any)
        {
            return None;
        }
        let names = self.opening.targets.iter().filter_map(last_name);
        let leaving = leaving(self.file, self.function, names, suite.get(first..)?);
        if leaving == Leaving::NeedsIt {
            return None;
        }
        let rewrite = || -> Result<Rewrite, String> {
            if leaving == Leaving::IsPartOfIt {
                return Err("a part of it is returned, and would be closed with it".to_owned());
            }
            let lines = self.file.lines();
            let owner = self.file.surroundings(site).owner;
            let lock = locks::allow_await(self.file, site, owner)?;
            if !lines.stands_alone(statement) {
                return Err(SHARED.to_owned());
            }
            let block = lines
                .block(suite, parent, first..suite.len())
                .ok_or("the block is empty")?;
            let mut removals = self.without_setup(first)?;
            let mut edits;
            if row.form == Form::None {
                let close = row.close.first().map_or("close", String::as_str);
                let name = &self.object.id;
                let unit = self.file.indent_unit();
                let call = if row.close_awaited.allows(true) {
                    format!("{unit}await {name}.{close}()")
                } else {
                    format!("{unit}{name}.{close}()")
                };
                let mut trailer = vec!["finally:".to_owned(), call];
                if let Some(then) = &row.then {
                    trailer.push(format!("{unit}await {name}.{then}()"));
                }
                edits = block.wrap("try:", &trailer)?;
            } else if let Some(joined) = self.joined(row, first, &[])? {
                removals.clear();
                edits = joined;
            } else if let Some(held) = suite.get(first..)
                && let Some(leading) = self.leading(row, held, &[])?
            {
                edits = leading;
            } else {
                edits = block.indented()?;
                removals.extend(lines.blank_lines_behind(suite.get(first - 1).ok_or(SHARED)?));
                edits.push(Edit::range_replacement(
                    format!("{}:", self.header(row, &removals)?),
                    statement.range(),
                ));
            }
            removal::leave_out(&mut edits, &removals);
            edits.extend(removals);
            let mut rewrite = Rewrite::safe(title(row), edits);
            rewrite.moves = Some(TextRange::new(statement.start(), block.range().end()));
            Ok(rewrite
                .unsafe_if((leaving == Leaving::MayNeedIt).then_some(STILL_NEEDED))
                .unsafe_if(row.holds.then_some(HOLDS))
                .unsafe_if(row.more_than_close())
                .unsafe_if(self.opens_early(index))
                .unsafe_if(Self::waits_too(row))
                .unsafe_if(lock))
        };
        Some(("is never closed".to_owned(), rewrite()))
    }

    /// Whether the object belongs to another one that an `async with` around it closes, and with it what it made.
    pub(super) fn is_owned(&self, site: &Site<'_, 'a>, around: Around) -> bool {
        if !self.rows.iter().all(|row| row.is_made_by_method()) {
            return false;
        }
        let managed: Vec<&str> = site
            .enclosing_in_function()
            .take_while(|(node, _)| {
                around == Around::Any
                    || !matches!(
                        node,
                        AnyNodeRef::StmtFor(_) | AnyNodeRef::StmtWhile(_) | AnyNodeRef::StmtTry(_)
                    )
            })
            .filter_map(|(node, _)| match node {
                AnyNodeRef::StmtWith(with) if with.is_async => Some(with),
                _ => None,
            })
            .flat_map(|with| &with.items)
            .filter_map(|item| item.optional_vars.as_deref()?.as_name_expr())
            .map(|name| name.id.as_str())
            .collect();
        let mut maker = self
            .opening
            .call
            .func
            .as_attribute_expr()
            .map(|method| &*method.value);
        for _ in NAMES.rounds() {
            let Some(name) = maker.and_then(first_name).and_then(Expr::as_name_expr) else {
                return false;
            };
            if managed.contains(&name.id.as_str()) {
                return true;
            }
            maker = match self.file.semantics.origins(name).as_slice() {
                [Origin::Value(value)] => Some(value),
                _ => return false,
            };
        }
        false
    }

    /// Whether the call of a coroutine function of the project, which is awaited here, only uses the object that it
    /// is given.
    fn is_lent(&self, call: &'a ast::ExprCall, name: &str) -> bool {
        let is_awaited = |node: AnyNodeRef<'_>| match node {
            AnyNodeRef::ExprAwait(awaited) => match &*awaited.value {
                Expr::Call(awaited) => {
                    awaited.range() == call.range()
                        || awaited.range().contains_range(call.range())
                            && self.file.semantics.means(
                                &awaited.func,
                                &["asyncio.gather", "asyncio.wait_for", "asyncio.shield"],
                            )
                }
                _ => false,
            },
            _ => false,
        };
        let mut search = Search {
            is_it: &is_awaited,
            found: false,
        };
        search.visit_body(&self.function.body);
        search.found && only_uses(&self.file.semantics, call, name, HANDED_ON)
    }
}

/// Looks for a node.
struct Search<'s> {
    is_it: &'s dyn Fn(AnyNodeRef<'_>) -> bool,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.found |= (self.is_it)(node);
        TraversalSignal::Traverse
    }
}

/// Whether the coroutine function of the project that `call` calls only uses what it is given under `name`.
fn only_uses(semantics: &Semantics<'_>, call: &ast::ExprCall, name: &str, loans: Limit) -> bool {
    let Some(loans) = loans.less() else {
        return false;
    };
    let Some(function) = semantics.function_in_sight(&call.func) else {
        return false;
    };
    let own = semantics.of_function(&function);
    let is_ours = own
        .module_name()
        .is_none_or(|module| semantics.is_first_party(&module));
    let Some(node) = function.node(semantics.db()).filter(|_| is_ours) else {
        return false;
    };
    let given = |expr: &Expr| matches!(expr, Expr::Name(given) if given.id == name);
    let by_position = call.arguments.args.iter().position(given);
    let by_name = call
        .arguments
        .keywords
        .iter()
        .find(|keyword| given(&keyword.value));
    let takes_self = call.func.is_attribute_expr() && own.is_method(node);
    let parameter = match (by_position, by_name) {
        (Some(at), None) => node
            .parameters
            .posonlyargs
            .iter()
            .chain(&node.parameters.args)
            .nth(at + usize::from(takes_self)),
        (None, Some(keyword)) => node
            .parameters
            .iter_non_variadic_params()
            .find(|parameter| keyword.arg.as_deref() == Some(parameter.name().as_str())),
        _ => None,
    };
    let Some(parameter) = parameter else {
        return false;
    };
    let name = parameter.name().as_str();
    node.is_async
        && node.decorator_list.is_empty()
        && uses_of(name, &node.body)
            .iter()
            .all(|used| match used.kind {
                UseKind::Receiver(method) => !CLOSING.contains(&method),
                UseKind::Argument(call) => only_uses(&own, call, name, loans),
                _ => false,
            })
}
