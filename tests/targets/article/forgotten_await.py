"""A coroutine is made and never awaited; --awaited awaits it."""
import asyncio
import sys

pending = []


async def send_mail(address):  # LINE: made
    await asyncio.sleep(0)


async def main():
    for i in range(3):
        coroutine = send_mail(f"user{i}@example.org")
        if "--awaited" in sys.argv:
            await coroutine
        else:
            pending.append(coroutine)
    del coroutine
    print("READY", flush=True)
    await asyncio.sleep(1000)


asyncio.run(main())
