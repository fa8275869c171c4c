//! Where a program starts in plain code: the top level of a script, or the one plain function that it calls.

use asyncfix_syntax::queries::{is_main_guard, last_name};
use asyncfix_syntax::site::{Obstacle, Owner, Site, suites_in};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use super::runners::{Runner, may_have_loop, own_loop, reached};
use crate::answers::awaitable::awaitability_of;
use crate::facts::key::name_key;
use crate::file::ParsedFile;
use crate::infer::types::Awaitability;
use crate::resolve::bindings::Origin;

/// Code that runs once when a script starts.
pub struct Start<'a> {
    /// The top level of the script, functions and classes aside.
    script: &'a [Stmt],
    /// The plain function that it calls, and the name at that call.
    function: Option<(&'a [Stmt], TextRange)>,
}

/// What else wants an event loop where a script starts.
#[derive(Debug, PartialEq, Eq)]
pub enum Other {
    /// More coroutines, or these ones again and again.
    Coroutines,
    /// Something that makes an event loop of its own; with its name.
    Runner(String),
    /// Something that may do so; with its name.
    Perhaps(String),
}

impl Other {
    /// Why nothing else can be run in an event loop there; `None` where it is not certain that it cannot.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Coroutines => Some(
                "several coroutines need to run here; move them into one `async def` and run that \
                 with `asyncio.run`"
                    .to_owned(),
            ),
            Self::Runner(name) => Some(format!(
                "`{name}` runs its own event loop, and what this coroutine uses would belong to \
                 another loop"
            )),
            Self::Perhaps(_) => None,
        }
    }

    /// Why it may break something to run a coroutine there.
    pub fn doubt(&self) -> Option<String> {
        match self {
            Self::Perhaps(name) => Some(own_loop(name)),
            _ => None,
        }
    }
}

impl<'a> Start<'a> {
    /// What else than `calls` wants an event loop here: one of them stands in a loop, or another coroutine is made or
    /// run that is not in another branch.
    pub fn other(&self, file: &ParsedFile<'a, '_>, calls: &[&'a ast::ExprCall]) -> Option<Other> {
        let mut search = Runs {
            file,
            edge: self.function.map(|(_, name)| name),
            path: Vec::new(),
            path_to_edge: Vec::new(),
            loops: 0,
            loops_to_edge: 0,
            found: Vec::new(),
        };
        search.suite(self.script, None);
        if let Some((body, _)) = self.function {
            search.path = std::mem::take(&mut search.path_to_edge);
            search.loops = search.loops_to_edge;
            search.suite(body, None);
        }
        let (own, others): (Vec<&Run>, Vec<&Run>) = search
            .found
            .iter()
            .partition(|run| calls.iter().any(|call| call.range() == run.range));
        if own.len() != calls.len() || own.iter().any(|own| own.in_loop) {
            return Some(Other::Coroutines);
        }
        let others = others
            .into_iter()
            .filter(|other| own.iter().any(|own| !own.excludes(other)));
        let found: Vec<_> = others.map(|other| &other.runner).collect();
        // What stands in the way says more than what may do so.
        let runner = found.iter().find_map(|runner| match runner {
            Some(Runner::OfItsOwn(name)) => Some(Other::Runner(name.clone())),
            _ => None,
        });
        let coroutine = found
            .iter()
            .any(|runner| matches!(runner, None | Some(Runner::OfCoroutine)))
            .then_some(Other::Coroutines);
        let perhaps = found.iter().find_map(|runner| match runner {
            Some(Runner::Perhaps(name)) => Some(Other::Perhaps(name.clone())),
            _ => None,
        });
        runner.or(coroutine).or(perhaps)
    }

    /// Why an object that the coroutine of `call` uses may belong to another event loop: the code around calls methods
    /// of it as well, and what they do is not in sight.
    pub fn used_outside(
        &self,
        file: &ParsedFile<'a, '_>,
        call: &'a ast::ExprCall,
    ) -> Option<String> {
        let mut names: FxHashSet<String> = globals_of(file, call).into_iter().collect();
        if let Expr::Attribute(method) = &*call.func
            && let Expr::Name(receiver) = &*method.value
        {
            names.insert(receiver.id.to_string());
        }
        let mut search = UsesOutside {
            file,
            names,
            own: call.range(),
            found: None,
        };
        search.visit_body(self.script);
        if let Some((body, _)) = self.function {
            search.visit_body(body);
        }
        search.found.map(|name| {
            format!(
                "`{name}` is used outside of this event loop as well, and may belong to another one"
            )
        })
    }
}

/// The variables of this module that the coroutine function of `call` uses, and that hold what a call has made.
fn globals_of(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> Vec<String> {
    struct Globals<'f, 'a, 'db>(&'f ParsedFile<'a, 'db>, Vec<String>);
    impl<'n> SourceOrderVisitor<'n> for Globals<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'n>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(name) = node
                && name.ctx == ExprContext::Load
                && let semantics = &self.0.semantics
                && let Some(definitions) = semantics.bindings(name)
                && !definitions.is_empty()
                && definitions
                    .iter()
                    .all(|definition| definition.file_scope(semantics.db()).is_global())
                && semantics
                    .origins(name)
                    .iter()
                    .any(|origin| matches!(origin, Origin::Value(Expr::Call(_))))
            {
                self.1.push(name.id.to_string());
            }
            TraversalSignal::Traverse
        }
    }
    let semantics = &file.semantics;
    let Some(function) = semantics.function_in_sight(&call.func) else {
        return Vec::new();
    };
    let mut globals = Globals(file, Vec::new());
    if semantics.is_here(function.definition())
        && let Some(node) = function.node(semantics.db())
    {
        globals.visit_body(&node.body);
    }
    globals.1
}

