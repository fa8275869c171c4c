#!/usr/bin/env python3
"""Kakoune, with the recipes of docs/editors.md: kak-lsp against `asyncfix server`, and asyncfix as the formatter.

python3 tests/editors/kakoune/run.py BIN
"""

import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
from session import Session, recipe, tool  # noqa: E402


class Editor:
    """A session of Kakoune with one client that draws nothing."""

    def __init__(self, session, kak, file, configuration, path):
        home = file.parent / "config"
        (home / "kak").mkdir(parents=True)
        (home / "kak" / "kakrc").write_text(configuration, encoding="utf-8")
        self.kak, self.file, self.name = kak, file, f"asyncfix{os.getpid()}{session.number}"
        self.environment = {**session.environment, "XDG_CONFIG_HOME": str(home), "PATH": path}
        # Sessions are sockets below this folder, whose path has to be short.
        self.environment["XDG_RUNTIME_DIR"] = str(session.folder)
        self.log = open(file.parent / "kak.log", "w+")
        self.process = subprocess.Popen(
            [kak, "-ui", "dummy", "-s", self.name, file.name],
            cwd=file.parent,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def do(self, commands):
        subprocess.run(
            [self.kak, "-p", self.name],
            input=f"evaluate-commands -client client0 %{{ {commands} }}",
            text=True,
            env=self.environment,
            capture_output=True,
            timeout=20,
        )

    def value(self, expression):
        out = self.file.parent / "value"
        out.unlink(missing_ok=True)
        self.do(f"echo -to-file {out} {expression}")
        return out.read_text() if out.exists() else ""

    def wait(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not (value := condition()) and time.monotonic() < end:
            time.sleep(0.1)
        return value

    def messages(self):
        out = self.file.parent / "debug"
        self.do(f"buffer *debug*; write -sync -force {out}")
        return out.read_text() if out.exists() else ""

    def end(self):
        self.do("kill!")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def server(session, kak, client):
    name = "Kakoune, kak-lsp"
    file = session.project()
    before = file.read_text(encoding="utf-8")
    path = f"{Path(client).parent}{os.pathsep}{session.environment['PATH']}"
    editor = Editor(session, kak, file, recipe("Kakoune", "text", 0), path)
    try:
        count = editor.wait(lambda: int(editor.value('"%opt{lsp_diagnostic_warning_count}"').strip() or 0))
        session.check(f"{name}: the pitfalls are shown", count and count >= 8, f"{count} warnings")
        editor.do("write")
        editor.wait(lambda: file.read_text(encoding="utf-8") != before)
        session.check_fixed(f"{name}: fixed on saving", file, before, editor.messages())
    finally:
        editor.end()
    session.check_exit(name, killed=True)


def formatter(session, kak):
    name = "Kakoune, as the formatter"
    file = session.project()
    before = file.read_text(encoding="utf-8")
    editor = Editor(session, kak, file, recipe("Kakoune", "text", 1), session.environment["PATH"])
    try:
        editor.wait(lambda: editor.value('"%val{buffile}"').strip())
        editor.do("write")
        editor.wait(lambda: file.read_text(encoding="utf-8") != before)
        session.check_fixed(f"{name}: fixed on saving", file, before, editor.messages())
    finally:
        editor.end()


def main():
    kak, client = tool("kak"), tool("kak-lsp/bin/kak-lsp", "kak-lsp")
    session = Session(__doc__, [("Kakoune", kak)])
    formatter(session, kak)
    if client:
        server(session, kak, client)
    else:
        print("skipped: kak-lsp is not installed; tests/editors/install.sh kakoune does it")
        session.failures += session.arguments.require
    session.finish()


main()
