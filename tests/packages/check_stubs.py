#!/usr/bin/env python3
"""Compare the fallback stubs with the packages they stand for.

    check_stubs.py --python ENV/bin/python      check against an environment that is there already
    check_stubs.py --install [--cache DIR]      make one from stubs.txt, then check against it
    --only PACKAGE...                           some top-level packages only

A stub that calls a plain function `async def` makes asyncfix await something that is no coroutine, so
every name in every `.pyi` file is looked up in the package itself:

- modules import; classes, functions, methods and attributes exist, and are of the same sort;
- a function is `async def` exactly where calling the real one gives a coroutine;
- an async generator returns an async iterator, and one under `@asynccontextmanager` a context manager;
- a class derives from the classes the stub says, and has the same context manager, iterator and await
  methods, inherited ones included;
- what is re-exported is the same object; no annotation names something the stub does not know;
- what is missing from a stub is Any: `__getattr__` stands at the end of every module and in every class.
"""

import argparse
import ast
import asyncio
import builtins
import contextlib
import importlib
import inspect
import os
import re
import subprocess
import sys
import textwrap
import typing
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STUBS = ROOT / "knowledge" / "data" / "stubs"
REQUIREMENTS = HERE / "stubs.txt"

# Distributions that are called differently from the package they hold.
DISTRIBUTIONS = {
    "aio_pika": ["aio-pika"],
    "discord": ["discord.py"],
    "fastapi": ["fastapi", "starlette", "httpx2", "python-multipart"],
    "langchain_core": ["langchain-core"],
    "nats": ["nats-py"],
    "psycopg": ["psycopg"],
    "psycopg_pool": ["psycopg", "psycopg-pool"],
    "starlette": ["starlette", "httpx2", "python-multipart"],
    "telegram": ["python-telegram-bot"],
}

# --- Exceptions -------------------------------------------------------------------------------------

# Plain defs that the stub calls `async def`, because each call of one gives a coroutine. Not taken on
# trust: every method concerned is called on a client that never connects, and must return a coroutine.
RETURNS_COROUTINE = {
    "redis.asyncio.client.Redis": (
        "commands are shared with the synchronous client: they return what `async def execute_command` returns",
        lambda cls: cls(),
    ),
    "redis.asyncio.cluster.RedisCluster": (
        "commands are shared with the synchronous client: they return what `async def execute_command` returns",
        lambda cls: cls(host="unused"),
    ),
}
# Arguments for commands that look at theirs before they send anything; the others get the text "1".
CALL_ARGUMENTS = {
    "client_kill": ("address:1",),
    "client_list": (),
    "georadius": ("key", 1, 1, 1, "m"),
    "geosearch": {"name": "key", "member": "a", "radius": 1, "unit": "m"},
    "geoadd": ("key", (1, 1, "place")),
    "hmset": ("key", {"a": 1}),
    "hset": ("key", "a", 1),
    "mset": ({"a": 1},),
    "msetnx": ({"a": 1},),
    "setrange": ("key", 1, "a"),
    "swapdb": (0, 1),
    "xadd": ("key", {"a": 1}),
    "xclaim": ("key", "group", "consumer", 1, ["1-1"]),
    "xautoclaim": ("key", "group", "consumer", 1),
    "xpending_range": ("key", "group", "-", "+", 1),
    "xread": ({"key": "1-1"},),
    "xreadgroup": ("group", "consumer", {"key": "1-1"}),
    "xtrim": ("key", 1),
    "zadd": ("key", {"a": 1}),
    "zdiff": (["a", "b"],),
    "zinter": (["a", "b"],),
    "zmscore": ("key", ["a"]),
    "zunion": (["a", "b"],),
    "zinterstore": ("to", ["a", "b"]),
    "zunionstore": ("to", ["a", "b"]),
    "bitpos": ("key", 1),
    "blmove": ("a", "b", 1),
    "eval": ("return 1", 0),
    "evalsha": ("1", 0),
    "getex": ("key",),
    "script_exists": ("1",),
}

