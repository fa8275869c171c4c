"""What is bound to one event loop is used in a loop and in two helpers: there is one event loop for all."""

import asyncio


class Press:
    def __init__(self):
        self.lock = asyncio.Lock()

    async def stamp(self, sheet):
        async with self.lock:
            await asyncio.sleep(0)
            return sheet

    async def both_sides(self, sheet):
        return await asyncio.gather(self.stamp(sheet), self.stamp(-sheet), return_exceptions=True)


def print_all(press, sheets):
    return [await press.both_sides(sheet) for sheet in sheets]


def print_one(press, sheet):
    return await press.both_sides(sheet)


def main():
    press = Press()
    printed = [*print_all(press, [1, 2]), print_one(press, 3)]
    print("cured" if printed == [[1, -1], [2, -2], [3, -3]] else printed)


if __name__ == "__main__":
    main()
