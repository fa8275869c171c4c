//! What is known of the values in code, how it is known, and what that relies on.
//!
//! Rules decide by the answers of the other modules; here these answers are put into words, for people who want to
//! know why something was found, or why a fix is safe.

use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::yields;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::answers::awaitable::awaitability_of;
use crate::file::ParsedFile;
use crate::infer::origin::Origin;
use crate::infer::types::{Awaitability, ClassOf};
use crate::limits::{FACTS, NAMED_CALLERS};
use crate::resolve::definitions::Function;
use crate::resolve::look::Relied;

/// How long code may be that is quoted, in characters.
const QUOTED: usize = 60;

/// One thing that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What is known, and how: one sentence without a full stop.
    pub fact: String,
    /// What nobody says, and is taken to be so unless code of the project says otherwise. Each is one sentence
    /// without a full stop.
    pub assumptions: Vec<String>,
}

/// What is known of what is called in a piece of code, and of the objects whose methods these are, in the order of
/// the text. A call is in it that starts there. Calls in functions that are defined there are left out, because they
/// run at another time.
pub fn evidence(file: &ParsedFile<'_, '_>, range: TextRange) -> Vec<Evidence> {
    let mut calls = Calls {
        range,
        found: Vec::new(),
    };
    calls.visit_body(file.body());
    let mut told: Vec<Evidence> = Vec::new();
    for call in calls.found {
        let receiver = match &*call.func {
            Expr::Attribute(method) => of_value(file, &method.value),
            _ => None,
        };
        for mut one in receiver.into_iter().chain(of_callee(file, call)) {
            let is_told = |assumption: &String| {
                told.iter()
                    .any(|other| other.assumptions.contains(assumption))
            };
            one.assumptions.retain(|assumption| !is_told(assumption));
            if FACTS.has_room(told.len()) && told.iter().all(|other| other.fact != one.fact) {
                told.push(one);
            }
        }
    }
    told
}

/// The calls within a range.
struct Calls<'a> {
    range: TextRange,
    found: Vec<&'a ast::ExprCall>,
}

impl<'a> SourceOrderVisitor<'a> for Calls<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_inside = self.range.contains(node.start());
        match node {
            _ if node.range().intersect(self.range).is_none() => TraversalSignal::Skip,
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_)
                if is_inside =>
            {
                TraversalSignal::Skip
            }
            AnyNodeRef::ExprCall(call) if is_inside => {
                self.found.push(call);
                TraversalSignal::Traverse
            }
            _ => TraversalSignal::Traverse,
        }
    }
}

/// Of which class a value is.
pub fn of_value(file: &ParsedFile<'_, '_>, value: &Expr) -> Option<Evidence> {
    let semantics = &file.semantics;
    // What a module has is told by its name.
    if value.is_call_expr() || semantics.is_module(value) {
        return None;
    }
    let quoted = quoted(file, value)?;
    let (path, relied) = semantics.noting(|| {
        let path = semantics.class_path_in_sight(value);
        if path.is_some() {
            semantics.note_way(value);
        }
        path
    });
    let (path, origin) = match path {
        Some(path) => (path, semantics.origin(value)),
        None => match semantics.class_of(value) {
            ClassOf::Known(path) => (path, None),
            ClassOf::Other | ClassOf::Unknown => return None,
        },
    };
    let path = path.trim_start_matches("builtins.");
    let how = match origin {
        Some(origin) => in_words(file, &origin),
        None => "by type inference".to_owned(),
    };
    Some(Evidence {
        fact: format!("`{quoted}` is an instance of `{path}`: {how}"),
        assumptions: assumptions(&relied),
    })
}

