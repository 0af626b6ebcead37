"""A callback works for long, so that nothing else of its loop goes on; --short works in small steps."""
import asyncio
import sys
import time

steps = 20 if "--short" in sys.argv else 1


async def resize_image():
    for _ in range(steps):
        end = time.monotonic() + 0.3 / steps
        while time.monotonic() < end:  # LINE: works
            pass
        await asyncio.sleep(0)


async def main():
    print("READY", flush=True)
    while True:
        await asyncio.create_task(resize_image(), name="resize")
        await asyncio.sleep(0.2)


asyncio.run(main())
