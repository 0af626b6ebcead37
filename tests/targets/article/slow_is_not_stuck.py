"""Three tasks that end soon and one that holds Semaphore(1) for long and works on: nobody is stuck."""
import asyncio

limit = asyncio.Semaphore(1)


async def quick(seconds):
    await asyncio.sleep(seconds)


async def slow():
    async with limit:
        for _ in range(6000):
            await asyncio.sleep(0.01)


async def main():
    tasks = [asyncio.create_task(quick(seconds), name=f"quick {seconds}") for seconds in (0, 0.05, 0.1)]
    tasks.append(asyncio.create_task(slow(), name="slow"))
    await asyncio.sleep(0.2)
    print("READY", flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
