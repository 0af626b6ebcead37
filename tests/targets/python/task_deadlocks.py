"""Tasks that wait for each other for ever, one way for each option; --healthy does the same so that it
ends, again and again. A ticker on the same loop shows that the loop lives."""
import asyncio
import sys

if "--scope" in sys.argv or "--shield" in sys.argv:
    import anyio
if "--anyio" in sys.argv or "--adapter" in sys.argv:
    from anyio import Lock, Semaphore
else:
    from asyncio import Lock, Semaphore
if "--limiter" in sys.argv:
    from anyio import CapacityLimiter

    def Lock():
        return CapacityLimiter(1)
if "--condition" in sys.argv:
    from anyio import Condition as Lock
if "--uvloop" in sys.argv:
    import uvloop
    uvloop.install()
left = right = units = None
if "--adapter" in sys.argv:  # anyio 4 makes the locks themselves once a loop runs
    left, right, units = Lock(), Lock(), Semaphore(1)
healthy = "--healthy" in sys.argv


async def hold_left():
    async with left:
        await asyncio.sleep(0.001 if healthy else 0.1)
        async with right:  # LINE: left waits
            pass


async def hold_right():
    if healthy:  # the same order as hold_left
        async with left:
            async with right:
                await asyncio.sleep(0.001)
        return
    async with right:
        await asyncio.sleep(0.1)
        async with left:  # LINE: right waits
            pass


async def bare_left():
    await left.acquire()
    await asyncio.sleep(0.001 if healthy else 0.1)
    await right.acquire()  # LINE: bare left waits
    right.release()
    left.release()


async def bare_right():
    if healthy:
        await bare_left()
        return
    await right.acquire()
    try:
        await asyncio.sleep(0.1)
        async with left:  # LINE: bare right waits
            pass
    finally:
        right.release()


async def take_unit(more):
    async with units:
        await asyncio.sleep(0.001)
        if more:
            await take_another()


async def take_another():
    async with units:  # LINE: unit waits
        pass


async def child():
    async with left:  # LINE: child waits
        pass


async def parent():
    if healthy:
        async with left:
            await asyncio.sleep(0.001)
        await asyncio.gather(named(child(), "child"), named(asyncio.sleep(0.001), "other"))
        return
    async with left:
        await asyncio.gather(named(child(), "child"), named(asyncio.sleep(0), "other"))  # LINE: parent waits


async def parent_with_timeout():
    async with left:
        async with asyncio.timeout(600):
            await named(child(), "child")  # LINE: timed parent waits


async def parent_in_scope():
    with anyio.move_on_after(600):
        async with left:
            if not healthy:
                async with anyio.create_task_group() as group:  # LINE: parent in scope waits
                    group.start_soon(child, name="child")
        async with anyio.create_task_group() as group:
            group.start_soon(child, name="child")


async def in_shield():
    with anyio.move_on_after(600):
        async with left:
            with anyio.CancelScope(shield=True):
                if not healthy:
                    await child()


def named(coroutine, name):
    return asyncio.create_task(coroutine, name=name)


async def again(*functions):
    while True:
        await asyncio.gather(*(function() for function in functions))


async def ticker():
    while True:
        await asyncio.sleep(0.1)


async def busy():
    while True:  # the loop never sleeps
        await asyncio.sleep(0)


async def main():
    global left, right, units
    if left is None:
        left, right, units = Lock(), Lock(), Semaphore(1)  # a limiter of anyio 3 asks for the loop
    ticking = named(busy() if "--busy" in sys.argv else ticker(), "ticker")
    keep = []
    if "--locks" in sys.argv:
        keep += [hold_left, hold_right]
    if "--bare" in sys.argv:
        keep += [bare_left, bare_right]
    if "--semaphore" in sys.argv:
        async def taker():
            await take_unit(not healthy)
        keep.append(taker)
    if "--gather" in sys.argv:
        keep.append(parent)
    if "--timeout" in sys.argv:
        keep.append(parent_with_timeout)
    if "--scope" in sys.argv:
        keep.append(parent_in_scope)
    if "--shield" in sys.argv:
        keep.append(in_shield)
    if healthy:
        tasks = [named(again(*keep), "again")]
    else:
        tasks = [named(function(), function.__name__) for function in keep]
    await asyncio.sleep(0.3)
    print("READY", flush=True)
    await asyncio.gather(ticking, *tasks)


asyncio.run(main())
