"""A bare `except` around an `await` makes a task that was cancelled end as if it was not."""

import asyncio


async def work():
    try:
        await asyncio.sleep(1)
    except:
        print(end="")
    return "done"


async def main():
    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    print("cured" if task.cancelled() else "pitfall")


asyncio.run(main())
