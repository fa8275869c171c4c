"""Cancelling what waits for a gather still cancels its members, and is still a cancellation."""

import asyncio

cancelled = []
left = []


async def work(number):
    try:
        await asyncio.sleep(0.05 * number)
    except asyncio.CancelledError:
        cancelled.append(number)
        raise
    if number == 1:
        raise ValueError(number)
    left.append(number)


async def together():
    results = await asyncio.gather(work(1), work(2))
    return results


async def main():
    task = asyncio.create_task(together())
    await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    assert task.cancelled()
    assert cancelled == [1, 2], cancelled

    try:
        await together()
    except ValueError:
        pass
    print("cured" if left == [2] else "pitfall")
    await asyncio.sleep(0.1)


asyncio.run(main())
