from typing import Any

from mcp import ClientSession as ClientSession

def __getattr__(name: str) -> Any: ...
