from typing import Any

from pymongo.synchronous.cursor import Cursor as Cursor

def __getattr__(name: str) -> Any: ...
