"""Requests that hold a connection of an asyncpg pool and ask it for another, as the incident that started
the project; --healthy does the same with enough of them. argv: the directory of the server's socket.
A ticker on the same loop shows that the loop lives."""
import asyncio
import sys

import asyncpg

healthy = "--healthy" in sys.argv
timeout = 600 if "--timeout" in sys.argv else None
SIZE = 3


async def load_customer(pool):
    async with pool.acquire(timeout=timeout) as connection:  # LINE: another
        await connection.fetchval("select pg_sleep(0.001)")


async def list_orders(pool, together):
    async with pool.acquire() as connection:
        await connection.fetchval("select 1")
        if together is not None:
            await together.wait()
        await load_customer(pool)  # LINE: order holds


async def refresh_prices(pool, together):
    connection = await pool.acquire()
    try:
        await together.wait()
        await load_customer(pool)  # LINE: job holds
    finally:
        await pool.release(connection)


async def pay(pool):
    async with pool.acquire() as connection:  # LINE: queued
        await connection.fetchval("select 1")


async def ticker():
    while True:
        await asyncio.sleep(0.1)


async def again(function, *arguments):
    while True:
        await function(*arguments)


def named(coroutine, name):
    return asyncio.create_task(coroutine, name=name)


async def main():
    async with asyncpg.create_pool(host=sys.argv[1], user="postgres", database="postgres", min_size=SIZE,
                                   max_size=SIZE) as pool:
        tasks = [named(ticker(), "ticker")]
        if healthy:
            # Never as many at once as there are connections: one is always left.
            one_left = asyncio.Semaphore(SIZE - 1)

            async def limited():
                async with one_left:
                    await list_orders(pool, None)
            tasks += [named(again(limited), f"order-{i}") for i in range(6)]
            tasks += [named(again(pay, pool), f"pay-{i}") for i in range(3)]
            await asyncio.sleep(0.2)
        else:
            together = asyncio.Event()
            tasks += [named(list_orders(pool, together), f"order-{i}") for i in range(2)]
            tasks += [named(refresh_prices(pool, together), "refresh-prices")]
            while pool.get_idle_size() > 0:
                await asyncio.sleep(0.01)
            together.set()
            await asyncio.sleep(0.1)
            tasks += [named(pay(pool), f"pay-{i}") for i in range(4)]
            await asyncio.sleep(0.1)
        print("READY", flush=True)
        await asyncio.gather(*tasks)


asyncio.run(main())
