import asyncio


async def fetch(number: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    try:
        return len(await reader.read())
    finally:
        writer.close()


async def starts_ten_thousand() -> None:
    tasks = [asyncio.create_task(fetch(number)) for number in range(10_000)]
    await asyncio.gather(*tasks, return_exceptions=True)
