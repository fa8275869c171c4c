"""A dropped coroutine does nothing; a compared one is never equal to anything."""

import asyncio
import warnings

# The interpreter complains about a coroutine that nobody awaited; this program says it itself.
warnings.simplefilter("ignore", RuntimeWarning)

saved = []


async def save(value):
    await asyncio.sleep(0)
    saved.append(value)


async def count():
    return len(saved)


class Store:
    async def is_full(self):
        return await count() == 1

    async def fill(self):
        save(1)
        if not self.is_full():
            return False
        number = count()
        return number == 1


async def main():
    full = await Store().fill()
    print("cured" if full and saved == [1] else "pitfall")


asyncio.run(main())
