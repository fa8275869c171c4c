import asyncio
import subprocess
import time
from pathlib import Path

import requests


def load(url: str) -> bytes:
    return requests.get(url, timeout=5).content


async def sleeps_for_a_second() -> None:
    time.sleep(1)
    await asyncio.sleep(0)


async def requests_a_page(url: str) -> bytes:
    return requests.get(url, timeout=5).content


async def runs_a_command() -> None:
    subprocess.run(["true"], check=True)


async def reads_with_open(path: str) -> str:
    with open(path) as file:
        return file.read()


async def reads_with_pathlib(path: Path) -> str:
    return path.read_text()


async def asks_for_input(name: str) -> str:
    await asyncio.sleep(0)
    return input(name)


async def calls_a_helper(url: str) -> bytes:
    return load(url)