# Methods that exist only to raise an error which tells people to write something else. The stub leaves them
# out, or `with` and `for` would look right. The check sees for itself that the body does nothing but raise.
ONLY_RAISES = {
    "aiohttp.ClientSession": ["__enter__", "__exit__"],
    "aiomysql.Pool": ["__enter__", "__exit__"],
    "motor.motor_asyncio.AsyncIOMotorChangeStream": ["__enter__", "__exit__"],
    "motor.motor_asyncio.AsyncIOMotorClientSession": ["__enter__", "__exit__"],
}

# Plain wrappers that look like the coroutine function inside, but give an object of their own: it can be awaited
# and entered. The check sees that the wrapper is plain, and that the class the stub returns has both.
AWAITABLE_MANAGERS = {
    f"aiosqlite.Connection.{name}": "aiosqlite's own `contextmanager` decorator returns an aiosqlite.context.Result"
    for name in ("cursor", "execute", "execute_fetchall", "execute_insert", "executemany", "executescript")
}

# ----------------------------------------------------------------------------------------------------

PROTOCOL = (
    "__enter__", "__exit__", "__aenter__", "__aexit__", "__iter__", "__next__", "__aiter__", "__anext__", "__await__",
)
ANYTHING = "def __getattr__(name: str) -> Any: ..."


class Stubs:
    """The parsed stub files, and where a name in one of them leads."""

    def __init__(self, folder):
        self.folder = folder
        self.files, self.trees, self.names = {}, {}, {}
        for path in sorted(folder.rglob("*.pyi")):
            parts = path.relative_to(folder).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.files[module] = path
            self.trees[module] = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for module, tree in self.trees.items():
            names = self.names[module] = {}
            for node in tree.body:
                if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    names[node.name] = node
                elif isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        names[alias.asname or alias.name] = (self.source(module, node), alias.name)
                elif isinstance(node, ast.Assign):
                    for target in node.targets:
                        names[target.id] = node.value
                elif isinstance(node, ast.AnnAssign):
                    names[node.target.id] = node

    def source(self, module, node):
        if not node.level:
            return node.module
        package = module if self.files[module].name == "__init__.pyi" else module.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        return f"{package}.{node.module}" if node.module else package

    def find(self, module, name):
        """The module and class definition that a name stands for, or None if it is from elsewhere."""
        for _ in range(10):
            found = self.names.get(module, {}).get(name)
            if isinstance(found, tuple):
                module, name = found
            elif isinstance(found, ast.Name):
                name = found.id
            else:
                return (module, found) if isinstance(found, ast.ClassDef) else None
        return None

    def bases(self, module, node):
        """Each base class as (its name, its stub or None, its class outside the stubs or None)."""
        for base in node.bases:
            name = base.value.id if isinstance(base, ast.Subscript) else base.id
            if name in ("Generic", "Protocol"):
                continue
            stub = self.find(module, name)
            source = self.names[module].get(name)
            outside = None
            if stub is None and isinstance(source, tuple):
                outside = getattr(importlib.import_module(source[0]), source[1], None)
            elif stub is None and source is None:
                outside = getattr(builtins, name, None)
            yield name, stub, outside

    def methods(self, module, node):
        """Names of the class's methods, those of its bases included."""
        names = {item.name for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))}
        for _, stub, outside in self.bases(module, node):
            if stub:
                names |= self.methods(*stub)
            elif outside is not None:
                names |= {name for name in PROTOCOL if hasattr(outside, name)}
        return names


