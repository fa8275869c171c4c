#!/usr/bin/env python3
"""Run asyncfix over real packages from PyPI, and check what it wrote.

    run.py                                   every package of packages.txt, safe fixes
    run.py --unsafe-fixes --diffs DIR        the unsafe ones too, and keep the diffs for reading
    run.py --only telethon aiohttp           some packages only
    run.py --record FILE                     what was done and found as JSON, for tests/reliability.py

What nobody here wrote is the best test there is: it holds every shape that a case file forgot. For each
package, asyncfix must end with status 0 and without a word about a bug of its own, and

- every changed file that compiled before compiles;
- a second run changes no byte;
- no comment and no string is lost;
- ruff finds no more than before: of its asyncio rules, and of what a careless edit leaves behind
  (unsorted or unused imports, undefined names, unused variables);
- `--diff` is a patch that `patch -p0` and `git apply` accept, and that gives the bytes of `--write`.

Nothing of a package is ever run or installed: its archive is downloaded and unpacked.
"""

import argparse
import collections
import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tokenize
import traceback
import venv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = HERE / "packages.txt"
TOOLS = HERE / "tools.txt"
DEFAULT_CACHE = ROOT / "target" / "ecosystem"
DEFAULT_ASYNCFIX = ROOT / "target" / "release" / "asyncfix"

# The findings of ruff that asyncfix is there to remove.
ASYNC_RULES = "ASYNC,RUF006"
# The findings that an edit leaves behind when it forgets an import, a use or a place.
TIDY_RULES = "I001,F401,F821,F841"
# What asyncfix says when it distrusts its own work, or falls over.
OWN_FAULT = re.compile(r"panicked|left as it was|please report it", re.IGNORECASE)
# How compileall names a file that does not compile.
NOT_COMPILED = re.compile(r"^\*\*\* Error compiling '(.+?)'\.\.\.", re.MULTILINE)

Counts = collections.Counter[str]


class Broken(Exception):
    """A step failed in a way that leaves nothing to check after it."""


@dataclasses.dataclass
class Report:
    """What the run over one package showed: its row of the table, and what went wrong."""

    package: str
    files: int = 0
    lines: int = 0
    changed: int = 0
    seconds: float = 0.0
    found: Counts = dataclasses.field(default_factory=collections.Counter)
    fixed: Counts = dataclasses.field(default_factory=collections.Counter)
    ruff_before: Counts = dataclasses.field(default_factory=collections.Counter)
    ruff_after: Counts = dataclasses.field(default_factory=collections.Counter)
    failures: list[str] = dataclasses.field(default_factory=list)

    def verdict(self) -> str:
        """The checks' result in two words."""
        return f"{len(self.failures)} failed" if self.failures else "passed"


# --- Packages and tools -----------------------------------------------------------------------------


def read_pins(path: Path) -> list[str]:
    """The `name==version` lines of a pin file, comments left out."""
    lines = (
        line.split("#")[0].strip()
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    return [line for line in lines if line]


def distribution_name(pin: str) -> str:
    """The name of a pin in the one spelling that all its spellings share (PEP 503)."""
    return re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower()


def download(pin: str, cache: Path) -> Path:
    """The archive of a package, from the cache where it is there already.

    A folder for each version, so that raising a pin never finds the old archive.
    """
    folder = cache / "downloads" / pin.replace("==", "-")
    if not (folder.is_dir() and any(folder.iterdir())):
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
        ]
        command += ["--no-deps", "--prefer-binary", "--dest", str(partial), pin]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"pip download {pin} failed:\n{done.stderr.strip()}")
        # Renamed once complete, so that an interrupted download is not taken for a package.
        partial.rename(folder)
    archives = sorted(path for path in folder.iterdir() if path.is_file())
    if len(archives) != 1:
        raise Broken(f"{folder} holds {len(archives)} archives, not one")
    return archives[0]


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a wheel or a source distribution into a fresh folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
    else:
        with tarfile.open(archive) as source:
            source.extractall(folder, filter="data")


def install_tools(cache: Path) -> Path:
    """Make the environment that holds the tools, and return ruff's path in it.

    Made anew when tools.txt says something else than when it was made.
    """
    environment = cache / "tools"
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    stamp = environment / "tools.txt"
    pins = TOOLS.read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != pins:
        venv.create(environment, clear=True, with_pip=True)
        command = [str(binaries / "python"), "-m", "pip", "install", "--quiet"]
        command += ["--disable-pip-version-check", "--requirement", str(TOOLS)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"pip install of {TOOLS.name} failed:\n{done.stderr.strip()}")
        stamp.write_text(pins, encoding="utf-8")
    return binaries / "ruff"


