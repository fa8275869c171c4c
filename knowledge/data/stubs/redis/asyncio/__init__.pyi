from typing import Any

from redis.asyncio.client import Redis as Redis
from redis.asyncio.connection import ConnectionPool as ConnectionPool, BlockingConnectionPool as BlockingConnectionPool
from redis.asyncio.sentinel import Sentinel as Sentinel
from redis.asyncio.cluster import RedisCluster as RedisCluster

StrictRedis = Redis

def from_url(*args: Any, **kwargs: Any) -> Redis: ...

def __getattr__(name: str) -> Any: ...
