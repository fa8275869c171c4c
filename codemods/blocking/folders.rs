//! The folders that files lie in. What goes through all files of a folder comes upon each of them, whatever it is
//! called elsewhere.

use asyncfix_analysis::limits::Limit;
use ruff_python_ast::{self as ast, Expr, Operator};

use crate::blocking::file_uses::{Search, innermost};
use crate::blocking::locals::{Locals, Source};
use crate::blocking::paths::{Agreement, Folder, Path, Shape};
use crate::blocking::patterns::Pattern;
use crate::file::File;
use asyncfix_knowledge::conduct::names_a_path;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{argument, last_name};

/// Words of what makes folders, goes through them, fills them, or takes them away.
const WORDS: [&str; 10] = [
    "iterdir", "glob", "listdir", "scandir", "walk", "rmtree", "shutil", "extract", "mkdir",
    "makedirs",
];

/// Functions that give the items of what they are given.
const PASSING: [&str; 7] = [
    "builtins.enumerate",
    "builtins.iter",
    "builtins.list",
    "builtins.reversed",
    "builtins.set",
    "builtins.sorted",
    "builtins.tuple",
];

/// The names of what lists a folder.
const LISTING: [&str; 7] = [
    "iterdir", "glob", "rglob", "listdir", "scandir", "iglob", "glob1",
];

/// Methods of paths that give a path to the same file.
pub(super) const SAME: [&str; 3] = ["absolute", "expanduser", "resolve"];

/// The functions whose variables are to be seen.
pub(super) type Visible<'v, 'a> = &'v [(&'a ast::StmtFunctionDef, Locals<'a>)];

/// Whether it may matter in a file in which folder something lies.
pub(super) fn are_of_interest(file: &File<'_, '_>) -> bool {
    WORDS.iter().any(|word| file.source.contains(word))
}

/// Why a thread that uses one file of `folder` may meet other code, where that goes through all of them or this one does.
pub(super) fn reason(folder: &Folder, changes: bool) -> String {
    let path = &folder.path.text;
    if changes {
        format!("other code uses the files in `{path}`, maybe at the same time")
    } else {
        format!("other code writes files in `{path}`, maybe at the same time")
    }
}

impl<'a> Search<'_, 'a, '_> {
    /// The folder that a path lies in.
    pub(super) fn folder(
        &self,
        path: &'a Expr,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Option<Folder> {
        let steps = steps.less()?;
        match self.unwrapped(path) {
            Expr::Name(name) => {
                let Some((_, locals)) = innermost(visible, &name.id) else {
                    let value = self.constants.get(name.id.as_str()).copied().flatten()?;
                    return self.folder(value, &[], steps);
                };
                match locals.sources(&name.id)? {
                    _ if locals.parameters.contains(name.id.as_str()) => None,
                    [Source::Value(value)] => self.folder(value, visible, steps),
                    [Source::Item(items)] => self.listed(items, visible, steps),
                    _ => None,
                }
            }
            // What `os.scandir` gives.
            Expr::Attribute(entry) if &entry.attr == "path" => {
                self.folder(&entry.value, visible, steps)
            }
            Expr::BinOp(join) if join.op == Operator::Div => {
                Some(self.joined(&join.left, &join.right, visible, steps))
            }
            // `folder + "/" + name`
            Expr::BinOp(join) if join.op == Operator::Add => match &*join.left {
                Expr::BinOp(start)
                    if start.op == Operator::Add && self.is_separator(&start.right) =>
                {
                    Some(self.joined(&start.left, &join.right, visible, steps))
                }
                Expr::StringLiteral(start) => Some(Folder {
                    ending: ending(&join.right, visible, steps),
                    ..of_text(start.value.to_str())?
                }),
                // `folder + "/names.txt"`
                folder if starts_with_separator(&join.right) => Some(Folder {
                    path: Box::new(self.path_in(folder, visible, steps)),
                    is_any: false,
                    is_deep: false,
                    ending: ending(&join.right, visible, steps),
                }),
                _ => None,
            },
            Expr::StringLiteral(text) => of_text(text.value.to_str()),
            Expr::FString(text) => self.of_template(text, visible, steps),
            Expr::Call(call) => self.of_call(call, visible, steps),
            _ => None,
        }
    }

    fn of_call(
        &self,
        call: &'a ast::ExprCall,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Option<Folder> {
        let path = self.file.semantics.qualified_name(&call.func);
        let given = &*call.arguments.args;
        if path
            .as_deref()
            .is_some_and(|path| path == "os.path.join" || names_a_path(path))
        {
            return match given {
                [folder, name] => Some(self.joined(folder, name, visible, steps)),
                _ => None,
            };
        }
        let Expr::Attribute(method) = &*call.func else {
            return None;
        };
        match (method.attr.as_str(), given) {
            ("joinpath", [name]) => Some(self.joined(&method.value, name, visible, steps)),
            ("with_suffix" | "with_name", [name]) => Some(Folder {
                ending: ending(name, visible, steps),
                ..self.folder(&method.value, visible, steps)?
            }),
            (same, []) if SAME.contains(&same) => self.folder(&method.value, visible, steps),
            _ => None,
        }
    }

