"""The value of a coroutine function, wanted by the plain function that a script starts with."""

import warnings

# The interpreter complains about a coroutine that nobody awaited; this program says it itself.
warnings.simplefilter("ignore", RuntimeWarning)


async def double(number):
    return 2 * number


def run():
    value = double(21)
    print("cured" if value == 42 else "pitfall")


if __name__ == "__main__":
    run()
