"""Several daemons that are one cluster, for tests: start, stop, kill, pause, cut off, join, leave; and a client that follows redirects.

    with Cluster(proxies=3, targets=3) as c:
        wire = c.wire()                       # any proxy; or c.wire(member)
        wire.expect(wire.create_bucket("b"))
        c.targets[0].kill()
        c.wait_map(lambda m: len(m["tmap"]) == 2)

Cluster(..., netns=True) puts each daemon into a network namespace of its own on one bridge (root only), so that c.cut(a, b) can part them.
Python's standard library only."""

import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))
from node import Bytes, Node, StartFailed, Wire, describe, hash_of, need_binary, percentile, scratch, skip  # noqa: E402,F401

# Sanitized daemons on busy machines are slow; only a hang reaches this.
PATIENCE = float(os.environ.get("CLUSTER_PATIENCE", "60"))


def until(what, condition, timeout=None, every=0.1):
    """Waits for condition() to give something true, and returns it; exceptions of a node that is away count as false."""
    end = time.monotonic() + (timeout or PATIENCE)
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, AssertionError, ValueError, KeyError) as e:
            last = e
        except Exception as e:  # http.client's
            last = e
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout or PATIENCE:.0f} s (last: {last!r})")
        time.sleep(every)


class Follower(Wire):
    """A Wire that follows redirects as clients do, one kept connection per address."""

    def __init__(self, host, port, timeout=20):
        super().__init__(port, timeout, host)
        self.timeout = timeout
        self.others = {}
        self.redirects = 0

    def close(self):
        super().close()
        for w in self.others.values():
            w.close()
        self.others = {}

    def request(self, method, path, body=None, headers=None):
        status, head, data = super().request(method, path, body, headers)
        for _ in range(10):
            if status not in (301, 302, 307, 308):
                return status, head, data
            self.redirects += 1
            url = urllib.parse.urlsplit(head["Location"])
            other = self.others.get((url.hostname, url.port))
            if other is None:
                other = self.others[url.hostname, url.port] = Wire(url.port, self.timeout, url.hostname)
            status, head, data = other.request(method, url.path + ("?" + url.query if url.query else ""), body, headers)
        return status, head, data


class Member:
    """One daemon of a cluster."""

    def __init__(self, cluster, number, role):
        self.cluster, self.number, self.role = cluster, number, role
        self.name = f"{role}{number}"
        self.host = f"10.77.{cluster.net}.{number + 2}" if cluster.netns else "127.0.0.1"
        self.port = 8080 if cluster.netns else cluster.base + 2 * number
        self.cluster_port = 9080 if cluster.netns else cluster.base + 2 * number + 1
        self.dir = cluster.root / self.name
        self.dirs = [self.dir] if role == "proxy" else [self.dir / f"mp{i}" for i in range(cluster.mountpaths)]
        self.ns = f"orlop-{cluster.base}-{number}" if cluster.netns else None
        self.node = None

    def args(self, *more):
        a = ["--role", self.role, "--cluster-listen", f"{self.host}:{self.cluster_port}", "--state", str(self.dir / "state")]
        if self.cluster.netns:
            a.append("--insecure")
        return [*a, *self.cluster.args, *more]

    def start(self, *more, timeout=None):
        for d in [*self.dirs, self.dir / "state"]:
            pathlib.Path(d).mkdir(parents=True, exist_ok=True)
        prefix = ["ip", "netns", "exec", self.ns] if self.ns else []
        self.node = Node(self.dirs, self.port, args=self.args(*more), host=self.host, prefix=prefix)
        self.node.start(timeout or PATIENCE)
        return self

    @property
    def pid(self):
        return self.node.proc.pid

    def alive(self):
        return self.node is not None and self.node.alive()

    def kill(self):
        self.node.kill()

    def stop(self, timeout=40):
        return self.node.stop(timeout)

    def pause(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self):
        shutil.rmtree(self.dir)

    def log(self):
        return self.node.log() if self.node else ""

    def wire(self, timeout=20):
        return Follower(self.host, self.port, timeout)

    def ask(self, path, timeout=5):
        """The JSON of one GET at this member."""
        w = Wire(self.port, timeout, self.host)
        try:
            status, _, body = w.request("GET", path)
            if status != 200:
                raise AssertionError(f"{self.name} {path}: {status} {body[:200]!r}")
            return json.loads(body)
        finally:
            w.close()

    def map(self):
        return self.ask("/v1/daemon?what=smap")

    def ids(self, smap=None):
        """Its ids in the map: {"proxy": id, "target": id}."""
        smap = smap or self.cluster.map()
        out = {}
        for kind, key in (("proxy", "pmap"), ("target", "tmap")):
            for i, n in smap[key].items():
                net = n["public_net"]
                if (net["node_ip_addr"], int(net["daemon_port"])) == (self.host, self.port):
                    out[kind] = i
        return out

    def ready(self):
        w = Wire(self.port, 5, self.host)
        try:
            return w.request("GET", "/v1/health?prr=true" if self.role == "proxy" else "/v1/health")[0] == 200
        except OSError:
            return False
        finally:
            w.close()


