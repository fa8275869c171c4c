"""The pitfalls of asyncio that asyncfix fixes, on one page."""

import asyncio
import time


async def fetch(number: int) -> int:
    # Blocking the event loop: nothing else runs for a second.
    time.sleep(1)
    return number


async def fetch_all() -> int:
    # Ignoring exceptions in gather(): the first one leaves the others running unwatched.
    numbers = await asyncio.gather(*[fetch(number) for number in range(10)])
    return sum(numbers)


async def fetch_everything() -> None:
    # Creating too many tasks: all ten thousand run at once.
    tasks = [fetch(number) for number in range(10_000)]
    await asyncio.gather(*tasks)


async def save(total: int) -> None:
    await asyncio.sleep(0.1)
    print(total)


async def read_greeting(path: str, host: str) -> bytes:
    # Not using context managers: an exception in between leaves the server open.
    server = await asyncio.start_server(print, host, 8000)
    greeting = await asyncio.to_thread(path.encode)
    server.close()
    await server.wait_closed()
    return greeting


async def heartbeat() -> None:
    # Not handling cancellation: the task ends without a word.
    while True:
        await asyncio.sleep(60)


class Server:
    def accept(self, number: int) -> None:
        # Not awaiting tasks: nothing keeps this one, so it may be collected half-way.
        asyncio.get_running_loop().create_task(fetch(number))


async def main() -> None:
    # Forgetting await: this never waits, and prints a coroutine.
    asyncio.sleep(0.1)
    print(fetch(1))
    total = await fetch_all()
    Server().accept(total)
    # This one is cut off when the program ends.
    asyncio.create_task(save(total))


if __name__ == "__main__":
    # Mixing synchronous and asynchronous code: this makes a coroutine, and nothing runs it.
    main()
