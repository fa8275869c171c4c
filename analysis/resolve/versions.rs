//! Definitions that are there for some versions of Python only, as the stubs of the standard library have
//! them, or for type checkers only.

use ruff_db::parsed::parsed_module;
use ruff_python_ast::{self as ast, CmpOp, Expr, Number, PythonVersion, Stmt};
use ruff_text_size::{Ranged, TextRange};
use ty_python_core::SemanticIndex;
use ty_python_core::definition::Definition;
use ty_python_semantic::Db;

/// Of several definitions of a name in a stub, keeps those that are there for the version of Python that is
/// meant.
pub(crate) fn keep_those_there<'db>(db: &'db dyn Db, definitions: &mut Vec<Definition<'db>>) {
    let [first, _, ..] = definitions.as_slice() else {
        return;
    };
    if !first.file(db).is_stub(db) {
        return;
    }
    let module = parsed_module(db, first.python_file(db)).load(db);
    let version = first.program_file(db).python_version(db);
    definitions.retain(|definition| {
        let range = definition.kind(db).target_range(&module);
        is_in(&module.syntax().body, range, version)
    });
}

/// Of several definitions of a name in the branches of one `if TYPE_CHECKING`, keeps those for type checkers: they say
/// what the others are.
pub(crate) fn keep_those_for_checkers<'db>(
    db: &'db dyn Db,
    index: &SemanticIndex<'db>,
    definitions: &mut Vec<Definition<'db>>,
) {
    let [first, _, ..] = definitions.as_slice() else {
        return;
    };
    let module = parsed_module(db, first.python_file(db)).load(db);
    let range = |definition: &Definition<'db>| definition.kind(db).full_range(&module);
    let is_for_checkers = |definition: &Definition<'db>| {
        index.is_in_type_checking_block(definition.file_scope(db), range(definition))
    };
    let are_branches = |statement: &Stmt| {
        let mut all = definitions.iter();
        statement.is_if_stmt()
            && all.all(|definition| statement.range().contains_range(range(definition)))
    };
    if definitions.iter().any(is_for_checkers) && module.syntax().body.iter().any(are_branches) {
        definitions.retain(is_for_checkers);
    }
}

/// Whether the code at `range` is there for a version, as far as conditions that ask for the version tell.
fn is_in(body: &[Stmt], range: TextRange, version: PythonVersion) -> bool {
    let around = body
        .iter()
        .find(|statement| statement.range().contains_range(range));
    match around {
        Some(Stmt::ClassDef(class)) => is_in(&class.body, range, version),
        Some(Stmt::If(branches)) => {
            let first = (Some(&*branches.test), branches.body.as_slice());
            let others = branches.elif_else_clauses.iter();
            let others = others.map(|clause| (clause.test.as_ref(), clause.body.as_slice()));
            for (test, body) in std::iter::once(first).chain(others) {
                let is_taken = test.and_then(|test| asks_for(test, version));
                if body
                    .iter()
                    .any(|statement| statement.range().contains_range(range))
                {
                    return is_taken != Some(false) && is_in(body, range, version);
                }
                if is_taken == Some(true) {
                    return false;
                }
            }
            true
        }
        _ => true,
    }
}

/// The answer to `sys.version_info >= (3, 14)`.
fn asks_for(test: &Expr, version: PythonVersion) -> Option<bool> {
    let Expr::Compare(comparison) = test else {
        return None;
    };
    let (Expr::Attribute(asked), [operator], [Expr::Tuple(wanted)]) = (
        &*comparison.left,
        &*comparison.ops,
        &*comparison.comparators,
    ) else {
        return None;
    };
    let [major, minor] = wanted.elts.as_slice() else {
        return None;
    };
    let wanted = PythonVersion::from((number(major)?, number(minor)?));
    match operator {
        _ if asked.attr.as_str() != "version_info" => None,
        CmpOp::GtE => Some(version >= wanted),
        CmpOp::Lt => Some(version < wanted),
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<u8> {
    match expr {
        Expr::NumberLiteral(ast::ExprNumberLiteral {
            value: Number::Int(int),
            ..
        }) => int.as_u8(),
        _ => None,
    }
}
