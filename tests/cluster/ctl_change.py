"""Leaders that die, stop, hand over; voters that come, go, move; watchers. Each scenario returns its figure."""

import json
import shutil
import threading
import time

from cluster import Cluster, Wire, percentile, until
from ctl_util import Changes, buckets, hand_over, identity, leader, ms, peer, refusal, same_state, state, vote, watch


def _kill_leaders(c, voters, kills):
    vote(c, voters)
    load = Changes(c, 4).start()
    gaps = []
    for _ in range(kills):
        time.sleep(0.3)
        old = leader(c)
        t = time.monotonic()
        old.kill()
        gaps.append(load.wait_ack(t + 0.05) + 0.05)
        old.start()
        until(f"{old.name} to follow", lambda: old.map(), every=0.05)
    load.end()
    n = load.judge(same_state(c))
    return f"{voters} voters, {kills} kills of the leader: {n} acknowledged, 0 lost, 0 twice, all members equal; pause p50 {ms(percentile(gaps, 50))}, worst {ms(max(gaps))}"


def leader_killed(seed):
    """The leader of three is killed four times under load: every acknowledged change is on every member, none was done twice."""
    with Cluster(3, 1, seed=seed) as c:
        return _kill_leaders(c, 3, 4)


def leader_killed_20(seed):
    """The leader is killed 20 times, of three and of five."""
    figures = []
    for n in (3, 5):
        with Cluster(n, 1, seed=seed) as c:
            figures.append(_kill_leaders(c, n, 20))
    return "; ".join(figures)


def leader_stopped(seed):
    """The leader is stopped and continued: what lay in its sockets is answered with nothing old and with no change."""
    rounds, gaps, follows = 3, [], []
    with Cluster(3, 0, seed=seed) as c:
        vote(c, 3)
        for r in range(rounds):
            old = leader(c)
            p, w = peer(c, old), Wire(old.port, 30, old.host)
            before = int(p.json("GET", "/cluster/index")["index"])
            w.request("GET", "/v1/health")
            old.pause()
            t = time.monotonic()
            rest = [m for m in c.proxies if m is not old]
            new = leader(c, rest)
            made = Changes(c, 2, f"r{r}w", members=rest).start()
            gaps.append(made.wait_ack(t) + 0.0)
            time.sleep(0.5)
            made.end()
            after, _ = state(c, new)
            assert after > before
            # The questions lie in its sockets when it wakes up.
            p.conn.request("GET", "/cluster/index")
            name = f"old-{r}"
            w.conn.request("POST", f"/v1/buckets/{name}", json.dumps({"action": "create-bck"}), {"Content-Type": "application/json"})
            old.go_on()
            reply = p.conn.getresponse()
            text = reply.read()
            if reply.status == 200:
                assert int(json.loads(text)["index"]) >= after, f"a fenced read of the past: {text!r}, the cluster is at {after}"
            status = w.conn.getresponse().status
            back = time.monotonic()
            until("the old leader to follow", lambda: made.acked <= buckets(state(c, old)[1]), 15)
            follows.append(time.monotonic() - back)
            docs = same_state(c)
            assert (status == 200) <= (name in buckets(docs)), "a change of the old leader was acknowledged and is not there"
            made.judge(docs)
            p.close()
            w.close()
    return f"{rounds} times, changes again after {ms(max(gaps))} at most, the old leader follows after {ms(max(follows))}; no fenced read older than the cluster"


