import asyncio


async def fetch(number: int) -> int:
    await asyncio.sleep(0.1)
    return number


def awaits_in_a_plain_function() -> int:
    number = await fetch(1)
    return number


async def runs_a_loop_in_a_loop() -> int:
    return asyncio.run(fetch(1))


if __name__ == "__main__":
    print(awaits_in_a_plain_function())
