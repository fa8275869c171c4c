#!/usr/bin/env python3
"""A mutation fuzzer for asyncfix.

    mutate.py --asyncfix BIN [--seeds DIR] [--count N] [--seed S] [--keep DIR] [--record FILE] [--unsafe]

Seeds are the Python examples of the rule pages (`codemods/*/AF*.md`) and of the cases (`tests/cases/*.md`) below the
folder that --seeds names, which is the project's own by default. A file is made of one to three seeds and up to
twelve random changes; most files parse, one in a hundred may not. Some hundred files at a time lie in a folder, and
asyncfix reports on them, rewrites them, and rewrites them again. Of every file must hold:

    crash       no panic, no signal, no exit status above 2
    hang        it ends in reasonable time
    bug         no complaint that calls itself a bug of asyncfix
    compile     what CPython compiled before, it compiles afterwards
    kept        what does not parse is left as it was
    comment     every comment is still there
    string      every string is still there
    ending      no kind of line ending that was not there before
    edge        the byte order mark and the newline at the end are as they were
    function    a function in which nothing was found and nothing edited has the tree it had
    stable      a second run changes nothing
    crlf        the same text with other line endings gives the same result, apart from them
    leftover    no file appears or disappears

A fault is looked at again with the file alone, made smaller line by line, and written to --keep with a note.
The exit status is 1 when there are faults. The same seeds, --seed and --count give the same files. --record writes what
was done and found as JSON, for tests/reliability.py.
"""

import argparse
import ast
import collections
import io
import json
import keyword
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tokenize
import warnings

try:
    import resource
except ImportError:  # not Unix: without time limits
    resource = None

warnings.simplefilter("ignore")
sys.setrecursionlimit(10_000)

# ---------------------------------------------------------------- seeds


