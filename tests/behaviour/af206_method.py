"""A pipe that is slow to be filled, read by methods: results, errors and their order are the same, and the heart goes on."""

import asyncio
import json
import os
import subprocess
import tempfile
import threading
import time


class Base:
    def __init__(self, path):
        self.path = path

    def read(self):
        with open(self.path) as file:
            return json.load(file)


class Store(Base):
    @classmethod
    def named(cls, folder, name):
        return cls(os.path.join(folder, name))

    def get(self, key):
        return self.read()[key]

    async def both(self):
        return [self.get(key).upper() for key in ("first", "second")]

    async def missing(self):
        try:
            return self.get("third")
        except KeyError as error:
            return f"no {error.args[0]}"


class Pipe(Base):
    async def load(self):
        return self.read()["slow"]


async def heartbeat(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


def put(path, text):
    # Another program writes, so that no code here does.
    subprocess.run(["tee", path], input=text.encode(), stdout=subprocess.DEVNULL, check=True)


def fill(path):
    time.sleep(0.3)
    put(path, '{"slow": "as it is"}')


async def main():
    beats = []
    heart = asyncio.ensure_future(heartbeat(beats))
    await asyncio.sleep(0)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pipe")
        os.mkfifo(path)
        thread = threading.Thread(target=fill, args=(path,))
        thread.start()
        assert await Pipe(path).load() == "as it is"
        thread.join()
        store = Store.named(folder, "rows")
        put(store.path, '{"first": "a", "second": "b"}')
        assert await store.both() == ["A", "B"]
        assert await store.missing() == "no third"
        assert await asyncio.gather(store.both(), store.missing()) == [["A", "B"], "no third"]
    heart.cancel()
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
