from typing import Any

from starlette.background import BackgroundTasks as _BackgroundTasks

class BackgroundTasks(_BackgroundTasks):
    def add_task(self, *args: Any, **kwargs: Any) -> None: ...

def __getattr__(name: str) -> Any: ...
