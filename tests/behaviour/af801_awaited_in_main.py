"""The last thing a program starts is cut off at the end, or the program waits for it."""

import asyncio

done = []


async def flush():
    await asyncio.sleep(0.05)
    done.append("flushed")


async def main():
    asyncio.create_task(flush())
    await asyncio.sleep(0)


asyncio.run(main())
print("cured" if done else "pitfall")
