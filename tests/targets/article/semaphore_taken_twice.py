"""A function inside Semaphore(1) calls another that takes the same semaphore."""
import asyncio

limit = asyncio.Semaphore(1)


async def fetch():
    async with limit:  # LINE: takes it again
        return "rows"


async def refresh():
    async with limit:
        return await fetch()  # LINE: calls while it holds it


async def main():
    task = asyncio.create_task(refresh(), name="refresh")
    await asyncio.sleep(0.1)
    print("READY", flush=True)
    await task


asyncio.run(main())
