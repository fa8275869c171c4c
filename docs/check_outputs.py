#!/usr/bin/env python3
"""Runs the commands that the pages show, and compares what they print.

    python3 docs/check_outputs.py BIN [--update] [PAGE ...]

BIN is the asyncfix program; without pages, all of docs/ and README.md are checked. `--update` writes what was printed into the pages.

A comment right above a fenced block says what the block is; the site's pages do not show these comments:

    <!-- run -->                  the lines after `$ ` are run by bash, one after the other; what stands between them is
                                  what they print, on standard output and standard error
    <!-- output of: COMMAND -->   the whole block is what the command prints on standard output
    <!-- file -->                 the block is written to the file that its `title="…"` names
    <!-- do: COMMAND -->          (on its own) runs a command that the page describes in words; $DOCS is the folder docs/
    <!-- fresh -->                (on its own) empties the folder that the page's commands run in

Each page starts in an empty folder, which is called /home/me/project in the outputs. A line `[...]` in a block stands for any number of lines. `--8<-- "FILE"` in a block is
the text of that file of docs/. Python 3.11 or newer runs the pages' programs.
"""

import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
MARKER = re.compile(r"^( *)<!-- (run|file|fresh|do: .+?|output of: .+?) -->$")
FENCE = re.compile(r"^ *(```+)(.*)$")
ANYTHING = "[...]"
# Stands between the outputs of two commands; no program prints it.
SEPARATOR = "\x1e"


class Block:
    """A marked block of a page: its marker, its fence's first line, and its lines without indentation."""

    def __init__(self, marker, info, lines, start, end, indent, number):
        self.marker, self.info, self.lines = marker, info, lines
        # Where its lines stand in the page: page[start:end].
        self.start, self.end = start, end
        self.indent, self.number = indent, number


def blocks(page):
    """The marked blocks among the lines of a page."""
    index = 0
    while index < len(page):
        found = MARKER.match(page[index])
        index += 1
        if not found:
            continue
        indent, marker = found.groups()
        if marker == "fresh" or marker.startswith("do: "):
            yield Block(marker, "", [], index, index, indent, index)
            continue
        opening = FENCE.match(page[index]) if index < len(page) else None
        if not opening:
            raise SystemExit(f"line {index}: no block under <!-- {marker} -->")
        start = index + 1
        end = start
        while page[end].strip() != opening.group(1):
            end += 1
        lines = [line.removeprefix(indent) for line in page[start:end]]
        yield Block(marker, opening.group(2), lines, start, end, indent, index)
        index = end + 1


def included(lines):
    """The lines with the files in them that they include."""
    for line in lines:
        name = re.match(r'^--8<-- "(.+)"$', line)
        if name:
            yield from (DOCS / name.group(1)).read_text(encoding="utf-8").splitlines()
        else:
            yield line


def agrees(expected, printed):
    """Whether `printed` is what the lines of `expected` say, spaces at their ends aside."""
    parts = (r"(?s:.*)" if line == ANYTHING else re.escape(line.rstrip()) for line in expected)
    return re.fullmatch("\n".join(parts), "\n".join(line.rstrip() for line in printed)) is not None


class Folder:
    """The folder that a page's commands run in, with asyncfix on its PATH."""

    def __init__(self, binary):
        self.place = Path(tempfile.mkdtemp(prefix="asyncfix-docs-"))
        self.project = self.place / "project"
        self.project.mkdir()
        programs = self.place / "bin"
        programs.mkdir()
        (programs / "asyncfix").symlink_to(binary)
        (programs / "python").symlink_to(sys.executable)
        known = ("HOME", "LANG", "TMPDIR")
        self.environment = {name: os.environ[name] for name in known if name in os.environ}
        self.environment |= {"PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment["DOCS"] = str(DOCS)

    def empty(self):
        shutil.rmtree(self.project)
        self.project.mkdir()

    def write(self, name, lines):
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def bash(self, script, errors):
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
            timeout=120,
            text=True,
            encoding="utf-8",
        )
        # The same on every machine.
        return done.stdout.replace(str(self.project), "/home/me/project")

    def outputs(self, commands):
        """What each command prints; `$?` is the status of the one before."""
        script = "".join(
            f"status=$?; printf '{SEPARATOR}'; (exit $status)\n{command}\n" for command in commands
        )
        return [part.splitlines() for part in self.bash(script, errors=True).split(SEPARATOR)[1:]]


def console(block):
    """The commands of a console block, each with the lines that it is said to print."""
    commands = []
    for line in block.lines:
        if line.startswith("$ "):
            commands.append((line.removeprefix("$ "), []))
        elif commands:
            commands[-1][1].append(line)
        else:
            raise SystemExit(f"line {block.number}: output without a command")
    return commands


def check(page, folder):
    """Runs the blocks of a page. Gives each with what it should hold, and whether it does."""
    for block in list(blocks(page)):
        if block.marker == "fresh":
            folder.empty()
        elif block.marker.startswith("do: "):
            folder.bash(block.marker.removeprefix("do: "), errors=True)
        elif block.marker == "file":
            name = re.search(r'title="([^"]+)"', block.info)
            if not name:
                raise SystemExit(f"line {block.number}: a file without a title")
            folder.write(name.group(1), included(block.lines))
        elif block.marker == "run":
            commands = console(block)
            printed = folder.outputs([command for command, _ in commands])
            right = []
            holds = True
            for (command, expected), lines in zip(commands, printed):
                agreed = agrees(expected, lines)
                holds &= agreed
                right += [f"$ {command}", *(expected if agreed else lines)]
            yield block, right, holds
        else:
            command = block.marker.removeprefix("output of: ")
            printed = folder.bash(command, errors=False).splitlines()
            expected = list(included(block.lines))
            holds = agrees(expected, printed)
            yield block, block.lines if holds else printed, holds


def main():
    parser = argparse.ArgumentParser(description="Checks the outputs that the pages show.")
    parser.add_argument("binary", type=Path)
    parser.add_argument("pages", type=Path, nargs="*")
    parser.add_argument("--update", action="store_true", help="write what was printed into the pages")
    arguments = parser.parse_intermixed_args()
    if sys.version_info < (3, 11):
        raise SystemExit("the programs of the pages need Python 3.11")
    binary = arguments.binary.resolve(strict=True)
    passed = failed = 0
    for path in arguments.pages or [*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md"]:
        page = path.read_text(encoding="utf-8").splitlines()
        folder = Folder(binary)
        edits = []
        for block, right, holds in check(page, folder):
            if holds:
                passed += 1
                continue
            failed += 1
            edits.append((block, right))
            if not arguments.update:
                print(f"{path}:{block.number + 1}: not what is printed")
                print("\n".join(difflib.unified_diff(block.lines, right, "page", "printed", lineterm="")))
        shutil.rmtree(folder.place)
        if arguments.update and edits:
            for block, right in reversed(edits):
                page[block.start : block.end] = [(block.indent + line).rstrip() for line in right]
            path.write_text("\n".join(page) + "\n", encoding="utf-8")
            print(f"{path}: {len(edits)} updated")
    print(f"{passed} passed, {failed} {'updated' if arguments.update else 'failed'}")
    return 1 if failed and not arguments.update else 0


if __name__ == "__main__":
    sys.exit(main())
