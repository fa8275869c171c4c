#!/usr/bin/env python3
"""Runs asyncfix on a file that was just edited: applies the safe fixes, and says what is left, with the reasons.

The file is the first argument, or `tool_input.file_path` of a JSON object on standard input. What was fixed and what is left
goes to standard error, with the exit status 2: that is what some coding assistants show to the model.
"""

import json
import subprocess
import sys


def main():
    if len(sys.argv) > 1:
        path = sys.argv[1]
    else:
        path = json.load(sys.stdin).get("tool_input", {}).get("file_path", "")
    if not path.endswith((".py", ".ipynb")):
        return 0
    command = ["asyncfix", "--write", "--quiet", "--force-exclude", "--output-format", "json", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = done.stderr.splitlines()
    findings = json.loads(done.stdout or "[]")
    for finding in findings:
        if finding["fixed"]:
            lines.append(f"fixed, so read the file again: {finding['code']} {finding['message']}")
    for finding in findings:
        if finding["fixed"]:
            continue
        where = f"{finding['filename']}:{finding['location']['row']}"
        lines.append(f"{where}: {finding['code']} {finding['message']} (see `asyncfix rule {finding['code']}`)")
        if finding["fix"]:
            lines.append(f"  possible fix, not applied: {finding['fix']['message']}")
    print("\n".join(lines), file=sys.stderr)
    return 2 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
