//! What is done because of what was found before: a folder is not there, and a command makes it; nothing listens at a
//! port, and a server is started. Who lets others run in between lets them find the same.

use asyncfix_syntax::queries::{own_calls, own_code};
use asyncfix_syntax::site::{Owner, Site, suites_in};
use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::blocking::asked::{Answer, is_answer};
use crate::blocking::commands::run_by_call;
use crate::blocking::files::{self, Use, is_run_once};
use crate::blocking::listings;
use crate::blocking::locals::{Locals, Source};
use crate::blocking::paths::{Agreement, Path};
use crate::blocking::taken_away;
use crate::file::File;

/// Methods and functions that tell whether something runs, by name: to be wrong about one means to hold back.
const ASKING: [&str; 5] = ["poll", "is_alive", "is_running", "connect_ex", "pid_exists"];

/// Whether the command that `call` runs is run because something was not there that it is given.
pub(super) fn is_command_behind_check<'a>(
    file: &File<'a, '_>,
    owner: Owner<'a>,
    call: &'a ast::ExprCall,
) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let around = file.file_uses().within(function.range());
    let mut asked = around.iter().filter(|asked| {
        asked.does.asks
            && asked.range.start() < call.start()
            && asked.path.agreement != Agreement::Never
    });
    asked.any(|asked| {
        is_answer(function, &[asked.range], call.range(), Answer::Missing)
            && is_given(file, function, call, &asked.path)
    }) && !is_run_once(file, function)
}

/// Whether what `call` tells about a path is asked for to run a command with it.
pub(super) fn is_asked_for_command<'a>(
    file: &File<'a, '_>,
    owner: Owner<'a>,
    call: &ast::ExprCall,
) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let asked = file.file_uses().within(call.range());
    let mut behind = own_calls(&function.body)
        .into_iter()
        .filter(|other| other.start() >= call.end());
    behind.any(|other| {
        let mut asked = asked.iter().filter(|asked| asked.does.asks);
        asked.any(|asked| {
            asked.path.agreement != Agreement::Never && is_given(file, function, other, &asked.path)
        }) && is_answer(function, &[call.range()], other.range(), Answer::Missing)
            && !run_by_call(
                &file.semantics,
                &file.settings.blocking,
                other,
                Some(function),
            )
            .is_empty()
    }) && !is_run_once(file, function)
}

/// Whether a call is given a path, also by way of a list that is made before.
fn is_given<'a>(
    file: &File<'a, '_>,
    function: &'a ast::StmtFunctionDef,
    call: &'a ast::ExprCall,
    path: &Path,
) -> bool {
    struct Search<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        path: &'f Path,
        names: Vec<&'a str>,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let Some(expr) = node.as_expr_ref() {
                let text = self.file.text(expr);
                self.found |= taken_away::is_written(text, self.path);
            }
            if let AnyNodeRef::ExprName(name) = node {
                self.names.push(&name.id);
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Search {
        file,
        path,
        names: Vec::new(),
        found: false,
    };
    search.visit_arguments(&call.arguments);
    if !search.found {
        let locals = Locals::of(file, function);
        for name in std::mem::take(&mut search.names) {
            if let Some([Source::Value(value)]) = locals.sources(name) {
                search.visit_expr(value);
            }
        }
    }
    search.found
}

/// Whether the code at `site` sleeps between a check and what is done because of it: a file is not there, and is made
/// then; something does not run, and is started.
pub(super) fn is_sleep_behind_check<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let at = site.node.range();
    (is_file_changed_behind(file, function, at) || is_started_behind_check(file, site))
        && !is_run_once(file, function)
}

/// Whether others would run at `at` between what is asked about a file, or about the folder in which it is written, and
/// the change that follows from it.
pub(super) fn is_between_check_and_change(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    at: TextRange,
) -> bool {
    let around = file.file_uses().within(function.range());
    let is_opened = |changed: &Use| {
        let does = changed.does;
        let which = if does.removes || does.makes {
            Answer::Any
        } else if does.writes || does.fills {
            Answer::Free
        } else {
            return false;
        };
        let asked: Vec<TextRange> = files::asked_about(around, changed)
            .into_iter()
            .filter(|asked| {
                asked.start() <= at.start()
                    && !listings::is_open(function, asked.end(), changed.range.start())
            })
            .collect();
        is_answer(function, &asked, changed.range, which)
    };
    let mut behind = around.iter().filter(|changed| {
        changed.range.start() >= at.end() && changed.path.agreement != Agreement::Never
    });
    behind.any(is_opened) && !is_run_once(file, function)
}

