"""Two threads inside one object that is not made for it; --locked lets in one after the other."""
import contextlib
import sys
import threading
import time

locked = "--locked" in sys.argv
guard = threading.Lock()


class Cart:
    def __init__(self):
        self.items = []

    def add(self, item):
        items = list(self.items)
        time.sleep(0.2)  # LINE: between its reading and its writing
        self.items = items + [item]


def shop(cart, name):
    while True:
        with guard if locked else contextlib.nullcontext():
            cart.add(name)


shared = Cart()
for customer in ("alice", "bob"):
    threading.Thread(target=shop, args=(shared, customer), name=customer, daemon=True).start()
time.sleep(0.3)
print("READY", flush=True)
time.sleep(1000)
