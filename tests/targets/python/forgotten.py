"""Exceptions that nobody asks for and coroutines that nobody awaits, one way for each option; --healthy does
what looks like it and is not, again and again."""
import asyncio
import sys

running = []
pending = []
by_name = {}
results = []


class Runner:
    def __init__(self):
        self.background = None
        self.jobs = []


runner = Runner()


async def sync_stock():
    await asyncio.sleep(0.01)
    fetch_stock()


def fetch_stock():
    raise ConnectionResetError(104, "Connection reset by peer")  # LINE: stock fails


async def refresh(number):
    await asyncio.sleep(0.01)
    raise ValueError(f"price {number:d} of -1")  # LINE: price fails


async def send_mail(to):  # LINE: send_mail
    await asyncio.sleep(to)


async def clean_up():  # LINE: clean_up
    pass


async def fails():
    raise KeyError("k")


async def for_ever():
    await asyncio.get_running_loop().create_future()


async def swallow():
    running.append(asyncio.create_task(sync_stock(), name="sync-stock"))
    runner.background = asyncio.create_task(refresh(7), name="refresh")  # LINE: refresh created
    future = asyncio.get_running_loop().create_future()
    future.set_exception(RuntimeError("nobody"))
    by_name["future"] = future


async def wait_with_failed_workers():
    workers = [asyncio.create_task(refresh(1), name=f"worker-{i}") for i in range(3)]
    await for_ever()
    await asyncio.gather(*workers)


async def never_await():
    pending.extend(send_mail(i) for i in range(3))
    by_name["cleaner"] = clean_up()
    runner.jobs.append(clean_up())


# Healthy from here on.

async def limited(semaphore, coroutine):
    async with semaphore:
        return await coroutine


async def one_after_the_other():
    for coroutine in [send_mail(0.001) for _ in range(50)]:
        await coroutine
    waiting = [send_mail(0.001) for _ in range(50)]
    while waiting:
        await waiting.pop()


async def through_a_semaphore():
    semaphore = asyncio.Semaphore(2)
    await asyncio.gather(*(limited(semaphore, send_mail(0.001)) for _ in range(50)))


async def through_a_queue():
    queue = asyncio.Queue()

    async def work():
        while (coroutine := await queue.get()) is not None:
            await coroutine

    worker = asyncio.create_task(work())
    for _ in range(50):
        queue.put_nowait(send_mail(0.001))
    queue.put_nowait(None)
    await worker


async def asked_for():
    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    results[:] = [task, task.exception()]
    cancelled = asyncio.create_task(for_ever())
    await asyncio.sleep(0)
    cancelled.cancel()
    results.append(cancelled)
    results.extend(await asyncio.gather(fails(), fails(), return_exceptions=True))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            group.create_task(for_ever())
    except* KeyError:
        pass


async def waited_for():
    done, _ = await asyncio.wait([asyncio.create_task(fails()), asyncio.create_task(send_mail(0.05))])
    for task in done:
        results.append(task.exception())
    del results[10:]


async def from_a_thread():
    loop = asyncio.get_running_loop()

    def submit():
        for _ in range(5):
            asyncio.run_coroutine_threadsafe(send_mail(0.001), loop).result()

    await loop.run_in_executor(None, submit)


async def again(function):
    while True:
        await function()
        await asyncio.sleep(0.01)


async def main():
    if "--swallowed" in sys.argv:
        await swallow()
    if "--workers" in sys.argv:
        running.append(asyncio.create_task(wait_with_failed_workers(), name="main-of-workers"))
    if "--never" in sys.argv:
        await never_await()
    if "--healthy" in sys.argv:
        for function in (one_after_the_other, through_a_semaphore, through_a_queue, asked_for, waited_for,
                         from_a_thread):
            running.append(asyncio.create_task(again(function), name=function.__name__))
    await asyncio.sleep(0.2)
    print("READY", flush=True)
    while True:
        await asyncio.sleep(0.1)


asyncio.run(main(), debug="--debug" in sys.argv)
