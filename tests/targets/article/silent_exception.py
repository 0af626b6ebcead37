"""A task fails and nobody awaits it; --retrieved asks it for its exception."""
import asyncio
import sys


background = set()  # so that the task is not collected


async def sync_stock():
    await asyncio.sleep(0)
    raise ConnectionResetError("stock: connection reset by peer")  # LINE: fails


async def main():
    background.add(asyncio.create_task(sync_stock(), name="sync-stock"))
    await asyncio.sleep(0.1)
    if "--retrieved" in sys.argv:
        [failed] = background
        failed.exception()
        del failed
    print("READY", flush=True)
    await asyncio.sleep(1000)


asyncio.run(main())
