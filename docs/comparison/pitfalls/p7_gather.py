import asyncio


async def fetch(number: int) -> int:
    await asyncio.sleep(0.1)
    return number


async def ignores_exceptions() -> int:
    numbers = await asyncio.gather(*[fetch(number) for number in range(10)])
    return sum(numbers)
