//! What code does with the results of a `gather`.

use asyncfix_analysis::answers::exceptions::is_exception_class;
use asyncfix_analysis::answers::signature::Signature;
use asyncfix_analysis::resolve::semantics::Semantics;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, CmpOp, Expr, ExprContext, Pattern, Stmt};
use ruff_text_size::{Ranged, TextSize};

/// How many functions the results, or one of them, are followed into.
const CALLS: usize = 2;

/// How the results are used after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumption {
    /// Nothing reads them.
    None,
    /// They are read as plain values.
    Plain,
    /// Their elements are checked against a class of exceptions.
    Checked,
}

/// What the results are known by: a name, or an attribute of one.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'n> {
    receiver: Option<&'n str>,
    name: &'n str,
}

impl<'n> Subject<'n> {
    /// The subject that an expression stands for.
    pub fn of(target: &'n Expr) -> Option<Self> {
        match target {
            Expr::Name(name) => Some(Self::named(&name.id)),
            Expr::Attribute(attribute) => match &*attribute.value {
                Expr::Name(receiver) => Some(Self {
                    receiver: Some(&receiver.id),
                    name: &attribute.attr,
                }),
                _ => None,
            },
            _ => None,
        }
    }

    fn named(name: &'n str) -> Self {
        Self {
            receiver: None,
            name,
        }
    }

    fn is(self, expr: &Expr) -> bool {
        Subject::of(expr)
            .is_some_and(|other| other.name == self.name && other.receiver == self.receiver)
    }

    fn is_in(self, expr: &Expr) -> bool {
        struct Mentions<'n>(Subject<'n>, bool);
        impl<'a> SourceOrderVisitor<'a> for Mentions<'_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                self.1 |= match node {
                    AnyNodeRef::ExprName(name) => {
                        self.0.receiver.is_none() && name.id == self.0.name
                    }
                    AnyNodeRef::ExprAttribute(attribute) => {
                        self.0.receiver.is_some()
                            && attribute.attr.as_str() == self.0.name
                            && matches!(&*attribute.value, Expr::Name(receiver)
                                if Some(receiver.id.as_str()) == self.0.receiver)
                    }
                    _ => false,
                };
                TraversalSignal::Traverse
            }
        }
        let mut search = Mentions(self, false);
        search.visit_expr(expr);
        search.1
    }
}

/// How `subject` is used in `body` after `from`, and in what is in `beside`, where an attribute may be read.
///
/// Elements are followed through loops, comprehensions, `zip`, `enumerate` and subscripts, and into functions that
/// are given them.
pub fn consumption(
    semantics: &Semantics<'_>,
    body: &[Stmt],
    subject: Subject<'_>,
    from: TextSize,
    beside: &[Stmt],
) -> Consumption {
    let mut search = Search::new(subject, from);
    search.visit_body(body);
    if search.are_tested(semantics, body, CALLS) {
        return Consumption::Checked;
    }
    // What is kept in an attribute may be tested by other methods.
    let kept = std::iter::once(subject)
        .filter(|subject| subject.receiver.is_some())
        .chain(search.kept.iter().copied());
    for attribute in kept {
        let mut elsewhere = Search::new(attribute, TextSize::default());
        elsewhere.visit_body(beside);
        if elsewhere.are_tested(semantics, beside, CALLS) {
            return Consumption::Checked;
        }
    }
    if search.is_read || subject.receiver.is_some() {
        Consumption::Plain
    } else {
        Consumption::None
    }
}

/// Whether each name in `target`, an element of the results, is checked in `body`.
pub fn are_checked(semantics: &Semantics<'_>, body: &[Stmt], target: &Expr) -> bool {
    let mut elements = Vec::new();
    names_in(target, &mut elements);
    !elements.is_empty()
        && elements
            .iter()
            .all(|element| is_tested(semantics, body, &[element], CALLS))
}

