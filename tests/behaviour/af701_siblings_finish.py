"""One member of a gather fails: its siblings are left running, or they finish first."""

import asyncio

finished = []


async def fetch(number):
    await asyncio.sleep(0.01 * number)
    if number == 1:
        raise ValueError(number)
    finished.append(number)
    return number


async def fetch_all():
    values = await asyncio.gather(*[fetch(number) for number in range(1, 5)])
    return sum(values)


async def main():
    try:
        await fetch_all()
    except ValueError as error:
        # The first error is still raised, and it is the same one.
        assert error.args == (1,), error
    else:
        raise AssertionError("the error is gone")
    print("cured" if finished == [2, 3, 4] else "pitfall")
    await asyncio.sleep(0.1)


asyncio.run(main())
