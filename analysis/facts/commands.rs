//! The files that a command of another program may work on, by the words that stand in the tree of its call.

use asyncfix_knowledge::conduct::tool_changes_files;
use asyncfix_syntax::queries::argument;
use ruff_python_ast::InterpolatedStringElement::{Interpolation, Literal};
use ruff_python_ast::{self as ast, Expr, Operator};

use crate::limits::{ALIASES, Limit};

/// What stands between two commands in a text for a shell.
const BETWEEN: [&str; 5] = ["|", "||", "&&", "&", ";"];

/// What may stand around a word in such a text.
const QUOTES: [char; 2] = ['"', '\''];

/// A word of a command.
#[derive(Debug, Clone, Copy)]
pub enum Word<'a> {
    /// It is written out.
    Text(&'a str),
    /// It is what this gives.
    Value(&'a Expr),
}

/// A word of a command that may be the name of a file.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a> {
    /// The word.
    pub word: Word<'a>,
    /// Whether the command changes a file with that name, as far as its words tell: `rm name`, `… > name`.
    pub changes: bool,
}

/// The words of the command that a call runs. `behind` says which value a name has, where it has just one.
pub fn operands<'a>(
    call: &'a ast::ExprCall,
    behind: &dyn Fn(&ast::ExprName) -> Option<&'a Expr>,
) -> Vec<Operand<'a>> {
    let mut reader = Reader {
        behind,
        found: Vec::new(),
        is_first: true,
        tool_changes: false,
        is_target: false,
    };
    if let Some(command) = argument(call, "0").or_else(|| argument(call, "args")) {
        reader.command(command, ALIASES);
    }
    reader.found
}

struct Reader<'r, 'a> {
    behind: &'r dyn Fn(&ast::ExprName) -> Option<&'a Expr>,
    found: Vec<Operand<'a>>,
    /// Whether the next word is that of a tool.
    is_first: bool,
    /// Whether the tool changes the files that it is given.
    tool_changes: bool,
    /// Whether the output goes to what the next word names.
    is_target: bool,
}

impl<'a> Reader<'_, 'a> {
    /// A whole command: a list of words, or a text of them.
    fn command(&mut self, expr: &'a Expr, steps: Limit) {
        let Some(steps) = steps.less() else {
            return;
        };
        match expr {
            Expr::StringLiteral(text) => self.text(text.value.to_str()),
            Expr::FString(text) => self.format(text),
            Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
                for elt in elts {
                    self.word_of_list(elt, steps);
                }
            }
            Expr::BinOp(sum) if sum.op == Operator::Add => {
                self.command(&sum.left, steps);
                self.command(&sum.right, steps);
            }
            // `shlex.split("rm name")`, `"rm name".split()`
            Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
                (_, [text]) => self.command(text, steps),
                (Expr::Attribute(method), []) => self.command(&method.value, steps),
                _ => {}
            },
            Expr::Name(name) => match (self.behind)(name) {
                Some(Expr::StringLiteral(text)) if !self.is_first => {
                    self.add(Word::Value(expr));
                    self.text(text.value.to_str());
                }
                Some(value) => self.command(value, steps),
                None => self.add(Word::Value(expr)),
            },
            _ => self.add(Word::Value(expr)),
        }
    }

    fn word_of_list(&mut self, expr: &'a Expr, steps: Limit) {
        match expr {
            Expr::Starred(starred) => self.command(&starred.value, steps),
            Expr::StringLiteral(text) => {
                let text = text.value.to_str();
                if text.contains(char::is_whitespace) {
                    // `["sh", "-c", "rm name"]`
                    self.is_first = true;
                    self.text(text);
                } else {
                    self.word(text);
                }
            }
            Expr::FString(text) if !self.is_first => {
                self.add(Word::Value(expr));
                self.format(text);
            }
            _ => self.add(Word::Value(expr)),
        }
    }

    /// Words with white space between them.
    fn text(&mut self, text: &'a str) {
        for word in text.split_whitespace() {
            self.word(word);
        }
    }

    fn word(&mut self, text: &'a str) {
        if BETWEEN.contains(&text) {
            self.is_first = true;
            return;
        }
        let without_number = text.trim_start_matches(|char: char| char.is_ascii_digit());
        let (text, is_target) = match without_number.strip_prefix('>') {
            Some(target) => (target.trim_start_matches('>'), true),
            None => (text.trim_start_matches('<'), self.is_target),
        };
        self.is_target = is_target;
        let (text, ends) = match text.strip_suffix(';') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let text = text.trim_matches(QUOTES);
        if text.is_empty() {
            return;
        }
        if self.is_first && !is_target {
            let tool = text.rsplit(['/', '\\']).next();
            self.tool_changes = tool.is_some_and(tool_changes_files);
        }
        self.add(Word::Text(text));
        // `of=name`, `--output=name`
        if let Some((_, value)) = text.split_once('=') {
            self.add(Word::Text(value));
        }
        self.is_first = ends;
    }

    fn add(&mut self, word: Word<'a>) {
        let is_tool = self.is_first && !self.is_target;
        self.found.push(Operand {
            word,
            changes: self.is_target || self.tool_changes && !is_tool,
        });
        self.is_first = false;
        self.is_target = false;
    }

    /// A text with values in it. Words that are only a part of what stands between two spaces are left out.
    fn format(&mut self, text: &'a ast::ExprFString) {
        let elements: Vec<_> = text.value.elements().collect();
        let is_end = |char: char| char.is_whitespace() || QUOTES.contains(&char);
        for (at, element) in elements.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| elements.get(at));
            let behind = elements.get(at + 1);
            match *element {
                Literal(literal) => {
                    let mut text: &'a str = &literal.value;
                    if before.is_some() {
                        text = text.trim_start_matches(|char: char| !is_end(char));
                    }
                    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
                    let is_cut = behind.is_some() && !last.trim_matches(QUOTES).is_empty();
                    if is_cut && !last.ends_with('>') {
                        text = text.strip_suffix(last).unwrap_or_default();
                    }
                    self.text(text);
                }
                Interpolation(part) => {
                    let starts = match before {
                        Some(Literal(literal)) => {
                            literal.value.ends_with(|char| is_end(char) || char == '>')
                        }
                        Some(Interpolation(_)) => false,
                        None => true,
                    };
                    let ends = match behind {
                        Some(Literal(literal)) => literal
                            .value
                            .starts_with(|char| is_end(char) || char == ';'),
                        Some(Interpolation(_)) => false,
                        None => true,
                    };
                    if starts && ends {
                        self.add(Word::Value(&part.expression));
                    }
                }
            }
        }
    }
}
