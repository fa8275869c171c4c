"""The set lets go of tasks that are done, so it does not grow while a server runs."""

import asyncio

ended = []


class Server:
    async def handle(self, number):
        await asyncio.sleep(0.01)
        ended.append(number)

    def accept(self, number):
        asyncio.create_task(self.handle(number))


async def main():
    server = Server()
    for number in range(10):
        server.accept(number)
    kept = globals().get("background_tasks", ())
    while_running = len(kept)
    await asyncio.sleep(0.1)
    assert ended == list(range(10)), ended
    assert not kept, kept
    print("cured" if while_running == 10 else "pitfall")


asyncio.run(main())
