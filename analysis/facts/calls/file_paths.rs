//! The files that the functions of a file read and write, with their paths in words that other files understand.

use asyncfix_knowledge::blocking::Row;
use asyncfix_knowledge::conduct::{is_in_memory, is_unique, names_a_path};
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::values::Value;
use super::writer::Writer;
use super::{Callee, Path, Target};
use crate::facts::file_access::paths;
use crate::facts::name::Name;
use crate::facts::scopes::{Binding, Kind};
use crate::limits::{BINDINGS, Limit, PATH};

/// Functions that give a part of the path they are given, or of what is around the program.
const OF_PATHS: [&str; 4] = ["os.path.", "os.getenv", "os.environ.", "os.getcwd"];

/// Methods of paths that give a path to the same file.
const SAME: [&str; 3] = ["absolute", "expanduser", "resolve"];

/// Methods of paths that give another one.
const OTHERS: [&str; 4] = ["joinpath", "with_name", "with_stem", "with_suffix"];

/// Methods of texts that give the same for the same text.
const OF_TEXTS: [&str; 9] = [
    "format", "get", "join", "lower", "lstrip", "replace", "rstrip", "strip", "upper",
];

/// What stands for any name in a path.
pub(crate) const ANY: &str = "*";

/// What stands behind a function whose result is part of a path, where that may be another one each time.
pub(crate) const GIVEN: char = '\u{3}';

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Piece {
    Text(Box<str>),
    /// What can be imported by this path.
    Import(Path),
    /// A name of the module.
    Global(Name),
    /// An attribute of the instances of a class of the file.
    Member(u32, Name),
    /// A parameter of the function, with its place among those that a call gives.
    Parameter(u32, Name),
}

/// A path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilePath(pub(crate) Box<[Piece]>);

/// A file that a function reads or changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileUse {
    pub(crate) path: FilePath,
    /// As it is written.
    pub(crate) written: Box<str>,
    pub(crate) changes: bool,
}

/// Which parameter of a function an argument is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Slot {
    At(u32),
    Named(Name),
}

/// A path that a function gives to another one of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handed {
    pub(crate) callee: Callee,
    /// The last name of what is called.
    pub(crate) name: Name,
    pub(crate) slot: Slot,
    pub(crate) path: FilePath,
    /// As it is written.
    pub(crate) written: Box<str>,
}

/// What a function does with files.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Files {
    pub(crate) uses: Vec<FileUse>,
    pub(crate) handed: Vec<Handed>,
}

impl Slot {
    /// Whether the argument is for this parameter.
    pub(crate) fn is_for(&self, at: u32, name: &Name) -> bool {
        match self {
            Self::At(own) => *own == at,
            Self::Named(own) => own == name,
        }
    }
}

/// A path that is being put together.
#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Text(last)) = self.0.last_mut() {
            *last = format!("{last}{text}").into_boxed_str();
        } else {
            self.0.push(Piece::Text(text.into()));
        }
    }
}

