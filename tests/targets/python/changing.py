"""Tasks that change once, a second after READY: one comes, one goes, one moves, one stays behind a lock; the program
ends two seconds later."""
import asyncio

lock = asyncio.Lock()
event = asyncio.Event()


async def hold():
    async with lock:
        await asyncio.sleep(1000)


async def stay():
    async with lock:  # LINE: stays
        pass


async def go():
    await event.wait()


async def move():
    await event.wait()
    await asyncio.sleep(500)  # LINE: moved


async def come():
    await asyncio.wait_for(asyncio.get_running_loop().create_future(), 700)  # LINE: comes


async def main():
    tasks = [asyncio.create_task(function(), name=function.__name__) for function in (hold, stay, go, move)]
    await asyncio.sleep(0.2)
    print("READY", flush=True)
    await asyncio.sleep(1)
    event.set()
    tasks.append(asyncio.create_task(come(), name="come"))
    await asyncio.sleep(2)
    for task in tasks:
        task.cancel()


asyncio.run(main())
