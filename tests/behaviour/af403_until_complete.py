"""A running loop cannot be run again, and no other one beside it; everything awaitable is awaited."""

import asyncio
import warnings

# The coroutine that was never run is complained about; this program says it itself.
warnings.simplefilter("ignore", RuntimeWarning)


async def double(number):
    await asyncio.sleep(0)
    return 2 * number


async def here():
    loop = asyncio.get_running_loop()
    first = loop.run_until_complete(double(1))
    task = loop.create_task(double(2))
    return first + loop.run_until_complete(task)


async def beside():
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(double(3))
    finally:
        loop.close()


def outcome(coroutine):
    try:
        return asyncio.run(coroutine)
    except RuntimeError:
        return None


values = [outcome(here()), outcome(beside())]
print("cured" if values == [6, 6] else "pitfall")
