from typing import Any

from starlette.responses import FileResponse as FileResponse, HTMLResponse as HTMLResponse, JSONResponse as JSONResponse, PlainTextResponse as PlainTextResponse, RedirectResponse as RedirectResponse, Response as Response, StreamingResponse as StreamingResponse

def __getattr__(name: str) -> Any: ...
