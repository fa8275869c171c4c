"""A coroutine function that a thread calls: the thread only makes the coroutine."""

import asyncio
import warnings

# The interpreter complains about a coroutine that nobody awaited; this program says it itself.
warnings.simplefilter("ignore", RuntimeWarning)

rung = []


async def ring(times):
    await asyncio.sleep(0)
    rung.append(times)


async def main():
    await asyncio.to_thread(ring, 2)


asyncio.run(main())
print("cured" if rung == [2] else "pitfall")
