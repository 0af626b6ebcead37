"""A pool whose connections went astray: one is kept by a global, one by an attribute of one; a task waits
for a third that never comes back. argv: the directory of the server's socket. --healthy: they are given back."""
import asyncio
import sys

import asyncpg

healthy = "--healthy" in sys.argv
SIZE = 2


class State:
    connection = None


state = State()
forgotten = None


async def borrow(pool):
    return await pool.acquire()


async def keep(pool):
    global forgotten
    forgotten = await borrow(pool)
    state.connection = await borrow(pool)


async def pay(pool):
    async with pool.acquire() as connection:  # LINE: waits
        await connection.fetchval("select 1")


async def ticker():
    while True:
        await asyncio.sleep(0.1)


async def main():
    pool = await asyncpg.create_pool(host=sys.argv[1], user="postgres", database="postgres", min_size=SIZE,
                                     max_size=SIZE)
    ticking = asyncio.create_task(ticker(), name="ticker")
    await asyncio.create_task(keep(pool))
    if healthy:
        await pool.release(forgotten)
    paying = asyncio.create_task(pay(pool), name="pay")
    await asyncio.sleep(0.3)
    print("READY", flush=True)
    await asyncio.gather(ticking, paying)


asyncio.run(main())
