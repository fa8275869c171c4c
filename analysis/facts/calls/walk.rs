//! What a function does, from a walk through its body.

use crate::facts::loops;
use crate::facts::name::Name;
use crate::facts::polling::{Around, polls};
use crate::facts::scopes::Binding;
use crate::limits::{BINDINGS, CONDITIONS};
use asyncfix_knowledge::blocking::{Kind, Row, changes, is_thread_safe};
use asyncfix_knowledge::conduct::{changes_context, method_changes, needs_main_thread};
use asyncfix_knowledge::libraries::{AWARE, LIBRARIES};
use asyncfix_knowledge::package_of;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::suites_in;
use ruff_python_ast::comparable::ComparableExpr;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, ArgOrKeyword, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use super::command_files::Work;
use super::own::{Extent, Inner};
use super::{Blocked, Call, Callee, Function, Passed, Target};
use crate::facts::blocking_calls::{always_blocks, unsafe_because};
use crate::facts::calls::values::Value;
use crate::facts::calls::writer::Writer;

/// Walks through the body of one function.
pub(super) struct Walk<'w, 's, 'a> {
    pub(crate) writer: &'w Writer<'s, 'a>,
    pub(crate) scope: usize,
    pub(crate) function: &'a ast::StmtFunctionDef,
    pub(super) written: &'w mut Function,
    /// Values that the function uses up itself: it enters them, loops over them or reads them.
    pub(crate) used_up: FxHashSet<TextRange>,
    /// Values that nothing is done with.
    pub(super) dropped: FxHashSet<TextRange>,
    /// Values that are assigned to a local name, which may use them up.
    pub(crate) named: FxHashMap<TextRange, &'a str>,
    /// Generator expressions.
    pub(crate) lazy: Vec<TextRange>,
    /// The bodies of `try` statements.
    pub(super) tried: Vec<TextRange>,
    /// Values that are raised.
    pub(super) raised: FxHashSet<TextRange>,
    /// Lambdas that run where they stand.
    pub(super) at_once: FxHashSet<TextRange>,
    /// The names that only parts of expressions know.
    pub(super) inner: Vec<Inner<'a>>,
    /// Code that runs under conditions, with how many these are; without what lies behind.
    pub(crate) conditional: Vec<(TextRange, usize)>,
    pub(crate) is_aware: bool,
    /// The `while` loops in it.
    pub(super) loops: Vec<&'a ast::StmtWhile>,
    /// The files that it uses, and those that commands work on, which are the same in all calls.
    pub(super) works: Vec<Work>,
}

