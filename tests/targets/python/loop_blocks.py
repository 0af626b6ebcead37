"""Callbacks that block their event loop for 120 ms (the GIL: 300 ms; --healthy: 20 ms), one for each cause, in a task or
(--handle) as a call_later handle. They begin at SIGUSR1, with the loop at rest in between, and DONE
says that all of them have run. --forever: one blocks until the end.

However busy the machine is: what computes uses that much CPU time, and who keeps another waiting does so
from when that one is about to wait."""
import asyncio
import ctypes
import gc
import hashlib
import signal
import socket
import subprocess
import sys
import threading
import time

BLOCK = 0.02 if "--healthy" in sys.argv else 0.12
# Who waits for the GIL wakes every 5 ms, and each time queues for a CPU, which counts as no block: on a
# busy machine up to half of the time.
GIL_BLOCK = BLOCK if "--healthy" in sys.argv else 0.3
ROUNDS = 5
CHUNK = 2_000  # objects made or freed in one turn of the loop
held, go, kept = threading.Event(), threading.Event(), threading.Event()
lock = threading.Lock()
ours, theirs = socket.socketpair()
holds_gil = ctypes.PyDLL(None)  # its functions keep the GIL while they run
heap = []


def calibrated(run, prepare=lambda size: size):
    """The size for which run(prepare(size)) uses as much CPU time as a callback is to block, and more: a
    CPU is not always as fast, and what another virtual machine took of it counts as used."""
    size, took = 1000, 0.0
    while took < BLOCK / 4:
        size *= 2
        prepared = prepare(size)
        took = 1.0
        for _ in range(3):
            begin = time.thread_time()
            run(prepared)
            took = min(took, time.thread_time() - begin)
    return int(size * BLOCK / took * (1 if "--healthy" in sys.argv else 2))


def compute():
    end = time.thread_time() + BLOCK
    number = 0
    while time.thread_time() < end:
        for _ in range(1000):
            number += 1


def digest():
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", digest_rounds)  # LINE: digest


def add_up():
    sum(range(add_up_size))  # LINE: add up


def doze():
    time.sleep(BLOCK)  # LINE: doze


def take_lock():
    go.set()
    with lock:  # LINE: take lock
        pass


def need_gil():
    go.set()
    while not kept.is_set():
        time.sleep(0)  # LINE: need gil


def collect():
    gc.collect()  # LINE: collect


def receive():
    go.set()
    ours.recv(1)  # LINE: receive


def run_program():
    subprocess.run(["/bin/sleep", str(BLOCK)], capture_output=True)  # LINE: run program


def hold_lock():
    with lock:
        held.set()
        go.wait()
        time.sleep(BLOCK + 0.02)


def keep_gil():
    held.set()
    go.wait()
    holds_gil.usleep(int(GIL_BLOCK * 1e6))  # LINE: keep gil
    kept.set()


def send_late():
    held.set()
    go.wait()
    time.sleep(BLOCK + 0.02)
    theirs.send(b"x")


HELPERS = {take_lock: hold_lock, need_gil: keep_gil, receive: send_late}
CAUSES = [compute, digest, add_up, doze, take_lock, need_gil, collect, receive, run_program]


async def prepare(cause):
    await asyncio.sleep(0.05)
    if cause not in HELPERS:
        return None
    for event in (held, go, kept):
        event.clear()
    thread = threading.Thread(target=HELPERS[cause])
    thread.start()
    while not held.is_set():
        await asyncio.sleep(0.001)
    return thread


async def block(cause):
    cause()


async def once(loop, cause):
    thread = await prepare(cause)
    while cause is collect and len(heap) < heap_size:
        heap.extend([i] for i in range(CHUNK))
        await asyncio.sleep(0)
    if "--handle" in sys.argv:
        done = asyncio.Event()
        loop.call_later(0.001, cause)
        loop.call_later(0.002, done.set)
        await done.wait()
    else:
        await asyncio.create_task(block(cause), name=cause.__name__)
    while heap:
        del heap[-CHUNK:]
        await asyncio.sleep(0)
    while thread and thread.is_alive():
        await asyncio.sleep(0.001)


async def main():
    loop = asyncio.get_running_loop()
    start = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, start.set)
    chosen = [cause for cause in CAUSES if cause.__name__ in sys.argv] or CAUSES
    print("READY", flush=True)
    if "--forever" in sys.argv:
        global BLOCK
        BLOCK = 1000
        await once(loop, chosen[0])
    await start.wait()
    for _ in range(ROUNDS):
        for cause in chosen:
            await once(loop, cause)
    print("DONE", flush=True)
    await asyncio.sleep(1000)


gc.disable()
digest_rounds = calibrated(lambda size: hashlib.pbkdf2_hmac("sha256", b"password", b"salt", size))
add_up_size = calibrated(lambda size: sum(range(size)))
heap_size = calibrated(lambda filled: gc.collect(), lambda size: [[i] for i in range(size)])
if "--uvloop" in sys.argv:
    import uvloop

    uvloop.install()
asyncio.run(main())