def read_seeds(root):
    """All Python blocks of the rule pages and cases that parse, with unique texts in a fixed order."""
    pages = sorted(root.glob("codemods/*/AF*.md")) + sorted(root.glob("tests/cases/*.md"))
    seeds = {}
    for page in pages:
        for match in re.finditer(r"^```(?:python|py)[^\n]*\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            text = match.group(1)
            if parses(text):
                seeds[text] = page.stem
    return list(seeds)


def parses(text):
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


# ---------------------------------------------------------------- texts to insert

STATEMENTS = """
time.sleep(1)
time.sleep(delay)  # a while
await asyncio.sleep(0)
asyncio.create_task(work())
asyncio.ensure_future(work(item))
task = asyncio.create_task(work())
loop.create_task(work())
work()
await work()
page = requests.get(url)
page = requests.get(url, timeout=3).text
urllib.request.urlopen("http://localhost").read()
subprocess.run(["ls", "-l"], check=True)
os.system("true")
text = open(path).read()
text = Path("notes.txt").read_text()
with open(path) as file:\n    data = json.load(file)
with open("out.txt", "w") as out:\n    out.write("text")  # written\n    out.write('''more\n  text''')
answer = input("name? ")
results = await asyncio.gather(one(), two())
await asyncio.gather(*tasks)
first, second = await asyncio.gather(one(), two())
await asyncio.gather(*[fetch(url) for url in urls])
await asyncio.gather(*(asyncio.create_task(fetch(url)) for url in urls))
return await asyncio.gather(one(), *tasks)
pages = [await page for page in asyncio.as_completed([fetch(u) for u in urls])]
for url in urls:\n    asyncio.create_task(fetch(url))
session = aiohttp.ClientSession()
await session.close()
session = aiohttp.ClientSession()\npage = await session.get(url)\nawait session.close()
client = httpx.AsyncClient()\ntry:\n    await client.get(url)\nfinally:\n    await client.aclose()
await lock.acquire()\ntry:\n    await work()\nfinally:\n    lock.release()
lock.acquire()
await lock.acquire()
lock.release()
with lock:\n    await work()
async with lock:\n    pass
try:\n    await work()\nexcept:\n    pass
try:\n    await work()\nexcept:  # whatever\n    print("failed")
try:\n    await work()\nexcept asyncio.CancelledError:\n    print("stopped")
try:\n    await work()\nexcept BaseException as error:\n    return None
while True:\n    await asyncio.sleep(1)
while True:\n    message = await queue.get()\n    print(message)
for item in agen():\n    print(item)
async def agen():\n    yield 1
for row in await rows():\n    print(row)
def helper(path):\n    return open(path).read()
data = helper("x")
async def work(*args):\n    await asyncio.sleep(1)
async def main():\n    await work()
def main():\n    await work()
def run():\n    asyncio.run(main())
asyncio.run(main())
asyncio.run(work())
asyncio.get_event_loop().run_until_complete(main())
if __name__ == "__main__":\n    main()
if __name__ == "__main__":\n    asyncio.run(main())
future.result()
thread.join()
item = queue.get()
background_tasks = set()
background_tasks = None
semaphore = asyncio.Semaphore(3)
result = 1
results = []
read_file = print
def read_file():\n    return 1
task = None
global task
nonlocal file
return
return result
raise
raise ValueError("no")
yield
yield item
pass
...
x = 1; y = 2
del task
import time
import asyncio
import asyncio as aio
import requests, json
import os, time, subprocess
from time import sleep
from asyncio import gather, create_task, sleep
from asyncio import *
from pathlib import Path
from requests import get as fetch_page
try:\n    import requests\nexcept ImportError:\n    requests = None
if TYPE_CHECKING:\n    import asyncio
print(f"{await work()} and {requests.get(url).text!r:>10}")
match item:\n    case 1:\n        await work()\n    case _:\n        time.sleep(2)
async with asyncio.TaskGroup() as group:\n    group.create_task(work())
async with asyncio.timeout(3):\n    await work()
await asyncio.wait_for(work(), 3)
await asyncio.wait([one(), two()])
values = [await work(i) for i in range(3)]
values = [item async for item in agen()]
connection = sqlite3.connect("a.db")
await asyncio.to_thread(time.sleep, 1)
await loop.run_in_executor(None, time.sleep, 1)
lambda: time.sleep(1)
assert await work(), "nothing"
if (size := len(urls)) > 3:\n    time.sleep(size)
"doc" "string"
note = "text, with 'quotes' and a # in it"
""".strip().split("\n")
STATEMENTS = [line.encode().decode("unicode_escape") for line in STATEMENTS]

WRAPPERS = """
if flag:
if flag and not done:  # sometimes
for item in items:
async for item in agen():
while True:
while not done:
with open(path) as file:
with lock:
async with lock:
async with aiohttp.ClientSession() as session:
async with asyncio.TaskGroup() as group:
async with asyncio.timeout(3):
with contextlib.suppress(Exception):
class Inner:
def inner():
async def inner():
async def inner(self, url, *, path=None):
async def inner():  # a comment
""".strip().split("\n")

HANDLERS = """
except: | pass
except Exception: | pass
except Exception as error: | print(error)
except BaseException: | raise
except BaseException: | log()
except asyncio.CancelledError: | pass
except asyncio.CancelledError: | raise
except (asyncio.CancelledError, ValueError) as error: | print("stopped", error)
except* ValueError: | pass
finally: | close()
finally: | await close()
except OSError: | return
""".strip().split("\n")

EXPRESSIONS = """
await (E)
(E)
(E, other)
[E]
(lambda: E)
(value := E)
f"{E}"
(E if flag else None)
E or other
not E
(yield E)
(await asyncio.to_thread(lambda: E))
( # why\n    E)
(\n    E\n)
list(E)
[item for item in E]
{"key": E}
(E).attribute
(E)[0]
(E)()
asyncio.run(E)
asyncio.create_task(E)
asyncio.gather(E)
asyncio.gather(E, work())
asyncio.wait_for(E, 3)
await E
print(E)
E == 1
(*E,)
requests.get(url)
time.sleep(1)
open(path).read()
work()
await work()
asyncio.gather(*[work(n) for n in range(1000)])
None
""".strip().split("\n")
EXPRESSIONS = [line.encode().decode("unicode_escape") for line in EXPRESSIONS]

COMMENTS = [
    "# a comment", "#", "#!odd", "# noqa", "# noqa: AF201", "# asyncfix: ignore[AF701]", "# type: ignore", "# fmt: off",
    "# fmt: skip", "# TODO: x", "#  'quote \"", "# é ü 漢字", "# pragma: no cover", "#\ttab", "# \\", "# noqa: BLE001",
]

NAMES = [
    "asyncio", "time", "task", "tasks", "background_tasks", "result", "results", "semaphore", "limited", "read_file", "write_file",
    "file", "session", "client", "lock", "main", "work", "self", "loop", "error", "aio", "print", "open", "data", "item", "i",
]

IMPORTS = {
    "asyncio": ["import asyncio", "import asyncio as aio", "from asyncio import *", "import os, asyncio", "import asyncio, time",
                "try:\n    import asyncio\nexcept ImportError:\n    asyncio = None", "import asyncio; import os", "import asyncio  # used",
                "from __future__ import annotations\nimport asyncio", "import uvloop as asyncio", "if True:\n    import asyncio",
                "from asyncio import gather, create_task, sleep, run\nimport asyncio.queues", ""],
    "time": ["import time", "import time as t", "from time import sleep", "from time import sleep as nap", "import time, json", "from time import *", "import time; x = 1", ""],
    "requests": ["import requests", "from requests import get, post", "import requests as r", "from requests import *", "try:\n    import requests\nexcept ImportError:\n    pass", ""],
    "json": ["import json", "from json import load, dump", "import json as j", ""],
    "os": ["import os", "from os import system, path", "import os.path", "import os, sys", ""],
}  # fmt: skip

# ---------------------------------------------------------------- places in a text


class Source:
    """A text with its tree, its lines and what stands where."""

    def __init__(self, text):
        self.text = text
        self.tree = parses(text)
        self.lines = text.split("\n")
        self.offsets = [0]
        for line in self.lines:
            self.offsets.append(self.offsets[-1] + len(line) + 1)

    def nodes(self, *kinds):
        return [node for node in ast.walk(self.tree) if isinstance(node, kinds)]

    def span(self, node):
        """Start and end of a node, in characters."""
        def at(row, column):
            line = self.lines[row - 1]
            return self.offsets[row - 1] + len(line.encode()[:column].decode(errors="replace"))
        return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)

    def bodies(self):
        """Every list of statements."""
        found = []
        for node in ast.walk(self.tree):
            for field in ("body", "orelse", "finalbody"):
                statements = getattr(node, field, None)
                if isinstance(statements, list) and statements and isinstance(statements[0], ast.stmt):
                    found.append(statements)
        return found

    def rows(self, statement):
        """First and last row (from 0, the last excluded), with decorators."""
        first = min([statement.lineno] + [d.lineno for d in getattr(statement, "decorator_list", [])])
        return first - 1, statement.end_lineno

    def owns_rows(self, statement):
        """Whether nothing else stands on its rows."""
        first, last = self.rows(statement)
        start, end = self.span(statement)
        before = self.lines[statement.lineno - 1][: len(self.lines[statement.lineno - 1].encode()[: statement.col_offset].decode(errors="replace"))]
        after = self.text[end : self.offsets[last] - 1]
        return not before.strip() and (not after.strip() or after.strip().startswith("#"))

    def free_statements(self):
        """Pairs of a list of statements and a place in it whose statement has its rows for itself."""
        return [(body, n) for body in self.bodies() for n, s in enumerate(body) if self.owns_rows(s)]

    def indent(self, statement):
        line = self.lines[statement.lineno - 1]
        return line[: len(line) - len(line.lstrip())]

    def tokens(self):
        try:
            return list(tokenize.generate_tokens(io.StringIO(self.text).readline))
        except (tokenize.TokenError, SyntaxError, IndentationError):
            return []


