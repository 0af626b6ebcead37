"""Two tasks, or two threads, in one session of SQLAlchemy's, each in a query that takes long; or one in a query of a
connection of asyncpg's that the other closes. argv: the directory of the server's socket; async, sync or connection.
--healthy: each has one of its own."""
import asyncio
import sys
import threading
import time

import asyncpg
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

server, mode = sys.argv[1:3]
healthy = "--healthy" in sys.argv
begin, slow = sqlalchemy.text("select 1"), sqlalchemy.text("select pg_sleep(1000)")


async def load(session):
    await session.execute(slow)  # LINE: task is inside


async def tasks():
    engine = create_async_engine(f"postgresql+asyncpg://postgres@/postgres?host={server}")
    shared = AsyncSession(engine)
    await shared.execute(begin)  # it has its connection
    loads = [asyncio.create_task(load(AsyncSession(engine) if healthy else shared), name=f"load-{i}")
             for i in range(2)]
    await asyncio.sleep(1)
    print("READY", flush=True)
    await asyncio.gather(*loads)


# A server that goes on when it is told to cancel: who closes the connection waits for it. (asyncpg itself refuses all
# other calls.)
STUBBORN = """do $$ begin loop
begin perform pg_sleep(1000); exception when query_canceled then null; end;
end loop; end $$"""


async def report(connection):
    await connection.execute(STUBBORN)  # LINE: connection is inside


async def close(connection, own):
    sleeps = "select wait_event = 'PgSleep' from pg_stat_activity where pid = $1"
    while not await own.fetchval(sleeps, connection.get_server_pid()):  # until the other's query runs
        await asyncio.sleep(0.01)
    closing.set()
    await connection.close()  # LINE: closes the connection


async def connections():
    global closing
    closing = asyncio.Event()
    shared, own = [await asyncpg.connect(host=server, user="postgres", database="postgres") for _ in range(2)]
    others = [report(own), report(shared)] if healthy else [report(shared), close(shared, own)]
    tasks = [asyncio.create_task(other, name=f"load-{i}") for i, other in enumerate(others)]
    if not healthy:
        await closing.wait()
    await asyncio.sleep(1)
    print("READY", flush=True)
    await asyncio.gather(*tasks)


def load_in_thread(session):
    session.execute(slow)  # LINE: thread is inside


def threads():
    engine = sqlalchemy.create_engine(f"postgresql+psycopg2://postgres@/postgres?host={server}")
    shared = Session(engine)
    shared.execute(begin)
    for i in range(2):
        threading.Thread(target=load_in_thread, args=[Session(engine) if healthy else shared], name=f"load-{i}",
                         daemon=True).start()
    time.sleep(1)
    print("READY", flush=True)
    time.sleep(1000)


if mode == "sync":
    threads()
else:
    asyncio.run(tasks() if mode == "async" else connections())
