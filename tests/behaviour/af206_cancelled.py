"""A time limit over a helper that blocks: it has no effect before it is too late, or it cuts the wait short."""

import asyncio
import time

TIMES = {"slow": 0.4, "quick": 0.0}


def look_up(name):
    time.sleep(TIMES[name])
    return name


def answer(name, default=None):
    return look_up(name) if name else default


async def handle(name):
    return answer(name, default="nobody")


async def main():
    start = time.monotonic()
    try:
        await asyncio.wait_for(handle("slow"), 0.05)
    except asyncio.TimeoutError:
        pass
    took = time.monotonic() - start
    assert await handle("quick") == "quick"
    assert await handle("") == "nobody"
    print("cured" if took < 0.3 else "pitfall")


asyncio.run(main())
