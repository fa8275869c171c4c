#!/usr/bin/env python3
"""Draws the pictures of the site: what asyncfix prints in a terminal, in colour.

    pip install -r docs/requirements.txt
    python3 docs/pictures.py BIN [--check]

BIN is the asyncfix program. The pictures are docs/pictures/*.svg; the code in them is what docs/index.md shows.
`--check` draws nothing, and fails if a picture is not what would be drawn.
"""

import argparse
import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

DOCS = Path(__file__).resolve().parent
WIDTH = 92
# Black on white with colours that are told apart on it: it can be read in a light and in a dark page.
THEME = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [(36, 41, 47), (179, 29, 40), (22, 99, 50), (154, 103, 0), (9, 105, 218), (130, 80, 223), (27, 124, 131), (110, 119, 129)],
    [(87, 96, 106), (179, 29, 40), (22, 99, 50), (154, 103, 0), (9, 105, 218), (130, 80, 223), (27, 124, 131), (36, 41, 47)],
)
PICTURES = {
    "diff": ["--diff", "server.py"],
    "report": ["--select", "AF201,AF801", "server.py"],
}


def example():
    """The code that the first page shows."""
    page = (DOCS / "index.md").read_text(encoding="utf-8")
    return re.search(r'```python title="server.py"\n(.*?)```', page, re.DOTALL)[1]


def draw(binary, options):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "server.py").write_text(example(), encoding="utf-8")
        command = [binary, "--isolated", "--color", "always", *options]
        # Without the summary, which goes to standard error.
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    # A line more than there is: the last one would be cut at its foot.
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(f"\x1b[1m$ asyncfix {' '.join(options)}\x1b[0m\n" + done.stdout.rstrip() + "\n"))
    svg = console.export_svg(title="", theme=THEME, unique_id="asyncfix")
    # The font comes with the reader's system, and from no other server.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace")
    # A border that shows on white.
    svg = svg.replace("rgba(255,255,255,0.35)", "#d0d7de")
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


def main():
    parser = argparse.ArgumentParser(description="Draws the pictures of the site.")
    parser.add_argument("binary", type=Path)
    parser.add_argument("--check", action="store_true", help="fail if a picture is not what would be drawn")
    arguments = parser.parse_args()
    binary = arguments.binary.resolve(strict=True)
    stale = 0
    for name, options in PICTURES.items():
        path = DOCS / "pictures" / f"{name}.svg"
        svg = draw(binary, options)
        if arguments.check:
            if not path.exists() or path.read_text(encoding="utf-8") != svg:
                print(f"{path} is not what would be drawn")
                stale += 1
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(svg, encoding="utf-8")
            print(f"{path}: {len(svg)} bytes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
