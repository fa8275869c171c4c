"""Two asynchronous context managers in one statement: entered in order, left in reverse."""

import asyncio
from contextlib import asynccontextmanager

log = []


@asynccontextmanager
async def opened(name):
    await asyncio.sleep(0)
    log.append("open " + name)
    try:
        yield name.upper()
    finally:
        await asyncio.sleep(0)
        log.append("close " + name)


class Session:
    def __enter__(self):
        raise TypeError("Use `async with` instead")

    def __exit__(self, *exc_info):
        pass

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        log.append("close session")


async def main():
    with Session(), opened("a") as first, opened("b") as second:
        log.append(first + second)


try:
    asyncio.run(main())
except (TypeError, AttributeError):
    pass
expected = ["open a", "open b", "AB", "close b", "close a", "close session"]
print("cured" if log == expected else "pitfall")
