"""CPU and memory of the default trace of the host with 1,000 blocked threads."""

import time
from pathlib import Path

from figures.processes import Binaries, Tracer, cpu_seconds, memory_bytes, target
from figures.report import goal, section, table
from figures.statistics import Estimate, median

THREADS = 1_000
WARM_UP_SECONDS = 2
WINDOW_SECONDS = 5  # holds every periodic look of the tracer
MEGABYTE = 1e6


def run(binaries: Binaries, windows: int, folder: Path) -> None:
    with target([str(binaries.programs / "blocked"), f"--idle={THREADS}"]):
        with Tracer(binaries, folder) as tracer:
            time.sleep(WARM_UP_SECONDS)
            names = ["tracer", "reader"]
            shares: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(windows):
                before = [cpu_seconds(pid) for pid in tracer.pids]
                begin = time.monotonic()
                time.sleep(WINDOW_SECONDS)
                wall = time.monotonic() - begin
                for name, pid, was in zip(names, tracer.pids, before, strict=True):
                    shares[name].append(100 * (cpu_seconds(pid) - was) / wall)
            memory = {n: memory_bytes(pid) for n, pid in zip(names, tracer.pids, strict=True)}

    both = [sum(window) for window in zip(*shares.values())]
    section(
        f"trace with {THREADS} blocked threads",
        f"whole host, {windows} windows of {WINDOW_SECONDS} s after {WARM_UP_SECONDS} s; "
        "% of one core, median [95 %]; MB are 10^6 bytes",
    )
    rows = [
        [n, median(shares[n]).text(2), f"{memory[n][0] / MEGABYTE:.1f}",
         f"{memory[n][1] / MEGABYTE:.1f}"]
        for n in names
    ]
    peak, proportional = (sum(m[i] for m in memory.values()) / MEGABYTE for i in (0, 1))
    rows.append(["both", median(both).text(2), f"{peak:.1f}", f"{proportional:.1f}"])
    table(["", "CPU %", "peak resident MB (VmHWM)", "proportional MB (PSS)"], rows)
    goal("CPU of both", median(both), 0.5, "% of a core", 2)
    goal("memory of both, VmHWM", Estimate(peak, peak, peak), 60, "MB")
    goal("memory of both, PSS", Estimate(proportional, proportional, proportional), 60, "MB")