impl<'a> SourceOrderVisitor<'a> for Walk<'_, '_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            // They run when they are called, if they are.
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprLambda(lambda) if !self.at_once.contains(&lambda.range()) => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtGlobal(statement) => self.shares_names(&statement.names),
            AnyNodeRef::StmtNonlocal(statement) => self.shares_names(&statement.names),
            AnyNodeRef::StmtAssign(statement) => {
                for target in &statement.targets {
                    self.assigned(target);
                }
                if let [Expr::Name(name)] = statement.targets.as_slice() {
                    self.named.insert(statement.value.range(), &name.id);
                }
            }
            AnyNodeRef::StmtAugAssign(statement) => {
                self.assigned(&statement.target);
                // `rows += more` changes a list in place.
                if statement.target.is_name_expr()
                    && !self.is_own(&statement.target, Extent::Itself)
                {
                    self.changes(&statement.target);
                }
            }
            AnyNodeRef::StmtAnnAssign(statement) if statement.value.is_some() => {
                self.assigned(&statement.target);
            }
            AnyNodeRef::StmtDelete(statement) => {
                for target in &statement.targets {
                    self.assigned(target);
                }
            }
            AnyNodeRef::StmtWith(statement) => {
                for item in &statement.items {
                    self.used_up.insert(item.context_expr.range());
                    self.entered(&item.context_expr);
                    self.borrowed(&item.context_expr);
                    self.given_by_entering(item);
                    if let Some(target) = item.optional_vars.as_deref() {
                        self.assigned(target);
                    }
                }
                self.exits(&statement.body);
            }
            AnyNodeRef::StmtFor(statement) => {
                self.assigned(&statement.target);
                self.used_up.insert(statement.iter.range());
                self.goes_through(&statement.iter);
                self.steps_through(&statement.iter, false);
                self.exits(&statement.body);
            }
            AnyNodeRef::StmtWhile(statement) => {
                self.loops.push(statement);
                self.exits(&statement.body);
                if loops::is_endless(&statement.test) && !loops::leaves_loop(&statement.body) {
                    self.ties(|| "it never returns, so the thread would never end".to_owned());
                }
            }
            AnyNodeRef::StmtTry(statement) => {
                self.tried.extend(range_of(&statement.body));
                self.exits(&statement.body);
            }
            AnyNodeRef::Comprehension(clause) => {
                self.assigned(&clause.target);
                self.goes_through(&clause.iter);
                self.steps_through(&clause.iter, false);
            }
            AnyNodeRef::InterpolatedElement(part) => {
                self.runs_methods(&part.expression, &["__format__", "__str__", "__repr__"]);
            }
            AnyNodeRef::StmtRaise(statement) => {
                self.raised
                    .extend(statement.exc.as_deref().map(Ranged::range));
            }
            AnyNodeRef::StmtExpr(statement) => {
                self.dropped.insert(statement.value.range());
            }
            AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
            | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
            | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. }) => {
                self.binds_inside(node.range(), generators);
                self.used_up
                    .extend(generators.iter().map(|clause| clause.iter.range()));
            }
            // It runs when it is asked for more, wherever that is.
            AnyNodeRef::ExprGenerator(generator) => {
                self.binds_inside(generator.range(), &generator.generators);
                self.lazy.push(generator.range());
            }
            AnyNodeRef::ExprAttribute(attribute) => {
                self.attribute_used(attribute);
                self.member_used(attribute);
            }
            AnyNodeRef::ExprName(name) => self.name_used(name),
            AnyNodeRef::StmtIf(statement) => {
                // What is remembered is made once, and every other call finds it.
                let weight = if is_remembered(statement) { MANY } else { 1 };
                let body = range_of(&statement.body).map(|range| (range, weight));
                self.conditional.extend(body);
                self.exits(&statement.body);
                for clause in &statement.elif_else_clauses {
                    self.depends(clause.range());
                }
            }
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                self.depends(handler.range());
            }
            AnyNodeRef::MatchCase(case) => self.depends(case.range()),
            AnyNodeRef::ExprIf(expr) => {
                self.depends(expr.body.range());
                self.depends(expr.orelse.range());
            }
            AnyNodeRef::ExprBoolOp(expr) => {
                for behind in expr.values.iter().skip(1) {
                    self.depends(behind.range());
                }
            }
            AnyNodeRef::ExprCall(call) => {
                self.call(call);
                self.made(call);
            }
            AnyNodeRef::ExprAwait(_) | AnyNodeRef::ExprYield(_) | AnyNodeRef::ExprYieldFrom(_) => {
                self.is_aware = true;
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

impl<'a> Walk<'_, '_, 'a> {
    fn shares_names(&mut self, names: &[ast::Identifier]) {
        if let Some(name) = names.first() {
            self.shares(|| format!("it assigns `{name}`, which is shared with other code"));
        }
    }

    fn changes(&mut self, target: &'a Expr) {
        let text = one_line(self.writer.text(target));
        self.shares(|| format!("it modifies `{text}`, which other code may use at the same time"));
    }

    fn assigned(&mut self, target: &'a Expr) {
        match target {
            Expr::Attribute(ast::ExprAttribute { value, .. })
            | Expr::Subscript(ast::ExprSubscript { value, .. })
                if !self.is_own_to_fill(value) =>
            {
                self.changes(target);
            }
            Expr::Starred(starred) => self.assigned(&starred.value),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.assigned(target);
                }
            }
            _ => {}
        }
    }

    /// Whether the function uses up what the local `name` stands for, and gives it to nobody.
    fn uses_up(&self, name: &str) -> bool {
        let (uses, leaves) = self.uses(name);
        uses > 0 && !leaves
    }

    /// Whether the function gives what the local `name` stands for to somebody else.
    pub(super) fn leaves(&self, name: &str) -> bool {
        self.uses(name).1
    }

    /// How often the function uses a local name, and whether what it stands for leaves the function by that.
    fn uses(&self, name: &str) -> (usize, bool) {
        struct Search<'w, 'a> {
            writer: &'w Writer<'w, 'a>,
            scope: usize,
            name: &'w str,
            ancestors: Vec<AnyNodeRef<'a>>,
            uses: usize,
            leaves: bool,
        }
        impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                if let AnyNodeRef::ExprName(name) = node
                    && name.ctx.is_load()
                    && name.id == self.name
                {
                    self.uses += 1;
                    self.leaves |= !self.is_use(node);
                }
                self.ancestors.push(node);
                TraversalSignal::Traverse
            }

            fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
                self.ancestors.pop();
            }
        }
        impl<'a> Search<'_, 'a> {
            fn is_use(&self, node: AnyNodeRef<'a>) -> bool {
                match self.ancestors.as_slice() {
                    [.., AnyNodeRef::ExprAttribute(_) | AnyNodeRef::WithItem(_)] => true,
                    [.., AnyNodeRef::StmtFor(statement)] => statement.iter.range() == node.range(),
                    [.., AnyNodeRef::ExprCall(call), AnyNodeRef::Arguments(_)] => {
                        self.writer.consumes(call, self.scope)
                            || self.writer.closes(call, self.scope)
                    }
                    _ => false,
                }
            }
        }
        let mut search = Search {
            writer: self.writer,
            scope: self.scope,
            name,
            ancestors: Vec::new(),
            uses: 0,
            leaves: false,
        };
        search.visit_body(&self.function.body);
        (search.uses, search.leaves)
    }

    /// Notes what an early end of a suite means for the statements behind it.
    pub(crate) fn exits(&mut self, suite: &[Stmt]) {
        let Some(end) = suite.last().map(Ranged::end) else {
            return;
        };
        for statement in suite {
            let Stmt::If(branch) = statement else {
                continue;
            };
            let suites = suites_in(statement);
            let returned = suites.iter().find_map(|suite| match suite.last() {
                Some(Stmt::Return(returned)) => Some(returned),
                _ => None,
            });
            let Some(returned) = returned else {
                continue;
            };
            let behind = TextRange::new(branch.end(), end);
            let is_remembered = matches!(returned.value.as_deref(),
                Some(value @ (Expr::Name(_) | Expr::Attribute(_)))
                    if assigns(suite, value) && mentions(&branch.test, value));
            let weight = if is_remembered { MANY } else { 1 };
            self.conditional.push((behind, weight));
        }
    }

    /// Notes a context manager that runs code of the project, or holds a lock of the thread.
    fn entered(&mut self, expr: &'a Expr) {
        let text = one_line(self.writer.text(expr));
        match self.writer.value(expr, self.scope, BINDINGS) {
            Some(Value::Instance(Target::Class(_))) => {
                self.shares(|| format!("can't tell whether `with {text}` is thread-safe"));
            }
            Some(Value::Instance(Target::Import(path)) | Value::Target(Target::Import(path)))
                if path.dotted().is_some_and(|path| HELD.contains(&path)) =>
            {
                self.ties(|| format!("`{text}` can only be used by the thread that holds it"));
            }
            _ => {}
        }
    }

    /// Notes an attribute that runs code of its class, or depends on the thread.
    fn attribute_used(&mut self, attribute: &'a ast::ExprAttribute) {
        let own = self.writer.value(&attribute.value, self.scope, BINDINGS);
        if own
            .as_ref()
            .is_some_and(|own| self.writer.is_of_thread(own))
        {
            let text = one_line(self.writer.text(attribute));
            self.ties(|| {
                format!("`{text}` is thread-local and has another value in another thread")
            });
        }
        if let Some(Value::Instance(Target::Class(class))) = own
            && attribute.value.is_name_expr()
            && self.writer.is_property(class, &attribute.attr)
        {
            let text = self.writer.text(attribute);
            self.shares(|| format!("can't tell whether the property `{text}` is thread-safe"));
        }
    }

    fn call(&mut self, call: &'a ast::ExprCall) {
        if let Expr::Attribute(method) = &*call.func {
            self.used_up.insert(method.value.range());
        }
        if self.writer.consumes(call, self.scope) || self.writer.closes(call, self.scope) {
            let given = call.arguments.args.iter();
            self.used_up.extend(given.map(Ranged::range));
        }
        self.given(call);
        self.goes_through_arguments(call);
        self.steps_through_arguments(call);
        match &*call.func {
            Expr::Attribute(method) => self.member_called(call, method),
            func => match self.value(func) {
                Some(Value::Target(Target::Unknown)) | None => self.unknown(call),
                // Which class comes next depends on the instance.
                Some(Value::Target(Target::Import(path)))
                    if path.dotted() == Some("builtins.super") =>
                {
                    self.unknown(call);
                }
                Some(Value::Target(target)) => self.function_called(call, target),
                Some(_) => self.unknown(call),
            },
        }
    }

    /// Notes the functions that a call is given, and may call.
    fn given(&mut self, call: &'a ast::ExprCall) {
        for argument in call.arguments.iter_source_order() {
            let value = argument.value();
            if matches!(value, Expr::Name(_) | Expr::Attribute(_)) {
                self.borrowed(value);
            }
            if let Expr::Attribute(method) = value
                && method_changes(&method.attr)
                // `reverse=options.reverse`
                && !matches!(argument, ArgOrKeyword::Keyword(keyword)
                    if keyword.arg.as_deref() == Some(method.attr.as_str()))
                && !matches!(self.value(&method.value), Some(Value::Target(_)))
                && !self.is_own(&method.value, Extent::Itself)
            {
                self.changes(&method.value);
            }
            let is_unknown = match value {
                Expr::Lambda(lambda) if self.runs_here(call, lambda) => false,
                Expr::Lambda(lambda) => runs_code(&lambda.body),
                Expr::Name(_) | Expr::Attribute(_) => matches!(
                    self.writer.value(value, self.scope, BINDINGS),
                    Some(Value::Target(Target::Function(_)))
                ),
                _ => false,
            };
            if is_unknown {
                let text = last_name(&call.func).unwrap_or_default();
                let given = if value.is_lambda_expr() {
                    "the lambda".to_owned()
                } else {
                    format!("`{}`", one_line(self.writer.text(value)))
                };
                self.shares(|| {
                    format!("`{text}` may call {given}, and asyncfix can't tell whether that is thread-safe")
                });
            }
        }
    }

    pub(super) fn add(&mut self, call: &'a ast::ExprCall, callee: Callee) {
        let passed = match callee {
            Callee::Plain(Target::Unknown) => Box::default(),
            Callee::Plain(_) => self.passed(call, None),
            Callee::Method(..) => self.passed(call, call.func.as_attribute_expr()),
        };
        self.add_call(&call.func, call.range(), callee, passed);
    }

    /// Adds a call at `range`, of what is written so.
    pub(super) fn add_call(
        &mut self,
        written: &'a Expr,
        range: TextRange,
        callee: Callee,
        passed: Box<[Passed]>,
    ) {
        let written = Name::new(one_line(self.writer.text(written)));
        let conditions = self.conditions(range);
        self.written.calls.push(Call {
            callee,
            written,
            is_raised: self.raised.contains(&range),
            conditions,
            passed,
        });
    }

    /// Notes a call of something unknown. The first one tells all that there is to know.
    pub(super) fn unknown(&mut self, call: &'a ast::ExprCall) {
        let is_known = |known: &Call| matches!(known.callee, Callee::Plain(Target::Unknown));
        if !self.written.calls.iter().any(is_known) {
            self.add(call, Callee::Plain(Target::Unknown));
        }
    }

    /// Notes a reason for which the function belongs to its thread.
    pub(super) fn ties(&mut self, reason: impl FnOnce() -> String) {
        let known = &mut self.written.tied;
        known.get_or_insert_with(|| reason().into_boxed_str());
    }

    /// Notes that the function does something to what it shares.
    fn shares(&mut self, reason: impl FnOnce() -> String) {
        let known = &mut self.written.shared;
        known.get_or_insert_with(|| reason().into_boxed_str());
    }

    pub(super) fn function_called(&mut self, call: &'a ast::ExprCall, target: Target) {
        let path = match &target {
            Target::Import(path) => path.dotted(),
            _ => None,
        };
        let Some(path) = path else {
            self.add(call, Callee::Plain(target));
            return;
        };
        if needs_main_thread(path) {
            self.ties(|| format!("`{path}` works only in the main thread"));
            return;
        }
        if AWARE.contains(&path) {
            // Without a running loop these raise: only who catches that can do without one.
            let is_certain = NEEDING_LOOP.contains(&path)
                && !self
                    .tried
                    .iter()
                    .any(|body| body.contains_range(call.range()));
            self.is_aware |= !is_certain;
            self.ties(|| {
                format!(
                    "`{path}` is called on the way, and another thread has no running event loop"
                )
            });
            return;
        }
        let is_own = |given: &'a Expr| self.is_made_here(given);
        if self.writer.closes(call, self.scope) && call.arguments.args.iter().all(is_own) {
            return;
        }
        if let Some(row) = self.writer.table.function(path) {
            self.blocking(call, path.trim_start_matches("builtins."), row, false);
        } else if LIBRARIES.contains(&package_of(path)) {
            self.ties(|| format!("`{path}` can only be used in the event loop's thread"));
        } else if changes(path) || !is_thread_safe(path) {
            self.add(call, Callee::Plain(target));
        }
    }

    pub(super) fn method_called(&mut self, call: &'a ast::ExprCall, class: Target, method: &str) {
        let path = match &class {
            Target::Import(path) => path.dotted(),
            _ => None,
        };
        let Some(path) = path else {
            self.add(call, Callee::Method(class, Name::new(method)));
            return;
        };
        if let Some((name, row)) = self.writer.table.method(path, method) {
            self.blocking(call, name, row, true);
        } else if LIBRARIES.contains(&package_of(path)) {
            self.ties(|| format!("`{path}` can only be used in the event loop's thread"));
        } else if changes_context(&format!("{path}.{method}")) && !self.sets_back() {
            let text = one_line(self.writer.text(&*call.func));
            self.ties(|| format!("`{text}` would only change the thread's copy of the context"));
        } else if !is_thread_safe(path)
            && !is_thread_safe(&format!("{path}.{method}"))
            && !self.is_receiver_own(call)
        {
            self.add(call, Callee::Method(class, Name::new(method)));
        }
    }

    /// Whether the function puts back what it changes of the context.
    fn sets_back(&self) -> bool {
        self.writer.text(self.function).contains(".reset(")
    }

    pub(super) fn blocking(
        &mut self,
        call: &'a ast::ExprCall,
        name: &str,
        row: &Row,
        is_method: bool,
    ) {
        self.works_on(call, row, is_method);
        // Single calls of the system are a rule of their own, off unless it is asked for.
        if row.code == PATH_CALL || row.direct {
            return;
        }
        // What a factory makes blocks where it is used, and what is lazy where it is asked for more.
        let is_made = matches!(row.kind, Kind::Outline | Kind::Report) && !is_method || row.lazy;
        let is_lazy = self
            .lazy
            .iter()
            .any(|lazy| lazy.contains_range(call.range()));
        if is_made && !self.is_used_up(call) || is_lazy {
            return;
        }
        // What the function made for itself is used by one thread only.
        let is_whole = row.whole && (!is_method || self.is_receiver_made_here(call))
            || row.memory
            || row.of_handle
                && matches!(call.arguments.args.first(), Some(given)
                    if self.is_own(given, Extent::Itself))
            || is_method
                && row.kind == Kind::ToThread
                && row.code == HTTP
                && self.is_receiver_own(call);
        self.writes(call, row, is_method);
        if row.kind == Kind::Report && !is_whole {
            self.ties(|| row.reason.clone().unwrap_or_default());
        } else if let Some(reason) = unsafe_because(row, call).filter(|_| !is_whole && !row.lazy) {
            self.shares(|| reason.to_owned());
        }
        let waits = row.code == SLEEP || row.timeout.is_some() && row.reason.is_some();
        if waits && self.is_polling(call.range()) {
            self.shares(|| {
                "after a cancellation the thread goes on polling, and keeps the program from ending"
                    .to_owned()
            });
        }
        let function = self.writer.text(self.function);
        if !always_blocks(row, call, function, self.writer.source)
            || row.shared && self.is_receiver_own(call)
        {
            return;
        }
        if row.memory && !self.is_on_disk(call) {
            return;
        }
        let conditions = self.conditions(call.range());
        let is_better = self
            .written
            .blocked
            .as_ref()
            .is_none_or(|known| known.conditions > conditions);
        if is_better {
            self.written.blocked = Some(Blocked {
                name: Name::new(name),
                conditions,
            });
        }
    }

    /// Whether a loop around `range` asks again and again for what happens outside.
    fn is_polling(&self, range: TextRange) -> bool {
        let around = Around {
            text: &|expr| one_line(self.writer.text(expr)),
            path: &|func| match self.writer.target(func, self.scope) {
                Target::Import(path) => path.dotted().map(str::to_owned),
                _ => None,
            },
            value: &|name| self.usual_value(name),
        };
        let mut loops = self.loops.iter();
        loops.any(|statement| statement.range().contains_range(range) && polls(statement, &around))
    }

    /// The one value that a name has, or that a parameter has where it is given none.
    fn usual_value(&self, name: &str) -> Option<&'a Expr> {
        let at = self.writer.scope_of(name, self.scope)?;
        let own = self.writer.scopes.all.get(at)?;
        match own.bindings.get(name)?.as_slice() {
            [Binding::Value(value) | Binding::Annotated(_, Some(value))] => Some(value),
            [Binding::Parameter(parameter)] => parameter.default(),
            _ => None,
        }
    }

    /// Whether the object that a method is called on was made by this function, which uses it up.
    fn is_receiver_made_here(&self, call: &'a ast::ExprCall) -> bool {
        matches!(&*call.func, Expr::Attribute(method) if self.is_made_here(&method.value))
    }

    /// Whether the object that a method is called on is nobody else's.
    fn is_receiver_own(&self, call: &'a ast::ExprCall) -> bool {
        matches!(&*call.func, Expr::Attribute(method) if self.is_own(&method.value, Extent::Itself))
            || self.is_receiver_made_here(call)
    }

    pub(super) fn is_used_up(&self, call: &ast::ExprCall) -> bool {
        self.used_up.contains(&call.range())
            || self
                .named
                .get(&call.range())
                .is_some_and(|name| self.uses_up(name))
    }

    /// Notes that code runs under a condition.
    fn depends(&mut self, range: TextRange) {
        self.conditional.push((range, 1));
    }

    /// How many conditions a call depends on.
    fn conditions(&mut self, call: TextRange) -> usize {
        // Calls are met in the order of the source.
        self.conditional
            .retain(|(range, _)| range.end() > call.start());
        self.conditional
            .iter()
            .filter(|(range, _)| range.contains_range(call))
            .map(|(_, weight)| weight)
            .sum()
    }
}

