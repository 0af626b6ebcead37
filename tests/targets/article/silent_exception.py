"""A task fails and nobody awaits it; --retrieved asks it for its exception."""
import asyncio
import sys


async def sync_stock():
    await asyncio.sleep(0)
    raise ConnectionResetError("stock: connection reset by peer")  # LINE: fails


async def main():
    task = asyncio.create_task(sync_stock(), name="sync-stock")
    await asyncio.sleep(0.1)
    if "--retrieved" in sys.argv:
        task.exception()
    print("READY", flush=True)
    await asyncio.sleep(1000)


asyncio.run(main())
