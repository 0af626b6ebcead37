"""A thread pool: idle, or with --load eight tasks that share a lock, a millisecond each in turn, or with
--compute two tasks that only compute."""

import ctypes
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PR_SET_PDEATHSIG = 1
WORKERS = 16

lock = threading.Lock()


def work():
    while True:
        with lock:
            time.sleep(0.001)
            sum(range(1000))
        time.sleep(0.001)


def compute():
    while True:
        sum(range(1000))


def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with ThreadPoolExecutor(WORKERS) as pool:
        barrier = threading.Barrier(WORKERS)
        for start in [pool.submit(barrier.wait) for _ in range(WORKERS)]:
            start.result()
        if "--load" in sys.argv:
            for _ in range(8):
                pool.submit(work)
        if "--compute" in sys.argv:
            for _ in range(2):
                pool.submit(compute)
        print("READY", flush=True)
        threading.Event().wait()


main()