def indented(text, indent):
    return "\n".join(indent + line if line.strip() else line for line in text.split("\n"))


def with_lines(source, first, last, new):
    return "\n".join(source.lines[:first] + new + source.lines[last:])


# ---------------------------------------------------------------- changes
# Each takes a random generator, a Source and all seeds, and gives a text or None.


def duplicate_statement(rng, source, seeds):
    body, n = rng.choice(source.free_statements())
    first, last = source.rows(body[n])
    return with_lines(source, first, first, source.lines[first:last])


def delete_statement(rng, source, seeds):
    body, n = rng.choice(source.free_statements())
    first, last = source.rows(body[n])
    return with_lines(source, first, last, [source.indent(body[n]) + "pass"] if len(body) == 1 else [])


def swap_statements(rng, source, seeds):
    pairs = [(b, n) for b, n in source.free_statements() if n + 1 < len(b) and source.owns_rows(b[n + 1])]
    body, n = rng.choice(pairs)
    (a, b), (c, d) = source.rows(body[n]), source.rows(body[n + 1])
    return with_lines(source, a, d, source.lines[c:d] + source.lines[b:c] + source.lines[a:b])


def wrap_statements(rng, source, seeds):
    body, n = rng.choice(source.free_statements())
    last_of_run = min(len(body), n + rng.choice((1, 1, 2, 3))) - 1
    while not source.owns_rows(body[last_of_run]):
        last_of_run -= 1
    first, last = source.rows(body[n])[0], source.rows(body[last_of_run])[1]
    indent, unit = source.indent(body[n]), rng.choice(("    ", "    ", "  ", "\t"))
    inner = indented("\n".join(source.lines[first:last]), unit).split("\n")
    kind = rng.random()
    if kind < 0.45:
        return with_lines(source, first, last, [indent + rng.choice(WRAPPERS), *inner])
    if kind < 0.9:
        new = [indent + "try:", *inner]
        for handler in rng.sample(HANDLERS, rng.choice((1, 1, 2))):
            header, inside = handler.split(" | ")
            new += [indent + header, indent + unit + inside]
        return with_lines(source, first, last, new)
    return with_lines(source, first, last, [indent + "match item:", indent + unit + "case 1:", *[unit + l if l.strip() else l for l in inner]])