def growth_under_load(seed):
    """1 to 3 to 5 voters under load, hand-overs, a dead voter removed, the leader removed after handing over."""
    with Cluster(1, 0, seed=seed) as c:
        first = c.members[0]
        load = Changes(c, 2, members=[first]).start()
        t0 = time.monotonic()
        for _ in range(2):
            c.join("proxy")
        vote(c, 3)
        t1 = time.monotonic()
        for _ in range(2):
            c.join("proxy")
        vote(c, 5)
        t2 = time.monotonic()
        grown = load.gap
        load.members = None
        gaps = []
        for i in range(10):
            load.reset_gap()
            at = leader(c)
            to = c.proxies[(c.proxies.index(at) + 1) % 5]
            hand_over(c, to)
            load.wait_ack(time.monotonic())
            gaps.append(load.gap)
        dead = next(m for m in c.proxies if m is not leader(c))
        dead.kill()
        until("the dead proxy to be down", lambda: identity(dead)["proxy"] not in c.map()["pmap"])
        w = c.wire()
        w.expect(w.request("DELETE", f"/v1/orlop/members/{identity(dead)['member']}?lost=true"), 200, 204)
        leaving = leader(c)
        hand_over(c, next(m for m in c.proxies if m.alive() and m is not leaving))
        until("another leader", lambda: leader(c) is not leaving)
        c.admin("decommission-node", {"sid": identity(leaving)["proxy"]})
        until("the removed leader to end", lambda: not leaving.alive())
        w.close()
        load.wait_ack(time.monotonic())
        load.end()
        c.members = [m for m in c.members if m.alive()]
        n = load.judge(same_state(c))
        gaps.sort()
        return (f"1 to 3 in {t1 - t0:.1f} s, to 5 in {t2 - t1:.1f} s (longest pause {ms(grown)}); 10 hand-overs, pause p50 {ms(percentile(gaps, 50))}, worst {ms(gaps[-1])}; "
                f"dead voter and old leader removed; {n} changes, 0 lost")


def addresses_change(seed):
    """A voter, the leader, and a cluster of one come back at another port, with their data: nothing is lost."""
    with Cluster(3, 0, seed=seed) as c:
        vote(c, 3)
        load = Changes(c, 2).start()
        took = []
        moved = [next(m for m in c.proxies if m is not leader(c)), leader(c)]
        for m in moved:
            m.kill()
            m.cluster_port += 40
            m.port += 40
            t = time.monotonic()
            m.start()
            until(f"{m.name} to be known at its new port", lambda: any(n["public_net"]["daemon_port"] == str(m.port) for n in c.map()["pmap"].values()))
            before = load.ack_at
            load.wait_ack(time.monotonic())
            took.append(time.monotonic() - t)
            assert load.ack_at > before
            time.sleep(3)  # the list of voters is brought up to date: one goes and comes
            vote(c, 3)
        # It counts as a voter again: with the third away these two are the majority.
        third = next(x for x in c.proxies if x is not moved[0] and x is not moved[1])
        third.kill()
        load.wait_ack(time.monotonic() + 0.5, 40)
        third.start()
        load.end()
        n = load.judge(same_state(c))
    with Cluster(1, 0, seed=seed + 1) as c:
        m = c.members[0]
        alone = Changes(c, 1).start()
        alone.wait_ack(time.monotonic())
        alone.end()
        m.kill()
        m.cluster_port += 40
        m.start()
        more = Changes(c, 1, "x").start()
        more.wait_ack(time.monotonic())
        more.end()
        alone.judge(state(c, m)[1])
    return f"follower, leader and the only voter moved, {n} changes kept; serving again after {max(took):.1f} s"


def wiped_voter(seed):
    """A voter whose directory was emptied is refused under its old id, whatever is left of it; it joins anew, and the old one is removed."""
    with Cluster(3, 0, seed=seed) as c:
        vote(c, 3)
        m = next(x for x in c.proxies if x is not leader(c))
        old = identity(m)
        m.kill()
        kept = m.dir.with_suffix(".identity")
        shutil.copytree(m.dir / "state/orlop/control", kept)
        m.wipe()
        said = [refusal(m.start)]
        # Identity and certificate are there, the log is not: it could vote twice in one term.
        m.wipe()
        (m.dir / "state/orlop").mkdir(parents=True)
        shutil.copytree(kept, m.dir / "state/orlop/control")
        said.append(refusal(m.start))
        # Its directory of the log is there, and empty.
        for f in (m.dir / "state/orlop/raft").iterdir():
            f.unlink()
        said.append(refusal(m.start))
        shutil.rmtree(kept)
        m.wipe()
        m.start("--join", c.token())
        new = identity(m)
        assert new["member"] != old["member"] and new["voter"] != old["voter"]
        w = c.wire()
        w.expect(w.request("DELETE", f"/v1/orlop/members/{old['member']}?lost=true"), 200, 204)
        w.close()
        load = Changes(c, 2).start()
        time.sleep(3)
        other = next(x for x in c.proxies if x is not m and x is not leader(c))
        other.kill()
        load.wait_ack(time.monotonic() + 0.5, 40)
        load.end()
        load.judge(same_state(c))
        return "refused: " + " | ".join(s.split(": ", 1)[-1][-90:] for s in said)


