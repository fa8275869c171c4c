import asyncio


async def closes_manually(host: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, 80)
    line = await reader.readline()
    writer.close()
    return line


async def releases_manually(lock: asyncio.Lock) -> None:
    await lock.acquire()
    await asyncio.sleep(1)
    lock.release()
