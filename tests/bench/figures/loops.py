"""What being watched costs an asyncio service: its throughput with loop-block tracing, and with an
inspection every 10 s, by its throughput alone; and in asyncio's own debug mode.

Slices of one service under one load that never pauses, in neighbouring pairs: with, without; without,
with; so that a drift of the machine falls on both alike. 'none again' are pairs without in both: what
the machine alone does.
"""

import contextlib
import math
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from figures.processes import Binaries
from figures.python import PYTHON, SERVICES, WIDTH_GOAL, Service
from figures.report import goal_fact, section, table
from figures.statistics import Estimate, median, typical_ratio
from figures.waits import Background

SLICE_SECONDS = 3
WARM_UP_SECONDS = 3
INSPECTION_EVERY = 10  # seconds; one falls into each slice with, which is shorter


class Load:
    def __init__(self, service: Service):
        self.process = subprocess.Popen([PYTHON, SERVICES / "load.py", str(service.port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.rate(WARM_UP_SECONDS)

    def rate(self, seconds: float = SLICE_SECONDS) -> float:
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def traced(binaries: Binaries, pid: str, folder: Path) -> Iterator[None]:
    tracer = Background([str(binaries.tracer), "-p", pid], "timing event loops", folder)
    yield
    tracer.stop()


@contextlib.contextmanager
def inspected(binaries: Binaries, pid: str, folder: Path) -> Iterator[None]:
    inspection = subprocess.Popen([str(binaries.tracer), "dump", "-p", pid], cwd=folder,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    if inspection.wait() != 0:
        raise RuntimeError(f"a service that works was accused (status {inspection.returncode})")


def paired(load: Load, other: Load, watched: Callable, pairs: int) -> tuple[Estimate, list[float]]:
    logs, alone = [], []
    for pair in range(pairs):
        found = {}
        for on in (False, True) if pair % 2 == 0 else (True, False):
            with watched() if on else contextlib.nullcontext():
                found[on] = (other if on else load).rate()
        alone.append(found[False])
        logs.append(math.log(found[True] / found[False]))
    return typical_ratio(logs), alone


def run(binaries: Binaries, pairs: int, folder: Path) -> None:
    plain, debug = Service(18471, False), Service(18472, True)
    pid = str(plain.process.pid)
    ratios = {}
    try:
        load = Load(plain)
        ratios["none again"], alone = paired(load, load, contextlib.nullcontext, pairs)
        ratios["trace"], _ = paired(load, load, lambda: traced(binaries, pid, folder), pairs)
        slices, _ = paired(load, load, lambda: inspected(binaries, pid, folder), pairs)
        # The rest of its ten seconds is undisturbed.
        part = SLICE_SECONDS / INSPECTION_EVERY
        ratios["inspection every 10 s"] = Estimate(
            *(1 - part * (1 - edge) for edge in (slices.value, slices.low, slices.high)))
        load.stop()
        # One after the other: two loads at a time would share the CPUs.
        logs = []
        for _ in range(max(2, pairs // 5)):
            found = {}
            for service in (plain, debug):
                load = Load(service)
                found[service] = load.rate()
                load.stop()
            logs.append(math.log(found[debug] / found[plain]))
        ratios["debug mode"] = typical_ratio(logs)
    finally:
        plain.stop()
        debug.stop()
    section(
        "throughput of a FastAPI service on uvicorn, by that of the same service unwatched",
        f"{pairs} pairs of {SLICE_SECONDS} s; {median(alone).text(0)} answers a second "
        "unwatched; trimmed mean of the ratios [95 %]",
    )
    table(["", "throughput"], [[name, ratio.text(3)] for name, ratio in ratios.items()])
    for name in ("trace", "inspection every 10 s"):
        ratio = ratios[name]
        met = ratio.low <= 1 <= ratio.high and ratio.high - ratio.low <= 2 * WIDTH_GOAL
        goal_fact(f"{name}: {ratio.text(3)} contains 1.00, within {WIDTH_GOAL:.0%}", met)
