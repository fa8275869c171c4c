#!/usr/bin/env python3
"""Answers the questions of `asyncfix --interactive` in a pseudo-terminal.

    run.py BIN [--show] [NAME ...]

BIN is the asyncfix program. Each check is a function below; with names, only those are run. --show prints what stood on
the terminal. The exit status is 1 when a check fails.
"""

import argparse
import json
import os
import pty
import re
import select
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

PROMPT = "Make this fix [y,n,a,q,e,?]? "
SOURCE = """\
import asyncio
import time


async def poll(work):
    time.sleep(1)
    asyncio.create_task(work())
    time.sleep(2)
"""
STORE = """\
async def answer():
    return 1


def upper():
    return await answer()
"""
APP = """\
from store import upper


async def main():
    print(upper())
"""
INTERRUPT, END = "\x03", "\x04"
COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """What stood on the terminal, how often something was asked, and how the program ended."""

    def __init__(self, folder, arguments, answers, environment=()):
        self.text, self.questions = "", 0
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(folder)
            settings = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "VISUAL", "EDITOR")}
            os.execve(PROGRAM, [PROGRAM, *arguments], settings | {"TERM": "xterm"} | dict(environment))
        answers = list(answers)
        end = time.monotonic() + 30
        seen = 0
        while True:
            ready, _, _ = select.select([terminal], [], [], 0.2)
            if ready:
                try:
                    read = os.read(terminal, 65536)
                except OSError:  # the other side is closed
                    break
                if not read:
                    break
                self.text += read.decode()
            waiting = COLOR.sub("", self.text[seen:])
            if waiting.endswith(PROMPT):
                seen = len(self.text)
                self.questions += 1
                if not answers:
                    os.kill(child, signal.SIGKILL)
                    break
                answer = answers.pop(0)
                os.write(terminal, (answer if answer in (INTERRUPT, END) else answer + "\n").encode())
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                break
        _, status = os.waitpid(child, 0)
        os.close(terminal)
        self.status = os.waitstatus_to_exitcode(status)
        self.text = self.text.replace("\r\n", "\n")
        self.unanswered = answers
        if SHOW:
            print(self.text)

    def has(self, words):
        assert words in self.text, f"{words!r} is not on the terminal:\n{self.text}"

    def lacks(self, words):
        assert words not in self.text, f"{words!r} is on the terminal:\n{self.text}"


def ask(folder, *answers, arguments=("--interactive", "--color", "never"), **environment):
    return Terminal(folder, arguments, answers, environment.items())


def equal(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


def editor(folder, script):
    path = folder / "editor.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def yes(folder):
    write(folder, poll=SOURCE)
    terminal = ask(folder, "y", "y", "y")
    equal((terminal.status, terminal.questions), (0, 3))
    text = (folder / "poll.py").read_text()
    assert "time.sleep" not in text and "background_tasks.add(task)" in text and "import time" not in text, text
    terminal.has("Fixed 3 problems in 1 file")


def no(folder):
    write(folder, poll=SOURCE)
    terminal = ask(folder, "n", "N", "no")
    equal((terminal.status, terminal.questions), (1, 3))
    equal((folder / "poll.py").read_text(), SOURCE)


def all_of_a_rule(folder):
    write(folder, poll=SOURCE)
    terminal = ask(folder, "a", "n")
    equal((terminal.status, terminal.questions), (1, 2))
    text = (folder / "poll.py").read_text()
    assert "time.sleep" not in text and "asyncio.create_task(work())\n" in text, text


def all_of_a_rule_in_several_files(folder):
    write(folder, one=SOURCE, two=SOURCE)
    terminal = ask(folder, "a", "a")
    equal((terminal.status, terminal.questions), (0, 2))


def quit_keeps_what_was_said(folder):
    write(folder, poll=SOURCE)
    terminal = ask(folder, "y", "q")
    equal((terminal.status, terminal.questions), (1, 2))
    equal((folder / "poll.py").read_text(), SOURCE.replace("time.sleep(1)", "await asyncio.sleep(1)"))


def end_of_input_is_quit(folder):
    write(folder, poll=SOURCE)
    terminal = ask(folder, "y", END)
    equal((terminal.status, terminal.questions), (1, 2))
    equal((folder / "poll.py").read_text(), SOURCE.replace("time.sleep(1)", "await asyncio.sleep(1)"))


def interrupt_writes_nothing(folder):
    write(folder, poll=SOURCE)
    terminal = ask(folder, "y", INTERRUPT)
    assert terminal.status in (-signal.SIGINT, 130), terminal.status
    equal((folder / "poll.py").read_text(), SOURCE)
    equal(sorted(os.listdir(folder)), ["poll.py"])


def help_on_anything_else(folder):
    write(folder, poll=SOURCE)
    terminal = ask(folder, "?", "", "later", "q")
    equal(terminal.questions, 4)
    terminal.has("y  make this fix")


def colours(folder):
    write(folder, poll=SOURCE)
    terminal = ask(folder, "q", arguments=["--interactive"])
    terminal.has("\x1b[32m+    await asyncio.sleep(1)\x1b[0m")
    ask(folder, "q", arguments=["--interactive", "--color", "never"]).lacks("\x1b")
    ask(folder, "q", arguments=["--interactive"], NO_COLOR="1").lacks("\x1b")


def edit(folder):
    write(folder, poll=SOURCE)
    tool = editor(folder, 'sed -i "s/sleep(1)/sleep(7)/" "$1"')
    terminal = ask(folder, "e", "n", "n", EDITOR=tool)
    equal((terminal.status, terminal.questions), (1, 3))
    equal((folder / "poll.py").read_text(), SOURCE.replace("time.sleep(1)", "await asyncio.sleep(7)"))


def edit_with_visual_and_arguments(folder):
    write(folder, poll=SOURCE)
    tool = editor(folder, 'test "$1" = --wait && sed -i "s/sleep(1)/sleep(7)/" "$2"')
    ask(folder, "e", "q", VISUAL=f"{tool} --wait", EDITOR="false")
    equal((folder / "poll.py").read_text(), SOURCE.replace("time.sleep(1)", "await asyncio.sleep(7)"))


def edit_that_fails_asks_again(folder):
    write(folder, poll=SOURCE)
    for tool, words in (
        (editor(folder, "exit 3"), "3"),
        ("no-such-editor", "cannot run"),
        ("", "set VISUAL or EDITOR"),
        (editor(folder, 'echo "def (" > "$1"'), "not valid Python"),
    ):
        terminal = ask(folder, "e", "q", EDITOR=tool)
        equal(terminal.questions, 2)
        terminal.has(words)
    equal((folder / "poll.py").read_text(), SOURCE)


def edit_back_to_the_original(folder):
    """Who takes the fix out again in the editor has said no."""
    write(folder, poll=SOURCE)
    (folder / "original").write_text(SOURCE)
    tool = editor(folder, f'cp "{folder}/original" "$1"')
    terminal = ask(folder, "e", "n", "n", EDITOR=tool)
    terminal.lacks("bug")
    equal((folder / "poll.py").read_text(), SOURCE)


NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [],
         "source": ["import asyncio\n", "import time"]},
        {"cell_type": "code", "execution_count": None, "id": "b", "metadata": {}, "outputs": [],
         "source": ["async def poll(work):\n", "    time.sleep(1)\n", "    asyncio.create_task(work())"]},
    ],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}


