"""What the tests of the editors share: their arguments, a project to edit, and the recipes of docs/editors.md.

An editor that is not installed skips its test; `--require` makes that an error. What tests/editors/install.sh has put
below target/editors/ (or $ASYNCFIX_EDITORS) is found there.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = Path(os.environ.get("ASYNCFIX_EDITORS", ROOT / "target" / "editors")).absolute()
PAGE = ROOT / "docs" / "editors.md"
# Stands on PATH as `asyncfix`: writes down which servers were started, and how they ended. Some editors end the process
# that they started as soon as it has answered `shutdown`; the server itself goes its own way.
START = """#!/bin/sh
[ "$1" = server ] || exec {binary} "$@"
exec 3<&0
trap '' HUP INT TERM
{binary} "$@" <&3 3<&- &
server=$!
exec <&- 3<&- >&-
echo $server >> {folder}/started
wait $server
echo $? >> {folder}/ended
"""
# So much of what an editor said is printed after a failure.
LINES = 24
# Characters of two units in UTF-16 and of four bytes in UTF-8, before a problem and before the end of its line.
WIDE = """

async def wide() -> None:
    print("🐍🐍"); time.sleep(2)  # 🐍
"""


class Session:
    """A folder with a project, the program on PATH, and what went wrong so far."""

    def __init__(self, description, needs=(), extra=lambda parser: None):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("binary", type=Path, help="the asyncfix program")
        parser.add_argument("--require", action="store_true", help="fail when the editor is not installed")
        parser.add_argument("--show", action="store_true", help="print what the editor says")
        parser.add_argument("--keep", action="store_true", help="keep the folder of the test")
        extra(parser)
        self.arguments = parser.parse_intermixed_args()
        self.binary = self.arguments.binary.resolve(strict=True)
        missing = [name for name, program in needs if not program or not shutil.which(program)]
        if missing:
            print(f"skipped: {', '.join(missing)} not installed; tests/editors/install.sh does it")
            sys.exit(1 if self.arguments.require else 0)
        self.folder = Path(tempfile.mkdtemp(prefix="asyncfix-editor-"))
        programs = self.folder / "bin"
        programs.mkdir()
        start = programs / "asyncfix"
        start.write_text(START.format(binary=shlex.quote(str(self.binary)), folder=shlex.quote(str(self.folder))))
        start.chmod(0o755)
        home = self.folder / "home"
        home.mkdir()
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "ENDED": str(self.folder / "ended"),
        }
        self.failures = 0
        self.number = 0

    def project(self, text=None):
        """A new folder with one file, which has all pitfalls. An editor remembers the old ones."""
        self.number += 1
        folder = self.folder / f"project{self.number}"
        folder.mkdir()
        (folder / "pyproject.toml").write_text('[project]\nname = "pitfalls"\nrequires-python = ">=3.10"\n')
        file = folder / "pitfalls.py"
        file.write_text(text if text is not None else pitfalls(), encoding="utf-8")
        return file

    def fixed(self, file, text=None):
        """What the command line makes of a file's text: what every editor has to make of it."""
        command = [self.binary, "--write", "--quiet", "--stdin-filename", file, "-"]
        text = file.read_text(encoding="utf-8") if text is None else text
        done = subprocess.run(command, cwd=file.parent, input=text, capture_output=True, text=True, env=self.environment)
        return done.stdout

    def run(self, command, cwd, timeout=60, **environment):
        """Runs an editor, and gives what it printed. What it says goes to the terminal with --show."""
        environment = {**self.environment, **{name: str(value) for name, value in environment.items()}}
        command = [str(word) for word in command]
        try:
            done = subprocess.run(
                command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
            )
            output, status = done.stdout + done.stderr, done.returncode
        except subprocess.TimeoutExpired as late:
            output, status = f"{late.stdout}\n{late.stderr}\n{command[0]} did not end", None
        if self.arguments.show:
            print(output)
        return output, status

    def check(self, what, good, detail=""):
        print(f"{'ok  ' if good else 'FAIL'}  {what}")
        if not good:
            self.failures += 1
            lines = str(detail).strip().splitlines()
            if len(lines) > LINES and not self.arguments.show:
                lines = [*lines[:LINES], f"[{len(lines) - LINES} lines more with --show]"]
            print("\n".join("      " + line for line in lines))

    def check_fixed(self, what, file, before, detail=""):
        """Whether the file on disk is what the command line makes of the text before."""
        expected = self.fixed(file, before)
        actual = file.read_text(encoding="utf-8") if file.exists() else ""
        self.check(what, actual == expected != before, f"{difference(expected, actual)}\n{detail}")

    def check_exit(self, what, detail="", killed=False):
        """Whether all servers are gone, and ended with 0. A client that kills its server does not learn the status."""
        started, ended = (self.folder / name for name in ("started", "ended"))
        servers = [int(number) for number in started.read_text().split()] if started.exists() else []
        end = time.monotonic() + 10
        while any(Path(f"/proc/{number}").exists() for number in servers) and time.monotonic() < end:
            time.sleep(0.05)
        left = [number for number in servers if Path(f"/proc/{number}").exists()]
        time.sleep(0.1)
        codes = ended.read_text().split() if ended.exists() else []
        for file in (started, ended):
            file.unlink(missing_ok=True)
        good = servers and not left and (killed or codes == ["0"] * len(servers))
        detail = f"servers: {servers}; running: {left}; exit status: {codes}\n{detail}"
        self.check(f"{what}: the server {'is gone' if killed else 'ends with 0'}", good, detail)

    def finish(self):
        if self.failures or self.arguments.keep:
            print(f"the folder of the test: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        sys.exit(1 if self.failures else 0)


def difference(expected, actual):
    import difflib

    lines = difflib.unified_diff(expected.splitlines(), actual.splitlines(), "expected", "actual", lineterm="")
    return "\n".join(lines) or "nothing was changed"


def pitfalls(wide=True):
    """The eight pitfalls of examples/, and a line with wide characters."""
    text = (ROOT / "examples" / "pitfalls.py").read_text(encoding="utf-8")
    end = '\n\nif __name__ == "__main__":'
    return text.replace(end, WIDE + end) if wide else text


def recipe(heading, language, number=0):
    """The text of a fenced block of docs/editors.md: the heading that it stands under, its language, and which one."""
    under, block, blocks = "", None, []
    for line in PAGE.read_text(encoding="utf-8").splitlines(keepends=True):
        if block is not None and line.startswith("```"):
            blocks.append("".join(block))
            block = None
        elif block is not None:
            block.append(line)
        elif line.startswith("#"):
            under = re.sub(r" \{#.*\}$", "", line.lstrip("#").strip())
        elif under == heading and line.strip() == f"```{language}":
            block = []
    if len(blocks) <= number:
        raise SystemExit(f"docs/editors.md has no block {number} of {language} under {heading!r}")
    return blocks[number]


def tool(*places):
    """The first of these programs that there is: below the folder of tools, or on PATH."""
    for place in places:
        found = shutil.which(str(TOOLS / place)) or shutil.which(place)
        if found:
            return found
    return None
