import asyncio


async def fetch(number: int) -> int:
    await asyncio.sleep(0.1)
    return number


async def drops_a_coroutine() -> None:
    fetch(1)


async def uses_it_as_the_value() -> None:
    number = fetch(1)
    print(number)


async def tests_it() -> None:
    if fetch(1) > 0:
        print("positive")
