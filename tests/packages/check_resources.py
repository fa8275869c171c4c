#!/usr/bin/env python3
"""Compare resources.toml, the table AF601 reads, with the packages it speaks of.

    check_resources.py --python ENV/bin/python      check against an environment that is there already
    check_resources.py --install [--cache DIR]      make one from stubs.txt and resources.txt, then check against it
    --only PACKAGE...                               rows of some top-level packages only

A row that is wrong makes asyncfix close something too early, twice, or in another way than the program did, so
every row is looked up in the package itself:

- the class and every path that makes one import, and give that class;
- the opening call gives a coroutine, or something that can be awaited, exactly where the row says it is awaited;
- what `async with` is told to take has `__aenter__` and `__aexit__`; what needs try/finally has neither, nor `aclose`;
- each close, `then` and `setup` exists, and is a coroutine function exactly where it is awaited;
- entering is `return self` and leaving is the close alone, which the source shows. Where they do anything else, somebody
  has to have read them: READ pins what was read, and a release that changes it fails here;
- entering an object that is made without an `await` gives it and does nothing else, unless the row says in `enters` which
  of its methods do the same, or QUIET says why nobody can tell;
- no row is skipped: one that cannot be checked is wrong.
"""

import argparse
import ast
import contextlib
import hashlib
import importlib
import inspect
import os
import re
import subprocess
import sys
import textwrap
import tomllib
import types
import typing
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TABLE = ROOT / "knowledge" / "data" / "resources.toml"
REQUIREMENTS = [HERE / "stubs.txt", HERE / "resources.txt"]

KEYS = {
    "class": str, "open": list, "method": list, "tuple": int, "idle_with": dict, "awaited": (bool, str), "form": str, "close": list,
    "close_awaited": (bool, str), "owner_closes": bool, "then": str, "setup": str, "enters": list, "opened_by": list, "entered_as": list, "exit": str,
    "late": bool, "holds": bool,
    "unclosed": str, "note": str,
}
REQUIRED = ("class", "awaited", "form", "close", "close_awaited", "exit")
VALUES = {
    "form": ("call", "awaited", "receiver", "aclosing", "none"), "exit": ("closes", "more"), "unclosed": ("fine",),
    "awaited": (True, False, "either"), "close_awaited": (True, False, "either"),
    "late": (True,), "owner_closes": (True,), "holds": (True,),
}

# --- What introspection does not show ---------------------------------------------------------------

