"""A web service whose endpoints wait for each other for ever: asgi_service.py fastapi|starlette|plain [--healthy].
Two clients on threads of its own ask for them, with secrets in their query strings."""
import asyncio
import socket
import sys
import threading

import uvicorn

kind = sys.argv[1]
healthy = "--healthy" in sys.argv
left, right = asyncio.Lock(), asyncio.Lock()
both = asyncio.Event()


async def meet(first):
    if first.locked() and (left if first is right else right).locked():
        both.set()
    if not healthy:
        await both.wait()


async def load_order(order):
    async with left:
        await meet(left)
        async with right:  # LINE: order waits
            return {"order": order}


async def take_money():
    if healthy:
        return await load_order(0)
    async with right:
        await meet(right)
        async with left:  # LINE: pay waits
            return {}


def fastapi_service():
    import fastapi

    app = fastapi.FastAPI()

    @app.get("/orders/{order_id}")
    async def orders(order_id: int):
        return await load_order(order_id)

    @app.post("/pay")
    async def pay():
        return await take_money()

    return app


def starlette_service():
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route

    async def orders(request):
        return JSONResponse(await load_order(request.path_params["order_id"]))

    async def pay(request):
        return JSONResponse(await take_money())

    inner = [Route("/orders/{order_id}", orders), Route("/pay", pay, methods=["POST"])]
    return Starlette(routes=[Mount("/api", routes=inner)])


async def plain_service(scope, receive, send):
    if scope["type"] != "http":
        return
    await (load_order(7) if scope["method"] == "GET" else take_money())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def ask(port, line):
    while True:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"{line} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            while client.recv(4096):
                pass


async def main():
    app = {"fastapi": fastapi_service, "starlette": starlette_service, "plain": lambda: plain_service}[kind]()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", http="h11", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    while not server.started:
        await asyncio.sleep(0.01)
    root = "/api" if kind == "starlette" else ""
    for line in (f"GET {root}/orders/7?token=secret", f"POST {root}/pay?card=secret"):
        threading.Thread(target=ask, args=(listener.getsockname()[1], line), daemon=True).start()
    if not healthy:
        await both.wait()
    await asyncio.sleep(0.2)
    print("READY", flush=True)
    await serving


asyncio.run(main())
