"""A script that calls its asynchronous `main` runs nothing of it."""

import warnings

# The interpreter complains about a coroutine that nobody awaited; this program says it itself.
warnings.simplefilter("ignore", RuntimeWarning)

done = []


async def step(name):
    done.append(name)


async def main(*names):
    for name in names:
        await step(name)


if __name__ == "__main__":
    main("a", "b")
    print("cured" if done == ["a", "b"] else "pitfall")
