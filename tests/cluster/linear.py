"""Whether a history of one key is linearizable: there is an order of its operations, each within its call and its return, in which every answer is right.

The search is that of Wing and Gong with Lowe's memory of visited states ("Testing for linearizability", G. Lowe, 2016). The key is a register that holds a value or nothing.
An operation whose outcome is unknown (no answer, 5xx) may have happened at any time after its call, or never.

    python3 linear.py          checks the checker"""

import collections
import random

Op = collections.namedtuple("Op", "call ret kind value client")
# kind: "put" value v | "get" value v or None | "delete" (found) | "delete-none" (there was nothing) | "put?" | "delete?": outcome unknown
UNKNOWN = ("put?", "delete?")


class Search:
    """One key's history. Of the operations whose outcome is known all must be placed; one of unknown outcome only where another one needs it: an effect that
    nobody sees before the next write may as well not have been, and one that is seen may as well have come just before. So there are few ways to try.

    Values are unique: no two puts write the same. Unknown deletes are alike but for the moment from which on they may be used, and whoever may be used stays so:
    it is enough to count them."""

    def __init__(self, ops, limit):
        self.must = sorted((o for o in ops if o.kind not in UNKNOWN), key=lambda o: o.call)
        self.maybe_put = {o.value: o for o in ops if o.kind == "put?"}
        self.maybe_delete = sorted(o.call for o in ops if o.kind == "delete?")
        read = {o.value for o in self.must if o.kind == "get"}
        # Unread ones first: they serve a delete that found something, and nothing else.
        self.spare = sorted((o for o in self.maybe_put.values()), key=lambda o: (o.value in read, o.call))
        self.limit = limit
        self.best = (0, None, None)

    def window(self, low, done):
        """The operations that may come next: those that began before any other that is left has ended."""
        can, first, i = [], None, low
        while i < len(self.must) and (first is None or self.must[i].call <= first):
            if not done >> (i - low) & 1:
                can.append(i)
                first = self.must[i].ret if first is None else min(first, self.must[i].ret)
            i += 1
        return can, first

    def ways(self, o, state, used_puts, used_deletes, first):
        """The states in which o is right after what may be put before it: (state after o, used puts, used deletes)."""
        if o.kind == "put":
            yield o.value, used_puts, used_deletes
        elif o.kind == "delete":
            if state is not None:
                yield None, used_puts, used_deletes
                return
            for p in self.spare:
                if p.value not in used_puts and p.call <= first:
                    yield None, used_puts | {p.value}, used_deletes
        elif o.value is None or o.kind == "delete-none":
            if state is None:
                yield None, used_puts, used_deletes
            elif used_deletes < len(self.maybe_delete) and self.maybe_delete[used_deletes] <= first:
                yield None, used_puts, used_deletes + 1
        elif o.value == state:
            yield state, used_puts, used_deletes
        else:
            p = self.maybe_put.get(o.value)
            if p and p.value not in used_puts and p.call <= first:
                yield o.value, used_puts | {p.value}, used_deletes

    def run(self, start):
        stack = [(0, 0, start, frozenset(), 0, None, 0)]
        seen, steps = set(), 0
        while stack:
            low, done, state, puts, deletes, path, placed = stack.pop()
            while True:
                while done & 1:
                    low, done = low + 1, done >> 1
                if low == len(self.must):
                    return None
                can, first = self.window(low, done)
                # Reads that are right in this state can go first: they change nothing.
                eager = next((i for i in can if self.must[i].kind in ("get", "delete-none") and self.must[i].value == state), None)
                if eager is None:
                    break
                done |= 1 << (eager - low)
                path, placed = (eager, path), placed + 1
            key = (low, done, state, puts, deletes)
            if key in seen:
                continue
            seen.add(key)
            steps += 1
            if steps > self.limit:
                raise RuntimeError(f"undecided after {self.limit} states ({len(self.must)} operations)")
            if placed > self.best[0]:
                self.best = (placed, path, state)
            for i in reversed(can):
                for after, p, d in self.ways(self.must[i], state, puts, deletes, first):
                    stack.append((low, done | 1 << (i - low), after, p, d, (i, path), placed + 1))
        return self.explain()

    def explain(self):
        placed, path, state = self.best
        order = []
        while path:
            i, path = path
            order.append(i)
        there = set(order)
        left = [o for i, o in enumerate(self.must) if i not in there]
        t0 = self.must[0].call
        show = lambda o: f"    {o.call - t0:10.4f} .. {o.ret - t0:10.4f}  client {o.client}  {o.kind} {o.value}"
        lines = [f"not linearizable: {placed} of {len(self.must)} operations in order, state then {state!r}; the last ones placed:"]
        lines += [show(self.must[i]) for i in reversed(order[:8])]
        lines.append("  and the next ones that can not be:")
        lines += [show(o) for o in sorted(left, key=lambda o: o.ret)[:6]]
        return "\n".join(lines)


