"""Who may talk on the cluster port: joins, certificates, garbage; and what a plain client reaches. Each scenario returns its figure."""

import base64
import hashlib
import json
import pathlib
import re
import socket
import ssl
import struct
import time

from cluster import Cluster, Wire, until
from ctl_util import Changes, Peer, certificate, identity, keys, leader, peer, pem, refusal, state, vote

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src"
ROUTE = re.compile(r'\{\s*\.method\s*=\s*"([A-Z]+)",\s*\.path\s*=\s*"([^"]+)"([^}]*)\}', re.S)


def routes():
    """Every call of the cluster port, from the tables in the source: (method, path, anonymous)."""
    found = set()
    for f in sorted(SOURCE.glob("*/*.c")):
        if f.name.endswith(("_test.c", "_fuzz.c")) or f.parent.name in ("net",):
            continue
        for method, path, rest in ROUTE.findall(f.read_text()):
            found.add((method, path, ".anonymous = true" in rest))
    assert len(found) >= 10, f"only {len(found)} routes found: the tables look different now"
    return sorted(found)


def _token(text):
    head, _, body = text.rpartition("-")
    return head + "-", json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def _token_text(head, token):
    return head + base64.urlsafe_b64encode(json.dumps(token).encode()).decode().rstrip("=")


def joins(seed):
    """Joins with a used, expired, forged, foreign or damaged token, a wrong authority, an id that is taken, a replayed request: all refused, none becomes a member."""
    with Cluster(1, 1, seed=seed) as c, Cluster(1, 0, seed=seed + 1) as other:
        said = {}

        def refused(name, token, *words):
            x = c._member("target")
            c.members.remove(x)
            said[name] = refusal(lambda: x.start("--join", token), *words)

        once = c.token(uses=1)
        c.join()
        x = c._member("target")
        x.start("--join", once)
        refused("used", once, "used up")
        short = c.token(ttl_s=1)
        time.sleep(1.2)
        refused("expired", short, "expired")
        head, t = _token(c.token(uses=9))

        def changed(**more):
            return _token_text(head, {**t, **more})

        def flip(text):
            return ("b" if text[0] != "b" else "c") + text[1:]
        refused("forged secret", changed(secret=flip(t["secret"])), "forged")
        refused("unknown id", changed(id=flip(t["id"])), "not known")
        refused("wrong cluster", changed(cluster=identity(other.members[0])["cluster"]), "is that of cluster")
        # The right secret, but another authority: the joiner must not even talk to it. It tries for a minute, so one look has to do.
        foreign = keys(other.members[0])["ca"]
        print_of = hashlib.sha256(ssl.PEM_cert_to_DER_cert(foreign)).hexdigest()
        y = c._member("target")
        c.members.remove(y)
        try:
            y.start("--join", changed(authority=print_of), timeout=5)
            raise AssertionError("it joined an authority that it was not told")
        except Exception as e:
            assert "joined" not in getattr(e, "log", ""), "joined"
        refused("cut", changed()[:-7], "not a join token", "incomplete")
        refused("no token", "hello", "not a join token")
        # A request that was taken once, sent again as it is: the id is taken, and the nonce ages.
        before = set(k for k in state(c, c.members[0])[1] if k.startswith("member/"))
        spoof = Peer(c.members[0])
        nonce = spoof.json("POST", "/cluster/hello", {})["nonce"]
        for name, body in (("no proof", {"request": "{}", "nonce": nonce, "proof": ""}), ("foreign nonce", {"request": "{}", "nonce": "1.ab", "proof": ""}), ("empty", {}), ("list", [])):
            status, text = spoof.request("POST", "/cluster/join", json.dumps(body))
            assert status >= 400, f"{name}: {status} {text!r}"
            said[name] = text.decode()[:60]
        spoof.close()
        after = set(k for k in state(c, c.members[0])[1] if k.startswith("member/"))
        assert before == after, after - before
        assert len(before) == 4
        refusals = c.members[0].log().count("was refused")
        assert refusals >= 5, f"only {refusals} refusals in the log"
        return f"{len(said) + 1} kinds refused, {refusals} in the leader's log, no member more"


