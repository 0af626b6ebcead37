"""A thread holds a threading.Lock for half a second after ten short turns; with --healthy two hundred times, never for long;
with --heir another one has waited for it and holds it for so long; with --native it is a mutex of C, by ctypes.
Others wait for nothing meanwhile, as the interpreter does with locks of its own. Begins at SIGUSR1,
says DONE and stays."""

import ctypes
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15

lock = threading.Lock()


def keep(turns):
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"keeper")
    for seconds in turns:
        with lock:  # LINE: keeps
            time.sleep(seconds)


def inherit():
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"heir")
    with lock:  # LINE: inherits
        time.sleep(0.5)


def keep_native():
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NAME, b"keeper")
    mutex = ctypes.create_string_buffer(40)  # sizeof(pthread_mutex_t), PTHREAD_MUTEX_INITIALIZER
    libc.pthread_mutex_lock(mutex)
    time.sleep(0.5)
    libc.pthread_mutex_unlock(mutex)


def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    healthy = "--healthy" in sys.argv
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    print("READY", flush=True)
    signal.sigwait([signal.SIGUSR1])
    long = [] if healthy else [0.1] if "--heir" in sys.argv else [0.5]
    threads = [threading.Thread(target=keep, args=([0.001] * (200 if healthy else 10) + long,))]
    if "--native" in sys.argv:
        threads = [threading.Thread(target=keep_native)]
    threads[0].start()
    if "--heir" in sys.argv:
        time.sleep(0.06)  # into the last turn
        threads.append(threading.Thread(target=inherit))
        threads[1].start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.01)
    print("DONE", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
