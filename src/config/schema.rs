//! The JSON Schema of the configuration, in the form that `SchemaStore` takes: editors complete and check
//! `asyncfix.toml` and `[tool.asyncfix]` by it.

use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::blocking::CODES;
use asyncfix_codemods::support::blocking::{KINDS, Kind};
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

    fn errors(configuration: &str) -> Vec<String> {
        let document: toml::Table = configuration.parse().expect("it is TOML");
        let table = document
            .get("tool")
            .and_then(|tool| tool.get("asyncfix"))
            .cloned();
        let table = table.unwrap_or(toml::Value::Table(document));
        let instance = serde_json::to_value(table).expect("it is JSON as well");
        let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
        let errors = validator.iter_errors(&instance);
        errors.map(|error| error.to_string()).collect()
    }

    #[test]
    fn the_example_of_the_readme_is_valid() {
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once("```toml\n").expect("an example");
        let (example, _) = rest.split_once("```").expect("its end");
        assert_eq!(errors(example), Vec::<String>::new());
    }

    #[test]
    fn what_is_an_error_when_it_is_read_is_invalid() {
        for wrong in [
            "selcet = []",
            "select = [\"AF9\"]",
            "unsafe-fixes = \"yes\"",
            "gather.gaurd = \"auto\"",
            "gather.guard = \"sometimes\"",
            "concurrency.limit = 0",
            "target-version = \"2.7\"",
            "blocking.\"a.b\" = true",
            "blocking.\"a.b\" = { reasn = \"\" }",
            "per-file-ignores.\"a.py\" = [\"E501\"]",
        ] {
            assert_ne!(errors(wrong), Vec::<String>::new(), "{wrong}");
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
