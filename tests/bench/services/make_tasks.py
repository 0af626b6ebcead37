"""Makes tasks, as many as each line of its standard input says, and prints how many nanoseconds one
took to make (not to run), of CPU time."""

import asyncio
import sys
import time


async def work():
    pass


def submit(kept):
    kept.append(asyncio.create_task(work()))


def handle(count, kept):
    begin = time.thread_time_ns()
    for _ in range(count):
        submit(kept)
    return (time.thread_time_ns() - begin) / count


async def main():
    print("READY", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        kept = []
        print(handle(int(line), kept), flush=True)
        await asyncio.gather(*kept)


asyncio.run(main())
