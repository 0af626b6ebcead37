"""Locks that no frame has and that something may still release, one way for each option: code that could be
given any lock, a method that is kept, an element of a list."""
import sys
import threading
import time

lock = threading.Lock()
shards = [threading.Lock()]
kept = {}

if "--method" in sys.argv:
    def take():
        lock.acquire()
        kept["on_done"] = lock.release

    def want():
        with lock:  # LINE: wants the method's
            pass
elif "--shard" in sys.argv:
    def take():
        shards[0].acquire()

    def give():
        shards[0].release()

    def want():
        with shards[0]:  # LINE: wants the shard
            pass
elif "--property" in sys.argv:
    class Account:
        def __init__(self):
            self._lock = threading.Lock()

        @property
        def lock(self):
            return self._lock

    account = Account()

    def take():
        account.lock.acquire()

    def give():
        account.lock.release()

    def want():
        with account.lock:  # LINE: wants the property
            pass
else:
    def take():
        lock.acquire()

    def give(one):
        one.release()

    def want():
        with lock:  # LINE: wants the given
            pass

for function in (take, want):
    thread = threading.Thread(target=function, daemon=True, name=function.__name__)
    thread.start()
    thread.join(0.1)
time.sleep(0.3)
print("READY", flush=True)
while True:
    time.sleep(0.1)
