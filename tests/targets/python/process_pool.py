"""Who waits for a call that a worker process makes: some have a worker or are next, and never end, the others are
queued behind them. argv: thread (by .result()) or task (by run_in_executor). --healthy: the same calls, which end,
again and again."""
import asyncio
import concurrent.futures
import multiprocessing
import sys
import threading
import time

kind = sys.argv[1]
healthy = "--healthy" in sys.argv
SIZE = 2
CALLS = 8  # more than the two that run and the three that the executor hands out ahead


def convert(seconds):
    time.sleep(seconds)


def call(executor):
    executor.submit(convert, seconds()).result()  # LINE: result


async def task_call(executor):
    await asyncio.get_running_loop().run_in_executor(executor, convert, seconds())  # LINE: in executor


def seconds():
    return 0.001 if healthy else 1000


def again(executor):
    call(executor)
    while healthy:
        call(executor)


async def task_again(executor):
    await task_call(executor)
    while healthy:
        await task_call(executor)


def all_wait(executor):
    """A call is handed out once its future says that it runs."""
    items = list(executor._pending_work_items.values())
    return len(items) == CALLS and sum(item.future.running() for item in items) > SIZE


async def main(executor):
    waiting = [asyncio.create_task(task_again(executor), name=f"convert-{i}") for i in range(CALLS)]
    if not healthy:
        while not all_wait(executor):
            await asyncio.sleep(0.01)
    print("READY", flush=True)
    await asyncio.gather(*waiting)


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    with concurrent.futures.ProcessPoolExecutor(SIZE) as executor:
        executor.submit(int).result()
        for pid in executor._processes:
            print(f"WORKER {pid}", flush=True)
        if kind == "task":
            asyncio.run(main(executor))
        for i in range(CALLS):
            threading.Thread(target=again, args=(executor,), name=f"convert-{i}").start()
        if not healthy:
            while not all_wait(executor):
                time.sleep(0.01)
        print("READY", flush=True)
        while True:
            time.sleep(0.1)
