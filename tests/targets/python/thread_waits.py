"""Threads that wait in each of the standard library's ways."""
import concurrent.futures
import queue
import threading
import time

import truth

keep = []


def named(thing, name):
    truth.name_object(name, thing)
    keep.append(thing)
    return thing


lock, rlock, bare = (named(threading.Lock(), "lock"), named(threading.RLock(), "rlock"),
                     named(threading.Lock(), "bare"))
condition = named(threading.Condition(), "condition")
condition_lock = named(condition._lock, "condition_lock")
semaphore = named(threading.BoundedSemaphore(1), "semaphore")
event, barrier = named(threading.Event(), "event"), named(threading.Barrier(2), "barrier")
items, full = named(queue.Queue(), "items"), named(queue.PriorityQueue(1), "full")
simple = named(queue.SimpleQueue(), "simple")
done, first, second = (named(concurrent.futures.Future(), name)
                       for name in ("done", "first", "second"))
done.set_result(1)
in_a_while = 9000


def with_lock():
    with lock:
        pass


def with_rlock():
    with rlock:
        pass


def bare_acquire():
    bare.acquire()


def with_condition():
    with condition:
        pass


def condition_wait():
    idle = named(threading.Condition(), "idle")
    with idle:
        idle.wait()


def condition_wait_for():
    idle = named(threading.Condition(threading.Lock()), "predicate")
    with idle:
        idle.wait_for(lambda: False, in_a_while)


def with_semaphore():
    with semaphore:
        pass


def event_wait():
    event.wait(in_a_while)


def barrier_wait():
    barrier.wait()


def queue_get():
    items.get()


def queue_get_timed():
    items.get(timeout=in_a_while)


def queue_put():
    full.put(2)


def queue_join():
    full.join()


def simple_get():
    simple.get()


def future_result():
    first.result()


def futures_wait():
    concurrent.futures.wait([done, first, second])


def futures_wait_first():
    concurrent.futures.wait([first, second], return_when=concurrent.futures.FIRST_COMPLETED)


def futures_as_completed():
    for _ in concurrent.futures.as_completed([done, first, second]):
        pass


def join():
    threads["sleep"].join()


def join_timed():
    threads["sleep"].join(in_a_while)


def sleep():
    time.sleep(10000)


for held in (lock, rlock, bare, condition, semaphore):
    held.acquire()
full.put(1)
functions = [sleep, with_lock, with_rlock, bare_acquire, with_condition, condition_wait,
             condition_wait_for, with_semaphore, event_wait, barrier_wait, queue_get,
             queue_get_timed, queue_put, queue_join, simple_get, future_result, futures_wait,
             futures_wait_first, futures_as_completed, join, join_timed]
threads = {function.__name__: named(threading.Thread(target=function, name=function.__name__,
                                                     daemon=True), "thread_" + function.__name__)
           for function in functions}
for thread in threads.values():
    thread.start()
pool = named(concurrent.futures.ThreadPoolExecutor(1, "worker"), "pool")
pool.submit(int).result()
time.sleep(0.2)
print("READY", flush=True)
sleep()
