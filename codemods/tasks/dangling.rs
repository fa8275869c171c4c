//! AF801 dangling-task: a task that nothing refers to can be collected before it is done.

use asyncfix_analysis::answers::intent;
use asyncfix_analysis::answers::runners::runs_loop;
use asyncfix_analysis::answers::task::{is_kept_somewhere, is_loop, makes_task, may_be_loop};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::depth::Depth;
use asyncfix_syntax::site::{Obstacle, Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, NodeKind};
use ruff_text_size::{Ranged, TextSize};

use super::kept::Dangling;
use crate::codemod::Codemod;
use crate::edit::script_task::ScriptTask;
use crate::file::File;
use crate::finding::{Finding, Remedy};
use crate::rule::{Rule, Stability};

/// The codemod of AF801.
pub struct DanglingTask;

static RULE: Rule = Rule {
    code: "AF801",
    name: "dangling-task",
    finds: "nothing keeps a reference to a task",
    pitfall: "not awaiting tasks",
    page: include_str!("AF801.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[
        "RUF006",
        "unused-awaitable",
        "unused-coroutine",
        "asyncio-dangling-task",
    ],
};

impl Codemod for DanglingTask {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["create_task", "ensure_future"]
    }

    fn in_plain_code(&self) -> bool {
        true
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    // Whoever asks what a function is may still drop the task of its coroutine.
    fn minds_twins(&self) -> bool {
        false
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprCall]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let AnyNodeRef::ExprCall(call) = site.node else {
            return Candidate::No;
        };
        let method = matches!(&*call.func, Expr::Attribute(attribute)
            if attribute.attr.as_str() == "create_task" && may_be_loop(&attribute.value));
        Candidate::when(
            (method
                || spellings.allow(
                    &call.func,
                    &["asyncio.create_task", "asyncio.ensure_future"],
                ))
                && fate(site, call).is_some(),
        )
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return None;
        };
        let library = file.library();
        if !matches!(library, None | Some(Library::Asyncio)) {
            return None;
        }
        let fate = fate(site, call)?;
        if let Fate::Lambda(lambda) = fate
            && !drops_result(file, site, lambda)
        {
            return None;
        }
        // Where no loop runs, it is the coroutine that is the matter, with a rule of its own.
        if !makes_task(file, call) || ScriptTask::of(file, site, call).is_some() {
            return None;
        }
        // Whoever says so knows about the garbage collector.
        if matches!(fate, Fate::Unread(_) | Fate::Watched(_)) && intent::keeps_reference(file, site)
        {
            return None;
        }
        let surroundings = file.surroundings(site);
        let owner = surroundings.owner;
        // What tests hand around as a loop may be a mock: only what is seen to be one counts.
        if file.is_test_code(owner)
            && matches!(&*call.func, Expr::Attribute(method) if is_kept_somewhere(file, &method.value))
        {
            return None;
        }
        // A finalizer may run when the loop is gone; nothing kept there would help.
        if matches!(owner, Owner::Function(function) if function.name.as_str() == "__del__") {
            return None;
        }
        if file.keeps_tasks() {
            return None;
        }
        let remedy = match fate {
            _ if surroundings.obstacle == Some(Obstacle::ClassBody) => Remedy::NotFixed(
                "in a class body the variable would become a class attribute".to_owned(),
            ),
            Fate::Comprehension => Remedy::NotFixed(
                "the list of tasks is never used; keep it in a variable".to_owned(),
            ),
            Fate::Decorator => Remedy::NotFixed(
                "the task is created in a decorator; there is nowhere to keep it".to_owned(),
            ),
            Fate::Statement => Dangling::new(file, *site, call, owner)?.remedy(None),
            Fate::Chained(callback) => {
                let mut dangling = Dangling::new(file, *site, call, owner)?;
                dangling.callback = Some(callback);
                dangling.remedy(None)
            }
            Fate::Collected(collection) => {
                let dangling = Dangling::new(file, *site, call, owner)?;
                match dangling.awaited_with_others(collection) {
                    Ok(Some(rewrite)) => Remedy::Rewrite(rewrite),
                    // The collection has it as long as the loop runs.
                    _ if let Owner::Function(function) = owner
                        && file.tasks.lives_as_long_as_loop(file, function) =>
                    {
                        return None;
                    }
                    Ok(None) => Remedy::NotFixed(format!(
                        "nothing awaits the tasks in `{}`; await them with `asyncio.gather`, or keep them where they outlive the function",
                        collection.name
                    )),
                    Err(reason) => Remedy::NotFixed(reason),
                }
            }
            Fate::Unread(name) => {
                let dangling = Dangling::new(file, *site, call, owner)?;
                // The variable refers to it as long as the loop runs.
                if let Owner::Function(function) = owner
                    && !dangling.may_await()
                    && file.tasks.lives_as_long_as_loop(file, function)
                    && is_bound_once(site, function, &name.id)
                {
                    return None;
                }
                dangling.remedy(Some(name))
            }
            Fate::Watched(name) => {
                // The variable refers to it as long as the loop runs.
                if let Owner::Function(function) = owner
                    && is_bound_once(site, function, &name.id)
                    && (file.tasks.lives_as_long_as_loop(file, function)
                        || !function.is_async && runs_loop(&file.semantics, &function.body))
                {
                    return None;
                }
                Dangling::new(file, *site, call, owner)?.kept(name)
            }
            Fate::Lambda(_) => {
                Remedy::NotFixed("a lambda can't keep the task; use a function".to_owned())
            }
            Fate::Operand => Remedy::NotFixed("create the task in its own statement".to_owned()),
        };
        Some(Finding::new(
            &RULE,
            call.range(),
            "no reference to this task is kept, so it may be garbage-collected before it \
                      finishes"
                .to_owned(),
            remedy,
        ))
    }
}

