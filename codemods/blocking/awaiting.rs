//! A block that awaits while it has a file open: what it awaits goes first, or the calls of the file go to a thread one
//! by one.

use asyncfix_syntax::depth::Depth;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use asyncfix_analysis::answers::blocking::starter;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};

use crate::blocking::rewrite::Blocking;
use crate::blocking::thread::with_callee;
use crate::edit::fresh_names;
use crate::edit::sections;
use crate::file::File;
use crate::finding::Rewrite;

/// What a block awaits before it does anything else.
pub(super) struct First<'a> {
    /// The `await`.
    pub(super) awaited: &'a ast::ExprAwait,
    /// What takes its place in the block, parentheses included.
    replaced: TextRange,
    /// The name that its result gets.
    pub(super) name: String,
    /// Why it matters whether it stands before the block.
    pub(super) unsafe_because: Option<&'static str>,
}

impl<'a> First<'a> {
    /// The one `await` of `statement`, where all that is done before it is to open the file.
    pub(super) fn of(
        file: &File<'a, '_>,
        function: &'a ast::StmtFunctionDef,
        statement: &'a Stmt,
        opened: &'a ast::ExprCall,
    ) -> Option<Self> {
        let Stmt::With(with) = statement else {
            return None;
        };
        let awaited = only_await(statement)?;
        let value = match with.body.first()? {
            // What is dropped has no use for a name.
            Stmt::Expr(inner) if !inner.value.is_await_expr() => &*inner.value,
            Stmt::Assign(inner) if matches!(inner.targets.as_slice(), [Expr::Name(_)]) => {
                &*inner.value
            }
            _ => return None,
        };
        let is_nested = comes_first(value, awaited)?;
        let text = file.text(awaited);
        let names = sections::names_in(&awaited.value);
        let items = with.items.iter();
        let mut entered = items.filter_map(|item| item.optional_vars.as_deref());
        if text.contains(['\n', '\r']) || entered.any(|target| shares(target, &names)) {
            return None;
        }
        let mut given = opened.arguments.iter_source_order();
        let is_about_path = given.any(|given| shares(given.value(), &names));
        let preferred = match &*awaited.value {
            Expr::Call(call) => match last_name(&call.func) {
                Some("read" | "aread") => "body",
                Some("text") => "text",
                Some("json") => "data",
                _ => "content",
            },
            _ => "content",
        };
        let mut replaced = awaited.range();
        let source = file.source;
        let before = replaced.start().checked_sub(TextSize::from(1));
        if is_nested
            && let Some(before) = before
            && source.get(before.to_usize()..replaced.start().to_usize()) == Some("(")
            && source[replaced.end().to_usize()..].starts_with(')')
        {
            replaced = TextRange::new(before, replaced.end() + TextSize::from(1));
        }
        Some(Self {
            awaited,
            replaced,
            name: fresh_names::fresh(file, Owner::Function(function), &[preferred]),
            unsafe_because: is_about_path
                .then_some("what is awaited may use the file, which is not open yet then"),
        })
    }

    /// The edit that puts the name into the block.
    pub(super) fn edit(&self) -> Edit {
        Edit::range_replacement(self.name.clone(), self.replaced)
    }
}

/// The one `await` of a statement; `None` where there are more, or other things that wait.
fn only_await(statement: &Stmt) -> Option<&ast::ExprAwait> {
    struct Search<'a> {
        found: Vec<&'a ast::ExprAwait>,
        waits_otherwise: bool,
        depth: Depth,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if !self.depth.is_inside() {
                match node {
                    AnyNodeRef::ExprAwait(awaited) => self.found.push(awaited),
                    AnyNodeRef::StmtFor(inner) => self.waits_otherwise |= inner.is_async,
                    AnyNodeRef::StmtWith(inner) => self.waits_otherwise |= inner.is_async,
                    AnyNodeRef::Comprehension(inner) => self.waits_otherwise |= inner.is_async,
                    AnyNodeRef::ExprNamed(_) => self.waits_otherwise = true,
                    _ => {}
                }
            }
            self.depth.enter(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, node: AnyNodeRef<'a>) {
            self.depth.leave(node);
        }
    }
    let mut search = Search {
        found: Vec::new(),
        waits_otherwise: false,
        depth: Depth::default(),
    };
    search.visit_stmt(statement);
    match search.found.as_slice() {
        [one] if !search.waits_otherwise => Some(one),
        _ => None,
    }
}

