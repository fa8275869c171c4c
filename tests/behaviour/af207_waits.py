"""Waits with a limit give what they gave, and the heart goes on beating."""

import asyncio
import threading
import time


async def heartbeat(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


async def wait(thread: threading.Thread, ready: threading.Event):
    first = ready.wait(timeout=0.1)
    thread.join(5)
    return first, ready.wait(timeout=5)


async def main():
    beats = []
    heart = asyncio.ensure_future(heartbeat(beats))
    await asyncio.sleep(0)
    ready = threading.Event()


    def work():
        time.sleep(0.3)
        ready.set()


    thread = threading.Thread(target=work)
    thread.start()
    assert await wait(thread, ready) == (False, True)
    heart.cancel()
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
