"""Python services: from the command to the answer on one that hangs, by the number of tasks, and what being
looked at costs one that works, beside asyncio's own debug mode.

Of the throughput every round runs each configuration for one slice, in random order, and compares it with the
slice of the same round in which nobody looks. 'none again' is a second such slice: what the machine alone does.
"""

import contextlib
import math
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from figures.processes import Binaries, run_timed, target
from figures.report import goal, goal_fact, section, table
from figures.statistics import median, typical_ratio

HERE = Path(__file__).resolve()
SERVICES = HERE.parents[1] / "services"
TARGETS = HERE.parents[2] / "targets/python"
PYTHON = "/usr/bin/python3"
SLICE_SECONDS = 10  # one inspection each
WARM_UP_SECONDS = 2
CONFIGURATIONS = ["none", "none again", "inspection", "debug mode"]
WIDTH_GOAL = 0.02
TASKS = {10_000: 50, 100_000: 500}  # to the milliseconds that they may take
HANG, NOTHING = 10, 0  # exit statuses


def measure_hang(binaries: Binaries, rounds: int, folder: Path) -> None:
    section("a FastAPI service that hangs: the answer", f"{rounds} runs; ms, median [95 %]")
    with target([PYTHON, "-B", str(TARGETS / "asgi_service.py"), "fastapi"]) as pid:
        commands = {"tasks": ["tasks", "-p", str(pid)], "dump": ["dump", "-p", str(pid)]}
        times = {}
        for name, command in commands.items():
            runs = [run_timed([str(binaries.tracer), *command], folder) for _ in range(rounds + 1)]
            if any(run.status != HANG or "DEADLOCK" not in run.output for run in runs):
                raise RuntimeError(f"{name}: no deadlock named")
            times[name] = median([1000 * run.exit for run in runs[1:]])
    table(["", "exit"], [[name, time.text()] for name, time in times.items()])
    for name, taken in times.items():
        goal(name, taken, 500, "ms")


def measure_tasks(binaries: Binaries, rounds: int, folder: Path) -> None:
    section("tasks -p --match nothing: many tasks",
            f"{rounds} runs; ms, median [95 %]; two looks, the walk of the heap, and the findings")
    rows = []
    goals = []
    for count, limit in TASKS.items():
        with target([PYTHON, "-B", str(TARGETS / "many_tasks.py"), str(count)]) as pid:
            command = [str(binaries.tracer), "tasks", "-p", str(pid), "--match", "^nothing$"]
            runs = [run_timed(command, folder) for _ in range(rounds + 1)][1:]
        if any("TASKS" not in run.output for run in runs):
            raise RuntimeError(f"no tasks: {runs[0].output[:500]}")
        taken = median([1000 * run.exit for run in runs])
        rows.append([f"{count:,}", taken.text(), median([1000 * run.cpu for run in runs]).text()])
        goals.append((f"{count:,} tasks", taken, limit))
    table(["tasks", "exit", "own CPU"], rows)
    for what, taken, limit in goals:
        goal(what, taken, limit, "ms")


class Service:
    """A service that works, and is asked by a load of its own."""

    def __init__(self, port: int, debug: bool):
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        if debug:
            environment["PYTHONASYNCIODEBUG"] = "1"
        self.process = subprocess.Popen([PYTHON, SERVICES / "web.py", str(port)], env=environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        if self.process.stdout.readline() != "READY\n":
            raise RuntimeError("the service did not start")
        self.port = port

    def rate(self, seconds: float) -> float:
        load = subprocess.Popen([PYTHON, SERVICES / "load.py", str(self.port)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            answers = 0.0
            for duration in (WARM_UP_SECONDS, seconds):
                load.stdin.write(f"{duration}\n")
                load.stdin.flush()
                answers = float(load.stdout.readline())
            return answers
        finally:
            load.kill()
            load.wait()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def looked_at(service: Service, binaries: Binaries, folder: Path) -> Iterator[None]:
    def inspect() -> None:
        time.sleep(WARM_UP_SECONDS + SLICE_SECONDS / 2)
        run = run_timed([str(binaries.tracer), "tasks", "-p", str(service.process.pid)], folder)
        if run.status != NOTHING:
            statuses.append(run.status)

    statuses: list[int] = []
    inspector = threading.Thread(target=inspect)
    inspector.start()
    yield
    inspector.join()
    if statuses:
        raise RuntimeError(f"a service that works was accused (status {statuses[0]})")


def measure_throughput(binaries: Binaries, rounds: int, folder: Path) -> None:
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
                watched = (looked_at(service, binaries, folder) if name == "inspection"
                           else contextlib.nullcontext())
                with watched:
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
    ratios = {name: typical_ratio(logs[name]) for name in logs}
    table(["", "throughput"], [[name, ratio.text(3)] for name, ratio in ratios.items()])
    ratio = ratios["inspection"]
    met = ratio.low <= 1 <= ratio.high and ratio.high - ratio.low <= 2 * WIDTH_GOAL
    goal_fact(f"inspection: {ratio.text(3)} contains 1.00, within {WIDTH_GOAL:.0%}", met)


def run(binaries: Binaries, rounds: int, folder: Path) -> None:
    measure_hang(binaries, rounds, folder)
    measure_tasks(binaries, rounds, folder)
    measure_throughput(binaries, rounds, folder)