# The class that stands behind an abstract one, or behind one whose methods are only declared.
CONCRETE = {
    "aio_pika.abc.AbstractChannel": "aio_pika.Channel",
    "aio_pika.abc.AbstractConnection": "aio_pika.Connection",
    "aio_pika.abc.AbstractRobustChannel": "aio_pika.RobustChannel",
    "aio_pika.abc.AbstractRobustConnection": "aio_pika.RobustConnection",
    "grpc.aio.Channel": "grpc.aio._channel.Channel",
}
# What a function gives, where neither its source nor its annotation names the class.
GIVES = {
    "asyncio.AbstractEventLoop.create_server": "asyncio.Server",
    "asyncio.AbstractEventLoop.create_unix_server": "asyncio.Server",
    "asyncio.start_server": "asyncio.Server",
    "asyncio.start_unix_server": "asyncio.Server",
    "asyncio.streams.start_server": "asyncio.Server",
    "asyncio.streams.start_unix_server": "asyncio.Server",
    "asyncpg.connect": "asyncpg.Connection",
    "asyncpg.connection.connect": "asyncpg.Connection",
    "anyio.connect_tcp": "anyio.abc.SocketStream",
    "motor.motor_asyncio.AsyncIOMotorClient.start_session": "motor.motor_asyncio.AsyncIOMotorClientSession",
    "psycopg.AsyncConnection.cursor": "psycopg.AsyncCursor",
    "psycopg.connection_async.AsyncConnection.cursor": "psycopg.AsyncCursor",
    "redis.asyncio.from_url": "redis.asyncio.Redis",
    "redis.asyncio.utils.from_url": "redis.asyncio.Redis",
    "sqlalchemy.ext.asyncio.async_sessionmaker.__call__": "sqlalchemy.ext.asyncio.AsyncSession",
    "sqlalchemy.ext.asyncio.session.async_sessionmaker.__call__": "sqlalchemy.ext.asyncio.AsyncSession",
}
# What awaiting it comes to, where no annotation says so.
AWAITED = {
    "aiofiles.open": "aiofiles.base.AsyncBase",
    "aiofiles.tempfile.NamedTemporaryFile": "aiofiles.base.AsyncBase",
    "aiofiles.tempfile.SpooledTemporaryFile": "aiofiles.base.AsyncBase",
    "aiofiles.tempfile.TemporaryDirectory": "aiofiles.tempfile.temptypes.AsyncTemporaryDirectory",
    "aiofiles.tempfile.TemporaryFile": "aiofiles.base.AsyncBase",
    "aiofiles.threadpool.open": "aiofiles.base.AsyncBase",
    "aiohttp.ClientSession.ws_connect": "aiohttp.ClientWebSocketResponse",
    "aiohttp.client.ClientSession.ws_connect": "aiohttp.ClientWebSocketResponse",
    "aiomysql.Connection.cursor": "aiomysql.Cursor",
    "aiomysql.Pool.acquire": "aiomysql.Connection",
    "aiomysql.connect": "aiomysql.Connection",
    "aiomysql.connection.Connection.cursor": "aiomysql.Cursor",
    "aiomysql.connection.connect": "aiomysql.Connection",
    "aiomysql.create_pool": "aiomysql.Pool",
    "aiomysql.pool.Pool.acquire": "aiomysql.Connection",
    "aiomysql.pool.create_pool": "aiomysql.Pool",
    "asyncmy.Pool.acquire": "asyncmy.Connection",
    "asyncmy.connect": "asyncmy.Connection",
    "asyncmy.connection.connect": "asyncmy.Connection",
    "asyncmy.create_pool": "asyncmy.Pool",
    "asyncmy.pool.Pool.acquire": "asyncmy.Connection",
    "asyncmy.pool.create_pool": "asyncmy.Pool",
    "asyncpg.Pool.acquire": "asyncpg.pool.PoolConnectionProxy",
    "asyncpg.pool.Pool.acquire": "asyncpg.pool.PoolConnectionProxy",
}
# The class of an attribute that a close goes through.
ATTRIBUTES = {"aiogram.Bot.session": "aiogram.client.session.base.BaseSession"}
# Methods behind a property.
DELEGATES = {"motor.motor_asyncio.AsyncIOMotorClient.close": "pymongo.MongoClient.close"}
# Plain functions that return something awaitable, though their source does not show it, or not plainly.
EITHER = {
    "telethon.client.telegramclient.TelegramClient.start": "gives the coroutine of _start while the loop runs",
}
# Enters and exits that are more than `return self` and the close: a digest of their source, whether `async with x:` works
# on the object that is open already, and what was found.
READ = {
    "aio_pika.channel.Channel": (
        "74f6bc81cc", True, "opens the channel unless it is open; close ignores the exception it is given",
    ),
    "aio_pika.pool.Pool": (
        "12014e6b0e", True, "closes in a task of its own, unless closed",
    ),
    "aio_pika.robust_channel.RobustChannel": (
        "74f6bc81cc", True, "opens the channel unless it is open; close ignores the exception it is given",
    ),
    "aiofiles.base.AiofilesContextManager": (
        "5c40605ca6", False, "opens, and calls __exit__ of the file in a thread, which closes",
    ),
    "aiofiles.tempfile.AiofilesContextManagerTempDir": (
        "87cfdc5801", False, "gives the name; __exit__ of the directory is cleanup",
    ),
    "aiogram.client.session.aiohttp.AiohttpSession": (
        "bba192bf57", True, "makes the session, as the first request does otherwise",
    ),
    "aiohttp.client._BaseRequestContextManager": (
        "9a75f41748", False, "awaits the request; leaves the response or web socket",
    ),
    "aiohttp.test_utils.TestClient": (
        "51dce717ec", True, "starts the server unless it runs",
    ),
    "aiohttp.test_utils.TestServer": (
        "367d92a3fd", True, "starts the server unless it runs",
    ),
    "aiomysql.connection.Connection": (
        "db57879068", True, "ensure_closed, or close on an exception",
    ),
    "aiomysql.utils._ConnectionContextManager": (
        "957b1999c1", True, "ensure_closed, or close on an exception",
    ),
    "aiomysql.utils._ContextManager": (
        "6087374ae1", False, "closes",
    ),
    "aiomysql.utils._PoolAcquireContextManager": (
        "6b64f9b5b4", False, "releases",
    ),
    "aiomysql.utils._PoolContextManager": (
        "7c174bd7fc", False, "close and wait_closed",
    ),
    "aiopg.connection.Cursor": (
        "2924c914fd", True, "closes",
    ),
    "aiopg.utils._ContextManager": (
        "001ed10180", False, "calls what it was made with, by exception too: disconnect, _destroy_pool, release, _close_cursor",
    ),
    "aiosmtplib.smtp.SMTP": (
        "0d78680394", True, "connects unless connected; QUIT, some errors of it swallowed, and close",
    ),
    "aiosqlite.context.Result": (
        "66ade20b78", False, "closes a cursor",
    ),
    "aiosqlite.core.Connection": (
        "022e7715ff", False, "awaiting it starts its thread, which can be done once",
    ),
    "anyio.streams.memory.MemoryObjectReceiveStream": (
        "e39dd56c24", True, "aclose, which is close",
    ),
    "anyio.streams.memory.MemoryObjectSendStream": (
        "e39dd56c24", True, "aclose, which is close",
    ),
    "asyncmy.connection.Connection": (
        "db57879068", True, "ensure_closed, or close on an exception",
    ),
    "asyncmy.contexts._ConnectionContextManager": (
        "957b1999c1", True, "ensure_closed, or close on an exception",
    ),
    "asyncmy.contexts._PoolContextManager": (
        "7c174bd7fc", False, "close and wait_closed",
    ),
    "asyncmy.cursors.Cursor": (
        "3307f535ec", True, "closes, or lets go of the connection where there is nothing left to read",
    ),
    "asyncmy.pool._PoolAcquireContext": (
        "a29b3f7a68", False, "plain functions that return something awaitable; releases",
    ),
    "asyncpg.pool.Pool": (
        "59b05bd4a7", True, "makes the first connections unless they are there",
    ),
    "asyncpg.pool.PoolAcquireContext": (
        "7725e02a08", False, "acquires and releases",
    ),
    "asyncssh.connection.SSHClientConnection": (
        "9890213709", True, "close, unless the loop is closed, and wait_closed",
    ),
    "asyncssh.misc._ACMWrapper": (
        "68633f94a3", False, "awaits the coroutine, and leaves what it gave",
    ),
    "azure.identity.aio._credentials.client_secret.ClientSecretCredential": (
        "dfafc9c4c3", True, "enters the client inside, which opens its transport, as the first request does",
    ),
    "azure.identity.aio._credentials.managed_identity.ManagedIdentityCredential": (
        "ba9e8ad7e5", True, "enters the client inside, which opens its transport, as the first request does",
    ),
    "azure.servicebus.aio._servicebus_client_async.ServiceBusClient": (
        "073f9e3723", True, "connects where the connection is shared, as the first sender does",
    ),
    "azure.servicebus.aio._servicebus_receiver_async.ServiceBusReceiver": (
        "7ea0a9be38", True, "opens the link, as the first message does",
    ),
    "azure.servicebus.aio._servicebus_sender_async.ServiceBusSender": (
        "7ea0a9be38", True, "opens the link, as the first message does",
    ),
    "azure.storage.blob.aio._blob_client_async.BlobClient": (
        "208400f02b", True, "enters and leaves the client inside; its close is its __aexit__",
    ),
    "azure.storage.blob.aio._blob_service_client_async.BlobServiceClient": (
        "208400f02b", True, "enters and leaves the client inside; its close is its __aexit__",
    ),
    "azure.storage.blob.aio._container_client_async.ContainerClient": (
        "208400f02b", True, "enters and leaves the client inside; its close is its __aexit__",
    ),
    "clickhouse_connect.driver.asyncclient.AsyncClient": (
        "2d81169eec", True, "initializes unless the factory did",
    ),
    "contextlib.AsyncExitStack": (
        "d034781017", True, "aclose leaves without the exception",
    ),
    "databases.core.Database": (
        "a2fe542fa6", True, "connects unless connected",
    ),
    "discord.client.Client": (
        "8016d41947", False, "sets the loop and a new ready event; closes unless closed",
    ),
    "discord.ext.commands.bot.AutoShardedBot": (
        "8016d41947", False, "sets the loop and a new ready event; closes unless closed",
    ),
    "discord.ext.commands.bot.Bot": (
        "8016d41947", False, "sets the loop and a new ready event; closes unless closed",
    ),
    "discord.shard.AutoShardedClient": (
        "8016d41947", False, "sets the loop and a new ready event; closes unless closed",
    ),
    "edgedb.asyncio_client.AsyncIOClient": (
        "740de75460", True, "connects unless connected",
    ),
    "elasticsearch.AsyncElasticsearch": (
        "a24d5eae8f", True, "starts sniffing where that is on, as the first request does",
    ),
    "gel.asyncio_client.AsyncIOClient": (
        "740de75460", True, "connects unless connected",
    ),
    "gridfs.asynchronous.grid_file.AsyncGridIn": (
        "d81926a1ab", True, "close without an exception, else only marked as closed",
    ),
    "grpc.aio._channel.Channel": (
        "047d7d4a7a", True, "close without a grace period",
    ),
    "httpx.AsyncClient": (
        "8f264218bf", False, "raises where the client has been used; enters and leaves transports, which close",
    ),
    "httpx.AsyncHTTPTransport": (
        "e2e25788cc", True, "enters and leaves the pool, which closes it",
    ),
    "httpx2.AsyncClient": (
        "8f264218bf", False, "raises where the client has been used; enters and leaves transports, which close",
    ),
    "httpx2.AsyncHTTPTransport": (
        "e2e25788cc", True, "enters and leaves the pool, which closes it",
    ),
    "motor.motor_asyncio.AsyncIOMotorClientSession": (
        "89e14dea42", True, "leaves the session inside, which ends it",
    ),
    "nats.aio.client.Client": (
        "6b2c7c05b3", True, "_close with the arguments that close gives it",
    ),
    "neo4j._async.work.session.AsyncSession": (
        "6fb57a15a2", True, "drops the connection on cancellation, else closes",
    ),
    "opensearchpy._async.client.AsyncOpenSearch": (
        "449eaf0c64", True, "starts sniffing where that is on, as the first request does",
    ),
    "playwright.async_api._context_manager.PlaywrightContextManager": (
        "fa95793315", False, "start is __aenter__, and puts __aexit__ in the place of stop",
    ),
    "psycopg.AsyncConnection": (
        "b932b88c95", True, "commits or rolls back, then closes",
    ),
    "psycopg_pool.null_pool_async.AsyncNullConnectionPool": (
        "31d7d7f1cd", True, "opens unless open",
    ),
    "psycopg_pool.pool_async.AsyncConnectionPool": (
        "31d7d7f1cd", True, "opens unless open",
    ),
    "pymongo.asynchronous.client_session.AsyncClientSession": (
        "069dac876c", True, "what end_session does",
    ),
    "redis.asyncio.client.Redis": (
        "7e3be7cb93", True, "counts who is inside; the last one closes, shielded",
    ),
    "redis.asyncio.cluster.ClusterPipeline": (
        "236acf3d88", True, "initializes the cluster; resets",
    ),
    "redis.asyncio.cluster.RedisCluster": (
        "7e3be7cb93", True, "counts who is inside; the last one closes, shielded",
    ),
    "redis.asyncio.connection.BlockingConnectionPool": (
        "e39dd56c24", True, "aclose, which is a hook and disconnect",
    ),
    "redis.asyncio.connection.ConnectionPool": (
        "e39dd56c24", True, "aclose, which is a hook and disconnect",
    ),
    "sqlalchemy.ext.asyncio.engine.AsyncConnection": (
        "20547ab823", False, "starts, which raises where it has started; closes to the end even if cancelled",
    ),
    "sqlalchemy.ext.asyncio.session.AsyncSession": (
        "eb6ac19dbe", True, "closes to the end even if cancelled",
    ),
    "telegram._bot.Bot": (
        "d1203c6b42", True, "initializes unless initialized; shuts down also where that fails",
    ),
    "telegram.ext._application.Application": (
        "d1203c6b42", True, "initializes unless initialized; shuts down also where that fails",
    ),
    "telegram.ext._extbot.ExtBot": (
        "d1203c6b42", True, "initializes unless initialized; shuts down also where that fails",
    ),
    "telethon.client.telegramclient.TelegramClient": (
        "22dfcd81fa", False, "logs in; disconnects",
    ),
    "trio.MemoryReceiveChannel": (
        "e39dd56c24", True, "aclose, which is close and a checkpoint",
    ),
    "trio.MemorySendChannel": (
        "e39dd56c24", True, "aclose, which is close and a checkpoint",
    ),
    "websockets.asyncio.client.ClientConnection": (
        "991e68d6fb", True, "close, with another code on an exception",
    ),
    "websockets.asyncio.client.connect": (
        "1c51d2a9b3", False, "close, with another code on an exception",
    ),
    "websockets.asyncio.server.Server": (
        "2f7ba3530c", True, "listens unless it does; close and wait_closed",
    ),
    "websockets.legacy.client.Connect": (
        "daacef87ea", False, "opens; closes",
    ),
    "websockets.legacy.server.Serve": (
        "824d657c5a", False, "opens; closes",
    ),
}