/// Whether one of `elements` is checked in `body`.
fn is_tested(semantics: &Semantics<'_>, body: &[Stmt], elements: &[&str], calls: usize) -> bool {
    let mut tests = Tests {
        semantics,
        subject: None,
        elements,
        from: TextSize::default(),
        calls,
        found: false,
    };
    tests.visit_body(body);
    tests.found
}

/// Collects the names that elements of the results have.
struct Search<'n> {
    subject: Subject<'n>,
    from: TextSize,
    elements: Vec<&'n str>,
    /// The attributes that the results are kept in.
    kept: Vec<Subject<'n>>,
    is_read: bool,
}

impl<'n> Search<'n> {
    fn new(subject: Subject<'n>, from: TextSize) -> Self {
        Self {
            subject,
            from,
            elements: Vec::new(),
            kept: Vec::new(),
            is_read: false,
        }
    }

    /// The names of `target` that take elements of the results when iterating over `iterable`.
    fn collect(&mut self, target: &'n Expr, iterable: &Expr) {
        if self.subject.is_in(iterable) {
            names_in(target, &mut self.elements);
        }
    }

    /// Loops name their elements before they test them, except in comprehensions, whose element
    /// stands first: so tests are looked for when the elements are known.
    fn are_tested(&self, semantics: &Semantics<'_>, body: &[Stmt], calls: usize) -> bool {
        let mut tests = Tests {
            semantics,
            subject: Some(self.subject),
            elements: &self.elements,
            from: self.from,
            calls,
            found: false,
        };
        tests.visit_body(body);
        tests.found
    }
}

