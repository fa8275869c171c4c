//! Of how many objects a program makes one of a class: a lock that each has for itself keeps none of the others out.

use asyncfix_analysis::limits::{Limit, MAKING_CLASSES};
use std::path::Path;

use asyncfix_syntax::queries::{is_test, last_name, names_in};
use ruff_db::parsed::parsed_module;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};

use crate::file::File;

/// Whether the lock is an attribute of an object of which there may be several. Judged by the names of classes: to be
/// wrong about one means to hold back.
pub(super) fn is_of_many(file: &File<'_, '_>, lock: &Expr) -> bool {
    let Expr::Attribute(attribute) = lock else {
        return false;
    };
    let class = file.semantics.class_of_receiver(&attribute.value);
    class.is_some_and(|class| are_many(file, &class.name, MAKING_CLASSES))
}

/// Whether the project makes objects of a class in several places, or in code that runs more than once.
fn are_many(file: &File<'_, '_>, class: &str, depth: Limit) -> bool {
    let Some(depth) = depth.less() else {
        return true;
    };
    let db = file.semantics.db();
    let mut made = 0;
    for path in file
        .project
        .mentioning(class, |path| file.semantics.text_of(path))
    {
        if is_of_tests(&path) {
            continue;
        }
        let Some(other) = file.semantics.beside(&path) else {
            continue;
        };
        let module = parsed_module(db, other.python_file(db)).load(db);
        let mut search = Search {
            class,
            around: Vec::new(),
            found: Vec::new(),
        };
        search.visit_body(&module.syntax().body);
        for call in search.found {
            made += 1;
            if made > 1 || !is_once(file, &path, &call, depth) {
                return true;
            }
        }
    }
    false
}

fn is_of_tests(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        is_test(name.strip_suffix(".py").unwrap_or(&name))
    })
}

/// Whether the code that makes an object runs once.
fn is_once(file: &File<'_, '_>, path: &Path, made: &Made<'_>, depth: Limit) -> bool {
    let mut around = made.around.iter().rev();
    let function = loop {
        match around.next() {
            None => return true,
            Some(Around::Loop) => return false,
            Some(Around::Class(_)) => {}
            Some(Around::Function(function)) => break function,
        }
    };
    let module = path.file_stem().map(|stem| stem.to_string_lossy());
    let is_run = module.is_some_and(|module| file.project.runs(&module, &function.name));
    let is_given = || {
        let mut names = made
            .call
            .arguments
            .iter_source_order()
            .flat_map(|argument| names_in(argument.value()).collect::<Vec<_>>());
        names.any(|name| {
            let name = last_name(name);
            let mut parameters = function
                .parameters
                .iter()
                .skip(usize::from(made.is_in_method()));
            parameters.any(|parameter| name == Some(parameter.name().as_str()))
        })
    };
    match around.next() {
        Some(Around::Class(class)) => !function.is_async && !are_many(file, class, depth),
        _ => is_run || !function.is_async && !is_given(),
    }
}

/// What stands around code.
#[derive(Clone)]
enum Around<'a> {
    Function(&'a ast::StmtFunctionDef),
    Class(&'a str),
    Loop,
}

/// A call that makes an object.
struct Made<'a> {
    call: &'a ast::ExprCall,
    around: Vec<Around<'a>>,
}

impl Made<'_> {
    fn is_in_method(&self) -> bool {
        let mut around = self.around.iter().rev();
        around.any(|one| matches!(one, Around::Function(_)))
            && matches!(around.next(), Some(Around::Class(_)))
    }
}

/// Looks for the calls of a class.
struct Search<'n, 'a> {
    class: &'n str,
    around: Vec<Around<'a>>,
    found: Vec<Made<'a>>,
}

fn of_node(node: AnyNodeRef<'_>) -> Option<Around<'_>> {
    match node {
        AnyNodeRef::StmtFunctionDef(function) => Some(Around::Function(function)),
        AnyNodeRef::StmtClassDef(class) => Some(Around::Class(&class.name)),
        AnyNodeRef::StmtFor(_)
        | AnyNodeRef::StmtWhile(_)
        | AnyNodeRef::ExprListComp(_)
        | AnyNodeRef::ExprSetComp(_)
        | AnyNodeRef::ExprDictComp(_)
        | AnyNodeRef::ExprGenerator(_) => Some(Around::Loop),
        _ => None,
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.around.extend(of_node(node));
        if let AnyNodeRef::ExprCall(call) = node
            && last_name(&call.func) == Some(self.class)
        {
            self.found.push(Made {
                call,
                around: self.around.clone(),
            });
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if of_node(node).is_some() {
            self.around.pop();
        }
    }
}
