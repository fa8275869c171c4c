//! Commands that other programs run: which tool they are of, and in which folder they work.

use asyncfix_analysis::limits::{ALIASES, HANDED_ON, Limit};
use asyncfix_analysis::resolve::bindings::Origin;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::blocking::Table;
use asyncfix_knowledge::conduct::{command_only_reads, is_unique, names_a_path};
use asyncfix_syntax::queries::{argument, own_calls, own_code};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Operator};
use ruff_text_size::Ranged;

use crate::blocking::through;

/// The rule about other processes.
pub(super) const CODE: &str = "AF203";

/// Words that ask tools about themselves.
const ABOUT: [&str; 5] = ["--version", "-V", "version", "--help", "help"];

/// The folder that a command works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Folder {
    /// Each run of the code has its own.
    Own,
    /// That of the program.
    Current,
    /// What this names.
    Named(String),
    /// Some other one.
    Unknown,
}

/// A command, as far as it is written out.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) folder: Folder,
    /// Its words: those of the function's own parameters are its callers'.
    words: Vec<Word>,
}

#[derive(Debug, Clone)]
enum Word {
    Text(String),
    /// What a parameter of this name is given, and all that follows.
    Given(String),
}

impl Command {
    /// The command that a call runs, in a function with these parameters.
    pub(super) fn of_call(
        semantics: &Semantics<'_>,
        table: &Table,
        call: &ast::ExprCall,
        function: Option<&ast::StmtFunctionDef>,
    ) -> Option<Self> {
        let path = semantics.qualified_name(&call.func)?;
        if table.function(&path)?.code != CODE {
            return None;
        }
        let given = argument(call, "0").or_else(|| argument(call, "args"))?;
        let mut reader = Reader {
            semantics,
            function,
            words: Vec::new(),
            is_open: false,
        };
        reader.command(given, ALIASES);
        let folder = match argument(call, "cwd") {
            Some(folder) => reader.folder(folder),
            None => Folder::Current,
        };
        Some(Self {
            folder,
            words: reader.words,
        })
    }

    /// The tool, without its folder.
    pub(super) fn tool(&self) -> Option<&str> {
        match self.words.first()? {
            Word::Text(tool) => {
                let name = tool.rsplit(['/', '\\']).next()?;
                (!name.is_empty()).then_some(name)
            }
            Word::Given(_) => None,
        }
    }

    /// Whether it asks the tool about itself, and works in no folder: `git --version`.
    pub(super) fn is_about_tool(&self) -> bool {
        matches!(self.words.get(1), Some(Word::Text(word)) if ABOUT.contains(&word.as_str()))
    }

    /// Whether it only looks at what is there.
    pub(super) fn only_reads(&self) -> bool {
        let mut words = self.words.iter().skip(1).map_while(|word| match word {
            Word::Text(word) => Some(word.as_str()),
            Word::Given(_) => None,
        });
        // `git -C folder log`
        let mut what = None;
        while let Some(word) = words.next() {
            if matches!(word, "-C" | "-c") {
                words.next();
            } else if !word.starts_with('-') {
                what = Some(word);
                break;
            }
        }
        // `git config --get`
        let next = words.next().unwrap_or_default();
        self.tool().zip(what).is_some_and(|(tool, what)| {
            command_only_reads(tool, what) || command_only_reads(tool, &format!("{what} {next}"))
        })
    }