/// What is called.
pub fn of_callee(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> Option<Evidence> {
    let semantics = &file.semantics;
    let (fact, relied) = semantics.noting(|| {
        semantics.note_way_to_callee(&call.func);
        fact_of_callee(file, call)
    });
    Some(Evidence {
        fact: fact?,
        assumptions: assumptions(&relied),
    })
}

fn fact_of_callee(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> Option<String> {
    let semantics = &file.semantics;
    let quoted = quoted(file, &*call.func)?;
    Some(match semantics.functions(&call.func).as_slice() {
        [] => {
            if let Some(class) = semantics.class_called(&call.func) {
                let path = semantics.path_of_class(class.definition);
                let path = path.trim_start_matches("builtins.");
                if path == quoted {
                    return None;
                }
                format!("`{quoted}` is the class `{path}`")
            } else if awaitability_of(file, call) == Awaitability::Coroutine {
                format!("`{quoted}` returns a coroutine")
            } else {
                return None;
            }
        }
        functions @ [first, ..] => {
            let what = what_it_is(file, call, first);
            let mut places: Vec<String> = Vec::new();
            for function in functions {
                let place = place_of(file, function)?;
                // Signatures (`typing.overload`) have one name.
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            // `print` is `print`.
            if places == [format!("`{quoted}`")] {
                return None;
            }
            format!("`{quoted}` is {what}{}", places.join(" or "))
        }
    })
}

fn what_it_is(
    file: &ParsedFile<'_, '_>,
    call: &ast::ExprCall,
    function: &Function<'_>,
) -> &'static str {
    let node = function.node(file.semantics.db());
    match node.filter(|node| node.is_async) {
        Some(node) if yields(node) => return "the asynchronous generator function ",
        _ => {}
    }
    match (
        node.is_some_and(|node| node.is_async),
        awaitability_of(file, call),
    ) {
        (true, Awaitability::Coroutine) => "the coroutine function ",
        (true, _) => "something else, or the coroutine function ",
        (false, Awaitability::Coroutine) => "a function that returns a coroutine, ",
        (false, Awaitability::Awaitable) => "a function that returns an awaitable, ",
        (false, Awaitability::Running) => "a function that returns a task or future, ",
        (false, Awaitability::Mixed) => "a function that may return a coroutine, ",
        (false, Awaitability::No | Awaitability::Unknown) => "the function ",
    }
}

/// The name of a function, behind that of its class, and where it stands.
fn place_of<'db>(file: &ParsedFile<'_, 'db>, function: &Function<'db>) -> Option<String> {
    let semantics = &file.semantics;
    let definition = function.definition;
    let name = definition.name(semantics.db())?;
    let name = match semantics.class_around(definition) {
        Some(class) => format!("{class}.{name}"),
        None => name,
    };
    if semantics.is_here(definition) {
        return Some(format!("`{name}` of this file"));
    }
    let module = semantics.of_function(function).module_name();
    Some(match module.as_deref() {
        Some("builtins") | None => format!("`{name}`"),
        Some(module) => format!("`{module}.{name}`"),
    })
}

/// Code on one line, if that is short enough to be read.
fn quoted(file: &ParsedFile<'_, '_>, code: impl Ranged) -> Option<String> {
    let text = one_line(file.text(code));
    (text.chars().count() <= QUOTED).then_some(text)
}

fn in_words(file: &ParsedFile<'_, '_>, origin: &Origin) -> String {
    let with_code = |what: &str, behind: &str, code: TextRange| match quoted(file, code) {
        Some(code) => format!("{what}{behind} `{code}`"),
        None => what.to_owned(),
    };
    match origin {
        Origin::Object => "the object that the method belongs to".to_owned(),
        Origin::Annotation(annotation) => with_code("annotated", " as", *annotation),
        Origin::Calls(function, calls) => {
            let which = match calls.len() {
                1 => "the only call of".to_owned(),
                2 => "both calls of".to_owned(),
                count => format!("all {count} calls of"),
            };
            let give = if calls.len() == 1 { "passes" } else { "pass" };
            let mut callers: Vec<String> = Vec::new();
            for call in calls {
                let caller = function_around(file.body(), *call);
                let caller = caller.map_or("the module".to_owned(), |name| format!("`{name}`"));
                if !callers.contains(&caller) {
                    callers.push(caller);
                }
            }
            let more = if NAMED_CALLERS.allows(callers.len()) {
                ""
            } else {
                ", …"
            };
            callers.truncate(NAMED_CALLERS.count());
            format!(
                "{which} `{function}` in this file {give} one (in {}{more})",
                callers.join(", ")
            )
        }
        Origin::Assignment(value) => with_code("assigned", "", *value),
        Origin::With(manager) => with_code("entered by `with`", ":", *manager),
        Origin::Import => "imported".to_owned(),
        Origin::AttributeAnnotation(class) => format!("annotated in class `{class}`"),
        Origin::AttributeValue(class) => format!("assigned by class `{class}`"),
        Origin::Returned(function) => format!("returned by `{function}`"),
    }
}

/// The name of the innermost function around some code.
fn function_around(body: &[Stmt], code: TextRange) -> Option<&str> {
    struct Around<'a> {
        code: TextRange,
        name: Option<&'a str>,
    }
    impl<'a> SourceOrderVisitor<'a> for Around<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if !node.range().contains_range(self.code) {
                return TraversalSignal::Skip;
            }
            if let AnyNodeRef::StmtFunctionDef(function) = node {
                self.name = Some(&function.name);
            }
            TraversalSignal::Traverse
        }
    }
    let mut around = Around { code, name: None };
    around.visit_body(body);
    around.name
}

/// What is taken to be so, in an order that does not depend on how it was found.
fn assumptions(relied: &FxHashSet<Relied>) -> Vec<String> {
    let mut assumptions: Vec<String> = relied.iter().filter_map(assumed).collect();
    assumptions.sort();
    assumptions
}

/// What is taken to be so. `None` for what only says which way an answer came.
fn assumed(relied: &Relied) -> Option<String> {
    Some(match relied {
        Relied::Kept { class, name } => format!(
            "no subclass of `{}` outside of these files overrides `{name}`",
            class.name
        ),
        Relied::Undecorated(class) => format!("the decorators of `{class}` return the class"),
        Relied::Called { name, .. } => {
            format!("`{name}` is not called from other files")
        }
        Relied::Defined(name) => format!("`{name}` stays what it is defined as"),
        Relied::Given(name) => {
            format!("the function that creates the object leaves its `{name}` as it is")
        }
        Relied::Way(_) => return None,
    })
}
