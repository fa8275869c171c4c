"""The eight pitfalls of asyncio that asyncfix fixes, on one page: `asyncfix --diff examples/` shows how."""

import asyncio
import time


async def fetch(number: int) -> int:
    await asyncio.sleep(0.1)
    return number


# 1. Forgetting await: this prints a coroutine, and fetches nothing.
async def show() -> None:
    result = fetch(1)
    print(result)


# 2. A blocking call in a coroutine: nothing else runs for a second.
async def pause() -> None:
    time.sleep(1)


# 3. Not handling cancellation: the task is gone without a word.
async def beat() -> None:
    while True:
        await asyncio.sleep(1)


# 4. Mixing synchronous and asynchronous code: a plain function cannot await.
def total() -> int:
    result = await fetch(4)
    return result + 1


# 5. Creating too many tasks: all ten thousand run at once.
async def fetch_everything() -> None:
    tasks = [asyncio.create_task(fetch(number)) for number in range(10_000)]
    await asyncio.gather(*tasks, return_exceptions=True)


# 6. Not using context managers: an exception in between leaves the server open.
async def serve(host: str) -> None:
    server = await asyncio.start_server(print, host, 8000)
    await asyncio.sleep(60)
    server.close()
    await server.wait_closed()


# 7. Ignoring exceptions in gather(): the first one leaves the other running, with nothing to wait for it.
async def fetch_both() -> int:
    numbers = await asyncio.gather(fetch(1), fetch(2))
    return sum(numbers)


# 8. Not awaiting tasks: this one is cut off when the program ends.
async def main() -> None:
    asyncio.create_task(show())
    print(await fetch_both())


if __name__ == "__main__":
    asyncio.run(main())
