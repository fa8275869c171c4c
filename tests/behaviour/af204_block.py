"""A pipe that is slow to be filled, read in a block: the names come back, the file is closed, and the heart goes on."""

import asyncio
import os
import subprocess
import tempfile
import threading
import time
import uuid


async def heartbeat(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


def put(path, text):
    # Another program writes, so that no code here does.
    subprocess.run(["tee", path], input=text.encode(), stdout=subprocess.DEVNULL, check=True)


def fill(path):
    time.sleep(0.3)
    put(path, "first\nsecond\n")


async def load(path):
    with open(path) as file:
        first = file.readline()
        rest = [line.strip() for line in file]
    return first, rest


async def missing(path):
    try:
        with open(path) as file:
            text = file.read()
    except FileNotFoundError as error:
        return type(error).__name__
    return text


async def returned(names):
    path = os.path.join(tempfile.gettempdir(), uuid.uuid4().hex)
    with open(path, "w") as file:
        file.write(names[0])
    with open(path) as file:
        return file.read()


async def main():
    beats = []
    heart = asyncio.ensure_future(heartbeat(beats))
    await asyncio.sleep(0)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pipe")
        os.mkfifo(path)
        thread = threading.Thread(target=fill, args=(path,))
        thread.start()
        assert await load(path) == ("first\n", ["second"])
        thread.join()
        assert await missing(os.path.join(folder, "missing")) == "FileNotFoundError"
        assert await returned(["text"]) == "text"
    heart.cancel()
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
