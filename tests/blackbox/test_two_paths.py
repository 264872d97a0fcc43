"""The short path and the full path answer alike.

Small reads and writes with a plain query are answered on the event loop; a parameter that means nothing here (`sln`) sends
the same request the long way, through a worker. Whatever was done to the object or its bucket before, both must say the
same: status, headers but times, body. Every second request of a kind finds the object in the cache.
"""

import json
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import xxhash

from wire import quote

SHORT, FULL = "?provider=ais", "?provider=ais&sln=true"
PATHS = [SHORT, FULL]
TIMES = {"date", "ais-atime"}


def _plain(reply, *names):
    """A reply without what may differ: times, the client's port, the names of twins."""
    status, headers, body = reply
    lines = sorted((k.lower(), v) for k, v in headers.items() if k.lower() not in TIMES)
    if status >= 400 and body:
        doc = json.loads(body)
        doc.pop("remote_addr")
        for key, value in doc.items():
            for name in names:
                doc[key] = value = re.sub(rf"\b{re.escape(name)}\b", "NAME", value) if isinstance(value, str) else value
        lines = [line for line in lines if line[0] != "content-length"]
        body = json.dumps(doc).encode()
    return status, lines, body


def _both(wire, method, bck, name, headers=(), body=None):
    """The same request along both paths, twice each. They agree; returns the reply."""
    target = f"/v1/objects/{bck}/{quote(name)}"
    replies = [_plain(wire.exchange(method, target + path, headers, body)) for path in PATHS * 2]
    for reply in replies[1:]:
        assert reply == replies[0]
    return replies[0]


def _xxh(data):
    return xxhash.xxh64(data).hexdigest()


def _cksum(kind, value):
    return [("Ais-Checksum-Type", kind), ("Ais-Checksum-Value", value)]


# -- reads

