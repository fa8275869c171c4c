"""A command that takes its time: its result, its errors and its limit are as before, and the heart goes on beating."""

import asyncio
import subprocess
import sys
import time


async def heartbeat(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


SLEEP = [sys.executable, "-c", "import time; time.sleep(0.3); print('done')"]

order = []


def noted(value):
    order.append(value)
    return value


async def run():
    done = subprocess.run(noted(SLEEP), capture_output=noted(True), check=True, text=True)
    try:
        subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True)
    except subprocess.CalledProcessError as error:
        code = error.returncode
    try:
        subprocess.run(SLEEP, timeout=0.05, capture_output=True)
    except subprocess.TimeoutExpired:
        code += 1
    return done.stdout.strip(), code


async def main():
    beats = []
    heart = asyncio.ensure_future(heartbeat(beats))
    await asyncio.sleep(0)
    assert await run() == ("done", 4)
    assert order == [SLEEP, True], order
    heart.cancel()
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