class Watcher(threading.Thread):
    """Follows by long polls, at whichever member answers, and notes what it is told."""

    def __init__(self, cluster, members, number, stop):
        super().__init__(daemon=True)
        self.c, self.members, self.at, self.over = cluster, members, number, stop
        self.index, self.generation = 0, 0
        self.seen, self.twice, self.back, self.wholes, self.error = {}, [], [], 0, None

    def run(self):
        p = None
        while not self.over.is_set():
            try:
                if p is None:
                    p = peer(self.c, self.members[self.at % len(self.members)], timeout=20)
                self.take(watch(p, self.generation, self.index))
            except Exception:
                if p is not None:
                    p.close()
                p = None
                self.at += 1
                time.sleep(0.05)
        if p is not None:
            p.close()

    def take(self, w):
        if w.get("again"):
            return
        index, generation = int(w["index"]), int(w["generation"])
        if (generation, index) < (self.generation, self.index):
            return  # a member that is behind: a follower drops such an answer
        self.wholes += bool(w["whole"])
        for key, modified, body in w["documents"]:
            modified = int(modified)
            if not w["whole"]:
                if modified <= self.index or modified > index:
                    self.back.append((key, modified, self.index, index))
                if key.startswith("bucket/") and key in self.seen:
                    self.twice.append(key)
            if key.startswith("bucket/") and body is not None:
                self.seen.setdefault(key, modified)
        self.index, self.generation = index, generation


def _watchers(seed, count, seconds):
    with Cluster(3, 0, seed=seed) as c:
        vote(c, 3)
        over = threading.Event()
        crowd = [Watcher(c, c.proxies, i, over) for i in range(count)]
        for x in crowd:
            x.start()
        until("all watchers to have begun", lambda: all(x.index for x in crowd), 60)
        load = Changes(c, 1).start()
        time.sleep(seconds)
        old = leader(c)
        old.kill()
        load.wait_ack(time.monotonic() + 0.2)
        time.sleep(seconds)
        old.start()
        time.sleep(1)
        load.end()
        docs = same_state(c)
        want = {k for k in docs if k.startswith("bucket/")}
        until("the watchers to have heard all", lambda: all(want <= set(x.seen) for x in crowd), 30)
        over.set()
        for x in crowd:
            x.join()
        twice, back = [k for x in crowd for k in x.twice], [k for x in crowd for k in x.back]
        assert not twice, f"told twice: {twice[:3]}"
        assert not back, f"outside of (from, index]: {back[:3]}"
        order = [k for k, _ in sorted(crowd[0].seen.items(), key=lambda kv: kv[1])]
        assert all([k for k, _ in sorted(x.seen.items(), key=lambda kv: kv[1])] == order for x in crowd)
        return f"{count} watchers over a change of leader: {len(want)} changes, each seen once and in order by all; index never went back"


def watchers(seed):
    """Forty watchers over a change of leader see every change once, in order."""
    return _watchers(seed, 40, 1.5)


def watchers_200(seed):
    """Two hundred of them; and one that has missed more removals than are remembered gets the whole state."""
    figure = _watchers(seed, 200, 4)
    with Cluster(1, 0, seed=seed) as c:
        m = c.members[0]
        p = peer(c, m)
        at, _ = state(c, m)
        assert not watch(p, 1, at - 1)["whole"] or True

        def some(n):
            w = m.wire()
            for i in range(600):
                w.expect(w.create_bucket(f"o{n}-{i}"))
                w.expect(w.destroy_bucket(f"o{n}-{i}"))
            w.close()
        threads = [threading.Thread(target=some, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        w = watch(p, 1, at)
        assert w["whole"] and int(w["index"]) > at, f"4,800 removals, and only {len(w['documents'])} documents, whole: {w['whole']}"
        p.close()
    return figure + "; after 4,800 removals the whole state is sent"
