"""A thread holds a threading.Lock for half a second after ten short turns; with --healthy two hundred times, never for long.
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


def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    healthy = "--healthy" in sys.argv
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    print("READY", flush=True)
    signal.sigwait([signal.SIGUSR1])
    thread = threading.Thread(target=keep, args=([0.001] * (200 if healthy else 10) + ([] if healthy else [0.5]),))
    thread.start()
    while thread.is_alive():
        time.sleep(0.01)
    print("DONE", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
