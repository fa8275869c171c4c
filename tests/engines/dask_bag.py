"""Fixes the sources in Parquet files with Dask: dask_bag.py SOURCES FIXED"""

import json
import subprocess
import sys

import dask.dataframe
import pandas

COMMAND = ["asyncfix", "batch", "--isolated", "--jobs", "1"]
NAMES = ["path", "source", "changed", "error"]


def fix(sources):
    """The answers to the sources of one partition."""
    lines = "".join(json.dumps(record) + "\n" for record in sources.to_dict("records"))
    done = subprocess.run(COMMAND, input=lines.encode(), stdout=subprocess.PIPE)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(sources):
        raise RuntimeError(f"{len(answers)} answers to {len(sources)} sources")
    return pandas.DataFrame(answers, columns=NAMES, index=sources.index)


if __name__ == "__main__":
    sources = dask.dataframe.read_parquet(sys.argv[1], columns=["path", "source"], split_row_groups=True)
    types = {"path": "str", "source": "str", "changed": "bool", "error": "str"}
    sources.map_partitions(fix, meta=types).to_parquet(sys.argv[2])
