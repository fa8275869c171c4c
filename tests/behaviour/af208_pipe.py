"""A path is asked for from a file system that takes its time, here an audit hook that does."""

import asyncio
import os
import sys
import time


async def heartbeat(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


async def show(path):
    return sorted(os.listdir(path)), os.path.exists(path)


def slow(event, args):
    if event == "os.listdir":
        time.sleep(0.2)


async def main():
    beats = []
    heart = asyncio.ensure_future(heartbeat(beats))
    await asyncio.sleep(0)
    names, there = await show(os.path.dirname(os.path.abspath(__file__)))
    assert os.path.basename(__file__) in names and there
    heart.cancel()
    print("cured" if len(beats) > 5 else "pitfall")


sys.addaudithook(slow)
asyncio.run(main())
