"""The loop's heart beats on while the helper waits."""
import asyncio

from work import waited


async def heart(beats):
    while True:
        beats.append(1)
        await asyncio.sleep(0.01)


async def main():
    beats = []
    task = asyncio.create_task(heart(beats))
    total = waited(0.1)
    task.cancel()
    if total == 0.2 and len(beats) > 5:
        print("cured")


asyncio.run(main())
