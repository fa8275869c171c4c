"""A comprehension over an asynchronous iterator: any of its clauses, with the same order of values."""

import asyncio


class Lines:
    def __init__(self, text):
        self.lines = iter(text.splitlines())

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        for line in self.lines:
            return line
        raise StopAsyncIteration


async def collect():
    words = [word for text in ["a b\nc", "d"] for line in Lines(text) for word in line.split()]
    lengths = {line: len(line) for line in Lines("x\nyy")}
    return words, lengths, {line for line in Lines("z\nz")}


def outcome():
    try:
        return asyncio.run(collect())
    except TypeError:
        return None


expected = (["a", "b", "c", "d"], {"x": 1, "yy": 2}, {"z"})
print("cured" if outcome() == expected else "pitfall")