    /// The same in words of a caller, whose `call` of `function` leads to it.
    fn for_caller(
        &self,
        own: &Semantics<'_>,
        function: &ast::StmtFunctionDef,
        caller: &Semantics<'_>,
        around: Option<&ast::StmtFunctionDef>,
        call: &ast::ExprCall,
    ) -> Self {
        let given: Vec<(String, &Expr)> = through::given(own, function, call).collect();
        let variable = function.parameters.vararg.as_deref();
        let mut reader = Reader {
            semantics: caller,
            function: around,
            words: Vec::new(),
            is_open: false,
        };
        for word in &self.words {
            match word {
                Word::Text(text) => reader.words.push(Word::Text(text.clone())),
                Word::Given(name) if variable.is_some_and(|all| all.name.as_str() == name) => {
                    for value in &call.arguments.args {
                        reader.word(value, ALIASES);
                    }
                }
                Word::Given(name) => {
                    let value = given.iter().find(|(parameter, _)| parameter == name);
                    if let Some((_, value)) = value {
                        reader.command(value, ALIASES);
                    }
                }
            }
        }
        let of_parameter = |name: &str| {
            let is_one = function
                .parameters
                .iter()
                .any(|parameter| parameter.name().as_str() == name);
            is_one.then(|| {
                let value = given.iter().find(|(parameter, _)| parameter == name);
                value.map_or(Folder::Current, |(_, value)| reader.folder(value))
            })
        };
        let folder = match &self.folder {
            Folder::Named(text) => {
                let root = text.split('.').next().unwrap_or_default();
                let receiver = match &*call.func {
                    Expr::Attribute(method) => spelled(&method.value),
                    _ => None,
                };
                match (of_parameter(text), receiver) {
                    (Some(folder), _) => folder,
                    // The object that the method is called on.
                    (None, Some(receiver)) if of_parameter(root).is_some() => {
                        Folder::Named(text.replacen(root, &receiver, 1))
                    }
                    _ => self.folder.clone(),
                }
            }
            other => other.clone(),
        };
        Self {
            folder,
            words: reader.words,
        }
    }
}

/// The commands that a call runs: itself, or by the function of the project that it calls.
pub(super) fn run_by_call(
    semantics: &Semantics<'_>,
    table: &Table,
    call: &ast::ExprCall,
    around: Option<&ast::StmtFunctionDef>,
) -> Vec<Command> {
    to_depth(semantics, table, call, around, HANDED_ON)
}

fn to_depth(
    semantics: &Semantics<'_>,
    table: &Table,
    call: &ast::ExprCall,
    around: Option<&ast::StmtFunctionDef>,
    depth: Limit,
) -> Vec<Command> {
    if let Some(command) = Command::of_call(semantics, table, call, around) {
        return vec![command];
    }
    let Some(depth) = depth.less() else {
        return Vec::new();
    };
    let Some(function) = semantics.function_in_sight(&call.func) else {
        return Vec::new();
    };
    let Some(node) = function.node(semantics.db()) else {
        return Vec::new();
    };
    let own = semantics.of_function(&function);
    let commands = own_calls(&node.body)
        .into_iter()
        .flat_map(|inner| to_depth(&own, table, inner, Some(node), depth));
    commands
        .map(|command| command.for_caller(&own, node, semantics, around, call))
        .collect()
}

/// Reads the words of commands, in a function.
struct Reader<'s, 'db> {
    semantics: &'s Semantics<'db>,
    function: Option<&'s ast::StmtFunctionDef>,
    words: Vec<Word>,
    /// Whether something came that is not known.
    is_open: bool,
}

impl Reader<'_, '_> {
    fn is_parameter(&self, name: &ast::ExprName) -> bool {
        self.function.is_some_and(|function| {
            let mut parameters = function.parameters.iter();
            parameters.any(|parameter| parameter.name().as_str() == name.id.as_str())
        })
    }

