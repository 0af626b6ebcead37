"""A request handler calls a function that blocks, and with it all others; --awaited lets them go on. It
begins at SIGUSR1 and has been done three times at DONE."""
import asyncio
import signal
import sys
import time


async def fetch_report():
    if "--awaited" in sys.argv:
        await asyncio.sleep(0.3)
    else:
        time.sleep(0.3)  # LINE: blocks


async def health():
    while True:
        await asyncio.sleep(0.01)


async def main():
    start = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, start.set)
    checks = asyncio.create_task(health(), name="health")
    print("READY", flush=True)
    await start.wait()
    for _ in range(3):
        await asyncio.create_task(fetch_report(), name="report")
        await asyncio.sleep(0.05)
    print("DONE", flush=True)
    await checks


asyncio.run(main())
