#!/usr/bin/env python3
"""Emacs against `asyncfix server`: eglot and lsp-mode, with the recipes of docs/editors.md.

python3 tests/editors/emacs/run.py BIN
"""

import re
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
from session import Session, pitfalls, recipe, tool  # noqa: E402

HERE = Path(__file__).resolve().parent
CLIENTS = {"eglot": 0, "lsp-mode": 1}


def run(session, emacs, client):
    version = re.search(r"\d+\.\d+", subprocess.run([emacs, "--version"], capture_output=True, text=True).stdout)[0]
    name = f"Emacs {version}, {client}"
    # lsp-mode 8 counts characters where the protocol counts units of UTF-16.
    wide = client != "lsp-mode"
    file = session.project(pitfalls(wide))
    before = file.read_text(encoding="utf-8")
    recipe_file = file.parent / "recipe.el"
    recipe_file.write_text(recipe("Emacs", "elisp", CLIENTS[client]), encoding="utf-8")
    # Not -Q: that leaves out Debian's packages.
    command = [emacs, "-q", "--batch", "-l", HERE / "steps.el", "-l", HERE / f"{client}.el"]
    output, _ = session.run(command, file.parent, FILE=file, RECIPE=recipe_file)
    if f"without: {client}" in output:
        print(f"skipped: {client} is not installed; tests/editors/install.sh does it")
        session.failures += session.arguments.require
        return
    said = dict(line.split(": ", 1) for line in output.splitlines() if re.match(r"^[a-z]+: ", line))
    codes = set(re.findall(r"AF\d{3}", said.get("diagnostics", "")))
    shown = {code[2] for code in codes} or set(said.get("lines", "").split())
    session.check(f"{name}: all eight pitfalls are shown", len(shown) >= 8, output)
    if wide:
        session.check(f"{name}: columns are right behind wide characters", said.get("wide") == "time.sleep(2)", output)
    session.check_fixed(f"{name}: fixed on saving", file, before, output)
    session.check(f"{name}: nothing is left to change after saving", said.get("modified") == "nil", output)
    session.check(f"{name}: a text that does not parse is saved as it is", said.get("broken") == "kept", output)
    session.check_fixed(f"{name}: fixed by source.fixAll", file.parent / "again.py", before, output)
    session.check_exit(name, output, killed=True)


def main():
    emacs = tool("emacs")
    session = Session(__doc__, [("Emacs", emacs)])
    for client in CLIENTS:
        run(session, emacs, client)
    session.finish()


main()
