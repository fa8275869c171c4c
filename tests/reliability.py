#!/usr/bin/env python3
"""How many inputs asyncfix was tried with, and how many files it damaged, as a table.

    python3 tests/reliability.py BIN [--write docs/reliability.md]
    python3 tests/reliability.py BIN --mutated 100000 --programs 5000 --faults 1000 --records FOLDER

Runs mutate.py, programs.py and faults.py of tests/fuzz, and tests/ecosystem/run.py, one after the other, and adds up what
they write down. Without --unsafe of theirs: these are the fixes that `--write` makes when nobody asks for more. With
--records, what each of them did is kept in FOLDER and not done again by the same program; faulty inputs are kept there.
--write puts the table into the marked part of a page.
"""

import argparse
import datetime
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEGIN = "<!-- begin: what tests/reliability.py writes -->"
END = "<!-- end -->"


def digest(binary):
    return hashlib.sha256(binary.read_bytes()).hexdigest()


def record(name, script, arguments, folder, options):
    """What a script did, from the folder where it is there already; None where it could not be run at all."""
    path = folder / f"{name}.json"
    stamp = folder / f"{name}.program"
    program = digest(options.binary)
    if not (path.is_file() and stamp.is_file() and stamp.read_text() == program):
        command = [sys.executable, HERE / script, "--asyncfix", options.binary, "--record", path, *map(str, arguments)]
        path.unlink(missing_ok=True)
        print(f"{script} …", file=sys.stderr, flush=True)
        with (folder / f"{name}.log").open("wb") as log:
            subprocess.run(command, stdout=log, stderr=subprocess.STDOUT)
        if not path.is_file():
            print((folder / f"{name}.log").read_text(errors="replace")[-2000:], file=sys.stderr)
            return None
        stamp.write_text(program)
    return json.loads(path.read_text())


def faults_in(done):
    """The faults of a record, in words."""
    faults = done["faults"]
    if isinstance(faults, dict):
        return ", ".join(f"{number} {kind}" for kind, number in faults.items()) or "0"
    return str(len(faults))


def rows(records):
    """One row for each kind of trial."""
    if done := records["mutated"]:
        tried = f"{done['files']:,} files with {done['mutations']:,} mutations"
        yield "Mutated files", tried, done["lines"], done["rewritten"], f"{done['runs']:,} of asyncfix, over some hundred files each", faults_in(done)
    if done := records["programs"]:
        tried = f"{done['programs']:,} programs"
        yield "Generated programs", tried, done["lines"], done["rewritten"], f"{done['executions']:,} of programs, before and after", faults_in(done)
    if done := records["faults"]:
        injected = ", ".join(f"{number} {kind}" for kind, number in done["injected"].items())
        total = sum(done["injected"].values())
        yield "Injected faults", f"{total:,} faults ({injected}) over {done['files']} files", None, done["changed"], f"{done['runs']:,} of asyncfix", faults_in(done)
    if done := records["packages"]:
        packages = done["packages"]
        total = {key: sum(one[key] for one in packages) for key in ("files", "lines", "rewritten")}
        faults = sum(len(one["faults"]) for one in packages)
        tried = f"{len(packages)} packages with {total['files']:,} files"
        yield "Packages", tried, total["lines"], total["rewritten"], f"{done['runs']:,} of asyncfix", str(faults)


def tables(records, binary):
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    built = datetime.date.fromtimestamp(binary.stat().st_mtime)
    lines = [f"{version}, built on {built}; tried on {datetime.date.today()} with Python {'.'.join(map(str, sys.version_info[:3]))}.", ""]
    lines += ["| | inputs tried | lines | files rewritten | executions | faults found |", "|---|---|--:|--:|---|--:|"]
    for name, tried, count, rewritten, executions, faults in rows(records):
        lines.append(f"| {name} | {tried} | {'' if count is None else f'{count:,}'} | {rewritten:,} | {executions} | {faults} |")
    names = {"mutated": "Mutated files", "programs": "Generated programs", "faults": "Injected faults", "packages": "Packages"}
    lines += [f"| {names[name]} | not tried for this table | | | | |" for name, done in records.items() if not done]
    if done := records["packages"]:
        lines += ["", "| Package | files | lines | problems | fixed | files rewritten | failed checks |", "|---|--:|--:|--:|--:|--:|--:|"]
        for one in done["packages"]:
            lines.append(f"| {one['package']} | {one['files']:,} | {one['lines']:,} | {one['found']:,} | {one['fixed']:,} | {one['rewritten']:,} | {len(one['faults'])} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", metavar="BIN", type=Path, help="the asyncfix program")
    parser.add_argument("--mutated", type=int, default=2000, metavar="N", help="mutated files (default: 2000)")
    parser.add_argument("--programs", type=int, default=300, metavar="N", help="generated programs (default: 300)")
    parser.add_argument("--faults", type=int, default=120, metavar="N", help="injected faults (default: 120)")
    parser.add_argument("--packages", nargs="*", metavar="NAME", help="packages of tests/ecosystem/packages.txt (default: all)")
    parser.add_argument("--cache", type=Path, help="the cache of the packages (default: that of tests/ecosystem/run.py)")
    parser.add_argument("--seed", type=int, default=1, help="of the random generators (default: 1)")
    parser.add_argument("--records", type=Path, metavar="FOLDER", help="where what was done is kept")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into the marked part of a page")
    options = parser.parse_args()
    options.binary = options.binary.resolve(strict=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.records or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        seeded = ["--seed", options.seed, "--keep", folder / "faulty"]
        packages = ["--only", *options.packages] if options.packages else []
        packages += ["--cache", options.cache] if options.cache else []
        wanted = {
            "mutated": ("fuzz/mutate.py", ["--count", options.mutated, *seeded], options.mutated),
            "programs": ("fuzz/programs.py", ["--count", options.programs, *seeded], options.programs),
            "faults": ("fuzz/faults.py", ["--count", options.faults, *seeded], options.faults),
            "packages": ("ecosystem/run.py", packages, options.packages is None or options.packages),
        }
        records = {name: record(name, script, arguments, folder, options) if count else None for name, (script, arguments, count) in wanted.items()}
    text = tables(records, options.binary)
    print(text)
    if options.write:
        old = options.write.read_text(encoding="utf-8")
        start, end = old.index(BEGIN) + len(BEGIN), old.index(END)
        options.write.write_text(f"{old[:start]}\n\n{text}\n\n{old[end:]}", encoding="utf-8")
    missing = [name for name, (_, _, count) in wanted.items() if count and records[name] is None]
    faulty = [name for name, *_, faults in rows(records) if faults != "0"]
    return 1 if missing or faulty else 0


if __name__ == "__main__":
    sys.exit(main())
