//! Writes down what the functions of a file call, and what they do to what they share.

use std::collections::BTreeMap;

use asyncfix_knowledge::blocking::{Table, ThreadBound};
use asyncfix_knowledge::decorators::KEEPING;
use asyncfix_syntax::queries::{called, is_test, yields};
use ruff_python_ast::visitor::source_order::SourceOrderVisitor;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;
use rustc_hash::{FxHashMap, FxHashSet};

use super::asked::asked_by;
use super::file_paths::FilePath;
use super::{Calls, Class, ClassMember, Function, Path, Target};
use crate::facts::calls::values::Value;
use crate::facts::calls::walk::Walk;
use crate::facts::in_thread::Obstacles;
use crate::facts::name::Name;
use crate::facts::scopes::{Binding, Kind as ScopeKind, Scopes};
use crate::limits::{BINDINGS, Limit};

/// The calls of the functions of a file. `table` has the calls that block.
pub fn write(scopes: &Scopes<'_>, source: &str, table: &Table) -> Calls {
    let mut writer = Writer {
        scopes,
        source,
        table,
        has_bound: ThreadBound::may_be_in(source),
        is_of_tests: scopes.place.components().iter().any(|name| is_test(name)),
        functions: FxHashMap::default(),
        classes: FxHashMap::default(),
        calls: Calls {
            place: scopes.place.clone(),
            may_write: may_write_files(source),
            is_program: source.contains("__main__"),
            ..Calls::default()
        },
    };
    writer.number();
    writer.write_names();
    writer.write_classes();
    writer.write_functions();
    writer.calls
}

pub(super) struct Writer<'s, 'a> {
    pub(crate) scopes: &'s Scopes<'a>,
    pub(super) source: &'s str,
    pub(super) table: &'s Table,
    /// Whether the file may make something that belongs to its thread.
    pub(super) has_bound: bool,
    /// Whether the file is one of tests.
    is_of_tests: bool,
    /// The numbers of the functions and classes, by their scopes.
    pub(super) functions: FxHashMap<usize, u32>,
    pub(super) classes: FxHashMap<usize, u32>,
    pub(crate) calls: Calls,
}

