"""Each request keeps its user in a threading.local, and finds another's after an await; --contextvars
keeps it where each task has its own."""
import asyncio
import contextvars
import sys
import threading

request = threading.local()
current_user = contextvars.ContextVar("current_user")


async def handle(user):
    request.user = user
    await asyncio.sleep(1000)  # LINE: others run
    assert request.user == user  # LINE: reads


async def handle_in_context(user):
    current_user.set(user)
    await asyncio.sleep(1000)
    assert current_user.get() == user


async def main():
    function = handle_in_context if "--contextvars" in sys.argv else handle
    tasks = [asyncio.create_task(function(user), name=user) for user in ("alice", "bob")]
    await asyncio.sleep(0.1)
    print("READY", flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
