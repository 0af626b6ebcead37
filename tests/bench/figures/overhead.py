"""A lock loop with and without the tracer running.

One process runs the loop in slices; between slices the tracer (and its reader) is stopped or
continued. Slices go in quads off-on-on-off and on-off-off-on, so that a machine that gets slower or
faster evenly does not show; a quad gives one log ratio. Every CPU is kept busy by the loop, so that
what the tracer takes is missing there. A slice is as long as the time between two sweeps, and a
tracer that continues sweeps at once: each slice has one or two, shorter ones would have too many.
'off by off' compares the two off slices of each quad: what the machine alone does to the figure.
"""

import math
import random
import subprocess
import time
from pathlib import Path

from figures.processes import Binaries, Tracer
from figures.report import goal_fact, section, table
from figures.statistics import Estimate, typical_ratio

WORKLOADS = ["uncontended", "contended", "handoff"]
SLICE_MS = 250
HALF_WIDTH = 0.02


class LockLoop:
    def __init__(self, program: Path, slice_ms: int = SLICE_MS):
        self._slice_ms = slice_ms
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def slice(self, workload: str) -> float:
        """Operations a second."""
        self._process.stdin.write(f"{workload} {self._slice_ms}\n")
        self._process.stdin.flush()
        operations, nanoseconds = map(int, self._process.stdout.readline().split())
        return operations / nanoseconds * 1e9

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)


def quad(loop: LockLoop, tracer: Tracer, workload: str, first_on: bool) -> dict[bool, list[float]]:
    rates: dict[bool, list[float]] = {True: [], False: []}
    for on in [first_on, not first_on, not first_on, first_on]:
        if on:
            tracer.resume()
        else:
            tracer.pause()
        rates[on].append(loop.slice(workload))
    return rates


def mean_log(rates: list[float]) -> float:
    return sum(map(math.log, rates)) / len(rates)


def contains_one(ratio: Estimate) -> bool:
    return ratio.low <= 1 <= ratio.high and (ratio.high - ratio.low) / 2 <= HALF_WIDTH


def run(binaries: Binaries, quads: int, folder: Path) -> None:
    order = random.Random(4)
    on_by_off: dict[str, list[float]] = {workload: [] for workload in WORKLOADS}
    off_by_off: dict[str, list[float]] = {workload: [] for workload in WORKLOADS}
    rates: dict[str, list[float]] = {workload: [] for workload in WORKLOADS}
    on_seconds, on_cpu = 0.0, 0.0
    loop = LockLoop(binaries.programs / "lock_bench")
    with Tracer(binaries, folder) as tracer:
        for workload in WORKLOADS:
            loop.slice(workload)
        cpu = tracer.cpu()
        begin = time.monotonic()
        for i in range(quads):
            for workload in order.sample(WORKLOADS, len(WORKLOADS)):
                found = quad(loop, tracer, workload, first_on=i % 2 == 0)
                on_by_off[workload].append(mean_log(found[True]) - mean_log(found[False]))
                flip = order.choice([1, -1])
                off_by_off[workload].append(
                    flip * (math.log(found[False][0]) - math.log(found[False][1])))
                rates[workload] += found[False]
        on_cpu = tracer.cpu() - cpu
        on_seconds = (time.monotonic() - begin) / 2
    loop.close()

    section(
        "overhead on locks: throughput with the tracer running by without",
        f"{quads} quads a workload of {SLICE_MS} ms slices; trimmed mean of the ratios [95 %]",
        f"the tracer used {100 * on_cpu / on_seconds:.2f} % of a core while it ran",
    )
    rows = []
    for workload in WORKLOADS:
        typical = sorted(rates[workload])[len(rates[workload]) // 2]
        rows.append([
            workload,
            f"{1e9 / typical:.0f}",
            typical_ratio(on_by_off[workload]).text(4),
            typical_ratio(off_by_off[workload]).text(4),
        ])
    table(["", "ns/operation", "on by off", "off by off"], rows)
    for workload in WORKLOADS:
        ratio = typical_ratio(on_by_off[workload])
        goal_fact(f"{workload}: {ratio.text(4)} contains 1.00, no wider than +-2 %",
                  contains_one(ratio))
