"""What goes wrong in one of them arrives as it did, and the time limit of each is its own."""

import asyncio

running = 0
most = 0


async def work(number, seconds=0.01):
    global running, most
    running += 1
    most = max(most, running)
    try:
        await asyncio.sleep(seconds)
        if number == 3:
            raise KeyError(number)
        return number
    finally:
        running -= 1


async def main():
    # Debug mode notes where each task was made, and complains about the time that takes.
    asyncio.get_running_loop().set_debug(False)
    await asyncio.sleep(0)
    results = await asyncio.gather(
        *[work(number) for number in range(300)], return_exceptions=True
    )
    assert [type(result) for result in results[:5]] == [int, int, int, KeyError, int]
    first = most
    # Three rounds of a hundred take longer than the limit of one.
    results = await asyncio.gather(
        *(asyncio.wait_for(work(number, 0.3), 0.6) for number in range(300, 600))
    )
    assert results == list(range(300, 600))
    try:
        await asyncio.gather(*(work(number) for number in range(200)))
    except KeyError as error:
        assert error.args == (3,)
    else:
        raise AssertionError("the error is gone")
    print("cured" if first == most == 100 else "pitfall")


asyncio.run(main())
