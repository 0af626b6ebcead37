"""Tasks that have a unit of a pool of the program's own and ask it for another. Nothing is called a pool, nothing
lists what is in use, and nobody uses a with statement. argv: what who waits is woken by, and the kind of program:
knot, exhausted (who has them sleeps), healthy (as busy, with one left), work (the same class as a queue of work). --growing: of an exhausted one ever more
wait."""
import asyncio
import collections
import contextlib
import sys

by, kind = sys.argv[1:3]
SIZE = 2


class Plate:
    async def fill(self):
        await asyncio.sleep(0)


class ByCondition:
    def __init__(self, things):
        self.changed = asyncio.Condition()
        self.rack = list(things)

    async def take(self):
        async with self.changed:
            while not self.rack:
                await self.changed.wait()
            return self.rack.pop()

    async def give(self, thing):
        async with self.changed:
            self.rack.append(thing)
            self.changed.notify()


class ByFuture:
    def __init__(self, things):
        self.hungry = collections.deque()
        self.rack = collections.deque(things)

    async def take(self):
        while not self.rack:
            turn = asyncio.get_running_loop().create_future()
            self.hungry.append(turn)
            await turn
        return self.rack.popleft()

    async def give(self, thing):
        self.rack.append(thing)
        while self.hungry:
            turn = self.hungry.popleft()
            if not turn.done():
                turn.set_result(None)
                break


class ByQueue:
    def __init__(self, things):
        self.rack = asyncio.Queue()
        for thing in things:
            self.rack.put_nowait(thing)

    async def take(self):
        return await self.rack.get()

    async def give(self, thing):
        self.rack.put_nowait(thing)


class BySemaphore:
    def __init__(self, things):
        self.rack = list(things)
        self.left = asyncio.Semaphore(len(self.rack))

    async def take(self):
        await self.left.acquire()
        return self.rack.pop()

    async def give(self, thing):
        self.rack.append(thing)
        self.left.release()


# With a with statement after all: who has it is in the middle of a generator.
class ByGenerator(ByCondition):
    @contextlib.asynccontextmanager
    async def borrowed(self):
        thing = await self.take()
        try:
            yield thing
        finally:
            await self.give(thing)


Kitchen = {"condition": ByCondition, "future": ByFuture, "queue": ByQueue, "semaphore": BySemaphore,
           "generator": ByGenerator}[by]


async def wash(kitchen):
    plate = await kitchen.take()  # LINE: another
    await plate.fill()
    await kitchen.give(plate)


async def cook(kitchen, together):
    plate = await kitchen.take()
    try:
        await plate.fill()
        await together.wait()
        await wash(kitchen)  # LINE: holds
    finally:
        await kitchen.give(plate)


async def cook_with(kitchen, together):
    async with kitchen.borrowed() as plate:
        await plate.fill()
        await together.wait()
        await wash(kitchen)  # LINE: holds by with


async def serve(kitchen):
    plate = await kitchen.take()  # LINE: queued
    await plate.fill()
    await kitchen.give(plate)


async def feast(kitchen):
    plate = await kitchen.take()
    await asyncio.sleep(1000)  # LINE: feasts
    await kitchen.give(plate)


# One that failed is done again: it comes back, but it is no unit.
async def worker(kitchen, busy):
    while True:
        job = await kitchen.take()
        try:
            await job.fill()
            busy.set()
            await asyncio.sleep(1000)
        except ValueError:
            await kitchen.give(job)


async def careful_worker(kitchen, busy):
    while True:
        job = await kitchen.take()
        await job.fill()
        busy.set()
        if not await asyncio.sleep(1000, True):
            await kitchen.give(job)


async def maker(kitchen):
    while True:
        await asyncio.sleep(1000)
        await kitchen.give(Plate())


async def again(function, *arguments):
    while True:
        await function(*arguments)


async def ticker():
    while True:
        await asyncio.sleep(0.1)


async def until_queued(kitchen, count):
    waiting = {"condition": lambda: len(kitchen.changed._waiters), "generator": lambda: len(kitchen.changed._waiters),
               "future": lambda: len(kitchen.hungry), "queue": lambda: len(kitchen.rack._getters),
               "semaphore": lambda: len(kitchen.left._waiters or ())}[by]
    while waiting() < count:
        await asyncio.sleep(0.01)


def named(coroutine, name):
    return asyncio.create_task(coroutine, name=name)


async def arrive(kitchen):
    guests = []
    while len(guests) < 1000:
        await asyncio.sleep(0.2)
        guests.append(named(serve(kitchen), f"guest-{len(guests)}"))
    await asyncio.gather(*guests)


async def main():
    kitchen = Kitchen([] if kind == "work" else [Plate() for _ in range(SIZE)])
    tasks = [named(ticker(), "ticker")]
    if kind == "work":
        busy = asyncio.Event()
        work = careful_worker if "--careful" in sys.argv else worker
        tasks += [named(work(kitchen, busy), f"worker-{i}") for i in range(3)]
        if "--made" in sys.argv:
            tasks += [named(maker(kitchen), "maker")]
        await until_queued(kitchen, 3)
        await kitchen.give(Plate())
        await busy.wait()
    elif kind == "healthy":
        one_left = asyncio.Semaphore(SIZE - 1)
        done = asyncio.Event()
        done.set()

        async def limited():
            async with one_left:
                await cook(kitchen, done)
        tasks += [named(again(limited), f"cook-{i}") for i in range(4)]
        tasks += [named(again(serve, kitchen), f"serve-{i}") for i in range(3)]
        await asyncio.sleep(0.3)
    elif kind == "exhausted":
        tasks += [named(feast(kitchen), f"feast-{i}") for i in range(SIZE)]
        await asyncio.sleep(0.05)
        tasks += [named(serve(kitchen), f"serve-{i}") for i in range(3)]
        await until_queued(kitchen, 3)
        if "--growing" in sys.argv:
            tasks += [named(arrive(kitchen), "door")]
    else:
        together = asyncio.Event()
        one = cook_with if by == "generator" else cook
        tasks += [named(one(kitchen, together), f"cook-{i}") for i in range(SIZE)]
        await asyncio.sleep(0.05)
        together.set()
        await until_queued(kitchen, SIZE)
        tasks += [named(serve(kitchen), f"serve-{i}") for i in range(3)]
        await until_queued(kitchen, SIZE + 3)
    print("READY", flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
