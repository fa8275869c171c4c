#!/usr/bin/env python3
"""Neovim against `asyncfix server`, with the recipes of docs/editors.md.

    python3 tests/editors/neovim/run.py BIN

Neovim 0.11 with its configuration for servers and with the older way, Debian's Neovim (0.7 in Debian 12).
"""

import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
from session import Session, recipe, tool  # noqa: E402

HERE = Path(__file__).resolve().parent


def version(program):
    first = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    return tuple(int(part) for part in first.split("v")[1].split("-")[0].split("."))


def told(output, key):
    """What the script said about a key, in lines `key: value`."""
    return [line.split(": ", 1)[1].strip() for line in output.splitlines() if line.startswith(f"{key}: ")]


def run(session, program, heading, encoding):
    """Opens, looks, saves; then fixes all by a code action, without saving through the formatter."""
    name = f"Neovim {'.'.join(map(str, version(program)))}, recipe {heading}"
    file = session.project()
    before = file.read_text(encoding="utf-8")
    configuration = file.parent / "init.lua"
    configuration.write_text(recipe(heading, "lua"), encoding="utf-8")
    report = file.parent / "report.txt"
    command = [program, "--headless", "-n", "-i", "NONE", "-u", configuration, file]
    command += ["-c", f"luafile {HERE / 'drive.lua'}", "-c", "qa!"]
    output, _ = session.run(command, file.parent, REPORT=report)
    said = report.read_text(encoding="utf-8") if report.exists() else ""
    if session.arguments.show:
        print(said)
    detail = said + output
    session.check(f"{name}: the server is asyncfix, and positions are {encoding}", told(said, "encoding") == [encoding], detail)
    codes = set(" ".join(told(said, "codes")).split())
    session.check(f"{name}: all eight pitfalls are shown", {code[2] for code in codes} >= set("12345678"), detail)
    session.check(f"{name}: columns are right behind wide characters", told(said, "wide") == ["18"], detail)
    session.check(f"{name}: hover shows the rule", "AF101" in "".join(told(said, "hover")), detail)
    session.check_fixed(f"{name}: fixed on :write", file, before, detail)
    session.check(f"{name}: nothing is left to change after saving", told(said, "modified") == ["false"], detail)
    session.check(f"{name}: a text that does not parse is saved as it is", told(said, "broken") == ["kept"], detail)
    again = file.parent / "again.py"
    session.check_fixed(f"{name}: fixed by source.fixAll", again, before, detail)
    quick = (file.parent / "quick.py").read_text(encoding="utf-8") if (file.parent / "quick.py").exists() else ""
    expected = before.replace("result = fetch(1)", "result = await fetch(1)")
    session.check(f"{name}: a quick fix changes its own place only", quick == expected, detail)
    session.check_exit(name, detail)


def main():
    new, old = tool("python/bin/nvim"), tool("nvim")
    session = Session(__doc__, [("Neovim", new or old)])
    programs = {version(program): program for program in (new, old) if program}
    for number, program in sorted(programs.items(), reverse=True):
        if number >= (0, 11):
            run(session, program, "0.11 and newer", "utf-8")
        if number >= (0, 8):
            run(session, program, "0.8 to 0.10", "utf-8" if number >= (0, 11) else "utf-16")
        else:
            run(session, program, "0.7", "utf-16")
    session.finish()


main()