# Enters that do more than `return self`, of which nothing is seen from outside before the first call of a method.
QUIET = {
    "httpx.AsyncClient": "marks itself as open; its transports open nothing",
    "httpx.AsyncHTTPTransport": "enters its pool, which opens nothing",
    "httpx2.AsyncClient": "marks itself as open; its transports open nothing",
    "httpx2.AsyncHTTPTransport": "enters its pool, which opens nothing",
    "redis.asyncio.client.Redis": "connects only with single_connection_client, else counts who is inside",
    "redis.asyncio.cluster.ClusterPipeline": "leaves initializing to its cluster, which its first command does as well",
}

# ----------------------------------------------------------------------------------------------------

AWAITABLE = re.compile(r"return\b[^\n]*(future|\bfut\b|shield|Waiter|run_on_executor|_release_done|ensure_future)")


class Wrong(Exception):
    pass


def load(path):
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            with contextlib.redirect_stdout(sys.stderr):
                found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        owner = None
        for part in parts[count:]:
            owner = found
            try:
                found = getattr(found, part)
            except AttributeError:
                raise Wrong(f"{path}: there is no {part}") from None
        found = typing.get_origin(found) if inspect.isclass(typing.get_origin(found)) else found
        return found, owner
    raise Wrong(f"{path}: does not import")


