"""Five threads read a counter, pause and write it: updates are lost, nobody waits for anybody; --locked
loses none. What is expected and what was counted is printed at the end."""
import contextlib
import sys
import threading
import time

guard = threading.Lock() if "--locked" in sys.argv else contextlib.nullcontext()
counter = 0


def add(times):
    global counter
    for _ in range(times):
        with guard:
            seen = counter
            time.sleep(0)
            counter = seen + 1


threads = [threading.Thread(target=add, args=(1000,)) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("expected 5000, counted", counter)
print("READY", flush=True)
time.sleep(1000)
