//! AF402 coroutine-never-run: plain code that makes a coroutine has to give it to an event loop
//! (Python documentation, Coroutines and Tasks).

use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, NodeKind, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::concurrency::signature::is_typed_throughout;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::forgotten_await::call::{
    awaitability_of, called_at, is_synchronized, once_plain, runs_by_itself,
};
use crate::forgotten_await::doubt::{doubt, is_overridden_plainly};
use crate::forgotten_await::uses::{Use, is_forgotten, may_be_forgotten, use_of};
use crate::key::name_key;
use crate::mixing::is_main_guard;
use crate::outline::last_name;
use crate::project::Library;
use crate::rule::Rule;
use crate::semantics::Awaitability;
use crate::sight::relied;
use crate::site::{Obstacle, Owner, Place, Site, suites_in};
use crate::spelling::Hints;
use crate::support::blocks::Block;
use crate::support::decorators::called;
use crate::support::expected::is_expected;
use crate::support::{imports, names};
use crate::suppression::Suppressions;
use crate::traces::search::Sought;
use crate::{Candidate, Codemod};

/// The codemod of AF402.
pub struct CoroutineNeverRun;

static RULE: Rule = Rule {
    code: "AF402",
    name: "coroutine-never-run",
    pitfall: "mixing sync and async code",
    page: include_str!("AF402.md"),
    default: true,
    equivalents: &[
        "unused-coroutine",
        "unused-awaitable",
        "reportUnusedCoroutine",
    ],
};

impl Codemod for CoroutineNeverRun {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["("]
    }

    // `from application import main` and `main()` are all it takes.
    fn in_plain_code(&self) -> bool {
        true
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprCall]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let AnyNodeRef::ExprCall(call) = site.node else {
            return Candidate::No;
        };
        match last_name(&call.func) {
            Some(name)
                if !site.is_asynchronous(spellings.await_at_top())
                    && may_be_forgotten(spellings, site) =>
            {
                Candidate::If(name_key(name), Sought::of_call(call))
            }
            _ => Candidate::No,
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return None;
        };
        let surroundings = file.surroundings(site);
        if file.is_async(surroundings.owner)
            || matches!(surroundings.owner, Owner::Lambda(_))
            || surroundings.obstacle.is_some()
            || !is_forgotten(file, site, surroundings.owner)
            || is_synchronized(file)
            || is_expected(site)
        {
            return None;
        }
        let called = called_at(file, site.node);
        let (awaitability, relied) = relied::noting(|| {
            let awaitability = awaitability_of(file, call);
            if awaitability == Awaitability::Coroutine {
                for callee in &called {
                    file.semantics.note_way_to_callee(callee);
                }
            }
            awaitability
        });
        if awaitability != Awaitability::Coroutine
            // In plain code, it is more likely the older version.
            || called.iter().any(|callee| once_plain(file, callee).is_some())
            || runs_by_itself(file, call)
            || is_run_otherwise(file, surroundings.owner)
        {
            return None;
        }
        let mut methods = called
            .iter()
            .filter_map(|callee| callee.as_attribute_expr());
        if methods.any(|method| file.semantics.is_rebound(&method.value, &method.attr)) {
            return None;
        }
        let remedy = if is_overridden_plainly(file, site.node) {
            Remedy::NotFixed("a class in sight overrides the method with a plain one".to_owned())
        } else {
            match rewrite(file, site, call, surroundings.owner) {
                Ok(rewrite) => Remedy::Rewrite(rewrite.unsafe_if(doubt(file, site.node, &relied))),
                Err(reason) => Remedy::NotFixed(reason),
            }
        };
        Some(Finding {
            rule: &RULE,
            range: call.range(),
            message: match use_of(site) {
                Use::Dropped => "no event loop ever runs this coroutine",
                _ => "this is a coroutine, not the value that running it gives",
            }
            .to_owned(),
            remedy,
        })
    }
}

/// Decorators that leave it to the caller when a function runs, and how.
const TRANSPARENT: &[&str] = &[
    "builtins.classmethod",
    "builtins.property",
    "builtins.staticmethod",
    "contextlib.contextmanager",
    "functools.cache",
    "functools.cached_property",
    "functools.lru_cache",
    "functools.wraps",
    "typing.no_type_check",
    "typing.override",
];

/// Whether a decorator may run the function in its own way: in a loop, as another language, never.
fn is_run_otherwise(file: &File<'_, '_>, owner: Owner<'_>) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    function
        .decorator_list
        .iter()
        .any(|decorator| !file.semantics.means(called(decorator), TRANSPARENT))
}

