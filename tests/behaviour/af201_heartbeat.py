"""A heartbeat beside a coroutine that sleeps: it stops, or it goes on."""

import asyncio
import time


async def heartbeat(beats: list[float]) -> None:
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


async def nap() -> None:
    time.sleep(0.3)


async def main() -> None:
    beats: list[float] = []
    heart = asyncio.create_task(heartbeat(beats))
    await asyncio.sleep(0)
    await nap()
    heart.cancel()
    try:
        await heart
    except asyncio.CancelledError:
        pass
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
