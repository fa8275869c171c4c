"""Whatever way the function ends, the server is closed, and closed once."""

import asyncio

closed = []
close_of_server = asyncio.Server.close


def count(server):
    closed.append(server)
    close_of_server(server)


asyncio.Server.close = count


async def serve(end):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    await asyncio.sleep(0)
    if end == "early":
        server.close()
        await server.wait_closed()
        return
    if end == "error":
        raise ValueError
    await asyncio.sleep(0)
    server.close()
    await server.wait_closed()


async def main():
    times = []
    for end in ("early", "error", "late"):
        closed.clear()
        await asyncio.gather(serve(end), return_exceptions=True)
        times.append(len(closed))
    print("cured" if times == [1, 1, 1] else "pitfall")


asyncio.run(main())