/// Whether all that is evaluated before `awaited` in an expression are names; and whether something is done with its
/// result where it stands.
fn comes_first(expr: &Expr, awaited: &ast::ExprAwait) -> Option<bool> {
    if expr.range() == awaited.range() {
        return Some(false);
    }
    let is_name = |expr: &Expr| matches!(expr, Expr::Name(_)) || expr.is_literal_expr();
    match expr {
        Expr::Call(call) => {
            if call.func.range().contains_range(awaited.range()) {
                let Expr::Attribute(method) = &*call.func else {
                    return None;
                };
                comes_first(&method.value, awaited)?;
                return Some(true);
            }
            let is_plain = matches!(&*call.func, Expr::Attribute(method) if is_name(&method.value))
                || is_name(&call.func);
            if !is_plain {
                return None;
            }
            for given in call.arguments.iter_source_order() {
                let value = given.value();
                if value.range().contains_range(awaited.range()) {
                    return comes_first(value, awaited);
                }
                if !is_name(value) {
                    return None;
                }
            }
            None
        }
        Expr::Attribute(attribute) => comes_first(&attribute.value, awaited).map(|_| true),
        Expr::Subscript(subscript) => comes_first(&subscript.value, awaited).map(|_| true),
        _ => None,
    }
}

/// Whether an expression has one of these names in it.
fn shares(expr: &Expr, names: &[&ast::ExprName]) -> bool {
    let own = sections::names_in(expr);
    own.iter()
        .any(|own| names.iter().any(|name| name.id == own.id))
}

/// How the variable that a `with` gives an open file is used in its block.
struct Uses<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    name: &'a str,
    ancestors: Vec<AnyNodeRef<'a>>,
    depth: Depth,
    /// Calls of its methods, each a value of its own.
    calls: Vec<&'a ast::ExprCall>,
    /// How often a method of it is given to a thread.
    handed_on: usize,
    has_others: bool,
}

impl<'f, 'a, 'db> Uses<'f, 'a, 'db> {
    fn of(file: &'f File<'a, 'db>, statement: &'a Stmt) -> Option<Self> {
        let Stmt::With(with) = statement else {
            return None;
        };
        let [item] = with.items.as_slice() else {
            return None;
        };
        let Expr::Name(name) = item.optional_vars.as_deref()? else {
            return None;
        };
        let mut uses = Self {
            file,
            name: &name.id,
            ancestors: Vec::new(),
            depth: Depth::default(),
            calls: Vec::new(),
            handed_on: 0,
            has_others: false,
        };
        uses.visit_body(&with.body);
        Some(uses)
    }

    fn note(&mut self, name: AnyNodeRef<'a>) {
        let is_value = |node: &AnyNodeRef<'a>, call: &ast::ExprCall| match node {
            AnyNodeRef::StmtExpr(inner) => inner.value.range() == call.range(),
            AnyNodeRef::StmtAssign(inner) => inner.value.range() == call.range(),
            AnyNodeRef::StmtAugAssign(inner) => inner.value.range() == call.range(),
            AnyNodeRef::ExprNamed(inner) => inner.value.range() == call.range(),
            AnyNodeRef::Arguments(_) => true,
            _ => false,
        };
        // What is read or written once can be read before, or written behind.
        let is_repeated = || {
            let mut around = self.ancestors.iter();
            around.any(|node| node.is_stmt_for() || node.is_stmt_while())
        };
        match self.ancestors.as_slice() {
            [
                ..,
                around,
                AnyNodeRef::ExprCall(call),
                AnyNodeRef::ExprAttribute(method),
            ] if call.func.range() == method.range()
                && METHODS.contains(&method.attr.as_str())
                && is_value(around, call)
                && !self.depth.is_inside()
                && !holds_await(call)
                && is_repeated() =>
            {
                self.calls.push(call);
            }
            [
                ..,
                AnyNodeRef::ExprCall(call),
                AnyNodeRef::Arguments(_),
                AnyNodeRef::ExprAttribute(method),
            ] if method.value.range() == name.range() && starter(self.file, call).is_some() => {
                self.handed_on += 1;
            }
            _ => self.has_others = true,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if matches!(node, AnyNodeRef::ExprName(name) if name.id == self.name) {
            self.note(node);
        }
        self.depth.enter(node);
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        self.ancestors.pop();
        self.depth.leave(node);
    }
}