    /// The folder of `folder / name`.
    fn joined(
        &self,
        folder: &'a Expr,
        name: &'a Expr,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Folder {
        // `os.path.join(root, name)`, for a root out of `os.walk`
        if let Some(walked) = self.walked(folder, visible, steps) {
            return walked;
        }
        let is_any = matches!(name, Expr::Name(_)) && {
            let listed = self.folder(name, visible, steps);
            listed.is_some_and(|listed| listed.is_any)
        };
        Folder {
            path: Box::new(self.path_in(folder, visible, steps)),
            is_any,
            is_deep: false,
            ending: ending(name, visible, steps),
        }
    }

    fn walked(&self, root: &'a Expr, visible: Visible<'_, 'a>, steps: Limit) -> Option<Folder> {
        let Expr::Name(name) = root else {
            return None;
        };
        let (_, locals) = innermost(visible, &name.id)?;
        let Some([Source::Item(items @ Expr::Call(call))]) = locals.sources(&name.id) else {
            return None;
        };
        let is_walk = match &*call.func {
            Expr::Attribute(method) => &method.attr == "walk",
            Expr::Name(name) => name.id == "walk",
            _ => false,
        };
        is_walk.then(|| self.listed(items, visible, steps))?
    }

    /// The folder whose files an expression goes through.
    pub(super) fn listed(
        &self,
        items: &'a Expr,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Option<Folder> {
        let steps = steps.less()?;
        match items {
            Expr::Name(name) => {
                let (_, locals) = innermost(visible, &name.id)?;
                match locals.sources(&name.id)? {
                    [Source::Value(value)] if !locals.parameters.contains(name.id.as_str()) => {
                        self.listed(value, visible, steps)
                    }
                    _ => None,
                }
            }
            Expr::ListComp(ast::ExprListComp {
                elt, generators, ..
            })
            | Expr::SetComp(ast::ExprSetComp {
                elt, generators, ..
            })
            | Expr::Generator(ast::ExprGenerator {
                elt, generators, ..
            }) => {
                let folder = self.folder(elt, visible, steps)?;
                let mut asked = generators.iter().flat_map(|clause| &clause.ifs);
                let ending = asked.find_map(ending_asked_for);
                folder.is_any.then(|| Folder {
                    ending: folder.ending.clone().or(ending),
                    ..folder
                })
            }
            Expr::Call(call) => self.listed_by_call(call, visible, steps),
            _ => None,
        }
    }

    fn listed_by_call(
        &self,
        call: &'a ast::ExprCall,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Option<Folder> {
        let given = call.arguments.args.first();
        let all_of = |folder: &'a Expr, is_deep: bool, ending: Option<String>| Folder {
            path: Box::new(self.path_in(folder, visible, steps)),
            is_any: true,
            is_deep,
            ending,
        };
        let path = self.file.semantics.qualified_name(&call.func);
        match path.as_deref() {
            Some(passing) if PASSING.contains(&passing) => {
                return self.listed(given?, visible, steps);
            }
            Some("os.listdir" | "os.scandir" | "glob.glob1") => {
                return Some(all_of(given?, false, None));
            }
            Some("os.walk") => return Some(all_of(given?, true, None)),
            Some("glob.glob" | "glob.iglob") => {
                if let Some(root) = argument(call, "root_dir") {
                    return Some(all_of(root, false, None));
                }
                let folder = self.folder(given?, visible, steps)?;
                return Some(Folder {
                    is_any: true,
                    ..folder
                });
            }
            _ => {}
        }
        if let Expr::Attribute(method) = &*call.func {
            let pattern = match given {
                Some(Expr::StringLiteral(pattern)) => pattern.value.to_str(),
                _ => "",
            };
            let is_deep = pattern.contains('/') || pattern.contains("**");
            match method.attr.as_str() {
                "iterdir" => return Some(all_of(&method.value, false, None)),
                "glob" => return Some(all_of(&method.value, is_deep, ending_of(pattern))),
                "rglob" => return Some(all_of(&method.value, true, ending_of(pattern))),
                "walk" if path.is_none() => return Some(all_of(&method.value, true, None)),
                _ => {}
            }
        }
        // A function of the module that gives the files of a folder which it knows by itself.
        let helper = self.defined.called(self.file, call)?;
        let [.., ast::Stmt::Return(last)] = helper.body.as_slice() else {
            return None;
        };
        let own = [(helper, Locals::of(self.file, helper))];
        let folder = self.listed(last.value.as_deref()?, &own, steps)?;
        let is_known = folder.path.agreement == Agreement::Same;
        is_known.then_some(folder)
    }

    /// The folder that a call lists itself.
    pub(super) fn listed_here(
        &self,
        call: &'a ast::ExprCall,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Option<Folder> {
        let name = last_name(&call.func)?;
        LISTING
            .contains(&name)
            .then(|| self.listed_by_call(call, visible, steps))?
    }

    fn is_separator(&self, expr: &Expr) -> bool {
        match expr {
            Expr::StringLiteral(text) => text.value.to_str() == "/",
            other => self.file.semantics.means(other, &["os.sep"]),
        }
    }

    /// The folder of `f"{folder}/{name}.json"`.
    fn of_template(
        &self,
        text: &'a ast::ExprFString,
        visible: Visible<'_, 'a>,
        steps: Limit,
    ) -> Option<Folder> {
        use ast::InterpolatedStringElement::{Interpolation, Literal};
        let elements: Vec<_> = text.value.elements().collect();
        let ending = match elements.last() {
            Some(Literal(last)) => ending_of(&last.value),
            _ => None,
        };
        let is_deeper = |rest: &[&ast::InterpolatedStringElement]| {
            let mut rest = rest.iter();
            rest.any(|element| matches!(element, Literal(literal) if literal.value.contains('/')))
        };
        let path = match elements.as_slice() {
            [Literal(start), rest @ ..] if !is_deeper(rest) => of_text(&start.value)?.path,
            [Interpolation(folder), Literal(start), rest @ ..]
                if start.value.rfind('/') == Some(0) && !is_deeper(rest) =>
            {
                Box::new(self.path_in(&folder.expression, visible, steps))
            }
            _ => return None,
        };
        Some(Folder {
            path,
            is_any: false,
            is_deep: false,
            ending,
        })
    }
}