def need_netns():
    if os.geteuid() != 0:
        skip("network namespaces need root")
    for tool in ("ip", "iptables"):
        if not shutil.which(tool):
            skip(f"network namespaces need {tool}")
    probe = f"orlop-probe-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", probe], stderr=subprocess.DEVNULL).returncode:
        skip("network namespaces can not be made here")
    run("ip", "netns", "del", probe)


def free_ports(rng):
    """Where forty ports in a row are free, below the kernel's range of outgoing ones: room for a cluster and its joiners."""
    while True:
        base = rng.randrange(10000, 15500) * 2
        try:
            for port in range(base, base + 40):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue


def run(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Cluster:
    """proxies, targets: processes with one role; both: processes with two. The first proxy (or both) makes the cluster."""

    def __init__(self, proxies=3, targets=3, both=0, mountpaths=2, netns=False, args=(), seed=None, root=None):
        need_binary()
        self.rng = random.Random(seed)
        self.netns, self.mountpaths, self.args = netns, mountpaths, list(args)
        if netns:
            need_netns()
        # Not by the seed: runs with the same one may meet.
        chance = random.SystemRandom()
        self.base = chance.randrange(10000, 15500) * 2 if netns else free_ports(chance)
        self.net = chance.randrange(1, 250)
        self.bridge = f"orl{self.base}"
        self.keep = root is not None
        self.root = pathlib.Path(root) if root else scratch("orlop-cluster-")
        self.members = []
        self.cuts = set()
        for role, n in (("both", both), ("proxy", proxies), ("target", targets)):
            for _ in range(n):
                self._member(role)

    def _member(self, role):
        m = Member(self, len(self.members), role)
        self.members.append(m)
        return m

    @property
    def proxies(self):
        return [m for m in self.members if m.role in ("proxy", "both")]

    @property
    def targets(self):
        return [m for m in self.members if m.role in ("target", "both")]

    # -- life

    def __enter__(self):
        return self if self.members[0].node else self.start()  # it may run already

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not SystemExit:
            self.tell()
        self.close()

    def tell(self):
        """What each daemon said last."""
        for m in self.members:
            print(f"---- {m.name} ({'alive' if m.alive() else 'ended'})", file=sys.stderr)
            print("\n".join(m.log().splitlines()[-25:]), file=sys.stderr)

    def start(self):
        try:
            if self.netns:
                self._network()
            first = self.members[0]
            first.start("--init")
            rest = self.members[1:]
            if rest:
                token = self.token(len(rest))
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    list(pool.map(lambda m: m.start("--join", token), rest))
            self.settle()
        except BaseException:
            self.tell()
            self.close()
            raise
        return self

    def close(self):
        for m in self.members:
            if m.alive():
                try:
                    m.go_on()
                except OSError:
                    pass
                m.kill()
        if self.netns:
            for m in self.members:
                subprocess.run(["ip", "netns", "del", m.ns], stderr=subprocess.DEVNULL)
            subprocess.run(["ip", "link", "del", self.bridge], stderr=subprocess.DEVNULL)
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def token(self, uses=1, ttl_s=3600):
        w = self.wire()
        try:
            _, _, body = w.expect(w.action("POST", "/v1/cluster", "orlop-token", {"ttl": ttl_s * 10**9, "uses": uses}))
            return body.decode().strip()
        finally:
            w.close()

    def join(self, role="target"):
        """One more member, started and in the map."""
        m = self._member(role)
        if self.netns:
            self._namespace(m)
        m.start("--join", self.token())
        until(f"{m.name} in the map", lambda: m.ids())
        return m

    # -- network

    def _network(self):
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "addr", "add", f"10.77.{self.net}.1/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")
        for m in self.members:
            self._namespace(m)

    def _namespace(self, m):
        veth = f"v{self.base}-{m.number}"
        run("ip", "netns", "add", m.ns)
        run("ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", m.ns)
        run("ip", "link", "set", veth, "master", self.bridge, "up")
        run("ip", "-n", m.ns, "addr", "add", f"{m.host}/24", "dev", "eth0")
        run("ip", "-n", m.ns, "link", "set", "eth0", "up")
        run("ip", "-n", m.ns, "link", "set", "lo", "up")

    def cut(self, a, b, one_way=False):
        """a and b no longer hear each other (one_way: b no longer hears a)."""
        pairs = [(a, b)] if one_way else [(a, b), (b, a)]
        for frm, to in pairs:
            if (frm, to) not in self.cuts:
                self.cuts.add((frm, to))
                run("ip", "netns", "exec", to.ns, "iptables", "-A", "INPUT", "-s", frm.host, "-j", "DROP")

    def part(self, side_a, side_b):
        for a in side_a:
            for b in side_b:
                self.cut(a, b)

    def heal(self):
        for frm, to in self.cuts:
            subprocess.run(["ip", "netns", "exec", to.ns, "iptables", "-D", "INPUT", "-s", frm.host, "-j", "DROP"], stderr=subprocess.DEVNULL)
        self.cuts.clear()

    # -- state

    def up(self):
        return [m for m in self.members if m.alive()]

    def wire(self, member=None, timeout=20):
        if member is None:
            alive = [m for m in self.proxies if m.alive()]
            if not alive:
                raise ConnectionError("no proxy is alive")
            member = self.rng.choice(alive)
        return member.wire(timeout)

    def map(self, timeout=PATIENCE):
        """The map as some live proxy has it."""
        def ask():
            for m in self.proxies:
                if m.alive():
                    try:
                        return m.map()
                    except Exception:
                        continue
            return None
        return until("a proxy that answers", ask, timeout)

    def wait_map(self, condition, what="the map", timeout=None):
        """Until the map of every live member fulfils the condition; returns one."""
        def all_have():
            maps = [m.map() for m in self.up()]
            return maps and all(condition(x) for x in maps) and maps[0]
        return until(what, all_have, timeout)

    def primary(self, timeout=None):
        """The member that leads, as all live proxies agree."""
        def agreed():
            ids = {m.map()["proxy_si"]["daemon_id"] for m in self.proxies if m.alive()}
            if len(ids) != 1:
                return None
            (pid,) = ids
            for m in self.proxies:
                if m.alive() and m.ids().get("proxy") == pid:
                    return m
            return None
        return until("one primary", agreed, timeout)

    def settle(self, timeout=None):
        """Until every live member is in the map and ready, and as many proxies vote as shall: 1, 3, 5 or 7."""
        def whole(smap):
            want_p = sum(m.role != "target" for m in self.up())
            want_t = sum(m.role != "proxy" for m in self.up())
            return len(smap["pmap"]) == want_p and len(smap["tmap"]) == want_t
        self.wait_map(whole, "all members in the map", timeout)
        until("all members ready", lambda: all(m.ready() for m in self.up()), timeout)
        until("all voters vote", self.voters_complete, timeout)
        return self

    def voters_complete(self):
        """Whether the largest odd number of live proxies votes, up to seven."""
        live = [m for m in self.proxies if m.alive()]
        votes = sum(x["votes"] and x["up"] for x in live[0].ask("/v1/orlop/cluster")["members"])
        return votes >= min(len(live) - (len(live) % 2 == 0), 7)

    def rebalanced(self, timeout=None):
        """Until no rebalance runs and nothing is left to move."""
        def idle():
            w = self.wire()
            try:
                status, _, body = w.request("GET", "/v1/cluster?what=qryxstats", json.dumps({"kind": "rebalance", "show_active": True}))
                if status == 404:
                    return True
                snaps = json.loads(body)
                return status == 200 and not any(s for s in snaps.values())
            finally:
                w.close()
        def quiet():
            return idle() and (time.sleep(1.2) or idle())
        until("rebalance to end", quiet, timeout, 0.5)
        return self

    def admin(self, action, value=None, name="", method="PUT", path="/v1/cluster"):
        """One cluster action, at any proxy; its text."""
        w = self.wire(timeout=60)
        try:
            _, _, body = w.expect(w.action(method, path, action, value, name))
            return body.decode().strip()
        finally:
            w.close()
