from typing import Any

from langchain_core.runnables import RunnableSerializable

class BaseRetriever(RunnableSerializable): ...

def __getattr__(name: str) -> Any: ...
