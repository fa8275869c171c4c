from typing import Any

from pymongo.asynchronous.mongo_client import AsyncMongoClient as AsyncMongoClient
from pymongo.synchronous.mongo_client import MongoClient as MongoClient

def __getattr__(name: str) -> Any: ...
