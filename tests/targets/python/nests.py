"""Random nests of everything that holds or awaits: nests.py SEED COUNT. Each ends in a wait for
ever; then the program prints the truth about every task. --eager: tasks begin before create_task() returns, from
Python 3.12 on."""
import asyncio
import contextlib
import random
import sys

import anyio_nests
import truth

seed, count = int(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)
sys.setrecursionlimit(10000)
parked = []
managers = []


async def park():
    future = asyncio.get_running_loop().create_future()
    parked.append(future)
    await future


class Manager:
    """Knows which function has it in a with-block: `owner`, or the generator `inside` for it."""

    def __init__(self, name, owner, inside=None, park_in="", in_stack=False):
        self.name, self.owner, self.inside = name, owner, inside
        self.park_in, self.in_stack, self.state = park_in, in_stack, "new"
        managers.append(self)
        truth.name_object(name, self)

    def __enter__(self):
        self.state = "held"

    def __exit__(self, kind, value, trace):
        self.state = "done"

    async def __aenter__(self):
        # An ExitStack calls __aenter__ itself: that is no with-block yet.
        self.state = "new" if self.in_stack else "entering"
        if self.park_in == "enter":
            await park()
        await asyncio.sleep(0)
        self.state = "held"

    async def __aexit__(self, kind, value, trace):
        # When an exception ends the block its __aexit__ stays on the stack while it runs.
        self.state = "done" if kind is None else "held"
        if self.park_in == "exit":
            await park()
        self.state = "done"


