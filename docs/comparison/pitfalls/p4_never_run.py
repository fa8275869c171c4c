import asyncio


async def main() -> None:
    await asyncio.sleep(0.1)
    print("done")


if __name__ == "__main__":
    main()
