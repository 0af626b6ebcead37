"""Tasks that hold a unit of a pool and ask it for another, as in the incident that started the project;
--healthy does the same with enough of them. argv: the library and where its server is (a directory with
its socket, or for redis the socket). A ticker on the same loop shows that the loop lives."""
import asyncio
import contextlib
import sys

library, server = sys.argv[1:3]
healthy = "--healthy" in sys.argv
timeout = 600 if "--timeout" in sys.argv else None
SIZE = 3


class Asyncpg:
    async def open(self):
        import asyncpg
        self.pool = await asyncpg.create_pool(host=server, user="postgres", database="postgres",
                                              min_size=SIZE, max_size=SIZE)
        self.take, self.give = self.pool.acquire, self.pool.release

    def unit(self):
        return self.pool.acquire(timeout=timeout)

    async def use(self, connection):
        await connection.fetchval("select 1")

    def used(self):
        return SIZE - self.pool.get_idle_size()


class Psycopg:
    async def open(self):
        import psycopg_pool
        self.pool = psycopg_pool.AsyncConnectionPool(f"host={server} user=postgres dbname=postgres",
                                                     min_size=SIZE, max_size=SIZE, open=False)
        await self.pool.open(wait=True)
        self.take, self.give = self.pool.getconn, self.pool.putconn

    def unit(self):
        return self.pool.connection(timeout=600)

    async def use(self, connection):
        await connection.execute("select 1")

    def used(self):
        return SIZE - self.pool.get_stats()["pool_available"]


class Aiopg:
    async def open(self):
        import aiopg
        self.pool = await aiopg.create_pool(f"host={server} user=postgres dbname=postgres", minsize=SIZE,
                                            maxsize=SIZE, timeout=600)
        self.take, self.give = self.pool.acquire, self.release

    async def release(self, connection):
        await self.pool.release(connection)

    def unit(self):
        return self.pool.acquire()

    async def use(self, connection):
        async with connection.cursor() as cursor:
            await cursor.execute("select 1")

    def used(self):
        return SIZE - self.pool.freesize


class Aiomysql(Aiopg):
    async def open(self):
        import aiomysql
        self.pool = await aiomysql.create_pool(unix_socket=server, user="root", db="mysql", minsize=SIZE, maxsize=SIZE)
        self.take, self.give = self.pool.acquire, self.release


class Redis:
    async def open(self):
        import redis.asyncio
        self.pool = redis.asyncio.BlockingConnectionPool(connection_class=redis.asyncio.UnixDomainSocketConnection,
                                                         path=server, max_connections=SIZE, timeout=600)
        self.client = redis.asyncio.Redis(connection_pool=self.pool)

    async def take(self):
        return await self.pool.get_connection("_")

    async def give(self, connection):
        await self.pool.release(connection)

    def unit(self):
        return self.client.pipeline()

    async def use(self, pipeline):
        await pipeline.watch("stock")  # LINE: redis takes one

    def used(self):
        if hasattr(self.pool, "_in_use_connections"):  # of redis 5 and later
            return len(self.pool._in_use_connections)
        return SIZE - self.pool.pool.qsize()


class Aiohttp:
    async def open(self):
        import aiohttp
        listener = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        self.connector = aiohttp.TCPConnector(limit=SIZE)
        self.session = aiohttp.ClientSession(connector=self.connector, timeout=aiohttp.ClientTimeout())
        self.listener = listener

    async def answer(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(100000))
                await writer.drain()
                if not healthy:
                    await asyncio.sleep(1000)
                writer.write(bytes(100000))

    async def take(self):
        return await self.session.get(self.url)

    async def give(self, response):
        response.release()

    def unit(self):
        return self.session.get(self.url)

    async def use(self, response):
        if healthy:
            await response.read()

    def used(self):
        return len(self.connector._acquired)


shop = {"asyncpg": Asyncpg, "psycopg": Psycopg, "aiopg": Aiopg, "aiomysql": Aiomysql, "redis": Redis,
        "aiohttp": Aiohttp}[library]()


async def load_customer():
    async with shop.unit() as unit:  # LINE: another
        await shop.use(unit)


async def list_orders(together):
    async with shop.unit() as unit:
        await shop.use(unit)
        if together is not None:
            await together.wait()
        await load_customer()  # LINE: order holds


async def refresh_prices(together):
    unit = await shop.take()
    try:
        await together.wait()
        await load_customer()  # LINE: job holds
    finally:
        await shop.give(unit)


async def pay():
    async with shop.unit() as unit:  # LINE: queued
        await shop.use(unit)


async def ticker():
    while True:
        await asyncio.sleep(0.1)


async def again(function, *arguments):
    while True:
        await function(*arguments)


def named(coroutine, name):
    return asyncio.create_task(coroutine, name=name)


async def main():
    await shop.open()
    tasks = [named(ticker(), "ticker")]
    if healthy:
        # Never as many at once as there are units: one is always left.
        one_left = asyncio.Semaphore(SIZE - 1)

        async def limited():
            async with one_left:
                await list_orders(None)
        tasks += [named(again(limited), f"order-{i}") for i in range(6)]
        tasks += [named(again(pay), f"pay-{i}") for i in range(3)]
        await asyncio.sleep(0.3)
    else:
        together = asyncio.Event()
        tasks += [named(list_orders(together), f"order-{i}") for i in range(2)]
        tasks += [named(refresh_prices(together), "refresh-prices")]
        while shop.used() < SIZE:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        together.set()
        await asyncio.sleep(0.1)
        tasks += [named(pay(), f"pay-{i}") for i in range(4)]
        await asyncio.sleep(0.1)
    print("READY", flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
