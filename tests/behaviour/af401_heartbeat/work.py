import asyncio


def wait(seconds):
    await asyncio.sleep(seconds)
    await asyncio.sleep(seconds)
    return seconds


def waited(seconds):
    return wait(seconds) * 2
