"""A FastAPI service whose handlers are short, in its loop and in its thread pool, and clients in a process
of their own that ask for them without a pause."""
import asyncio
import socket
import sys
import threading

import fastapi
import uvicorn

app = fastapi.FastAPI()
pool = asyncio.Semaphore(4)


def work(size):
    return sum(i * i for i in range(size))


@app.get("/orders/{order}")
async def order(order: int):
    async with pool:
        await asyncio.sleep(0.001)
        return {"order": order, "sum": work(5_000)}


@app.get("/invoice")
def invoice():
    return {"sum": work(5_000)}


def ask(port, path):
    while True:
        with socket.create_connection(("127.0.0.1", port)) as client:
            for _ in range(20):
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
                if not client.recv(65536):
                    break


async def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    while not server.started:
        await asyncio.sleep(0.01)
    await asyncio.create_subprocess_exec("/usr/bin/setpriv", "--pdeathsig", "KILL", sys.executable, "-B", __file__,
                                         str(port))
    print("READY", flush=True)
    await serving


if len(sys.argv) > 1:
    for path in ("/orders/7", "/orders/8", "/orders/9", "/invoice", "/invoice"):
        threading.Thread(target=ask, args=(int(sys.argv[1]), path)).start()
else:
    asyncio.run(main())
