"""What the cluster benchmarks measure with: CPU and memory of daemons, load, the disk's own rate, bytes on connections. Python's standard library only."""

import concurrent.futures
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ORLOP_BUILD", ROOT / "build" / "release"))
WORK = ROOT / "build" / "bench" / "cluster"
KIB, MIB = 1024, 1024 * 1024
TICK = os.sysconf("SC_CLK_TCK")


def size_text(n):
    return f"{n // MIB} MiB" if n >= MIB else f"{n // KIB} KiB"


def cpu_s(members):
    """User and system time of these daemons so far."""
    total = 0
    for m in members:
        f = pathlib.Path(f"/proc/{m.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(f[11]) + int(f[12])
    return total / TICK


def rss_mib(member):
    status = pathlib.Path(f"/proc/{member.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / KIB


def median(rows):
    return {k: statistics.median(r[k] for r in rows) for k in rows[0]}


# ---- load ----

def bench_command(kind, address, connections, seconds, prefix, size, *options):
    query = "?provider=ais&skip_vc=true" if kind == "put" else "?provider=ais"
    return [str(BUILD / "orlop-bench"), "--follow", *options, kind, address, str(connections), str(seconds), prefix, str(size), query]


def result_of(text, error=""):
    m = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) (\d+)", text)
    if not m:
        sys.exit(f"bench: the load generator said: {text}{error}")
    n, us, got, errors = (int(x) for x in m.groups()[:4])
    p50, p99, longest, p999 = (float(x) for x in m.groups()[4:8])
    return {"n": n, "rps": n / us * 1e6, "errors": errors, "p50_us": p50, "p99_us": p99, "p999_us": p999, "max_us": longest, "redirects": int(m.group(9))}


def load(members, *args):
    """One run: requests/s, latencies, and CPU in µs per request, of each of these daemons and of all together."""
    before = [cpu_s([m]) for m in members]
    r = subprocess.run(bench_command(*args), capture_output=True, text=True)
    after = [cpu_s([m]) for m in members]
    row = result_of(r.stdout, r.stderr)
    each = [(b - a) * 1e6 / max(row["n"], 1) for a, b in zip(before, after)]
    row["cpu_us"] = sum(each)
    for role in ("proxy", "target"):
        row[f"{role}_cpu_us"] = sum(c for m, c in zip(members, each) if m.role == role)
    return row


def fill(cluster, bucket, count, size, connections=32, prefix="o"):
    """Stores objects <prefix>0 … <prefix>count-1; again if a target had no lease meanwhile, as happens where disk and CPU are given to others."""
    if size >= MIB:
        connections = min(connections, 8)
    args = bench_command("put", f"127.0.0.1:{cluster.proxies[0].port}", connections, 1, f"/v1/objects/{bucket}/{prefix}", size, "--total", str(count))
    for _ in range(3):
        r = subprocess.run(args, capture_output=True, text=True)
        if not result_of(r.stdout, r.stderr)["errors"]:
            return
    sys.exit(f"bench: filling {bucket}: {r.stdout}")


# ---- disk ----

def forget(path):
    """Drops what the page cache has of the files below, so that they are read from the disk."""
    os.sync()
    for p in pathlib.Path(path).rglob("*"):
        if p.is_file():
            fd = os.open(p, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def copy_file(source, to):
    a, b = os.open(source, os.O_RDONLY), os.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while piece := os.read(a, MIB):
            os.write(b, piece)
        os.fdatasync(b)
    finally:
        os.close(a)
        os.close(b)


class Disk:
    """Files to copy: `count` of `size` bytes; and one file of the same amount."""

    def __init__(self, path, count, size):
        self.path, self.count, self.size = pathlib.Path(path), count, size
        self.path.mkdir(parents=True)
        block = os.urandom(min(size, MIB))
        with open(self.path / "all", "wb") as f:
            for _ in range(count * size // len(block)):
                f.write(block)
        for i in range(count):
            with open(self.path / f"f{i}", "wb") as f:
                for _ in range(size // len(block)):
                    f.write(block)

    def stream(self):
        """MB/s of reading the one file, writing another, one fdatasync at the end."""
        forget(self.path)
        t = time.monotonic()
        copy_file(self.path / "all", self.path / "all.copy")
        s = time.monotonic() - t
        os.unlink(self.path / "all.copy")
        return self.count * self.size / s / 1e6

    def files(self, workers=16):
        """MB/s of copying the files, so many at a time, an fdatasync for each."""
        forget(self.path)
        t = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda i: copy_file(self.path / f"f{i}", self.path / f"c{i}"), range(self.count)))
        s = time.monotonic() - t
        for i in range(self.count):
            os.unlink(self.path / f"c{i}")
        return self.count * self.size / s / 1e6


# ---- connections ----

def traffic(members):
    """Bytes and data segments (about: messages) sent so far by each daemon on connections that are open: {pid: (bytes, segments)}."""
    pids = {m.pid for m in members}
    out = dict.fromkeys(pids, (0, 0))
    text = subprocess.run(["ss", "-tinpH", "state", "established"], capture_output=True, text=True).stdout
    pid = None
    for line in text.splitlines():
        if not line.startswith(("\t", " \t")):
            m = re.search(r"pid=(\d+)", line)
            pid = int(m.group(1)) if m else None
            if "bytes_sent" not in line:
                continue
        if pid not in pids:
            continue
        sent, segments = re.search(r"bytes_sent:(\d+)", line), re.search(r"data_segs_out:(\d+)", line)
        b, s = out[pid]
        out[pid] = (b + (int(sent.group(1)) if sent else 0), s + (int(segments.group(1)) if segments else 0))
    return out


def loopback():
    """Bytes and packets over the loopback device so far, of everybody."""
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            f = line.split(":")[1].split()
            return int(f[8]), int(f[9])
    return 0, 0


def tcp_memory_is_short():
    """The kernel has one amount of memory for all connections; beyond it windows shrink to nothing, and all that is measured here means nothing."""
    used = int(re.search(r"TCP:.* mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text()).group(1))
    return used > int(pathlib.Path("/proc/sys/net/ipv4/tcp_mem").read_text().split()[1])


def save(results):
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / "latest.json"
    path.write_text(json.dumps(results, indent=1))
    return path
