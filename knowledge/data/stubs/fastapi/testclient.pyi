from typing import Any

from starlette.testclient import TestClient as TestClient

def __getattr__(name: str) -> Any: ...
