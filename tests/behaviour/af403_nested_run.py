"""`asyncio.run` in a coroutine function raises; the loop that is there already runs the coroutine."""

import asyncio
import warnings

# The coroutine that was never run is complained about; this program says it itself.
warnings.simplefilter("ignore", RuntimeWarning)


async def double(number):
    await asyncio.sleep(0)
    return {"value": 2 * number}


async def main():
    total = 0
    for number in range(3):
        total += asyncio.run(double(number))["value"]
    return total + asyncio.run(double(number=4))["value"]


def outcome():
    try:
        return asyncio.run(main())
    except RuntimeError:
        return None


print("cured" if outcome() == 14 else "pitfall")