def notebook(folder):
    path = folder / "poll.ipynb"
    path.write_text(json.dumps(NOTEBOOK, indent=1))
    terminal = ask(folder, "y", "n")
    equal((terminal.status, terminal.questions), (1, 2))
    cells = json.loads(path.read_text())["cells"]
    equal("".join(cells[1]["source"]).splitlines()[1], "    await asyncio.sleep(1)")


def notebook_shows_its_own_code(folder):
    path = folder / "poll.ipynb"
    path.write_text(json.dumps(NOTEBOOK, indent=1))
    ask(folder, "q").lacks("asyncfix-end-of-cell")
    seen = folder / "seen"
    ask(folder, "e", "q", EDITOR=editor(folder, f'cp "$1" {seen}'))
    assert "asyncfix" not in seen.read_text(), seen.read_text()


def two_files(folder):
    write(folder, store=STORE, app=APP)
    terminal = ask(folder, "y")
    equal((terminal.status, terminal.questions), (0, 1))
    assert "await upper()" in (folder / "app.py").read_text()
    assert "async def upper" in (folder / "store.py").read_text()
    write(folder, store=STORE, app=APP)
    equal(ask(folder, "n").status, 1)
    equal((folder / "app.py").read_text(), APP)
    equal((folder / "store.py").read_text(), STORE)


def two_files_are_both_shown(folder):
    write(folder, store=STORE, app=APP)
    terminal = ask(folder, "y")
    terminal.has("+async def upper")
    terminal.has("+    print(await upper())")
    assert not re.search(r"^app\.py: $", terminal.text, re.MULTILINE), terminal.text


def two_files_edited(folder):
    """What was typed in the editor is taken, or it is said that it is not."""
    write(folder, store=STORE, app=APP)
    terminal = ask(folder, "e", "n", EDITOR=editor(folder, 'echo "# edited" >> "$1"'))
    assert "# edited" in (folder / "store.py").read_text() or "not taken" in terminal.text, terminal.text


def main():
    global PROGRAM, SHOW
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    PROGRAM, SHOW = str(options.program.resolve()), options.show
    checks = [
        yes, no, all_of_a_rule, all_of_a_rule_in_several_files, quit_keeps_what_was_said, end_of_input_is_quit,
        interrupt_writes_nothing, help_on_anything_else, colours, edit, edit_with_visual_and_arguments,
        edit_that_fails_asks_again, edit_back_to_the_original, notebook, notebook_shows_its_own_code, two_files,
        two_files_are_both_shown, two_files_edited,
    ]
    failed = 0
    for check in checks:
        if options.names and check.__name__ not in options.names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(Path(folder).resolve())
            except AssertionError as error:
                failed += 1
                line = traceback.extract_tb(error.__traceback__)[1].lineno
                print(f"FAIL {check.__name__} (line {line}): {error}\n")
            else:
                print(f"ok   {check.__name__}")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
