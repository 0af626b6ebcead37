"""What recording where tasks are made costs a task: with --task-origin, in asyncio's own debug mode,
and with neither.

Every round makes some thousand tasks in each configuration, in random order, and is compared with
the slice without any of the same round. 'none again' is a second such slice: what the machine alone
does to the figure.
"""

import contextlib
import os
import random
import subprocess
from pathlib import Path

from figures.processes import Binaries
from figures.python import PYTHON, SERVICES
from figures.report import goal, section, table
from figures.statistics import median
from figures.waits import Background

CONFIGURATIONS = ["none", "none again", "task origin", "debug mode"]
TASKS = 4000  # of a slice; some 0.3 s in debug mode
GOAL = 2.0  # microseconds: "about a microsecond"


class Maker:
    def __init__(self, debug: bool):
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        if debug:
            environment["PYTHONASYNCIODEBUG"] = "1"
        self.process = subprocess.Popen(
            [PYTHON, SERVICES / "make_tasks.py"], env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.process.stdout.readline() != "READY\n":
            raise RuntimeError("the program did not start")

    def microseconds(self) -> float:
        self.process.stdin.write(f"{TASKS}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline()) / 1000

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def run(binaries: Binaries, rounds: int, folder: Path) -> None:
    order = random.Random(11)
    plain, debug = Maker(False), Maker(True)
    differences: dict[str, list[float]] = {name: [] for name in CONFIGURATIONS[1:]}
    alone = []
    try:
        for maker in (plain, debug):
            maker.microseconds()
        for _ in range(rounds):
            found = {}
            for name in order.sample(CONFIGURATIONS, len(CONFIGURATIONS)):
                maker = debug if name == "debug mode" else plain
                with contextlib.ExitStack() as stack:
                    if name == "task origin":
                        # Sweeps far apart: what they cost is another figure.
                        tracer = Background(
                            [str(binaries.tracer), "-p", str(plain.process.pid), "--task-origin",
                             "--loop-block", "off", "-i", "5s"],
                            "recording where", folder)
                        stack.callback(tracer.stop)
                    found[name] = maker.microseconds()
            alone.append(found["none"])
            for name, those in differences.items():
                those.append(found[name] - found["none"])
    finally:
        plain.stop()
        debug.stop()
    section(
        "what a task costs more to make",
        f"{rounds} rounds of {TASKS} tasks each; {median(alone).text(2)} us a task without; "
        "us of CPU time, median of the differences [95 %]",
    )
    more = {name: median(those) for name, those in differences.items()}
    table(["", "us a task"], [[name, one.text(2)] for name, one in more.items()])
    goal("--task-origin", more["task origin"], GOAL, "us a task", 2)
