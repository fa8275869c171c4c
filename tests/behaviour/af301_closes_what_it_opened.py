"""An endless loop that is cancelled leaves open what its function opened."""

import asyncio
import warnings

seen = []


async def answer(reader, writer):
    seen.append("opened")
    await reader.read()
    seen.append("closed")
    writer.close()


async def listen(port, kept):
    # The caller's list keeps the other half, so that no garbage collection closes the connection.
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    kept.append(reader)
    while True:
        writer.write(b"")
        await asyncio.sleep(0.01)


async def main():
    warnings.simplefilter("ignore", ResourceWarning)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kept = []
    task = asyncio.create_task(listen(port, kept))
    while not seen:
        await asyncio.sleep(0.01)
    task.cancel()
    done, _ = await asyncio.wait([task])
    await asyncio.sleep(0.05)
    print("cured" if "closed" in seen else "pitfall")
    server.close()


asyncio.run(main())
