#!/usr/bin/env python3
"""Runs `asyncfix batch` inside of Spark and Dask, and compares.

    run.py BIN [--count N] [--seed S] [--alone N] [--folder DIR]

BIN is the asyncfix program. It needs what requirements.txt names, and Java for Spark. For the sources that
make_sources.py makes:

    plain       `asyncfix batch` answers each, in order
    jobs        one thread and two give the same answers
    memory      the peak for a tenth, a half and all of the sources, which must not grow with their number
    spark       `rdd.pipe` with two workers gives the same answers
    dask        a process a partition gives the same answers
    alone       `asyncfix --write` on files in empty folders, for some of the sources, leaves the same texts, and
                `--output-format json` names the same problems as what is left

The exit status is 1 when anything differs.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import make_sources
import pyarrow.parquet

HERE = Path(__file__).resolve().parent
# How much more memory all sources may take than a tenth of them.
GROWTH = 1.25
faults = []


def fault(text):
    faults.append(text)
    print(f"FAULT {text}", flush=True)


def peak_of(process, limit):
    """The most memory that a process has had, in MB, while it runs; it is ended after `limit` seconds."""
    peak = 0
    end = time.monotonic() + limit
    while process.poll() is None:
        if time.monotonic() > end:
            process.kill()
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        found = re.search(r"VmHWM:\s*(\d+) kB", status)
        peak = max(peak, int(found.group(1)) / 1024 if found else 0)
        time.sleep(0.02)
    return peak


def batch(program, lines, jobs, limit=3600):
    """The answers of `asyncfix batch`, its peak memory in MB, the seconds it took, and those of the processors."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as taken:
        given.write(lines)
        given.seek(0)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        process = subprocess.Popen([program, "batch", "--isolated", "--jobs", str(jobs)], stdin=given, stdout=taken)
        # What a child had before it became another program counts in its usage, but not here.
        peak = peak_of(process, limit)
        took = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.wait() not in (0, 2):
            what = "hangs" if process.returncode == -9 else f"exit status {process.returncode}"
            fault(f"plain, {jobs} threads: {what} after {took:.0f} s")
        taken.seek(0)
        answers = [json.loads(line) for line in taken]
    return answers, peak, took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def lines_of(pairs):
    return "".join(json.dumps({"path": path, "source": source}) + "\n" for path, source in pairs).encode()


def compare(name, expected, rows):
    """Compares what an engine wrote with the answers of the plain run; an engine need not keep the order."""
    found = {row["path"]: row for row in rows}
    if len(rows) != len(expected):
        fault(f"{name}: {len(rows)} answers instead of {len(expected)}")
    differ = 0
    for answer in expected:
        row = found.get(answer["path"])
        names = [key for key in answer if row is None or key in row]
        for key in names:
            wanted, got = answer[key], row and row[key]
            if key in ("fixed", "findings") and got is not None:
                wanted = [(finding["code"], finding["message"]) for finding in wanted]
                got = [(finding["code"], finding["message"]) for finding in got]
            if wanted != got:
                differ += 1
                if differ <= 3:
                    fault(f"{name}: {answer['path']}: {key}: {str(got)[:200]!r} instead of {str(wanted)[:200]!r}")
                break
    if differ > 3:
        fault(f"{name}: {differ} answers differ")


