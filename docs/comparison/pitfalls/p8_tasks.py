import asyncio


async def work() -> None:
    await asyncio.sleep(0.1)


async def drops_a_task() -> None:
    asyncio.create_task(work())
    await asyncio.sleep(0)


async def keeps_it_in_an_unused_name() -> None:
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
