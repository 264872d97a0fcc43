"""Cut networks, each daemon in a namespace of its own: who leads, who takes changes, how it heals. Root only. Each scenario returns its figure."""

import contextlib
import json
import time

from cluster import Cluster, until
from ctl_util import Changes, leader, ms, primary_now, same_state, state, vote


def _term(c, m):
    return int(json.loads(state(c, m)[1]["cluster"])["term"])


@contextlib.contextmanager
def _five(seed):
    with Cluster(5, 1, netns=True, seed=seed) as c:
        vote(c, 5)
        yield c


def _minority(c, small, large, tag):
    """Parts the network; figures, and what each side took."""
    inside = Changes(c, 1, f"{tag}in", members=small).start()
    time.sleep(0.3)
    t = time.monotonic()
    c.part(small, large)
    outside = Changes(c, 2, f"{tag}out", members=[m for m in large if m.role != "target"]).start()
    gap = outside.wait_ack(t)
    time.sleep(3)
    cut = set(inside.acked)
    assert primary_now([m for m in small if m.role != "target"]) is None, "the smaller side answers fenced questions"
    time.sleep(2)
    late = inside.acked - cut
    assert not late, f"the smaller side took changes: {sorted(late)[:3]}"
    t = time.monotonic()
    c.heal()
    taken = inside.wait_ack(t)
    inside.end()
    outside.end()
    docs = same_state(c)
    n = inside.judge(docs) + outside.judge(docs)
    return gap, taken, n


def isolated_leader(seed):
    """The leader of five is cut from everybody: no change there, another leads, one state after healing."""
    with _five(seed) as c:
        old = leader(c)
        gap, healed, n = _minority(c, [old], [m for m in c.members if m is not old], "a")
        return f"changes again after {gap:.1f} s, the old leader takes part {healed:.1f} s after healing; {n} changes, 0 lost, 0 taken by the cut-off side"


def two_of_five(seed):
    """2|3 with the leader among the two."""
    with _five(seed) as c:
        old = leader(c)
        small = [old, next(m for m in c.proxies if m is not old)]
        gap, healed, n = _minority(c, small, [m for m in c.members if m not in small], "b")
        return f"changes again after {gap:.1f} s, one cluster {healed:.1f} s after healing; {n} changes, 0 lost, 0 taken by the two"


def one_link(seed):
    """The leader and one follower no longer hear each other, then only one way: nobody is disturbed."""
    with _five(seed) as c:
        old = leader(c)
        term = _term(c, old)
        other = next(m for m in c.proxies if m is not old)
        rest = [m for m in c.proxies if m is not other]
        load = Changes(c, 2, members=rest).start()
        load.wait_ack(time.monotonic())
        load.reset_gap()
        c.cut(old, other)
        time.sleep(5)
        assert leader(c, rest) is old and _term(c, old) == term, "another leader because of one link"
        both = load.gap
        c.heal()
        load.reset_gap()
        c.cut(old, other, one_way=True)
        time.sleep(5)
        assert leader(c, rest) is old and _term(c, old) == term, "another leader because of one direction"
        one = load.gap
        c.heal()
        load.end()
        n = load.judge(same_state(c))
        return f"the leader stays for 10 s, term {term} stays; longest pause {ms(both)} and {ms(one)}; {n} changes, one state afterwards"


def flapping(seed):
    """A follower, then the leader, comes and goes every second: changes go on or are refused, nothing is lost, and it ends."""
    with _five(seed) as c:
        load = Changes(c, 3).start()
        worst, leaders = [], []
        for who in ("follower", "leader"):
            old = leader(c)
            m = old if who == "leader" else next(x for x in c.proxies if x is not old)
            load.reset_gap()
            for _ in range(6):
                c.part([m], [x for x in c.members if x is not m])
                time.sleep(1)
                c.heal()
                time.sleep(1)
            load.wait_ack(time.monotonic())
            worst.append(load.gap)
            leaders.append(leader(c) is old)
        load.end()
        n = load.judge(same_state(c))
        return f"6 times each: longest pause {ms(worst[0])} with a follower flapping, {ms(worst[1])} with the leader; {n} changes, 0 lost, one state"
