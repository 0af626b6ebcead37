"""A task that never gives the loop back, and holds the GIL all the time."""
import asyncio
import sys
import threading

lock = threading.Lock()


def spin():
    while True:
        pass


async def step():
    spin()


async def blocker():
    with lock:
        await step()


async def ready():
    pass


async def main():
    tasks = [asyncio.create_task(f(), name=f.__name__) for f in (blocker, ready)]
    print("READY", flush=True)
    await asyncio.wait(tasks)


sys.setswitchinterval(1000)
asyncio.run(main())
