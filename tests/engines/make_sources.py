#!/usr/bin/env python3
"""Makes the Parquet file of sources that the engines get.

    make_sources.py FILE [--count N] [--seed S]

Its columns are `path` and `source`. One half are files of this Python's standard library and packages, the other half
are the blocks of the rules' pages and cases, several in a file, under other names. Of each hundred, some do not parse,
some are empty, some have names and texts outside of ASCII, other line endings, a byte order mark, or are notebooks,
stubs or Markdown. A dozen of half a megabyte to two megabytes stand among the first thousand, so that what the others need in
memory is not hidden behind them. The same seed, count and packages give the same file.
"""

import argparse
import ast
import json
import random
import re
import warnings
import sysconfig
from pathlib import Path

import pyarrow
import pyarrow.parquet

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HUGE = 12
# Names with letters that are not ASCII are names in Python; the rest stands in texts.
WORDS = ["größe", "данные", "数据", "café", "δοκιμή"]
TEXTS = ["naïve", "日本語", "🙂👩‍👩‍👧", "\u2028", "\u200b", "\\N{SNOWMAN}", "\x0c", "עברית"]


def examples():
    """The Python blocks of the rules' pages and cases."""
    pages = sorted(ROOT.glob("codemods/*/AF*.md")) + sorted(ROOT.glob("tests/cases/*.md"))
    return [block for page in pages for block in BLOCK.findall(page.read_text(encoding="utf-8"))]


def parses(source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source)
        except (SyntaxError, ValueError):
            return False
    return True


def renamed(source, number):
    """The same with other names for its functions and classes: no huge file defines one name a thousand times."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)}
    for name in sorted(names):
        if not name.startswith("__"):
            source = re.sub(rf"\b{name}\b", f"{name}_{number}", source)
    return source


def installed():
    """The files of the standard library and of the packages that are UTF-8, with the path below their folder."""
    found = []
    paths = sysconfig.get_paths()
    for folder in dict.fromkeys([paths["stdlib"], paths["purelib"]]):
        for path in sorted(Path(folder).rglob("*.py")):
            if path.stat().st_size > 400_000 or "site-packages" in path.relative_to(folder).parts:
                continue
            try:
                source = path.read_bytes().decode("utf-8")
            except UnicodeDecodeError:
                continue
            found.append((path.relative_to(folder).as_posix(), source))
    return found


def written(chance, blocks):
    """A file of some examples."""
    chosen = chance.sample(blocks, chance.choice([1, 1, 2, 3, 5]))
    source = "\n\n".join(chosen)
    number = chance.randrange(1000)
    return re.sub(r"\b(fetch|load|main|worker|handle|save|poll)\b", rf"\1_{number}", source)


def notebook(source):
    cells = [
        {"cell_type": "code", "id": str(number), "metadata": {}, "outputs": [], "execution_count": None,
         "source": part.splitlines(keepends=True)}
        for number, part in enumerate(source.split("\n\n\n"))
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def varied(chance, path, source):
    """The file, or what a file looks like that somebody has written differently."""
    kind = chance.randrange(100)
    if kind < 2:
        return path, chance.choice(["", "\n", "# nothing\n", "   "])
    if kind < 6:
        # Cut in the middle of a line: most of these do not parse.
        return path, source[: chance.randrange(len(source) + 1)]
    if kind < 7:
        return path, source + chance.choice(["\ndef f(:\n", "\nprint 'two'\n", "\n\0\n", "\n    x\n  y\n", "\nasync for\n"])
    if kind < 15:
        word, text = chance.choice(WORDS), chance.choice(TEXTS)
        source = re.sub(r"\bself\b", word, source)
        return path.replace(".py", f"_{word}.py"), f"# {text}\n" + source.replace('"""', f'"""{text}', 1)
    if kind < 19:
        return path, source.replace("\r\n", "\n").replace("\n", chance.choice(["\r\n", "\r\n", "\r"]))
    if kind < 20:
        return path, "\ufeff" + source
    if kind < 21:
        return path, source.rstrip("\n")
    if kind < 22:
        return path, source.replace("    ", "\t")
    if kind < 24:
        return path.removesuffix(".py") + ".ipynb", notebook(source)
    if kind < 25:
        return path + "i", source
    if kind < 26:
        return path.removesuffix(".py") + ".md", f"# Notes\n\n```python\n{source}\n```\n"
    return path, source


def sources(count, seed):
    """`count` pairs of a path and a source."""
    chance = random.Random(seed)
    blocks, files = examples(), installed()
    whole = [block for block in blocks if "__future__" not in block and parses(block)]
    huge = set(chance.sample(range(min(count, 1000)), min(HUGE, count // 10)))
    for number in range(count):
        if number in huge:
            wanted = chance.randrange(500_000, 2_000_000)
            parts = []
            while wanted > 0:
                if chance.random() < 0.1:
                    parts.append(renamed(chance.choice(whole), len(parts)))
                else:
                    parts.append(chance.choice(files)[1])
                wanted -= len(parts[-1])
            yield f"{number:05}/huge.py", "\n\n".join(parts)
        elif chance.random() < 0.5:
            path, source = chance.choice(files)
            path, source = varied(chance, path, source)
            yield f"{number:05}/{path}", source
        else:
            path, source = varied(chance, "package/module.py", written(chance, blocks))
            yield f"{number:05}/{path}", source


def write(file, count, seed):
    pairs = list(sources(count, seed))
    table = pyarrow.table({"path": [path for path, _ in pairs], "source": [source for _, source in pairs]})
    # Several groups of rows, so that an engine can spread them.
    pyarrow.parquet.write_table(table, file, row_group_size=max(1, count // 8))
    return pairs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    pairs = write(options.file, options.count, options.seed)
    size = sum(len(source.encode()) for _, source in pairs)
    print(f"{len(pairs)} sources, {size / 1e6:.0f} MB, {options.file.stat().st_size / 1e6:.0f} MB in {options.file}")
