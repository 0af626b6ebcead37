"""Three operations under one limit; the second takes longer and is cancelled."""
import asyncio


async def operation(seconds):
    async with asyncio.timeout(600):  # LINE: the limit
        await asyncio.sleep(seconds)  # LINE: works


async def main():
    tasks = [asyncio.create_task(operation(seconds), name=f"operation {seconds}") for seconds in (300, 900, 400)]
    await asyncio.sleep(0.1)
    print("READY", flush=True)
    await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main())