def insert_statement(rng, source, seeds):
    body, n = rng.choice(source.free_statements())
    first, last = source.rows(body[n])
    place = first if rng.random() < 0.5 else last
    return with_lines(source, place, place, indented(rng.choice(STATEMENTS), source.indent(body[n])).split("\n"))


def paste_body(rng, source, seeds):
    other = Source(rng.choice(seeds))
    bodies = [b for b in other.bodies() if all(other.owns_rows(s) for s in b)]
    there = rng.choice(bodies)
    first, last = other.rows(there[0])[0], other.rows(there[-1])[1]
    old = other.indent(there[0])
    lines = [line[len(old) :] if line.startswith(old) else line for line in other.lines[first:last]]
    body, n = rng.choice(source.free_statements())
    place = source.rows(body[n])[rng.randrange(2)]
    return with_lines(source, place, place, indented("\n".join(lines), source.indent(body[n])).split("\n"))


def change_expression(rng, source, seeds):
    node = rng.choice([n for n in source.nodes(ast.expr) if isinstance(n, (ast.Call, ast.Await, ast.Name, ast.Attribute, ast.Constant, ast.List, ast.ListComp))])
    start, end = source.span(node)
    new = rng.choice(EXPRESSIONS).replace("E", source.text[start:end])
    return source.text[:start] + new + source.text[end:]


def exchange_expressions(rng, source, seeds):
    one, two = rng.sample(source.nodes(ast.Call, ast.Name, ast.Constant, ast.Await), 2)
    (a, b), (c, d) = sorted((source.span(one), source.span(two)))
    if b > c:
        return None
    text = source.text
    return text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]


def join_statements(rng, source, seeds):
    simple = (ast.Assign, ast.Expr, ast.Return, ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.AugAssign, ast.Delete, ast.Raise)
    pairs = [(b[n], b[n + 1]) for b in source.bodies() for n in range(len(b) - 1) if isinstance(b[n], simple) and isinstance(b[n + 1], simple)]
    one, two = rng.choice(pairs)
    end, start = source.span(one)[1], source.span(two)[0]
    return source.text[:end] + rng.choice(("; ", ";", " ; ")) + source.text[start:]


def pull_up_body(rng, source, seeds):
    """`if x:` and its only simple statement on one line."""
    found = [b[0] for b in source.bodies() if len(b) == 1 and not hasattr(b[0], "body") and source.owns_rows(b[0]) and source.indent(b[0])]
    statement = rng.choice(found)
    start = source.span(statement)[0]
    before = source.text[:start].rstrip()
    return before + " " + source.text[start:] if before.endswith(":") else None


def break_lines(rng, source, seeds):
    """New lines, with and without comments, at some places inside of brackets; backslashes outside of them."""
    places, depth = [], 0
    for token in source.tokens():
        if token.type == tokenize.OP and token.string in "([{":
            depth += 1
            places.append((token.end, True))
        elif token.type == tokenize.OP and token.string in ")]}":
            places.append((token.start, True))
            depth -= 1
        elif token.type == tokenize.OP and token.string == "," and depth:
            places.append((token.end, True))
        elif token.type in (tokenize.OP, tokenize.NAME) and not depth and token.string not in (":", ";"):
            if token.line[: token.start[1]].strip():
                places.append((token.start, False))
    if not places:
        return None
    text = source.text
    chosen = rng.sample(places, min(len(places), rng.choice((1, 1, 2, 4))))
    for (row, column), bracket in sorted(chosen, reverse=True):
        at = source.offsets[row - 1] + column
        if bracket:
            new = rng.choice(("\n", "\n        ", "  # here\n    ", "\n\n", "\n# far left\n  ", " \\\n"))
        else:
            new = rng.choice(("\\\n", " \\\n        "))
        text = text[:at] + new + text[at:]
    return text


def add_comment(rng, source, seeds):
    row = rng.randrange(len(source.lines))
    line = source.lines[row]
    kind = rng.random()
    if kind < 0.5:
        if line.endswith("\\"):
            return None
        return with_lines(source, row, row + 1, [line + rng.choice(("  ", " ", "", "\t")) + rng.choice(COMMENTS)])
    indent = line[: len(line) - len(line.lstrip())] if kind < 0.8 else rng.choice(("", "  ", "        ", "\t"))
    return with_lines(source, row, row, [indent + rng.choice(COMMENTS)])


def blank_lines(rng, source, seeds):
    row = rng.randrange(len(source.lines) + 1)
    return with_lines(source, row, row, rng.choice(([""], ["", ""], ["   "], ["\t"], ["\f"], ["", "\f", ""], ["        ", ""], ["    \f"])))


def drop_blank_lines(rng, source, seeds):
    return "\n".join(line for line in source.lines if line.strip() or rng.random() < 0.3)