/// A local collection of tasks.
#[derive(Clone, Copy)]
pub(super) struct Collection<'a> {
    pub(super) name: &'a str,
    pub(super) is_dictionary: bool,
    /// Whether nothing else is put into it.
    pub(super) is_of_one_kind: bool,
}

/// What becomes of the task that a call makes, where it is nothing good.
enum Fate<'a> {
    /// The call is the statement, or its value goes to `_`.
    Statement,
    /// The value goes to a local name that nothing reads.
    Unread(&'a ast::ExprName),
    /// The value goes to a local name that only a callback is added to.
    Watched(&'a ast::ExprName),
    /// The call is the receiver of another one, which adds a callback and gives nothing.
    Chained(&'a ast::ExprCall),
    /// The value goes to a local collection that nothing reads.
    Collected(Collection<'a>),
    /// The call is the body of a lambda, which may be given to something that drops what it returns.
    Lambda(&'a ast::ExprLambda),
    /// The call is in the argument of a decorator.
    Decorator,
    /// The call is the element of a list that is dropped.
    Comprehension,
    /// The call is an operand of an expression statement: `ready and create_task(…)`.
    Operand,
}

fn fate<'a>(site: &Site<'_, 'a>, call: &'a ast::ExprCall) -> Option<Fate<'a>> {
    let is_call = |expr: &Expr| expr.range() == call.range();
    match site.parent()? {
        AnyNodeRef::StmtExpr(statement) if is_call(&statement.value) => Some(Fate::Statement),
        AnyNodeRef::StmtAssign(statement) if is_call(&statement.value) => {
            let names: Option<Vec<_>> = statement.targets.iter().map(Expr::as_name_expr).collect();
            let names = names?;
            let name = names.first().copied()?;
            if names.len() == 1 && name.id == "_" {
                return Some(Fate::Statement);
            }
            let Owner::Function(function) = site.owner() else {
                return None;
            };
            let mut all = names.iter();
            if all.all(|name| !is_read_after(site, function, &name.id)) {
                return Some(Fate::Unread(name));
            }
            (names.len() == 1 && is_only_watched(site, function, &name.id))
                .then_some(Fate::Watched(name))
        }
        AnyNodeRef::StmtAnnAssign(statement) if statement.value.as_deref().is_some_and(is_call) => {
            let Expr::Name(name) = &*statement.target else {
                return None;
            };
            let Owner::Function(function) = site.owner() else {
                return None;
            };
            if !is_read_after(site, function, &name.id) {
                return Some(Fate::Unread(name));
            }
            is_only_watched(site, function, &name.id).then_some(Fate::Watched(name))
        }
        AnyNodeRef::ExprAttribute(method) if &method.attr == "add_done_callback" => {
            let method = site.outer()?;
            let AnyNodeRef::ExprCall(callback) = method.parent()? else {
                return None;
            };
            let is_called = callback.func.range() == method.node.range();
            let is_dropped =
                matches!(method.outer()?.parent()?, AnyNodeRef::StmtExpr(_)) && is_called;
            is_dropped.then_some(Fate::Chained(callback))
        }
        AnyNodeRef::Arguments(_) if in_decorator(site) => Some(Fate::Decorator),
        // `tasks.append(create_task(…))`
        AnyNodeRef::Arguments(_) => {
            let adding = site.outer()?.outer()?;
            let AnyNodeRef::ExprCall(add) = adding.node else {
                return None;
            };
            let is_statement = matches!(adding.parent()?, AnyNodeRef::StmtExpr(_));
            let is_only = matches!(&*add.arguments.args, [only] if is_call(only))
                && add.arguments.keywords.is_empty();
            let name = filled(add).filter(|_| is_statement && is_only)?;
            let Owner::Function(function) = site.owner() else {
                return None;
            };
            let times = times_filled(function, name)?;
            Some(Fate::Collected(Collection {
                name,
                is_dictionary: false,
                is_of_one_kind: times == 1,
            }))
        }
        AnyNodeRef::ExprList(_) | AnyNodeRef::ExprSet(_) | AnyNodeRef::ExprDict(_) => {
            let collection = site.outer()?;
            let (is_dictionary, count) = match collection.node {
                AnyNodeRef::ExprDict(dict) => (true, dict.items.len()),
                AnyNodeRef::ExprList(list) => (false, list.elts.len()),
                AnyNodeRef::ExprSet(set) => (false, set.elts.len()),
                _ => return None,
            };
            let AnyNodeRef::StmtAssign(statement) = collection.parent()? else {
                return None;
            };
            let ([Expr::Name(name)], Owner::Function(function)) =
                (statement.targets.as_slice(), site.owner())
            else {
                return None;
            };
            let is_value = statement.value.range() == collection.node.range();
            (is_value && name.id != "_" && !is_read_after(site, function, &name.id)).then_some(
                Fate::Collected(Collection {
                    name: &name.id,
                    is_dictionary,
                    is_of_one_kind: count == 1,
                }),
            )
        }
        AnyNodeRef::ExprListComp(comprehension) if is_call(&comprehension.elt) => {
            let list = site.outer()?;
            match list.parent()? {
                AnyNodeRef::StmtExpr(_) => Some(Fate::Comprehension),
                AnyNodeRef::StmtAssign(statement)
                    if statement.value.range() == list.node.range() =>
                {
                    let ([Expr::Name(name)], Owner::Function(function)) =
                        (statement.targets.as_slice(), site.owner())
                    else {
                        return None;
                    };
                    (name.id != "_" && !is_read_after(site, function, &name.id)).then_some(
                        Fate::Collected(Collection {
                            name: &name.id,
                            is_dictionary: false,
                            is_of_one_kind: true,
                        }),
                    )
                }
                _ => None,
            }
        }
        AnyNodeRef::ExprLambda(lambda) if is_call(&lambda.body) => Some(Fate::Lambda(lambda)),
        AnyNodeRef::ExprBoolOp(_) | AnyNodeRef::ExprIf(_) => {
            let outer = site.outer()?;
            let is_statement = matches!(outer.parent()?, AnyNodeRef::StmtExpr(_));
            let is_value = match outer.node {
                AnyNodeRef::ExprBoolOp(operation) => operation.values.last().is_some_and(is_call),
                AnyNodeRef::ExprIf(conditional) => !is_call(&conditional.test),
                _ => false,
            };
            (is_statement && is_value).then_some(Fate::Operand)
        }
        _ => None,
    }
}

/// The variable of the collection that a call adds something to.
fn filled(call: &ast::ExprCall) -> Option<&str> {
    match &*call.func {
        Expr::Attribute(method) if matches!(method.attr.as_str(), "append" | "add") => {
            Some(method.value.as_name_expr()?.id.as_str())
        }
        _ => None,
    }
}

/// In how many places a function adds something to a collection that it makes empty. `None` where it does anything else
/// with it.
fn times_filled(function: &ast::StmtFunctionDef, name: &str) -> Option<usize> {
    struct Search<'n, 'a> {
        name: &'n str,
        ancestors: Vec<AnyNodeRef<'a>>,
        is_made: bool,
        times: usize,
        is_other: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::ExprName(name) if name.id == self.name => {
                    let around = match self.ancestors.as_slice() {
                        [.., outer, inner] => Some((outer, inner)),
                        _ => None,
                    };
                    let parent = self.ancestors.last();
                    match (parent, around) {
                        (Some(AnyNodeRef::StmtAssign(made)), _) if is_empty(&made.value) => {
                            self.is_made = true;
                        }
                        (Some(AnyNodeRef::StmtAnnAssign(made)), _)
                            if made.value.as_deref().is_some_and(is_empty) =>
                        {
                            self.is_made = true;
                        }
                        (_, Some((AnyNodeRef::ExprCall(add), AnyNodeRef::ExprAttribute(_))))
                            if filled(add) == Some(self.name) =>
                        {
                            self.times += 1;
                        }
                        _ => self.is_other = true,
                    }
                }
                AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
                | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                    self.is_other |= names.iter().any(|other| other.as_str() == self.name);
                }
                _ => {}
            }
            self.ancestors.push(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
            self.ancestors.pop();
        }
    }
    let mut search = Search {
        name,
        ancestors: Vec::new(),
        is_made: false,
        times: 0,
        is_other: false,
    };
    search.visit_body(&function.body);
    (search.is_made && !search.is_other).then_some(search.times)
}

