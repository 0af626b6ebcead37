"""Two tasks, or two threads, in one session of SQLAlchemy's, each in a query that takes long. argv: the directory
of the server's socket; async or sync. --healthy: each has a session of its own."""
import asyncio
import sys
import threading
import time

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


asyncio.run(tasks()) if mode == "async" else threads()
