"""A FastAPI service over SQLAlchemy and a PostgreSQL server, whose requests have a session and open
another; argv: the directory of the server's socket, async or sync. --healthy: requests that need one.
It asks itself for more requests at once than its pool has connections; a ticker shows that the loop lives."""
import asyncio
import contextlib
import sys

import fastapi
import sqlalchemy
import uvicorn
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

server, mode = sys.argv[1:3]
healthy = "--healthy" in sys.argv
SIZE = 2
app = fastapi.FastAPI()
sizes = {"pool_size": 1, "max_overflow": SIZE - 1, "pool_timeout": 600}
if mode == "async":
    engine = create_async_engine(f"postgresql+asyncpg://postgres@/postgres?host={server}", **sizes)
    sessions = sessionmaker(engine, class_=AsyncSession)
else:
    engine = sqlalchemy.create_engine(f"postgresql+psycopg2://postgres@/postgres?host={server}", **sizes)
    sessions = sessionmaker(engine)
count = sqlalchemy.text("select 1")


async def get_session():
    session = sessions()
    try:
        yield session
    finally:
        await session.close()


def get_sync_session():
    session = sessions()
    try:
        yield session
    finally:
        session.close()


async def load_customer():
    async with sessions() as session:
        await session.execute(count)  # LINE: async another


def load_sync_customer():
    with sessions() as session:
        session.execute(count)  # LINE: sync another


if mode == "async":
    @app.get("/orders/{order}")
    async def list_orders(order: int, session: AsyncSession = fastapi.Depends(get_session)):
        await session.execute(count)
        if not healthy:
            await asyncio.sleep(0.3)
            await load_customer()  # LINE: async order holds
        return {}

    @app.get("/report")
    async def report():
        async with sessions() as session:
            await session.execute(count)  # LINE: async queued
        return {}
else:
    @app.get("/orders/{order}")
    def list_orders(order: int, session: Session = fastapi.Depends(get_sync_session)):
        session.execute(count)
        if not healthy:
            import time
            time.sleep(0.3)
            load_sync_customer()  # LINE: sync order holds
        return {}

    @app.get("/report")
    def report():
        with sessions() as session:
            session.execute(count)  # LINE: sync queued
        return {}


async def get(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    await reader.read()
    writer.close()


async def again(port, path):
    while True:
        await get(port, path)


async def ticker():
    while True:
        await asyncio.sleep(0.1)


async def main():
    service = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", loop="asyncio"))
    serving = asyncio.create_task(service.serve(), name="serve")
    while not service.started:
        await asyncio.sleep(0.01)
    port = service.servers[0].sockets[0].getsockname()[1]
    tasks = [asyncio.create_task(ticker(), name="ticker")]
    make = again if healthy else get
    tasks += [asyncio.create_task(make(port, f"/orders/{i}"), name=f"client-{i}") for i in range(SIZE)]
    await asyncio.sleep(0.15 if not healthy else 0.5)
    if not healthy:
        tasks += [asyncio.create_task(get(port, "/report"), name=f"reader-{i}") for i in range(3)]
        await asyncio.sleep(0.6)
    print("READY", flush=True)
    await asyncio.gather(serving, *tasks)


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