impl<'a> Writer<'_, 'a> {
    fn number(&mut self) {
        for (index, scope) in self.scopes.all.iter().enumerate() {
            match scope.kind {
                ScopeKind::Function(_) => {
                    let number = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
                    self.functions.insert(index, number);
                }
                ScopeKind::Class(_) => {
                    let number = u32::try_from(self.classes.len()).unwrap_or(u32::MAX);
                    self.classes.insert(index, number);
                }
                ScopeKind::Module => {}
            }
        }
    }

    fn write_names(&mut self) {
        let Some(module) = self.scopes.all.first() else {
            return;
        };
        let names = module.bindings.keys();
        self.calls.names = names
            .map(|name| (Name::new(name), self.named(name, 0, BINDINGS)))
            .collect();
        self.calls.names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let bound = self.calls.names.iter().filter_map(|(name, _)| {
            let bound = self.bound_name(name, 0, BINDINGS)?;
            Some((name.clone(), Name::new(bound.what.as_str())))
        });
        self.calls.bound = bound.collect();
        let names = self.calls.names.iter().map(|(name, _)| name);
        let constants: Vec<Name> = names
            .filter(|name| self.is_free_for_all(name))
            .cloned()
            .collect();
        self.calls.constants = constants.into_boxed_slice();
        self.calls.paths = self.constants(0);
        let names = self.calls.names.iter();
        let instances = names.filter_map(|(name, _)| Some((name.clone(), self.made_by(name)?)));
        self.calls.instances = instances.collect();
        for import in &self.scopes.stars {
            let path = path_of(import, None);
            self.calls.stars.push(path);
        }
    }

    fn write_classes(&mut self) {
        for (index, scope) in self.scopes.all.iter().enumerate() {
            let ScopeKind::Class(class) = scope.kind else {
                continue;
            };
            let bases = class
                .bases()
                .iter()
                .map(|base| match base {
                    Expr::Subscript(generic) => self.target(&generic.value, scope.parent),
                    base => self.target(base, scope.parent),
                })
                // Where methods come from is not known behind these.
                .filter(|base| !is_plain_base(base))
                .collect();
            let members: BTreeMap<&str, ClassMember> = scope
                .bindings
                .iter()
                .map(|(name, bindings)| {
                    let method = match bindings.as_slice() {
                        // What is assigned from outside hides the method.
                        _ if self.scopes.placed.contains_key(*name) => None,
                        [Binding::Function(function)] => self.function_number(function),
                        _ => None,
                    };
                    (
                        *name,
                        method.map_or(ClassMember::Other, ClassMember::Method),
                    )
                })
                .chain(
                    // What is assigned to instances hides the methods.
                    scope
                        .members
                        .iter()
                        .map(|(name, ..)| (*name, ClassMember::Other)),
                )
                .collect();
            let members = members.into_iter();
            let members = members.map(|(name, member)| (Name::new(name), member));
            debug_assert_eq!(
                self.classes.get(&index).map(|number| *number as usize),
                Some(self.calls.classes.len())
            );
            let paths = self.constants(index);
            self.calls.classes.push(Class {
                bases,
                members: members.collect(),
                paths,
            });
        }
    }

    /// The names that a module or class binds once, to what may be a path, in order. In a class they are the attributes
    /// of its instances.
    fn constants(&self, scope: usize) -> Box<[(Name, FilePath)]> {
        let Some(own) = self.scopes.all.get(scope) else {
            return Box::default();
        };
        let mut assigned: BTreeMap<&str, Option<(Binding<'a>, usize)>> = BTreeMap::new();
        let bound = own.bindings.iter();
        let bound =
            bound.flat_map(|(name, all)| all.iter().map(|binding| (*name, *binding, scope)));
        for (name, binding, at) in bound.chain(own.members.iter().copied()) {
            let is_known = assigned.contains_key(name);
            let is_shared =
                self.scopes.shared.contains(name) || self.scopes.placed.contains_key(name);
            assigned.insert(name, (!is_known && !is_shared).then_some((binding, at)));
        }
        let constants = assigned.into_iter().filter_map(|(name, assigned)| {
            let (binding, at) = assigned?;
            Some((Name::new(name), self.constant_path(binding, at)?))
        });
        constants.collect()
    }

    fn write_functions(&mut self) {
        for (index, scope) in self.scopes.all.iter().enumerate() {
            let ScopeKind::Function(function) = scope.kind else {
                continue;
            };
            let written = self.function(function, index);
            self.calls.functions.push(written);
        }
    }

    pub(crate) fn function_number(&self, function: &ast::StmtFunctionDef) -> Option<u32> {
        let scope = self.scopes.by_start.get(&function.start())?;
        self.functions.get(scope).copied()
    }

    /// The name of a function, behind those of the classes around it; with a mark where it is a
    /// function's own.
    fn qualified(&self, name: &str, mut scope: usize) -> String {
        let mut qualified = name.to_owned();
        while let Some(around) = self.scopes.all.get(scope) {
            match around.kind {
                ScopeKind::Module => break,
                ScopeKind::Class(class) => qualified = format!("{}.{qualified}", class.name),
                ScopeKind::Function(function) => {
                    qualified = format!("{}.<locals>.{qualified}", function.name);
                }
            }
            scope = around.parent;
        }
        qualified
    }

    fn function(&self, function: &'a ast::StmtFunctionDef, scope: usize) -> Function {
        let parent = self.scopes.all.get(scope).map_or(0, |own| own.parent);
        let is_only = self
            .scopes
            .all
            .get(parent)
            .and_then(|around| around.bindings.get(function.name.as_str()))
            .is_some_and(|bindings| bindings.len() == 1);
        let is_transparent = function.decorator_list.iter().all(|decorator| {
            matches!(self.target(called(decorator), parent), Target::Import(path)
                if path.dotted().is_some_and(|path| KEEPING.contains(&path)))
        });
        let mut written = Function {
            name: Name::new(self.qualified(&function.name, parent)),
            is_async: function.is_async,
            is_plain: is_only && is_transparent && !function.is_async && !yields(function),
            gives_constant: self.gives_constant(function, scope),
            calls: Vec::new(),
            asked: Vec::new(),
            blocked: None,
            tied: None,
            shared: None,
            borrowed: Vec::new(),
            parameters: Box::default(),
            needs: Vec::new(),
            gone_through: Vec::new(),
            changes: Vec::new(),
            gives: self.says_it_gives(function, scope),
            changes_files: false,
            writes: None,
            files: None,
        };
        if !self.is_of_tests && !is_test(&function.name) {
            (written.files, written.changes) = self.files_and_changes_of(function, scope);
        }
        if function.is_async && !self.is_of_tests && !is_test(&function.name) {
            written.asked = asked_by(self, function, scope);
        }
        if !written.is_plain {
            return written;
        }
        let mut walk = Walk {
            writer: self,
            scope,
            function,
            written: &mut written,
            used_up: FxHashSet::default(),
            dropped: FxHashSet::default(),
            named: FxHashMap::default(),
            lazy: Vec::new(),
            inner: Vec::new(),
            raised: FxHashSet::default(),
            at_once: FxHashSet::default(),
            tried: Vec::new(),
            conditional: Vec::new(),
            is_aware: false,
            loops: Vec::new(),
            works: Vec::new(),
        };
        walk.exits(&function.body);
        walk.visit_body(&function.body);
        walk.names_parameters();
        walk.writes_by_commands();
        if walk.is_aware {
            written.is_plain = false;
        }
        if written.tied.is_none() && self.may_be_kept_here(function) {
            let path_of = |expr: &'a Expr| match self.target(expr, scope) {
                Target::Import(path) => path.dotted().map(str::to_owned),
                _ => None,
            };
            let obstacles = Obstacles::new(self.source, &path_of, Vec::new());
            written.tied = obstacles
                .of_suite(&function.body)
                .map(String::into_boxed_str);
        }
        written
    }

    /// Whether a function may do what no other thread can, by the words in it: a look at all of it costs
    /// more.
    fn may_be_kept_here(&self, function: &ast::StmtFunctionDef) -> bool {
        const WORDS: [&str; 6] = [
            "raise",
            "xc",
            "next",
            "StopIteration",
            "send",
            "notice_error",
        ];
        let text = self.text(function);
        WORDS.iter().any(|word| text.contains(word))
    }

    /// What a name stands for at the top level of `scope`.
    fn named(&self, name: &str, scope: usize, steps: Limit) -> Target {
        match self.value_of_name(name, scope, steps) {
            Some(Value::Target(target)) => target,
            _ => Target::Unknown,
        }
    }

    pub(super) fn target(&self, expr: &'a Expr, scope: usize) -> Target {
        self.target_to(expr, scope, BINDINGS)
    }

    pub(crate) fn target_to(&self, expr: &'a Expr, scope: usize, steps: Limit) -> Target {
        match self.value(expr, scope, steps) {
            Some(Value::Target(target)) => target,
            _ => Target::Unknown,
        }
    }

    /// The scope that binds `name`, seen from `scope`.
    pub(super) fn scope_of(&self, name: &str, scope: usize) -> Option<usize> {
        let mut at = scope;
        loop {
            let own = self.scopes.all.get(at)?;
            let is_visible = at == scope || !matches!(own.kind, ScopeKind::Class(_));
            if is_visible && own.bindings.contains_key(name) {
                return Some(at);
            }
            if matches!(own.kind, ScopeKind::Module) {
                return None;
            }
            at = own.parent;
        }
    }

    pub(super) fn text(&self, node: impl Ranged) -> &str {
        self.source
            .get(node.range().to_std_range())
            .unwrap_or_default()
    }
}