SIZES = [0, 1, 100, 4096, 32767, 32768, 32769, 131072, 1 << 20, 5 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_get(wire, bck, size):
    data = random.Random(size).randbytes(size)
    wire.put(bck, "o", data)
    status, headers, body = _both(wire, "GET", bck, "o")
    assert status == 200
    assert body == data
    assert ("ais-checksum-value", _xxh(data)) in headers
    assert ("content-length", str(size)) in headers


def test_get_after_every_change(wire, bck):
    """What a cached answer could have kept wrongly."""

    def check(data, version="1", **more):
        status, headers, body = _both(wire, "GET", bck, "o")
        assert (status, body) == (200, data)
        headers = dict(headers)
        assert headers.get("ais-version") == version
        assert headers.get("ais-custom-md") == more.get("custom")

    wire.put(bck, "o", b"one")
    check(b"one")
    wire.put(bck, "o", b"two")
    check(b"two", "2")
    wire.obj("PATCH", bck, "o", json={"value": {"k": "v"}})
    check(b"two", "2", custom="k=v")
    wire.obj("PATCH", bck, "o", json={"value": {"n": "w"}}, params={"set-new-custom": "true"})
    check(b"two", "2", custom="n=w")
    wire.put(bck, "other", b"copied")
    assert wire.obj("PUT", bck, "other", params={"object_to": f"ais/@#/{bck}/o"}).status_code == 200
    status, _, body = _both(wire, "GET", bck, "o")
    assert (status, body) == (200, b"copied")
    assert wire.post(bck, "o", "rename-obj", new_name="elsewhere").status_code == 200
    assert _both(wire, "GET", bck, "o")[0] == 404
    assert _both(wire, "GET", bck, "elsewhere")[2] == b"copied"
    wire.put(bck, "o", b"again")
    _both(wire, "GET", bck, "o")
    assert wire.delete(bck, "o").status_code == 200
    assert _both(wire, "GET", bck, "o")[0] == 404
    wire.put(bck, "o", b"reborn")
    assert _both(wire, "GET", bck, "o")[2] == b"reborn"


def test_get_after_append_and_upload(wire, bck):
    wire.put(bck, "o", b"a")
    _both(wire, "GET", bck, "o")
    r = wire.put(bck, "o", b"b", params={"append_type": "append", "append_handle": ""})
    handle = r.headers["Ais-Append-Handle"]
    assert _both(wire, "GET", bck, "o")[2] == b"a"
    wire.put(bck, "o", b"", params={"append_type": "flush", "append_handle": handle})
    assert _both(wire, "GET", bck, "o")[2] == b"ab"
    upload = wire.post(bck, "o", "mpt-upload").text
    wire.put(bck, "o", b"x" * 70000, params={"uploadId": upload, "partNumber": "1"})
    wire.put(bck, "o", b"y" * 10, params={"uploadId": upload, "partNumber": "2"})
    assert _both(wire, "GET", bck, "o")[2] == b"ab"
    parts = [{"part-number": 1, "etag": ""}, {"part-number": 2, "etag": ""}]
    assert wire.post(bck, "o", "mpt-complete", parts, params={"uploadId": upload}).status_code == 200
    assert _both(wire, "GET", bck, "o")[2] == b"x" * 70000 + b"y" * 10


def test_bucket_renamed_destroyed_made_again(wire, bck, new_name, cleanup, client):
    wire.put(bck, "o", b"first")
    _both(wire, "GET", bck, "o")
    moved = new_name()
    cleanup.append(moved)
    job = wire.bucket("POST", bck, "move-bck", params={"bck_to": f"ais/@#/{moved}/"}).text
    client.job(job).wait(timeout=20)
    assert _both(wire, "GET", moved, "o")[2] == b"first"
    assert _both(wire, "GET", bck, "o")[0] == 404
    assert wire.bucket("POST", bck, "create-bck").status_code == 200
    assert _both(wire, "GET", bck, "o")[0] == 404
    wire.put(bck, "o", b"second")
    assert _both(wire, "GET", bck, "o")[2] == b"second"
    assert wire.bucket("DELETE", bck, "destroy-bck").status_code == 200
    status, _, body = _both(wire, "GET", bck, "o")
    assert status == 404
    assert json.loads(body)["tcode"] == "ErrBckNotFound"
    wire.bucket("POST", bck, "create-bck")
    assert _both(wire, "GET", bck, "o")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        [("Range", "bytes=1-2")], [("range", "bytes=1-2")], [("Range", "bytes=100-")], [("RANGE", "bytes=1-1,2-2")], [("Range", "")],
        [("If-None-Match", "*")], [("Accept-Encoding", "gzip")], [("Content-Type", "application/json")],
        [("Ais-Caller-Id", "x")], [("ais-caller-id", "x")], [("AIS-CALLER-ID", "x")],
        [("Ais-Blob-Download", "true")], [("ais-blob-download", "true")], [("Authorization", "Bearer x")], [("Origin", "http://elsewhere.example")],
    ],
    ids=str,
)
def test_get_with_headers(wire, shared, headers):
    wire.put(shared, "headers", b"0123456789")
    wire.get(shared, "headers")
    _both(wire, "GET", shared, "headers", headers)


@pytest.mark.parametrize("name", ["a/b", "a//b", "x%y", "ä", "a b", "a/../b", "..", "a/", ".hidden", "a" * 300, "a?b", "a#b"], ids=ascii)
def test_names(wire, bck, name):
    """Also names that are refused, on their way in and out."""
    target = f"/v1/objects/{bck}/{quote(name)}"
    put = [_plain(wire.exchange("PUT", target + path, [], b"data")) for path in PATHS]
    assert put[0][0] == put[1][0]
    if put[0][0] != 200:
        assert put[0] == put[1]
    _both(wire, "GET", bck, name)


def test_props_that_change(wire, bck):
    wire.put(bck, "o", b"data")
    for props in (
        {"versioning": {"enabled": False}}, {"checksum": {"type": "md5"}}, {"checksum": {"type": "none"}},
        {"checksum": {"validate_warm_get": True}}, {"checksum": {"enable_read_range": True}}, {"versioning": {"enabled": True}},
    ):
        assert wire.set_props(bck, props).status_code == 200
        assert _both(wire, "GET", bck, "o")[2] == b"data"
        wire.put(bck, "o", json.dumps(props).encode())
        assert _both(wire, "GET", bck, "o")[2] == json.dumps(props).encode()
        wire.put(bck, "o", b"data")


@pytest.mark.parametrize("access", ["1", "2", "4", "771", "0", "18446744073709551614", "18446744073709551611"])
def test_access(wire, bck, access):
    wire.put(bck, "o", b"data")
    _both(wire, "GET", bck, "o")
    try:
        assert wire.set_props(bck, {"access": access}).status_code == 200
        _both(wire, "GET", bck, "o")
        status = {_plain(wire.exchange("PUT", f"/v1/objects/{bck}/o{path}", [], b"new"))[0] for path in PATHS}
        assert len(status) == 1
        _both(wire, "GET", bck, "o")
    finally:
        wire.set_props(bck, {"access": "18446744073709551615"})


