"""Python services: from the command to the answer on one that hangs, by the number of tasks, with the memory that
takes. What being looked at costs one that works: loops.py.
"""

import os
import subprocess
from pathlib import Path

from figures.processes import Binaries, run_timed, target
from figures.report import goal, section, table
from figures.statistics import median

HERE = Path(__file__).resolve()
SERVICES = HERE.parents[1] / "services"
TARGETS = HERE.parents[2] / "targets/python"
PYTHON = "/usr/bin/python3"
WIDTH_GOAL = 0.02
TASKS = {10_000: 50, 100_000: 500}  # to the milliseconds that they may take
MEMORY_MB = 200
HANG = 10  # exit status


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
        resident = median([run.resident / 1e6 for run in runs])
        rows.append([f"{count:,}", taken.text(), median([1000 * run.cpu for run in runs]).text(),
                     resident.text(0)])
        goals.append((f"{count:,} tasks", taken, limit))
    table(["tasks", "exit", "own CPU", "largest process, MB"], rows)
    goal("of 100,000 tasks, largest process", resident, MEMORY_MB, "MB")
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

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def run(binaries: Binaries, rounds: int, folder: Path) -> None:
    measure_hang(binaries, rounds, folder)
    measure_tasks(binaries, rounds, folder)