/// Whether evaluating an expression calls something.
fn runs_code(expr: &Expr) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.0 |= expr.is_call_expr();
            if !self.0 {
                walk_expr(self, expr);
            }
        }
    }
    let mut search = Search(false);
    search.visit_expr(expr);
    search.0
}

/// Whether `expr` holds `part`.
fn mentions(expr: &Expr, part: &Expr) -> bool {
    struct Search<'a> {
        part: ComparableExpr<'a>,
        is_found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.is_found |= ComparableExpr::from(expr) == self.part;
            if !self.is_found {
                walk_expr(self, expr);
            }
        }
    }
    let mut search = Search {
        part: ComparableExpr::from(part),
        is_found: false,
    };
    search.visit_expr(expr);
    search.is_found
}

/// Whether a statement of the suite assigns to this name or attribute.
fn assigns(suite: &[Stmt], asked: &Expr) -> bool {
    let what = ComparableExpr::from(asked);
    suite.iter().any(|statement| {
        let is_it = |target: &Expr| ComparableExpr::from(target) == what;
        match statement {
            Stmt::Assign(assign) => assign.targets.iter().any(is_it),
            Stmt::AnnAssign(assign) => is_it(&assign.target),
            other => suites_in(other)
                .into_iter()
                .any(|suite| assigns(suite, asked)),
        }
    })
}

