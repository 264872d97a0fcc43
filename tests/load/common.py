"""What the load tests share: a daemon, ordinary requests beside it, masses of connections. Loopback only."""
import errno
import http.client
import os
import pathlib
import re
import resource
import select
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT = int(os.environ.get("PORT", "18950"))
ORLOPD = os.environ.get("ORLOPD", str(ROOT / "build/release/orlopd"))
SMALL = b"s" * 4096


def die(text):
    sys.exit(f"load: {text}")


def skip(text):
    print(text)
    sys.exit(77)


def raise_nofile(wanted):
    """As many descriptors as allowed; skips the test when these are fewer than wanted."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < wanted:
        skip(f"only {hard} open files are allowed here, {wanted} are wanted")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Daemon:
    """orlopd over a directory, with bucket b and the object small in it. `enter` runs in the child before the daemon does."""

    def __init__(self, data, *options, enter=None, env=None):
        s3 = ["--s3-listen", f"127.0.0.1:{PORT + 1}"]
        self.log = open(os.path.join(data, "..", f"log-{os.getpid()}"), "w+b")
        self.process = subprocess.Popen([ORLOPD, "--listen", f"127.0.0.1:{PORT}", *s3, *options, os.path.join(data, "store")],
                                        stderr=self.log, preexec_fn=enter, env={**os.environ, **(env or {})})
        end = time.monotonic() + 60
        while b"\nready " not in self.text() and not self.text().startswith(b"ready "):
            if self.process.poll() is not None or time.monotonic() > end:
                die("orlopd does not start:\n" + self.text().decode(errors="replace")[-2000:])
            time.sleep(0.02)
        status, body = request("POST", "/v1/buckets/b", b'{"action":"create-bck","name":"","value":null}', {"Content-Type": "application/json"})
        if status not in (200, 409):
            die(f"no bucket: {status} {body[:200]}")
        if request("PUT", "/v1/objects/b/small?provider=ais", SMALL)[0] != 200:
            die("no object")

    def text(self):
        with open(self.log.name, "rb") as f:
            return f.read()

    def rss_mib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text()).group(1)) / 1024

    def threads(self):
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()))

    def alive(self):
        return self.process.poll() is None

    def end(self, seconds=60):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            die(f"orlopd did not end within {seconds} s")


def connection(timeout=60):
    return http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)


def request(method, path, body=None, headers=None, c=None):
    own = c or connection()
    own.request(method, path, body, headers or {})
    r = own.getresponse()
    answer = r.status, r.read()
    if c is None:
        own.close()
    return answer


def dial(rcvbuf=None):
    """A connection that the server has welcomed; waits while it takes no more."""
    s = socket.socket()
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.settimeout(60)
    s.connect(("127.0.0.1", PORT))
    return s


def ordinary(seconds, c=None, large=b""):
    """GETs, small PUTs, and large ones if given, for so long. Returns latencies of the GETs in µs; a wrong answer ends the test."""
    c = c or connection()
    times, end, i = [], time.monotonic() + seconds, 0
    while time.monotonic() < end:
        t = time.perf_counter_ns()
        status, body = request("GET", "/v1/objects/b/small?provider=ais", c=c)
        times.append((time.perf_counter_ns() - t) / 1e3)
        if (status, body) != (200, SMALL):
            die(f"GET answered {status} with {len(body)} bytes: {body[:200]}")
        if i % 10 == 0 and request("PUT", f"/v1/objects/b/new{i % 1000}?provider=ais", b"n" * 100, c=c)[0] != 200:
            die("PUT was refused")
        if large and i % 100 == 0:
            status, body = request("PUT", f"/v1/objects/b/large{i % 1000}?provider=ais", large, c=c)
            if status != 200:
                die(f"PUT of {len(large)} bytes answered {status}: {body[:300]}")
        i += 1
    return times


def show(what, times, seconds):
    q = statistics.quantiles(times, n=100)
    print(f"{what}: {len(times) / seconds:.0f} GET/s, p50 {q[49]:.0f} µs, p99 {q[98]:.0f} µs", flush=True)
    return len(times) / seconds, q[98]


def closed(sockets):
    """How many the server has ended (an answer, then the end, counts too)."""
    poll = select.poll()
    for s in sockets:
        poll.register(s, select.POLLIN | select.POLLRDHUP)
    return sum(1 for _, events in poll.poll(0) if events & (select.POLLRDHUP | select.POLLHUP | select.POLLERR))


def trickle(sockets, byte=b"x"):
    """One piece to each that still takes it."""
    for s in sockets:
        try:
            s.send(byte, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError as e:
            if e.errno not in (errno.EAGAIN, errno.EPIPE, errno.ECONNRESET):
                raise
