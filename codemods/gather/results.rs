//! What code does with the results of a `gather`.

use asyncfix_analysis::answers::exceptions::is_exception_class;
use asyncfix_analysis::answers::signature::Signature;
use asyncfix_analysis::limits::{HANDED_ON, Limit};
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::queries::own_code;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, CmpOp, Expr, ExprContext, Pattern, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

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
    let mut search = Search::new(
        semantics,
        subject,
        TextRange::new(from, next_binding(body, subject, from)),
    );
    search.visit_body(body);
    if search.are_tested(body, HANDED_ON) {
        return Consumption::Checked;
    }
    // What is kept in an attribute may be tested by other methods.
    let kept = std::iter::once(subject)
        .filter(|subject| subject.receiver.is_some())
        .chain(search.kept.iter().copied());
    for attribute in kept {
        let mut elsewhere = Search::new(semantics, attribute, ANYWHERE);
        elsewhere.visit_body(beside);
        if elsewhere.are_tested(beside, HANDED_ON) {
            return Consumption::Checked;
        }
    }
    if search.is_read || subject.receiver.is_some() {
        Consumption::Plain
    } else {
        Consumption::None
    }
}

/// Whether each name in `target`, an element of the results, is checked in `body` after `from`.
pub fn are_checked(
    semantics: &Semantics<'_>,
    body: &[Stmt],
    target: &Expr,
    from: TextSize,
) -> bool {
    let mut names = Vec::new();
    names_in(target, &mut names);
    !names.is_empty()
        && names.into_iter().all(|name| {
            let element = Element {
                name,
                within: TextRange::new(from, next_binding(body, Subject::named(name), from)),
            };
            is_tested(semantics, body, element, HANDED_ON)
        })
}

/// Whether an element is checked in `body`.
fn is_tested(semantics: &Semantics<'_>, body: &[Stmt], element: Element<'_>, calls: Limit) -> bool {
    let mut tests = Tests {
        semantics,
        subject: None,
        elements: &[element],
        within: ANYWHERE,
        calls,
        found: false,
    };
    tests.visit_body(body);
    tests.found
}

const ANYWHERE: TextRange = TextRange::new(TextSize::new(0), TextSize::new(u32::MAX));

/// A name that an element of the results has, and where that is what it stands for.
#[derive(Debug, Clone, Copy)]
struct Element<'n> {
    name: &'n str,
    within: TextRange,
}

/// Where something else is assigned to `subject` next, in whatever branch: what is tested behind that may be something
/// else.
fn next_binding(body: &[Stmt], subject: Subject<'_>, from: TextSize) -> TextSize {
    struct Bindings<'n> {
        subject: Subject<'n>,
        from: TextSize,
        first: TextSize,
    }
    impl<'a> SourceOrderVisitor<'a> for Bindings<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            own_code(node)
        }

        fn visit_expr(&mut self, expr: &'a Expr) {
            let is_store = match expr {
                Expr::Name(name) => name.ctx == ExprContext::Store,
                Expr::Attribute(attribute) => attribute.ctx == ExprContext::Store,
                _ => false,
            };
            if is_store && expr.start() >= self.from && self.subject.is(expr) {
                self.first = self.first.min(expr.start());
            }
            walk_expr(self, expr);
        }
    }
    let mut bindings = Bindings {
        subject,
        from,
        first: ANYWHERE.end(),
    };
    bindings.visit_body(body);
    bindings.first
}

/// Collects the names that elements of the results have.
struct Search<'s, 'n, 'db> {
    semantics: &'s Semantics<'db>,
    subject: Subject<'n>,
    /// Where it stands for the results.
    within: TextRange,
    elements: Vec<Element<'n>>,
    /// The attributes that the results are kept in.
    kept: Vec<Subject<'n>>,
    is_read: bool,
}

impl<'s, 'n, 'db> Search<'s, 'n, 'db> {
    fn new(semantics: &'s Semantics<'db>, subject: Subject<'n>, within: TextRange) -> Self {
        Self {
            semantics,
            subject,
            within,
            elements: Vec::new(),
            kept: Vec::new(),
            is_read: false,
        }
    }

    /// The names of `target` that take elements of the results when iterating over `iterable`, in a loop or a
    /// comprehension at `within`.
    fn collect(&mut self, target: &'n Expr, iterable: &Expr, within: TextRange) {
        if self.subject.is_in(iterable) && self.within.contains(iterable.start()) {
            self.name(target, within);
        }
    }

    /// Elements have the names in `target`, where it stands for them.
    fn name(&mut self, target: &'n Expr, within: TextRange) {
        let mut names = Vec::new();
        names_in(target, &mut names);
        let elements = names.into_iter().map(|name| Element { name, within });
        self.elements.extend(elements);
    }

