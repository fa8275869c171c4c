#!/usr/bin/env python3
"""same_answers.py BIN FOLDER...: the same answer from wherever a file of a real project is looked at.

Of each project, every file with a finding (at most --most of them, at random) is asked about again: alone, by an absolute path from
the folder above, and over standard input. The whole project is asked again with one thread and with four. Findings, reasons and edits
must be those of the run over the folder. Where one differs it is shown, and the exit code is 1.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("folders", nargs="+", metavar="folder")
    parser.add_argument("--most", type=int, default=60, help="how many files of a project are asked about alone (60)")
    options = parser.parse_args()
    binary = os.path.abspath(options.binary)
    dice = random.Random(1)
    failures = 0
    for folder in options.folders:
        root = pathlib.Path(folder).resolve()
        with tempfile.TemporaryDirectory() as cache:
            asks = Asks(binary, root, cache)
            expected = asks.findings(root, ["."])
            different = []
            for threads in ("1", "4"):
                found = asks.findings(root, ["--no-cache", "-j", threads, "."])
                different += compare(f"with {threads} threads", found, expected)
            # Notebooks and documents have findings in their cells; only modules are read over standard input.
            files = [file for file in sorted(expected) if file.endswith(".py")]
            chosen = sorted(dice.sample(files, min(options.most, len(files))))
            for file in chosen:
                text = pathlib.Path(file).read_bytes()
                name = str(pathlib.Path(file).relative_to(root))
                ways = {
                    "alone": asks.findings(root, [name]),
                    "by its path, from the folder above": asks.findings(root.parent, [file]),
                    "over standard input": asks.findings(root, ["-", "--stdin-filename", name], text),
                }
                own = {file: expected[file]}
                for way, found in ways.items():
                    different += compare(way, found, own)
        for line in different:
            print(line)
        count = sum(len(found) for found in expected.values())
        print(f"{root.name}: {count} findings in {len(expected)} files, {len(chosen)} of them asked about alone: {len(different)} differences")
        failures += len(different)
    return bool(failures)


class Asks:
    """Asks about one project, with what earlier questions have found out."""

    def __init__(self, binary: str, root: pathlib.Path, cache: str) -> None:
        self.binary, self.root, self.cache = binary, root, cache

    def findings(self, cwd: pathlib.Path, arguments: list[str], text: bytes | None = None) -> dict[str, list[str]]:
        """By its absolute path, what is found in each file, its fix included."""
        command = [self.binary, "--isolated", "-q", "--output-format", "json", "--cache-dir", self.cache, *arguments]
        run = subprocess.run(command, cwd=cwd, input=text, capture_output=True)
        if run.returncode not in (0, 1):
            sys.stderr.write(f"in {cwd}: {' '.join(command)}\n{run.stderr.decode(errors='replace')}")
        found = collections.defaultdict(list)
        for finding in json.loads(run.stdout or b"[]"):
            path = os.path.normpath(cwd / finding.pop("filename"))
            found[path].append(plain(finding, str(cwd)))
        return {file: sorted(lines) for file, lines in found.items()}


def plain(finding: dict, cwd: str) -> str:
    """A finding without the folder that it was asked from."""
    return json.dumps(finding, sort_keys=True).replace(cwd + os.sep, "")


def compare(way: str, found: dict[str, list[str]], expected: dict[str, list[str]]) -> list[str]:
    different = []
    for file in sorted(found.keys() | expected.keys()):
        one, other = found.get(file, []), expected.get(file, [])
        if one != other:
            more = [line for line in one if line not in other]
            less = [line for line in other if line not in one]
            different.append(f"{file} {way}:\n  + {more}\n  - {less}")
    return different


if __name__ == "__main__":
    sys.exit(main())
