#!/usr/bin/env python3
"""Speaks the language server protocol with `asyncfix server`, as VS Code, Neovim and Emacs do.

    python3 tests/editors/protocol/run.py BIN [-k WORDS ...]

What follows BIN goes to pytest. tests/editors/install.sh protocol installs what is needed.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from session import tool  # noqa: E402


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    binary, rest = Path(sys.argv[1]).resolve(strict=True), sys.argv[2:]
    python = tool("python/bin/python") or sys.executable
    if subprocess.run([python, "-c", "import pytest_lsp"], capture_output=True).returncode:
        print("skipped: pytest-lsp not installed; tests/editors/install.sh protocol does it")
        sys.exit(1 if "--require" in rest else 0)
    rest = [word for word in rest if word != "--require"]
    environment = {**os.environ, "ASYNCFIX": str(binary)}
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *rest]
    sys.exit(subprocess.run(command, cwd=HERE, env=environment).returncode)


main()