/// Looks for a call that is not in sight, of a method of one of some objects.
struct UsesOutside<'f, 'a, 'db> {
    file: &'f ParsedFile<'a, 'db>,
    names: FxHashSet<String>,
    own: TextRange,
    found: Option<String>,
}

impl<'a> SourceOrderVisitor<'a> for UsesOutside<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprCall(call) => {
                let semantics = &self.file.semantics;
                if let Expr::Attribute(method) = &*call.func
                    && let Expr::Name(name) = &*method.value
                    && self.names.contains(name.id.as_str())
                    && call.range() != self.own
                    && semantics.function_in_sight(&call.func).is_none()
                    && may_have_loop(semantics, &method.value)
                {
                    self.found.get_or_insert_with(|| name.id.to_string());
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// A coroutine that is made or run.
#[derive(Clone)]
struct Run {
    range: TextRange,
    in_loop: bool,
    /// What runs it, if something does.
    runner: Option<Runner>,
    /// The statements with branches around it, and which branch it is in.
    path: Vec<(TextRange, usize)>,
}

impl Run {
    /// Whether only one of the two is ever reached.
    fn excludes(&self, other: &Self) -> bool {
        self.path.iter().any(|(statement, branch)| {
            other
                .path
                .iter()
                .any(|(same, another)| same == statement && branch != another)
        })
    }
}

/// Finds the coroutines that a piece of code makes or runs itself.
struct Runs<'f, 'a, 'db> {
    file: &'f ParsedFile<'a, 'db>,
    /// The name in the call of the function whose code is looked through as well.
    edge: Option<TextRange>,
    path: Vec<(TextRange, usize)>,
    /// The path to that call.
    path_to_edge: Vec<(TextRange, usize)>,
    loops: usize,
    loops_to_edge: usize,
    found: Vec<Run>,
}

impl<'a> Runs<'_, 'a, '_> {
    fn suite(&mut self, suite: &'a [Stmt], branch: Option<(TextRange, usize)>) {
        self.path.extend(branch);
        for statement in suite {
            self.statement(statement);
        }
        if branch.is_some() {
            self.path.pop();
        }
    }

    fn statement(&mut self, statement: &'a Stmt) {
        if matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            return;
        }
        let is_loop = matches!(statement, Stmt::For(_) | Stmt::While(_));
        let mut expressions = Expressions { found: Vec::new() };
        expressions.visit_stmt(statement);
        for call in expressions.found {
            if self.edge == Some(call.func.range()) {
                self.path_to_edge.clone_from(&self.path);
                self.loops_to_edge = self.loops;
                continue;
            }
            let runner = reached(&self.file.semantics, call);
            if runner.is_some() || self.makes_coroutine(call) {
                // `asyncio.run(main())` is one.
                let inside = self
                    .found
                    .last()
                    .is_some_and(|last| last.range.contains_range(call.range()));
                if !inside {
                    self.found.push(Run {
                        range: call.range(),
                        in_loop: self.loops > 0,
                        runner,
                        path: self.path.clone(),
                    });
                }
            }
        }
        self.loops += usize::from(is_loop);
        let branches = matches!(statement, Stmt::If(_) | Stmt::Match(_));
        for (index, suite) in suites_in(statement).into_iter().enumerate() {
            let branch = branches.then_some((statement.range(), index));
            self.suite(suite, branch);
        }
        self.loops -= usize::from(is_loop);
    }