# -- writes: twins, one written along each path, get the same answers. (Elsewhere there is one path only, and large bodies
# of a plain client do not survive a redirect.)


class Twins:
    """Two objects with the same history, one per path."""

    def __init__(self, wire, bck):
        self.wire, self.bck = wire, bck
        self.names = dict(zip(PATHS, ("twin-s", "twin-f")))

    def put(self, data, headers=(), more=""):
        replies = [self._put(path, name, data, headers, more) for path, name in self.names.items()]
        assert replies[0] == replies[1]
        return replies[0]

    def _put(self, path, name, data, headers, more):
        reply = self.wire.exchange("PUT", f"/v1/objects/{self.bck}/{name}{path}{more}", headers, data)
        return _plain(reply, *self.names.values())

    def each(self, call):
        """The same change to both, along any path."""
        replies = [call(name) for name in self.names.values()]
        assert replies[0].status_code == replies[1].status_code
        return replies[0].status_code

    def check(self):
        """They read the same, along both paths."""
        got = [self._stripped(_both(self.wire, "GET", self.bck, name)) for name in self.names.values()]
        assert got[0] == got[1]
        heads = [self.wire.head(self.bck, name, props="size,checksum,version,custom") for name in self.names.values()]
        heads = [{k: v for k, v in h.headers.items() if k.lower() not in TIMES | {"hdr-error"}} for h in heads]
        assert heads[0] == heads[1]
        return got[0]

    def _stripped(self, reply):
        status, headers, body = reply
        if status >= 400:
            doc = json.loads(body)
            doc["message"] = doc["url_path"] = ""
            body = json.dumps(doc)
        return status, headers, body


@pytest.mark.orlop_only
@pytest.mark.parametrize("size", SIZES)
def test_put(wire, bck, size):
    twins = Twins(wire, bck)
    for i in range(3):
        data = random.Random(size + i).randbytes(size)
        assert twins.put(data)[0] == 200
        assert twins.check()[2] == data


@pytest.mark.orlop_only
def test_put_with_checksums(wire, bck):
    twins = Twins(wire, bck)
    good, other = _xxh(b"data"), _xxh(b"other")
    for headers, status in (
        (_cksum("xxhash2", good), 200), (_cksum("xxhash2", good), 200), (_cksum("xxhash", good), 200), (_cksum("xxhash2", good.upper()), None),
        (_cksum("xxhash2", other), 500), (_cksum("xxhash", "00"), None), (_cksum("xxhash2", "g" * 16), None), (_cksum("xxhash2", "0" * 17), None),
        (_cksum("md5", "8d777f385d3dfec8815d20f7496026dc"), 200), (_cksum("none", good), 200),
        ([("Ais-Checksum-Type", "xxhash2")], 200), ([("Ais-Checksum-Value", good)], 200), (_cksum("xxhash2", ""), 200),
        ([("ais-checksum-type", "xxhash2"), ("ais-checksum-value", other)], 500),
        (_cksum("xxhash2", good) + _cksum("xxhash2", other), None), (_cksum("xxhash2", other) + _cksum("xxhash2", good), None),
        ([("Origin", "http://elsewhere.example")], None), ([("If-None-Match", "*")], None),
    ):
        for more in ("", "&skip_vc=true"):
            reply = twins.put(b"data", headers, more)
            assert status in (None, reply[0])
            twins.check()


@pytest.mark.orlop_only
def test_put_with_an_unknown_checksum_type(wire, bck):
    twins = Twins(wire, bck)
    for kind in ("foo", "XXHASH2", "xxhash3"):
        assert twins.put(b"data", _cksum(kind, "0" * 16))[0] == 400


@pytest.mark.orlop_only
def test_put_with_metadata(wire, bck):
    twins = Twins(wire, bck)
    for headers in ([], [("Ais-Custom-Md", "k=v")], [], [("Ais-Custom-Md", "k=w"), ("Ais-Custom-Md", "n=1")], [("ais-custom-md", "nonsense")], []):
        twins.put(b"data", headers)
        twins.check()
    twins.each(lambda name: wire.obj("PATCH", bck, name, json={"value": {"p": "q"}}))
    twins.put(b"more")
    twins.check()


