"""Threads that hold a unit of a pool and ask it for another; --healthy does the same with enough of them.
argv: the library and where its server is (a directory with its socket, or for redis the socket)."""
import sys
import threading
import time

library, server = sys.argv[1:3]
healthy = "--healthy" in sys.argv
SIZE = 3


class Sqlalchemy:
    def __init__(self):
        import sqlalchemy
        self.count = sqlalchemy.text("select 1")
        self.engine = sqlalchemy.create_engine(f"postgresql+psycopg2://postgres@/postgres?host={server}",
                                               pool_size=1, max_overflow=SIZE - 1, pool_timeout=600)
        self.take = self.engine.connect

    def give(self, connection):
        connection.close()

    def unit(self):
        from sqlalchemy.orm import Session
        return Session(self.engine)

    def use(self, session):
        session.execute(self.count)  # LINE: session takes one

    def used(self):
        return self.engine.pool.checkedout()


class Psycopg:
    def __init__(self):
        import psycopg_pool
        self.pool = psycopg_pool.ConnectionPool(f"host={server} user=postgres dbname=postgres", min_size=SIZE,
                                                max_size=SIZE, timeout=600)
        self.pool.wait()
        self.take, self.give, self.unit = self.pool.getconn, self.pool.putconn, self.pool.connection

    def use(self, connection):
        connection.execute("select 1")

    def used(self):
        return SIZE - self.pool.get_stats()["pool_available"]


class Redis:
    def __init__(self):
        import redis
        self.pool = redis.BlockingConnectionPool(connection_class=redis.UnixDomainSocketConnection, path=server,
                                                 max_connections=SIZE, timeout=600)
        self.client = redis.Redis(connection_pool=self.pool)

    def take(self):
        return self.pool.get_connection("_")

    def give(self, connection):
        self.pool.release(connection)

    def unit(self):
        return self.client.pipeline()

    def use(self, pipeline):
        pipeline.watch("stock")  # LINE: redis takes one

    def used(self):
        return SIZE - self.pool.pool.qsize()


shop = {"sqlalchemy": Sqlalchemy, "psycopg": Psycopg, "redis": Redis}[library]()


def load_customer():
    with shop.unit() as unit:  # LINE: another
        shop.use(unit)


def list_orders(together):
    with shop.unit() as unit:
        shop.use(unit)
        if together is not None:
            together.wait()
        load_customer()  # LINE: order holds


def refresh_prices(together):
    unit = shop.take()
    try:
        together.wait()
        load_customer()  # LINE: job holds
    finally:
        shop.give(unit)


def pay():
    with shop.unit() as unit:  # LINE: queued
        shop.use(unit)


def again(function, *arguments):
    while True:
        function(*arguments)


def start(name, function, *arguments):
    threading.Thread(target=function, args=arguments, name=name, daemon=True).start()


if healthy:
    # Never as many as there are units: one is always left.
    for i in range(SIZE - 1):
        start(f"order-{i}", again, list_orders, None)
    for i in range(2):
        start(f"pay-{i}", again, pay)
    time.sleep(0.3)
else:
    together = threading.Event()
    for i in range(2):
        start(f"order-{i}", list_orders, together)
    start("refresh-prices", refresh_prices, together)
    while shop.used() < SIZE:
        time.sleep(0.01)
    time.sleep(0.2)
    together.set()
    time.sleep(0.1)
    for i in range(4):
        start(f"pay-{i}", pay)
    time.sleep(0.3)
print("READY", flush=True)
while True:
    time.sleep(0.1)
