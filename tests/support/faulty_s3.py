"""A proxy before the S3 server of tests, which misbehaves as it is told."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
INTERNAL = (
    b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
)


@dataclass
class Fault:
    """What happens to the next requests that match."""

    kind: str  # "500", "503", "denied", "slow", "silent", "cut", "lost", "stale"
    matches: Callable[[str, str], bool]  # method and path with query
    times: int = 10**9
    seconds: float = 0.5  # of "slow"
    seen: int = 0


@dataclass
class FaultyS3:
    """The proxy: its address, and the faults that are in force."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, method: str = "", path: str = "", **more: Any) -> Fault:
        """Let requests fail whose method is ``method`` and whose path matches ``path``."""
        pattern = re.compile(path)
        fault = Fault(
            kind, lambda one, where: method in ("", one) and bool(pattern.search(where)), **more
        )
        with self.lock:
            self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Behave."""
        with self.lock:
            self.faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault of a request, counted; None if it is to be answered properly."""
        with self.lock:
            for fault in self.faults:
                if fault.seen < fault.times and fault.matches(method, path):
                    fault.seen += 1
                    return fault
        return None


@contextmanager
def proxy(target: str) -> Iterator[FaultyS3]:
    """A proxy before the S3 server at ``target``."""
    state = FaultyS3("")

    class Handler(_Handler):
        faulty, upstream = state, urlsplit(target).netloc

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faulty: FaultyS3
    upstream: str

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def _handle(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        fault = self.faulty.take(self.command, self.path)
        kind = fault.kind if fault else ""
        if kind == "cut" and length:
            self.rfile.read(length // 2)
            self._hang_up()
            return
        body = self.rfile.read(length)
        if kind == "silent":
            time.sleep(600 if fault is None else fault.seconds)
            self._hang_up()
            return
        if kind == "slow" and fault is not None:
            time.sleep(fault.seconds)
        if kind in ("500", "503"):
            self._send(int(kind), {}, SLOW_DOWN if kind == "503" else INTERNAL)
            return
        if kind == "denied":
            self._send(403, {}, _denied(self.headers.get("authorization", "")))
            return
        status, headers, answer = self._ask(body)
        if kind == "lost":  # it was done, but nobody hears of it
            self._hang_up()
            return
        if kind == "stale":
            answer = _without_newest(answer)
        self._send(status, headers, answer, cut=kind == "cut")

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _handle  # noqa: N815 - names of the base class

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _send(
        self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False
    ) -> None:
        self.send_response_only(status)
        skipped = {"transfer-encoding", "connection", "content-length"}
        for name, value in headers.items():
            if name.lower() not in skipped:
                self.send_header(name, value)
        length = headers.get("Content-Length") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if cut:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self._hang_up()
        elif self.command != "HEAD":
            self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # the client was faster
            return


def _denied(authorization: str) -> bytes:
    """As S3 says it, which repeats the key's name and what was signed."""
    key = re.search("Credential=([^/]+)", authorization)
    return (
        "<?xml version='1.0'?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>The request "
        "signature we calculated does not match.</Message>\n<AWSAccessKeyId>"
        f"{key[1] if key else ''}</AWSAccessKeyId>"
        f"<StringToSign>{authorization}</StringToSign></Error>"
    ).encode()


def _without_newest(listing: bytes) -> bytes:
    """A listing without the last tenth of a second's and at least the newest object."""
    entries = re.findall(rb"<Contents>.*?</Contents>", listing, re.DOTALL)
    moments = [re.search(rb"<LastModified>(.*?)<", one) for one in entries]
    if not entries:
        return listing
    newest = max(range(len(entries)), key=lambda n: moments[n].group(1) if moments[n] else b"")
    return listing.replace(entries[newest], b"", 1)
