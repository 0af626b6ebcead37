"""Tasks and threads that wait for each other for ever, one way for each option; --healthy does the same so
that it ends, again and again. --uvloop: on that loop."""
import asyncio
import concurrent.futures
import ctypes
import os
import sys
import threading
import time

healthy = "--healthy" in sys.argv
pause = 0.001 if healthy else 0.1
lock = threading.Lock()
pool = concurrent.futures.ThreadPoolExecutor(1, "pool")


def ready():
    os.write(1, b"READY\n")


def named(coroutine, name):
    return asyncio.create_task(coroutine, name=name)


async def answer(delay=0):
    await asyncio.sleep(delay)  # LINE: asked task waits
    return 1


def ask(loop, delay=0):
    return asyncio.run_coroutine_threadsafe(answer(delay), loop).result()  # LINE: asks the loop


async def own_loop():
    loop = asyncio.get_running_loop()
    if healthy:
        await loop.run_in_executor(None, ask, loop)
        return
    threading.Timer(0.3, ready).start()
    ask(loop)


async def keep_lock():
    with lock:
        await asyncio.sleep(pause)  # LINE: keeper waits


def take_lock():
    with lock:  # LINE: takes the lock
        pass


async def lock_of_task():
    keeper = named(keep_lock(), "keeper")
    await asyncio.sleep(0)
    if healthy:
        await asyncio.get_running_loop().run_in_executor(None, take_lock)
        await keeper
        return
    threading.Timer(0.3, ready).start()
    take_lock()


def hold_and_ask(loop, delay):
    with lock:
        ask(loop, delay)


async def cross(delay):
    loop = asyncio.get_running_loop()
    holder = threading.Thread(target=hold_and_ask, args=[loop, delay], name="holder")
    holder.start()
    if healthy:
        while holder.is_alive():
            await asyncio.sleep(pause)
        take_lock()
        return
    # Until the task is there, or without letting it begin.
    await asyncio.sleep(pause) if delay else time.sleep(pause)
    threading.Timer(0.3, ready).start()
    take_lock()


async def keep_lock_for_worker():
    loop = asyncio.get_running_loop()
    if healthy:
        await loop.run_in_executor(pool, take_lock)
        return
    with lock:
        await loop.run_in_executor(pool, take_lock)  # LINE: waits for the worker


async def worker():
    keeper = named(keep_lock_for_worker(), "keeper")
    if not healthy:
        threading.Timer(0.3, ready).start()
    while not keeper.done():  # the loop goes on
        await asyncio.sleep(pause)


mutex = ctypes.create_string_buffer(40)  # a pthread_mutex_t
releases, keeps = ctypes.CDLL(None), ctypes.PyDLL(None)  # the GIL, during a call


def mutex_then_gil():
    releases.pthread_mutex_lock(mutex)
    time.sleep(pause)  # LINE: wants the GIL
    releases.pthread_mutex_unlock(mutex)


def gil_then_mutex():
    time.sleep(pause / 2)
    (releases if healthy else keeps).pthread_mutex_lock(mutex)  # LINE: keeps the GIL
    releases.pthread_mutex_unlock(mutex)


async def gil():
    threads = [threading.Thread(target=function, name=function.__name__)
               for function in (mutex_then_gil, gil_then_mutex)]
    if not healthy:
        ready()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        await asyncio.sleep(pause)


ways = {"--own-loop": own_loop, "--lock-of-task": lock_of_task, "--cross": lambda: cross(0),
        "--cross-task": lambda: cross(0.001 if healthy else 100), "--worker": worker, "--gil": gil}


async def main():
    chosen = [ways[option] for option in sys.argv[1:] if option in ways]
    if healthy:
        ready()
    while True:
        for way in chosen:
            await way()


if "--uvloop" in sys.argv:
    import uvloop

    uvloop.install()
asyncio.run(main())
