"""A large state, and a follower that stands still while much is written."""

import json
import pathlib
import re
import time

from cluster import Cluster, until
from ctl_util import Changes, leader, ms, peer, state, vote

DOCS, BODY = 8, 1000 * 1000


def rss(member):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{member.pid}/status").read_text()).group(1)) / 1024


class Writer:
    """Puts documents at whoever leads; counts how often that changed."""

    def __init__(self, cluster):
        self.c, self.at, self.p, self.moves = cluster, None, None, -1

    def put(self, number, generation):
        body = json.dumps({"key": f"large/{number:02d}", "body": json.dumps({"generation": generation, "text": chr(97 + generation % 26) * BODY})})

        def once():
            if self.p is None:
                self.at = leader(self.c)
                self.p = peer(self.c, self.at, timeout=60)
                self.moves += 1
            status, text = self.p.request("PUT", "/cluster/doc", body)
            if status != 200:
                self.close()
                assert status in (409, 421, 503), f"{status} {text[:200]!r}"
            return status == 200
        until("a large document", once, 60, 0.05)

    def close(self):
        self.p.close()
        self.p = None


def large_state(seed):
    """Documents of 8 MB together: small changes while a fourth proxy joins, a restart, and 32 MB more with a follower stopped."""
    with Cluster(3, 0, seed=seed) as c:
        vote(c, 3)
        w = Writer(c)
        t = time.monotonic()
        for i in range(DOCS):
            w.put(i, 0)
        written = time.monotonic() - t
        load = Changes(c, 1).start()
        load.wait_ack(time.monotonic())
        load.reset_gap()
        t = time.monotonic()
        x = c.join("proxy")
        joined = time.monotonic() - t
        load.wait_ack(time.monotonic())
        pause = load.gap
        lead = leader(c)
        follower = next(m for m in c.proxies if m not in (lead, x))
        follower.kill()
        t = time.monotonic()
        follower.start()
        until("it to be level", lambda: state(c, follower)[0] + 50 > state(c, lead)[0], 60)
        restart = time.monotonic() - t
        load.end()
        before = rss(lead)
        follower.pause()
        t = time.monotonic()
        for i in range(32):
            w.put(i % DOCS, 1 + i // DOCS)
        took = time.monotonic() - t
        most = max(rss(m) for m in c.proxies if m is not follower)
        follower.go_on()
        t = time.monotonic()
        until("the stopped one to be level", lambda: state(c, follower)[0] >= state(c, leader(c))[0], 60)
        level = time.monotonic() - t
        load.judge(state(c, leader(c))[1])
        w.close()
        assert all(m.alive() for m in c.members)
        return (f"{DOCS} MB in {written:.1f} s; a proxy joined in {joined:.1f} s, longest pause of small changes meanwhile {ms(pause)}; restart and level in {restart:.1f} s; "
                f"32 MB more in {took:.0f} s with a follower stopped: {most:.0f} MiB resident (before: {before:.0f}); level {level:.1f} s after it goes on; {w.moves} changes of leader")
