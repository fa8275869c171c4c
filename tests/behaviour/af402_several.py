"""A script that calls several coroutine functions in a row runs none of them."""

import asyncio
import warnings

# The interpreter complains about a coroutine that nobody awaited; this program says it itself.
warnings.simplefilter("ignore", RuntimeWarning)

done = []
queues = []


async def fill(name):
    queue = asyncio.Queue()
    await queue.put(name)
    queues.append((queue, asyncio.get_running_loop()))


async def drain():
    for queue, loop in queues:
        # What one has made works in the next only under the same event loop.
        if loop is asyncio.get_running_loop():
            done.append(await queue.get())


if __name__ == "__main__":
    fill("a")
    fill("b")
    drain()
    print("cured" if done == ["a", "b"] else "pitfall")