def load_class(path):
    found, _ = load(path)
    if not inspect.isclass(found):
        raise Wrong(f"{path}: is no class")
    return found


def name_of(cls):
    return f"{cls.__module__}.{cls.__qualname__}"


def has(cls, name):
    """Whether a class or a base of it defines a method, `__getattr__` aside."""
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name] is not None
    return False


def is_coroutine_function(function):
    function = getattr(function, "__func__", function)
    return inspect.iscoroutinefunction(function)


def gives_coroutine(function):
    """Whether any layer of a function and its wrappers is a coroutine function."""
    function, seen = getattr(function, "__func__", function), 0
    while function is not None and seen < 50:
        if inspect.iscoroutinefunction(function):
            return True
        function, seen = getattr(function, "__wrapped__", None), seen + 1
    return False


def source(function):
    """The source of a function itself, not of what it wraps; of a compiled one, what its .pyx file says."""
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if inspect.iscode(code) and not type(function).__name__.startswith("cython"):
        return textwrap.dedent(inspect.getsource(code))
    module = sys.modules[function.__module__]
    lines = Path(module.__file__).parent.joinpath(module.__name__.rpartition(".")[2] + ".pyx").read_text().split("\n")
    start = 0
    *outer, name = function.__qualname__.split(".")
    for cls in outer:
        start = next(i for i, line in enumerate(lines) if re.match(rf"\s*(cdef )?class {cls}\b", line))
    space = r"\s+" if outer else ""
    start = next(i for i in range(start, len(lines)) if re.match(rf"{space}(async )?def {name}\b", lines[i]))
    indent = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith((" " * (indent + 1), " " * indent + ")"))):
        end += 1
    return textwrap.dedent("\n".join(lines[start:end]))


