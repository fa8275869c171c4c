#!/usr/bin/env python3
"""Vim, with the recipes of docs/editors.md: ALE against `asyncfix server`, and the ways without plugins.

    python3 tests/editors/vim/run.py BIN

The ways without plugins are tried in Neovim as well, if it is there.
"""

import re
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
from session import Session, recipe, tool  # noqa: E402

WITHOUT_PLUGINS = "Vim and Neovim, without plugins"
BROKEN = "async def broken(:\n"
ALE = """\
set nocompatible
filetype plugin on
packadd! ale
let g:ale_linters = {'python': ['asyncfix']}
"""
# Waits for the problems, and writes them down.
LOOK = """\
let s:tries = 0
while s:tries < 400 && len(ale#engine#GetLoclist(bufnr(''))) == 0
  sleep 50m
  let s:tries += 1
endwhile
let s:found = map(copy(ale#engine#GetLoclist(bufnr(''))), 'v:val.lnum . ": " . v:val.text . " " . get(v:val, "code", "")')
call writefile(s:found, 'report.txt')
"""


def command(program, configuration, file, *steps):
    quiet = ["--headless", "-n", "-i", "NONE"] if "nvim" in Path(program).name else ["-N", "-n", "-i", "NONE", "-es"]
    words = [program, *quiet, "-u", configuration, file]
    for step in [*steps, "qa!"]:
        words += ["-c", step]
    return words


def name_of(program):
    first = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    return f"{Path(program).name} {re.search(r'[0-9.]+[0-9]', first)[0]}"


def on_save(session, program):
    name = f"{name_of(program)}, on save without plugins"
    file = session.project()
    before = file.read_text(encoding="utf-8")
    configuration = file.parent / "vimrc"
    configuration.write_text(recipe(WITHOUT_PLUGINS, "vim", 0), encoding="utf-8")
    output, _ = session.run(command(program, configuration, file, "write"), file.parent)
    session.check_fixed(name, file, before, output)
    file = session.project(BROKEN)
    session.run(command(program, configuration, file, "write"), file.parent)
    session.check(f"{name}: a text that does not parse is saved as it is", file.read_text() == BROKEN)


def by_formatprg(session, program):
    name = f"{name_of(program)}, formatprg"
    file = session.project()
    before = file.read_text(encoding="utf-8")
    configuration = file.parent / "vimrc"
    configuration.write_text(recipe(WITHOUT_PLUGINS, "vim", 1), encoding="utf-8")
    # `filetype plugin on` of the recipe finds the type when the file is loaded again.
    output, _ = session.run(command(program, configuration, file, "edit", "normal gggqG", "write"), file.parent)
    session.check_fixed(name, file, before, output)
    file = session.project(BROKEN)
    session.run(command(program, configuration, file, "edit", "normal gggqG", "write"), file.parent)
    session.check(f"{name}: a text that does not parse is saved as it is", file.read_text() == BROKEN)


def ale(session, program):
    name = f"{name_of(program)}, ALE"
    found = subprocess.run(
        [program, "-N", "-es", "-u", "NONE", "-c", "packadd ale", "-c", "verbose echo exists(':ALEInfo')", "-c", "qa!"],
        capture_output=True,
        text=True,
    )
    if "2" not in found.stdout + found.stderr:
        print("skipped: ALE is not installed; tests/editors/install.sh does it")
        session.failures += session.arguments.require
        return
    file = session.project()
    configuration = file.parent / "vimrc"
    configuration.write_text(ALE + recipe("Vim", "vim"), encoding="utf-8")
    (file.parent / "look.vim").write_text(LOOK)
    # ALE needs timers and jobs, which `-es` does not keep from running; its recipe runs when Vim has started.
    output, _ = session.run(
        command(program, configuration, file, "doautocmd VimEnter", "ALELint", "source look.vim"), file.parent
    )
    report = file.parent / "report.txt"
    said = report.read_text(encoding="utf-8") if report.exists() else ""
    codes = set(re.findall(r"AF\d{3}", said))
    session.check(f"{name}: all eight pitfalls are shown", {code[2] for code in codes} >= set("12345678"), said + output)
    session.check_exit(name, output, killed=True)


def main():
    vim, neovim = tool("vim"), tool("nvim")
    session = Session(__doc__, [("Vim", vim or neovim)])
    for program in filter(None, (vim, neovim)):
        on_save(session, program)
        by_formatprg(session, program)
    if vim:
        ale(session, vim)
    session.finish()


main()
