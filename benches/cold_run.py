#!/usr/bin/env python3
"""Measure a whole cold run of asyncfix over a large package, beside ruff's on the same files.

    cold_run.py                        first the rules that need no types, then all; 10 runs of each
    cold_run.py --runs 20 --select AF7

"Cold" means a new process that knows nothing from before: neither program keeps a cache between runs.
The files themselves are in memory after the warm-up, because a disk says nothing about either program.
The two take turns, A B A B …, so that a machine that gets slower or faster does so for both; the ratio
is taken pair by pair for the same reason. This only prints what it measured: whether a number is good is
for its reader to say, who knows what else the machine was doing.

The package and ruff are those of the ecosystem runs, in their cache; both are downloaded when missing.
"""

import argparse
import dataclasses
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "ecosystem"))

import run as ecosystem  # noqa: E402  (found through the line above)


@dataclasses.dataclass
class Measurement:
    """One run of one program."""

    seconds: float
    peak_bytes: int


# What these find is told by names and bindings alone, as what ruff finds is.
WITHOUT_TYPES = "AF201,AF701,AF801"


def measure(command: Sequence[str], folder: Path) -> Measurement:
    """Run a command to its end, with its output thrown away, and measure its time and memory.

    Raises SystemExit where the command could not do its work: its time would mean nothing.
    """
    # What it writes costs time too, but a terminal's or a pipe reader's time is not the program's.
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    # wait4 tells the usage of this one child; getrusage would give the highest of all so far.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    # Both end with 1 where they found something.
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Measurement(seconds, usage.ru_maxrss * unit)


def package_folder(name: str, cache: Path) -> Path:
    """A fresh copy of a package of the ecosystem runs, to be read only."""
    pins = {
        ecosystem.distribution_name(pin): pin
        for pin in ecosystem.read_pins(ecosystem.PACKAGES)
    }
    pin = pins.get(ecosystem.distribution_name(name))
    if pin is None:
        raise SystemExit(f"{name} is not in {ecosystem.PACKAGES.name}")
    folder = cache / "bench" / ecosystem.distribution_name(name)
    ecosystem.unpack(ecosystem.download(pin, cache), folder)
    return folder


def described(name: str, measurements: Sequence[Measurement]) -> str:
    """One program's row of the table."""
    seconds = [measurement.seconds for measurement in measurements]
    peak = max(measurement.peak_bytes for measurement in measurements)
    return f"| {name} | {min(seconds):.3f} | {statistics.median(seconds):.3f} | {peak / 1e6:.0f} |"


def main() -> None:
    """Measure and print; no judgement, and so no exit status of its own."""
    parser = argparse.ArgumentParser(
        description="Measure a whole cold run of asyncfix beside ruff's."
    )
    parser.add_argument(
        "--asyncfix",
        type=Path,
        default=ecosystem.DEFAULT_ASYNCFIX,
        help="the program to measure",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=ecosystem.DEFAULT_CACHE,
        help="the ecosystem runs' cache",
    )
    parser.add_argument(
        "--package", default="homeassistant", help="one of the ecosystem runs' packages"
    )
    parser.add_argument(
        "--runs", type=int, default=10, metavar="N", help="how many runs of each"
    )
    parser.add_argument(
        "--select",
        metavar="RULES",
        help="asyncfix's rules, instead of the default ones",
    )
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be at least 1")

    # The runs happen in another working directory.
    binary, cache = options.asyncfix.resolve(), options.cache.resolve()
    if not binary.is_file():
        parser.error(
            f"{options.asyncfix} does not exist: build it with `cargo build --release`, or give --asyncfix"
        )
    try:
        ruff = ecosystem.install_tools(cache)
        folder = package_folder(options.package, cache)
    except ecosystem.Broken as error:
        raise SystemExit(str(error)) from None

    selections = [options.select] if options.select else [WITHOUT_TYPES, None]
    for selection in selections:
        compare(selection, binary, ruff, folder, options)


def compare(
    selection: str | None,
    binary: Path,
    ruff: Path,
    folder: Path,
    options: argparse.Namespace,
) -> None:
    """Measure one choice of rules beside ruff, and print the table."""
    asyncfix_command = [str(binary), "--isolated", "--output-format", "concise"]
    asyncfix_command += ["--select", selection] if selection else []
    asyncfix_command.append(".")
    ruff_command = [
        str(ruff),
        "check",
        "--select",
        ecosystem.ASYNC_RULES,
        "--isolated",
        "--no-cache",
        ".",
    ]

    # One run of each that does not count: it brings the programs and the files into memory.
    measure(asyncfix_command, folder)
    measure(ruff_command, folder)
    ours, theirs = [], []
    for _ in range(options.runs):
        ours.append(measure(asyncfix_command, folder))
        theirs.append(measure(ruff_command, folder))

    sources = [path.read_bytes() for path in folder.rglob("*.py")]
    lines = sum(source.count(b"\n") for source in sources)
    print(f"\nasyncfix with {selection or 'all rules'}")
    print(
        f"{options.package}: {len(sources):,} files, {lines:,} lines; {options.runs} runs of each in turn"
    )
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors\n")
    print("| program | min s | median s | peak MB |")
    print("|---|--:|--:|--:|")
    print(described("asyncfix", ours))
    print(described("ruff", theirs))
    ratios = [
        our.seconds / their.seconds for our, their in zip(ours, theirs, strict=True)
    ]
    print(
        f"\nratio asyncfix / ruff, pair by pair: median {statistics.median(ratios):.2f} "
        f"(from {min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