class Program:
    def __init__(self, task):
        self.task, self.functions, self.lines, self.number = task, 0, [], 0
        self.anyio = anyio_nests.Anyio(self, rng)

    def fresh(self, what):
        self.number += 1
        return f"{self.task}_{what}{self.number}"

    def manager(self, owner, **options):
        extra = "".join(f", {key}={value!r}" for key, value in options.items())
        return f"Manager({self.fresh('m')!r}, {owner!r}{extra})"

    def function(self, depth, kind="async def", prologue=(), epilogue=()):
        """A function whose body goes on with the nest; returns its name."""
        name = self.fresh("f")
        body = [*prologue, *self.block(depth, name), *epilogue]
        self.lines += [f"{kind} {name}():", *("    " + line for line in body), ""]
        return name

    def leaf(self, owner):
        return rng.choice([
            *(self.anyio.leaves(owner) if anyio_nests.anyio else []),
            lambda: ["await park()"],
            lambda: [f"async with {self.manager(owner, park_in='enter')}:", "    pass"],
            lambda: [f"async with {self.manager(owner, park_in='exit')}:", "    pass"],
            lambda: [f"async with {self.manager(owner, park_in='exit')}:", "    raise KeyError(1)"],
            lambda: [f"async with {self.manager(owner)}, {self.manager(owner, park_in='enter')}:",
                     "    pass"],
            lambda: ["async with contextlib.AsyncExitStack() as stack:",
                     "    await stack.enter_async_context("
                     f"{self.manager(owner, park_in='enter', in_stack=True)})"],
        ])()

    def block(self, depth, owner):
        if depth == 0:
            return self.leaf(owner)
        indent = lambda lines: ["    " + line for line in lines]
        inner = lambda: indent(self.block(depth - 1, owner))
        rest = lambda: self.block(depth - 1, owner)
        return rng.choice([
            *(self.anyio.blocks(depth, owner, inner, rest) if anyio_nests.anyio else []),
            lambda: [f"async with {self.manager(owner)}:", *inner()],
            lambda: [f"with {self.manager(owner)}:", *inner()],
            lambda: [f"async with {self.manager(owner)} as a, {self.manager(owner)} as b:",
                     *inner()],
            lambda: [f"with {self.manager(owner)}: pass",
                     f"async with {self.manager(owner)}: await asyncio.sleep(0)", *rest()],
            lambda: ["try:", *inner(), "except KeyError:", "    await park()"],
            lambda: ["try:", "    raise KeyError(1)", "except KeyError as error:", *inner()],
            lambda: ["try:", "    pass", "finally:", *inner()],
            lambda: ["try:", f"    with {self.manager(owner)}:", "        raise KeyError(1)",
                     "finally:", *inner()],
            lambda: ["for i in [1, 2]:", *inner()],
            lambda: ["while True:", *inner()],
            lambda: [f"await {self.function(depth - 1)}()"],
            lambda: [f"print([1, (await {self.function(depth - 1)}(), 2)])"],
            lambda: [f"async for x in {self.function(depth - 1, epilogue=['yield 1'])}():",
                     "    pass"],
            lambda: self.over_generator(depth, owner, inner),
            lambda: self.with_generator(depth, owner, inner),
            lambda: ["async with contextlib.AsyncExitStack() as stack:",
                     "    await stack.enter_async_context("
                     f"{self.manager(owner, in_stack=True)})",
                     f"    stack.enter_context({self.manager(owner, in_stack=True)})", *inner()],
            lambda: ["try:", f"    await {self.function(depth - 1)}()",
                     "except* KeyError:", "    pass"],
            lambda: [f"await asyncio.wait_for({self.function(depth - 1)}(), 1000)"],
            lambda: [f"await asyncio.gather({self.started(depth - 1)}, {self.started(depth - 1)})"],
            lambda: [f"await asyncio.shield({self.started(depth - 1)})"],
            lambda: [f"await asyncio.wait([{self.started(depth - 1)}])"],
            lambda: ["async with asyncio.TaskGroup() as group:",
                     f"    group.create_task({self.function(depth - 1)}(), name={self.fresh('t')!r})",
                     *inner()],
            lambda: [f"async with asyncio.timeout(5000) as {self.fresh('d')}:", *inner()],
        ])()

    def started(self, depth):
        return f"asyncio.create_task({self.function(depth)}(), name={self.fresh('t')!r})"

    def over_generator(self, depth, owner, inner):
        """The generator is suspended in a yield, inside a with-block, while the loop waits."""
        name = self.fresh("g")
        is_async = rng.random() < 0.5
        prefix = "async " if is_async else ""
        self.lines += [f"{prefix}def {name}():",
                       f"    {prefix}with {self.manager(owner, inside=name)}:",
                       "        yield 1", ""]
        return [f"{prefix}for x in {name}():", *inner()]

    def with_generator(self, depth, owner, inner):
        name = self.fresh("c")
        park_in = rng.choice(["", "", "enter"])
        self.lines += ["@contextlib.asynccontextmanager", f"async def {name}():",
                       f"    async with {self.manager(owner, inside=name, park_in=park_in)}:",
                       f"        with {self.manager(owner, inside=name)}:",
                       "            yield 1", ""]
        return [f"async with {name}():", *inner()]


def holds_of(functions, function):
    for manager in [*managers, *anyio_nests.managers.values()]:
        # A generator that is not awaited right now holds for the function that uses it.
        inside = manager.inside in functions
        where = manager.inside if inside else manager.owner
        if where != function or manager.state not in ("held", "entering"):
            continue
        is_through = manager.in_stack or (manager.inside is not None and not inside)
        yield manager.name + ("?" if manager.state == "entering" else "") + "+" * is_through


async def main():
    if "--eager" in sys.argv and hasattr(asyncio, "eager_task_factory"):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        print(f"GENERATED {count} eager")
    names = {**vars(anyio_nests), **globals()}
    for i in range(count):
        program = Program(f"n{i}")
        entry = program.function(rng.randrange(1, 9))
        exec(compile("\n".join(program.lines), "nest.py", "exec"), names)
        task = asyncio.create_task(names[entry](), name=f"n{i}")
        parked.append(task)
    for _ in range(200):
        await asyncio.sleep(0)
    truth.print_tasks(holds_of)
    anyio_nests.print_waits()
    print("READY", flush=True)
    await park()


asyncio.run(main())
