#!/usr/bin/env python3
"""Random edits of real projects: after each, a run with a cache has to say what a run without one says.

    edits.py BIN FOLDER... [--edits N] [--seed S] [--most-files N]

Each folder is copied; the original is not changed. An edit changes one file: a comment, a new function, a statement in the
body of some function (one that blocks, awaits, raises, returns or calls), a line that goes, `async def` made `def` or the other
way round. Half of the edits are taken back later. Prints the first difference of a run and exits 1.
"""

import argparse
import ast
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

STATEMENTS = [
    "import time; time.sleep(1)",
    "await work()",
    "raise ValueError",
    "return None",
    "print(open('x').read())",
    "self.changed = 1",
    "global counter; counter = 1",
    "import subprocess; subprocess.run(['true'])",
]


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def edited(text, dice):
    """The text after one edit, with a word for what was done; `None` where that does not work out."""
    lines = text.splitlines(keepends=True)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    kind = dice.choice(["comment", "comment above", "function", "statement", "statement", "statement", "line", "async"])
    defined = functions(tree)
    if kind == "comment":
        new = text + "# A comment.\n"
    elif kind == "comment above":
        at = dice.choice([node.lineno for node in tree.body] or [1])
        new = "".join(lines[: at - 1] + ["# A comment.\n"] + lines[at - 1 :])
    elif kind == "function":
        new = text + "\n\nasync def added(client):\n    import time\n    time.sleep(1)\n    await client.call()\n"
    elif not defined:
        return None
    elif kind == "statement":
        first = dice.choice(defined).body[0]
        if first.lineno == 1 or first.col_offset == 0:
            return None
        indent = " " * first.col_offset
        new = "".join(lines[: first.lineno - 1] + [indent + dice.choice(STATEMENTS) + "\n"] + lines[first.lineno - 1 :])
    elif kind == "line":
        body = dice.choice(defined).body
        gone = dice.choice(body)
        if len(body) == 1:
            return None
        new = "".join(lines[: gone.lineno - 1] + lines[gone.end_lineno :])
    else:
        node = dice.choice(defined)
        line = lines[node.lineno - 1]
        is_async = isinstance(node, ast.AsyncFunctionDef)
        other = line.replace("async def ", "def ", 1) if is_async else line.replace("def ", "async def ", 1)
        new = "".join(lines[: node.lineno - 1] + [other] + lines[node.lineno :])
    try:
        ast.parse(new)
    except (SyntaxError, ValueError, RecursionError):
        return None
    return kind, new


def said(binary, folder, *options):
    command = [binary, "--output-format", "json", "--explain", *options, "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: {done.returncode}\n{done.stderr}")
    return done.stdout


def check(binary, source, options, dice):
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch) / source.name, Path(scratch) / "cache"
        shutil.copytree(source, folder, symlinks=True, ignore=shutil.ignore_patterns(".git", ".asyncfix_cache"))
        files = [path for path in sorted(folder.rglob("*.py")) if path.is_file() and not path.is_symlink()]
        if not files:
            return 0
        # Files that many import matter most.
        files = sorted(files, key=lambda path: path.stat().st_size)[-options.most_files :]
        said(binary, folder, "--cache-dir", cache)
        history, undo = [], []
        for number in range(options.edits):
            if undo and dice.random() < 0.35:
                path, text = undo.pop(dice.randrange(len(undo)))
                what = "taken back"
            else:
                path = dice.choice(files)
                try:
                    before = path.read_text()
                except UnicodeDecodeError:
                    continue
                made = edited(before, dice)
                if made is None:
                    continue
                what, text = made
                if all(path != other for other, _ in undo):
                    undo.append((path, before))
            path.write_text(text)
            history.append(f"{path.relative_to(folder)}: {what}")
            with_cache = said(binary, folder, "--cache-dir", cache)
            without = said(binary, folder, "--no-cache")
            if with_cache != without:
                print(f"{source.name}: differs after {len(history)} edits; the last ones: {history[-5:]}")
                known, fresh = json.loads(with_cache), json.loads(without)
                for one, others, sign in ((known, fresh, "-"), (fresh, known, "+")):
                    for finding in one:
                        if finding not in others:
                            print(sign, json.dumps(finding)[:600])
                return 1
        print(f"{source.name}: the same after each of {len(history)} edits")
        return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=lambda name: str(Path(name).resolve()))
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-files", type=int, default=60, help="how many of the largest files are edited")
    options = parser.parse_args()
    dice = random.Random(options.seed)
    sys.exit(max(check(options.binary, folder.resolve(), options, dice) for folder in options.folders))


main()
