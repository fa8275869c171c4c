"""What a program starts in a loop, in a branch and in a block is cut off at the end, or the program waits for it."""

import asyncio

done = []


class Round:
    async def deliver(self, street):
        await asyncio.sleep(0.02)
        done.append(street)

    async def run(self):
        async with asyncio.timeout(5):
            asyncio.create_task(self.deliver("High Street"))
        for street in ("Mill Lane", "North Road"):
            if street:
                asyncio.create_task(self.deliver(street))


asyncio.run(Round().run())
print("cured" if len(done) == 3 else "pitfall")
