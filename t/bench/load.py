"""How the load is made: wrk, ab, and sockets of our own for long transfers.

    sample = wrk_list(target, requests, connections=32, seconds=1)
    sample.operations / sample.seconds

A Sample counts operations that were answered as they must be.  Any other
answer raises WrongAnswer: a server that fails fast shall not look fast.
"""

import os
import re
import socket
import struct
import subprocess
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))


class WrongAnswer(Exception):
    """A server answered with a status or with bytes that it must not."""


@dataclass
class Sample:
    operations: float
    seconds: float
    bytes: int = 0


def request(target, method, path, headers=None):
    """One HTTP/1.1 request's head."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {target.host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines) + "\r\n\r\n"


# ---- wrk and ab ------------------------------------------------------------

def _output(command, seconds):
    try:
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=seconds + 60).stdout
    except subprocess.TimeoutExpired as error:
        raise WrongAnswer(f"{command[0]} does not end") from error


def _lua(value):
    if isinstance(value, str):
        return '"' + "".join(
            c if " " <= c <= "~" and c not in '"\\' else f"\\{ord(c):03d}"
            for c in value) + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}={_lua(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "{" + ",".join(map(_lua, value)) + "}"
    return str(value)


def _wrk(target, plan, connections, seconds):
    threads = min(2, connections)
    path = os.path.join(target.scratch, "plan.lua")
    with open(path, "w") as file:
        file.write("return " + _lua(plan))

    output = _output(
        ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s",
         "--timeout", "30s", "-s", os.path.join(HERE, "load.lua"),
         f"http://{target.host}/", "--", path, str(threads)], seconds)

    found = re.search(r"^RESULT ([\d ]+)$", output, re.M)
    if not found:
        raise WrongAnswer(f"wrk: {output[-300:]}")
    done, microseconds, size, stored, refused, broken = map(
        int, found.group(1).split())
    if refused:
        raise WrongAnswer(f"{refused} of {done} answers had a wrong status")
    if broken > connections:
        raise WrongAnswer(f"{broken} connections failed of {done} requests")

    return Sample(done if plan["mode"] == "list" else stored,
                  microseconds / 1e6, size)


def wrk_list(target, requests, connections, seconds):
    """Requests from a list, over and over."""
    plan = {"mode": "list", "requests": requests}
    return _wrk(target, plan, connections, seconds)


@dataclass
class Unique:
    """Bodies that differ in twelve digits between HEAD and TAIL.

    items pairs each body's number with its path (of a bare PUT) or with its
    digest (of a push, which gets its path from the answer to START).
    """
    head: str
    tail: str
    items: list
    start: str = ""


def wrk_unique(target, unique, content_type, connections, seconds):
    """Each body once: a PUT, or a POST and a PUT."""
    plan = {
        "mode": "push" if unique.start else "put",
        "before": "PUT ",
        "after": f" HTTP/1.1\r\nHost: {target.host}\r\n"
                 f"Content-Type: {content_type}\r\n",
        "head": unique.head,
        "tail": unique.tail,
        "start": unique.start,
        "items": unique.items,
    }
    return _wrk(target, plan, connections, seconds)


def ab_head(target, path, headers, connections, seconds):
    """HEAD by ab, as wrk waits for the body that a HEAD does not have."""
    command = ["ab", "-q", "-k", "-i", "-c", str(connections),
               "-t", str(seconds), "-n", "100000000", "-s", "30"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    output = _output(command + [f"http://{target.host}{path}"], seconds)

    def number(label):
        found = re.search(rf"^{label}:\s+([\d.]+)", output, re.M)
        return float(found.group(1)) if found else 0

    if not number("Complete requests"):
        raise WrongAnswer(f"ab: {output[-300:]}")
    wrong = number("Non-2xx responses") + number("Failed requests")
    if wrong:
        raise WrongAnswer(f"ab: {wrong:.0f} answers were wrong")

    return Sample(number("Complete requests"),
                  number("Time taken for tests"))


# ---- long transfers --------------------------------------------------------

class Wire:
    """A connection that lets the kernel move the bytes: sendfile out, and in
    MSG_TRUNC, which drops them unseen, so that the client costs little."""

    def __init__(self, target):
        self.target = target
        host, port = target.host.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, option,
                                   struct.pack("ll", 60, 0))
        self.rest = b""

    def close(self):
        self.socket.close()

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.socket.sendall(data)

    def send_file(self, file, size):
        offset = 0
        while offset < size:
            offset += os.sendfile(self.socket.fileno(), file.fileno(),
                                  offset, size - offset)

    def answer(self, status):
        """The head of an answer, whose body is read and dropped."""
        while b"\r\n\r\n" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                raise WrongAnswer("the connection was closed")
            self.rest += data

        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin1").split("\r\n")
        headers = {name.lower(): value for name, value in
                   (line.split(": ", 1) for line in lines[1:])}

        got = int(lines[0].split()[1])
        if got != status:
            raise WrongAnswer(f"{got} instead of {status}: "
                              f"{self.rest[:200].decode('latin1')}")
        self._drop(int(headers.get("content-length", 0)))

        return headers

    def _drop(self, size):
        known = min(size, len(self.rest))
        self.rest = self.rest[known:]
        size -= known

        buffer = bytearray(min(size, 1 << 22))
        while size > 0:
            got = self.socket.recv_into(buffer, min(size, len(buffer)),
                                        socket.MSG_TRUNC)
            if got <= 0:
                raise WrongAnswer("the body ended too early")
            size -= got


def stream(target, path, size, seconds):
    """GETs of one large body after another."""
    wire = Wire(target)
    count, begin = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - begin < seconds:
        wire.send(request(target, "GET", path))
        headers = wire.answer(200)
        if int(headers["content-length"]) != size:
            raise WrongAnswer(f"{path}: {headers['content-length']} bytes")
        count += 1
    taken = time.perf_counter() - begin
    wire.close()

    return Sample(count, taken, count * size)