/// Whether an expression is an empty list or set.
fn is_empty(value: &Expr) -> bool {
    match value {
        Expr::List(list) => list.elts.is_empty(),
        Expr::Call(call) => {
            call.arguments.is_empty()
                && matches!(&*call.func, Expr::Name(name)
                    if matches!(name.id.as_str(), "list" | "set"))
        }
        _ => false,
    }
}

/// Whether a local name is bound by the statement at `site` alone, once, and never deleted.
fn is_bound_once(site: &Site<'_, '_>, function: &ast::StmtFunctionDef, name: &str) -> bool {
    struct Bindings<'n> {
        name: &'n str,
        found: usize,
    }
    impl<'a> SourceOrderVisitor<'a> for Bindings<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found += usize::from(matches!(node, AnyNodeRef::ExprName(other)
                if other.ctx != ExprContext::Load && other.id == self.name));
            TraversalSignal::Traverse
        }
    }
    let is_repeated = site
        .enclosing_in_function()
        .any(|(node, _)| node.is_stmt_for() || node.is_stmt_while());
    let mut bindings = Bindings { name, found: 0 };
    bindings.visit_body(&function.body);
    !is_repeated && bindings.found == 1
}

/// Whether a local name is read in a function where it may have what the statement at `site` gives it, or in a scope
/// inside, or is more than a local name: declared `global` or `nonlocal`.
fn is_read_after(site: &Site<'_, '_>, function: &ast::StmtFunctionDef, name: &str) -> bool {
    is_used_after(site, function, name, false)
}