impl<'a> Writer<'_, 'a> {
    /// What a function, whose scope has this number, does with files, and the collections of others that it changes.
    pub(super) fn files_and_changes_of(
        &self,
        function: &'a ast::StmtFunctionDef,
        scope: usize,
    ) -> (Option<Box<Files>>, Vec<Kept>) {
        let mut search = Search {
            writer: self,
            scope,
            function,
            files: Files::default(),
            changes: Vec::new(),
        };
        search.visit_body(&function.body);
        let files = search.files;
        let is_any = !files.uses.is_empty() || !files.handed.is_empty();
        (is_any.then(|| Box::new(files)), search.changes)
    }

    /// What a value that is assigned outside of functions is made of, where it may be a path.
    pub(super) fn constant_path(&self, binding: Binding<'a>, scope: usize) -> Option<FilePath> {
        let (Binding::Value(value) | Binding::Annotated(_, Some(value))) = binding else {
            return None;
        };
        let may_be_path = match value {
            Expr::StringLiteral(literal) => is_text_of_path(literal.value.to_str()),
            Expr::FString(_) | Expr::Name(_) | Expr::Attribute(_) => true,
            Expr::BinOp(operation) => {
                matches!(operation.op, ast::Operator::Div | ast::Operator::Add)
            }
            Expr::Call(call) => match self.target(&call.func, scope) {
                Target::Import(path) => path.dotted().is_some_and(is_of_paths),
                _ => matches!(&*call.func, Expr::Attribute(method)
                    if SAME.contains(&method.attr.as_str()) || OTHERS.contains(&method.attr.as_str())),
            },
            _ => false,
        };
        let path = may_be_path.then(|| self.path_of(value, scope)).flatten()?;
        let is_given = |piece: &Piece| matches!(piece, Piece::Parameter(..));
        (!path.0.iter().any(is_given)).then_some(path)
    }

    fn path_of(&self, expr: &'a Expr, scope: usize) -> Option<FilePath> {
        let mut pieces = Pieces::default();
        self.add_pieces(&mut pieces, expr, scope, BINDINGS)?;
        (!pieces.0.is_empty()).then(|| FilePath(pieces.0.into_boxed_slice()))
    }

    /// Adds what a path is made of. `None` where it may be another one each time.
    fn add_pieces(
        &self,
        pieces: &mut Pieces,
        expr: &'a Expr,
        scope: usize,
        steps: Limit,
    ) -> Option<()> {
        match expr {
            Expr::StringLiteral(literal) => pieces.text(literal.value.to_str()),
            Expr::NumberLiteral(_) => pieces.text(self.text(expr)),
            Expr::FString(text) => {
                for part in &text.value {
                    match part {
                        ast::FStringPart::Literal(literal) => pieces.text(literal.as_str()),
                        ast::FStringPart::FString(text) => {
                            for element in &text.elements {
                                match element {
                                    ast::InterpolatedStringElement::Literal(literal) => {
                                        pieces.text(&literal.value);
                                    }
                                    ast::InterpolatedStringElement::Interpolation(value) => {
                                        self.add_pieces(pieces, &value.expression, scope, steps)?;
                                    }
                                }
                            }
                        }
                    }
                }
            }
            Expr::BinOp(operation) => {
                let between = match operation.op {
                    ast::Operator::Div => "/",
                    ast::Operator::Add => "",
                    ast::Operator::Mod => "%",
                    _ => return None,
                };
                self.add_pieces(pieces, &operation.left, scope, steps)?;
                pieces.text(between);
                self.add_pieces(pieces, &operation.right, scope, steps)?;
            }
            Expr::Name(name) => self.add_name(pieces, &name.id, scope, steps)?,
            Expr::Attribute(attribute) => {
                if let Some(class) = self.class_of_receiver(&attribute.value, scope) {
                    let member = Piece::Member(class, Name::new(&attribute.attr));
                    pieces.0.push(member);
                } else if let Some(Value::Target(Target::Import(path))) =
                    self.value(expr, scope, steps)
                {
                    pieces.0.push(Piece::Import(path));
                } else {
                    self.add_pieces(pieces, &attribute.value, scope, steps)?;
                    pieces.text(&format!(".{}", attribute.attr));
                }
            }
            Expr::Subscript(item) => {
                self.add_pieces(pieces, &item.value, scope, steps)?;
                pieces.text("[");
                self.add_pieces(pieces, &item.slice, scope, steps)?;
                pieces.text("]");
            }
            Expr::Call(call) => self.add_call(pieces, call, scope, steps)?,
            _ => return None,
        }
        Some(())
    }

    fn add_call(
        &self,
        pieces: &mut Pieces,
        call: &'a ast::ExprCall,
        scope: usize,
        steps: Limit,
    ) -> Option<()> {
        let target = self.target(&call.func, scope);
        let dotted = match &target {
            Target::Import(path) => path.dotted(),
            _ => None,
        };
        if dotted.is_some_and(|path| is_unique(path) || is_in_memory(path)) {
            return None;
        }
        let arguments = &call.arguments;
        if arguments.args.iter().any(Expr::is_starred_expr) {
            return None;
        }
        let is_joined = dotted.is_some_and(|path| names_a_path(path) || path == "os.path.join");
        if is_joined && arguments.keywords.is_empty() {
            return self.add_arguments(pieces, arguments, "/", scope, steps);
        }
        match &*call.func {
            Expr::Attribute(method) if !matches!(target, Target::Import(_)) => {
                self.add_pieces(pieces, &method.value, scope, steps)?;
                match method.attr.as_str() {
                    same if SAME.contains(&same) => return Some(()),
                    "joinpath" => {
                        pieces.text("/");
                        return self.add_arguments(pieces, arguments, "/", scope, steps);
                    }
                    other => {
                        pieces.text(&format!(".{other}"));
                        if !OTHERS.contains(&other) && !OF_TEXTS.contains(&other) {
                            pieces.text(GIVEN.encode_utf8(&mut [0; 4]));
                        }
                    }
                }
            }
            func => {
                match dotted {
                    Some(path) => pieces.text(path),
                    None => self.add_pieces(pieces, func, scope, steps)?,
                }
                if !dotted.is_some_and(is_of_paths) {
                    pieces.text(GIVEN.encode_utf8(&mut [0; 4]));
                }
            }
        }
        pieces.text("(");
        self.add_arguments(pieces, arguments, ",", scope, steps)?;
        pieces.text(")");
        Some(())
    }

    fn add_arguments(
        &self,
        pieces: &mut Pieces,
        arguments: &'a ast::Arguments,
        between: &str,
        scope: usize,
        steps: Limit,
    ) -> Option<()> {
        let mut is_first = true;
        for argument in arguments.iter_source_order() {
            if !is_first {
                pieces.text(between);
            }
            is_first = false;
            self.add_pieces(pieces, argument.value(), scope, steps)?;
        }
        Some(())
    }

    fn add_name(
        &self,
        pieces: &mut Pieces,
        name: &'a str,
        scope: usize,
        steps: Limit,
    ) -> Option<()> {
        let Some(at) = self.scope_of(name, scope) else {
            pieces.0.push(Piece::Global(Name::new(name)));
            return Some(());
        };
        let own = self.scopes.all.get(at)?;
        let bindings = own.bindings.get(name).map(Vec::as_slice)?;
        match own.kind {
            Kind::Module => {
                pieces.0.push(match self.value_of_name(name, at, steps) {
                    Some(Value::Target(Target::Import(path))) => Piece::Import(path),
                    _ => Piece::Global(Name::new(name)),
                });
            }
            Kind::Class(_) => return None,
            Kind::Function(function) => match bindings {
                [Binding::Parameter(_)] if at == scope => {
                    pieces.0.push(self.parameter(function, own.parent, name));
                }
                // `path = Path(path)`
                [Binding::Parameter(_), Binding::Value(Expr::Call(call))]
                    if at == scope
                        && matches!(&*call.arguments.args, [Expr::Name(given)] if given.id == name)
                        && matches!(self.target(&call.func, scope), Target::Import(path)
                            if path.dotted().is_some_and(names_a_path)) =>
                {
                    pieces.0.push(self.parameter(function, own.parent, name));
                }
                [Binding::Import(_) | Binding::ImportFrom(..)] => {
                    match self.value_of_name(name, at, steps) {
                        Some(Value::Target(Target::Import(path))) => {
                            pieces.0.push(Piece::Import(path));
                        }
                        _ => return None,
                    }
                }
                [Binding::Value(value) | Binding::Annotated(_, Some(value))] => {
                    self.add_pieces(pieces, value, at, steps.less()?)?;
                }
                [Binding::Inside(Expr::Call(call))] => {
                    self.add_any(pieces, call, at, steps.less()?)?;
                }
                _ => return None,
            },
        }
        Some(())
    }

    /// Adds what any file is made of that a call goes through: `folder.iterdir()`.
    fn add_any(
        &self,
        pieces: &mut Pieces,
        call: &'a ast::ExprCall,
        scope: usize,
        steps: Limit,
    ) -> Option<()> {
        let given = call.arguments.args.first();
        let target = self.target(&call.func, scope);
        let function = match &target {
            Target::Import(path) => path.dotted(),
            _ => None,
        };
        let is_glob = matches!(function, Some("glob.glob" | "glob.iglob"));
        if let Expr::Attribute(method) = &*call.func
            && matches!(method.attr.as_str(), "iterdir" | "glob" | "rglob")
            && !is_glob
        {
            self.add_pieces(pieces, &method.value, scope, steps)?;
            pieces.text("/");
            match given {
                Some(Expr::StringLiteral(pattern)) => pieces.text(pattern.value.to_str()),
                _ => pieces.text(ANY),
            }
            return Some(());
        }
        if let Expr::Name(name) = &*call.func
            && name.id == "sorted"
            && let Some(Expr::Call(inner)) = given
        {
            return self.add_any(pieces, inner, scope, steps.less()?);
        }
        match function {
            _ if is_glob => self.add_pieces(pieces, given?, scope, steps),
            // The names alone.
            Some("os.listdir") => {
                pieces.text(ANY);
                Some(())
            }
            _ => None,
        }
    }

    /// A path with the default values of the parameters that it is made of. `None` where they have none, or there
    /// are none.
    fn by_default(
        &self,
        path: &FilePath,
        function: &'a ast::StmtFunctionDef,
        scope: usize,
    ) -> Option<FilePath> {
        let around = self.scopes.all.get(scope)?.parent;
        let mut is_given = false;
        let mut pieces = Pieces::default();
        for piece in &path.0 {
            match piece {
                Piece::Parameter(_, name) => {
                    is_given = true;
                    let mut parameters = function.parameters.iter_non_variadic_params();
                    let parameter =
                        parameters.find(|parameter| parameter.name() == name.as_str())?;
                    self.add_pieces(&mut pieces, parameter.default()?, around, BINDINGS)?;
                }
                Piece::Text(text) => pieces.text(text),
                other => pieces.0.push(other.clone()),
            }
        }
        is_given.then(|| FilePath(pieces.0.into_boxed_slice()))
    }

    /// A parameter of a function, with its place among those that a call gives.
    fn parameter(&self, function: &ast::StmtFunctionDef, parent: usize, name: &str) -> Piece {
        let parameters = &function.parameters;
        let by_position = parameters.posonlyargs.iter().chain(&parameters.args);
        let is_bound = by_position.clone().next().is_some_and(|first| {
            self.scopes
                .own_class(function, parent, first.name())
                .is_some()
        });
        let at = by_position
            .skip(usize::from(is_bound))
            .position(|parameter| parameter.name().as_str() == name);
        let at = at.and_then(|at| u32::try_from(at).ok());
        Piece::Parameter(at.unwrap_or(u32::MAX), Name::new(name))
    }

    /// The class of the file whose method has this expression as its first parameter.
    fn class_of_receiver(&self, expr: &Expr, scope: usize) -> Option<u32> {
        let Expr::Name(name) = expr else {
            return None;
        };
        let at = self.scope_of(&name.id, scope)?;
        let own = self.scopes.all.get(at)?;
        let Kind::Function(function) = own.kind else {
            return None;
        };
        let class = self.scopes.own_class(function, own.parent, &name.id)?;
        let scope = self
            .scopes
            .by_start
            .get(&ruff_text_size::Ranged::start(class))?;
        self.classes.get(scope).copied()
    }

    /// The row of a call that uses files, with the object whose method it is.
    fn row_of_files(
        &self,
        call: &'a ast::ExprCall,
        scope: usize,
    ) -> Option<(&Row, Option<&'a Expr>)> {
        if !last_name(&call.func).is_some_and(|name| self.table.knows(name)) {
            return None;
        }
        let of_function = |path: &Path| self.table.function(path.dotted()?);
        match &*call.func {
            Expr::Attribute(method) => {
                let class = match self.value(&method.value, scope, BINDINGS) {
                    Some(Value::Target(Target::Import(path))) => {
                        let called = path.clone().attribute(&method.attr);
                        if let Some(row) = of_function(&called) {
                            return row.uses_files().then_some((row, None));
                        }
                        None
                    }
                    Some(Value::Instance(Target::Import(path))) => Some(path),
                    Some(Value::Made) => return None,
                    _ => None,
                };
                // What is imported is known to its own file: then the name of the method has to do.
                let row = match class {
                    Some(class) => self.table.method(class.dotted()?, &method.attr)?.1,
                    None => self.table.method("pathlib.Path", &method.attr)?.1,
                };
                let is_fitting = row
                    .arguments
                    .is_none_or(|number| number == call.arguments.len());
                (row.uses_files() && is_fitting).then_some((row, Some(&*method.value)))
            }
            func => match self.target(func, scope) {
                Target::Import(path) => {
                    let row = of_function(&path)?;
                    row.uses_files().then_some((row, None))
                }
                // A star import may hide what is built in, and does not.
                _ => match func {
                    Expr::Name(name) if self.scope_of(&name.id, scope).is_none() => {
                        let row = self.table.function(&format!("builtins.{}", name.id))?;
                        row.uses_files().then_some((row, None))
                    }
                    _ => None,
                },
            },
        }
    }
}