    /// The value that a name has, where it has one.
    fn behind<'e>(&'e self, name: &ast::ExprName) -> Option<&'e Expr> {
        match self.semantics.origins(name).as_slice() {
            [Origin::Value(value)] => Some(value),
            _ => None,
        }
    }

    /// A whole command: a list of words, or a text of them.
    fn command(&mut self, expr: &Expr, steps: Limit) {
        let Some(steps) = steps.less() else {
            self.is_open = true;
            return;
        };
        match expr {
            Expr::StringLiteral(text) => self.text(text.value.to_str()),
            Expr::FString(text) => {
                let first = text.value.elements().next();
                if let Some(ast::InterpolatedStringElement::Literal(literal)) = first {
                    self.text(&literal.value);
                }
                self.is_open = true;
            }
            Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
                for elt in elts {
                    self.word(elt, steps);
                }
            }
            Expr::BinOp(sum) if sum.op == Operator::Add => {
                self.command(&sum.left, steps);
                self.command(&sum.right, steps);
            }
            // `shlex.split("git add .")`, `"git add .".split()`
            Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
                (_, [text]) => self.command(text, steps),
                (Expr::Attribute(method), []) => self.command(&method.value, steps),
                _ => self.is_open = true,
            },
            Expr::Name(name) if self.is_parameter(name) => self.given(name),
            Expr::Name(name) => match self.behind(name).cloned() {
                Some(value) => self.command(&value, steps),
                None => self.is_open = true,
            },
            _ => self.is_open = true,
        }
    }

    fn given(&mut self, name: &ast::ExprName) {
        if !self.is_open {
            self.words.push(Word::Given(name.id.to_string()));
        }
    }

    fn text(&mut self, text: &str) {
        if !self.is_open {
            let words = text.split_whitespace();
            self.words
                .extend(words.map(|word| Word::Text(word.to_owned())));
        }
    }

    /// One word of a list, or several.
    fn word(&mut self, expr: &Expr, steps: Limit) {
        match expr {
            Expr::Starred(starred) => self.command(&starred.value, steps),
            Expr::StringLiteral(text) if !self.is_open => {
                self.words.push(Word::Text(text.value.to_str().to_owned()));
            }
            Expr::Name(name) if self.is_parameter(name) => self.given(name),
            Expr::Name(name) => match self.behind(name).cloned() {
                Some(value @ (Expr::StringLiteral(_) | Expr::List(_) | Expr::Tuple(_))) => {
                    self.command(&value, steps);
                }
                _ => self.unknown(),
            },
            Expr::List(_) | Expr::Tuple(_) | Expr::BinOp(_) => self.command(expr, steps),
            _ => self.unknown(),
        }
    }

    /// A word that is not known; those behind it may be.
    fn unknown(&mut self) {
        if self.words.is_empty() {
            self.is_open = true;
        } else if !self.is_open {
            self.words.push(Word::Text(String::new()));
        }
    }

    fn folder(&self, expr: &Expr) -> Folder {
        self.folder_in(expr, ALIASES)
    }

    fn folder_in(&self, expr: &Expr, steps: Limit) -> Folder {
        let Some(steps) = steps.less() else {
            return Folder::Unknown;
        };
        let semantics = self.semantics;
        if expr.is_none_literal_expr() {
            return Folder::Current;
        }
        if let Expr::Call(call) = expr
            && let Some(path) = semantics.qualified_name(&call.func)
        {
            return match &*call.arguments.args {
                [path_given] if names_a_path(&path) => self.folder_in(path_given, steps),
                _ if is_unique(&path) => Folder::Own,
                _ => Folder::Unknown,
            };
        }
        if let Expr::Name(name) = expr
            && !self.is_parameter(name)
        {
            if let Some(value) = self.behind(name) {
                let is_local = self
                    .function
                    .is_some_and(|function| function.range().contains_range(value.range()));
                match self.folder_in(value, steps) {
                    Folder::Unknown => {}
                    // What the module makes once is the same for all.
                    Folder::Own if !is_local => {}
                    known => return known,
                }
            }
            if self.is_entered(name) {
                return Folder::Own;
            }
        }
        spelled(expr).map_or(Folder::Unknown, Folder::Named)
    }

    /// Whether a name stands for something that a `with` makes for itself.
    fn is_entered(&self, name: &ast::ExprName) -> bool {
        struct Search<'s, 'n, 'db>(&'s Semantics<'db>, &'n str, bool);
        impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                if let AnyNodeRef::WithItem(item) = node
                    && let Some(Expr::Name(target)) = item.optional_vars.as_deref()
                    && target.id == self.1
                    && let Expr::Call(call) = &item.context_expr
                {
                    let path = self.0.qualified_name(&call.func);
                    self.2 |= path.is_some_and(|path| is_unique(&path));
                }
                own_code(node)
            }
        }
        let mut search = Search(self.semantics, &name.id, false);
        if let Some(function) = self.function {
            search.visit_body(&function.body);
        }
        search.2
    }
}

/// A name with attributes, or a text, as it is written; joined paths as well.
fn spelled(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => {
            Some(format!("{}.{}", spelled(&attribute.value)?, attribute.attr))
        }
        Expr::StringLiteral(text) => Some(format!("{:?}", text.value.to_str())),
        Expr::BinOp(join) if join.op == Operator::Div => Some(format!(
            "{}/{}",
            spelled(&join.left)?,
            spelled(&join.right)?
        )),
        _ => None,
    }
}
