"""Threads that have a unit of a pool of the program's own and ask it for another; as own_pools.py for tasks.
argv: knot, exhausted, healthy or work."""
import sys
import threading
import time

kind = sys.argv[1]
SIZE = 2


class Plate:
    pass


class Kitchen:
    def __init__(self, things):
        self.changed = threading.Condition()
        self.rack = list(things)

    def take(self):
        with self.changed:
            self.changed.wait_for(lambda: self.rack)
            return self.rack.pop()

    def give(self, thing):
        with self.changed:
            self.rack.append(thing)
            self.changed.notify()


kitchen = Kitchen([] if kind == "work" else [Plate() for _ in range(SIZE)])
together = threading.Event()
one_left = threading.Semaphore(SIZE - 1)


def wash():
    plate = kitchen.take()  # LINE: another
    kitchen.give(plate)


def cook():
    plate = kitchen.take()
    try:
        together.wait()
        wash()  # LINE: holds
    finally:
        kitchen.give(plate)


def serve():
    plate = kitchen.take()  # LINE: queued
    kitchen.give(plate)


def feast():
    plate = kitchen.take()
    time.sleep(1000)  # LINE: feasts
    kitchen.give(plate)


def worker():
    while True:
        job = kitchen.take()
        try:
            together.set()
            time.sleep(1000)
        except ValueError:
            kitchen.give(job)


def limited():
    while True:
        with one_left:
            cook()


def again():
    while True:
        serve()


def start(name, function):
    threading.Thread(target=function, name=name, daemon=True).start()


def until_queued(count):
    while len(kitchen.changed._waiters) < count:
        time.sleep(0.01)


if kind == "work":
    for i in range(3):
        start(f"worker-{i}", worker)
    until_queued(3)
    kitchen.give(Plate())
    together.wait()
elif kind == "healthy":
    together.set()
    for i in range(2):
        start(f"cook-{i}", limited)
    start("serve", again)
    time.sleep(0.3)
else:
    for i in range(SIZE):
        start(f"cook-{i}" if kind == "knot" else f"feast-{i}", cook if kind == "knot" else feast)
    while kitchen.rack:
        time.sleep(0.01)
    together.set()
    if kind == "knot":
        until_queued(SIZE)
    for i in range(3):
        start(f"serve-{i}", serve)
    until_queued(3 + (SIZE if kind == "knot" else 0))
print("READY", flush=True)
while True:
    time.sleep(0.1)
