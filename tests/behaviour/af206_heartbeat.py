"""A heartbeat beside a helper that sleeps two calls further down: it stops, or it goes on. The result stays the same."""

import asyncio
import time


async def heartbeat(beats: list[float]) -> None:
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


def rest(seconds: float) -> str:
    time.sleep(seconds)
    return "rested"


def work(name: str, *, seconds: float) -> tuple[str, str]:
    return name, rest(seconds)


async def serve(name: str) -> tuple[str, str]:
    return work(name, seconds=0.3)


async def main() -> None:
    beats: list[float] = []
    heart = asyncio.create_task(heartbeat(beats))
    await asyncio.sleep(0)
    assert await serve("first") == ("first", "rested")
    heart.cancel()
    try:
        await heart
    except asyncio.CancelledError:
        pass
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