/// Whether all that a function does with the task in a local name is to add callbacks to it.
fn is_only_watched(site: &Site<'_, '_>, function: &ast::StmtFunctionDef, name: &str) -> bool {
    !is_used_after(site, function, name, true)
}

/// Whether a function reads a local name, but for adding callbacks where it `may_be_watched`.
fn is_used_after(
    site: &Site<'_, '_>,
    function: &ast::StmtFunctionDef,
    name: &str,
    may_be_watched: bool,
) -> bool {
    let is_repeated = site
        .enclosing_in_function()
        .any(|(node, _)| node.is_stmt_for() || node.is_stmt_while());
    let from = match site.statement() {
        Some(statement) if !is_repeated => statement.node.start(),
        _ => function.start(),
    };
    let mut reads = Reads {
        name,
        from,
        may_be_watched,
        depth: Depth::default(),
        found: false,
    };
    reads.visit_body(&function.body);
    reads.found
}

/// The variable of a task that a statement adds a callback to, which keeps no reference to it.
fn only_watched(statement: &ast::StmtExpr) -> Option<(&str, &ast::Arguments)> {
    let call = statement.value.as_call_expr()?;
    let method = call.func.as_attribute_expr()?;
    let name = method.value.as_name_expr()?;
    (&method.attr == "add_done_callback").then_some((name.id.as_str(), &call.arguments))
}

