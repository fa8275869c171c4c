#!/usr/bin/env python3
"""Compare blocking.toml, the table AF201 to AF209 read, with the Python that runs this.

    check_blocking.py            the rows of the standard library
    check_blocking.py --all      every row whose package can be imported here

Each name is imported and must be something that can be called; where the table speaks of an argument, by keyword or by
position, the function must have it. Names that this Python does not have yet, or no longer, are only looked at in the
versions that the row gives. Prints what is wrong, and how many names were looked at.
"""

import argparse
import importlib
import inspect
import multiprocessing
import sys
import threading
import tomllib
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "knowledge" / "data" / "blocking.toml"

REWRITES = ("replace", "to-thread", "wrap-future", "outline", "report")
CODES = ("AF201", "AF202", "AF203", "AF204", "AF205", "AF207", "AF208", "AF209")

# Objects whose methods their class, or the function that makes them, does not show.
OBJECTS = {
    "threading.Lock": threading.Lock,
    "threading.RLock": threading.RLock,
    "threading.Condition": threading.Condition,
    "multiprocessing.synchronize.Lock": multiprocessing.Lock,
    "multiprocessing.synchronize.RLock": multiprocessing.RLock,
    "multiprocessing.synchronize.Semaphore": multiprocessing.Semaphore,
}

# Functions whose signature Python cannot tell.
OPAQUE = ("_thread.", "concurrent.futures.wait")


def version(text):
    return tuple(int(part) for part in text.split("."))


def is_here(row):
    """Whether this Python has the names of the row."""
    now = sys.version_info[:2]
    return version(row.get("since", "3.0")) <= now <= version(row.get("until", "3.99"))


def resolve(path):
    """What a dotted path stands for: the longest part of it that is a module, and attributes from there."""
    of, _, method = path.rpartition(".")
    if of in OBJECTS:
        return getattr(OBJECTS[of](), method)
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            value = getattr(value, part)
        return value
    raise ImportError(f"no module of that name: {path}")


def check_row(row):
    if row.get("rewrite") not in REWRITES:
        yield f"no rewrite is called {row.get('rewrite')}"
    if row.get("code") not in CODES:
        yield f"no rule has the code {row.get('code')}"
    if row.get("rewrite") == "report" and not row.get("reason"):
        yield "a report needs a reason"
    if row.get("rewrite") == "replace" and not row.get("with"):
        yield "a replacement needs a name"
    if row.get("reason", "").endswith("."):
        yield "the reason ends in a full stop"
    if not row.get("functions") and not row.get("methods"):
        yield "it names nothing"


def check_arguments(path, row, is_method):
    if path.startswith(OPAQUE):
        return
    try:
        parameters = list(inspect.signature(resolve(path)).parameters.values())
    except (TypeError, ValueError):
        return
    if is_method and path.rpartition(".")[0] not in OBJECTS:
        parameters = parameters[1:]
    names = [parameter.name for parameter in parameters]
    if any(parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in parameters):
        return
    if "timeout" in row and names[row["timeout"]:row["timeout"] + 1] != ["timeout"]:
        yield f"argument {row['timeout']} is not called timeout, of {names}"
    for given in row.get("harmless", []):
        which = given.split("=")[0]
        if not which.isdigit() and which not in names:
            yield f"there is no argument {which} among {names}"


def main():
    parser = argparse.ArgumentParser(description="Compare blocking.toml with this Python.")
    parser.add_argument("--all", action="store_true", help="other packages too, where they can be imported")
    options = parser.parse_args()
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    problems = []
    seen = set()
    looked_at = skipped = 0
    for row in table["call"]:
        names = [(name, False) for name in row.get("functions", [])] + [(name, True) for name in row.get("methods", [])]
        problems += [f"{names[0][0] if names else row}: {problem}" for problem in check_row(row)]
        for name, is_method in names:
            if (name, is_method) in seen:
                problems.append(f"{name}: named twice")
            seen.add((name, is_method))
            package = name.split(".")[0]
            is_stdlib = package in sys.stdlib_module_names or package == "builtins" or "until" in row
            if not is_here(row) or not is_stdlib and not options.all:
                skipped += 1
                continue
            try:
                value = resolve(name)
            except ImportError as error:
                if is_stdlib:
                    problems.append(f"{name}: {error}")
                else:
                    skipped += 1
                continue
            except AttributeError as error:
                problems.append(f"{name}: {error}")
                continue
            looked_at += 1
            if not callable(value):
                problems.append(f"{name}: cannot be called")
            problems += [f"{name}: {problem}" for problem in check_arguments(name, row, is_method)]
    for problem in problems:
        print(problem)
    print(f"{looked_at} names are there, {skipped} were not looked at, {len(problems)} problems")
    return bool(problems)


if __name__ == "__main__":
    # Old modules of the standard library warn when they are imported.
    warnings.simplefilter("ignore")
    sys.exit(main())
