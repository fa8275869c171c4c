from typing import Any

from fastapi.applications import FastAPI as FastAPI
from fastapi.routing import APIRouter as APIRouter
from fastapi.datastructures import UploadFile as UploadFile
from fastapi.background import BackgroundTasks as BackgroundTasks
from starlette.requests import Request as Request
from starlette.responses import Response as Response
from starlette.websockets import WebSocket as WebSocket

def __getattr__(name: str) -> Any: ...
