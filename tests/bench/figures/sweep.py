"""What a sweep costs by the number of blocked threads, and a trace at 4 Hz over 20,000."""

import random
import statistics
import subprocess
import time
from pathlib import Path

from figures.processes import Binaries, Tracer, target
from figures.report import goal, goal_fact, section, table
from figures.statistics import mean, median, slope

SIZES = [100, 1_000, 5_000, 20_000]
SWEEPS = 10
# Between sweeps: none (warm caches), and that of a trace at 4 Hz (cold ones).
PAUSES_MS = [0, 250]
TRACE_SECONDS = 20


def enough_threads(wanted: int) -> bool:
    """20,000 threads need pid_max, threads-max and two mappings each."""
    limits = {
        "/proc/sys/kernel/threads-max": wanted + 1_000,
        "/proc/sys/kernel/pid_max": wanted + 5_000,
        "/proc/sys/vm/max_map_count": 2 * wanted + 1_000,
    }
    short = [name for name, least in limits.items() if int(Path(name).read_text()) < least]
    if short:
        print(f"   {wanted} threads are not allowed here: {', '.join(short)}", flush=True)
    return not short


def sweeps(binaries: Binaries, mode: str, pause_ms: int) -> list[tuple[int, ...]]:
    """(wall ns, cpu ns, visited, still, full records) of each sweep."""
    output = subprocess.run(
        [binaries.programs / "sweep_bench", f"--mode={mode}", f"--sweeps={SWEEPS}",
         f"--pause={pause_ms}"],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    return [tuple(map(int, line.split())) for line in output.splitlines()]


def costs(binaries: Binaries, rounds: int) -> None:
    order = random.Random(3)
    cases = [(mode, pause) for mode in ("steady", "iterated", "full") for pause in PAUSES_MS]
    samples: dict[tuple[str, int], list[tuple[int, ...]]] = {case: [] for case in cases}
    sizes = {case: [] for case in cases}
    for _ in range(rounds):
        for size in order.sample(SIZES, len(SIZES)):
            if not enough_threads(size):
                continue
            with target([str(binaries.programs / "blocked"), f"--idle={size}"]):
                time.sleep(0.5)  # all of them asleep for longer than a sweep's interval
                for case in order.sample(cases, len(cases)):
                    found = sweeps(binaries, *case)
                    samples[case] += found
                    sizes[case] += [size] * len(found)

    section(
        "sweep: cost by the number of blocked threads",
        f"idle waiters of one process; ns a visited thread, median [95 %] of {rounds} x {SWEEPS}",
        "'one more': slope over all sizes, without a sweep's fixed cost",
        "iterated: the steady sweep of kernels before 6.7",
    )
    for case in cases:
        mode, pause = case
        rows = []
        for size in SIZES:
            of_size = [s for s, n in zip(samples[case], sizes[case]) if n == size]
            if not of_size:
                continue
            rows.append([
                f"{size}",
                median([s[0] / s[2] for s in of_size]).text(0),
                median([s[1] / s[2] for s in of_size]).text(0),
                median([s[0] / 1e6 for s in of_size]).text(2),
                f"{statistics.median(s[3] / s[2] for s in of_size):.2f}",
            ])
        print(f"   {mode}, " + (f"{pause} ms apart" if pause else "back to back"))
        table(["threads", "wall ns/thread", "CPU ns/thread", "ms/sweep", "still records"], rows)
        by_cpu = slope([(s[2], s[1]) for s in samples[case]])
        print(f"   one more thread: {by_cpu.text(0)} ns CPU\n", flush=True)
        if mode == "steady":
            goal(f"steady, {'4 Hz' if pause else 'back to back'}, one more thread",
                 by_cpu.scaled(1e-3), 0.3, "us", 2)
            largest = [s[1] for s, n in zip(samples[case], sizes[case]) if n == SIZES[-1]]
            if pause and largest:  # ns a sweep, four of them a second
                goal(f"sweeps alone, {SIZES[-1]} threads at 4 Hz, before it backs off",
                     median(largest).scaled(4 * 100 / 1e9), 3, "% of a core")
            print()


def back_off(binaries: Binaries, folder: Path) -> None:
    size = SIZES[-1]
    if not enough_threads(size):
        return
    with target([str(binaries.programs / "blocked"), f"--idle={size}"]):
        with Tracer(binaries, folder) as tracer:
            shares = []
            for _ in range(TRACE_SECONDS):
                before, begin = tracer.cpu(), time.monotonic()
                time.sleep(1)
                shares.append(100 * (tracer.cpu() - before) / (time.monotonic() - begin))
        messages = [line for line in tracer.messages() if "sweeps now only" in line]
        summary = tracer.answer().splitlines()[-1]
    section(
        f"trace at 4 Hz over {size} threads",
        "tracer and reader; % of one core in each second since 1 s after the start",
    )
    print("   " + " ".join(f"{share:.1f}" for share in shares))
    for line in messages:
        print(f"   it says: {line}")
    print(f"   its summary: {summary}\n")
    settled = mean(shares[TRACE_SECONDS // 2:])
    goal("CPU of both once it has backed off (second half, mean)", settled, 3, "% of a core")
    goal_fact("past 3 % it backs off and says so, or never gets there",
              bool(messages) or max(shares[1:]) <= 3)


def run(binaries: Binaries, rounds: int, folder: Path) -> None:
    costs(binaries, rounds)
    back_off(binaries, folder)
