"""Threads that wait for each other for ever, one way for each option; --healthy does the same so that it
ends, again and again. The main thread sleeps: the service is not silent, only stuck."""
import concurrent.futures
import queue
import sys
import threading
import time

healthy = "--healthy" in sys.argv
pause = 0.001 if healthy else 0.1


class Pair:
    def __init__(self, kind):
        self.left, self.right = kind(), kind()

    def hold_left(self):
        with self.left:
            time.sleep(pause)
            with self.right:  # LINE: left waits
                pass

    def hold_right(self):
        if healthy:  # the same order as hold_left
            self.hold_left()
            return
        with self.right:
            time.sleep(pause)
            with self.left:  # LINE: right waits
                pass


locks, rlocks, bare = Pair(threading.Lock), Pair(threading.RLock), Pair(threading.Lock)
conditions = Pair(threading.Condition)
lock, units, condition = threading.Lock(), threading.Semaphore(1), threading.Condition()
three = threading.Semaphore(3)
jobs = queue.Queue()


def take_twice():
    with lock:
        if not healthy:
            take_again()


def take_again():
    with lock:  # LINE: taken again
        pass


def take_unit():
    with units:
        if not healthy:
            with units:  # LINE: unit waits
                pass


def take_of_three():
    with three:
        time.sleep(pause)
        if not healthy:
            with three:  # LINE: another of three
                pass


def bare_owner():
    rlocks.left.acquire()
    time.sleep(pause)
    with rlocks.right:  # LINE: bare owner waits
        pass
    rlocks.left.release()


def block_owner():
    if healthy:
        bare_owner()
        return
    with rlocks.right:
        time.sleep(pause)
        with rlocks.left:  # LINE: block owner waits
            pass


def bare_left():
    bare.left.acquire()
    time.sleep(pause)
    bare.right.acquire()  # LINE: bare left waits
    bare.right.release()
    bare.left.release()


def bare_right():
    if healthy:
        bare_left()
        return
    bare.right.acquire()
    try:
        time.sleep(pause)
        bare.left.acquire()  # LINE: bare right waits
        bare.left.release()
    finally:
        bare.right.release()


def asks_first():
    time.sleep(pause / 2)
    while not bare.left.acquire(blocking=False):
        time.sleep(0.01)  # it does not have it
    bare.left.release()


def begin():
    lock.acquire()


def lock_of_a_helper():
    begin()
    try:
        with locks.left:
            with lock:  # LINE: helper waits
                pass
    finally:
        lock.release()


def wants_lock():
    if not healthy:
        time.sleep(pause)
        with locks.left:  # LINE: behind a helper
            pass


def needs_lock():
    with lock:  # LINE: worker waits
        pass


def join_under_lock():
    worker = threading.Thread(target=needs_lock, name="worker")
    if healthy:
        worker.start()
        worker.join()
        return
    with lock:
        worker.start()
        worker.join()  # LINE: joiner waits


def exhaust():
    with concurrent.futures.ThreadPoolExecutor(2, "pool") as executor:
        def outer():
            if healthy:
                return
            time.sleep(pause)
            executor.submit(int).result()  # LINE: worker of the pool waits
        for future in [executor.submit(outer), executor.submit(outer)]:
            future.result()  # LINE: owner of the pool waits


def wait_for_news():
    with condition:
        condition.wait(pause if healthy else None)  # a wake-up that was lost, or will come


def uses_condition():
    with condition:
        time.sleep(0.001)
    time.sleep(0.001)


def consume():
    jobs.get() if not healthy else time.sleep(pause)


def again(function):
    while True:
        function()
        time.sleep(pause)


ways = {
    "--locks": [locks.hold_left, locks.hold_right],
    "--rlocks": [rlocks.hold_left, rlocks.hold_right],
    "--twice": [take_twice],
    "--conditions": [conditions.hold_left, conditions.hold_right],
    "--semaphore": [take_unit],
    "--three": [take_of_three] * (6 if healthy else 3),
    "--owner": [bare_owner, block_owner],
    "--bare": [bare_left, bare_right, asks_first],
    "--helper": [lock_of_a_helper, wants_lock],
    "--join": [join_under_lock],
    "--executor": [exhaust],
    "--condition": [wait_for_news, uses_condition],
    "--idle": [consume, consume],
}
for option in sys.argv[1:]:
    for function in ways.get(option, []):
        repeats = healthy or function is uses_condition
        threading.Thread(target=again if repeats else function, args=[function] if repeats else [],
                         daemon=True, name=function.__name__).start()
time.sleep(0.5)
print("READY", flush=True)
while True:
    time.sleep(0.1)
