"""What the control plane's scenarios share: calls on the cluster port under a member's certificate, the documents of the state, a load of changes.

Python's standard library only; certificates are made with openssl(1)."""

import collections
import http.client
import json
import pathlib
import ssl
import subprocess
import threading
import time

from cluster import StartFailed, Wire, until
from node import BINARY


def framed(path):
    """The JSON of one of the node's own files (docs/format/control.md)."""
    return json.loads(pathlib.Path(path).read_text().split("\n", 1)[1])


def control_dir(member):
    return member.dir / "state/orlop/control"


def raft_dir(member):
    return member.dir / "state/orlop/raft"


def keys(member):
    return framed(control_dir(member) / "keys.json")


def identity(member):
    return framed(control_dir(member) / "identity.json")


class Peer:
    """The cluster port of a member, asked with somebody's certificate (None: with none)."""

    def __init__(self, member, cert=None, key=None, timeout=10, host=None, port=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if cert:
            context.load_cert_chain(cert, key)
        self.conn = http.client.HTTPSConnection(host or member.host, port or member.cluster_port, timeout=timeout, context=context)

    def close(self):
        self.conn.close()

    def request(self, method, path, body=None, headers=None):
        """Status and body. TLS refusals are OSErrors (ssl.SSLError)."""
        try:
            self.conn.request(method, path, body, headers or {})
            r = self.conn.getresponse()
            return r.status, r.read()
        except Exception:
            self.conn.close()
            raise

    def json(self, method, path, body=None):
        status, data = self.request(method, path, None if body is None else json.dumps(body))
        if status != 200:
            raise AssertionError(f"{method} {path}: {status} {data[:200]!r}")
        return json.loads(data)


def pem(member, into):
    """Certificate and key of a member as files."""
    k = keys(member)
    cert, key = pathlib.Path(into) / f"{member.name}.crt", pathlib.Path(into) / f"{member.name}.key"
    cert.write_text(k["certificate"])
    key.write_text(k["key"])
    return cert, key


def peer(cluster, member, by=None, timeout=10):
    """`member`'s cluster port, asked as `by` (default: itself)."""
    cert, key = pem(by or member, cluster.root)
    return Peer(member, cert, key, timeout)


def watch(p, generation=0, index=0):
    return p.json("GET", f"/cluster/watch?generation={generation}&from={index}")


def state(cluster, member, by=None):
    """(index, {key: body text}) as the member has published it."""
    p = peer(cluster, member, by)
    try:
        w = watch(p)
        assert w["whole"], "asked for all, got a part"
        return int(w["index"]), {k: body for k, _, body in w["documents"]}
    finally:
        p.close()


def same_state(cluster, timeout=None):
    """Waits until all live members have the same documents at the same index; returns them."""
    def same():
        views = [state(cluster, m) for m in cluster.up()]
        if len({v[0] for v in views}) != 1:
            return None
        for m, v in zip(cluster.up(), views):
            different = sorted(k for k in set(v[1]) | set(views[0][1]) if v[1].get(k) != views[0][1].get(k))
            if different:
                raise SystemExit(f"{m.name} differs from {cluster.up()[0].name} at index {v[0]}: {different[:5]}")
        return views[0]
    return until("one state on all members", same, timeout, 0.2)[1]


def buckets(docs):
    return {k.rstrip("/").rsplit("/", 1)[1] for k in docs if k.startswith("bucket/")}


def voters(cluster, member=None):
    """{voter id: address} of those who vote, from the directory of a stopped member."""
    out = control(member, "inspect", "--json")
    return {v["id"]: v["address"] for v in json.loads(out)["voters"] if v["voting"]}


def control(member, *args, check=True):
    r = subprocess.run([BINARY, "control", *args, str(member.dir / "state")], capture_output=True, text=True, timeout=60)
    if check and r.returncode != 0:
        raise AssertionError(f"control {args}: {r.returncode} {r.stderr}")
    return r.stdout if check else r


def vote(cluster, n, timeout=40):
    """Waits until n proxies vote."""
    def enough():
        live = next(m for m in cluster.proxies if m.alive())
        return sum(x["votes"] for x in live.ask("/v1/orlop/cluster")["members"]) >= n
    until(f"{n} voters", enough, timeout, 0.1)


class Changes:
    """Writers that make buckets, each until its outcome is known. Keeps what was acknowledged, and the longest pause."""

    def __init__(self, cluster, writers=4, tag="w", members=None):
        self.c, self.tag, self.members = cluster, tag, members
        self.acked, self.twice, self.retried = set(), [], collections.Counter()
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.last, self.ack_at, self.gap = time.monotonic(), 0.0, 0.0
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(writers)]

    def _ack(self, name):
        with self.lock:
            now = time.monotonic()
            self.gap = max(self.gap, now - self.last)
            self.last = self.ack_at = now
            self.acked.add(name)

    def _run(self, number):
        i = 0
        while not self.stop.is_set():
            i += 1
            self._make(f"{self.tag}{number}-{i:05d}", number + i)

    def _make(self, name, turn):
        unknown = False
        while not self.stop.is_set():
            alive = [m for m in self.members or self.c.proxies if m.alive()]
            if not alive:
                time.sleep(0.05)
                continue
            m = alive[turn % len(alive)]
            status = self._try(m, name)
            if status == 200 or (status == 409 and unknown):
                self._ack(name)
                return
            if status == 409:
                self.twice.append(name)
                return
            unknown = True
            turn += 1
            self.retried[status] += 1
            time.sleep(0.005)

    def _try(self, member, name):
        w = Wire(member.port, 3, member.host)
        try:
            return w.create_bucket(name)[0]
        except Exception:
            return 0
        finally:
            w.close()

    def start(self):
        self.last = time.monotonic()
        for t in self.threads:
            t.start()
        return self

    def reset_gap(self):
        with self.lock:
            self.gap, self.last = 0.0, time.monotonic()

    def wait_ack(self, after, timeout=30):
        """Until something was acknowledged that ended after this moment; how long after."""
        until("an acknowledged change", lambda: self.ack_at > after, timeout, 0.002)
        return self.ack_at - after

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()
        assert not self.twice, f"made twice: {self.twice[:5]}"
        return self

    def judge(self, docs):
        lost = sorted(self.acked - buckets(docs))
        assert not lost, f"{len(lost)} acknowledged changes are gone: {lost[:5]}"
        return len(self.acked)