class Check:
    def __init__(self, stubs):
        self.stubs = stubs
        self.passed, self.failed = 0, 0
        self.clients = {}
        self.used = set()

    def at(self, module, node):
        self.place = f"{os.path.relpath(self.stubs.files[module], ROOT)}:{getattr(node, 'lineno', 1)}"

    def good(self):
        self.passed += 1

    def bad(self, what, stub, package):
        self.failed += 1
        print(f"{self.place}: {what}: the stub says {stub}, the package says {package}")

    def expect(self, holds, what, stub, package):
        if holds:
            self.good()
        else:
            self.bad(what, stub, package)

    # modules

    def module(self, name):
        tree = self.stubs.trees[name]
        self.at(name, tree)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                real = importlib.import_module(name)
        except Exception as error:
            self.bad(name, "a module", f"it does not import ({error!r})")
            return
        self.good()
        for node in tree.body:
            self.at(name, node)
            if isinstance(node, ast.ClassDef):
                self.class_(name, real, node)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if node.name != "__getattr__":
                    self.module_function(name, real, node)
            elif isinstance(node, ast.ImportFrom):
                self.import_(name, real, node)
            elif isinstance(node, ast.Assign):
                self.assignment(name, real, node)
            elif is_private_alias(node):
                self.good()
            else:
                self.bad(name, ast.unparse(node), "that a stub needs no such statement")
        self.at(name, tree.body[-1])
        self.expect(ast.unparse(tree.body[-1]) == ANYTHING.replace(": ...", ":\n    ..."), name,
                    "something else at its end", f"`{ANYTHING}` must stand there")
        self.annotations(name, tree)

    def import_(self, name, real, node):
        source = self.stubs.source(name, node)
        for alias in node.names:
            if source.split(".")[0] in (*sys.stdlib_module_names, "typing_extensions"):
                continue
            if source in self.stubs.names and alias.name in self.stubs.names[source]:
                self.good()
            elif f"{source}.{alias.name}" in self.stubs.files:
                self.good()
            else:
                self.bad(name, f"{source} has {alias.name}", "there is no such name in that stub")
                continue
            if alias.asname is None or alias.asname.startswith("_"):
                continue  # for this stub's own use
            here = getattr(real, alias.asname, None)
            try:
                there = getattr(importlib.import_module(source), alias.name, None)
                if there is None:
                    there = importlib.import_module(f"{source}.{alias.name}")
            except ImportError:
                there = None
            self.expect(here is not None and here is there, f"{name}.{alias.asname}",
                        f"it is {source}.{alias.name}", f"it is {here!r}")

    def assignment(self, name, real, node):
        target = node.targets[0].id
        if isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "TypeVar":
            self.expect(target.startswith("_"), f"{name}.{target}", "a public type variable", "it must be private")
            return
        here, there = getattr(real, target, None), getattr(real, node.value.id, None)
        self.expect(here is not None and here is there, f"{name}.{target}", f"the same as {node.value.id}", repr(here))

    def annotations(self, name, tree):
        known = set(self.stubs.names[name]) | set(dir(builtins))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                # Inside a class with a method `list`, the annotation `list[int]` means that method.
                own = {getattr(item, "name", None) or item.target.id for item in node.body
                       if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef, ast.AnnAssign))}
                for item in node.body:
                    spot = item.returns if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) else (
                        item.annotation if isinstance(item, ast.AnnAssign) else None)
                    for part in ast.walk(spot) if spot else ():
                        if isinstance(part, ast.Name) and part.id in own:
                            self.at(name, part)
                            self.bad(f"{name}.{node.name}", f"something about {part.id}",
                                     "the class has that name itself")
        for node in ast.walk(tree):
            spots = []
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                every = node.args
                every = (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg)
                spots = [node.returns, *(argument.annotation for argument in every if argument)]
            elif isinstance(node, ast.AnnAssign):
                spots = [node.annotation, node.value]
            elif isinstance(node, ast.ClassDef):
                spots = node.bases
            for spot in filter(None, spots):
                for part in ast.walk(spot):
                    if isinstance(part, ast.Name) and part.id not in known:
                        self.at(name, part)
                        self.bad(name, f"something about {part.id}", "the stub does not define that name")

    def module_function(self, name, real, node):
        what = f"{name}.{node.name}"
        found = getattr(real, node.name, None)
        if found is None:
            self.bad(what, "a function", "there is no such name")
        elif inspect.isclass(found):
            self.bad(what, "a function", "a class")
        elif not callable(found):
            self.bad(what, "a function", f"a {type(found).__name__}")
        else:
            self.function(what, node, found, None)

    # functions

    def function(self, what, node, found, cls):
        """Compare one function or method; `found` is bare: no classmethod or staticmethod around it."""
        stub_async = isinstance(node, ast.AsyncFunctionDef)
        real_async = gives_coroutine(found)
        if stub_async and not real_async and cls in RETURNS_COROUTINE:
            self.used.add(cls)
            self.expect(self.call_gives_coroutine(cls, node.name), what, "async def", "a call gives no coroutine")
            return
        if what in AWAITABLE_MANAGERS:
            self.used.add(what)
            self.expect(not stub_async and not inspect.iscoroutinefunction(found) and self.is_manager(node), what,
                        "something else", "it gives an object to await or to enter")
            return
        if stub_async != real_async:
            self.bad(what, "async def" if stub_async else "def", "async def" if real_async else "def")
            return
        returns = ast.unparse(node.returns) if node.returns else ""
        try:
            inner = inspect.unwrap(found)
        except ValueError:
            inner = found
        if inspect.isasyncgenfunction(found):
            fits, want = re.match(r"(AsyncGenerator|AsyncIterator|AsyncIterable)\b", returns), "an async generator"
        elif inspect.isasyncgenfunction(inner):
            fits, want = self.is_manager(node), "an async context manager"
        elif not real_async and inspect.isgeneratorfunction(inner) and not inspect.isgeneratorfunction(found):
            fits, want = re.match(r"AbstractContextManager\b", returns), "a context manager"
        else:
            self.good()
            return
        self.expect(fits, what, f"it returns {returns}", f"it is {want}")

    def is_manager(self, node):
        returns = node.returns
        name = returns.value.id if isinstance(returns, ast.Subscript) else getattr(returns, "id", "")
        if name == "AbstractAsyncContextManager":
            return True
        found = self.stubs.find(self.current, name)
        return bool(found) and {"__aenter__", "__aexit__"} <= self.stubs.methods(*found)

    def call_gives_coroutine(self, cls, name):
        async def call():
            if cls not in self.clients:
                module, _, leaf = cls.rpartition(".")
                self.clients[cls] = RETURNS_COROUTINE[cls][1](getattr(importlib.import_module(module), leaf))
            method = getattr(self.clients[cls], name)
            arguments = CALL_ARGUMENTS.get(name)
            if arguments is None:
                arguments = ["1" for p in inspect.signature(method).parameters.values()
                             if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
                arguments = arguments or ["1" for p in inspect.signature(method).parameters.values()
                                          if p.kind is p.VAR_POSITIONAL]
            try:
                result = method(**arguments) if isinstance(arguments, dict) else method(*arguments)
            except Exception as error:
                print(f"{self.place}: calling {name} raised {error!r}", file=sys.stderr)
                return False
            if inspect.iscoroutine(result):
                result.close()
                return True
            return False

        return self.loop().run_until_complete(call())

    def loop(self):
        if not hasattr(self, "_loop"):
            self._loop = asyncio.new_event_loop()
        return self._loop

    # classes

    def class_(self, name, real, node):
        self.current = name
        what = f"{name}.{node.name}"
        found = real_class(name, node.name)
        if not inspect.isclass(found):
            self.bad(what, "a class", "there is no such name" if found is None else f"a {type(found).__name__}")
            return
        self.good()
        for base, stub, outside in self.stubs.bases(name, node):
            base_real = real_class(stub[0], stub[1].name) if stub else outside
            self.expect(base_real in found.__mro__, what, f"it derives from {base}",
                        "it derives from " + ", ".join(b.__name__ for b in found.__mro__[1:]))
        self.protocol(name, what, node, found)
        for item in node.body:
            self.at(name, item)
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if item.name not in ("__init__", "__getattr__", *PROTOCOL):
                    self.method(what, item, found)
                elif item.name in PROTOCOL:
                    self.protocol_method(what, item, found)
            elif isinstance(item, ast.AnnAssign):
                self.expect(is_attribute(found, item.target.id), f"{what}.{item.target.id}", "an attribute",
                            "there is no such attribute")
            elif not isinstance(item, ast.Pass) and ast.unparse(item) != "...":
                self.bad(what, ast.unparse(item), "that a stub needs no such statement")
        self.at(name, node)
        self.inherited(name, what, node, found)
        missing = self.missing(name, node)
        if missing is None:
            self.bad(what, "no __getattr__", "a class needs one, so that what is missing is Any")
        elif missing != "Any":
            # A database gives a collection for a name it does not know: then it must know all its own names.
            own = {n for n in dir(found) if not n.startswith("_")}
            left = own - {getattr(item, "name", "") or item.target.id for item in node.body
                          if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef, ast.AnnAssign))}
            self.expect(not left, what, f"any other name is {missing}", f"there are also {', '.join(sorted(left))}")
        else:
            self.good()

    def inherited(self, name, what, node, found):
        """A subclass in the package may override as a plain def what its base has as `async def`."""
        own = {getattr(item, "name", "") for item in node.body}
        seen, bases = set(own), [stub for _, stub, _ in self.stubs.bases(name, node) if stub]
        while bases:
            module, base = bases.pop(0)
            base_real = real_class(module, base.name)
            for item in base.body:
                if not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) or item.name in seen:
                    continue
                seen.add(item.name)
                there = inspect.getattr_static(base_real, item.name, None)
                if item.name in ("__init__", "__getattr__") or inspect.getattr_static(found, item.name, None) is there:
                    continue
                if item.name in PROTOCOL:
                    self.protocol_method(what, item, found)
                else:
                    self.method(what, item, found)
            bases += [stub for _, stub, _ in self.stubs.bases(module, base) if stub]

    def missing(self, module, node):
        """What the class's `__getattr__` returns, its bases' included."""
        for item in node.body:
            if getattr(item, "name", "") == "__getattr__":
                return ast.unparse(item.returns)
        for _, stub, _ in self.stubs.bases(module, node):
            if stub and (missing := self.missing(*stub)):
                return missing
        return None

    def protocol(self, name, what, node, found):
        listed = self.stubs.methods(name, node)
        for method in PROTOCOL:
            exists = has_method(found, method)
            if method in ONLY_RAISES.get(what, ()):
                self.used.add(what)
                self.expect(method not in listed and only_raises(found, method), f"{what}.{method}",
                            "that it is left out, as it only raises", "something else")
            elif exists or method in listed:
                self.expect(exists == (method in listed), f"{what}.{method}",
                            "there is one" if method in listed else "there is none",
                            "there is one" if exists else "there is none")

    def protocol_method(self, what, node, found):
        real = inspect.getattr_static(found, node.name, None)
        if real is None:
            return  # said above
        stub_async, real_async = isinstance(node, ast.AsyncFunctionDef), gives_coroutine(real)
        self.expect(stub_async == real_async, f"{what}.{node.name}", "async def" if stub_async else "def",
                    "async def" if real_async else "def")

    def method(self, what, node, found):
        where = f"{what}.{node.name}"
        missing = object()
        real = inspect.getattr_static(found, node.name, missing)
        decorators = {ast.unparse(d) for d in node.decorator_list}
        if "property" in decorators:
            self.expect(is_attribute(found, node.name), where, "a property", "none")
            return
        if real is missing:
            self.bad(where, "a method", "there is no such name")
            return
        sort = type(real).__name__ if isinstance(real, (classmethod, staticmethod)) else ""
        said = (decorators & {"classmethod", "staticmethod"} or {""}).pop()
        if node.name == "__new__":
            said = "staticmethod"  # without saying so (Python documentation, "Basic customization")
        if sort != said and not (inspect.ismethod(real) and said == "classmethod"):
            self.bad(where, said or "a method of instances", sort or "a method of instances")
            return
        bare = real.__func__ if sort else real
        if isinstance(bare, property) or not callable(bare) and not hasattr(bare, "__get__"):
            self.bad(where, "a method", f"a {type(bare).__name__}")
            return
        if not callable(bare):
            bare = getattr(found, node.name)
        self.function(where, node, bare, what)