def other_indent(rng, source, seeds):
    unit = rng.choice(("  ", "\t", "        ", " ", "   "))
    def change(line):
        bare = line.lstrip(" ")
        width = len(line) - len(bare)
        return unit * (width // 4) + " " * (width % 4) + bare
    return "\n".join(change(line) for line in source.lines)


def rename(rng, source, seeds):
    names = [t.string for t in source.tokens() if t.type == tokenize.NAME and not keyword.iskeyword(t.string)]
    old, new = rng.choice(names), rng.choice(NAMES + names)
    if rng.random() < 0.4:  # one place
        places = [m.start() for m in re.finditer(rf"\b{re.escape(old)}\b", source.text)]
        at = rng.choice(places)
        return source.text[:at] + new + source.text[at + len(old) :]
    return re.sub(rf"\b{re.escape(old)}\b", new, source.text)


def other_import(rng, source, seeds):
    found = [n for n in source.nodes(ast.Import, ast.ImportFrom) if source.owns_rows(n)]
    if not found:
        return rng.choice(rng.choice(list(IMPORTS.values()))) + "\n" + source.text
    node = rng.choice(found)
    names = [a.name for a in node.names if a.name in IMPORTS] or list(IMPORTS)
    first, last = source.rows(node)
    new = indented(rng.choice(IMPORTS[rng.choice(names)]), source.indent(node)).split("\n")
    return with_lines(source, first, last, new)


def add_or_remove_async(rng, source, seeds):
    found = list(re.finditer(r"\basync (?=def|for|with)|\bawait |(?<!async )\b(?=def |for |with )", source.text))
    match = rng.choice(found)
    return source.text[: match.start()] + ("" if match.group() else "async ") + source.text[match.end() :]


def nest_file(rng, source, seeds):
    header = rng.choice(("def outer():", "class Outer:", "async def outer():", "if True:", "try:", "with lock:", "for _ in range(2):"))
    unit = rng.choice(("    ", "    ", "\t", "  "))
    text = header + "\n" + indented(source.text.rstrip("\n"), unit) + "\n"
    return text + ("except ImportError:\n" + unit + "pass\n" if header == "try:" else "")


def add_docstring_or_future(rng, source, seeds):
    return rng.choice(('"""About it."""\n', "from __future__ import annotations\n", '"""About it."""\n\nfrom __future__ import annotations\n', "#!/usr/bin/env python3\n",
                       "# -*- coding: utf-8 -*-\n", "# asyncfix: ignore-file\n", "# noqa\n", "\n\n", "'doc'; import os\n", "from __future__ import annotations; import os\n")) + source.text  # fmt: skip


def other_quotes(rng, source, seeds):
    return re.sub(r'"([^"\'\\\n{}]*)"', r"'\1'", source.text)


CHANGES = (
    [duplicate_statement] * 2 + [delete_statement] * 2 + [swap_statements] * 2 + [wrap_statements] * 5 + [insert_statement] * 5 + [paste_body] * 2
    + [change_expression] * 4 + [exchange_expressions] + [join_statements] * 2 + [pull_up_body] * 2 + [break_lines] * 3 + [add_comment] * 4
    + [blank_lines] * 2 + [drop_blank_lines] + [other_indent] + [rename] * 3 + [other_import] * 3 + [add_or_remove_async] * 2 + [nest_file]
    + [add_docstring_or_future] + [other_quotes]
)  # fmt: skip


def make_text(rng, seeds):
    """A text with line feeds, and how many changes went into it."""
    texts = rng.sample(seeds, rng.choice((1, 1, 1, 2, 2, 3)))
    text = "\n\n".join(t.rstrip("\n") for t in texts) + "\n"
    if not parses(text):  # `from __future__` in the second, say
        text = texts[0]
    changes = 0
    for _ in range(rng.randint(0, 12)):
        source = Source(text)
        try:
            new = rng.choice(CHANGES)(rng, source, seeds)
        except (IndexError, ValueError):  # nothing to change
            continue
        if new and len(new) < 20_000 and parses(new):
            text, changes = new, changes + 1
    if rng.random() < 0.01:  # one that need not parse
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(("(", ")", ":", "\n ", "'", "\\", "async ", "=")) + text[at + rng.randrange(3) :]
        changes += 1
    return text, changes


def make_bytes(rng, text):
    """The text's bytes, with other line endings, byte order mark and end for some."""
    kind = rng.random()
    if kind < 0.25:
        text = text.replace("\n", "\r\n")
    elif kind < 0.3:
        text = text.replace("\n", "\r")
    elif kind < 0.4:
        kinds = rng.choice((("\n", "\r\n"), ("\n", "\r"), ("\r\n", "\r"), ("\n", "\r\n", "\r")))
        text = re.sub("\n", lambda _: rng.choice(kinds), text)
    if rng.random() < 0.1:
        text = text.rstrip("\r\n")
    data = text.encode("utf-8")
    return b"\xef\xbb\xbf" + data if rng.random() < 0.05 else data


# ---------------------------------------------------------------- checks of one file

BOM = b"\xef\xbb\xbf"


def compiles(data):
    try:
        compile(data, "file.py", "exec", dont_inherit=True)
        return None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"


def endings(data):
    return {e for e in (b"\r\n", b"\n", b"\r") if e in (data.replace(b"\r\n", b"") if len(e) == 1 else data)}


def with_line_feeds(data):
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def final_newline(data):
    return data.endswith((b"\n", b"\r"))


PRAGMA = re.compile(r"(#\s*(asyncfix: ?ignore|noqa|type: ?ignore|pyright: ignore|pyrefly: ignore|ty: ignore|pylint: disable|pragma: no cover)[^#]*)+$")


def comments_and_strings(data):
    """The comments and the strings as multisets. Of an f-string only what is no expression counts."""
    comments, strings = collections.Counter(), collections.Counter()
    text = with_line_feeds(data.removeprefix(BOM)).decode("utf-8")
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                comments[token.string.rstrip()] += 1
            elif token.type == tokenize.STRING and "f" not in token.string[: re.match(r"\w*", token.string).end()].lower():
                strings[token.string] += 1
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return None
    tree = parses(text)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.JoinedStr):
            strings.update(f"f-string {part.value!r}" for part in node.values if isinstance(part, ast.Constant))
    return comments, strings


