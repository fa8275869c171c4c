"""A thousand coroutines at once, or at most a hundred: all of them run, and the results are in order."""

import asyncio

running = 0
most = 0
evaluated = []


async def work(number, factor):
    global running, most
    running += 1
    most = max(most, running)
    await asyncio.sleep(0)
    running -= 1
    return number * factor


def argument(number):
    evaluated.append(number)
    return number


async def main():
    # Debug mode notes where each task was made, and complains about the time that takes.
    asyncio.get_running_loop().set_debug(False)
    await asyncio.sleep(0)
    jobs = [work(argument(number), 2) for number in range(1000)]
    # Everything is evaluated before the first of them starts, once and in order.
    assert evaluated == list(range(1000))
    results = await asyncio.gather(*jobs)
    assert results == [2 * number for number in range(1000)]
    assert evaluated == list(range(1000))
    print("cured" if most == 100 else "pitfall")


asyncio.run(main())
