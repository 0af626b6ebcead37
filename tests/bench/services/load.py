"""Asks a service on connections that stay open; for each line "SECONDS" on standard input prints how
many answers it got a second meanwhile."""
import asyncio
import sys
import time

PORT, CONNECTIONS = int(sys.argv[1]), 16
answers = 0


async def ask():
    global answers
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    while True:
        writer.write(b"GET /orders/7 HTTP/1.1\r\nHost: bench\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length"))
        await reader.readexactly(length)
        answers += 1


async def main():
    tasks = [asyncio.create_task(ask()) for _ in range(CONNECTIONS)]
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        before, begin = answers, time.monotonic()
        await asyncio.sleep(float(line))
        print((answers - before) / (time.monotonic() - begin), flush=True)
        if any(task.done() for task in tasks):
            raise RuntimeError("a connection has ended")


asyncio.run(main())
