"""As many tasks as the argument says: a tenth of them queue for one lock, the others wait below parents."""
import asyncio
import sys


async def queues(lock):
    async with lock:  # LINE: queues
        pass


async def holds(lock):
    async with lock:
        await sleeps()


async def sleeps():
    await asyncio.sleep(10000)  # LINE: sleeps


async def parent():
    await asyncio.gather(*(asyncio.create_task(sleeps()) for _ in range(8)))  # LINE: parent


async def main():
    count = int(sys.argv[1])
    lock = asyncio.Lock()
    keep = [asyncio.create_task(holds(lock), name="holder")]
    await asyncio.sleep(0)
    keep += [asyncio.create_task(queues(lock)) for _ in range(count // 10)]
    keep += [asyncio.create_task(parent()) for _ in range(count // 10)]
    await asyncio.sleep(0.3)
    print("READY", flush=True)
    await asyncio.gather(*keep)


asyncio.run(main())
