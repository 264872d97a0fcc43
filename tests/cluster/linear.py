"""Whether a history of one key is linearizable: there is an order of its operations, each within its call and its return, in which every answer is right.

The search is that of Wing and Gong with Lowe's memory of visited states ("Testing for linearizability", G. Lowe, 2016). The key is a register that holds a value or nothing.
An operation whose outcome is unknown (no answer, 5xx) may have happened at any time after its call, or never.

    python3 linear.py          checks the checker"""

import collections
import math

Op = collections.namedtuple("Op", "call ret kind value client")
# kind: "put" value v | "get" value v or None | "delete" (found) | "delete-none" (there was nothing) | "put?" | "delete?": outcome unknown
UNKNOWN = ("put?", "delete?")


def apply(op, state):
    """The state after the operation; (False, _) if its answer would be wrong in this state."""
    k = op.kind
    if k in ("put", "put?"):
        return True, op.value
    if k == "get":
        return op.value == state, state
    if k == "delete":
        return state is not None, None
    if k == "delete-none":
        return state is None, None
    if k == "delete?":
        return True, None
    raise ValueError(k)


def check(ops, start=None, limit=2_000_000):
    """None if linearizable; else the longest prefix of an order that was found, as text. Raises when the search passes the limit."""
    ops = sorted((o._replace(ret=math.inf) if o.kind in UNKNOWN else o for o in ops), key=lambda o: o.call)
    n = len(ops)
    must = sum(1 << i for i, o in enumerate(ops) if o.kind not in UNKNOWN)
    seen = set()
    best = (0, (), None)
    stack = [(0, start, ())]
    steps = 0
    while stack:
        mask, state, path = stack.pop()
        # Reads that are right in this state can go first: they change nothing.
        while True:
            if mask & must == must:
                return None
            first = min(ops[i].ret for i in range(n) if not mask >> i & 1 and ops[i].ret < math.inf)
            can = []
            eager = None
            for i in range(n):
                if ops[i].call > first:
                    break
                if mask >> i & 1:
                    continue
                if ops[i].kind == "get" and ops[i].value == state or ops[i].kind == "delete-none" and state is None:
                    eager = i
                    break
                can.append(i)
            if eager is None:
                break
            mask |= 1 << eager
            path = (eager, path)
        if (mask, state) in seen:
            continue
        seen.add((mask, state))
        steps += 1
        if steps > limit:
            raise RuntimeError(f"undecided after {limit} states ({n} operations)")
        done = bin(mask & must).count("1")
        if done > best[0]:
            best = (done, path, state)
        for i in reversed(can):
            ok, after = apply(ops[i], state)
            if ok:
                stack.append((mask | 1 << i, after, (i, path)))
    return explain(ops, best)


def explain(ops, best):
    done, path, state = best
    order = []
    while path:
        i, path = path
        order.append(i)
    order.reverse()
    placed = set(order)
    left = [o for i, o in enumerate(ops) if i not in placed and o.kind not in UNKNOWN]
    t0 = ops[0].call
    show = lambda o: f"    {o.call - t0:10.4f} .. {o.ret - t0:10.4f}  client {o.client}  {o.kind} {o.value}"
    lines = [f"not linearizable: {done} of {sum(o.kind not in UNKNOWN for o in ops)} operations in order, state then {state!r}; the last ones placed:"]
    lines += [show(ops[i]) for i in order[-8:]]
    lines.append("  and the next ones that can not be:")
    lines += [show(o) for o in sorted(left, key=lambda o: o.ret)[:6]]
    return "\n".join(lines)


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
    ]
    bad = [
        [op(0, 1, "put", 1), op(2, 3, "get", None)],                                                # lost
        [op(0, 1, "put", 1), op(2, 3, "put", 2), op(4, 5, "get", 1)],                               # stale
        [op(0, 1, "put", 1), op(2, 3, "delete"), op(4, 5, "get", 1)],                               # resurrected
        [op(0, 1, "put", 1), op(2, 9, "put", 2), op(3, 4, "get", 2), op(5, 6, "get", 1)],           # back in time
        [op(0, 10, "put", 1), op(0, 10, "put", 2), op(11, 12, "get", 1), op(13, 14, "get", 2)],     # changes its mind
        [op(0, 1, "put", 1), op(2, 3, "delete-none")],
        [op(0, 1, "put?", 1), op(2, 3, "get", 1), op(4, 5, "get", None)],
    ]
    for h in good:
        assert check(h) is None, h
    for h in bad:
        assert check(h) is not None, h
    print(f"linear: {len(good)} good and {len(bad)} bad histories told apart")


if __name__ == "__main__":
    self_test()
