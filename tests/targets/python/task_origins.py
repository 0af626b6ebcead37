"""Tasks made in every way there is; each waits for ever. With --debug it makes them at once and
says what asyncio's debug mode knows of where: 'MADE name function:file:line ...', innermost first.
Without, it makes them on SIGUSR1.
"""

import asyncio
import os
import signal
import sys
import threading

DEBUG = "--debug" in sys.argv
kept = []


async def park(name=None):
    if name is not None:
        asyncio.current_task().set_name(name)
    await asyncio.Event().wait()


async def fail():
    raise ValueError("nobody asks")


def submit(name):
    kept.append(asyncio.create_task(park(), name=name))  # LINE: submit


def handle():
    submit("plain")  # LINE: handle


def dig(depth):
    if depth > 0:
        return dig(depth - 1)
    return asyncio.create_task(park(), name="deep")


class Job:
    class Task(asyncio.Task):
        def __init__(self, coroutine, **options):
            super().__init__(coroutine, **options)

    async def start(self):
        kept.append(Job.Task(park(), loop=asyncio.get_running_loop(), name="subclass"))


class Heir(asyncio.Task):
    """Its instances are initialized by Task's own function."""


async def gathered():
    await asyncio.gather(park("gathered-1"), park("gathered-2"))


async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(park(), name="grouped")


async def make():
    handle()
    kept.append(dig(40))
    await Job().start()
    kept.append(Heir(park(), name="heir", loop=asyncio.get_running_loop()))
    kept.append(asyncio.ensure_future(park("ensured")))
    kept.append(asyncio.create_task(gathered(), name="gathers"))
    kept.append(asyncio.create_task(grouped(), name="groups"))
    kept.append(asyncio.create_task(fail(), name="fails"))  # LINE: fails
    for task in [asyncio.create_task(park(), name="listed") for _ in range(1)]:
        kept.append(task)
    asyncio.get_running_loop().call_soon(submit, "of-a-handle")


async def elsewhere(ready):
    loop = asyncio.get_running_loop()
    kept.append(loop.create_task(park(), name="elsewhere"))
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
        kept.append(asyncio.create_task(park(), name="eager"))
    await asyncio.sleep(0.05)
    ready.set()
    await asyncio.Event().wait()


def tell():
    for task in {*kept, *asyncio.all_tasks()}:
        frames = [
            f"{frame.name}:{os.path.basename(frame.filename)}:{frame.lineno}"
            for frame in reversed(task._source_traceback)
        ]
        print("MADE", task.get_name(), *frames)
    print("END", flush=True)
    os._exit(0)


async def main():
    early = asyncio.create_task(park(), name="early")
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked.set)
    print("READY", flush=True)
    if not DEBUG:
        await asked.wait()
    await make()
    ready = threading.Event()
    threading.Thread(
        target=lambda: asyncio.run(elsewhere(ready), debug=DEBUG), daemon=True
    ).start()
    await asyncio.get_running_loop().run_in_executor(None, ready.wait)
    await asyncio.sleep(0.05)  # all wait by now
    if DEBUG:
        tell()
    print("MADE-ALL", flush=True)
    await early


asyncio.run(main(), debug=DEBUG)
