"""One daemon and one plain HTTP connection to it, for tests that kill, cut and damage. Python's standard library only."""

import collections
import http.client
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import quote

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A run that is stopped takes its daemon, mounts and directories with it.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

BINARY = os.environ.get("ORLOPD", str(ROOT / "build/release/orlopd"))


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def need_binary():
    if not os.access(BINARY, os.X_OK):
        sys.exit(f"no {BINARY}: run ./dev build")


def free_port(rng):
    """A port below the kernel's range of outgoing ports, so that nobody takes it in between."""
    while True:
        port = rng.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def scratch(prefix):
    """A fresh directory for what is killed but never loses power: in memory when there is room, since thousands of small stores are made."""
    shm = pathlib.Path("/dev/shm")
    if "TMPDIR" not in os.environ and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 1 << 30:
        return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=shm))
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix))


class StartFailed(Exception):
    """The daemon ended, or did not become ready: status (None: still running) and what it said."""

    def __init__(self, status, log):
        super().__init__(f"daemon did not start (status {status}): {log[-2000:]}")
        self.status = status
        self.log = log


class Node:
    """orlopd over these directories. prefix: what runs it ("ip netns exec ...")."""

    def __init__(self, dirs, port, env=None, args=(), host="127.0.0.1", prefix=()):
        self.dirs = [str(d) for d in dirs]
        self.host, self.port, self.prefix = host, port, list(prefix)
        self.env = dict(os.environ, **(env or {}))
        self.args = list(args)
        self.proc = None
        self.lines = collections.deque(maxlen=400)

    def start(self, timeout=30):
        self.lines.clear()
        args = [*self.prefix, BINARY, "--listen", f"{self.host}:{self.port}", *self.args, *self.dirs]
        self.proc = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.env)
        ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(self.proc.stderr, ready), daemon=True)
        self.reader.start()
        if not ready.wait(timeout):
            self.kill()
            raise StartFailed(None, self.log())
        if not self.is_ready:
            status = self.proc.wait()
            self.reader.join()
            raise StartFailed(status, self.log())
        return self

    def _read(self, pipe, ready):
        self.is_ready = False
        for line in pipe:
            text = line.decode(errors="replace").rstrip()
            self.lines.append(text)
            if text.startswith("ready "):
                self.is_ready = True
                ready.set()
        ready.set()
        pipe.close()

    def log(self):
        return "\n".join(self.lines)

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def kill(self):
        if self.proc is None:
            return
        if self.alive():
            self.proc.kill()
        self.proc.wait()
        self.reader.join()

    def stop(self, timeout=20):
        """SIGTERM; the exit status, or None when it had to be killed."""
        if self.alive():
            self.proc.terminate()
        try:
            status = self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self.reader.join()
        return status

    def wire(self, timeout=20):
        return Wire(self.port, timeout, self.host)


