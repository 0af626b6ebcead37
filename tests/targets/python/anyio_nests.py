"""What nests.py generates that goes through anyio, where the interpreter has it."""
import asyncio
import collections
import sys
import threading

import truth

try:
    import anyio
    import anyio.to_thread
    from anyio._backends import _asyncio as backend

    # The function that has a token of anyio's own limiter of threads, in anyio 3 and in anyio 4.
    WORKER = getattr(backend, "AsyncIOBackend", backend).run_sync_in_worker_thread.__qualname__
except ImportError:
    anyio = None

MOST_THREADS = 20  # fewer than that limiter has tokens, so that none waits
managers = {}
waits = {}  # by task: what it waits for, as the test calls it
threads = threading.Event()  # never set


class Managed:
    """As Manager of nests.py, of an object that cannot tell by itself; `state` is set for it."""
    inside = None

    def __init__(self, name, owner, thing, in_stack):
        self.name, self.owner, self.thing, self.in_stack = name, owner, thing, in_stack
        self.state = "new" if in_stack else "entering"
        managers[name] = self
        truth.name_object(name, thing)


def entering(name, owner, thing, in_stack=False, inside=None):
    Managed(name, owner, thing, in_stack).inside = inside
    return thing


def entered(name):
    managers[name].state = "held"
    lock = getattr(managers[name].thing, "_lock", None)
    if lock is not None and name + "_lock" not in managers:  # a Condition has its lock with it
        managed = Managed(name + "_lock", managers[name].owner, lock, True)
        managed.inside, managed.state = managers[name].inside, "held"


def left(name):
    for manager in (managers[name], managers.get(name + "_lock")):
        if manager is not None:
            manager.state = "done"


def waiting(what):
    waits[asyncio.current_task()] = what


def waiting_in(thing, name, queue):
    waiting(f"{type(thing).__module__}.{type(thing).__qualname__} {name}.{queue}")


async def wait_in(event, name):
    truth.name_object(name, event._event)
    waiting(f"asyncio.locks.Event {name}._waiters")
    await event.wait()


async def in_thread():
    waiting("future (unnamed)")
    if "threads" not in managers:
        limiter = anyio.to_thread.current_default_thread_limiter()
        entering("threads", WORKER, limiter)
        entered("threads")
    await anyio.to_thread.run_sync(threads.wait)


def taken(thing):
    """By the main task, or by nobody that can be seen."""
    if isinstance(thing, anyio.CapacityLimiter):
        thing.acquire_on_behalf_of_nowait(object())
    else:
        thing.acquire_nowait()
    return thing