def functions(data, touched):
    """The trees of the functions that no touched row (from 1) lies in, as a multiset of texts."""
    found = collections.Counter()
    tree = parses(with_line_feeds(data.removeprefix(BOM)).decode("utf-8"))
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno] + [d.lineno for d in node.decorator_list])
            if not any(first <= row <= node.end_lineno for row in touched):
                found[ast.dump(node)] += 1
    return found


def look_at(before, after, again, findings):
    """The kinds of fault between a file's bytes before, after the first and after the second run."""
    faults = {}
    problem = compiles(before)
    if after == before:
        pass
    elif not parses_bytes(before):
        faults["kept"] = "it does not parse, and it was changed"
    else:
        if problem is None and (worse := compiles(after)):
            faults["compile"] = worse
        elif problem is not None and not parses_bytes(after):
            faults["compile"] = "it parsed before: " + str(compiles(after))
        old, new = comments_and_strings(before), comments_and_strings(after)
        if old and new:
            for kind, was, now in zip(("comment", "string"), old, new):
                # What a comment says of its line to a program goes with the line.
                if lost := [one for one in was - now if not PRAGMA.match(one)]:
                    faults[kind] = f"lost: {list(lost)[:3]}"
        if kinds := endings(after) - endings(before):
            if endings(before):
                faults["ending"] = f"new kind of line ending: {sorted(kinds)}"
        if before.startswith(BOM) != after.startswith(BOM) or final_newline(before) != final_newline(after):
            faults["edge"] = "byte order mark or newline at the end"
        touched = set()
        for finding in findings:
            spots = [finding] + ((finding.get("fix") or {}).get("edits") or [])
            for spot in spots:
                touched.update(range(spot["location"]["row"], spot["end_location"]["row"] + 1))
        if "compile" not in faults and (lost := functions(before, touched) - functions(after, ())):
            faults["function"] = "changed without a finding: " + re.match(r".*?name='(\w+)'", next(iter(lost))).group(1)
    if again != after:
        faults["stable"] = "a second run changes it"
    return faults


def parses_bytes(data):
    try:
        return parses(with_line_feeds(data.removeprefix(BOM)).decode("utf-8"))
    except UnicodeDecodeError:
        return None


# ---------------------------------------------------------------- running asyncfix


