"""What a program knows of itself, as tests/integration/python_reader_test.cc writes it down."""
import asyncio
import gc
import inspect
import sys
import types


def name_object(name, thing):
    sys.stdout.write(f"NAME {id(thing):x} {name}\n")  # in one piece: threads write too


def _inner(step):
    """What an awaitable that is no coroutine and no generator stands for."""
    if type(step).__name__ in ("async_generator_asend", "async_generator_athrow",
                               "coroutine_wrapper", "anext_awaitable"):
        for thing in gc.get_referents(step):
            if isinstance(thing, (types.AsyncGeneratorType, types.CoroutineType)) or \
                    _inner(thing) is not None:
                return thing
    return None


def chain(coroutine):
    """Frames of the await chain, innermost first."""
    frames = []
    step = coroutine
    while step is not None:
        if inspect.iscoroutine(step):
            frame, step = step.cr_frame, step.cr_await
        elif inspect.isasyncgen(step):
            frame, step = step.ag_frame, step.ag_await
        elif inspect.isgenerator(step):
            frame, step = step.gi_frame, step.gi_yieldfrom
        else:
            step = _inner(step)
            continue
        frames.append(frame)
    return frames[::-1]


def print_tasks(holds_of):
    """holds_of(function names of the chain, function) -> names of what that function holds."""
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
        if task is asyncio.current_task():  # it does not stay as it is now
            continue
        print(f"TASK {task.get_name()}")
        frames = chain(task.get_coro())
        functions = [frame.f_code.co_qualname for frame in frames]
        for frame, function in zip(frames, functions):
            holds = " ".join(sorted(holds_of(functions, function)))
            print(f"TASK   {function}:{frame.f_lineno} [{holds}]")