/// Whether a text starts with a separator, and has no other one.
fn starts_with_separator(text: &Expr) -> bool {
    let is_start = |text: &str| text.rfind('/') == Some(0);
    match text {
        Expr::StringLiteral(text) => is_start(text.value.to_str()),
        Expr::FString(text) => {
            let mut elements = text.value.elements();
            let mut others = text.value.elements().skip(1);
            let is_literal = |element: &ast::InterpolatedStringElement, is_it: fn(&str) -> bool| {
                matches!(element, ast::InterpolatedStringElement::Literal(literal)
                    if is_it(&literal.value))
            };
            elements
                .next()
                .is_some_and(|first| is_literal(first, |text| text.rfind('/') == Some(0)))
                && !others.any(|other| is_literal(other, |text| text.contains('/')))
        }
        _ => false,
    }
}

/// How a name ends, behind its last dot.
fn ending<'a>(name: &'a Expr, visible: Visible<'_, 'a>, steps: Limit) -> Option<String> {
    let steps = steps.less()?;
    match name {
        Expr::StringLiteral(text) => ending_of(text.value.to_str()),
        Expr::FString(text) => match text.value.elements().last() {
            Some(ast::InterpolatedStringElement::Literal(last)) => ending_of(&last.value),
            _ => None,
        },
        Expr::BinOp(sum) if sum.op == Operator::Add => ending(&sum.right, visible, steps),
        Expr::Name(name) => {
            let (_, locals) = innermost(visible, &name.id)?;
            match locals.sources(&name.id)? {
                [Source::Value(value)] if !locals.parameters.contains(name.id.as_str()) => {
                    ending(value, visible, steps)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The folder of a path that is written out: `"data/names.json"`.
fn of_text(path: &str) -> Option<Folder> {
    let (folder, name) = path.rsplit_once('/')?;
    if folder.is_empty() || folder.contains('*') {
        return None;
    }
    let key = format!("\"{folder}\"");
    Some(Folder {
        path: Box::new(Path {
            text: one_line(folder),
            shape: Shape::of_text(&key),
            key: (None, key),
            pattern: Pattern::of_text(folder),
            agreement: Agreement::Same,
            folder: None,
        }),
        is_any: false,
        is_deep: false,
        ending: ending_of(name),
    })
}

/// What stands behind the last dot of a name or a pattern.
fn ending_of(name: &str) -> Option<String> {
    let (_, ending) = name.rsplit_once('.')?;
    let is_plain = !ending.is_empty() && ending.chars().all(char::is_alphanumeric);
    is_plain.then(|| ending.to_owned())
}

/// How names end that a condition lets through: `path.suffix == ".json"`, `name.endswith(".json")`.
fn ending_asked_for(condition: &Expr) -> Option<String> {
    let text = match condition {
        Expr::Compare(compare) if matches!(&*compare.ops, [ast::CmpOp::Eq]) => {
            let is_suffix =
                matches!(&*compare.left, Expr::Attribute(asked) if &asked.attr == "suffix");
            compare.comparators.first().filter(|_| is_suffix)?
        }
        Expr::Call(call) => {
            let is_end =
                matches!(&*call.func, Expr::Attribute(method) if &method.attr == "endswith");
            call.arguments.args.first().filter(|_| is_end)?
        }
        _ => return None,
    };
    ending_of(text.as_string_literal_expr()?.value.to_str())
}