fn rewrite<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    owner: Owner<'a>,
) -> Result<Rewrite, String> {
    let place = match owner {
        Owner::Function(function) => starting_function(file, site, function)?,
        _ => script(file, site)?,
    };
    if place.runs_more_than(file, &[call]) {
        return match neighbours(file, site) {
            Some(group) if !place.runs_more_than(file, &group.calls) => {
                together(file, &group, owner)
            }
            _ => Err(
                "several coroutines want one event loop: put them into one coroutine function"
                    .to_owned(),
            ),
        };
    }
    let module = match file.library() {
        Some(Library::Other) => {
            return Err(
                "`twisted` or `curio` runs the coroutines of this file, and not asyncio".to_owned(),
            );
        }
        library => library.and_then(Library::module).unwrap_or("asyncio"),
    };
    let scope = file
        .semantics
        .scope_of_owner(owner)
        .ok_or("the scope of the call is not known")?;
    if module != "asyncio" && !call.arguments.is_empty() {
        return Err(format!(
            "`{module}.run` takes the function and its arguments, and not a coroutine"
        ));
    }
    let imported = imports::import(file, module, "run", scope, call.start())?;
    let edits = if module == "asyncio" {
        vec![
            Edit::insertion(format!("{}(", imported.expression), call.start()),
            Edit::insertion(")".to_owned(), call.end()),
        ]
    } else {
        let arguments = call.arguments.range();
        vec![
            Edit::insertion(format!("{}(", imported.expression), call.start()),
            Edit::range_replacement(")".to_owned(), arguments),
        ]
    };
    Ok(
        Rewrite::safe(format!("Run it with `{}`", imported.expression), edits)
            .with_shared(imported.edit),
    )
}

/// Coroutine calls that follow each other, each a statement of its own.
struct Group<'a> {
    /// The place of the first one.
    place: Place<'a>,
    calls: Vec<&'a ast::ExprCall>,
}

/// The coroutine calls around `site` that follow each other. `None` where there is only one.
fn neighbours<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Group<'a>> {
    let mut place = site.place()?;
    let suppressions = Suppressions::of(file);
    let coroutine = |statement: &'a Stmt| {
        let call = statement.as_expr_stmt()?.value.as_call_expr()?;
        // What the arguments call would run inside of the loop, and once ran before it.
        let is_plain = call
            .arguments
            .args
            .iter()
            .chain(call.arguments.keywords.iter().map(|keyword| &keyword.value))
            .all(|argument| argument.is_name_expr() || argument.is_literal_expr());
        let callee = match &*call.func {
            Expr::Name(_) => true,
            Expr::Attribute(method) => {
                method.value.is_name_expr()
                    && !file.semantics.is_rebound(&method.value, &method.attr)
            }
            _ => false,
        };
        (callee
            && is_plain
            && !is_overridden_plainly(file, call.into())
            && !suppressions.silence(&RULE, call.range())
            && awaitability_of(file, call) == Awaitability::Coroutine
            && once_plain(file, &call.func).is_none())
        .then_some(call)
    };
    let before = place.suite.get(..place.index)?.iter().rev();
    let start = place.index - before.map_while(coroutine).count();
    place.index = start;
    place.statement = place.suite.get(start)?;
    let calls: Vec<_> = place
        .suite
        .get(start..)?
        .iter()
        .map_while(coroutine)
        .collect();
    (calls.len() > 1).then_some(Group { place, calls })
}

/// Puts the calls of a group into one coroutine function.
fn together<'a>(
    file: &File<'a, '_>,
    group: &Group<'a>,
    owner: Owner<'a>,
) -> Result<Rewrite, String> {
    let library = file.library();
    if library.and_then(Library::module).unwrap_or("asyncio") != "asyncio"
        || matches!(library, Some(Library::Other))
    {
        return Err(
            "several coroutines want one event loop, and it is not that of asyncio".to_owned(),
        );
    }
    let Group { place, calls } = group;
    let scope = file
        .semantics
        .scope_of_owner(owner)
        .ok_or("the scope of the call is not known")?;
    let name = names::fresh(file, owner, &["main", "run_all"]);
    let imported = imports::import(file, "asyncio", "run", scope, place.statement.start())?;
    let block = file
        .lines()
        .block(
            place.suite,
            place.parent,
            place.index..place.index + calls.len(),
        )
        .filter(Block::stands_alone)
        .ok_or("the statement shares its line with another one")?;
    // An import that ends where the block starts comes before its blank lines.
    let (shared, mut edits): (Vec<_>, Vec<_>) = imported
        .edit
        .into_iter()
        .partition(|edit| edit.start() != block.start());
    // What Black wants around a function: nothing below the header of another one.
    let blank = match place.parent {
        None => 2,
        Some(_) => 1,
    };
    let missing = match place.parent {
        None | Some(AnyNodeRef::StmtFunctionDef(_)) if place.index == 0 => 0,
        _ => blank - blank_lines_before(file.source, block.start()).min(blank),
    };
    if missing > 0 {
        let lines = file.newline().repeat(missing);
        edits.push(Edit::insertion(lines, block.start()));
    }
    let returns = if is_typed_throughout(file.body()) {
        " -> None"
    } else {
        ""
    };
    let mut trailer = vec![String::new(); blank];
    trailer.push(format!("{}({name}())", imported.expression));
    edits.extend(block.wrap(&format!("async def {name}(){returns}:"), &trailer)?);
    edits.extend(
        calls
            .iter()
            .map(|call| Edit::insertion("await ".to_owned(), call.start())),
    );
    let mut rewrite =
        Rewrite::safe("Run them in one coroutine function", edits).with_shared(shared);
    rewrite.moves = Some(block.range());
    rewrite.alone_in = Some(match owner {
        Owner::Function(function) => function.start(),
        _ => TextSize::default(),
    });
    Ok(rewrite)
}

