"""A background task holds a connection and asks the same exhausted pool for another; --timeout gives up
after a while, so that the failure can be seen."""
import asyncio
import sys

limit = 600 if "--timeout" in sys.argv else None


class Connection:
    async def fetch(self, what):
        await asyncio.sleep(0)
        return what


class Acquired:
    def __init__(self, pool):
        self.pool = pool
        self.connection = None

    async def __aenter__(self):
        self.connection = await self.pool.take()
        return self.connection

    async def __aexit__(self, *error):
        self.pool.give(self.connection)


class ConnectionPool:
    def __init__(self, size):
        self.max_size = size
        self.idle = asyncio.Queue()
        self.in_use = set()
        for _ in range(size):
            self.idle.put_nowait(Connection())

    def acquire(self):
        return Acquired(self)

    async def take(self):
        connection = await self.idle.get()
        self.in_use.add(connection)
        return connection

    def give(self, connection):
        self.in_use.remove(connection)
        self.idle.put_nowait(connection)


async def rates(pool):
    async with asyncio.timeout(limit):
        async with pool.acquire() as connection:  # LINE: asks for another
            return await connection.fetch("rates")


async def refresh_prices(pool):
    async with pool.acquire() as connection:
        await connection.fetch("prices")
        await asyncio.sleep(0.05)  # until both have one
        return await rates(pool)  # LINE: while it holds one


async def handle(pool):
    async with pool.acquire() as connection:  # LINE: queues
        return await connection.fetch("orders")


async def main():
    pool = ConnectionPool(2)
    tasks = [asyncio.create_task(refresh_prices(pool), name=f"refresh-{i}") for i in range(2)]
    await asyncio.sleep(0.1)
    tasks += [asyncio.create_task(handle(pool), name=f"request-{i}") for i in range(5)]
    await asyncio.sleep(0.1)
    print("READY", flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