impl<'n> SourceOrderVisitor<'n> for Search<'n> {
    fn enter_node(&mut self, node: AnyNodeRef<'n>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFor(statement) if statement.start() >= self.from => {
                self.collect(&statement.target, &statement.iter);
            }
            AnyNodeRef::Comprehension(comprehension) if comprehension.start() >= self.from => {
                self.collect(&comprehension.target, &comprehension.iter);
            }
            AnyNodeRef::StmtAssign(statement) if statement.start() >= self.from => {
                let is_element = matches!(&*statement.value, Expr::Subscript(subscript)
                    if self.subject.is(&subscript.value));
                let is_whole = self.subject.is(&statement.value);
                for target in &statement.targets {
                    match target {
                        // `error = results[0]`
                        Expr::Name(name) if is_element => self.elements.push(&name.id),
                        // `first, second = results`
                        Expr::Tuple(_) | Expr::List(_) if is_whole => {
                            names_in(target, &mut self.elements);
                        }
                        Expr::Attribute(_) if is_whole => self.kept.extend(Subject::of(target)),
                        _ => {}
                    }
                }
            }
            // `filter(lambda result: …, results)`
            AnyNodeRef::ExprCall(call) if call.start() >= self.from => {
                if let [Expr::Lambda(lambda), iterable] = &*call.arguments.args
                    && self.subject.is_in(iterable)
                    && let Some(parameters) = &lambda.parameters
                {
                    let names = parameters.iter().map(|parameter| parameter.name().as_str());
                    self.elements.extend(names);
                }
            }
            AnyNodeRef::ExprName(name)
                if self.subject.receiver.is_none()
                    && name.id == self.subject.name
                    && name.start() >= self.from
                    && name.ctx == ExprContext::Load =>
            {
                self.is_read = true;
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Looks for tests of elements.
struct Tests<'s, 'n, 'db> {
    semantics: &'s Semantics<'db>,
    subject: Option<Subject<'n>>,
    elements: &'s [&'n str],
    from: TextSize,
    /// How many functions are still looked into.
    calls: usize,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Tests<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if node.start() >= self.from {
            self.found |= match node {
                AnyNodeRef::ExprCall(call) => self.is_test(call) || self.is_tested_by(call),
                // `type(result) is ValueError`
                AnyNodeRef::ExprCompare(compare) => {
                    matches!(&*compare.ops, [CmpOp::Is | CmpOp::Eq | CmpOp::In])
                        && matches!(&*compare.left, Expr::Call(call)
                            if matches!(&*call.arguments.args, [value] if self.is_element(value))
                                && self.semantics.means(&call.func, &["builtins.type"]))
                        && compare
                            .comparators
                            .iter()
                            .any(|class| self.is_exception(class))
                }
                AnyNodeRef::StmtMatch(statement) => {
                    self.is_element(&statement.subject)
                        && statement
                            .cases
                            .iter()
                            .any(|case| self.matches_exception(&case.pattern))
                }
                _ => false,
            };
        }
        if self.found {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

impl Tests<'_, '_, '_> {
    /// `isinstance(result, ValueError)`
    fn is_test(&self, call: &ast::ExprCall) -> bool {
        matches!(&*call.arguments.args, [value, class]
            if self.is_element(value)
                && self.semantics.means(&call.func, &["builtins.isinstance"])
                && self.is_exception(class))
    }

    /// A class of exceptions, or several of which one is.
    fn is_exception(&self, class: &Expr) -> bool {
        match class {
            Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::List(ast::ExprList { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. }) => {
                elts.iter().any(|class| self.is_exception(class))
            }
            Expr::BinOp(union) => self.is_exception(&union.left) || self.is_exception(&union.right),
            class => is_exception_class(self.semantics, class),
        }
    }

    fn matches_exception(&self, pattern: &Pattern) -> bool {
        match pattern {
            Pattern::MatchClass(class) => is_exception_class(self.semantics, &class.cls),
            Pattern::MatchOr(or) => or.patterns.iter().any(|part| self.matches_exception(part)),
            Pattern::MatchAs(named) => named
                .pattern
                .as_deref()
                .is_some_and(|part| self.matches_exception(part)),
            _ => false,
        }
    }

    fn is_element(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.elements.contains(&name.id.as_str()),
            Expr::Subscript(subscript) => self
                .subject
                .is_some_and(|subject| subject.is(&subscript.value)),
            Expr::Named(named) => self.is_element(&named.value),
            _ => false,
        }
    }

    /// Whether a function of the project is given the results, or one of them, and tests what it is given.
    fn is_tested_by(&self, call: &ast::ExprCall) -> bool {
        let Some(calls) = self.calls.checked_sub(1) else {
            return false;
        };
        let is_given = |value: &Expr| {
            self.subject.is_some_and(|subject| subject.is(value)) || self.is_element(value)
        };
        if !call
            .arguments
            .iter_source_order()
            .any(|argument| is_given(argument.value()))
        {
            return false;
        }
        let Some(function) = self.semantics.function(&call.func) else {
            return false;
        };
        let db = self.semantics.db();
        let positional = call.arguments.args.len();
        let (Some(node), Some(signature)) = (
            function.node(db),
            Signature::of(self.semantics, &call.func, positional),
        ) else {
            return false;
        };
        let own = self.semantics.of_function(&function);
        let by_position = call
            .arguments
            .args
            .iter()
            .enumerate()
            .map(|(index, value)| (value, signature.parameter(db, index)));
        let by_name = call.arguments.keywords.iter().map(|keyword| {
            let name = keyword.arg.as_ref().map(ToString::to_string);
            (&keyword.value, name)
        });
        by_position
            .chain(by_name)
            .filter(|(value, _)| is_given(value))
            .filter_map(|(value, parameter)| Some((value, parameter?)))
            .any(|(value, parameter)| {
                if self.is_element(value) {
                    return is_tested(&own, &node.body, &[&parameter], calls);
                }
                let mut search = Search::new(Subject::named(&parameter), TextSize::default());
                search.visit_body(&node.body);
                search.are_tested(&own, &node.body, calls)
            })
    }
}

fn names_in<'n>(expr: &'n Expr, found: &mut Vec<&'n str>) {
    struct Names<'v, 'n>(&'v mut Vec<&'n str>);
    impl<'n> SourceOrderVisitor<'n> for Names<'_, 'n> {
        fn enter_node(&mut self, node: AnyNodeRef<'n>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(name) = node {
                self.0.push(&name.id);
            }
            TraversalSignal::Traverse
        }
    }
    Names(found).visit_expr(expr);
}
