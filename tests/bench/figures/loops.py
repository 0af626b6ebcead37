"""What being watched costs an asyncio service: its throughput with loop-block tracing, and with an
inspection every 10 s, by its throughput alone; and in asyncio's own debug mode.

Every round runs each configuration for one slice, in random order, and compares it with the slice
without any of the same round. 'none again' is a second such slice: what the machine alone does.
"""

import contextlib
import math
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from figures.processes import Binaries
from figures.python import SLICE_SECONDS, WARM_UP_SECONDS, WIDTH_GOAL, Service
from figures.report import goal_fact, section, table
from figures.statistics import Estimate, median, typical_ratio
from figures.waits import Background

CONFIGURATIONS = ["none", "none again", "trace", "inspection", "debug mode"]


@contextlib.contextmanager
def watched(name: str, service: Service, binaries: Binaries, folder: Path) -> Iterator[None]:
    pid = str(service.process.pid)
    if name == "trace":
        tracer = Background([str(binaries.tracer), "-p", pid], "timing event loops", folder)
        yield
        tracer.stop()
    elif name == "inspection":
        def inspect() -> None:
            time.sleep(WARM_UP_SECONDS + SLICE_SECONDS / 2)
            subprocess.run([str(binaries.tracer), "dump", "-p", pid], cwd=folder,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

        inspector = threading.Thread(target=inspect)
        inspector.start()
        yield
        inspector.join()
    else:
        yield


def run(binaries: Binaries, rounds: int, folder: Path) -> None:
    order = random.Random(9)
    plain, debug = Service(18471, False), Service(18472, True)
    logs: dict[str, list[float]] = {name: [] for name in CONFIGURATIONS[1:]}
    rates = []
    try:
        plain.rate(WARM_UP_SECONDS)
        debug.rate(WARM_UP_SECONDS)
        for _ in range(rounds):
            found = {}
            for name in order.sample(CONFIGURATIONS, len(CONFIGURATIONS)):
                service = debug if name == "debug mode" else plain
                with watched(name, service, binaries, folder):
                    found[name] = service.rate(SLICE_SECONDS)
            rates.append(found["none"])
            for name in logs:
                logs[name].append(math.log(found[name] / found["none"]))
    finally:
        plain.stop()
        debug.stop()
    section(
        "throughput of a FastAPI service on uvicorn, by that of the same service unwatched",
        f"{rounds} rounds of {SLICE_SECONDS} s each; {median(rates).text(0)} answers a second "
        "unwatched; trimmed mean of the ratios [95 %]",
    )
    ratios: dict[str, Estimate] = {name: typical_ratio(logs[name]) for name in logs}
    table(["", "throughput"], [[name, ratio.text(3)] for name, ratio in ratios.items()])
    for name in ("trace", "inspection"):
        ratio = ratios[name]
        met = ratio.low <= 1 <= ratio.high and ratio.high - ratio.low <= 2 * WIDTH_GOAL
        goal_fact(f"{name}: {ratio.text(3)} contains 1.00, within {WIDTH_GOAL:.0%}", met)