/// How many blank lines stand above the line that starts at `start`.
fn blank_lines_before(source: &str, start: TextSize) -> usize {
    source[..start.to_usize()]
        .lines()
        .rev()
        .take_while(|line| line.trim().is_empty())
        .count()
}

/// Code that runs once when a script starts.
struct Start<'a> {
    /// The statements that belong to it, functions and classes aside.
    suites: Vec<&'a [Stmt]>,
}

impl<'a> Start<'a> {
    /// Whether more than `calls` want an event loop here: one of them stands in a loop, or another
    /// coroutine is made or run that is not in another branch.
    fn runs_more_than(&self, file: &File<'a, '_>, calls: &[&'a ast::ExprCall]) -> bool {
        let mut search = Runs {
            file,
            path: Vec::new(),
            loops: 0,
            found: Vec::new(),
        };
        for suite in &self.suites {
            search.suite(suite, None);
        }
        let is_own = |run: &Run| calls.iter().any(|call| call.range() == run.range);
        let own: Vec<&Run> = search.found.iter().filter(|run| is_own(run)).collect();
        own.len() != calls.len()
            || own.iter().any(|own| {
                own.in_loop
                    || search
                        .found
                        .iter()
                        .any(|other| !is_own(other) && !own.excludes(other))
            })
    }
}

/// A coroutine that is made or run.
#[derive(Clone)]
struct Run {
    range: TextRange,
    in_loop: bool,
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
    file: &'f File<'a, 'db>,
    path: Vec<(TextRange, usize)>,
    loops: usize,
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
            let is_run = last_name(&call.func)
                .is_some_and(|name| matches!(name, "run" | "run_until_complete"))
                && call.arguments.args.first().is_some_and(Expr::is_call_expr);
            if is_run || self.makes_coroutine(call) {
                // `asyncio.run(main())` is one.
                let inside = self
                    .found
                    .last()
                    .is_some_and(|last| last.range.contains_range(call.range()));
                if !inside {
                    self.found.push(Run {
                        range: call.range(),
                        in_loop: self.loops > 0,
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
fn script<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> Result<Start<'a>, String> {
    let guarded = site
        .enclosing_in_function()
        .any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtIf(statement) if is_main_guard(statement, child))
        });
    if !guarded && file.is_imported() {
        return Err(
            "the module is imported by another one, and a loop may be running by then".to_owned(),
        );
    }
    Ok(Start {
        suites: vec![file.body()],
    })
}

/// A plain function that only the top level of the script calls, and once. `Err` with the reason
/// where the function is not that.
fn starting_function<'a>(
    file: &File<'a, '_>,
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
            return Err("it stands in asynchronous code, where a loop is running".to_owned());
        }
        (_, Some(_)) => {
            return Err(
                "a method may be called while a loop is running, where it has to be awaited"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let unknown = || "what calls this function, and whether a loop is running then, is not known";
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
        return Err("asynchronous code calls this function, while a loop is running".to_owned());
    }
    if references.others || file.is_imported() && file.is_imported_name(&function.name) {
        return Err(unknown().to_owned());
    }
    match references.from_script.as_slice() {
        [] => Err(unknown().to_owned()),
        [_] => Ok(Start {
            suites: vec![file.body(), &function.body],
        }),
        _ => Err("each call of this function would run another event loop: one event loop has to run them all".to_owned()),
    }
}

/// Where the name of a function is used.
struct References<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
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