def check(ops, start=None, limit=1_000_000):
    """None if linearizable; else the longest prefix of an order that was found, as text. Raises when the search passes the limit."""
    return Search(ops, limit).run(start)


def right(o, state):
    """Whether the answer is right in this state, and the state after it."""
    if o.kind in ("put", "put?"):
        return True, o.value
    if o.kind == "get":
        return o.value == state, state
    if o.kind == "delete":
        return state is not None, None
    return o.kind == "delete?" or state is None, None


def some_order(left, state):
    """Whether the operations can be placed, by trying everything."""
    if all(o.kind in UNKNOWN for o in left):
        return True
    first = min(o.ret for o in left if o.kind not in UNKNOWN)
    for i, o in enumerate(left):
        ok, after = right(o, state)
        if o.call <= first and ok and some_order(left[:i] + left[i + 1:], after):
            return True
    return False


def against_all_orders(n):
    rng = random.Random(7)
    verdicts = collections.Counter()
    for _ in range(n):
        ops = []
        for k in range(rng.randrange(2, 7)):
            call = rng.uniform(0, 10)
            kind = rng.choice(("put", "put?", "get", "get", "delete", "delete-none", "delete?"))
            value = k if kind.startswith("put") else rng.choice((None, *range(6))) if kind == "get" else None
            ops.append(Op(call, call + rng.uniform(0, 6), kind, value, 0))
        want = some_order(ops, None)
        assert (check(ops) is None) == want, (want, ops)
        verdicts[want] += 1
    assert min(verdicts.values()) > n // 10, verdicts
    return n


def self_test():
    def op(call, ret, kind, value=None):
        return Op(call, ret, kind, value, 0)
    good = [
        [op(0, 1, "put", 1), op(2, 3, "get", 1)],
        [op(0, 9, "put", 1), op(1, 2, "get", None), op(3, 4, "get", 1)],
        [op(0, 1, "put", 1), op(2, 9, "put", 2), op(3, 4, "get", 1), op(5, 6, "get", 2)],
        [op(0, 1, "put?", 1), op(2, 3, "get", None), op(4, 5, "get", 1)],
        [op(0, 1, "put?", 1), op(2, 3, "get", None)],
        [op(0, 1, "put", 1), op(2, 3, "delete"), op(4, 5, "get", None), op(4, 6, "delete-none")],
        [op(0, 10, "put", 1), op(0, 10, "put", 2), op(11, 12, "get", 1), op(13, 14, "get", 1)],
        [op(0, 1, "put", 1), op(2, 3, "delete?"), op(4, 5, "get", 1), op(6, 7, "get", None)],
        [op(0, 1, "put?", 1), op(2, 3, "delete"), op(4, 5, "get", None)],
        [op(0, 1, "put", 1), op(2, 3, "delete?"), op(4, 5, "delete-none"), op(6, 7, "put", 2), op(8, 9, "get", 2)],
        [op(0, 1, "put?", 1), op(1, 2, "put?", 2), op(3, 4, "get", 2), op(5, 6, "get", 1)],
    ]
    bad = [
        [op(0, 1, "put", 1), op(2, 3, "get", None)],                                                # lost
        [op(0, 1, "put", 1), op(2, 3, "put", 2), op(4, 5, "get", 1)],                               # stale
        [op(0, 1, "put", 1), op(2, 3, "delete"), op(4, 5, "get", 1)],                               # resurrected
        [op(0, 1, "put", 1), op(2, 9, "put", 2), op(3, 4, "get", 2), op(5, 6, "get", 1)],           # back in time
        [op(0, 10, "put", 1), op(0, 10, "put", 2), op(11, 12, "get", 1), op(13, 14, "get", 2)],     # changes its mind
        [op(0, 1, "put", 1), op(2, 3, "delete-none")],
        [op(0, 1, "put?", 1), op(2, 3, "get", 1), op(4, 5, "get", None)],
        [op(0, 1, "put", 1), op(2, 3, "get", None), op(4, 5, "delete?")],                           # before it was asked for
        [op(0, 1, "put", 1), op(1, 2, "delete?"), op(2, 3, "get", None), op(4, 5, "put", 2), op(6, 7, "get", None)],  # deleted twice
        [op(0, 1, "put?", 1), op(2, 3, "delete"), op(4, 5, "delete")],                              # found twice
        [op(0, 1, "put?", 1), op(2, 3, "get", 1), op(4, 5, "put", 2), op(6, 7, "get", 1)],          # written twice
    ]
    for h in good:
        assert check(h) is None, h
    for h in bad:
        assert check(h) is not None, h
    agreed = against_all_orders(2000)
    print(f"linear: {len(good)} good and {len(bad)} bad histories told apart; {agreed} random ones judged as by trying all orders")


if __name__ == "__main__":
    self_test()
