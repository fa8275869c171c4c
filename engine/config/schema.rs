//! The JSON Schema of the configuration, in the form that `SchemaStore` takes: editors complete and check
//! `asyncfix.toml` and `[tool.asyncfix]` by it.

use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::blocking::CODES;
use asyncfix_knowledge::blocking::{KINDS, Kind};
use serde_json::{Map, Value, json};

use super::options::{ConfigOption, OPTIONS, Shape};

/// What the tables are about.
const TABLES: [(&str, &str); 6] = [
    (
        "blocking",
        "Which calls block the event loop, and how they are rewritten.",
    ),
    ("cancellation", "How cancellation is handled (AF301)."),
    ("concurrency", "How many coroutines run at once (AF501)."),
    ("gather", "How `asyncio.gather` is rewritten (AF701)."),
    ("per-file-ignores", "Rules that do not run in some files."),
    (
        "tasks",
        "What becomes of tasks that nothing refers to (AF801).",
    ),
];

/// The schema (draft 7), as JSON.
pub fn schema() -> Value {
    let mut properties = Map::new();
    for option in OPTIONS {
        let Some((table, key)) = option.key.split_once('.') else {
            properties.insert(option.key.to_owned(), of_option(option));
            continue;
        };
        let about = TABLES.iter().find(|(name, _)| *name == table);
        let table = properties.entry(table).or_insert_with(|| {
            json!({
                "type": "object",
                "description": about.map_or("", |(_, about)| *about),
                "properties": {},
                "additionalProperties": false,
            })
        });
        if key == "*" {
            if let (Value::Object(whole), Value::Object(own)) = (table, of_option(option)) {
                whole.insert("additionalProperties".to_owned(), Value::Object(own));
            }
        } else if let Some(Value::Object(inner)) = table.get_mut("properties") {
            inner.insert(key.to_owned(), of_option(option));
        }
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://json.schemastore.org/asyncfix.json",
        "title": "asyncfix",
        "description": "What asyncfix finds and fixes in Python code that uses asyncio.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "definitions": {"rule": rule()},
    })
}

/// Whatever selects rules: a code, a prefix of codes, a name.
fn rule() -> Value {
    let mut selectors = vec!["ALL".to_owned(), "AF".to_owned()];
    for codemod in CODEMODS {
        let rule = codemod.rule();
        for end in 3..=rule.code.len() {
            selectors.extend(rule.code.get(..end).map(str::to_owned));
        }
        selectors.push(rule.name.to_owned());
    }
    selectors.sort();
    selectors.dedup();
    json!({"type": "string", "enum": selectors})
}

fn of_option(option: &ConfigOption) -> Value {
    let mut schema = of_shape(option.shape);
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(option.doc));
        if let Ok(default) = serde_json::from_str::<Value>(option.default) {
            schema.insert("default".to_owned(), default);
        }
    }
    schema
}

fn of_shape(shape: Shape) -> Value {
    let rules = || json!({"type": "array", "items": {"$ref": "#/definitions/rule"}});
    let kinds = || -> Vec<&str> {
        let kinds = KINDS.iter().filter(|(_, kind)| *kind != Kind::Replace);
        kinds.map(|(name, _)| *name).collect()
    };
    match shape {
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Text | Shape::Path => json!({"type": "string"}),
        Shape::Version => {
            json!({"type": "string", "pattern": r"^(3\.(7|8|9|1[0-9])|py3(7|8|9|1[0-9]))$"})
        }
        Shape::Count => json!({"type": "integer", "minimum": 1}),
        Shape::Rules | Shape::RulesByPattern => rules(),
        Shape::Patterns | Shape::Folders => json!({"type": "array", "items": {"type": "string"}}),
        Shape::Choice(names) => json!({"type": "string", "enum": names()}),
        Shape::BlockingCall => {
            let codes: Vec<&str> = CODES
                .iter()
                .flat_map(|rule| [rule.code, rule.name])
                .collect();
            json!({"anyOf": [
                {"const": false},
                {"type": "string", "enum": kinds()},
                {
                    "type": "object",
                    "properties": {
                        "rewrite": {"type": "string", "enum": kinds()},
                        "code": {"type": "string", "enum": codes},
                        "reason": {"type": "string"},
                        "instead": {"type": "string"},
                        "safety": {"type": "string", "enum": ["safe", "unsafe"]},
                    },
                    "additionalProperties": false,
                },
            ]})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_each_key_of_the_readmes_example() {
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once("```toml\n").expect("an example");
        let (example, _) = rest.split_once("```").expect("its end");
        let document: toml::Value = example.parse::<toml::Table>().expect("it is TOML").into();
        let table = document.get("tool").and_then(|tool| tool.get("asyncfix"));
        let table = table.and_then(toml::Value::as_table).expect("a table");
        let schema = schema();
        for (key, value) in table {
            let found = &schema["properties"][key];
            assert!(found.is_object(), "{key}");
            for inner in value.as_table().into_iter().flat_map(toml::Table::keys) {
                let is_known = found["properties"][inner].is_object();
                assert!(
                    is_known || found["additionalProperties"].is_object(),
                    "{key}.{inner}"
                );
            }
        }
    }

    #[test]
    fn the_file_in_the_documentation_is_the_schema() {
        let file = include_str!("../../docs/asyncfix.schema.json");
        let ours = format!("{:#}\n", schema());
        assert!(
            file == ours,
            "run `asyncfix config --schema > docs/asyncfix.schema.json`"
        );
    }
}
