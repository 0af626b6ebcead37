"""Locks that nobody has any more, one way for each option; --healthy does the same so that they are given
back, again and again. The ways from --session on leave a lock taken, too, but somebody may still release it."""
import asyncio
import contextlib
import sys
import threading
import time

healthy = "--healthy" in sys.argv
pause = 0.001 if healthy else 1000
lock, owned, gate = threading.Lock(), threading.RLock(), threading.Lock()
begun, kept = threading.Event(), {}


class Store:
    def __init__(self):
        self._lock = threading.Lock()
        self.items = {}

    def put(self, key, value):
        self._lock.acquire()  # LINE: put takes
        if value is None and not healthy:
            raise ValueError(key)
        self.items[key] = value
        self._lock.release()

    def get(self, key):
        with self._lock:  # LINE: get waits
            return self.items.get(key)


class Session:
    def __init__(self):
        self._lock = threading.Lock()

    def begin(self):
        self._lock.acquire()

    def commit(self):
        self._lock.release()

    def query(self):
        with self._lock:  # LINE: query waits
            pass


store, session = Store(), Session()


def update(fail):
    lock.acquire()  # LINE: update takes
    if fail and not healthy:
        return
    lock.release()


def fails():
    update(True)


def fails_in_store():
    with contextlib.suppress(ValueError):
        store.put("price", None)


def ends_with_it():
    owned.acquire()
    if healthy:
        owned.release()
    else:
        begun.wait()


def wants():
    with lock:  # LINE: wants waits
        pass


def wants_owned():
    if not healthy:  # a thread that begins later may get the ident of the one that has ended, and its lock
        begun.set()
        next(thread for thread in threading.enumerate() if thread.name == "ends_with_it").join()
    with owned:  # LINE: wants owned
        pass


def reads():
    store.get("price")


async def update_later(guard):
    await guard.acquire()  # LINE: update later takes
    if not healthy:
        return
    guard.release()


async def wants_later(guard):
    async with guard:  # LINE: wants later
        pass


def serve():
    async def main():
        guard = asyncio.Lock()
        while True:
            await asyncio.create_task(update_later(guard), name="updater")
            await asyncio.create_task(wants_later(guard), name="wants_later")
            await asyncio.sleep(0.001)
    asyncio.run(main())


def begins():
    session.begin()
    time.sleep(pause)
    session.commit()


def queries():
    session.query()


def keeps_stack():
    kept["stack"] = contextlib.ExitStack()
    kept["stack"].enter_context(lock)


@contextlib.contextmanager
def locked():
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def keeps_generator():
    kept["block"] = locked()
    kept["block"].__enter__()


def sleeps_under_it(fail=False):
    lock.acquire()
    if fail:
        lock.release()
        return
    time.sleep(pause)
    lock.release()


def waits_for_the_gate():
    gate.acquire()
    gate.acquire()  # it is opened by somebody else


def opens_the_gate():
    time.sleep(pause)
    gate.release()


def again(functions):
    while True:
        for function in functions:
            function()
        time.sleep(pause)


ways = {
    "--leak": [fails, wants],
    "--store": [fails_in_store, reads],
    "--owner": [ends_with_it, wants_owned],
    "--async": [serve],
    "--session": [begins, queries],
    "--stack": [keeps_stack, wants],
    "--generator": [keeps_generator, wants],
    "--sleeper": [sleeps_under_it, wants],
    "--gate": [waits_for_the_gate, opens_the_gate],
}
for option in sys.argv[1:]:
    functions = ways.get(option, [])
    if healthy and functions:
        for each in ([function] for function in functions):
            threading.Thread(target=again, args=[each], daemon=True, name=each[0].__name__).start()
        continue
    for function in functions:
        thread = threading.Thread(target=function, daemon=True, name=function.__name__)
        thread.start()
        thread.join(0.1)  # the first has it before the next wants it
time.sleep(0.3)
print("READY", flush=True)
while True:
    time.sleep(0.1)