fn is_file_changed_behind(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    at: TextRange,
) -> bool {
    let around = file.file_uses().within(function.range());
    let mut asked = around
        .iter()
        .filter(|asked| asked.does.asks && asked.range.start() < at.start());
    asked.any(|asked| {
        asked.path.agreement != Agreement::Never
            && is_answer(function, &[asked.range], at, Answer::Any)
            && around.iter().any(|other| {
                other.range.start() >= at.end()
                    && (other.does.changes() || other.does.makes)
                    && other.path.is_same(&asked.path)
                    && !other.is_kept_apart_from(asked)
            })
    })
}

/// Whether a process is started in the code under a test around `site`, where that asks whether something runs.
fn is_started_behind_check<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> bool {
    let mut at = Some(*site);
    while let Some(place) = at.and_then(|at| at.place()) {
        let before = place.suite.get(..place.index).unwrap_or_default();
        let passed = before.iter().rev().find_map(|statement| match statement {
            Stmt::If(inner) if leaves(statement) && asks(file, &inner.test) => Some(inner.end()),
            _ => None,
        });
        let under = match place.parent {
            Some(AnyNodeRef::StmtIf(inner))
                if asks(file, &inner.test) && inner.test.end() <= site.node.start() =>
            {
                Some(inner.test.end())
            }
            _ => None,
        };
        if let Some(from) = passed.or(under)
            && starts(file, place.suite, from, site.node.start())
        {
            return true;
        }
        match place.parent {
            None | Some(AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_)) => break,
            Some(_) => at = at.and_then(|at| at.statement()?.outer()),
        }
    }
    false
}

/// Whether a branch is left for good.
fn leaves(statement: &Stmt) -> bool {
    suites_in(statement).iter().any(|suite| {
        matches!(
            suite.last(),
            Some(Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_))
        )
    })
}

/// Whether a test asks a function of the project, or whether something runs.
fn asks(file: &File<'_, '_>, test: &Expr) -> bool {
    any_over_expr(test, |expr| {
        let Expr::Call(call) = expr else {
            return false;
        };
        let is_named = call
            .func
            .as_attribute_expr()
            .is_some_and(|method| ASKING.contains(&method.attr.as_str()));
        is_named || {
            let semantics = &file.semantics;
            let function = semantics.function_in_sight(&call.func);
            function.is_some_and(|function| {
                let db = semantics.db();
                !function.definition.file(db).is_stub(db)
                    && function.node(db).is_some_and(|node| !node.is_async)
            })
        }
    })
}

/// Whether code behind `from` starts a process, and nothing is awaited from there to `until`.
fn starts(file: &File<'_, '_>, suite: &[Stmt], from: TextSize, until: TextSize) -> bool {
    struct Search<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        from: TextSize,
        until: TextSize,
        starts: bool,
        awaits: bool,
    }
    impl<'b> SourceOrderVisitor<'b> for Search<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
            if node.start() < self.from {
                return own_code(node);
            }
            match node {
                AnyNodeRef::ExprAwait(_) => self.awaits |= node.start() < self.until,
                AnyNodeRef::ExprCall(call) => {
                    let path = self.file.semantics.qualified_name(&call.func);
                    self.starts |= path.is_some_and(|path| {
                        let row = self.file.settings.blocking.function(&path);
                        path == "subprocess.Popen" || row.is_some_and(|row| row.code == "AF203")
                    });
                }
                _ => {}
            }
            own_code(node)
        }
    }
    let mut search = Search {
        file,
        from,
        until,
        starts: false,
        awaits: false,
    };
    search.visit_body(suite);
    search.starts && !search.awaits
}