class Wire:
    """One kept connection. Any failure of it is an OSError or http.client.HTTPException; the next request connects again."""

    def __init__(self, port, timeout=20, host="127.0.0.1"):
        self.conn = http.client.HTTPConnection(host, port, timeout=timeout)

    def close(self):
        self.conn.close()

    def request(self, method, path, body=None, headers=None):
        """Status, headers, body. What was closed between two requests is opened again, as clients do; what is closed after a request was sent is a failure."""
        try:
            if self.conn.sock is not None and select.select([self.conn.sock], [], [], 0)[0]:
                self.conn.close()
            if self.conn.sock is None:
                self.conn.connect()
                self.conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.conn.request(method, path, body, headers or {})
            r = self.conn.getresponse()
            return r.status, r.headers, r.read()
        except Exception:
            self.conn.close()
            raise

    def action(self, method, path, action, value=None, name=""):
        body = json.dumps({"action": action, "name": name, "value": value})
        return self.request(method, path, body, {"Content-Type": "application/json"})

    def expect(self, reply, *allowed):
        status, _, body = reply
        if status not in (allowed or (200,)):
            raise AssertionError(f"status {status}: {body[:300]!r}")
        return reply

    # -- buckets

    def create_bucket(self, bucket, props=None):
        return self.action("POST", f"/v1/buckets/{bucket}", "create-bck", props)

    def destroy_bucket(self, bucket):
        return self.action("DELETE", f"/v1/buckets/{bucket}", "destroy-bck")

    def bucket_props(self, bucket):
        """The properties, or None when there is no such bucket."""
        status, headers, _ = self.request("HEAD", f"/v1/buckets/{bucket}")
        if status == 404:
            return None
        assert status == 200, f"HEAD bucket: {status}"
        return json.loads(headers["Ais-Bucket-Props"])

    def names(self, bucket, size=1000):
        """Every name, all pages."""
        out, token, uuid = [], "", ""
        while True:
            msg = {"props": "name", "pagesize": size, "uuid": uuid, "continuation_token": token}
            _, _, body = self.expect(self.action("GET", f"/v1/buckets/{bucket}", "list", msg))
            page = json.loads(body)
            out += [e["name"] for e in page["entries"] or []]
            token, uuid = page["continuation_token"], page["uuid"]
            if not token:
                return out

    # -- objects

    @staticmethod
    def path(bucket, name):
        return f"/v1/objects/{bucket}/{quote(name, safe='/')}"

    def put(self, bucket, name, data, headers=None):
        return self.request("PUT", self.path(bucket, name), data, headers)

    def get(self, bucket, name):
        return self.request("GET", self.path(bucket, name))

    def head(self, bucket, name):
        return self.request("HEAD", self.path(bucket, name))

    def delete(self, bucket, name):
        return self.request("DELETE", self.path(bucket, name))

    def rename(self, bucket, name, new):
        return self.action("POST", self.path(bucket, name), "rename-obj", None, new)

    def append(self, bucket, name, handle, data):
        status, headers, body = self.request("PUT", self.path(bucket, name) + f"?append_type=append&append_handle={quote(handle, safe='')}", data)
        return status, headers.get("Ais-Append-Handle", ""), body

    def flush(self, bucket, name, handle):
        return self.request("PUT", self.path(bucket, name) + f"?append_type=flush&append_handle={quote(handle, safe='')}")

    def upload_create(self, bucket, name):
        status, _, body = self.action("POST", self.path(bucket, name), "mpt-upload")
        return status, body.decode().strip().strip('"')

    def upload_part(self, bucket, name, upload, part, data):
        return self.request("PUT", self.path(bucket, name) + f"?uploadId={upload}&partNumber={part}", data)

    def upload_complete(self, bucket, name, upload, parts):
        body = json.dumps({"action": "mpt-complete", "value": [{"part-number": p, "etag": ""} for p in parts]})
        return self.request("POST", self.path(bucket, name) + f"?uploadId={upload}", body, {"Content-Type": "application/json"})


class Bytes:
    """Contents that differ in every place: a slice of one random pool behind a line that tells key and generation."""

    def __init__(self, seed, pool=4 << 20):
        self.pool = random.Random(seed).randbytes(pool)

    def of(self, key, gen, size):
        head = f"{key}:{gen}:{size}\n".encode()
        if size <= len(head):
            return head[:size]
        at = (hash_of(key) * 31 + gen * 7919) % (len(self.pool) // 2)
        body = self.pool[at:at + size - len(head)]
        while len(head) + len(body) < size:
            body += self.pool[:size - len(head) - len(body)]
        return head + body


def hash_of(text):
    value = 0
    for c in text.encode():
        value = (value * 131 + c) & 0xFFFFFFFF
    return value


def describe(data, want):
    """Where two contents differ, for messages."""
    if data == want:
        return "equal"
    n = next((i for i, (a, b) in enumerate(zip(data, want)) if a != b), min(len(data), len(want)))
    return f"{len(data)} bytes instead of {len(want)}, first difference at {n}, begins {data[:40]!r}"


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))] if values else 0