def test_put_to_a_missing_bucket(wire, new_name):
    name = new_name()
    replies = [_plain(wire.exchange("PUT", f"/v1/objects/{name}/o{path}", [], b"x")) for path in PATHS]
    assert replies[0] == replies[1]
    assert replies[0][0] == 404


@pytest.mark.orlop_only
@pytest.mark.parametrize("seed", range(4))
def test_random_histories(wire, bck, seed):
    rnd = random.Random(seed)
    twins = Twins(wire, bck)
    bodies = [b"", b"a", b"small" * 100, rnd.randbytes(32768), rnd.randbytes(32769), rnd.randbytes(200_000)]

    def put():
        data = rnd.choice(bodies)
        headers = rnd.choice([[], [], _cksum("xxhash2", _xxh(data)), _cksum("xxhash", _xxh(data)), _cksum("xxhash2", "0" * 16),
                              [("Ais-Custom-Md", f"k={rnd.randrange(3)}")]])
        twins.put(data, headers, rnd.choice(["", "&skip_vc=true"]))

    def props():
        value = rnd.choice([{"versioning": {"enabled": rnd.random() < 0.5}},
                            {"checksum": {"type": rnd.choice(["xxhash2", "xxhash", "md5", "none"])}}])
        assert wire.set_props(bck, value).status_code == 200

    def custom():
        value, replace = {"c": str(rnd.randrange(3))}, rnd.choice(["true", "false"])
        twins.each(lambda n: wire.obj("PATCH", bck, n, json={"value": value}, params={"set-new-custom": replace}))

    def copy():
        wire.put(bck, "source", rnd.choice(bodies))
        twins.each(lambda n: wire.obj("PUT", bck, "source", params={"object_to": f"ais/@#/{bck}/{n}"}))

    def append():
        piece = rnd.choice(bodies[:3])
        for name in twins.names.values():
            r = wire.put(bck, name, piece, params={"append_type": "append", "append_handle": ""})
            params = {"append_type": "flush", "append_handle": r.headers["Ais-Append-Handle"]}
            assert wire.put(bck, name, b"", params=params).status_code == 200

    steps = [put] * 8 + [props, custom, copy, append, lambda: twins.each(lambda n: wire.delete(bck, n))]
    for i in range(60):
        rnd.choice(steps)()
        twins.check()


# -- both at once


@pytest.mark.parametrize("size", [16, 40_000])
def test_reads_are_never_stale(wire, bck, size):
    """Once a write is acknowledged, or an older value read, nobody reads anything older, along either path."""
    target, acknowledged, failures = f"/v1/objects/{bck}/o", [0], []
    end = time.monotonic() + 2

    def body(n):
        return str(n).encode().ljust(size, b".")

    def write(session):
        n = acknowledged[0]
        while time.monotonic() < end:
            n += 1
            r = session.put(wire.url + target + PATHS[n % 2], data=body(n), timeout=10)
            if r.status_code != 200:
                failures.append(("put", r.status_code))
            acknowledged[0] = n

    def read(session, path):
        while time.monotonic() < end:
            least = acknowledged[0]
            r = session.get(wire.url + target + path, timeout=10)
            got = int(r.content.rstrip(b".") or -1) if r.status_code == 200 else None
            if got is None or got < least or r.content != body(got) or r.headers["Ais-Checksum-Value"] != _xxh(r.content):
                failures.append((path, r.status_code, got, least))

    wire.put(bck, "o", body(0))
    jobs = [lambda s: write(s)] + [lambda s, p=path: read(s, p) for path in PATHS * 2]
    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(lambda job: job(requests.Session()), jobs))
    assert not failures, failures[:5]
    assert acknowledged[0] > 10


def test_names_that_come_and_go(wire, make_bucket):
    """What was deleted, or destroyed with its bucket, is not served from anywhere afterwards."""
    bck = make_bucket()
    for i in range(30):
        name, data = f"o{i % 3}", str(i).encode()
        wire.put(bck, name, data)
        for path in PATHS:
            assert wire.exchange("GET", f"/v1/objects/{bck}/{name}{path}")[2] == data
        if i % 5 == 4:
            assert wire.bucket("DELETE", bck, "destroy-bck").status_code == 200
            assert wire.bucket("POST", bck, "create-bck").status_code == 200
        else:
            assert wire.delete(bck, name).status_code == 200
        for path in PATHS:
            assert wire.exchange("GET", f"/v1/objects/{bck}/{name}{path}")[0] == 404