def _statuses(p, table):
    out = {}
    for method, path, _ in table:
        target = path + "x" if path.endswith("/") else path
        try:
            out[method, path] = p.request(method, target, b"{}" if method != "GET" else None)[0]
        except (OSError, ssl.SSLError):
            out[method, path] = 0
        except Exception:
            out[method, path] = -1
    return out


def callers(seed):
    """Every call of the cluster port by: nobody, another cluster's node, an expired, not yet valid and self-signed certificate, a removed member; and a plain client on the public port."""
    table = routes()
    with Cluster(1, 2, seed=seed) as c, Cluster(1, 0, seed=seed + 1) as other:
        m, gone = c.members[0], c.members[2]
        k, ok, now = keys(m), keys(other.members[0]), int(time.time())
        uuid, mine = identity(m)["cluster"], identity(m)["member"]
        # The founder has the authority's key: what it could sign at worst.
        name = f"/O={uuid}/CN={mine}"
        stranger = pem(other.members[0], other.root)
        removed = pem(gone, c.root)
        gone_id = identity(gone)["member"]
        gone.kill()
        until("it to be down", lambda: len(c.map()["tmap"]) == 1)
        w = c.wire()
        w.expect(w.request("DELETE", f"/v1/orlop/members/{gone_id}?lost=true"))
        w.close()
        callers_ = {
            "nobody": (None, None),
            "another cluster": stranger,
            "expired": certificate(c.root, "expired", k["ca"], k["ca_key"], name, now - 9000, now - 60),
            "not yet valid": certificate(c.root, "early", k["ca"], k["ca_key"], name, now + 7200, now + 90000),
            "foreign authority, our names": certificate(c.root, "forged", ok["ca"], ok["ca_key"], name, now - 9000, now + 90000),
            "our authority, another cluster's name": certificate(c.root, "org", k["ca"], k["ca_key"], f"/O=other/CN={mine}", now - 9000, now + 90000),
            "our authority, unknown member": certificate(c.root, "cn", k["ca"], k["ca_key"], f"/O={uuid}/CN=nobodyxyz", now - 9000, now + 90000),
            "removed member": removed,
        }
        cells = 0
        for who, (cert, key) in callers_.items():
            p = Peer(m, cert, key)
            for (method, path), status in _statuses(p, table).items():
                anonymous = next(a for mm, pp, a in table if (mm, pp) == (method, path))
                # A handshake that fails, or a refusal; joining is open to all who come that far.
                good = status in (0, 401, 403, 421, 409) or (anonymous and 0 < status < 500) or status == 400 and anonymous
                assert good, f"{who}: {method} {path} gives {status}"
                assert anonymous or status != 200, f"{who}: {method} {path} gives 200"
                cells += 1
            p.close()
        # Itself, so that the table is seen to be able to say yes.
        me = peer(c, m)
        good = _statuses(me, [r for r in table if r[0] == "GET" and r[1] in ("/cluster/index", "/cluster/watch")])
        assert set(good.values()) == {200}, good
        me.close()
        # A voter's stream is for that voter alone.
        t = peer(c, m, c.targets[0])
        status, text = t.request("GET", f"/cluster/raft?voter={identity(m)['voter']}&address=127.0.0.1:1", None, {"Upgrade": "orlop-raft", "Connection": "Upgrade"})
        assert status == 403, f"a target opened the leader's stream: {status} {text!r}"
        t.close()
        # A plain client on the public ports.
        for node in (m, c.targets[0]):
            w = Wire(node.port, 10, node.host)
            for method, path, _ in table:
                if path.startswith("/v1/"):  # the wire's own; tests/compat has them
                    continue
                status = w.request(method, path + ("x" if path.endswith("/") else ""), b"{}" if method != "GET" else None)[0]
                assert status >= 400, f"{method} {path} on the public port of {node.name}: {status}"
                cells += 1
            w.close()
        # And plain HTTP on the cluster port.
        w = Wire(m.cluster_port, 5, m.host)
        try:
            status = w.request("GET", "/v1/daemon?what=smap")[0]
            assert status >= 400, status
        except Exception:
            pass
        w.close()
        return f"{len(table)} calls, {len(callers_)} callers and the public ports of proxy and target: {cells} cells, 0 let in"


