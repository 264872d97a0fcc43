"""The daemon as a process: start, restart, two on one directory. It starts daemons of its own."""

import os
import signal
import subprocess
import time

import pytest

from conftest import EXTERNAL
from server import Server
from wire import Wire, custom

pytestmark = [
    pytest.mark.orlop_only,
    pytest.mark.skipif(bool(EXTERNAL), reason="the server is not ours to restart"),
]


@pytest.fixture
def own():
    srv = Server(mountpaths=3)
    yield srv
    srv.remove()


def _fill(wire):
    assert wire.bucket("POST", "keep", "create-bck", {"checksum": {"type": "md5"}}).status_code == 200
    data = {f"o/{i}": os.urandom(size) for i, size in enumerate((0, 10, 5000, 40_000, 300_000, 2 << 20))}
    for name, body in data.items():
        assert wire.put("keep", name, body, headers={"Ais-Custom-Md": f"n={name}"}).status_code == 200
    wire.put("keep", "gone", b"x")
    wire.delete("keep", "gone")
    wire.put("keep", "twice", b"old")
    wire.put("keep", "twice", b"new")
    return data


def _check(wire, data):
    assert wire.names("keep") == sorted([*data, "twice"])
    for name, body in data.items():
        assert wire.content("keep", name) == body
        assert custom(wire.head("keep", name)) == {"n": name}
    assert wire.content("keep", "twice") == b"new"
    assert wire.head("keep", "twice").headers["Ais-Version"] == "2"
    assert wire.head("keep", "gone").status_code == 404
    assert wire.bucket_props("keep")["checksum"]["type"] == "md5"


def _smap(wire):
    return wire.request("GET", "/v1/daemon", params={"what": "smap"}).json()


def test_stops_on_sigterm(own):
    own.start()
    assert own.stop() == 0


def test_stops_on_sigint(own):
    own.start()
    own.proc.send_signal(signal.SIGINT)
    assert own.proc.wait(15) == 0


def test_stops_with_idle_connections(own):
    wire = Wire(own.start().url)
    for _ in range(5):
        wire.session.get(own.url + "/v1/health", timeout=10)
    begin = time.monotonic()
    assert own.stop() == 0
    assert time.monotonic() - begin < 10


def test_restart_keeps_everything(own):
    wire = Wire(own.start().url)
    data = _fill(wire)
    before = _smap(wire)
    assert own.stop() == 0
    wire = Wire(own.start().url)
    _check(wire, data)
    after = _smap(wire)
    assert after["uuid"] == before["uuid"]
    assert list(after["tmap"]) == list(before["tmap"])


def test_kill_loses_nothing_acknowledged(own):
    wire = Wire(own.start().url)
    data = _fill(wire)
    own.kill()
    _check(Wire(own.start().url), data)


def test_kill_during_an_upload(own):
    wire = Wire(own.start().url)
    data = _fill(wire)
    head = f"PUT {wire.path('keep', 'twice')} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n".encode()
    wire.raw(head + b"x" * 100_000, timeout=0.3)
    own.kill()
    _check(Wire(own.start().url), data)


def test_second_daemon_on_the_same_directory(own):
    wire = Wire(own.start().url)
    data = _fill(wire)
    second = Server(base=own.base, mountpaths=3)
    args = [second.binary, "--listen", f"127.0.0.1:{second.port}", *map(str, second.mountpaths)]
    done = subprocess.run(args, capture_output=True, timeout=30, check=False)
    assert done.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT)
    assert done.stderr
    _check(wire, data)


def test_uses_every_mountpath(own):
    wire = Wire(own.start().url)
    target = next(iter(_smap(wire)["tmap"]))
    doc = wire.request("GET", "/v1/reverse/daemon", params={"what": "mountpaths"}, headers={"Ais-Node-Id": target}).json()
    assert len(doc["available"]) == 3
    wire.bucket("POST", "b", "create-bck")
    places = set()
    for i in range(40):
        wire.put("b", f"o{i}", b"x")
        places.add(wire.head("b", f"o{i}", "location").headers["Ais-Location"])
    assert len(places) == 3


@pytest.mark.parametrize("args", [["--no-such-option", "DIR"], [], ["--listen", "nonsense", "DIR"], ["--listen"]], ids=str)
def test_bad_command_line(own, tmp_path, args):
    args = [str(tmp_path / "d") if a == "DIR" else a for a in args]
    done = subprocess.run([own.binary, *args], capture_output=True, timeout=20, check=False)
    assert done.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT)
    assert done.stderr


def test_port_in_use(own, tmp_path):
    own.start()
    done = subprocess.run(
        [own.binary, "--listen", f"127.0.0.1:{own.port}", str(tmp_path / "other")], capture_output=True, timeout=30, check=False
    )
    assert done.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT)
