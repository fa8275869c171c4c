"""An error between `acquire` and `release` leaves the lock taken."""

import asyncio

lock = asyncio.Lock()


async def work():
    await lock.acquire()
    await asyncio.sleep(0)
    raise ValueError
    lock.release()


async def main():
    try:
        await work()
    except ValueError:
        print("pitfall" if lock.locked() else "cured")


asyncio.run(main())
