"""Two in the middle of using what only one may use at a time, one way for each option; --healthy does
the same with a lock, or with one object each."""
import asyncio
import contextvars
import sqlite3
import sys
import threading
import time

healthy = "--healthy" in sys.argv
lock = asyncio.Lock()
request = threading.local()
user = contextvars.ContextVar("user")


class Session:
    async def execute(self, seconds):
        await asyncio.sleep(seconds)  # LINE: uses the session

    async def close(self):
        await asyncio.sleep(1000)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):  # as SQLAlchemy's AsyncSession
        await asyncio.shield(asyncio.create_task(self.close(), name="closing"))


class Audited(Session):
    pass


session = Audited()


async def load(seconds):
    mine = Audited() if healthy else session
    await mine.execute(seconds)  # LINE: shares


async def guarded():
    async with lock:
        await session.execute(1000)


async def leave():
    async with Audited():
        pass


async def handle(name):
    if healthy:
        user.set(name)
        await asyncio.sleep(1000)
        return user.get()
    request.user = name
    await asyncio.sleep(1000)  # LINE: loses its user
    return request.user  # LINE: reads its user


async def one_alone():
    request.trace = 1
    await asyncio.sleep(1000)
    return request.trace


async def main():
    tasks = []
    if "--session" in sys.argv:
        tasks = [asyncio.create_task(load(1000), name=f"load {i}") for i in range(2)]
        tasks += [asyncio.create_task(leave(), name="leave")]
        if healthy:
            tasks += [asyncio.create_task(guarded(), name=f"guarded {i}") for i in range(2)]
    if "--local" in sys.argv:
        tasks = [asyncio.create_task(handle(f"user {i}"), name=f"handle {i}") for i in range(3)]
        tasks += [asyncio.create_task(one_alone())]
    await asyncio.sleep(0.2)
    print("READY", flush=True)
    await asyncio.gather(*tasks)


class Ledger:
    """Of threads, by --exclusive-class."""

    def __init__(self):
        self.gate = threading.Event()

    def post(self):
        self.gate.wait()  # LINE: posts


def threads():
    shared = Ledger()
    ledgers = [Ledger(), Ledger()] if healthy else [shared, shared]
    started = [threading.Thread(target=lambda l=ledger: l.post(), name=f"poster-{i}") for i, ledger in enumerate(ledgers)]
    for thread in started:
        thread.start()
    print("READY", flush=True)
    for thread in started:
        thread.join()


def query(first_row):
    """Calls first_row() once, then counts for ever, in C."""
    return f"with recursive n(i) as (select {first_row}() union all select i + 1 from n) select count(*) from n"


def report(connection, first_row):
    cursor = connection.cursor()
    cursor.execute(query(first_row))  # LINE: reports


def audit(connection):
    connection.execute("select 1")  # LINE: audits


def query_guarded(connection, gate):
    while True:
        with gate:
            connection.execute("select nap()")


def again(connection):
    while True:
        audit(connection)


def think(connection):
    connection.execute("select ?", (time.sleep(1000),))  # it is not called yet


def sqlite():
    inside = threading.Event()

    def parked():
        inside.set()
        threading.Event().wait()

    def connect():
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.create_function("counting", 0, inside.set)
        connection.create_function("parked", 0, parked)
        connection.create_function("nap", 0, lambda: time.sleep(0.05))  # longer than most looks take
        return connection

    def named(name, function, *arguments):
        with open("/proc/thread-self/comm", "w") as comm:  # CPython does so from 3.14 on
            comm.write(name)
        function(*arguments)

    def start(name, function, *arguments):
        threading.Thread(target=named, args=(name, function, *arguments), name=name, daemon=True).start()

    shared, gate = connect(), threading.Lock()
    if healthy:
        start("report", report, connect(), "counting")
        inside.wait()
        for i in range(2):
            start(f"guarded-{i}", query_guarded, shared, gate)
        start("think", think, shared)
        start("again", again, connect())
        time.sleep(0.2)
    else:
        start("report", report, shared, "parked" if "--parked" in sys.argv else "counting")
        inside.wait()
        print("READY", flush=True)
        start("audit", audit, shared)  # with 3.14 it has the GIL while it waits for the connection
    print("READY", flush=True)
    while True:
        time.sleep(0.1)


if "--sqlite" in sys.argv:
    sqlite()
elif "--threads" in sys.argv:
    threads()
else:
    asyncio.run(main())