class Runner:
    def __init__(self, options):
        self.binary = os.path.abspath(options.asyncfix)
        self.extra = ["--unsafe-fixes"] if options.unsafe else []
        self.seconds = options.seconds
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="mutate-"))
        self.runs = 0

    def command(self, folder, *arguments):
        self.runs += 1
        seconds = int(self.seconds + len(os.listdir(folder)) / 20)
        limit = (lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))) if resource else None
        done = subprocess.run([self.binary, "--isolated", "-j", "1", *self.extra, *arguments, "."], cwd=folder, capture_output=True, preexec_fn=limit)
        if resource and done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return None, "", "no end"
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def whole(self, files):
        """Faults of some files at once: a dict from name to kinds, with "" for what belongs to no file."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.root))
        for name, data in files.items():
            (folder / name).write_bytes(data)
        faults = collections.defaultdict(dict)
        findings = collections.defaultdict(list)
        results = []
        for arguments in (("--output-format", "json"), ("--write", "-q"), ("--write", "-q")):
            status, out, err = self.command(folder, *arguments)
            if status is None:
                faults[""]["hang"] = f"more than {self.seconds} seconds of the processor for a file"
                break
            if not 0 <= status <= 2 or "panicked" in err:
                last = [line for line in err.strip().splitlines() if "panicked" in line or "overflow" in line] or err.strip().splitlines()[-1:]
                faults[""]["crash"] = f"exit status {status}: {' '.join(last)[:300]}"
            for line in err.splitlines():
                if "please report it" in line and (match := re.search(r"[\w-]+\.py", line)):
                    faults[match.group()]["bug"] = line[:300]
                elif "please report it" in line:
                    faults[""]["bug"] = line[:300]
            if arguments[0] == "--output-format":
                try:
                    for finding in json.loads(out or "[]"):
                        findings[os.path.basename(finding["filename"])].append(finding)
                except ValueError:
                    faults[""].setdefault("crash", "the report is no JSON: " + out[:200])
                if status == 0 and findings:
                    faults[""]["crash"] = "exit status 0 with findings"
            if (names := {p.name for p in folder.iterdir()}) != set(files):
                faults[""]["leftover"] = str(sorted(names ^ set(files))[:5])
            results.append({name: (folder / name).read_bytes() if (folder / name).exists() else b"" for name in files})
        shutil.rmtree(folder)
        if len(results) < 3:  # stopped
            return faults, dict(files)
        reported, after, again = results
        for name, before in files.items():
            if reported[name] != before:
                faults[name]["kept"] = "a report changed it"
            faults[name].update(look_at(before, after[name], again[name], findings[name]))
        return faults, after

    def check(self, files):
        """Faults of some files, each file to blame; halves the batch where nobody can say whose fault it is."""
        faults, after = self.whole(files)
        common = faults.pop("", {})
        if common and len(files) > 1:
            names = list(files)
            faults, after = {}, {}
            for part in (names[: len(names) // 2], names[len(names) // 2 :]):
                some, texts = self.check({name: files[name] for name in part})
                faults.update(some)
                after.update(texts)
        elif common:
            faults[next(iter(files))].update(common)
        return {name: kinds for name, kinds in faults.items() if kinds}, after

    def endings(self, texts):
        """Files whose result with CRLF or CR differs from that with LF by more than the endings."""
        results = []
        for ending in ("\n", "\r\n", "\r"):
            _, after = self.whole({name: text.replace("\n", ending).encode() for name, text in texts.items()})
            results.append({name: with_line_feeds(data) for name, data in after.items()})
        faults = {}
        for name in texts:
            for ending, result in (("CRLF", results[1]), ("CR", results[2])):
                if result[name] != results[0][name]:
                    faults.setdefault(name, {})["crlf"] = f"{ending} gives another text than LF"
        return faults, results

    def kinds_of(self, data, kind):
        """The faults of a file alone."""
        if kind == "crlf":
            return self.endings({"file.py": data.decode()})[0].get("file.py", {})
        faults, after = self.check({"file.py": data})
        faults = faults.get("file.py", {})
        if "stable" in faults:
            faults["stable"] = "a second run still finds " + ", ".join(self.rules_in(after["file.py"]))
        return faults

    def rules_in(self, data):
        """The rules that find something fixable in a text."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.root))
        (folder / "file.py").write_bytes(data)
        found = json.loads(self.command(folder, "--output-format", "json")[1] or "[]")
        shutil.rmtree(folder)
        wanted = ("safe", "unsafe") if self.extra else ("safe",)
        return sorted({f["code"] for f in found if (f.get("fix") or {}).get("applicability") in wanted})


def essence(kind, note):
    """What two faults of one cause have in common, so that each is kept once or twice and not a hundred times."""
    if kind in ("bug", "crash"):
        return kind + " " + re.sub(r"\S*\.py\S*|\b\d+|`[^`]*`|\"[^\"]*\"", "", note)
    if kind in ("crlf", "stable"):
        return kind + " " + note
    if kind == "compile":
        return kind + " " + re.sub(r"'[^']*'|\d+|\(.*", "", note)
    return kind


