"""Reads rows, one by one."""
import asyncio

calls = []


def rows(count):
    for number in range(count):
        await asyncio.sleep(0)
        yield number


def load(key):
    calls.append(key)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return key.upper()
