"""Disks that fill up, are damaged, or are lost with the majority: each scenario returns its figure. Small disks are loop devices: root only."""

import os
import shutil
import time

from cluster import Bytes, Cluster, Wire, skip, until
from ctl_util import Changes, control, identity, leader, raft_dir, refusal, same_state, state, vote
import loopfs


class Disks:
    """A file system of its own for the state of each member that asks for one."""

    def __init__(self):
        reason = loopfs.why_not("ext4")
        if reason:
            skip(reason)
        self.list = []

    def under(self, cluster, member, mib=400):
        base = cluster.root / f"disk-{member.name}"
        base.mkdir()
        fs = loopfs.LoopFs("ext4", base, mib)
        try:
            fs.attach()
            fs.mount()
        except (OSError, RuntimeError) as e:
            fs.detach()
            skip(f"no loop file system here: {e}")
        self.list.append(fs)
        member.dir.mkdir(parents=True, exist_ok=True)
        (member.dir / "state").symlink_to(fs.mnt)
        return fs

    def close(self):
        for fs in self.list:
            fs.detach()


def _fill(fs):
    """Takes the room to the last block."""
    path = fs.mnt / "ballast"
    s = os.statvfs(fs.mnt)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(fd, 0, max(s.f_bavail * s.f_frsize - (1 << 20), 4096))
        os.lseek(fd, 0, os.SEEK_END)
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        pass
    finally:
        os.close(fd)
    return path


def _with_disks(seed, proxies):
    c = Cluster(proxies, 0, seed=seed)
    disks = Disks()
    fs = {m: disks.under(c, m) for m in c.members}
    return c, disks, fs


def full_disks(seed):
    """The disk of a follower, then of the leader, then of a cluster of one is filled to the last byte: no crash, an alarm, leadership moves, all is well soon after there is room."""
    out = []
    c, disks, fs = _with_disks(seed, 3)
    try:
        with c:
            vote(c, 3)
            load = Changes(c, 2).start()
            for who in ("follower", "leader"):
                old = leader(c)
                m = old if who == "leader" else next(x for x in c.proxies if x is not old)
                path = _fill(fs[m])
                t = time.monotonic()
                until("an alarm", lambda: "of room are left" in m.log(), 20)
                if who == "leader":
                    until("leadership to move", lambda: leader(c) is not m, 30)
                    moved = time.monotonic() - t
                load.wait_ack(time.monotonic() + 2)
                time.sleep(4)
                assert all(x.alive() for x in c.members), "a daemon has ended"
                path.unlink()
                t = time.monotonic()
                until("all members at one index", lambda: len({state(c, x)[0] for x in c.members}) == 1 and load.ack_at > t, 30, 0.05)
                out.append(f"{who}: one state {time.monotonic() - t:.1f} s after room")
            load.end()
            n = load.judge(same_state(c))
            out.append(f"leadership moved {moved:.1f} s after the disk was full; {n} changes, 0 lost")
    finally:
        disks.close()
    c, disks, fs = _with_disks(seed + 1, 1)
    try:
        with c:
            m = c.members[0]
            load = Changes(c, 2).start()
            load.wait_ack(time.monotonic())
            path = _fill(fs[m])
            time.sleep(8)
            assert m.alive() and "of room are left" in m.log()
            w = Wire(m.port, 30, m.host)
            status = w.create_bucket("none")[0]
            w.close()
            path.unlink()
            t = time.monotonic()
            load.wait_ack(t, 40)
            out.append(f"alone: {status} meanwhile, changes again {load.ack_at - t:.1f} s after room")
            load.end()
            docs = state(c, m)[1]
            load.judge(docs)
            m.kill()
            m.start()
            load.judge(until("its state", lambda: state(c, m)[1]))
    finally:
        disks.close()
    return "; ".join(out)