def smaller(runner, data, kind, note, seconds):
    """Fewer lines with the same kind of fault: blocks of lines first, then single ones, as long as time allows."""
    end = time.monotonic() + seconds
    lines = re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", data)
    want = essence(kind, note)
    def still(lines):
        trial = b"".join(lines)
        if kind not in ("kept", "crash", "hang") and not parses_bytes(trial):
            return False
        if kind == "compile" and compiles(data) is None and compiles(trial):
            return False
        found = runner.kinds_of(trial, kind)
        return kind in found and essence(kind, found[kind]) == want
    size = max(1, len(lines) // 2)
    while time.monotonic() < end:
        at, removed = 0, False
        while at < len(lines) and time.monotonic() < end:
            trial = lines[:at] + lines[at + size :]
            if trial and still(trial):
                lines, removed = trial, True
            else:
                at += size
        if size == 1 and not removed:
            break
        size = max(1, size // 2)
    return b"".join(lines)


# ---------------------------------------------------------------- the program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asyncfix", required=True, metavar="BIN", help="the program to try")
    parser.add_argument("--seeds", metavar="DIR", default=pathlib.Path(__file__).resolve().parents[2], type=pathlib.Path, help="the project's folder")
    parser.add_argument("--count", type=int, default=2000, help="files to make (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random generator (default: 1)")
    parser.add_argument("--keep", metavar="DIR", type=pathlib.Path, help="where faults are written")
    parser.add_argument("--record", metavar="FILE", type=pathlib.Path, help="write what was done and found as JSON")
    parser.add_argument("--unsafe", action="store_true", help="with unsafe fixes too")
    parser.add_argument("--batch", type=int, default=300, help="files in a folder (default: 300)")
    parser.add_argument("--most", type=int, default=3, help="faults of one cause to keep (default: 3)")
    parser.add_argument("--reduce", type=float, default=20, metavar="SECONDS", help="time to make one fault smaller (default: 20, 0: not at all)")
    parser.add_argument("--seconds", type=float, default=5, help="of processor time for one file, and a twentieth for each more (default: 5)")
    options = parser.parse_args()

    seeds = read_seeds(options.seeds)
    if len(seeds) < 10:
        parser.error(f"only {len(seeds)} seeds below {options.seeds}")
    runner = Runner(options)
    counts, kept, changed, made, changes, lines = collections.Counter(), collections.Counter(), 0, 0, 0, 0
    started = time.monotonic()

    def note_fault(data, kind, note):
        counts[kind] += 1
        alone = runner.kinds_of(data, kind) if kind == "stable" else {}
        note = alone.get(kind, note)
        cause = essence(kind, note)
        kept[cause] += 1
        if kept[cause] > options.most:
            return
        alone = alone or runner.kinds_of(data, kind)
        if kind in alone and options.reduce:
            data = smaller(runner, data, kind, note, options.reduce)
            note = runner.kinds_of(data, kind).get(kind, note)
        elif kind not in alone:
            note += " (only beside the other files of its batch)"
        print(f"{kind}: {note}", flush=True)
        if options.keep:
            place = options.keep / f"{kind}-{kept.total():03}"
            place.mkdir(parents=True, exist_ok=True)
            (place / "before.py").write_bytes(data)
            (place / "after.py").write_bytes(runner.whole({"file.py": data})[1]["file.py"])
            (place / "note.txt").write_text(f"{kind}: {note}\n")
        else:
            print(indented(data.decode(errors="replace"), "    "))

    try:
        while made < options.count:
            number = min(options.batch, options.count - made)
            texts, files = {}, {}
            for n in range(made, made + number):
                rng = random.Random(f"{options.seed}/{n}")
                text, some = make_text(rng, seeds)
                texts[f"m{n:06}.py"], files[f"m{n:06}.py"] = text, make_bytes(rng, text)
                changes, lines = changes + some, lines + text.count("\n")
            faults, after = runner.check(files)
            changed += sum(after[name] != files[name] for name in files)
            made += number
            for name, kinds in faults.items():
                for kind, note in kinds.items():
                    note_fault(files[name], kind, note)
            texts = {name: text for name, text in texts.items() if "\r" not in text and "\f" not in text and not {"crash", "hang", "bug"} & set(faults.get(name, ()))}
            for name, kinds in runner.endings(texts)[0].items():
                for kind, note in kinds.items():
                    note_fault(texts[name].encode(), kind, note)
    except KeyboardInterrupt:
        pass
    finally:
        shutil.rmtree(runner.root, ignore_errors=True)
    print(f"{made} files from {len(seeds)} seeds, {changed} changed, {counts.total()} faults in {time.monotonic() - started:.0f} s (seed {options.seed})")
    for kind, number in counts.most_common():
        print(f"  {number:5} {kind}")
    for cause, number in kept.most_common():
        if cause.partition(" ")[2]:
            print(f"  {number:5} {cause[:160]}")
    if options.record:
        done = {"seed": options.seed, "unsafe": options.unsafe, "files": made, "lines": lines, "mutations": changes, "rewritten": changed, "runs": runner.runs, "faults": dict(counts)}
        options.record.write_text(json.dumps(done, indent=1) + "\n")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
