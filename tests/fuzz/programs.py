#!/usr/bin/env python3
"""A semantics fuzzer for asyncfix: programs that run, before and after their safe fixes.

    programs.py --asyncfix BIN [--count N] [--seed S] [--keep DIR] [--record FILE]

A program is one coroutine `main` made of some ninety small templates (tasks, gathers, files, helpers that block,
sessions, locks, queues, cancellations ...), some of which fail, inside of `try`, `if`, loops, `with` and inner
coroutines. What it does it says through `record(...)`. It runs under this Python (3.11 or later), is rewritten with
`asyncfix --write`, and runs again, each time in a fresh folder, with stand-ins for `requests` and `aiohttp`, and with
a time limit. Compared are the recorded lines as multisets, the exception at the end, and the sessions left open.

Some differences are what the fix is for, and are allowed. They are marked in the templates:

    a line that begins with `+` may appear (a dangling task or the sibling of a failed one comes to its end)
    a line that begins with `~` may appear or vanish (what a swallowed cancellation let happen)
    an exception whose text begins with `+` may appear (a dangling task that fails)
    fewer sessions may be left open, never more

A difference counts only when it stays: both programs run three times more, and their outcomes must not meet.
Faults are `lines`, `exception`, `hang`, `sessions`, `syntax`, `crash` (of asyncfix) and `stable` (a second run changes
something). They are written to --keep with a note. The exit status is 1 when there are faults. The same --seed and
--count give the same programs. --record writes what was done and found as JSON, for tests/reliability.py.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

# ---------------------------------------------------------------- the world in which the programs run

DRIVER = '''
import asyncio, os, pathlib, runpy, sys, types, warnings

warnings.simplefilter("ignore")
open_sessions = 0


class Answer:
    """Of requests and of aiohttp, with and without await."""
    def __init__(self, url):
        if "bad" in url:
            raise OSError("no answer from " + url)
        self.url, self.status, self.status_code, self.content = url, 200, 200, b"page"
    text = property(lambda self: Text("page of " + self.url))
    def json(self):
        return {"url": self.url}
    def raise_for_status(self):
        pass
    def close(self):
        pass
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass


class Text(str):
    """`answer.text` and `await answer.text()`."""
    async def __call__(self):
        return str(self)


class Request:
    """`await session.get(...)` and `async with session.get(...)`."""
    def __init__(self, url):
        self.url = url
    async def go(self):
        await asyncio.sleep(0.001)
        return Answer(self.url)
    def __await__(self):
        return self.go().__await__()
    async def __aenter__(self):
        return await self.go()
    async def __aexit__(self, *_):
        pass


class ClientSession:
    def __init__(self, **_):
        global open_sessions
        open_sessions += 1
        self.closed = False
    def get(self, url, **_):
        return Request(url)
    post = get
    async def close(self):
        global open_sessions
        open_sessions -= not self.closed
        self.closed = True
    async def __aenter__(self):
        return self
    async def __aexit__(self, *_):
        await self.close()


def get(url, **_):
    import time
    time.sleep(0.002)
    return Answer(url)


requests, aiohttp = types.ModuleType("requests"), types.ModuleType("aiohttp")
requests.get = requests.post = get
requests.RequestException = OSError
aiohttp.ClientSession, aiohttp.ClientError = ClientSession, OSError
sys.modules.update(requests=requests, aiohttp=aiohttp)
pathlib.Path("data.txt").write_text("one\\ntwo\\nthree\\n")
pathlib.Path("rows.csv").write_text("name,size\\na,1\\nb,2\\n")
pathlib.Path("empty.csv").write_text("")
pathlib.Path("state.json").write_text('{"count": 3, "names": ["x", "y"]}')
pathlib.Path("broken.json").write_text('{"count": ')
os.mkdir("folder")


def name(error):
    if isinstance(error, BaseExceptionGroup):
        return type(error).__name__ + "(" + ", ".join(sorted(map(name, error.exceptions))) + ")"
    return f"{type(error).__name__}: {error}"


try:
    runpy.run_path(sys.argv[1], run_name="__main__")
    end = "fine"
except BaseException as error:
    end = name(error)
sys.stdout.flush()
print(f"\\n=END= {open_sessions} {end!r}", flush=True)
os._exit(0)
'''

HEAD = """\
import asyncio
import collections
import contextlib
import contextvars
import csv
import json
import os
import queue
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import requests


