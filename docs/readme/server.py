import asyncio
import time


async def poll(urls):
    time.sleep(1)
    pages = await asyncio.gather(*[fetch(url) for url in urls])
    return pages


async def on_message(message):
    asyncio.create_task(store(message))
