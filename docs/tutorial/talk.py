"""Starts the bot, and lets three users talk to it at the same time."""

import asyncio
import sys


async def ask(text):
    loop = asyncio.get_running_loop()
    start = loop.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", 8765)
    try:
        writer.write(text.encode() + b"\n")
        try:
            answer = (await asyncio.wait_for(reader.readline(), 5)).decode().strip()
        except asyncio.TimeoutError:
            answer = "(no answer)"
    finally:
        writer.close()
    return f"{text:6} {answer} ({loop.time() - start:.0f} s)"


async def talk():
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "bot.py", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    await bot.stdout.readline()
    users = [asyncio.create_task(ask("/wait"))]
    await asyncio.sleep(0.1)
    users += [asyncio.create_task(ask("hello")), asyncio.create_task(ask("/help"))]
    for user in users:
        print(await user)
    bot.terminate()
    await bot.wait()


asyncio.run(talk())
