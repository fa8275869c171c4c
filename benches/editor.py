#!/usr/bin/env python3
"""How long an editor waits for the language server, beside `ruff server` on the same file.

    editor.py BIN --project FOLDER --file FILE [--ruff RUFF] [--edits N]

A project of many files shows most. Of each server: the time from its start to the first diagnostics; then, with the file
open and changed before each question, the time from a save to the edits (`textDocument/formatting`), and from a key to the
diagnostics (`textDocument/diagnostic`). "comment" adds a comment, "function" a function with a call, which may mean
something to the other files. "at once" saves right behind the last key, as a program does; "typed" asks for the diagnostics
as an editor does, and saves after `--rest` seconds, as a person does. At the end, the memory.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path


class Server:
    """A language server, and how often it was asked."""

    def __init__(self, command, folder):
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.number, self.version = 0, 0
        uri = Path(folder).as_uri()
        self.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": "project"}],
                "capabilities": {
                    "general": {"positionEncodings": ["utf-8"]},
                    "textDocument": {"diagnostic": {}, "formatting": {}},
                    "workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}},
                },
            },
        )
        self.tell("initialized", {})

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def read(self):
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            sys.exit("the server is gone")
        return json.loads(self.process.stdout.read(length))

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params):
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        while True:
            message = self.read()
            if "method" in message and "id" in message:
                self.send({"id": message["id"], "result": None})
            elif message.get("id") == self.number:
                if "error" in message:
                    sys.exit(f"{method}: {message['error']}")
                return message["result"]

    def open(self, uri, text):
        self.version += 1
        document = {"uri": uri, "languageId": "python", "version": self.version, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})

    def change(self, uri, text):
        self.version += 1
        document = {"uri": uri, "version": self.version}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def memory(self):
        """The resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) // 1024

    def stop(self):
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.process.wait(10)


def ask_for_edits(server, uri):
    server.ask("textDocument/formatting", {"textDocument": {"uri": uri}, "options": {"tabSize": 4, "insertSpaces": True}})


def ask_for_diagnostics(server, uri):
    return server.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})["items"]


def measure(name, command, options):
    file = Path(options.file).resolve()
    uri, text = file.as_uri(), file.read_text()
    start = time.perf_counter()
    server = Server(command, options.project)
    server.open(uri, text)
    found = ask_for_diagnostics(server, uri)
    print(f"{name}: first diagnostics ({len(found)}) after {time.perf_counter() - start:.2f} s")
    kinds = {
        "comment": "\n# {number}\n",
        "function": "\n\nasync def added_{number}(client):\n    await client.call_{number}()\n",
    }
    for kind, addition in kinds.items():
        measured = (
            ("save -> edits, typed", ask_for_edits, options.rest),
            ("save -> edits, at once", ask_for_edits, 0),
            ("key -> diagnostics", ask_for_diagnostics, 0),
        )
        for what, question, rest in measured:
            times = []
            for number in range(options.edits):
                server.change(uri, text + addition.format(number=number))
                if rest:
                    ask_for_diagnostics(server, uri)
                    time.sleep(rest)
                start = time.perf_counter()
                question(server, uri)
                times.append((time.perf_counter() - start) * 1000)
                time.sleep(options.pause)
            times.sort()
            middle, high, last = times[len(times) // 2], times[len(times) * 99 // 100], times[-1]
            print(f"{name}: {what} ({kind}): p50 {middle:.1f} ms, p99 {high:.1f} ms, longest {last:.1f} ms")
    print(f"{name}: {server.memory()} MiB")
    server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--project", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--ruff", help="the program of ruff, to measure it beside")
    parser.add_argument("--edits", type=int, default=60)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two changes")
    parser.add_argument("--rest", type=float, default=0.5, help="seconds between the last key and the save, typed")
    options = parser.parse_args()
    measure("asyncfix", [os.path.abspath(options.binary), "server"], options)
    if options.ruff:
        measure("ruff", [options.ruff, "server"], options)


main()
