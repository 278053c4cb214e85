"""A cheap HTTP load: many keep-alive connections in one thread, requests built beforehand.

A process of its own: reads one JSON line a round from stdin, answers one JSON line on stdout.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from time import perf_counter

_MOST_A_SECOND = 16_000


def requests(plan: dict) -> list[bytes]:
    """As many requests as could possibly be sent in the round, each with a reference of its own."""
    built = []
    head = plan["head"].encode()
    for number in range(int(plan["seconds"] * _MOST_A_SECOND)):
        if plan["method"] == "GET":
            path = plan["paths"][number % len(plan["paths"])]
            built.append(f"GET {path} HTTP/1.1\r\n".encode() + head + b"\r\n")
        else:
            path = plan["paths"][number % len(plan["paths"])]
            body = plan["body"].replace("%REF%", f"{plan['ref']}-{number}").encode()
            built.append(
                f"POST {path} HTTP/1.1\r\n".encode() + head
                + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )  # fmt: skip
    return built


def round_of(plan: dict) -> dict:
    waiting = requests(plan)
    waiting.reverse()
    wanted = str(plan["status"]).encode()
    selector = selectors.EpollSelector()
    connections = []
    for _ in range(plan["clients"]):
        connection = socket.create_connection(("127.0.0.1", plan["port"]))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state = [connection, 0.0, b""]
        selector.register(connection, selectors.EVENT_READ, state)
        connections.append(state)
    taken, wrong = [], []
    begin = perf_counter()
    end = begin + plan["seconds"]
    for state in connections:
        state[1] = perf_counter()
        state[0].sendall(waiting.pop())
    open_ = len(connections)
    last = begin
    while open_:
        for key, _ in selector.select(5):
            state = key.data
            connection = state[0]
            answer = state[2] + connection.recv(1 << 20)
            head_ends = answer.find(b"\r\n\r\n")
            if head_ends < 0 or len(answer) < head_ends + 4 + _length(answer, head_ends):
                state[2] = answer
                continue
            state[2] = b""
            last = perf_counter()
            taken.append(last - state[1])
            if answer[9:12] != wanted:
                wrong.append(answer[-400:].decode(errors="replace"))
            if last < end and waiting:
                state[1] = last
                connection.sendall(waiting.pop())
            else:
                selector.unregister(connection)
                connection.close()
                open_ -= 1
    taken.sort()
    return {
        "count": len(taken), "seconds": last - begin, "wrong": len(wrong), "example": wrong[:1],
        "p50": taken[len(taken) // 2], "p99": taken[int(len(taken) * 0.99)], "most": taken[-1],
    }  # fmt: skip


def _length(answer: bytes, head_ends: int) -> int:
    lowered = answer[:head_ends].lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 : lowered.find(b"\r", at) if b"\r" in lowered[at:] else None])


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(round_of(json.loads(line))), flush=True)
