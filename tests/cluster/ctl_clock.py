"""Clocks that are wrong, and jump: nothing that was acknowledged later is hidden by something earlier. A day behind is the limit: certificates begin a day before they were made."""

import os
import pathlib
import shutil
import struct
import subprocess
import time

from cluster import Bytes, Cluster, skip, until
from ctl_util import leader, same_state, vote

HERE = pathlib.Path(__file__).resolve().parent
HOUR = 3600 * 10**9


class Clock:
    """The wall clock of one member, shifted by a page of memory that the shim looks at."""

    def __init__(self, cluster, member):
        self.path = cluster.root / f"clock-{member.name}"
        self.set(0)

    def set(self, ns):
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(fd, struct.pack("<q", ns), 0)
        os.close(fd)


def _shim(root):
    library = root / "clockshim.so"
    cc = os.environ.get("CC", "cc")
    if not shutil.which(cc):
        skip(f"no C compiler ({cc})")
    subprocess.run([cc, "-std=gnu17", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", str(library), str(HERE / "clockshim.c"), "-ldl"], check=True)
    return library


def clocks_jump(seed):
    """One node hours ahead, one hours behind, then they jump while the leader changes: overwrites and deletes are seen in their order."""
    c = Cluster(0, 0, both=3, mountpaths=1, seed=seed)
    library = _shim(c.root)
    clocks = {m: Clock(c, m) for m in c.members}
    saved = {k: os.environ.get(k) for k in ("LD_PRELOAD", "CLOCKSHIM")}

    def start(m, *more):
        os.environ.update(LD_PRELOAD=str(library), CLOCKSHIM=str(clocks[m].path))
        try:
            m.start(*more)
        finally:
            for k, v in saved.items():
                os.environ.pop(k, None) if v is None else os.environ.__setitem__(k, v)
    try:
        clocks[c.members[1]].set(5 * HOUR)
        clocks[c.members[2]].set(-5 * HOUR)
        start(c.members[0], "--init")
        token = c.token(2)
        for m in c.members[1:]:
            start(m, "--join", token)
        c.settle()
        vote(c, 3)
        c.rebalanced()
        content, w, gen, writes = Bytes(seed), c.wire(timeout=30), {}, 0
        w.expect(w.create_bucket("clocks"))

        def round_(n):
            nonlocal writes
            for i in range(40):
                name, now = f"n{i}", writes
                if (i + n) % 4 == 0:
                    until("a delete", lambda: w.delete("clocks", name)[0] in (200, 204, 404), 30)
                    gen[name] = None
                else:
                    until("a write", lambda: w.put("clocks", name, content.of(name, now, 500))[0] == 200, 30)
                    gen[name] = now
                writes += 1

        def check():
            for name, g in gen.items():
                status, _, body = until("a read", lambda: (lambda r: r if r[0] < 500 else None)(w.get("clocks", name)), 30)
                assert status == 404 if g is None else body == content.of(name, g, 500), f"{name}: {status} {body[:40]!r}, wanted generation {g}"
        rng, leaders = c.rng, 0
        for n in range(6):
            round_(n)
            check()
            for clock in clocks.values():
                clock.set(rng.choice((-23, -5, -1, 0, 1, 5, 23)) * HOUR)
            round_(n + 1)
            check()
            old = leader(c)
            old.kill()
            time.sleep(1)
            start(old)
            c.settle()
            until("another look", lambda: w.bucket_props("clocks"), 30)
            leaders += 1
            check()
        c.rebalanced()
        round_(7)
        check()
        same_state(c)
        w.close()
        return f"{writes} writes and deletes under clocks up to 23 hours wrong, 6 rounds of jumps, {leaders} leaders killed: 0 read in the wrong order"
    except BaseException:
        c.tell()
        raise
    finally:
        c.close()