/// Methods of files that need nothing but the thread they run in.
const METHODS: [&str; 8] = [
    "write",
    "writelines",
    "read",
    "readline",
    "readlines",
    "flush",
    "seek",
    "truncate",
];

fn holds_await(call: &ast::ExprCall) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(
                node,
                AnyNodeRef::ExprAwait(_) | AnyNodeRef::ExprYield(_) | AnyNodeRef::ExprNamed(_)
            );
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(false);
    search.visit_arguments(&call.arguments);
    search.0
}

/// The rewrite that gives each call of the file which `statement` opens to a thread.
pub(super) fn one_by_one<'a>(
    blocking: &Blocking<'_, '_, 'a, '_>,
    statement: &'a Stmt,
) -> Option<Rewrite> {
    let file = blocking.file;
    let uses = Uses::of(file, statement)?;
    if uses.calls.is_empty() || uses.has_others || uses.handed_on > 0 {
        return None;
    }
    let has_keywords = |call: &&ast::ExprCall| !call.arguments.keywords.is_empty();
    let runner = blocking.runner(uses.calls.iter().any(has_keywords)).ok()?;
    if runner.uses_partial() {
        return None;
    }
    let mut edits = Vec::new();
    for call in &uses.calls {
        let callee = call.func.range();
        let (text, end) = with_callee(file, call, callee).ok()?;
        edits.push(Edit::range_replacement(
            format!("await {}", runner.headed(&text)),
            TextRange::new(call.start(), end),
        ));
    }
    let rewrite = runner.rewrite(edits);
    Some(rewrite.unsafe_if(Some(
        "a cancellation would close the file while the thread still uses it",
    )))
}

/// Whether something that `statement` awaits is given the file that it has open.
pub(super) fn is_given_to_awaited(statement: &Stmt) -> bool {
    struct Given<'a>(&'a str, bool);
    impl<'a> SourceOrderVisitor<'a> for Given<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprAwait(awaited) = node
                && let Expr::Call(call) = &*awaited.value
            {
                let mut given = call.arguments.iter_source_order();
                self.1 |= given
                    .any(|given| matches!(given.value(), Expr::Name(name) if name.id == self.0));
            }
            TraversalSignal::Traverse
        }
    }
    let Stmt::With(with) = statement else {
        return false;
    };
    let mut targets = with
        .items
        .iter()
        .filter_map(|item| item.optional_vars.as_deref());
    targets.any(|target| {
        target.as_name_expr().is_some_and(|name| {
            let mut given = Given(&name.id, false);
            given.visit_body(&with.body);
            given.1
        })
    })
}

/// Whether all that is done with the file opened at `site` is done in threads already.
pub(super) fn is_handed_on<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> bool {
    let statement = match site.parent() {
        Some(AnyNodeRef::WithItem(_)) => site.outer().and_then(|item| item.outer()),
        _ => None,
    };
    let place = statement.and_then(|statement| statement.place());
    place
        .and_then(|place| Uses::of(file, place.statement))
        .is_some_and(|uses| uses.handed_on > 0 && !uses.has_others && uses.calls.is_empty())
}