def real_class(module, name):
    """The class itself, also where the package has only `Class[int]` under that name; None if there is none."""
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    return typing.get_origin(found) or found


def gives_coroutine(function):
    """Whether any layer of a function and its wrappers is a coroutine function.

    An outer `async def` around a plain function makes a coroutine; a plain wrapper that checks its arguments
    hands on the coroutine of the `async def` inside.
    """
    function = getattr(function, "__func__", function)
    seen = 0
    while function is not None and seen < 50:
        if inspect.iscoroutinefunction(function):
            return True
        function, seen = getattr(function, "__wrapped__", None), seen + 1
    return False


def is_private_alias(node):
    return isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias" and node.target.id[0] == "_"


def has_method(cls, name):
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name] is not None
    return False


def only_raises(cls, name):
    """Whether the body of a method is one `raise`, or nothing at all next to a partner that raises."""
    try:
        source = textwrap.dedent(inspect.getsource(inspect.getattr_static(cls, name)))
    except (OSError, TypeError):
        return False
    body = ast.parse(source).body[0].body
    body = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if body and isinstance(body[0], ast.Raise):
        return True
    return name == "__exit__" and not [s for s in body if not isinstance(s, ast.Pass)]


def is_attribute(cls, name):
    """Whether instances have an attribute that is no method: described, annotated, or assigned to `self`."""
    for base in cls.__mro__:
        if name in vars(base):
            value = vars(base)[name]
            return not isinstance(value, (classmethod, staticmethod)) and not inspect.isfunction(value)
        slots = vars(base).get("__slots__", ())
        if name in getattr(base, "__annotations__", {}) or name in ([slots] if isinstance(slots, str) else slots):
            return True
        if name in getattr(base, "model_fields", {}):
            return True
    for base in cls.__mro__:
        for function in filter(inspect.isfunction, vars(base).values()):
            try:
                source = inspect.getsource(function)
            except (OSError, TypeError):
                continue
            if re.search(rf"\bself\.{name}\b[^=\n]*=[^=]", source):
                return True
    return False


