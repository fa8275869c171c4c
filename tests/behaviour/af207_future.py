"""The result of a thread, and its exception, come as before, and the heart goes on beating."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor


async def heartbeat(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


def work(value):
    time.sleep(0.2)
    if value is None:
        raise ValueError("nothing")
    return value + 1


async def total(pool: ThreadPoolExecutor):
    future = pool.submit(work, 1)
    first = future.result()
    try:
        pool.submit(work, None).result()
    except ValueError as error:
        return first, str(error)


async def main():
    beats = []
    heart = asyncio.ensure_future(heartbeat(beats))
    await asyncio.sleep(0)
    with ThreadPoolExecutor() as pool:
        assert await total(pool) == (2, "nothing")
    heart.cancel()
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