def body(function):
    """The statements of a function without its docstring, and `return`, `return None`, `return False` at its end."""
    statements = ast.parse(source(function)).body[0].body
    if isinstance(statements[0], ast.Expr) and isinstance(statements[0].value, ast.Constant):
        statements = statements[1:]
    if len(statements) > 1 and ast.unparse(statements[-1]) in ("return", "return None", "return False"):
        statements = statements[:-1]
    return [ast.unparse(statement) for statement in statements]


def given(path, function, owner):
    """The class of what a call gives, before any `await`; None if there is no telling."""
    if path in GIVES:
        return load_class(GIVES[path])
    if inspect.isclass(function):
        return function
    bound = function.__self__ if inspect.ismethod(function) and inspect.isclass(function.__self__) else None
    bare = getattr(function, "__func__", function)
    names = getattr(bare, "__globals__", {})
    with contextlib.suppress(OSError, TypeError, SyntaxError, StopIteration):
        for node in ast.walk(ast.parse(source(bare))):
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Call):
                called = node.value.func
                called = called.value if isinstance(called, ast.Subscript) else called
                if isinstance(called, ast.Name):
                    if called.id == "cls" and bound:
                        return bound
                    if inspect.isclass(names.get(called.id)):
                        return names[called.id]
    if hasattr(bare, "__wrapped__") and bound is None:
        bare = inspect.unwrap(bare)
    return annotated(bare, bound or (owner if inspect.isclass(owner) else None))


