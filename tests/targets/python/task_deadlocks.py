"""Tasks that wait for each other for ever, one way for each option; --healthy does the same so that it
ends, again and again. A ticker on the same loop shows that the loop lives; with --serve SOCKET it answers GET
/health there, too."""
import asyncio
import contextlib
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
left = right = units = three = None
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


async def parent_of_group():
    if healthy:
        async with left:
            await asyncio.sleep(0.001)
    async with left if not healthy else contextlib.nullcontext():
        async with asyncio.TaskGroup() as group:  # LINE: parent of group waits
            group.create_task(child(), name="child")
            group.create_task(asyncio.sleep(0), name="other")


async def parent_of_all():
    async with left if not healthy else contextlib.nullcontext():
        await asyncio.wait([named(child(), "child"), named(asyncio.sleep(0), "other")])  # LINE: parent of all waits


async def parent_of_first():
    async with left:
        waiting = [named(child(), "child"), named(child(), "child-2")]
        if healthy:  # one of them goes on
            waiting.append(named(asyncio.sleep(0.001), "other"))
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)  # LINE: parent of first waits
    if healthy:
        await asyncio.wait(waiting)


async def take_of_three():
    async with three:
        await asyncio.sleep(0.001 if healthy else 0.1)
        if not healthy:
            async with three:  # LINE: another of three
                pass


async def three_takers():
    await asyncio.gather(*(named(take_of_three(), f"taker-{i}") for i in range(9 if healthy else 3)))


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


async def answer(reader, writer):
    """One HTTP request after another, on a connection that stays open."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()


async def busy():
    while True:  # the loop never sleeps
        await asyncio.sleep(0)


async def main():
    global left, right, units, three
    if left is None:
        left, right, units = Lock(), Lock(), Semaphore(1)  # a limiter of anyio 3 asks for the loop
    three = Semaphore(3)
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
    if "--group" in sys.argv:
        keep.append(parent_of_group)
    if "--wait-all" in sys.argv:
        keep.append(parent_of_all)
    if "--wait-first" in sys.argv:
        keep.append(parent_of_first)
    if "--three" in sys.argv:
        keep.append(three_takers)
    if "--timeout" in sys.argv:
        keep.append(parent_with_timeout)
    if "--scope" in sys.argv:
        keep.append(parent_in_scope)
    if "--shield" in sys.argv:
        keep.append(in_shield)
    if "--serve" in sys.argv:
        await asyncio.start_unix_server(answer, sys.argv[sys.argv.index("--serve") + 1])
    if healthy:
        tasks = [named(again(*keep), "again")]
    else:
        tasks = [named(function(), function.__name__) for function in keep]
    await asyncio.sleep(0.3)
    print("READY", flush=True)
    await asyncio.gather(ticking, *tasks)


asyncio.run(main())
