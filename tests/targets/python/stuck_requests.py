"""A FastAPI service with requests that do not go on and requests that only look like it; --healthy has only the
latter. --lost: a task awaits a future that nobody else has, and others await theirs as they mean to."""
import asyncio
import ctypes
import socket
import sys
import threading
import weakref

healthy = "--healthy" in sys.argv
news, never = asyncio.Event(), asyncio.Event()
kept = []
answers = weakref.WeakValueDictionary()


async def ask_upstream():
    await never.wait()  # LINE: upstream


async def go_on():
    for _ in range(100_000):
        await asyncio.sleep(0.001)  # at one line


def make_app():
    import fastapi
    from fastapi.responses import StreamingResponse

    app = fastapi.FastAPI()

    @app.get("/report/{number}")
    async def report(number: int):
        await asyncio.gather(go_on(), go_on() if healthy else ask_upstream())  # LINE: report
        return {}

    @app.get("/slow")
    async def slow():
        await go_on()

    @app.get("/feed")
    async def feed():
        async def lines():
            yield "news\n"
            await news.wait()  # of whoever listens: it is idle

        return StreamingResponse(lines())

    @app.get("/poll")
    async def poll():
        await asyncio.wait_for(never.wait(), 600)  # will end by itself
        return {}

    @app.post("/upload")
    async def upload(request: fastapi.Request):
        return len(await request.body())  # the client has not sent all

    return app


async def loses_its_future():
    answer = asyncio.get_running_loop().create_future()
    if healthy:
        kept.append(answer)
    await answer  # LINE: lost


async def has_a_weak_one():
    answer = asyncio.get_running_loop().create_future()
    answers[1] = answer
    await answer


async def has_one_that_c_will_set():
    answer = asyncio.get_running_loop().create_future()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(answer))  # as an extension module keeps it
    await answer


async def waits_to_be_cancelled():
    await asyncio.get_running_loop().create_future()


def ask(port, head):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"{head} HTTP/1.1\r\nHost: shop\r\nContent-Length: {4 if 'POST' in head else 0}\r\n\r\n".encode())
        while True:
            if not client.recv(4096):
                return


async def serve():
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(), log_level="warning", http="h11", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    while not server.started:
        await asyncio.sleep(0.01)
    for line in ["GET /report/1?token=secret", "GET /report/2", "GET /slow", "GET /feed", "GET /poll", "POST /upload"]:
        threading.Thread(target=ask, args=[listener.getsockname()[1], line], daemon=True).start()
    return [serving]


async def main():
    if "--lost" in sys.argv:
        tasks = [asyncio.create_task(function(), name=function.__name__)
                 for function in (loses_its_future, has_a_weak_one, has_one_that_c_will_set, waits_to_be_cancelled)]
    else:
        tasks = await serve()
    await asyncio.sleep(0.5)
    print("READY", flush=True)
    await asyncio.wait(tasks)


asyncio.run(main())
