"""An asynchronous generator cannot be iterated by a plain loop; `async for` awaits each value."""

import asyncio


async def countdown(start):
    for number in range(start, 0, -1):
        yield number
        await asyncio.sleep(0)


async def collect():
    seen = []
    for number in countdown(3):
        seen.append(number)
    else:
        seen.append("done")
    return seen


def outcome():
    try:
        return asyncio.run(collect())
    except TypeError:
        return None


print("cured" if outcome() == [3, 2, 1, "done"] else "pitfall")
