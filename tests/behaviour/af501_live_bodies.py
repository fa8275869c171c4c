"""Ten thousand coroutines, each with a buffer of its own: all buffers are there at once, or a few."""

import asyncio
import tracemalloc


async def download(number):
    buffer = bytearray(10_000)
    for _ in range(3):
        await asyncio.sleep(0)
    return len(buffer) + number


async def main():
    # Debug mode notes where each task was made, and complains about the time that takes.
    asyncio.get_running_loop().set_debug(False)
    await asyncio.sleep(0)
    tracemalloc.start()
    tasks = []
    for number in range(10_000):
        tasks.append(asyncio.create_task(download(number)))
    sizes = await asyncio.gather(*tasks)
    _, peak = tracemalloc.get_traced_memory()
    assert sizes == [10_000 + number for number in range(10_000)]
    # The buffers alone are a hundred million bytes.
    print("cured" if peak < 60_000_000 else "pitfall")


asyncio.run(main())
