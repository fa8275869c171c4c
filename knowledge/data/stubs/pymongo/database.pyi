from typing import Any

from pymongo.synchronous.database import Database as Database

def __getattr__(name: str) -> Any: ...