def record(*parts):
    print(*parts, flush=True)


async def work(number, delay=0.0):
    await asyncio.sleep(delay)
    record("+work", number)
    return number * 2


async def fail(number, delay=0.0, error=ValueError):
    await asyncio.sleep(delay)
    raise error(f"failed {number}")


counter = 0
seen = {}
log = []
current = contextvars.ContextVar("current", default="nobody")
"""

# ---------------------------------------------------------------- templates
# `#N` is a fresh number. `<<a||b||c>>` is one of the texts. What stands above a line `----` is module level.

TEMPLATES = r'''
record("line #N")
====
value = await work(#N)
record("awaited", value)
====
await asyncio.sleep(0.002)
record("slept #N")
====
raise <<ValueError||KeyError||OSError||RuntimeError>>("raised #N")
====
return #N
====
time.sleep(<<0.001||0.003>>)
record("blocked #N")
====
results = await asyncio.gather(work(#N), work(1))
record("results", results)
====
first, second = await asyncio.gather(work(#N, 0.003), work(2, 0.001))
record("pair", first, second)
====
await asyncio.gather(work(#N, 0.002), work(3))
record("gathered #N")
====
results = await asyncio.gather(*[work(n) for n in range(<<3||5||120>>)])
record("all #N", sum(results))
====
results = await asyncio.gather(*(work(n, 0.001) for n in range(3)), return_exceptions=True)
record("kept #N", results)
====
async def member#N(number):
    await asyncio.sleep(0.001)
    if number == 2:
        raise ValueError("member #N")
    return number
----
results = await asyncio.gather(*[member#N(n) for n in range(4)])
record("never #N", results)
====
async def slow#N():
    await asyncio.sleep(0.004)
    record("+slow #N")
----
await asyncio.gather(slow#N(), fail(#N))
record("never #N")
====
try:
    results = await asyncio.gather(work(#N, 0.001), fail(#N))
    record("never", results)
except ValueError as error:
    record("caught", error)
====
try:
    results = await asyncio.gather(fail(#N, 0.02), fail(1, 0, KeyError))
    record("never", results)
except KeyError as error:
    record("key", error)
====
with contextlib.suppress(KeyError):
    results = await asyncio.gather(fail(#N, 0.02), fail(1, 0, KeyError))
====
async def both#N():
    return await asyncio.gather(work(#N), fail(#N, 0.001, OSError))
----
try:
    await both#N()
except OSError as error:
    record("both", error)
====
async def produce#N(lane):
    for n in range(3):
        await lane.put(n)
        <<||raise ValueError("producer #N")>>
    await lane.put(None)

async def consume#N(lane):
    while (item := await lane.get()) is not None:
        record("+item", item)
    return "consumed"
----
lane = asyncio.Queue()
try:
    results = await asyncio.gather(produce#N(lane), consume#N(lane))
    record("queue #N", results[1])
except ValueError as error:
    record("producer", error)
====
async def signal#N(event):
    await asyncio.sleep(0.001)
    <<||raise OSError("signal #N")>>
    event.set()
----
event = asyncio.Event()
results = await asyncio.gather(signal#N(event), event.wait())
record("event #N", results[1])
====
async def wait_for_all#N(number, futures):
    futures[number].set_result(number)
    return sum([await future for future in futures])
----
futures = [asyncio.get_running_loop().create_future() for _ in range(<<3||130>>)]
results = await asyncio.gather(*[wait_for_all#N(n, futures) for n in range(len(futures))], return_exceptions=True)
record("futures #N", sum(results))
====
async def part#N(number, barrier):
    await barrier.wait()
    return number
----
barrier = asyncio.Barrier(110)
results = await asyncio.gather(*[part#N(n, barrier) for n in range(110)])
record("barrier #N", sum(results))
====
async def drop#N():
    await asyncio.sleep(0.002)
    record("+dropped #N")
----
asyncio.create_task(drop#N())
record("started #N")
====
async def drop#N():
    await asyncio.sleep(0)
    raise ValueError("+dropped #N")
----
asyncio.create_task(drop#N())
await asyncio.sleep(0.001)
record("started #N")
====
task = asyncio.create_task(work(#N))
record("task", await task)
====
async def quick#N(number):
    await asyncio.sleep(0.001)
    record("+quick #N", number)
----
for number in range(3):
    asyncio.create_task(quick#N(number))
record("loop #N")
====
task = asyncio.create_task(work(#N, 5))
await asyncio.sleep(0)
task.cancel()
try:
    await task
except asyncio.CancelledError:
    record("cancelled #N")
====
async def stubborn#N():
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        record("stopping #N")
    record("~after #N")
----
task = asyncio.create_task(stubborn#N())
await asyncio.sleep(0)
task.cancel()
try:
    await task
except asyncio.CancelledError:
    record("~cancelled #N")
====
async def endless#N():
    while True:
        <<record("~turn #N")||log.append(#N)>>
        await asyncio.sleep(0.5)
----
task = asyncio.create_task(endless#N())
await asyncio.sleep(0.001)
task.cancel()
with contextlib.suppress(asyncio.CancelledError):
    await task
record("ended #N")
====
async def bare#N():
    try:
        await asyncio.sleep(5)
    except:
        record("~bare #N")
----
task = asyncio.create_task(bare#N())
await asyncio.sleep(0)
task.cancel()
with contextlib.suppress(asyncio.CancelledError):
    await task
record("ended #N")
====
try:
    await fail(#N)
except:
    record("bare handler #N")
====
try:
    await asyncio.wait_for(work(#N, 5), 0.002)
except asyncio.TimeoutError:
    record("time is over #N")
====
async with asyncio.timeout(1):
    record("in time", await work(#N))
====
async with asyncio.TaskGroup() as group:
    group.create_task(work(#N, 0.001))
    group.create_task(work(1))
record("group #N")
====
async with asyncio.TaskGroup() as group:
    group.create_task(fail(#N))
====
with open("data.txt") as file:
    text = file.read()
record("read #N", len(text))
====
with open("<<rows||empty>>.csv") as file:
    rows = csv.reader(file)
    header = next(rows)
    lines = list(rows)
record("rows #N", header, lines)
====
with open("empty.csv") as file:
    header = next(file, "nothing")
record("header #N", header)
====
with open("<<state||broken||missing>>.json") as file:
    state = json.load(file)
record("state #N", state["count"])
====
with open("out#N.txt", "w") as file:
    file.write("text #N")
record(Path("out#N.txt").read_text())
====
text = Path("data.txt").read_text()
record("path #N", text.count("\n"))
====
async def save#N(state):
    with open("state#N.json", "w") as file:
        json.dump(state, file)
----
await asyncio.gather(*[save#N({str(k): n for k in range(2000 + 1500 * n)}) for n in range(4)], return_exceptions=True)
record("saved #N", len(json.loads(Path("state#N.json").read_text())))
====
async def dump#N():
    with open("seen#N.json", "w") as file:
        json.dump(seen, file, indent=1)

async def collect#N():
    for number in range(3000):
        seen[str(number)] = number
        if number % 10 == 0:
            await asyncio.sleep(0)
----
collector = asyncio.create_task(collect#N())
while not collector.done():
    await asyncio.sleep(0)
    await dump#N()
record("dumped #N", len(seen))
====
async def append#N(line):
    with open("log#N.txt", "a") as file:
        for part in line:
            file.write(part)
            file.flush()
        file.write("\n")
----
await asyncio.gather(append#N("a" * 30), append#N("b" * 30), append#N("c" * 30), return_exceptions=True)
record("log #N", Path("log#N.txt").read_text())
====
class Account#N:
    def __init__(self):
        self.balance = 10
    async def take(self, amount):
        if self.balance >= amount:
            time.sleep(0.002)
            self.balance -= amount
            return True
        return False
----
account = Account#N()
results = await asyncio.gather(account.take(8), account.take(8), return_exceptions=True)
record("account #N", results, account.balance)
====
try:
    await fail(#N)
except Exception:
    with open("errors#N.log", "w") as file:
        traceback.print_exc(file=file)
record("trace #N", Path("errors#N.log").read_text().splitlines()[-1])
====
try:
    await fail(#N)
except ValueError:
    with open("errors#N.log", "w") as file:
        file.write("x")
        raise
====
def undo#N(path):
    shutil.rmtree(path, ignore_errors=True)
    raise
----
try:
    await fail(#N)
except ValueError:
    undo#N("none")
====
with open("data.txt") as file:
    if not file:
        never#N = 1
    data = file.read()
try:
    record(never#N)
except UnboundLocalError:
    record("unbound #N")
====
total = 0
with open("data.txt") as file:
    for line in file:
        total += len(line)
record("total #N", total)
====
with open("data.txt") as file:
    for line in file:
        if line.startswith("two"):
            return "two #N"
====
for name in ("data.txt", "rows.csv", "missing"):
    try:
        with open(name) as file:
            first = file.readline()
    except FileNotFoundError as error:
        record("missing #N", error.filename)
        <<continue||break||pass>>
    record("first #N", first)
====
def load#N(path):
    with open(path) as file:
        return file.read()
----
record("loaded #N", load#N("data.txt"))
====
def count#N():
    global counter
    time.sleep(0.001)
    counter += 1
    return counter
----
before = counter
count#N()
record("counted #N", counter - before)
====
def note#N():
    time.sleep(0.001)
    log.append("#N")
    current.set("#N")
----
note#N()
record("noted #N", log[-1], current.get())
====
def explode#N():
    time.sleep(0.001)
    raise LookupError("helper #N")
----
try:
    explode#N()
except LookupError as error:
    record("helper", error)
====
def head#N(path):
    with open(path) as file:
        return next(file)
----
record("head #N", head#N("<<data.txt||empty.csv>>"))
====
def connect#N():
    for attempt in range(2):
        try:
            return sqlite3.connect(":memory:")
        except sqlite3.OperationalError:
            time.sleep(0.1)
----
database = connect#N()
record("sqlite #N", database.execute("select 1").fetchone())
====
def report#N():
    time.sleep(0.001)
    return traceback.format_exc().strip().splitlines()[-1]
----
try:
    await fail(#N)
except ValueError:
    record("report #N", report#N())
====
local#N = threading.local()
def remember#N(value):
    time.sleep(0.001)
    local#N.value = value
----
remember#N(#N)
record("local", getattr(local#N, "value", None))
====
page = requests.get("http://<<good||bad>>/#N")
record("page", page.text)
====
record("title #N", requests.get("http://good/#N").json()["url"])
====
session = aiohttp.ClientSession()
answer = await session.get("http://<<good||bad>>/#N")
record("session", await answer.text())
await session.close()
====
session = aiohttp.ClientSession()
try:
    async with session.get("http://good/#N") as answer:
        record("status #N", answer.status)
finally:
    await session.close()
====
session = aiohttp.ClientSession()
for number in range(3):
    <<||if number == 1: break>>
    await session.get(f"http://good/{number}")
record("asked #N", session.closed)
await session.close()
====
async with aiohttp.ClientSession() as session:
    answers = await asyncio.gather(*[session.get(f"http://good/{n}") for n in range(3)])
record("answers #N", len(answers))
====
lock = asyncio.Lock()
await lock.acquire()
try:
    record("locked #N", lock.locked())
    <<||await fail(#N)>>
finally:
    lock.release()
====
lock = asyncio.Lock()
await lock.acquire()
await work(#N)
lock.release()
record("free #N", lock.locked())
====
gate = asyncio.Semaphore(2)
async def pass#N(number):
    await gate.acquire()
    try:
        return await work(number)
    finally:
        gate.release()
results = await asyncio.gather(*[pass#N(n) for n in range(4)], return_exceptions=True)
record("passed #N", results)
====
lane = asyncio.Queue()
for number in range(3):
    lane.put_nowait(number)
while not lane.empty():
    record("lane #N", await lane.get())
====
thread = threading.Thread(target=record, args=("thread #N",))
thread.start()
thread.join()
record("joined #N")
====
lane = queue.Queue()
threading.Timer(0.002, lane.put, ("late",)).start()
record("got #N", lane.get())
====
with ThreadPoolExecutor() as pool:
    future = pool.submit(sum, [1, 2, #N])
    record("sum", future.result())
====
done = subprocess.run(["echo", "#N"], capture_output=True, text=True)
record("echo", done.stdout.strip())
====
record("system #N", os.system("exit <<0||3>>"))
====
<<shutil.copy||shutil.move>>("data.txt", "copy#N.txt")
record("copied #N", os.path.exists("copy#N.txt"))
====
async def generate#N():
    for number in range(3):
        await asyncio.sleep(0)
        yield number
----
async for number in generate#N():
    record("generated #N", number)
====
async def generate#N():
    yield 1
    with open("data.txt") as file:
        for line in file:
            yield line
----
record("lines #N", [item async for item in generate#N()])
====
values = [await work(n) for n in range(3)]
record("values #N", values)
====
for first in asyncio.as_completed([work(#N, 0.004), work(1, 0.001)]):
    record("completed", await first)
====
done, pending = await asyncio.wait([asyncio.create_task(work(#N)), asyncio.create_task(work(1, 0.001))])
record("waited #N", len(done), len(pending))
====
await asyncio.shield(work(#N))
record("shielded #N")
====
record("thread", await asyncio.to_thread(lambda: #N))
====
result = task = file = None
background_tasks = {"mine #N"}
asyncio.create_task(asyncio.sleep(0))
record("names", background_tasks, result, task, file)
====
match await work(#N):
    case 0:
        record("nothing")
    case number if number > 1:
        with open("data.txt") as file:
            record("match #N", file.readline())
    case _:
        record("one")
====
class Store#N:
    def __init__(self):
        self.data = None
    async def open(self):
        with open("state.json") as file:
            self.data = json.load(file)
        return self
    async def both(self):
        return await asyncio.gather(self.open(), work(#N))
----
store, _ = await Store#N().both()
record("store #N", store.data["count"])
====
async def never#N():
    record("+ran at last #N")
----
never#N()
await asyncio.sleep(0)
record("called #N")
====
async def main#N():
    return await work(#N)
----
record("nested", await main#N())
====
first = second = None
try:
    first, second = await asyncio.gather(work(#N), fail(2))
except ValueError:
    pass
finally:
    record("names #N", first, second)
====
results = []
results += await asyncio.gather(work(#N), work(2))
record("added", results)
====
table = {"one": await asyncio.gather(work(#N), work(2))}
record("table", table)
====
record("argument", sum(await asyncio.gather(work(#N), work(2))))
====
results = await asyncio.gather(work(#N), asyncio.gather(work(1), work(2)))
record("inner", results)
====
tasks = [asyncio.create_task(work(n, 0.001)) for n in range(3)]
tasks.append(asyncio.create_task(<<work||fail>>(#N)))
results = await asyncio.gather(*tasks)
record("tasks", results)
'''

TEMPLATES = [text.strip("\n") for text in re.split(r"^====$", TEMPLATES, flags=re.M)]

WRAPPERS = """
if log is not None:
if #N > 3:
for _ in range(2):
for turn#N in (1, 2):
with contextlib.suppress(<<ValueError||KeyError||OSError>>):
with contextlib.suppress(<<ValueError||KeyError||OSError>>):
async with asyncio.timeout(5):
async with asyncio.Lock():
with tempfile.TemporaryDirectory() as folder#N:
async with aiohttp.ClientSession() as session#N:
""".strip().split("\n")

HANDLERS = """
except ValueError as error: | record("value", error)
except KeyError as error: | record("key", error)
except OSError as error: | record("os", error)
except (ValueError, KeyError): | record("two #N")
except Exception as error: | record("any", type(error).__name__, error)
except Exception: | record("raised again #N"); raise
except asyncio.CancelledError: | record("~cancelled here #N"); raise
except: | record("all #N")
except BaseException: | record("base #N"); raise
""".strip().split("\n")


class Program:
    """Makes one program."""

    def __init__(self, rng):
        self.rng, self.top, self.number = rng, [], 0

    def fill(self, text):
        self.number += 1
        text = re.sub(r"<<(.*?)>>", lambda match: self.rng.choice(match.group(1).split("||")), text)
        return text.replace("#N", str(self.number))

    def template(self):
        text = self.fill(self.rng.choice(TEMPLATES))
        top, dashes, body = text.partition("\n----\n")
        if dashes:
            self.top.append(top)
        else:
            body = top
        return body.split("\n")

    def block(self, depth):
        lines = []
        for _ in range(self.rng.choice((1, 1, 2, 2, 3)) + (depth == 0)):
            kind = self.rng.random()
            if depth == 2 or kind < 0.5:
                lines += self.template()
            else:
                inner = ["    " + line if line else "" for line in self.block(depth + 1)]
                if kind < 0.65:
                    lines += [self.fill(self.rng.choice(WRAPPERS)), *inner]
                elif kind < 0.88:
                    lines += ["try:", *inner]
                    handlers = self.rng.sample(HANDLERS, self.rng.choice((1, 1, 2)))
                    for handler in sorted(handlers, key=HANDLERS.index):
                        header, body = self.fill(handler).split(" | ")
                        lines += [header, *["    " + part for part in body.split("; ")]]
                    if self.rng.random() < 0.25:
                        lines += ["finally:", self.fill('    record("finally #N")')]
                else:
                    self.number += 1
                    name, call = f"inner{self.number}", self.rng.choice(("await {0}()", "record('inner', await {0}())", "await asyncio.gather({0}(), work(7))"))
                    lines += [f"async def {name}():", *inner, "", call.format(name)]
        return lines

    def text(self):
        body = self.block(0)
        main = ["async def main():", *["    " + line if line else "" for line in body], '    record("end of main")']
        start = self.rng.choice(("asyncio.run(main())", 'if __name__ == "__main__":\n    asyncio.run(main())'))
        return "\n\n\n".join([HEAD.rstrip("\n"), *self.top, "\n".join(main), start]) + "\n"


# ---------------------------------------------------------------- running and comparing

ALLOWED = ("~", "+", "Cleaning up...")  # the last is what asyncfix writes where nothing is open
Outcome = collections.namedtuple("Outcome", "lines end sessions")
executions = 0


def run(text, limit):
    """What a program does."""
    global executions
    executions += 1
    with tempfile.TemporaryDirectory(prefix="programs-", ignore_cleanup_errors=True) as folder:
        pathlib.Path(folder, "driver.py").write_text(DRIVER)
        pathlib.Path(folder, "program.py").write_text(text)
        world = pathlib.Path(folder, "world")
        world.mkdir()
        try:
            done = subprocess.run([sys.executable, "-X", "utf8", "../driver.py", "../program.py"], cwd=world, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired as late:
            lines = (late.stdout or b"").decode(errors="replace").splitlines()
            return Outcome(collections.Counter(filter(None, lines)), "hang", 0)
    lines, _, end = done.stdout.rpartition("=END= ")
    if not end:
        return Outcome(collections.Counter(), f"no end, exit status {done.returncode}", 0)
    sessions, _, end = end.strip().partition(" ")
    return Outcome(collections.Counter(filter(None, lines.splitlines())), end.strip("'\""), int(sessions))


def difference(before, after):
    """The kind of fault between two outcomes, and what differs; None where the difference is allowed."""
    if after.end == "hang" != before.end:
        return "hang", f"before: {before.end}"
    lost = {line: n for line, n in (before.lines - after.lines).items() if not line.startswith("~")}
    new = {line: n for line, n in (after.lines - before.lines).items() if not line.startswith(ALLOWED)}
    if after.end != before.end and not ("+" in after.end and before.end == "fine"):
        return "exception", f"before: {before.end}; after: {after.end}"
    if (lost or new) and after.end == before.end:
        return "lines", f"lost: {list(lost)[:4]}; new: {list(new)[:4]}"
    if after.sessions > before.sessions:
        return "sessions", f"open before: {before.sessions}; after: {after.sessions}"
    return None


class Asyncfix:
    def __init__(self, binary, limit):
        self.binary, self.limit = os.path.abspath(binary), limit

    def rewrite(self, texts):
        """All texts (a dict by name) after a run, and after a second one, with complaints."""
        with tempfile.TemporaryDirectory(prefix="programs-") as folder:
            for name, text in texts.items():
                pathlib.Path(folder, name).write_text(text)
            rounds, complaints = [], []
            for _ in range(2):
                done = subprocess.run([self.binary, "--isolated", "-j", "1", "--write", "-q", "."], cwd=folder, capture_output=True, text=True, timeout=self.limit)
                if not 0 <= done.returncode <= 2 or "please report it" in done.stderr:
                    complaints.append(f"exit status {done.returncode}: {done.stderr.strip()[:400]}")
                rounds.append({name: pathlib.Path(folder, name).read_text() for name in texts})
        return rounds[0], rounds[1], complaints


def removed(text, limit, fails):
    """The program with fewer lines of `main` and fewer definitions, as long as `fails` says that the fault is still there."""
    end = time.monotonic() + limit
    lines, size = text.split("\n"), 16
    while size and time.monotonic() < end:
        at = len(HEAD.split("\n")) - 1
        progress = False
        while at < len(lines) and time.monotonic() < end:
            trial = lines[:at] + lines[at + size :]
            try:
                compile("\n".join(trial), "program.py", "exec")
                good = fails("\n".join(trial))
            except SyntaxError:
                good = False
            if good:
                lines, progress = trial, True
            else:
                at += size
        if not progress or size > 1:
            size //= 2
    return "\n".join(lines)


# ---------------------------------------------------------------- the program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asyncfix", required=True, metavar="BIN", help="the program to try")
    parser.add_argument("--count", type=int, default=300, help="programs to make (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="of the random generator (default: 1)")
    parser.add_argument("--keep", metavar="DIR", type=pathlib.Path, help="where faults are written")
    parser.add_argument("--record", metavar="FILE", type=pathlib.Path, help="write what was done and found as JSON")
    parser.add_argument("--limit", type=float, default=20, help="seconds that one run of a program may take (default: 20)")
    parser.add_argument("--most", type=int, default=2, help="faults of one cause to keep (default: 2)")
    parser.add_argument("--reduce", type=float, default=60, metavar="SECONDS", help="time to make one fault smaller (default: 60, 0: not at all)")
    options = parser.parse_args()

    tool = Asyncfix(options.asyncfix, 600)
    started, counts = time.monotonic(), collections.Counter()
    texts = {f"p{n:05}.py": Program(random.Random(f"{options.seed}/{n}")).text() for n in range(options.count)}
    fixed, again = {}, {}
    names = list(texts)
    for at in range(0, len(names), 200):
        some = {name: texts[name] for name in names[at : at + 200]}
        one, two, complaints = tool.rewrite(some)
        fixed.update(one)
        again.update(two)
        for complaint in complaints:
            counts["crash"] += 1
            print(f"crash: {complaint}", flush=True)
    changed, causes, tried, lines = 0, collections.Counter(), 0, 0

    def keep(name, kind, note, before, after):
        counts[kind] += 1
        print(f"{kind} in {name}: {note}", flush=True)
        if options.keep:
            place = options.keep / f"{kind}-{name[:-3]}"
            place.mkdir(parents=True, exist_ok=True)
            (place / "before.py").write_text(before)
            (place / "after.py").write_text(after)
            (place / "note.txt").write_text(f"{kind}: {note}\n")

    def same_fault(before, kind):
        after = tool.rewrite({"program.py": before})[0]["program.py"]
        found = difference(run(before, options.limit / 4), run(after, options.limit / 4)) if after != before else None
        return found is not None and found[0] == kind

    try:
        for name, before in texts.items():
            after = fixed[name]
            tried, lines = tried + 1, lines + before.count("\n")
            try:
                compile(before, name, "exec")
            except SyntaxError:  # `return` and `yield` met, say
                counts["not a program"] += 1
                continue
            if again[name] != after:
                keep(name, "stable", "a second run changes it", before, after)
            if after == before:
                continue
            changed += 1
            try:
                compile(after, name, "exec")
            except SyntaxError as error:
                keep(name, "syntax", str(error), before, after)
                continue
            one, two = run(before, options.limit), run(after, options.limit)
            if not (found := difference(one, two)):
                continue
            ones = [one] + [run(before, options.limit) for _ in range(3)]
            twos = [two] + [run(after, options.limit) for _ in range(3)]
            if not all(difference(x, y) for x in ones for y in twos):
                counts["only sometimes"] += 1
                continue
            kind, note = found
            cause = re.sub(r"\d+|(?<=lost: )\[.*?\](?=;)", "", f"{kind} {note}")
            causes[cause] += 1
            if causes[cause] > options.most:
                counts[kind] += 1
                continue
            if options.reduce:
                before = removed(before, options.reduce, lambda text, kind=kind: same_fault(text, kind))
                after = tool.rewrite({"program.py": before})[0]["program.py"]
            keep(name, kind, note, before, after)
    except KeyboardInterrupt:
        pass
    print(f"{tried} programs, {changed} changed, in {time.monotonic() - started:.0f} s (seed {options.seed})")
    for kind, number in counts.most_common():
        print(f"  {number:5} {kind}")
    for cause, number in causes.most_common():
        print(f"  {number:5} {cause[:150]}")
    faults = {kind: number for kind, number in counts.items() if kind not in ("not a program", "only sometimes")}
    if options.record:
        done = {"seed": options.seed, "programs": tried, "lines": lines, "rewritten": changed, "executions": executions, "sometimes": counts["only sometimes"], "faults": faults}
        options.record.write_text(json.dumps(done, indent=1) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
