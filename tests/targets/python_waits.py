"""scripted_waits.cc in Python: a thread waits twenty times for a threading.Lock that main holds for
20 ms. Starts at SIGUSR1; then prints "waited=NS" (the sum as the waiter measured it) and DONE."""

import ctypes
import signal
import threading
import time

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
WAITS = 20

lock = threading.Lock()
allowed = 0  # how many waits the waiter may begin
done = 0
waited = 0


def wait_all():
    global done, waited
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"waiter")
    for i in range(1, WAITS + 1):
        while allowed < i:
            time.sleep(0.0002)
        begin = time.monotonic_ns()
        lock.acquire()
        waited += time.monotonic_ns() - begin
        lock.release()
        done = i


def is_asleep(tid):
    """In futex(2), for the lock: nothing else makes it wait for longer than a switch interval."""
    with open(f"/proc/self/task/{tid}/syscall") as file:
        return file.read().startswith("202 ")


def main():
    global allowed
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    thread = threading.Thread(target=wait_all, daemon=True)
    thread.start()
    print("READY", flush=True)
    signal.sigwait([signal.SIGUSR1])
    for i in range(1, WAITS + 1):
        lock.acquire()
        allowed = i
        asleep = 0
        while asleep < 3:
            time.sleep(0.0002)
            asleep = asleep + 1 if is_asleep(thread.native_id) else 0
        time.sleep(0.02)
        lock.release()
        while done < i:
            time.sleep(0.0002)
    thread.join()
    print(f"waited={waited}\nDONE", flush=True)
    while True:
        time.sleep(600)


main()
