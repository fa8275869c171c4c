#!/usr/bin/env python3
"""reach.py BIN FOLDER... [--silent FILE]: what the rules see of what a plain look at the text would call the mistake.

For each rule that has a simple form, all places of that form are counted (by the syntax tree of one file and by names, nothing else),
and how many of them asyncfix reports, fixes safely, offers as unsafe, or reports without a fix. Most places that it is silent about
are no mistakes: the point is to read some. `--silent` writes 20 of each rule, taken at random, with the lines around.
The table is Markdown.
"""
import argparse
import ast
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import warnings

HTTP = {"requests.get", "requests.post", "requests.put", "requests.delete", "requests.head", "requests.request", "urllib.request.urlopen", "httpx.get", "httpx.post"}
COMMANDS = {"subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "os.system", "os.popen"}
PATHS = {"os.stat", "os.path.exists", "os.path.isfile", "os.path.isdir", "os.listdir", "os.makedirs", "os.remove", "os.unlink", "os.rename", "shutil.rmtree", "shutil.move"}
OPENERS = {"ClientSession", "AsyncClient", "open_connection", "create_pool"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("folders", nargs="+", metavar="folder")
    parser.add_argument("--silent", type=pathlib.Path, help="where to write the places to read")
    options = parser.parse_args()
    totals: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    silent: dict[str, list[str]] = collections.defaultdict(list)
    for folder in options.folders:
        root = pathlib.Path(folder).resolve()
        reported = findings_of(os.path.abspath(options.binary), root)
        for file in sorted(root.rglob("*.py")):
            name = str(file.relative_to(root))
            lines, found = candidates_in(file)
            for rule, first, last in found:
                levels = [level for row, level in reported.get((name, rule), ()) if first <= row <= last]
                level = min(levels, default="silent", key=["safe", "unsafe", "none"].index)
                totals[rule][level] += 1
                if level == "silent":
                    around = lines[max(0, first - 8) : last + 6]
                    shown = "\n".join(f"{'>' if first <= n <= last else ' '} {line}" for n, line in enumerate(around, max(0, first - 8) + 1))
                    silent[rule].append(f"### {rule} {root.name}/{name}:{first}\n{shown}\n")
    print("| Rule | places of the form | safe fix | unsafe fix | reported without a fix | silent |\n|---|--:|--:|--:|--:|--:|")
    for rule in sorted(totals):
        count = totals[rule]
        print(f"| {rule} | {sum(count.values())} | {count['safe']} | {count['unsafe']} | {count['none']} | {count['silent']} |")
    if options.silent:
        dice = random.Random(1)
        chosen = [place for rule in sorted(silent) for place in dice.sample(silent[rule], min(20, len(silent[rule])))]
        options.silent.write_text("\n".join(chosen), encoding="utf-8")
    return 0


def findings_of(binary: str, root: pathlib.Path) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """By file and rule, the lines of findings, and what kind of fix each has."""
    command = [binary, "--isolated", "-q", "--select", "ALL", "--output-format", "json", "."]
    run = subprocess.run(command, cwd=root, capture_output=True)
    found = collections.defaultdict(list)
    for finding in json.loads(run.stdout or b"[]"):
        level = (finding.get("fix") or {}).get("applicability", "none")
        found[os.path.normpath(finding["filename"]), finding["code"]].append((finding["location"]["row"], level))
    return found


def candidates_in(file: pathlib.Path) -> tuple[list[str], list[tuple[str, int, int]]]:
    """The file's lines, and the places of the forms: rule, first and last line."""
    try:
        text = file.read_bytes().decode("utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return [], []
    looks = Look({node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)})
    looks.visit(tree)
    return text.splitlines(), looks.found


def dotted(node: ast.AST) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


class Look(ast.NodeVisitor):
    def __init__(self, coroutine_functions: set[str]) -> None:
        self.coroutine_functions = coroutine_functions
        self.found: list[tuple[str, int, int]] = []
        self.is_async = [False]

    def add(self, rule: str, node: ast.AST, last: int | None = None) -> None:
        self.found.append((rule, node.lineno, last or node.end_lineno))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.is_async.append(False)
        self.generic_visit(node)
        self.is_async.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.is_async.append(True)
        self.generic_visit(node)
        self.is_async.pop()

    visit_Lambda = visit_FunctionDef

    def visit_Call(self, node: ast.Call) -> None:
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        if self.is_async[-1]:
            if name == "time.sleep":
                self.add("AF201", node)
            elif name in HTTP:
                self.add("AF202", node)
            elif name in COMMANDS:
                self.add("AF203", node)
            elif name == "open" or last in ("read_text", "write_text", "read_bytes", "write_bytes"):
                self.add("AF204", node)
            elif name == "input":
                self.add("AF205", node)
            elif name in PATHS:
                self.add("AF208", node)
        if name == "asyncio.gather":
            if not any(keyword.arg == "return_exceptions" for keyword in node.keywords):
                self.add("AF701", node)
            if any(isinstance(argument, ast.Starred) for argument in node.args):
                self.add("AF501", node)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            name = dotted(node.value.func)
            if name in self.coroutine_functions:
                self.add("AF101" if self.is_async[-1] else "AF402", node)
            elif name.rpartition(".")[2] in ("create_task", "ensure_future"):
                self.add("AF801", node)
        elif isinstance(node.value, ast.Await) and isinstance(node.value.value, ast.Call) and dotted(node.value.value.func).endswith(".acquire"):
            self.add("AF602", node)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in OPENERS and isinstance(node.targets[0], (ast.Name, ast.Tuple)):
            self.add("AF601", node)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        is_endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        if self.is_async[-1] and is_endless and any(isinstance(inner, ast.Await) for inner in ast.walk(node)):
            self.add("AF301", node, node.lineno)
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        awaits = any(isinstance(inner, ast.Await) for statement in node.body for inner in ast.walk(statement))
        for handler in node.handlers:
            caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            names = {dotted(one).rpartition(".")[2] if one else "" for one in caught}
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(handler))
            if self.is_async[-1] and awaits and not raises:
                if "CancelledError" in names:
                    self.add("AF302", handler)
                elif names & {"", "BaseException"}:
                    self.add("AF303", handler)
        self.generic_visit(node)


if __name__ == "__main__":
    sys.exit(main())