def _raw(member, data, timeout=3):
    """Sends bytes to the cluster port; what came back, or None when it was closed without an answer."""
    s = socket.create_connection((member.host, member.cluster_port), timeout)
    try:
        s.sendall(data)
        s.settimeout(timeout)
        return s.recv(4096) or None
    except OSError:
        return None
    finally:
        s.close()


def garbage(seed):
    """Garbage, half heads, broken handshakes and lengths of 4 GiB on the cluster port: the daemons live, changes go on, memory stays."""
    with Cluster(3, 0, seed=seed) as c:
        vote(c, 3)
        rng, sent = c.rng, 0
        load = Changes(c, 1).start()
        load.wait_ack(time.monotonic())

        def rss(m):
            return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{m.pid}/status").read_text()).group(1))
        before = {m: rss(m) for m in c.members}
        hello = bytes.fromhex("160301") + struct.pack(">H", 512)
        for m in c.members:
            for data in (b"", b"\x00" * 70000, b"GET / HTTP/1.1\r\n\r\n", hello, hello + b"\x01\xff\xff\xff", b"\x16\x03\x03\xff\xff" + b"A" * 65535,
                         *(rng.randbytes(rng.randrange(1, 3000)) for _ in range(30))):
                _raw(m, data, 0.3)
                sent += 1
            p = Peer(m)
            for method, path, head in (("POST", "/cluster/join", {"Content-Length": str(1 << 32)}), ("POST", "/cluster/hello", {"Content-Length": str(1 << 62)})):
                p.conn.putrequest(method, path)
                for k, v in head.items():
                    p.conn.putheader(k, v)
                p.conn.endheaders()
                p.conn.sock.settimeout(5)
                try:
                    status = p.conn.getresponse().status
                    assert status >= 400 or path != "/cluster/join", f"{path} with {head}: {status}"
                except (OSError, ssl.SSLError):
                    pass
                p.close()
                sent += 1
        load.wait_ack(time.monotonic() + 0.5)
        load.end()
        assert all(m.alive() for m in c.members), "a daemon has ended"
        grown = max(rss(m) - before[m] for m in c.members)
        assert grown < 128 << 10, f"{grown} KiB more"
        return f"{sent} tries, all daemons alive, changes go on, at most {grown / 1024:.0f} MiB more resident"


def mixed_versions(seed):
    """Old and new program in one cluster: the feature level rises when the last one is new, an old one no longer joins or starts then."""
    old = ["--feature-level", "0"]
    with Cluster(3, 1, seed=seed, args=old) as c:
        def level():
            return int(json.loads(state(c, c.members[0])[1]["cluster"])["feature_level"])
        assert level() == 0, level()
        load = Changes(c, 2).start()
        c.args = []
        seen = []
        for m in c.members:
            seen.append(level())
            m.kill()
            m.start()
            until(f"{m.name} to be known as new", lambda: any(json.loads(v)["feature_level"] == "1" for k, v in state(c, m)[1].items() if k == f"member/{identity(m)['member']}"))
        assert seen == [0] * 4, f"the level rose before all were new: {seen}"
        until("the level to rise", lambda: level() == 1, 10)
        load.end()
        load.judge(state(c, leader(c))[1])
        x = c._member("target")
        c.members.remove(x)
        said = refusal(lambda: x.start("--join", c.token(), *old), "too old")
        m = c.members[2]
        m.kill()
        said2 = refusal(lambda: m.start(*old), "level", "feature")
        m.start()
        return f"level 0 while one of four was old, 1 afterwards; an old one: {said[-70:]!r}, {said2[-70:]!r}"