/// Looks for the files that a function uses, and for the paths that it gives to others.
struct Search<'w, 's, 'a> {
    writer: &'w Writer<'s, 'a>,
    scope: usize,
    function: &'a ast::StmtFunctionDef,
    files: Files,
    changes: Vec<Kept>,
}

impl<'a> Search<'_, '_, 'a> {
    fn written(&self, expr: &Expr) -> Box<str> {
        one_line(self.writer.text(expr)).into_boxed_str()
    }

    fn add_uses(&mut self, call: &'a ast::ExprCall, row: &Row, receiver: Option<&'a Expr>) {
        for (path, does) in paths(call, row, receiver, true, &self.function.body) {
            if !does.changes() && !does.reads() {
                continue;
            }
            let Some(pieces) = self.writer.path_of(path, self.scope) else {
                continue;
            };
            let written = self.written(path);
            let changes = does.changes();
            if let Some(path) = self.writer.by_default(&pieces, self.function, self.scope) {
                let written = written.clone();
                self.files.uses.push(FileUse {
                    path,
                    written,
                    changes,
                });
            }
            self.files.uses.push(FileUse {
                path: pieces,
                written,
                changes,
            });
        }
    }

    fn add_handed(&mut self, call: &'a ast::ExprCall) {
        let arguments = &call.arguments;
        let may_be_path = |value: &Expr| match value {
            Expr::StringLiteral(literal) => is_text_of_path(literal.value.to_str()),
            Expr::Name(_) | Expr::Attribute(_) | Expr::FString(_) | Expr::Call(_) => true,
            Expr::BinOp(operation) => {
                matches!(operation.op, ast::Operator::Div | ast::Operator::Add)
            }
            _ => false,
        };
        let is_any = arguments
            .iter_source_order()
            .any(|given| may_be_path(given.value()));
        if !is_any || arguments.args.iter().any(Expr::is_starred_expr) {
            return;
        }
        let Some(callee) = self.writer.callee_of_project(call, self.scope) else {
            return;
        };
        let name = match &callee {
            Callee::Plain(Target::Import(path)) => path.below.rsplit('.').next(),
            Callee::Method(_, name) => Some(name.as_str()),
            // What it is made of is its own business.
            Callee::Plain(Target::Class(_)) => return,
            Callee::Plain(_) => last_name(&call.func),
        };
        let Some(name) = name.map(Name::new) else {
            return;
        };
        let by_position = arguments.args.iter().zip(0..);
        let by_position = by_position.map(|(value, at)| (Slot::At(at), value));
        let by_name = arguments.keywords.iter().filter_map(|keyword| {
            let name = keyword.arg.as_ref()?;
            Some((Slot::Named(Name::new(name)), &keyword.value))
        });
        for (slot, value) in by_position.chain(by_name) {
            if !may_be_path(value) {
                continue;
            }
            if let Some(path) = self.writer.path_of(value, self.scope) {
                let written = self.written(value);
                self.files.handed.push(Handed {
                    callee: callee.clone(),
                    name: name.clone(),
                    slot,
                    path,
                    written,
                });
            }
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.writer
            .add_changed(&mut self.changes, node, self.function, self.scope);
        match node {
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprCall(call) => match self.writer.row_of_files(call, self.scope) {
                Some((row, receiver)) => self.add_uses(call, row, receiver),
                None => self.add_handed(call),
            },
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether a function gives a part of a path, or of what is around the program.
fn is_of_paths(path: &str) -> bool {
    names_a_path(path) || OF_PATHS.iter().any(|known| path.starts_with(known))
}

/// Whether a text may be a path.
fn is_text_of_path(text: &str) -> bool {
    PATH.allows(text.len()) && !text.contains(char::is_whitespace)
}
