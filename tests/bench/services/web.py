"""A FastAPI service on uvicorn, whose loop is never blocked for long: what its throughput is under
each way of being watched. Prints READY; the port is its argument."""
import asyncio
import sys

import fastapi
import uvicorn

app = fastapi.FastAPI()
pool = asyncio.Semaphore(8)


@app.get("/orders/{order}")
async def order(order: int):
    async with pool:
        await asyncio.sleep(0.001)
        return {"order": order, "lines": [{"item": n, "count": n % 7} for n in range(20)]}


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("READY", flush=True)


Server(uvicorn.Config(app, port=int(sys.argv[1]), log_level="error", access_log=False)).run()
