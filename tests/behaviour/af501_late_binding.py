"""Each coroutine keeps what it was made with, although the names mean something else by then."""

import asyncio

running = 0
most = 0


class Client:
    def __init__(self, name):
        self.name = name

    async def fetch(self, number):
        global running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return self.name, number


async def main():
    # Debug mode notes where each task was made, and complains about the time that takes.
    asyncio.get_running_loop().set_debug(False)
    await asyncio.sleep(0)
    jobs = []
    for name in ["a", "b"]:
        client = Client(name)
        for number in range(200):
            jobs.append(client.fetch(number))
    client = Client("c")
    others = [client.fetch(number) for number in range(200)]
    client = None
    results = await asyncio.gather(*jobs)
    assert results == [(name, number) for name in "ab" for number in range(200)]
    results = await asyncio.gather(*others)
    assert results == [("c", number) for number in range(200)]
    print("cured" if most == 100 else "pitfall")


asyncio.run(main())