/// What an import names, or the module that it imports from.
pub(crate) fn path_of(import: &ast::StmtImportFrom, alias: Option<&ast::Alias>) -> Path {
    let module = import.module.as_deref().unwrap_or_default();
    let below = match alias {
        Some(alias) if module.is_empty() => Name::new(&alias.name),
        Some(alias) => Name::join(&[module, alias.name.as_str()], "."),
        None => Name::new(module),
    };
    Path {
        level: import.level,
        below,
    }
}

/// Whether some code in a file may write files, by the modes and methods that are named in it. To be wrong about that
/// only means to hold back.
fn may_write_files(source: &str) -> bool {
    const MODES: [&str; 6] = ["w", "a", "x", "r+", "rb+", "r+b"];
    const METHODS: [&str; 2] = [".write_text(", ".write_bytes("];
    METHODS.iter().any(|method| source.contains(method))
        || MODES.iter().any(|mode| {
            let starts = [format!("\"{mode}"), format!("'{mode}")];
            starts.iter().any(|start| {
                source.match_indices(start.as_str()).any(|(at, start)| {
                    let rest = source.get(at + start.len()..).unwrap_or_default();
                    rest.trim_start_matches(['b', 't', '+'])
                        .starts_with(['"', '\''])
                })
            })
        })
}

/// Whether an import binds the first name of its module's path.
pub(crate) fn is_whole_import(binding: &Binding<'_>) -> bool {
    matches!(binding, Binding::Import(alias) if alias.asname.is_none())
}

/// Whether a base class brings no methods that matter.
fn is_plain_base(base: &Target) -> bool {
    matches!(base, Target::Import(path) if path.dotted().is_some_and(|path| {
        let root = path.split('.').next();
        matches!(root, Some("builtins" | "abc" | "typing" | "typing_extensions" | "enum"))
    }))
}
