#!/usr/bin/env python3
"""Measure moving a block of a thousand, ten thousand and a hundred thousand lines, and print how the time grows.

    reindent.py [path of the asyncfix binary]

A report finds the loop, which takes the type engine's index of the file and the edits; writing makes the
edits and proves them. Ten times the lines should take about ten times as long. The index of one function of
a hundred thousand lines takes longer than that by itself, which the first column shows.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = [1_000, 10_000, 100_000]
DEPTH = 12
RUNS = 3


def program(lines: int) -> str:
    """A coroutine with an endless loop of so many lines, nested deeply, with strings in between."""
    made = ["import asyncio", "", "", "async def poll(client):", "    while True:"]
    while len(made) < lines:
        for depth in range(DEPTH):
            indent = "    " * (depth + 2)
            made += [
                f"{indent}# at depth {depth}",
                f"{indent}await client.call(",
                f"{indent}    {len(made)},",
                f"{indent})",
                f'{indent}text = f"""',
                "as it is",
                '"""',
                f"{indent}if client.open:",
            ]
        made.append("    " * (DEPTH + 2) + "await client.step()")
    return "\n".join(made) + "\n"


def best_of_runs(binary: str, mode: list[str], path: Path) -> float:
    text = path.read_text()
    times = []
    for _ in range(RUNS):
        path.write_text(text)
        command = [binary, "--isolated", "--select", "AF301", "--quiet", *mode, str(path)]
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    if mode:
        assert path.read_text() != text, "the loop was not wrapped"
    return min(times)


def main() -> None:
    binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/asyncfix"
    before = None
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder, f"lines_{size}.py")
            path.write_text(program(size))
            report = best_of_runs(binary, [], path)
            write = best_of_runs(binary, ["--write"], path)
            ratio = f", {write / before:.1f} times the one before" if before else ""
            print(f"{size:>7} lines: report {report:.3f} s, write {write:.3f} s{ratio}")
            before = write


if __name__ == "__main__":
    main()
