//! AF201 blocking-sleep: `time.sleep` in a coroutine stops every other task of the loop.

use ruff_diagnostics::Edit;
use ruff_python_ast::{AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::project::Library;
use crate::rule::Rule;
use crate::site::{Obstacle, Owner, Site, Surroundings};
use crate::spelling::Spellings;
use crate::support::imports;
use crate::support::locks;
use crate::{Candidate, Codemod};

/// The codemod of AF201.
pub struct BlockingSleep;

static RULE: Rule = Rule {
    code: "AF201",
    name: "blocking-sleep",
    pitfall: "blocking the event loop",
    page: include_str!("AF201.md"),
    default: true,
    equivalents: &["ASYNC251", "ASYNC101"],
};

impl Codemod for BlockingSleep {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["sleep"]
    }

    fn candidate(&self, spellings: &Spellings, site: &Site<'_, '_>) -> Candidate {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return Candidate::No;
        };
        // `await asyncio.sleep(…)` is all over the code that is right; `await time.sleep(…)` fails.
        let right = is_awaited(site)
            && matches!(&*call.func, Expr::Attribute(attribute)
                if matches!(&*attribute.value, Expr::Name(name) if name.id != "time"));
        Candidate::when(!right && spellings.allow(&call.func, &["time.sleep"]))
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return None;
        };
        let surroundings = file.surroundings(site);
        if !file.is_async(surroundings.owner)
            || surroundings.obstacle == Some(Obstacle::Signature)
            || !file.semantics.means(&call.func, &["time.sleep"])
        {
            return None;
        }
        let library = file.library();
        if library == Some(Library::Other) {
            return None;
        }
        Some(Finding {
            rule: &RULE,
            range: call.range(),
            message: "`time.sleep` blocks the event loop: no other task runs meanwhile".to_owned(),
            remedy: match rewrite(file, site, surroundings, library) {
                Ok(rewrite) => Remedy::Rewrite(rewrite),
                Err(reason) => Remedy::NotFixed(reason),
            },
        })
    }
}

fn is_awaited(site: &Site<'_, '_>) -> bool {
    matches!(site.parent(), Some(AnyNodeRef::ExprAwait(_)))
}

fn rewrite<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    surroundings: Surroundings<'a>,
    library: Option<Library>,
) -> Result<Rewrite, String> {
    let AnyNodeRef::ExprCall(call) = site.node else {
        return Err("this is not a call".to_owned());
    };
    if let Some(obstacle) = surroundings.obstacle {
        return Err(obstacle.reason().to_owned());
    }
    // `time.sleep` takes one positional argument and no keywords; anything else raises today.
    if call.arguments.args.len() != 1
        || call.arguments.args.iter().any(Expr::is_starred_expr)
        || !call.arguments.keywords.is_empty()
    {
        return Err("`time.sleep` takes exactly one positional argument".to_owned());
    }
    let lock = locks::allow_await(file, site, surroundings.owner)?;
    let module = library.unwrap_or(Library::Asyncio);
    let module_name = module.module().unwrap_or("asyncio");
    let scope = match surroundings.owner {
        Owner::Function(function) => file.semantics.function_scope(function),
        _ => None,
    }
    .or_else(|| file.semantics.scope_of(&call.func))
    .ok_or("the scope of the call is not known")?;
    let imported = imports::import(file, module_name, "sleep", scope, call.start())?;
    // Parentheses around the callee go with it; the space before the arguments stays otherwise.
    let end = if call.func.start() == call.start() {
        call.func.end()
    } else {
        call.arguments.start()
    };
    let callee = TextRange::new(call.start(), end);
    let edits = if is_awaited(site) {
        vec![Edit::range_replacement(imported.expression.clone(), callee)]
    } else {
        file.await_edits(site, callee, &imported.expression)
    };
    let ambiguous = library
        .is_none()
        .then_some("the project uses several async libraries, and this file does not say which");
    Ok(
        Rewrite::safe(format!("Await `{}`", imported.expression), edits)
            .with_shared(imported.edit)
            .unsafe_if(lock)
            .unsafe_if(ambiguous),
    )
}
