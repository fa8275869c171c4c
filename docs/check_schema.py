#!/usr/bin/env python3
"""Holds configurations against docs/asyncfix.schema.json: README's example is valid, and what asyncfix refuses is not.

    pip install -r docs/requirements.txt
    python3 docs/check_schema.py
"""
import json
import pathlib
import sys
import tomllib

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent
WRONG = [
    "selcet = []",
    'select = ["AF9"]',
    'unsafe-fixes = "yes"',
    'gather.gaurd = "auto"',
    'gather.guard = "sometimes"',
    "concurrency.limit = 0",
    'target-version = "2.7"',
    'blocking."a.b" = true',
    'blocking."a.b" = { reasn = "" }',
    'per-file-ignores."a.py" = ["E501"]',
]

schema = json.loads((ROOT / "docs/asyncfix.schema.json").read_text(encoding="utf-8"))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
example = (ROOT / "README.md").read_text(encoding="utf-8").split("```toml\n", 1)[1].split("```", 1)[0]
errors = [error.message for error in validator.iter_errors(tomllib.loads(example)["tool"]["asyncfix"])]
errors += [f"{text}: valid" for text in WRONG if validator.is_valid(tomllib.loads(text))]
print("\n".join(errors) or f"the example is valid, and {len(WRONG)} wrong configurations are not")
sys.exit(bool(errors))
