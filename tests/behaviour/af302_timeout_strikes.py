"""A timeout around a loop that swallows its cancellation never strikes."""

import asyncio

rounds = []


async def poll():
    while True:
        try:
            rounds.append(1)
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            print(end="")
        if len(rounds) > 50:
            raise SystemError("it cannot be stopped")


async def main():
    try:
        await asyncio.wait_for(poll(), 0.05)
    except asyncio.TimeoutError:
        print("cured")
    except SystemError:
        print("pitfall")


asyncio.run(main())