def work(folder, only):
    warnings.simplefilter("ignore")
    stubs = Stubs(folder)
    check = Check(stubs)
    for module in stubs.files:
        if not only or module.split(".")[0] in only:
            check.current = module
            check.module(module)
    for table in (RETURNS_COROUTINE, ONLY_RAISES, AWAITABLE_MANAGERS):
        for entry in table:
            if entry not in check.used and (not only or entry.split(".")[0] in only):
                check.place = os.path.relpath(__file__, ROOT)
                check.bad(entry, "it is an exception", "it needs none")
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


def requirements(only):
    lines = [line.strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not only:
        return lines
    wanted = {name for package in only for name in DISTRIBUTIONS.get(package, [package])}
    return [line for line in lines if re.split(r"[\[=]", line)[0] in wanted]


def install(cache, only):
    python = cache / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(cache)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements(only)], check=True)
    return python


def main():
    parser = argparse.ArgumentParser(description="Compare the fallback stubs with the packages they stand for.")
    parser.add_argument("--python", type=Path, help="the Python of an environment that holds the packages")
    parser.add_argument("--install", action="store_true", help="make an environment from stubs.txt")
    parser.add_argument("--cache", type=Path, default=ROOT / "target" / "stubs-venv", help="where --install makes it")
    parser.add_argument("--only", nargs="+", default=[], metavar="PACKAGE", help="top-level packages to check")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    packages = {path.name for path in STUBS.iterdir() if path.is_dir()}
    if unknown := set(arguments.only) - packages:
        parser.error(f"no stubs for {', '.join(sorted(unknown))}; there are {', '.join(sorted(packages))}")
    if arguments.worker:
        return work(STUBS, arguments.only)
    if arguments.install == bool(arguments.python):
        parser.error("say either --python PATH or --install")
    python = install(arguments.cache, arguments.only) if arguments.install else arguments.python
    command = [str(python), str(Path(__file__).resolve()), "--worker"]
    if arguments.only:
        command += ["--only", *arguments.only]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