def annotated(function, owner):
    """The class a function's return annotation names; the owner for Self and type variables."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    note = getattr(function, "__annotations__", {}).get("return")
    if isinstance(note, str):
        try:
            note = eval(note.strip("'\""), {**vars(typing), **function.__globals__})
        except Exception:
            name = re.match(r"[\w.]+", note.strip("'\""))
            module = sys.modules[function.__module__]
            note = getattr(module, name.group().rpartition(".")[2], None) if name else None
    if isinstance(note, typing.ForwardRef):
        note = function.__globals__.get(note.__forward_arg__)
    if note is typing.Self or isinstance(note, typing.TypeVar) or getattr(note, "__name__", "") == "Self":
        return owner
    note = typing.get_origin(note) or note
    if isinstance(note, typing.TypeVar):
        return owner
    return note if inspect.isclass(note) and note not in (type(None), object, types.UnionType) else None


def awaited_class(function, result):
    """The class that awaiting what a plain function gives comes to, by the annotations of whatever it wraps."""
    bare = getattr(function, "__func__", function)
    if hasattr(bare, "__wrapped__"):
        return annotated(bare, None)
    notes = [getattr(getattr(result, "__await__", None), "__annotations__", {}).get("return"),
             getattr(bare, "__annotations__", {}).get("return")]
    for note in notes:
        with contextlib.suppress(Exception):
            if isinstance(note, str):
                names = sys.modules[result.__module__ if note is notes[0] else bare.__module__]
                note = eval(note, {**vars(typing), **vars(names)})
            note = typing.get_args(note)[-1]
            if isinstance(note, (str, typing.ForwardRef)):
                note = getattr(sys.modules[bare.__module__], getattr(note, "__forward_arg__", note))
            if inspect.isclass(note):
                return note
    return None


def related(one, other):
    return issubclass(one, other) or issubclass(other, one)


class Row:
    def __init__(self, row, used):
        self.row, self.used, self.checks = row, used, 0

    def expect(self, holds, what):
        self.checks += 1
        if not holds:
            raise Wrong(what)

    def schema(self):
        row = self.row
        for key, value in row.items():
            self.expect(key in KEYS and isinstance(value, KEYS[key]), f"{key} = {value!r}: no such key, or not its type")
            self.expect(key not in VALUES or value in VALUES[key], f"{key} = {value!r}: not one of {VALUES.get(key)}")
        for key in REQUIRED:
            self.expect(key in row, f"{key} is missing")
        self.expect(("open" in row) != ("method" in row), "either open or method")
        self.expect(row.get("open", row.get("method")) and row["close"], "nothing opens it, or nothing closes it")
        self.expect("owner_closes" not in row or "method" in row, "owner_closes without method")
        self.expect(row["form"] != "receiver" or "method" in row, "form receiver without method")
        note = row.get("note", "")
        self.expect(row["exit"] != "more" or note, "exit more without a note")
        self.expect(not note.endswith(".") and not note[:1].isspace(), "the note ends with a full stop")
        self.expect(row["form"] != "none" or not {"setup", "late"} & row.keys(), "setup or late, but nothing is entered")

    def check(self):
        self.schema()
        row = self.row
        self.cls = load_class(row["class"])
        self.real = load_class(CONCRETE[row["class"]]) if row["class"] in CONCRETE else self.cls
        if row["class"] in CONCRETE:
            self.used.add(row["class"])
        self.expect(issubclass(self.real, self.cls), f"{name_of(self.real)} is no {row['class']}")
        form = row["form"]
        if form in ("none", "aclosing"):
            self.expect(not has(self.cls, "__aenter__"), f"form {form}, but it has __aenter__")
            self.expect(has(self.cls, "aclose") == (form == "aclosing"), f"form {form}, but look at its aclose")
        if form == "awaited" or row.get("late") or "tuple" in row and form != "none":
            self.manager(self.real, "the object")
        for path in row.get("open", row.get("method")):
            self.opening(path)
        for name in row["close"]:
            self.method(name, row["close_awaited"])
        for key in ("then", "setup"):
            if key in row:
                self.method(row[key], True, own=True)
        if "entered_as" in row:
            given = inspect.signature(self.real.__aenter__).return_annotation
            bases = [base for base in self.real.__mro__[1:] if base.__name__ == given or base is given]
            self.expect(bases, f"entered_as, but {name_of(self.real)}.__aenter__ gives no base class")
            for name in row["entered_as"]:
                self.expect(not bases or hasattr(bases[0], name), f"entered_as: {given} has no {name}")
        for name in row.get("enters", []):
            if name != "*":
                function = inspect.getattr_static(self.real, name, None)
                self.expect(function and gives_coroutine(function), f"enters: {name_of(self.real)}.{name} is no coroutine function")

    def manager(self, cls, what):
        self.expect(has(cls, "__aenter__") and has(cls, "__aexit__"),
                    f"form {self.row['form']}: {what}, {name_of(cls)}, has no __aenter__ and __aexit__")

    def opening(self, path):
        row = self.row
        function, owner = load(path)
        self.expect(callable(function), f"{path}: cannot be called")
        self.expect(("method" in row) == (inspect.isclass(owner) and not inspect.ismethod(function) or path.endswith("__call__")),
                    f"{path}: belongs under open for a function, under method for a method of another object")
        coroutine = is_coroutine_function(function)
        form, awaited = row["form"], row["awaited"]
        if coroutine:
            self.expect(awaited is True, f"{path}: is a coroutine function, awaited = {awaited!r}")
            self.expect(form in ("awaited", "none", "receiver"), f"{path}: is a coroutine function, form = {form}")
            result = annotated(function, owner)
            if path in GIVES:
                self.used.add(path)
                result = load_class(GIVES[path])
            if "tuple" not in row:
                self.expect(result is not None, f"{path}: no telling what it gives")
                self.expect(related(result, self.cls), f"{path}: gives {name_of(result)}")
        elif "tuple" in row:
            self.expect(awaited is False, f"{path}: is a plain function")
        else:
            if path in GIVES:
                self.used.add(path)
            result = given(path, function, owner)
            self.expect(result is not None, f"{path}: no telling what it gives")
            self.expect(awaited is False or has(result, "__await__"), f"{path}: {name_of(result)} cannot be awaited")
            if awaited is not True:
                self.expect(related(result, self.cls), f"{path}: gives {name_of(result)}")
            elif not related(result, self.cls):
                if path in AWAITED:
                    self.used.add(path)
                final = load_class(AWAITED[path]) if path in AWAITED else awaited_class(function, result)
                self.expect(final is not None, f"{path}: no telling what awaiting {name_of(result)} gives")
                self.expect(related(final, self.cls), f"{path}: awaited, gives {name_of(final)}")
            self.expect(form in ("call", "aclosing", "none"), f"{path}: is a plain function, form = {form}")
            if form == "call":
                result = self.real if related(result, self.cls) else result
                self.manager(result, f"what {path} gives")
                self.meaning(result)
        if form == "receiver":
            self.manager(owner, "the receiver")
            self.meaning(owner)
        if form == "awaited" or row.get("late") or "tuple" in row and form != "none":
            self.meaning(self.real, late=row.get("late"))
        if row.get("late") and form == "call" and "tuple" not in row:
            self.meaning(self.real, late=True)

    def meaning(self, cls, late=None):
        """Entering is `return self` and leaving is the close alone; or they have been read, and are as they were."""
        row = self.row
        enter, leave = inspect.getattr_static(cls, "__aenter__"), inspect.getattr_static(cls, "__aexit__")
        name = name_of(cls)
        for function in (enter, leave):
            self.expect(gives_coroutine(function) or name in READ, f"{name}.{function.__name__}: gives no coroutine")
        if "setup" in row:
            self.expect(re.search(rf"self\.{row['setup']}\(", source(enter)), f"{name_of(cls)}.__aenter__ does not call {row['setup']}")
        entered, left = body(enter), body(leave)
        if "then" in row:
            closing = [[f"self.{name}()", f"await self.{row['then']}()"] for name in row["close"]]
        elif row["close_awaited"] is False or row.get("owner_closes"):
            closing = []
        else:
            closing = [[f"await self.{name}()"] for name in row["close"]]
        simple_enter = entered == ["return self"] or "setup" in row and entered == [f"await self.{row['setup']}()", "return self"]
        if late:
            simple_enter = entered == ["return self"]
        if simple_enter and (left in closing) and row["exit"] == "closes":
            return
        is_made_open = row["awaited"] is True or row["form"] != "call" or "setup" in row or row["exit"] == "more"
        if "enters" in row:
            self.expect(entered != ["return self"], f"enters, but {name}.__aenter__ does nothing more than give the object")
        elif not late and not is_made_open and entered != ["return self"]:
            self.used.add(name)
            self.expect(name in QUIET, f"{name}.__aenter__ does more than give the object: say in enters what does the same")
        digest = hashlib.sha256("\n".join([*entered, "--", *left]).encode()).hexdigest()[:10]
        self.used.add(name)
        self.expect(name in READ, f"nobody has read {name}.__aenter__ and __aexit__; its digest is {digest}")
        self.expect(READ[name][0] == digest, f"{name}.__aenter__ or __aexit__ has changed: read it again; its digest is {digest}")
        self.expect(not late or READ[name][1], f"late, but {name} cannot be entered when it is open: {READ[name][2]}")

    def method(self, name, awaited, own=False):
        row, where = self.row, [self.real]
        if row.get("owner_closes") and not own:
            where = [load(path)[1] for path in row["method"]]
        if "." in name:
            attribute, _, name = name.partition(".")
            key = f"{row['class']}.{attribute}"
            self.expect(key in ATTRIBUTES, f"ATTRIBUTES does not say what {key} is")
            self.used.add(key)
            where = [load_class(ATTRIBUTES[key])]
        for cls in where:
            what = f"{name_of(cls)}.{name}"
            self.expect(has(cls, name), f"there is no {what}")
            function = inspect.getattr_static(cls, name)
            if what in DELEGATES:
                self.used.add(what)
                function, _ = load(DELEGATES[what])
            coroutine = gives_coroutine(function)
            if awaited is True and what in EITHER:
                self.used.add(what)
            elif awaited is True:
                self.expect(coroutine, f"{what} is awaited, but is no coroutine function")
            elif awaited is False:
                self.expect(not coroutine, f"{what} is a coroutine function and not awaited")
            else:
                self.expect(not is_coroutine_function(function), f"{what} is a coroutine function: not either, but awaited")
                if what in EITHER:
                    self.used.add(what)
                else:
                    self.expect(AWAITABLE.search(source(function)), f"{what} does not seem to return anything awaitable")
            if row.get("owner_closes") and not own:
                needed = [p for p in list(inspect.signature(function).parameters.values())[1:]
                          if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
                self.expect(len(needed) == 1, f"{what} does not take the object as its only argument")
            elif awaited is not None:
                with contextlib.suppress(ValueError):
                    needed = [p for p in list(inspect.signature(function).parameters.values())[1:]
                              if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
                    self.expect(not needed, f"{what} needs arguments: {', '.join(p.name for p in needed)}")


def work(only):
    warnings.simplefilter("ignore")
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["resource"]
    order = [(row.get("class", "").split(".")[0], row.get("class", "")) for row in rows]
    checked = wrong = checks = 0
    used, seen = set(), set()
    for index, row in enumerate(rows):
        name = row.get("class", "?")
        if only and name.split(".")[0] not in only:
            continue
        checked += 1
        entry = Row(row, used)
        try:
            if index and order[index] < order[index - 1]:
                raise Wrong("not in alphabetical order")
            for path in row.get("open", row.get("method", [])):
                for close in row.get("close", []):
                    key = (path, name, close, row.get("tuple"), str(row.get("awaited")))
                    if key in seen:
                        raise Wrong(f"{path} … {close} stands there twice")
                    seen.add(key)
            entry.check()
        except Wrong as error:
            wrong += 1
            print(f"row {index + 1}, {name}: {error}")
        except Exception as error:
            wrong += 1
            print(f"row {index + 1}, {name}: could not be checked: {error!r}")
        checks += entry.checks
    if not only and not wrong:
        for table in (CONCRETE, GIVES, AWAITED, ATTRIBUTES, DELEGATES, EITHER, READ, QUIET):
            for name in sorted(table.keys() - used):
                wrong += 1
                print(f"{os.path.basename(__file__)}: {name} is an exception that nothing needs")
    print(f"{checked} of {len(rows)} rows checked, {checks} facts, {wrong} wrong")
    return 1 if wrong or not checked else 0


def install(cache):
    python = cache / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(cache)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *(part for path in REQUIREMENTS for part in ("-r", str(path)))], check=True)
    return python


def main():
    parser = argparse.ArgumentParser(description="Compare resources.toml with the packages it speaks of.")
    parser.add_argument("--python", type=Path, help="the Python of an environment that holds the packages")
    parser.add_argument("--install", action="store_true", help="make an environment from stubs.txt and resources.txt")
    parser.add_argument("--cache", type=Path, default=ROOT / "target" / "resources-venv", help="where --install makes it")
    parser.add_argument("--only", nargs="+", default=[], metavar="PACKAGE", help="top-level packages to check")
    parser.add_argument("--table", type=Path, help="another table than resources.toml")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.table:
        global TABLE
        TABLE = arguments.table
    if arguments.worker:
        return work(arguments.only)
    if arguments.install == bool(arguments.python):
        parser.error("say either --python PATH or --install")
    python = install(arguments.cache) if arguments.install else arguments.python
    command = [str(python), str(Path(__file__).resolve()), "--worker", "--table", str(TABLE)]
    if arguments.only:
        command += ["--only", *arguments.only]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