/// Whether an `if` makes something only where it is not there yet: `if table is None: table = load()`.
fn is_remembered(statement: &ast::StmtIf) -> bool {
    let asked = match &*statement.test {
        Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
            ([ast::CmpOp::Is], [Expr::NoneLiteral(_)]) => &*compare.left,
            _ => return false,
        },
        Expr::UnaryOp(negated) if negated.op == ast::UnaryOp::Not => &*negated.operand,
        _ => return false,
    };
    assigns(&statement.body, asked)
}

/// More conditions than a chain may depend on.
const MANY: usize = CONDITIONS.count() + 1;

/// From the first statement of a suite to the last.
fn range_of(suite: &[Stmt]) -> Option<TextRange> {
    Some(TextRange::new(suite.first()?.start(), suite.last()?.end()))
}

/// What the thread that holds it may take once more, and no other.
const HELD: [&str; 2] = ["threading.RLock", "threading.Condition"];

/// What asks for the running loop, and raises where there is none.
const NEEDING_LOOP: [&str; 2] = ["asyncio.get_running_loop", "asyncio.current_task"];

/// The rule of requests over the network.
const HTTP: &str = "AF202";

/// The rule of `time.sleep`.
const SLEEP: &str = "AF201";

/// The rule of single calls of the system.
const PATH_CALL: &str = "AF208";