# --- asyncfix and ruff ------------------------------------------------------------------------------


@dataclasses.dataclass
class Asyncfix:
    """The tool under test, with the options that all its runs share."""

    binary: Path
    options: list[str]
    runs: int = 0

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run it on a folder as its working directory; the caller looks at the exit status."""
        # The packages' own settings say nothing about asyncfix, and those of the cache's surroundings
        # must not reach in.
        command = [
            str(self.binary),
            "--isolated",
            "--quiet",
            *self.options,
            *arguments,
            ".",
        ]
        self.runs += 1
        return subprocess.run(command, cwd=folder, capture_output=True)

    def findings(self, folder: Path) -> Counts:
        """How many findings each rule has in a folder."""
        done = self.run(folder, "--output-format", "json")
        try:
            return collections.Counter(
                finding["code"] for finding in json.loads(done.stdout)
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(
                f"the report is not the JSON expected ({error}):\n{shown(done.stderr)}"
            ) from error


def ruff_counts(
    ruff: Path, folder: Path, rules: str, names: Sequence[str] | None = None
) -> dict[str, Counts]:
    """How many findings ruff has of some rules, by code, for each file of a folder that has any.

    The working directory is the package's root: that is how ruff knows which imports are its own.
    """
    if names is not None and not names:
        return {}
    command = [str(ruff), "check", "--isolated", "--no-cache", "--exit-zero", "--quiet"]
    command += [
        "--output-format",
        "json",
        "--select",
        rules,
        *(names if names is not None else ["."]),
    ]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode != 0:
        raise Broken(f"ruff failed:\n{done.stderr.strip()}")
    counts: dict[str, Counts] = collections.defaultdict(collections.Counter)
    for finding in json.loads(done.stdout):
        # A file for a newer Python than ruff assumes has syntax errors of its own, which are no rule's.
        if finding["code"] and finding["code"] != "invalid-syntax":
            name = os.path.relpath(finding["filename"], folder)
            counts[name][finding["code"]] += 1
    return counts


# --- Checks -----------------------------------------------------------------------------------------


def digests(folder: Path) -> dict[str, bytes]:
    """A digest of each file below a folder, by its path from there."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def changed_names(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """The files that differ between two sets of digests, or are in only one of them."""
    return sorted(
        name
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    )


def not_compiling(folder: Path, names: Sequence[str], scratch: Path) -> set[str]:
    """Which of some files do not compile, with the bytecode kept out of the folder."""
    if not names:
        return set()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "compileall", "-q", "-f", "-i", "-"],
        input="\n".join(names),
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPYCACHEPREFIX": str(scratch / "bytecode")},
    )
    failed = set(NOT_COMPILED.findall(done.stdout))
    if done.returncode != 0 and not failed:
        raise Broken(f"compileall failed:\n{done.stdout}{done.stderr}")
    return failed


def comments_and_strings(source: bytes) -> tuple[list[str], Counts] | None:
    """The comments of a file in order, and its strings counted; None where it has no tokens."""
    comments: list[str] = []
    strings: Counts = collections.Counter()
    # f-strings are strings up to 3.11; from 3.12 on their text comes in pieces.
    text_kinds = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    try:
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            if token.type == tokenize.COMMENT:
                # Trailing blanks go with the line's end, which a form feed or a CR may be part of.
                comments.append(token.string.rstrip())
            elif token.type in text_kinds:
                strings[token.string] += 1
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        return None
    return comments, strings


def first_missing(wanted: Iterable[str], given: Iterable[str]) -> str | None:
    """The first of some comments that is not among others in the same order."""
    rest = iter(given)
    return next((comment for comment in wanted if comment not in rest), None)


def check_text(name: str, before: bytes, after: bytes) -> list[str]:
    """What comments and strings one changed file has lost."""
    old = comments_and_strings(before)
    if old is None:
        return []
    new = comments_and_strings(after)
    if new is None:
        return [f"{name}: no tokens any more"]
    failures = []
    if (comment := first_missing(old[0], new[0])) is not None:
        failures.append(f"{name}: comment lost or moved: {comment}")
    # Their order may change where a statement is written in another place; their number may not.
    failures += [f"{name}: string lost: {string[:80]}" for string in old[1] - new[1]]
    return failures


def check_ruff(before: dict[str, Counts], after: dict[str, Counts]) -> list[str]:
    """Which of ruff's counts rose, file by file, so that a fall elsewhere hides none."""
    failures = []
    for name in sorted(after):
        for code, count in sorted(
            (after[name] - before.get(name, collections.Counter())).items()
        ):
            failures.append(f"{name}: {count} more {code} of ruff's than before")
    return failures


