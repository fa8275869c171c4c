//! What a function does with the results of a `gather`.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext};
use ruff_text_size::{Ranged, TextSize};

use crate::file::File;

/// How the results bound to a name are used after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumption {
    /// Nothing reads them.
    None,
    /// They are read as plain values.
    Plain,
    /// Their elements are checked with `isinstance` against an exception class.
    Checked,
}

/// How `name` is used in `body` after `from`.
///
/// Elements are followed through loops, comprehensions, `zip`, `enumerate` and subscripts.
pub fn consumption(
    file: &File<'_, '_>,
    body: &[ast::Stmt],
    name: &str,
    from: TextSize,
) -> Consumption {
    let mut search = Search {
        name,
        from,
        elements: Vec::new(),
        read: false,
    };
    // Loops name their elements before they test them, except in comprehensions, whose element
    // stands first: so elements are collected before tests are looked for.
    search.visit_body(body);
    let mut tests = Tests {
        file,
        name,
        elements: &search.elements,
        from,
        found: false,
    };
    tests.visit_body(body);
    match (search.read, tests.found) {
        (_, true) => Consumption::Checked,
        (true, false) => Consumption::Plain,
        (false, false) => Consumption::None,
    }
}

/// Whether each name in `target`, an element of the results, is checked in `body`.
pub fn are_checked(file: &File<'_, '_>, body: &[ast::Stmt], target: &Expr) -> bool {
    let mut elements = Vec::new();
    names_in(target, &mut elements);
    !elements.is_empty()
        && elements.iter().all(|element| {
            let mut tests = Tests {
                file,
                name: "",
                elements: std::slice::from_ref(element),
                from: TextSize::default(),
                found: false,
            };
            tests.visit_body(body);
            tests.found
        })
}

/// How an attribute, given by its text, is used in `body`: elements of a loop over it are looked at.
pub fn attribute_consumption(
    file: &File<'_, '_>,
    body: &[ast::Stmt],
    attribute: &str,
) -> Consumption {
    struct Loops<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        attribute: &'f str,
        checked: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Loops<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtFor(statement) = node
                && self.file.text(&*statement.iter) == self.attribute
            {
                self.checked |= are_checked(self.file, &statement.body, &statement.target);
            }
            TraversalSignal::Traverse
        }
    }
    let mut loops = Loops {
        file,
        attribute,
        checked: false,
    };
    loops.visit_body(body);
    if loops.checked {
        Consumption::Checked
    } else {
        Consumption::Plain
    }
}

struct Search<'f> {
    name: &'f str,
    from: TextSize,
    elements: Vec<String>,
    read: bool,
}

impl Search<'_> {
    /// The names of `target` that take elements of the results when iterating over `iterable`.
    fn collect(&mut self, target: &Expr, iterable: &Expr) {
        if mentions(iterable, self.name) {
            names_in(target, &mut self.elements);
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFor(statement) if statement.start() >= self.from => {
                self.collect(&statement.target, &statement.iter);
            }
            AnyNodeRef::Comprehension(comprehension) if comprehension.start() >= self.from => {
                self.collect(&comprehension.target, &comprehension.iter);
            }
            AnyNodeRef::StmtAssign(statement)
                if statement.start() >= self.from && mentions(&statement.value, self.name) =>
            {
                // `first, second = results`, `error = results[0]`
                for target in &statement.targets {
                    names_in(target, &mut self.elements);
                }
            }
            AnyNodeRef::ExprName(name)
                if name.id == self.name
                    && name.start() >= self.from
                    && name.ctx == ExprContext::Load =>
            {
                self.read = true;
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

struct Tests<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    name: &'f str,
    elements: &'f [String],
    from: TextSize,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Tests<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && call.start() >= self.from
            && let [value, class] = &*call.arguments.args
            && self.is_element(value)
            && self
                .file
                .semantics
                .means(&call.func, &["builtins.isinstance"])
            && is_exception_class(self.file, class)
        {
            self.found = true;
        }
        TraversalSignal::Traverse
    }
}

impl Tests<'_, '_, '_> {
    fn is_element(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.elements.iter().any(|element| *element == *name.id),
            Expr::Subscript(subscript) => {
                matches!(&*subscript.value, Expr::Name(name) if name.id == self.name)
            }
            Expr::Named(named) => self.is_element(&named.value),
            _ => false,
        }
    }
}

/// Whether a class, or one of a tuple of classes, is one that every exception is an instance of.
fn is_exception_class(file: &File<'_, '_>, class: &Expr) -> bool {
    match class {
        Expr::Tuple(tuple) => tuple
            .elts
            .iter()
            .any(|class| is_exception_class(file, class)),
        class => file
            .semantics
            .means(class, &["builtins.BaseException", "builtins.Exception"]),
    }
}

fn mentions(expr: &Expr, name: &str) -> bool {
    let mut names = Vec::new();
    names_in(expr, &mut names);
    names.iter().any(|other| other == name)
}

fn names_in(expr: &Expr, found: &mut Vec<String>) {
    struct Names<'v>(&'v mut Vec<String>);
    impl<'a> SourceOrderVisitor<'a> for Names<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(name) = node {
                self.0.push(name.id.to_string());
            }
            TraversalSignal::Traverse
        }
    }
    Names(found).visit_expr(expr);
}
