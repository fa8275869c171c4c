#!/usr/bin/env python3
"""Faults around asyncfix while it writes: does every file stay whole?

    faults.py --asyncfix BIN [--count N] [--seed S] [--keep DIR] [--record FILE]

A folder of programs with mistakes (those of tests/behaviour) is rewritten, and something goes wrong on the way:

    kill         the process is killed at a random moment
    term         it is told to end at a random moment
    room         no file may become longer than so many bytes, as on a full disk
    open         few files may be open
    memory       little memory may be used
    cache        the cache is cut off, has a byte changed, or is something else

Of every file must hold, but for `cache`, that it has the bytes it had or the bytes that a run without a fault gives, and
that no file is missing; where some have the old bytes, the exit status says that something went wrong. Only a killed
process may leave a temporary file. A run after that gives every file the new bytes. With a damaged cache, the report
must be the one that a run without a cache gives. Needs a Unix. The exit status is 1 when something is damaged.
"""

import argparse
import collections
import json
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PROGRAMS = pathlib.Path(__file__).resolve().parents[1] / "behaviour"
COPIES = 3
LIMIT = 600


class Folder:
    """The programs, and what a run without a fault makes of them."""

    def __init__(self, binary, root):
        self.binary, self.root, self.runs = binary, root, 0
        programs = sorted(PROGRAMS.glob("*.py"))
        self.before = {f"{path.stem}_{copy}.py": path.read_bytes() for path in programs for copy in range(COPIES)}
        folder = self.fresh()
        started = time.monotonic()
        status = self.run(folder, "--write").wait(LIMIT)
        self.seconds = time.monotonic() - started
        if status not in (0, 1):
            raise SystemExit(f"a run without a fault ends with {status}")
        self.after = self.contents(folder)
        self.changed = sum(self.after[name] != data for name, data in self.before.items())
        self.report = self.reported(folder_of=self.before)

    def fresh(self, files=None):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.root))
        for name, data in (files or self.before).items():
            (folder / name).write_bytes(data)
        return folder

    def run(self, folder, *arguments, limits=(), out=subprocess.DEVNULL):
        self.runs += 1

        def limit():
            # Writing too much is to fail, and not to end the process.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            for kind, number in limits:
                resource.setrlimit(kind, (number, number))

        command = [self.binary, "--isolated", "--quiet", *arguments, "."]
        if "--cache-dir" not in arguments:
            command.insert(1, "--no-cache")
        return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, preexec_fn=limit)

    def contents(self, folder):
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def reported(self, folder_of=None, folder=None, cache=None):
        folder = folder or self.fresh(folder_of)
        arguments = ["--output-format", "json", *(["--cache-dir", str(cache)] if cache else [])]
        return json.loads(self.run(folder, *arguments, out=subprocess.PIPE).communicate(timeout=LIMIT)[0])

    def damage(self, kind, rng):
        """What is wrong after one fault of a kind; None where nothing is."""
        if kind == "cache":
            return self.damaged_cache(rng)
        folder = self.fresh()
        limits = {
            "room": [(resource.RLIMIT_FSIZE, rng.randrange(2_000))],
            "open": [(resource.RLIMIT_NOFILE, rng.randrange(8, 40))],
            "memory": [(resource.RLIMIT_AS, rng.randrange(50, 1_500) << 20)],
        }
        process = self.run(folder, "--write", limits=limits.get(kind, ()))
        if kind in ("kill", "term"):
            time.sleep(rng.random() * self.seconds)
            process.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
        try:
            status = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"no end within {LIMIT} s"
        found = self.contents(folder)
        if lost := self.before.keys() - found.keys():
            return f"lost: {sorted(lost)[:3]}"
        if torn := [name for name, data in self.before.items() if found[name] not in (data, self.after[name])]:
            return f"damaged: {torn[:3]}"
        if kind != "kill" and (left := found.keys() - self.before.keys()):
            return f"left behind: {sorted(left)[:3]}"
        if status in (0, 1) and (old := [name for name in self.before if found[name] != self.after[name]]):
            return f"exit status {status}, and not written: {old[:3]}"
        self.run(folder, "--write").wait(LIMIT)
        after = self.contents(folder)
        if wrong := [name for name in self.before if after[name] != self.after[name]]:
            return f"not put right by the next run: {wrong[:3]}"
        shutil.rmtree(folder)
        return None

    def damaged_cache(self, rng):
        folder, cache = self.fresh(), pathlib.Path(tempfile.mkdtemp(dir=self.root))
        if self.reported(folder=folder, cache=cache) != self.named(folder):
            return "the first report with a cache is another one"
        (file,) = cache.rglob("*.bin")
        data = bytearray(file.read_bytes())
        how = rng.randrange(3)
        if how == 0:
            del data[rng.randrange(len(data)) :]
        elif how == 1:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        else:
            data = bytearray(rng.randbytes(rng.randrange(1, len(data))))
        file.write_bytes(data)
        if self.reported(folder=folder, cache=cache) != self.named(folder):
            return f"another report with a cache that was {('cut off', 'changed', 'replaced')[how]}"
        shutil.rmtree(folder)
        return None

    def named(self, folder):
        """The report without a cache, as it is for another folder."""
        text = json.dumps(self.report)
        for name in {pathlib.Path(finding["filename"]).parent for finding in self.report}:
            text = text.replace(f"{name}/", f"{folder}/")
        return json.loads(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asyncfix", required=True, metavar="BIN", type=pathlib.Path, help="the program to try")
    parser.add_argument("--count", type=int, default=120, help="faults (default: 120)")
    parser.add_argument("--seed", type=int, default=1, help="of the random generator (default: 1)")
    parser.add_argument("--keep", metavar="DIR", type=pathlib.Path, help="where damaged folders are copied to")
    parser.add_argument("--record", metavar="FILE", type=pathlib.Path, help="write what was done and found as JSON")
    options = parser.parse_args()

    kinds, counts, faults = ["kill", "term", "room", "open", "memory", "cache"], collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory(prefix="faults-") as root:
        world = Folder(str(options.asyncfix.resolve(strict=True)), pathlib.Path(root).resolve())
        for number in range(options.count):
            kind = kinds[number % len(kinds)]
            counts[kind] += 1
            before = set(world.root.iterdir())
            wrong = world.damage(kind, random.Random(f"{options.seed}/{number}"))
            if wrong:
                faults[kind] += 1
                print(f"{kind} {number}: {wrong}", flush=True)
                if options.keep:
                    for place in set(world.root.iterdir()) - before:
                        shutil.copytree(place, options.keep / f"{kind}-{number}" / place.name, dirs_exist_ok=True)
            for place in set(world.root.iterdir()) - before:
                shutil.rmtree(place)
    print(f"{counts.total()} faults injected into runs over {len(world.before)} files, of which {world.changed} change: {faults.total()} times damage (seed {options.seed})")
    if options.record:
        done = {"seed": options.seed, "injected": dict(counts), "files": len(world.before), "changed": world.changed, "runs": world.runs, "faults": dict(faults)}
        options.record.write_text(json.dumps(done, indent=1) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
