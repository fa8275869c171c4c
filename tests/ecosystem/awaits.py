#!/usr/bin/env python3
"""awaits.py BIN FOLDER... [--rounds N] [--seed S] [--lost FILE]: how many forgotten awaits asyncfix gives back.

In a copy of each folder, one `await` of a call is taken out of each file that has some, and asyncfix is asked. A place
counts as *safe* where the safe fixes alone give the file back byte by byte, as *unsafe* where the fix of this place would but is
offered as unsafe, as *reported* where there is a finding of AF1xx on the line, as *else* where something else was changed there, and
as *silent* otherwise. Left out are `return await …`, where a caller may await the coroutine that is returned without it, and places in
tests, which are many and much alike. `--lost` writes the silent ones, to read: where packages that a project needs are not installed, the
types of most of these cannot be known.
The table is Markdown.
"""
import argparse
import ast
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

COLUMNS = ["safe", "unsafe", "reported", "else", "silent"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("folders", nargs="+", type=pathlib.Path, metavar="folder")
    parser.add_argument("--rounds", type=int, default=3, help="how often one await of each file is taken out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lost", type=pathlib.Path, help="where to write the places that asyncfix is silent about")
    options = parser.parse_args()
    binary, dice, lost = options.binary.resolve(), random.Random(options.seed), []
    total: collections.Counter = collections.Counter()
    print(f"| Package | awaits taken out | {' | '.join(COLUMNS)} |\n|---|--:|{'--:|' * len(COLUMNS)}")
    for folder in options.folders:
        count: collections.Counter = collections.Counter()
        for _ in range(options.rounds):
            count.update(one_round(binary, folder.resolve(), dice, lost))
        print(row(folder.name, count), flush=True)
        total.update(count)
    print(row("all", total))
    if options.lost:
        options.lost.write_text("\n".join(lost), encoding="utf-8")
    return 0


def row(name: str, count: collections.Counter) -> str:
    return f"| {name} | {sum(count.values())} | {' | '.join(str(count[column]) for column in COLUMNS)} |"


def one_round(binary: pathlib.Path, folder: pathlib.Path, dice: random.Random, lost: list[str]) -> collections.Counter:
    """Takes one await out of each file of a copy, and says what became of these places."""
    count: collections.Counter = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch, folder.name)
        shutil.copytree(folder, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        taken: dict[str, tuple[bytes, int]] = {}
        for file in sorted(copy.rglob("*.py")):
            name = str(file.relative_to(copy))
            if "test" in name or file.is_symlink():
                continue
            whole = file.read_bytes()
            places = awaits_in(whole)
            if places:
                start, end, line = dice.choice(places)
                file.write_bytes(whole[:start] + whole[end:])
                taken[name] = (whole, line)
        command = [binary, "--no-cache", "--select", "AF1", "--output-format", "json", "."]
        answer = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
        found: dict[str, list[dict]] = collections.defaultdict(list)
        for finding in json.loads(answer.stdout):
            found[finding["filename"]].append(finding)
        subprocess.run([binary, "--no-cache", "--select", "AF1", "--write", "."], cwd=copy, capture_output=True, check=False)
        for name, (whole, line) in taken.items():
            broken = (copy / name).read_bytes()
            here = [finding for finding in found[name] if finding["location"]["row"] <= line <= finding["end_location"]["row"] + 1]
            if broken == whole:
                count["safe"] += 1
            elif any((finding["fix"] or {}).get("applicability") == "unsafe" for finding in here):
                count["unsafe"] += 1
            elif any((finding["fix"] or {}).get("applicability") == "safe" for finding in here):
                count["else"] += 1
            elif here:
                count["reported"] += 1
            else:
                count["silent"] += 1
                lines = whole.decode("utf-8", "replace").splitlines()
                shown = "\n".join(f"{'>' if n == line else ' '} {text}" for n, text in enumerate(lines[max(0, line - 6) : line + 4], max(0, line - 6) + 1))
                lost.append(f"### {folder.name}/{name}:{line}\n{shown}\n")
    return count


def awaits_in(whole: bytes) -> list[tuple[int, int, int]]:
    """Where `await ` stands before a call: its first byte, the first byte of the call, and the line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(whole)
    except (SyntaxError, ValueError, RecursionError):
        return []
    starts = [0]
    for line in whole.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    returned = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Return)}
    places = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call) and id(node) not in returned:
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.value.lineno - 1] + node.value.col_offset
            if whole[start:end] == b"await ":
                places.append((start, end, node.lineno))
    return places


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(main())
