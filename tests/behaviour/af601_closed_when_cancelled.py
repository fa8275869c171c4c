"""A cancellation between opening and closing leaves the port taken."""

import asyncio

ports = []


async def serve():
    server = await asyncio.start_server(print, "127.0.0.1", 0)
    for socket in server.sockets:
        ports.append(socket.getsockname()[1])
    await asyncio.Event().wait()
    server.close()
    await server.wait_closed()


async def main():
    task = asyncio.create_task(serve())
    while not ports:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    # Whoever wants the port next.
    try:
        server = await asyncio.start_server(print, "127.0.0.1", ports[0])
    except OSError:
        print("pitfall")
    else:
        print("cured")
        server.close()
        await server.wait_closed()


asyncio.run(main())