def engine(name, script, sources, folder, program):
    """The rows that an engine writes, with `asyncfix` on its path."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    link = tools / "asyncfix"
    if not link.exists():
        link.symlink_to(program)
    out = folder / name
    if out.exists():
        shutil.rmtree(out)
    environment = os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --driver-memory 2g pyspark-shell",
        "DASK_NUM_WORKERS": "2",
    }
    start = time.monotonic()
    done = subprocess.run([sys.executable, HERE / script, sources, out], env=environment, capture_output=True, text=True)
    took = time.monotonic() - start
    if done.returncode:
        fault(f"{name}: exit status {done.returncode}\n{done.stderr[-3000:]}")
        return
    rows = pyarrow.parquet.read_table(out).to_pylist()
    print(f"{name}: {len(rows)} answers in {took:.0f} s", flush=True)
    return rows


def alone(program, pairs, answers, count):
    """Compares with files in folders of their own."""
    step = max(1, len(pairs) // count)
    chosen = list(zip(pairs, answers))[::step][:count]
    # Some of those in which something happens.
    chosen += [pair for pair in zip(pairs, answers) if pair[1]["changed"]][: count // 2]
    for (path, source), answer in chosen:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, path)
            file.parent.mkdir(parents=True)
            file.write_bytes(source.encode())
            command = [program, "--isolated", "--write", "--output-format", "json", path]
            done = subprocess.run(command, cwd=folder, capture_output=True)
            text = file.read_bytes().decode()
            if done.returncode == 2:
                if answer["error"] is None:
                    fault(f"alone: {path}: {done.stderr.decode().strip()}")
            elif answer["error"] is not None:
                fault(f"alone: {path}: no error: {answer['error']}")
            if text != (source if answer["source"] is None else answer["source"]):
                fault(f"alone: {path}: another text")
            try:
                found = json.loads(done.stdout or "[]")
            except ValueError:
                fault(f"alone: {path}: no JSON: {done.stdout[:200]!r}")
                continue
            key = lambda finding: json.dumps({**finding, "filename": path}, sort_keys=True)
            # What cannot be parsed is `error` in one and a record in the other.
            found = [finding for finding in found if finding["code"] != "invalid-syntax"]
            left = sorted(key(finding) for finding in found if not finding["fixed"])
            fixed = sorted(key(finding) for finding in found if finding["fixed"])
            if left != sorted(map(key, answer["findings"])):
                fault(f"alone: {path}: other problems are left")
            if fixed != sorted(map(key, answer["fixed"])):
                fault(f"alone: {path}: other problems are fixed")
    print(f"alone: {len(chosen)} files", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alone", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="keep what is made there")
    options = parser.parse_args()
    program = options.program.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        # The sources' paths are relative: the project around the working folder would count for them.
        os.chdir(folder)
        sources = folder / "sources.parquet"
        pairs = make_sources.write(sources, options.count, options.seed)
        peaks = []
        for part in (10, 2, 1):
            given = pairs[: options.count // part]
            answers, peak, took, processors = batch(program, lines_of(given), 1)
            peaks.append(peak)
            print(
                f"plain: {len(given):6} sources, {sum(len(source.encode()) for _, source in given) / 1e6:5.0f} MB: "
                f"{took:5.1f} s, {processors:5.1f} s of processors, peak {peak:5.0f} MB",
                flush=True,
            )
            if [answer["path"] for answer in answers] != [path for path, _ in given]:
                fault("plain: not one answer for each source, in order")
        if peaks[-1] > GROWTH * peaks[0]:
            fault(f"memory: {peaks[-1]:.0f} MB for all sources, {peaks[0]:.0f} MB for a tenth")
        changed = sum(answer["changed"] for answer in answers)
        failed = sum(answer["error"] is not None for answer in answers)
        internal = [answer["error"] for answer in answers if "internal error" in (answer["error"] or "")]
        print(f"plain: {changed} changed, {failed} with an error", flush=True)
        for error in internal:
            fault(f"plain: {error}")
        several, peak, again, _ = batch(program, lines_of(pairs), 2, limit=600 + 5 * took)
        print(f"jobs: two threads: {again:.1f} s, peak {peak:.0f} MB", flush=True)
        if several != answers:
            compare("jobs", answers, several)
        for name, script in (("spark", "pyspark_pipe.py"), ("dask", "dask_bag.py")):
            rows = engine(name, script, sources, folder, program)
            if rows is not None:
                compare(name, answers, rows)
        alone(program, pairs, answers, options.alone)
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