class Anyio:
    """The productions for one Program of nests.py."""
    threads_left = MOST_THREADS

    def __init__(self, program, rng):
        self.program, self.rng = program, rng

    def manager(self, thing, owner, **options):
        """Its name, and the expression for a with statement."""
        name = self.program.fresh("a")
        extra = "".join(f", {key}={value!r}" for key, value in options.items())
        return name, f"entering({name!r}, {owner!r}, {thing}{extra})"

    def lock(self, owner, **options):
        things = ["Lock()", "Semaphore(1)", "CapacityLimiter(1)", "Condition()"]
        return self.manager("anyio." + self.rng.choice(things), owner, **options)

    def scope(self, owner):
        delay, shield = self.rng.randrange(2000, 9000), self.rng.random() < 0.3
        thing = self.rng.choice([f"move_on_after({delay}, shield={shield})",
                                 f"fail_after({delay}, shield={shield})",
                                 f"CancelScope(shield={shield})"])
        return self.manager("anyio." + thing, owner)

    def contended(self, owner):
        thing = self.rng.choice(["Lock()", "Semaphore(1)", "CapacityLimiter(1)", "Condition()"])
        name = self.program.fresh("taken")
        self.program.lines += [f"{name} = taken(anyio.{thing})", ""]
        manager, expression = self.manager(name, owner)
        lock, what = name, manager
        if thing == "Condition()":
            lock, what = f"{name}._lock", f"{manager}_lock"
            self.program.lines += [f"truth.name_object('{what}', {lock})"]
        queue = "_wait_queue" if "Limiter" in thing else "_waiters"
        return [f"waiting_in({lock}, {what!r}, {queue!r})", f"async with {expression}:", "    pass"]

    def notified(self, owner):
        manager, expression = self.manager("anyio.Condition()", owner)
        return [f"async with (condition := {expression}):", f"    entered({manager!r})",
                f"    left({manager!r})",  # as wait() does
                f"    waiting('anyio.Condition {manager}._waiters')",
                "    await condition.wait()"]

    def leaves(self, owner):
        all_leaves = [
            lambda: [f"await wait_in(anyio.Event(), {self.program.fresh('e')!r})"],
            lambda: ["waiting('sleep')", "await anyio.sleep(7000)"],
            lambda: self.contended(owner),
            lambda: self.contended(owner),
            lambda: self.notified(owner),
        ]
        return all_leaves + [self.thread] * (Anyio.threads_left > 0)

    def thread(self):
        Anyio.threads_left -= 1
        return ["await in_thread()"]

    def within(self, manager, inner, prefix="async "):
        name, expression = manager
        return [f"{prefix}with {expression}:", f"    entered({name!r})", *inner()]

    def left_before(self, owner, rest):
        name, expression = self.lock(owner)
        return [f"async with {expression}:", f"    entered({name!r})", "    await anyio.sleep(0)",
                f"left({name!r})", *rest()]

    def in_stack(self, owner, inner):
        name, expression = self.lock(owner, in_stack=True)
        return ["async with contextlib.AsyncExitStack() as stack:",
                f"    await stack.enter_async_context({expression})", f"    entered({name!r})",
                *inner()]

    def with_generator(self, owner, inner):
        generator = self.program.fresh("c")
        name, expression = self.lock(owner, inside=generator)
        self.program.lines += ["@contextlib.asynccontextmanager", f"async def {generator}():",
                               f"    async with {expression}:", f"        entered({name!r})",
                               "        yield 1", ""]
        return [f"async with {generator}():", *inner()]

    def group(self, depth, owner, inner):
        """The task is in the group's block, or waits for its children at the end of it."""
        children = [self.program.fresh("t") for _ in range(2)]
        name, expression = self.manager("anyio.create_task_group()", owner)
        lines = [f"async with {expression} as group:", f"    entered({name!r})"]
        for child in children:
            lines.append(f"    group.start_soon({self.program.function(depth - 1)}, name={child!r})")
        if self.rng.random() < 0.3:
            return lines + inner()
        return lines + [f"    left({name!r})", f"    waiting('all of {' '.join(sorted(children))}')"]

    def cancelled_group(self, depth, owner):
        """An exception ends the block; a child that is shielded goes on, and is waited for."""
        child, function = self.program.fresh("t"), self.program.fresh("f")
        name, expression = self.manager("anyio.create_task_group()", owner)
        shield, shield_expression = self.manager("anyio.CancelScope(shield=True)", function)
        self.program.lines += [f"async def {function}():", f"    with {shield_expression}:",
                               f"        entered({shield!r})",
                               f"        await {self.program.function(depth - 1)}()", ""]
        return [f"async with {expression} as group:", f"    entered({name!r})",
                f"    group.start_soon({function}, name={child!r})", f"    waiting('all of {child}')",
                "    raise KeyError(1)"]

    def blocks(self, depth, owner, inner, rest):
        return [
            lambda: self.within(self.lock(owner), inner),
            lambda: self.within(self.lock(owner), inner),
            lambda: self.within(self.scope(owner), inner, prefix=""),
            lambda: self.within(self.scope(owner), inner, prefix=""),
            lambda: self.left_before(owner, rest),
            lambda: self.in_stack(owner, inner),
            lambda: self.with_generator(owner, inner),
            lambda: self.group(depth, owner, inner),
            lambda: self.group(depth, owner, inner),
            lambda: self.cancelled_group(depth, owner),
        ]


def _deadline(task, frames):
    """The earliest moment at which a timeout of this task ends its wait."""
    timers = [value.when() for frame in frames for value in frame.f_locals.values()
              if isinstance(value, (asyncio.Timeout, asyncio.TimerHandle))]
    deadlines = [when for when in timers if when is not None]
    state = backend._task_states.get(task)
    scope = state.cancel_scope if state is not None else None
    while scope is not None:  # as anyio.current_effective_deadline() does for the current task
        if not scope.cancel_called:
            deadlines.append(scope.deadline)
        scope = None if scope.shield else scope._parent_scope
    return min(deadlines, default=float("inf"))


def print_waits():
    if anyio is None:
        return
    for task, what in waits.items():
        # From 3.12 on the Timeout of wait_for() is in no variable.
        until = ""
        if sys.version_info < (3, 12):
            until = f" until {_deadline(task, truth.chain(task.get_coro())):.6f}"
        print(f"WAIT {task.get_name()} {what}{until}")
    kinds = collections.Counter(f"{type(manager.thing).__name__} {manager.state}"
                                for manager in managers.values())
    kinds.update(what.split()[0] for what in waits.values())
    for kind, count in sorted(kinds.items()):
        print(f"GENERATED {count} {kind}")
