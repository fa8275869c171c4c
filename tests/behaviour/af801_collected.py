"""A task that only the loop knows, waiting for something only it knows, is collected."""

import asyncio
import gc

reached = []


async def background():
    # Nothing but this coroutine refers to the future, and nothing but the task to the coroutine.
    waiting = asyncio.get_running_loop().create_future()
    reached.append("started")
    try:
        await waiting
    except GeneratorExit:
        reached.append("collected")
        raise


def start(loop):
    loop.create_task(background())


async def main():
    loop = asyncio.get_running_loop()
    # The loop says that it destroyed a pending task; this program says it itself.
    loop.set_exception_handler(lambda loop, context: None)
    start(loop)
    await asyncio.sleep(0.01)
    gc.collect()
    await asyncio.sleep(0.01)
    print("pitfall" if "collected" in reached else "cured")


asyncio.run(main())