def damaged_voter(seed):
    """A voter's log, snapshot or term is damaged: it says so and ends, each time it is started, and the others go on."""
    with Cluster(3, 0, seed=seed) as c:
        vote(c, 3)
        load = Changes(c, 4).start()
        time.sleep(2)
        m = next(x for x in c.proxies if x is not leader(c))
        assert m.stop() == 0
        kept = m.dir.with_suffix(".kept")
        shutil.copytree(raft_dir(m), kept)
        said = []
        for kind in ("metadata", "segment", "truncated"):
            d = raft_dir(m)
            shutil.rmtree(d)
            shutil.copytree(kept, d)
            files = sorted(f for f in d.iterdir() if f.is_file() and f.stat().st_size > 64)
            pick = [f for f in d.iterdir() if f.name.startswith("metadata")] if kind == "metadata" else [f for f in files if f.name[0].isdigit()]
            for f in pick:
                data = bytearray(f.read_bytes())
                if kind == "truncated":
                    data = data[:len(data) // 2 - 3]
                else:
                    data[len(data) // 2 if kind == "segment" else 0] ^= 0x10
                f.write_bytes(data)
            first = refusal(m.start)
            assert refusal(m.start).split(": ", 1)[-1] == first.split(": ", 1)[-1], "another answer at the second start"
            said.append(f"{kind}: {first[-60:]!r}")
        shutil.rmtree(raft_dir(m))
        shutil.copytree(kept, raft_dir(m))
        shutil.rmtree(kept)
        m.start()
        load.end()
        n = load.judge(same_state(c))
        return f"{len(said)} kinds refused twice each, {n} changes meanwhile; " + ", ".join(said)


def lost_quorum_recovered(seed):
    """Two of three voters are lost for good; the third is made the only one; others join anew; objects are all there; a voter of the lost branch is refused."""
    with Cluster(3, 2, seed=seed) as c:
        vote(c, 3)
        content, w = Bytes(seed), c.wire()
        w.expect(w.create_bucket("kept"))
        for i in range(200):
            w.expect(w.put("kept", f"n{i}", content.of(f"n{i}", 1, 3000)))
        w.close()
        load = Changes(c, 2).start()
        time.sleep(1)
        load.end()
        same_state(c)
        old = leader(c)
        survivor = next(m for m in c.proxies if m is not old)
        lost = [m for m in c.proxies if m is not survivor]
        branch = c.root / "branch"
        for m in lost:
            m.kill()
        shutil.copytree(old.dir, branch)
        names = {m: identity(m)["member"] for m in lost}
        for m in lost:
            m.wipe()
        time.sleep(4)
        w = survivor.wire(15)
        assert w.create_bucket("no")[0] == 503
        w.close()
        r = control(survivor, "recover", "--yes", check=False)
        assert r.returncode == 1 and "in use" in r.stderr, "recovered a voter that runs"
        survivor.kill()
        t = time.monotonic()
        assert "would become" in control(survivor, "recover")
        assert "only voter" in control(survivor, "recover", "--yes")
        before = survivor.dir / "state/orlop"
        assert any(d.name.startswith("raft.before-recover-") for d in before.iterdir())
        c.members = [m for m in c.members if m not in lost]
        survivor.start()
        until("it to lead", lambda: leader(c) is survivor)
        w = survivor.wire(20)

        def right():
            return sum(w.get("kept", f"n{i}")[2] == content.of(f"n{i}", 1, 3000) for i in range(200)) == 200
        until("all objects", right, 40)
        took = time.monotonic() - t
        for name in names.values():
            w.expect(w.request("DELETE", f"/v1/orlop/members/{name}?lost=true"))
        # The old leader comes back from the branch that was given up, once alone, once beside the new cluster.
        refused = "nothing"
        shutil.move(branch, old.dir)
        try:
            old.start(timeout=12)
            time.sleep(4)
            ws = old.wire(10)
            status = ws.create_bucket("branch")[0]
            reads = ws.get("kept", "n0")[0]
            ws.close()
            assert status >= 400, f"the lost branch took a change: {status}"
            refused = f"a change {status}, a read {reads}"
            old.kill()
        except Exception as e:
            if not hasattr(e, "log"):
                raise
            old.kill()
            refused = (e.log.splitlines() or ["?"])[-1][-100:]
        joined = state(c, survivor)[1]
        assert f"member/{names[old]}" not in joined and not any(k.startswith("bucket/") and "/branch/" in k for k in joined)
        old.wipe()
        for m in lost:
            m.start("--join", c.token())
            c.members.append(m)
        c.settle()
        vote(c, 3)
        assert right()
        w.close()
        more = Changes(c, 2, "x").start()
        time.sleep(0.5)
        survivor.kill()
        more.wait_ack(time.monotonic() + 0.3)
        survivor.start()
        more.end()
        docs = same_state(c)
        load.judge(docs)
        more.judge(docs)
        return f"objects served {took:.1f} s after the recovery began, {len(load.acked)} changes and 200 objects kept, two voters joined anew; the old branch: {refused!r}"
