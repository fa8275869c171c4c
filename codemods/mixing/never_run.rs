//! AF402 coroutine-never-run: plain code that makes a coroutine has to give it to an event loop
//! (Python documentation, Coroutines and Tasks).

use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::forgotten_await::call::{
    awaitability_of, is_overridden_plainly, is_synchronized, once_plain,
};
use crate::forgotten_await::uses::{Use, is_forgotten, use_of};
use crate::key::name_key;
use crate::mixing::is_main_guard;
use crate::outline::last_name;
use crate::project::Library;
use crate::rule::Rule;
use crate::semantics::Awaitability;
use crate::site::{Obstacle, Owner, Site, suites_in};
use crate::spelling::Spellings;
use crate::support::expected::is_expected;
use crate::support::imports;
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

    fn candidate(&self, spellings: &Spellings, site: &Site<'_, '_>) -> Candidate {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return Candidate::No;
        };
        match last_name(&call.func) {
            Some(name)
                if !site.is_asynchronous(spellings.await_at_top())
                    && use_of(site) != Use::Other =>
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
            || awaitability_of(file, call) != Awaitability::Coroutine
            // In plain code, it is more likely the older version.
            || once_plain(file, call).is_some()
            || is_run_otherwise(file, surroundings.owner)
        {
            return None;
        }
        let method = call.func.as_attribute_expr();
        if method.is_some_and(|method| file.semantics.is_rebound(&method.value, &method.attr)) {
            return None;
        }
        let remedy = if method.is_some_and(|method| is_overridden_plainly(file, method)) {
            Remedy::NotFixed("a class in sight overrides the method with a plain one".to_owned())
        } else {
            match rewrite(file, site, call, surroundings.owner) {
                Ok(rewrite) => Remedy::Rewrite(rewrite),
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
    function.decorator_list.iter().any(|decorator| {
        let callee = match &decorator.expression {
            Expr::Call(call) => &*call.func,
            other => other,
        };
        !file.semantics.means(callee, TRANSPARENT)
    })
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
    if place.runs_more_than(file, call) {
        return Err(
            "several coroutines want one event loop: put them into one coroutine function"
                .to_owned(),
        );
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

/// Code that runs once when a script starts.
struct Start<'a> {
    /// The statements that belong to it, functions and classes aside.
    suites: Vec<&'a [Stmt]>,
}

impl<'a> Start<'a> {
    /// Whether more than `call` wants an event loop here: it stands in a loop, or another coroutine
    /// is made or run that is not in another branch.
    fn runs_more_than(&self, file: &File<'a, '_>, call: &'a ast::ExprCall) -> bool {
        let mut search = Runs {
            file,
            path: Vec::new(),
            loops: 0,
            found: Vec::new(),
        };
        for suite in &self.suites {
            search.suite(suite, None);
        }
        let Some(own) = search
            .found
            .iter()
            .find(|run| run.range == call.range())
            .cloned()
        else {
            return true;
        };
        own.in_loop
            || search
                .found
                .iter()
                .any(|other| other.range != own.range && !own.excludes(other))
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
        .any(|(node, _)| matches!(node, AnyNodeRef::StmtIf(statement) if is_main_guard(statement)));
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
