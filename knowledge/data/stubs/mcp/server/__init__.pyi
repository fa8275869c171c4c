from typing import Any

from mcp.server.lowlevel import Server as Server

def __getattr__(name: str) -> Any: ...
