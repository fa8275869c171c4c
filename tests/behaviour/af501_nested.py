"""A fan-out in a fan-out: neither waits for the other for ever."""

import asyncio

running = 0
most = 0


async def page(site, number):
    global running, most
    running += 1
    most = max(most, running)
    await asyncio.sleep(0)
    running -= 1
    return site, number


async def crawl(site):
    return await asyncio.gather(*(page(site, number) for number in range(120)))


async def crawl_all():
    return await asyncio.gather(*[crawl(site) for site in range(120)])


async def main():
    # Debug mode notes where each task was made, and complains about the time that takes.
    asyncio.get_running_loop().set_debug(False)
    await asyncio.sleep(0)
    sites = await asyncio.wait_for(crawl_all(), 60)
    assert sites == [[(site, number) for number in range(120)] for site in range(120)]
    print("cured" if most <= 100 * 100 else "pitfall")


asyncio.run(main())
