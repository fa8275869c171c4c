#!/usr/bin/env python3
"""Run the tests of real packages before and after their safe fixes.

    suites.py --asyncfix BIN                 every package of suites.txt
    suites.py --asyncfix BIN --only anyio    some packages only
    suites.py --table FILE                   the results as a table in Markdown

For each package, its source distribution is unpacked and installed into an environment of its own, with what its
tests need. The tests run twice as they are: a test that does not give the same result both times says nothing. Then
all files, tests included, are rewritten with safe fixes, and the tests run once more. A test that passed twice and
does not pass now is a fault; it is run three times alone before it counts.

Unlike run.py, this executes what it downloads. Run it where that may happen.
"""

import argparse
import dataclasses
import os
import shutil
import subprocess
import sys
import time
import venv
import xml.etree.ElementTree
from pathlib import Path

from run import DEFAULT_ASYNCFIX, DEFAULT_CACHE, HERE, Broken, digests, changed_names, read_pins, unpack

SUITES = HERE / "suites.txt"
PYTEST = ["pytest==8.3.5", "pytest-timeout==2.3.1", "setuptools"]


@dataclasses.dataclass
class Suite:
    """A line of suites.txt."""

    pin: str
    needs: list[str]
    arguments: list[str]

    @property
    def name(self) -> str:
        return self.pin.split("==")[0]


def read_suites() -> list[Suite]:
    """The suites of suites.txt."""
    suites = []
    for line in read_pins(SUITES):
        pin, needs, arguments = (part.strip() for part in line.split("|"))
        suites.append(Suite(pin, needs.split(), arguments.split()))
    return suites


class Place:
    """Where one package is unpacked and its tests run."""

    def __init__(self, suite: Suite, cache: Path, limit: int):
        self.suite = suite
        self.limit = limit
        self.folder = cache / "suites" / suite.pin.replace("==", "-")
        self.environment = self.folder / "environment"
        self.python = self.environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        self.source = self.folder / "source"

    def prepare(self) -> None:
        """Download and unpack the source, and install it as it is, with what its tests need."""
        archives = self.folder / "archive"
        if not (archives.is_dir() and any(archives.iterdir())):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            command += ["--no-deps", "--no-binary", self.suite.name, "--dest", str(archives), self.suite.pin]
            self.must(command, self.folder.parent)
        shutil.rmtree(self.source, ignore_errors=True)
        unpack(next(path for path in archives.iterdir() if path.is_file()), self.source)
        inner = [path for path in self.source.iterdir() if path.is_dir()]
        if len(inner) == 1:
            self.source = inner[0]
        stamp = self.environment / "suite.txt"
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != repr(self.suite):
            venv.create(self.environment, clear=True, with_pip=True)
            install = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            self.must([*install, *PYTEST, *self.suite.needs], self.source)
            # By its place, so that the rewritten files are the ones that run.
            self.must([*install, "--editable", "."], self.source)
            stamp.write_text(repr(self.suite), encoding="utf-8")

    def must(self, command: list[str], folder: Path) -> None:
        """Run a step that everything after it needs."""
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"{' '.join(command[2:5])} failed:\n{done.stderr.strip()[-1500:]}")

    def tests(self, *only: str) -> dict[str, str]:
        """The result of each test, by its name."""
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        command = [str(self.python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        # What a project adds for its own CI (coverage, processes) needs more plugins, and changes no result.
        command += ["-o", "addopts=", "-o", "asyncio_mode=auto"]
        command += ["--timeout", "60", f"--junitxml={report}", *self.suite.arguments]
        if only:
            command += ["-k", " or ".join(only)]
        try:
            done = subprocess.run(
                command, cwd=self.source, capture_output=True, text=True, timeout=self.limit, errors="replace"
            )
        except subprocess.TimeoutExpired:
            raise Broken(f"the tests take longer than {self.limit} s") from None
        if not report.is_file():
            raise Broken(f"pytest made no report:\n{(done.stdout + done.stderr).strip()[-1500:]}")
        results = {}
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            kinds = {child.tag for child in case}
            worst = [kind for kind in ("error", "failure", "skipped") if kind in kinds]
            results[name] = worst[0] if worst else "passed"
        return results


def try_suite(place: Place, asyncfix: Path) -> tuple[str, list[str]]:
    """One row of the table, and the tests that fail after the fixes alone."""
    start = time.monotonic()
    place.prepare()
    first, second = place.tests(), place.tests()
    passing = {name for name, result in first.items() if result == "passed" == second.get(name)}
    if not passing:
        raise Broken("no test passes before any fix")
    before = digests(place.source)
    command = [str(asyncfix), "--isolated", "--quiet", "--no-cache", "--write", "."]
    done = subprocess.run(command, cwd=place.source, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise Broken(f"asyncfix failed:\n{done.stderr.strip()}")
    changed = [name for name in changed_names(before, digests(place.source)) if name.endswith(".py")]
    after = place.tests()
    broken = sorted(name for name in passing if after.get(name) != "passed")
    for _ in range(3):
        if not broken or len(broken) > 30:
            break
        again = place.tests(*{name.split("::")[-1].split("[")[0] for name in broken})
        broken = [name for name in broken if again.get(name) != "passed"]
    row = f"| {place.suite.pin.replace('==', ' ')} | {len(first)} | {len(passing)} | {len(changed)} | {len(broken)} |"
    print(f"{place.suite.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return row, [f"{place.suite.name}: {name}: {after.get(name, 'not run')}" for name in broken]


def main() -> int:
    """Try the suites; 1 where a test that passed fails after the fixes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asyncfix", type=Path, default=DEFAULT_ASYNCFIX)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--limit", type=int, default=400, help="seconds that one run of the tests may take")
    parser.add_argument("--table", type=Path, help="write the table there")
    options = parser.parse_args()
    rows = ["| Package | tests | pass twice before | files changed | fail after |", "|---|--:|--:|--:|--:|"]
    faults = []
    for suite in read_suites():
        if options.only and suite.name not in options.only:
            continue
        place = Place(suite, options.cache.resolve(), options.limit)
        try:
            row, broken = try_suite(place, options.asyncfix.resolve())
        except Broken as error:
            print(f"{suite.name}: not tried: {error}", file=sys.stderr)
            continue
        print(row, flush=True)
        rows.append(row)
        faults += broken
    print("\n".join(faults))
    if options.table:
        options.table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