def primary_now(members):
    """Who leads, by a fenced question to each; None: nobody at this moment."""
    for m in members:
        try:
            p = peer(m.cluster, m, timeout=3)
            try:
                status, _ = p.request("GET", "/cluster/index")
            finally:
                p.close()
            if status == 200:
                return m
        except Exception:
            continue
    return None


def leader(cluster, members=None, timeout=30):
    return until("a leader", lambda: primary_now([m for m in members or cluster.proxies if m.alive()]), timeout, 0.02)


def hand_over(cluster, to):
    """Makes this proxy the primary; asks again while voters are being changed."""
    pid = identity(to)["proxy"]

    def done():
        w = cluster.wire(timeout=20)
        try:
            status, _, body = w.request("PUT", f"/v1/cluster/proxy/{pid}")
            assert status in (200, 409, 503), f"{status} {body!r}"
            return status == 200
        finally:
            w.close()
    until(f"{to.name} to be the primary", done, 30, 0.05)


def refusal(fn, *words):
    """The last line of a daemon that will not start; it must end by itself with a status, not by a signal, and say one of these words."""
    try:
        fn()
    except StartFailed as e:
        assert e.status is not None and e.status > 0, f"status {e.status}: {e.log[-300:]}"
        lines = [line for line in e.log.splitlines() if line.strip()]
        assert not words or any(w in lines[-1] for w in words), f"refused for another reason: {lines[-1]}"
        return lines[-1]
    raise AssertionError("it was taken")


def openssl(*args, stdin=None):
    r = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, text=True)
    if r.returncode != 0:
        raise AssertionError(f"openssl {args[0]}: {r.stderr}")
    return r.stdout


def certificate(into, name, ca_cert, ca_key, subject, start, end):
    """A certificate with a validity of our choosing: (cert, key) files. start, end: Unix seconds."""
    d = pathlib.Path(into) / f"x-{name}"
    d.mkdir()
    for f in ("index.txt", "index.txt.attr"):
        (d / f).write_text("")
    (d / "serial").write_text("1234\n")
    (d / "ca.crt").write_text(ca_cert)
    (d / "ca.key").write_text(ca_key)
    (d / "conf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={d}/index.txt\nserial={d}/serial\nnew_certs_dir={d}\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n"
        "[p]\norganizationName=optional\ncommonName=supplied\n[e]\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", d / "key")
    openssl("req", "-new", "-key", d / "key", "-subj", subject, "-out", d / "csr")

    def when(t):
        return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t))
    openssl("ca", "-batch", "-config", d / "conf", "-cert", d / "ca.crt", "-keyfile", d / "ca.key", "-in", d / "csr", "-out", d / "crt", "-notext",
            "-startdate", when(start), "-enddate", when(end), "-subj", subject)
    return d / "crt", d / "key"


def ms(seconds):
    return f"{seconds * 1000:.0f} ms"
