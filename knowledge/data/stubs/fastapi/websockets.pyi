from typing import Any

from starlette.websockets import WebSocket as WebSocket

def __getattr__(name: str) -> Any: ...