    fn makes_coroutine(&self, call: &ast::ExprCall) -> bool {
        last_name(&call.func).is_some_and(|name| self.file.project.may_be_awaitable(name_key(name)))
            && awaitability_of(self.file, call) == Awaitability::Coroutine
    }
}

/// Collects the calls of a statement, those of the statements inside it aside.
struct Expressions<'a> {
    found: Vec<&'a ast::ExprCall>,
}

impl<'a> SourceOrderVisitor<'a> for Expressions<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node {
            self.found.push(call);
        }
        if node.is_expr_lambda() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }

    fn visit_body(&mut self, _body: &'a [Stmt]) {}
}

/// The top level of a script.
pub fn script<'a>(file: &ParsedFile<'a, '_>, site: &Site<'_, 'a>) -> Result<Start<'a>, String> {
    let guarded = site
        .enclosing_in_function()
        .any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtIf(statement) if is_main_guard(statement, child))
        });
    if !guarded && file.is_imported() {
        return Err(
            "another module imports this one, maybe while an event loop is running".to_owned(),
        );
    }
    Ok(Start {
        script: file.body(),
        function: None,
    })
}

/// A plain function that only the top level of the script calls, and once. `Err` with the reason
/// where the function is not that.
pub fn starting_function<'a>(
    file: &ParsedFile<'a, '_>,
    site: &Site<'_, 'a>,
    function: &'a ast::StmtFunctionDef,
) -> Result<Start<'a>, String> {
    let mut around = site
        .ancestors
        .iter()
        .rev()
        .skip_while(|node| node.range() != function.range())
        .skip(1);
    let outer = around.clone().find_map(|node| match node {
        AnyNodeRef::StmtFunctionDef(outer) => Some(outer.is_async),
        _ => None,
    });
    match (outer, site.class()) {
        (Some(true), _) => {
            return Err("an event loop is already running here".to_owned());
        }
        (_, Some(_)) => {
            return Err(
                "this method may be called while an event loop is running; then it must be awaited"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let unknown = || "can't tell whether an event loop is running when this function is called";
    let is_at_top = around.all(|node| {
        matches!(
            node,
            AnyNodeRef::ModModule(_) | AnyNodeRef::StmtIf(_) | AnyNodeRef::StmtTry(_)
        )
    });
    if !is_at_top || !function.decorator_list.is_empty() {
        return Err(unknown().to_owned());
    }
    let mut references = References {
        file,
        function,
        ancestors: vec![AnyNodeRef::ModModule(file.syntax())],
        from_script: Vec::new(),
        from_async: false,
        others: false,
    };
    references.visit_body(file.body());
    if references.from_async {
        return Err("async code calls this function while an event loop is running".to_owned());
    }
    if references.others || file.is_imported() && file.is_imported_name(&function.name) {
        return Err(unknown().to_owned());
    }
    match references.from_script.as_slice() {
        // Its runner calls it.
        [] if file.is_test_code(Owner::Function(function))
            && function.name.starts_with("test") =>
        {
            Err(
                "a sync test can't await this; with async test support, make the test an `async def`"
                    .to_owned(),
            )
        }
        [] => Err(unknown().to_owned()),
        [name] => Ok(Start {
            script: file.body(),
            function: Some((&function.body, *name)),
        }),
        _ => Err(
            "each call would start its own event loop; run all of them in one".to_owned(),
        ),
    }
}

/// Where the name of a function is used.
struct References<'f, 'a, 'db> {
    file: &'f ParsedFile<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    ancestors: Vec<AnyNodeRef<'a>>,
    /// Calls from the top level.
    from_script: Vec<TextRange>,
    /// Whether a coroutine function uses it.
    from_async: bool,
    /// Whether anything else does.
    others: bool,
}

impl<'a> SourceOrderVisitor<'a> for References<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_it = match node {
            AnyNodeRef::ExprName(name) => {
                name.ctx == ExprContext::Load && name.id == self.function.name.id
            }
            AnyNodeRef::StringLiteral(literal) => *literal.value == *self.function.name,
            _ => false,
        };
        if is_it {
            let site = Site {
                ancestors: &self.ancestors,
                node,
            };
            let is_called = matches!(site.parent(), Some(AnyNodeRef::ExprCall(call))
                if call.func.range() == node.range());
            let surroundings = self.file.surroundings(&site);
            match surroundings.owner {
                Owner::Function(function) if function.is_async => self.from_async = true,
                Owner::Module
                    if is_called && surroundings.obstacle != Some(Obstacle::Signature) =>
                {
                    self.from_script.push(node.range());
                }
                _ => self.others = true,
            }
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