struct Reads<'n> {
    name: &'n str,
    /// What the function's own code reads before is something else.
    from: TextSize,
    /// Whether callbacks that are added to it do not count.
    may_be_watched: bool,
    depth: Depth,
    found: bool,
}

impl<'a> Reads<'_> {
    /// Looks at a comprehension, which may have a variable of this name.
    fn comprehension(&mut self, clauses: &'a [ast::Comprehension]) -> TraversalSignal {
        let is_own = clauses
            .iter()
            .any(|clause| binds(&clause.target, self.name));
        let Some(first) = clauses.first().filter(|_| is_own) else {
            return TraversalSignal::Traverse;
        };
        self.visit_expr(&first.iter);
        TraversalSignal::Skip
    }
}

impl<'a> SourceOrderVisitor<'a> for Reads<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.found {
            return TraversalSignal::Skip;
        }
        match node {
            AnyNodeRef::StmtExpr(statement)
                if let Some((name, arguments)) = only_watched(statement)
                    && name == self.name
                    && self.may_be_watched
                    && !self.depth.is_inside() =>
            {
                self.visit_arguments(arguments);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprName(other) => {
                self.found |= other.ctx != ExprContext::Store
                    && other.id == self.name
                    && (other.start() >= self.from || self.depth.is_inside());
            }
            AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
            | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                self.found |= names.iter().any(|other| other.as_str() == self.name);
            }
            AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
            | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
            | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. })
            | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. }) => {
                return self.comprehension(generators);
            }
            _ => {}
        }
        self.depth.enter(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if !self.found {
            self.depth.leave(node);
        }
    }
}

/// Whether a target binds a name.
fn binds(target: &Expr, name: &str) -> bool {
    match target {
        Expr::Name(other) => other.id == name,
        Expr::Starred(starred) => binds(&starred.value, name),
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
            elts.iter().any(|target| binds(target, name))
        }
        _ => false,
    }
}

/// Whether the node is an argument of a decorator.
fn in_decorator(site: &Site<'_, '_>) -> bool {
    let mut outer = site.ancestors.iter().rev();
    matches!(outer.next(), Some(AnyNodeRef::Arguments(_)))
        && matches!(outer.next(), Some(AnyNodeRef::ExprCall(_)))
        && matches!(outer.next(), Some(AnyNodeRef::Decorator(_)))
}

/// Whether a lambda is given to a method of a loop or future that calls it and drops its result.
fn drops_result(file: &File<'_, '_>, site: &Site<'_, '_>, lambda: &ast::ExprLambda) -> bool {
    let Some(AnyNodeRef::ExprCall(user)) = site
        .ancestors
        .iter()
        .rev()
        .skip(1)
        .find(|node| !matches!(node, AnyNodeRef::Arguments(_) | AnyNodeRef::Keyword(_)))
    else {
        return false;
    };
    let Expr::Attribute(callee) = &*user.func else {
        return false;
    };
    let given = user
        .arguments
        .iter_source_order()
        .any(|argument| argument.value().range() == lambda.range());
    given
        && match callee.attr.as_str() {
            "call_soon"
            | "call_later"
            | "call_at"
            | "call_soon_threadsafe"
            | "add_signal_handler" => is_loop(file, &callee.value),
            "add_done_callback" => matches!(
                file.semantics.class_of(&callee.value),
                ClassOf::Known(class) if matches!(class.rsplit('.').next(), Some("Task" | "Future"))
            ),
            _ => false,
        }
}
