"""The argument is evaluated once, and the value of the call is still `None`."""

import asyncio
import time

calls = []


def duration():
    calls.append(time.monotonic())
    return 0.05


async def nap():
    return time.sleep(duration())


async def main():
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    ticker = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    value = await nap()
    ticker.cancel()
    assert value is None, value
    assert len(calls) == 1, calls
    print("cured" if ticks > 2 else "pitfall")


asyncio.run(main())
