"""Asks a service for GET /health on a unix socket (argv[1]), for ever; says GOES ON when it has had ten answers
since SIGUSR1."""
import signal
import socket
import sys
import time

left = 0


def count(*_):
    global left
    left = 10


signal.signal(signal.SIGUSR1, count)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
print("READY", flush=True)
while True:
    client.sendall(b"GET /health HTTP/1.1\r\nHost: shop\r\n\r\n")
    if not client.recv(4096).endswith(b"ok"):
        sys.exit("no answer")
    left -= 1
    if left == 0:
        print("GOES ON", flush=True)
    time.sleep(0.05)
