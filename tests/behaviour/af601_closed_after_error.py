"""An error between opening and closing leaves the server's sockets open."""

import asyncio

sockets = []


async def serve():
    server = await asyncio.start_server(print, "127.0.0.1", 0)
    sockets.extend(server.sockets)
    await asyncio.sleep(0)
    if sockets:
        raise ValueError
    server.close()
    await server.wait_closed()


async def main():
    try:
        await serve()
    except ValueError:
        is_open = any(socket.fileno() != -1 for socket in sockets)
        print("pitfall" if is_open else "cured")


asyncio.run(main())
