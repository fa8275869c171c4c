"""A chat bot: it answers messages, keeps a log of them, and looks up the weather. Try it with `nc 127.0.0.1 8765`."""

import asyncio
import logging
import time

logger = logging.getLogger("bot")
CITIES = ["Berlin", "Lima", "Osaka"]


async def look_up(city):
    """Stands for a request to a weather service."""
    await asyncio.sleep(0.2)
    if city == "Lima":
        raise ConnectionError("no answer for Lima")
    return f"{city}: {len(city) * 3} °C"


async def save(user, text):
    with open(f"{user}.log", "a") as file:
        file.write(text + "\n")


async def weather():
    reports = await asyncio.gather(*[look_up(city) for city in CITIES])
    return "\n".join(reports)


async def reply(writer, text):
    writer.write(text.encode() + b"\n")
    await writer.drain()


async def answer(writer, user, text):
    asyncio.create_task(save(user, text))
    if text == "/wait":
        time.sleep(3)
        await reply(writer, "that took a while")
    elif text == "/weather":
        await reply(writer, await weather())
    elif text == "/help":
        reply(writer, "/wait, /weather, /help")
    else:
        await reply(writer, f"you said: {text}")


async def serve_user(reader, writer):
    user = writer.get_extra_info("peername")[1]
    try:
        while line := await reader.readline():
            try:
                await answer(writer, user, line.decode().strip())
            except:
                logger.exception("no answer for %s", user)
    finally:
        writer.close()


async def report_load():
    while True:
        await asyncio.sleep(60)
        logger.info("%s tasks", len(asyncio.all_tasks()))


async def main():
    asyncio.create_task(report_load())
    server = await asyncio.start_server(serve_user, "127.0.0.1", 8765)
    print("listening")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