    fn comprehension(&mut self, generators: &'n [ast::Comprehension], within: TextRange) {
        for generator in generators {
            self.collect(&generator.target, &generator.iter, within);
        }
    }

    /// Loops name their elements before they test them, except in comprehensions, whose element
    /// stands first: so tests are looked for when the elements are known.
    fn are_tested(&self, body: &[Stmt], calls: Limit) -> bool {
        let mut tests = Tests {
            semantics: self.semantics,
            subject: Some(self.subject),
            elements: &self.elements,
            within: self.within,
            calls,
            found: false,
        };
        tests.visit_body(body);
        tests.found
    }
}

impl<'n> SourceOrderVisitor<'n> for Search<'_, 'n, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'n>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(function)
                if has_own(self.semantics, function, self.subject) =>
            {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtFor(statement) => {
                self.collect(&statement.target, &statement.iter, statement.range());
            }
            AnyNodeRef::ExprListComp(inner) => self.comprehension(&inner.generators, inner.range()),
            AnyNodeRef::ExprSetComp(inner) => self.comprehension(&inner.generators, inner.range()),
            AnyNodeRef::ExprDictComp(inner) => self.comprehension(&inner.generators, inner.range()),
            AnyNodeRef::ExprGenerator(inner) => {
                self.comprehension(&inner.generators, inner.range());
            }
            AnyNodeRef::StmtAssign(statement) if self.within.contains(statement.value.start()) => {
                let is_element = matches!(&*statement.value, Expr::Subscript(subscript)
                    if self.subject.is(&subscript.value));
                let is_whole = self.subject.is(&statement.value);
                let within = TextRange::new(statement.end(), ANYWHERE.end());
                for target in &statement.targets {
                    match target {
                        // `error = results[0]`
                        Expr::Name(_) if is_element => self.name(target, within),
                        // `first, second = results`
                        Expr::Tuple(_) | Expr::List(_) if is_whole => self.name(target, within),
                        Expr::Attribute(_) if is_whole => self.kept.extend(Subject::of(target)),
                        _ => {}
                    }
                }
            }
            // `filter(lambda result: …, results)`
            AnyNodeRef::ExprCall(call) if self.within.contains(call.start()) => {
                if let [Expr::Lambda(lambda), iterable] = &*call.arguments.args
                    && self.subject.is_in(iterable)
                    && let Some(parameters) = &lambda.parameters
                {
                    let elements = parameters.iter().map(|parameter| Element {
                        name: parameter.name().as_str(),
                        within: lambda.range(),
                    });
                    self.elements.extend(elements);
                }
            }
            AnyNodeRef::ExprName(name)
                if self.subject.receiver.is_none()
                    && name.id == self.subject.name
                    && self.within.contains(name.start())
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
    elements: &'s [Element<'n>],
    /// Where the subject stands for the results.
    within: TextRange,
    /// How many functions are still looked into.
    calls: Limit,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Tests<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::StmtFunctionDef(function) = node
            && let Some(subject) = self.subject
            && has_own(self.semantics, function, subject)
        {
            return TraversalSignal::Skip;
        }
        if !self.found {
            self.found = match node {
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

    fn is_subject(&self, expr: &Expr) -> bool {
        self.within.contains(expr.start()) && self.subject.is_some_and(|subject| subject.is(expr))
    }

    fn is_element(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.elements.iter().any(|element| {
                element.name == name.id.as_str() && element.within.contains(name.start())
            }),
            Expr::Subscript(subscript) => self.is_subject(&subscript.value),
            Expr::Named(named) => self.is_element(&named.value),
            _ => false,
        }
    }

    /// Whether a function of the project is given the results, or one of them, and tests what it is given.
    fn is_tested_by(&self, call: &ast::ExprCall) -> bool {
        let Some(calls) = self.calls.less() else {
            return false;
        };
        let is_given = |value: &Expr| self.is_subject(value) || self.is_element(value);
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
                    let element = Element {
                        name: &parameter,
                        within: ANYWHERE,
                    };
                    return is_tested(&own, &node.body, element, calls);
                }
                let mut search = Search::new(&own, Subject::named(&parameter), ANYWHERE);
                search.visit_body(&node.body);
                search.are_tested(&node.body, calls)
            })
    }
}

/// Whether a function has a variable of its own with the name of `subject`.
fn has_own(
    semantics: &Semantics<'_>,
    function: &ast::StmtFunctionDef,
    subject: Subject<'_>,
) -> bool {
    // `self` is the same object in other methods.
    subject.receiver.is_none() && semantics.has_variable(function, subject.name)
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
