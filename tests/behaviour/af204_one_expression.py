"""A pipe that is slow to be filled, read in one expression, and by a method of a path."""

import asyncio
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time


async def heartbeat(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


def put(path, text):
    # Another program writes, so that no code here does.
    subprocess.run(["tee", path], input=text.encode(), stdout=subprocess.DEVNULL, check=True)


def fill(path, times):
    for _ in range(times):
        time.sleep(0.1)
        put(path, "[1, 2]")


async def load(path):
    text = pathlib.Path(path).read_text()
    data = json.loads(pathlib.Path(path).read_bytes())
    return text, data


async def main():
    beats = []
    heart = asyncio.ensure_future(heartbeat(beats))
    await asyncio.sleep(0)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pipe")
        os.mkfifo(path)
        thread = threading.Thread(target=fill, args=(path, 2))
        thread.start()
        assert await load(path) == ("[1, 2]", [1, 2])
        thread.join()
    heart.cancel()
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