def check_patch(
    diff: bytes, before: Path, after: Path, names: Sequence[str], work: Path
) -> list[str]:
    """Whether a diff is a patch that turns the files of one folder into those of another.

    `patch` and `git apply` read diffs differently (missing final newlines, line endings), so each is asked.
    """
    if not names:
        return (
            ["--diff shows something, --write changed nothing"] if diff.strip() else []
        )
    failures = []
    for tool, dry, wet in (
        (
            "patch -p0",
            ["patch", "-p0", "--batch", "--dry-run"],
            ["patch", "-p0", "--batch", "--quiet"],
        ),
        ("git apply", ["git", "apply", "--check"], ["git", "apply"]),
    ):
        folder = work / tool.replace(" ", "")
        shutil.rmtree(folder, ignore_errors=True)
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(before / name, folder / name)
        # Outside of any repository, and without the user's own settings for white space.
        settings = {
            "GIT_CEILING_DIRECTORIES": str(work),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for command in (dry, wet):
            done = subprocess.run(
                command,
                input=diff,
                cwd=folder,
                capture_output=True,
                env={**os.environ, **settings},
            )
            if done.returncode != 0:
                failures.append(
                    f"{' '.join(command)} refuses the diff: {shown(done.stdout + done.stderr)}"
                )
                break
        else:
            wrong = [
                name
                for name in names
                if (folder / name).read_bytes() != (after / name).read_bytes()
            ]
            stray = set(digests(folder)) - set(names)
            failures += [
                f"{name}: {tool} and --write give different bytes" for name in wrong
            ]
            failures += [
                f"{name}: {tool} leaves a file that --write does not"
                for name in sorted(stray)
            ]
    return failures


def shown(output: bytes, limit: int = 2000) -> str:
    """The beginning of a tool's output, for a message."""
    return output.decode("utf-8", "replace").strip()[:limit]


# --- One package ------------------------------------------------------------------------------------


def examine(
    report: Report,
    pin: str,
    asyncfix: Asyncfix,
    ruff: Path,
    options: argparse.Namespace,
) -> None:
    """Run asyncfix over one package, and fill in what it did and what is wrong with it."""
    work = options.cache / "work" / distribution_name(pin)
    shutil.rmtree(work, ignore_errors=True)
    before, after = work / "before", work / "after"
    archive = download(pin, options.cache)
    unpack(archive, before)
    unpack(archive, after)
    failures = report.failures

    original = digests(before)
    sources = [name for name in original if name.endswith((".py", ".pyi"))]
    report.files = len(sources)
    report.lines = sum((before / name).read_bytes().count(b"\n") for name in sources)
    report.found = asyncfix.findings(before)
    diff = asyncfix.run(before, "--diff")
    if diff.returncode not in (0, 1):
        failures.append(
            f"--diff ended with status {diff.returncode}: {shown(diff.stderr)}"
        )
    if digests(before) != original:
        failures.append("a report or --diff changed files")
    if options.diffs is not None:
        (options.diffs / f"{distribution_name(pin)}.diff").write_bytes(diff.stdout)

    started = time.perf_counter()
    written = asyncfix.run(after, "--write")
    report.seconds = time.perf_counter() - started
    if written.returncode != 0:
        failures.append(
            f"--write ended with status {written.returncode}: {shown(written.stderr)}"
        )
    for run in (diff, written):
        if OWN_FAULT.search(run.stderr.decode("utf-8", "replace")):
            failures.append(f"{' '.join(run.args[1:])} says: {shown(run.stderr)}")
    first = digests(after)
    changed = changed_names(original, first)
    report.changed = len(changed)
    # A lost or a new file is a fault of its own, and nothing below could compare it.
    if strays := original.keys() ^ first.keys():
        raise Broken(f"--write made or removed files: {', '.join(sorted(strays))}")
    report.fixed = report.found - asyncfix.findings(after)
    again = asyncfix.run(after, "--write")
    if again.returncode != 0:
        failures.append(
            f"a second --write ended with status {again.returncode}: {shown(again.stderr)}"
        )
    failures += [
        f"{name}: changed by a second run"
        for name in changed_names(first, digests(after))
    ]

    broken = not_compiling(after, changed, work) - not_compiling(before, changed, work)
    failures += [f"{name}: does not compile any more" for name in sorted(broken)]
    for name in changed:
        failures += check_text(
            name, (before / name).read_bytes(), (after / name).read_bytes()
        )
    failures += check_patch(diff.stdout, before, after, changed, work)

    async_before = ruff_counts(ruff, before, ASYNC_RULES)
    async_after = ruff_counts(ruff, after, ASYNC_RULES)
    failures += check_ruff(async_before, async_after)
    tidy_before = ruff_counts(ruff, before, TIDY_RULES, changed)
    failures += check_ruff(tidy_before, ruff_counts(ruff, after, TIDY_RULES, changed))
    report.ruff_before = sum(async_before.values(), collections.Counter())
    report.ruff_after = sum(async_after.values(), collections.Counter())


def table(reports: Sequence[Report]) -> str:
    """All reports as a Markdown table, with the sums below."""
    total = Report("all")
    for report in reports:
        total.files += report.files
        total.seconds += report.seconds
        for name in ("found", "fixed", "ruff_before", "ruff_after"):
            getattr(total, name).update(getattr(report, name))
    lines = [
        "| package | files | seconds | findings | fixed | ruff before → after | checks |",
        "|---|--:|--:|---|---|---|---|",
    ]
    for report in [*reports, total]:
        by_code = (
            f"{code} {report.ruff_before[code]} → {report.ruff_after[code]}"
            for code in sorted(report.ruff_before | report.ruff_after)
        )
        cells = [
            report.package,
            f"{report.files:,}",
            f"{report.seconds:.2f}",
            counted(report.found),
            counted(report.fixed),
            ", ".join(by_code) or "–",
            "" if report is total else report.verdict(),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def counted(counts: Counts) -> str:
    """Counts by rule in one cell of the table."""
    return ", ".join(f"{code} {count}" for code, count in sorted(counts.items())) or "–"


def main() -> int:
    """Run over the packages asked for; the exit status says whether all checks passed."""
    parser = argparse.ArgumentParser(
        description="Run asyncfix over real packages and check what it wrote."
    )
    parser.add_argument(
        "--asyncfix", type=Path, default=DEFAULT_ASYNCFIX, help="the program to run"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_CACHE,
        help="folder for downloads and work copies",
    )
    parser.add_argument(
        "--unsafe-fixes", action="store_true", help="apply the unsafe fixes too"
    )
    parser.add_argument(
        "--select",
        metavar="RULES",
        help="the rules to run, instead of the default ones",
    )
    parser.add_argument(
        "--diffs", type=Path, metavar="DIR", help="write one diff for each package here"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="write what was done and found as JSON",
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some packages only")
    options = parser.parse_args()

    # The runs happen in other working directories.
    options.cache = options.cache.resolve()
    binary = options.asyncfix.resolve()
    if not binary.is_file():
        parser.error(
            f"{options.asyncfix} does not exist: build it with `cargo build --release`, or give --asyncfix"
        )
    if options.diffs is not None:
        options.diffs = options.diffs.resolve()
        options.diffs.mkdir(parents=True, exist_ok=True)
    pins = {distribution_name(pin): pin for pin in read_pins(PACKAGES)}
    if options.only:
        wanted = [distribution_name(name) for name in options.only]
        if unknown := [name for name in wanted if name not in pins]:
            parser.error(f"not in {PACKAGES.name}: {', '.join(unknown)}")
        pins = {name: pins[name] for name in wanted}

    shared = ["--unsafe-fixes"] if options.unsafe_fixes else []
    shared += ["--select", options.select] if options.select else []
    asyncfix = Asyncfix(binary, shared)
    ruff = install_tools(options.cache)
    reports = []
    for pin in pins.values():
        report = Report(pin.replace("==", " "))
        reports.append(report)
        # One package that breaks the script itself must not hide the others.
        try:
            examine(report, pin, asyncfix, ruff, options)
        except Broken as error:
            report.failures.append(str(error))
        except Exception:
            report.failures.append(traceback.format_exc())
        print(f"{report.package}: {report.verdict()}", file=sys.stderr)
        for failure in report.failures:
            print(f"  {failure}".replace("\n", "\n    "), file=sys.stderr)

    failed = sum(bool(report.failures) for report in reports)
    print(table(reports))
    print(f"\n{len(reports) - failed} passed, {failed} failed")
    if options.record:
        packages = [
            {
                "package": report.package,
                "files": report.files,
                "lines": report.lines,
                "rewritten": report.changed,
                "found": report.found.total(),
                "fixed": report.fixed.total(),
                "faults": report.failures,
            }
            for report in reports
        ]
        done = {
            "unsafe": options.unsafe_fixes,
            "runs": asyncfix.runs,
            "packages": packages,
        }
        options.record.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
