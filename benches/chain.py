"""How the time grows with the length of a chain through a whole project.

Usage: python3 benches/chain.py --asyncfix target/release/asyncfix

Makes projects of 100, 1,000 and 10,000 modules, each with a function that calls that of the next one. In
one kind the last one sleeps and the first is called by a coroutine (AF206); in the other the last one
awaits in a plain `def`, and all of them become coroutine functions (AF401). Prints the seconds of each, and
the seconds for 1,000 modules: where that number stays, the time grows linearly.
"""

import argparse
import pathlib
import subprocess
import tempfile
import time

SIZES = (100, 1_000, 10_000)


def write(folder: pathlib.Path, size: int, last: str) -> None:
    package = folder / "chain"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for number in range(size - 1):
        (package / f"m{number}.py").write_text(
            f"from chain.m{number + 1} import f{number + 1}\n\n\n"
            f"def f{number}(x):\n    return f{number + 1}(x)\n"
        )
    (package / f"m{size - 1}.py").write_text(last.format(name=f"f{size - 1}"))
    (folder / "main.py").write_text(
        "import asyncio\n\nfrom chain.m0 import f0\n\n\nasync def main():\n    f0(1)\n\n\nasyncio.run(main())\n"
    )


KINDS = {
    "AF206": "import time\n\n\ndef {name}(x):\n    time.sleep(x)\n",
    "AF401": "import asyncio\n\n\ndef {name}(x):\n    await asyncio.sleep(x)\n    await asyncio.sleep(x)\n",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asyncfix", required=True, type=pathlib.Path)
    binary = parser.parse_args().asyncfix.resolve()
    print("| rule | modules | seconds | seconds for 1,000 |\n|---|--:|--:|--:|")
    for code, last in KINDS.items():
        for size in SIZES:
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                write(folder, size, last)
                start = time.perf_counter()
                subprocess.run(
                    [binary, "--isolated", "--select", code, "--diff", "."],
                    cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                )
                seconds = time.perf_counter() - start
                print(f"| {code} | {size:,} | {seconds:.2f} | {seconds / size * 1000:.2f} |", flush=True)


if __name__ == "__main__":
    main()
