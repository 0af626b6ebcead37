"""Threads and the GIL: `gil_users.py MODE`.

fight: one thread computes without a pause, in crunch(), and two others want the GIL all the time,
    each in a function of its own.
garbage: one thread collects garbage of a large heap over and over, another one wants to run.
polite: the same threads, which sleep most of the time: nobody waits to speak of.
alone: one thread computes, and nobody else wants to.
"""

import gc
import sys
import threading
import time


def crunch():
    total = 0
    while True:
        total += sum(range(50))  # LINE: crunch


def parse():
    while True:
        sorted(str(i) for i in range(500))  # LINE: parse


def encode():
    while True:
        "".join(chr(65 + i % 26) for i in range(500))  # LINE: encode


def collect():
    while True:
        gc.collect()  # LINE: collect


def polite():
    while True:
        sum(range(1000))
        time.sleep(0.05)  # LINE: polite


MODES = {
    "fight": [crunch, parse, encode],
    "garbage": [collect, parse],
    "polite": [polite, polite, polite],
    "alone": [crunch],
}

mode = sys.argv[1]
if mode == "garbage":
    heap = [[i] for i in range(400_000)]
for run in MODES[mode]:
    threading.Thread(target=run, name=run.__name__, daemon=True).start()
print("READY", flush=True)
time.sleep(600)
