from typing import Any, Literal, overload
from typing_extensions import TypeAlias

from aiofiles.base import AiofilesContextManager
from aiofiles.threadpool.binary import AsyncBufferedIOBase
from aiofiles.threadpool.text import AsyncTextIOWrapper

_TextMode: TypeAlias = Literal["r", "w", "a", "x", "r+", "w+", "a+", "x+", "rt", "wt", "at", "xt", "r+t", "w+t", "a+t", "x+t"]
_BinaryMode: TypeAlias = Literal["rb", "wb", "ab", "xb", "rb+", "wb+", "ab+", "xb+", "r+b", "w+b", "a+b", "x+b"]

# Unbuffered files, and modes only known at run time, fall to the last one.
@overload
def open(file: Any, mode: _TextMode = ..., *args: Any, **kwargs: Any) -> AiofilesContextManager[AsyncTextIOWrapper]: ...
@overload
def open(file: Any, mode: _BinaryMode, *, loop: Any = ..., executor: Any = ...) -> AiofilesContextManager[AsyncBufferedIOBase]: ...
@overload
def open(*args: Any, **kwargs: Any) -> AiofilesContextManager[Any]: ...

def __getattr__(name: str) -> Any: ...
