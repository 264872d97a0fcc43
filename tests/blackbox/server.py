"""Starts and stops one daemon for the tests."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_BINARY = ROOT / "build" / "release" / "orlopd"
READY = re.compile(r"ready (https?://\S+)")


def free_port():
    """A port below the kernel's range of outgoing ports, so that nobody takes it in between."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


class Server:
    """orlopd on loopback in a directory of its own, several mountpaths."""

    def __init__(self, mountpaths=4, base=None, options=()):
        self.binary = os.environ.get("ORLOPD", str(DEFAULT_BINARY))
        self.base = Path(base or tempfile.mkdtemp(prefix="orlop-blackbox-"))
        self.mountpaths = [self.base / f"mp{i + 1}" for i in range(mountpaths)]
        self.options = [str(o) for o in options]
        self.log = self.base / "log"
        self.port = free_port()
        self.proc = None
        self.url = None

    def start(self, timeout=30):
        args = [self.binary, "--listen", f"127.0.0.1:{self.port}"]
        args += os.environ.get("ORLOPD_ARGS", "").split() + self.options
        args += [str(m) for m in self.mountpaths]
        mark = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as out:
            self.proc = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            match = READY.search(self.log_text(mark))
            if match:
                self.url = match.group(1).rstrip("/")
                return self
            if self.proc.poll() is not None:
                break
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"{' '.join(args)} did not become ready:\n{self.log_text(mark)[-4000:]}")

    def log_text(self, start=0):
        with open(self.log, "rb") as f:
            f.seek(start)
            return f.read().decode(errors="replace")

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def stop(self, timeout=15):
        """SIGTERM, and the exit status."""
        if self.alive():
            self.proc.send_signal(signal.SIGTERM)
        try:
            return self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return "killed: no exit after SIGTERM"

    def kill(self):
        if self.alive():
            self.proc.kill()
            self.proc.wait()

    def remove(self):
        self.kill()
        shutil.rmtree(self.base, ignore_errors=True)
