"""A lock of asyncio cannot be entered by a plain `with`; `async with` waits for it."""

import asyncio


class Counter:
    def __init__(self):
        self.lock = asyncio.Lock()
        self.value = 0

    async def bump(self):
        with self.lock:
            before = self.value
            await asyncio.sleep(0)
            self.value = before + 1


async def count():
    counter = Counter()
    await asyncio.gather(*[counter.bump() for _ in range(5)])
    return counter.value


def outcome():
    try:
        return asyncio.run(count())
    except (TypeError, AttributeError):
        return None


print("cured" if outcome() == 5 else "pitfall")
