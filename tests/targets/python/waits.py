"""Tasks that wait in each of asyncio's ways, and threads in with-blocks."""
import asyncio
import contextlib
import threading
import time

import truth

busy_lock = threading.Lock()
recursive = threading.RLock()
condition = threading.Condition()


def in_with_blocks():
    with recursive:
        for _ in [1]:
            with condition:
                time.sleep(10000)


def enters_lock():
    with recursive_of_other_thread():
        with busy_lock:  # LINE: enters
            pass


@contextlib.contextmanager
def recursive_of_other_thread():
    with named(threading.RLock(), "other_rlock"):
        yield


def waits_condition():
    idle = named(threading.Condition(), "idle")
    with idle:
        idle.wait()


def named(thing, name):
    truth.name_object(name, thing)
    keep.append(thing)
    return thing


keep = []


@contextlib.asynccontextmanager
async def connection(lock):
    async with lock:
        yield 5


async def numbers(lock):
    async with lock:
        yield 1
        await asyncio.sleep(10000)
        yield 2


async def task_holder(lock, semaphore):
    async with connection(lock), contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(semaphore)
        async with asyncio.timeout(9000):
            await named(asyncio.Event(), "event").wait()


async def task_lock(lock):
    async with lock:
        pass


async def task_semaphore(semaphore):
    async with semaphore:
        pass


async def task_generator(lock):
    async for _ in numbers(lock):
        pass


async def task_iterates(lock):
    async for _ in numbers(lock):
        await asyncio.sleep(10000)


async def child():
    await asyncio.sleep(10000)


async def task_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(child(), name="group_a")
        group.create_task(child(), name="group_b")


async def task_gather():
    await asyncio.gather(*(asyncio.create_task(child(), name=f"gather_{c}") for c in "ab"))


async def task_shield():
    await asyncio.shield(asyncio.create_task(child(), name="shielded"))


async def task_wait_all():
    await asyncio.wait([asyncio.create_task(child(), name="all_a")])


async def task_wait_any():
    await asyncio.wait([asyncio.create_task(child(), name=f"any_{c}") for c in "ab"],
                       return_when=asyncio.FIRST_COMPLETED, timeout=8000)


async def task_executor():
    await asyncio.to_thread(time.sleep, 10000)


async def task_queue():
    await named(asyncio.Queue(), "queue").get()


async def task_queue_full():
    queue = named(asyncio.Queue(1), "full_queue")
    await queue.put(1)
    await queue.put(2)


async def task_condition():
    waited_for = named(asyncio.Condition(), "condition")
    async with waited_for:
        await waited_for.wait()


async def task_condition_held(condition):
    async with condition:
        await child()


async def task_future(future):
    await future


async def task_of_task(task):
    await task


async def main():
    lock, other = named(asyncio.Lock(), "lock"), named(asyncio.Lock(), "other_lock")
    iterated = named(asyncio.Lock(), "iterated")
    semaphore = named(asyncio.Semaphore(1), "semaphore")
    held = named(asyncio.Condition(), "held_condition")
    truth.name_object("held_condition_lock", held._lock)
    future = named(asyncio.get_running_loop().create_future(), "future")
    base = asyncio.create_task(child(), name="child")
    coroutines = [task_holder(lock, semaphore), task_lock(lock), task_semaphore(semaphore),
                  task_generator(other), task_iterates(iterated), task_group(), task_gather(),
                  task_shield(), task_wait_all(), task_wait_any(), task_executor(), task_queue(),
                  task_queue_full(), task_condition(), task_condition_held(held),
                  task_future(future), task_of_task(base)]
    keep.append([asyncio.create_task(c, name=c.__qualname__) for c in coroutines])
    await asyncio.sleep(0.2)
    print("READY", flush=True)
    await child()


named(busy_lock, "busy_lock").acquire()
named(recursive, "rlock")
named(condition, "thread_condition")
truth.name_object("thread_condition_lock", condition._lock)
for function in (in_with_blocks, enters_lock, waits_condition):
    threading.Thread(target=function, daemon=True, name=function.__name__).start()
asyncio.run(main())
