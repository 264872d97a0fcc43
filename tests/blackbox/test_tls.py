"""The SDK over TLS, against a daemon of its own.

Over https the SDK asks twice for each upload: the head of the PUT alone, then, where a redirect sends it, with the bytes.
"""

import io
import socket
import ssl
import subprocess

import pytest
from aistore.sdk import Client

from server import Server
from wire import Wire

pytestmark = pytest.mark.orlop_only


@pytest.fixture(scope="module")
def cert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    return cert, key


@pytest.fixture(scope="module")
def secure(cert):
    srv = Server(mountpaths=2, options=["--tls-cert", cert[0], "--tls-key", cert[1]]).start()
    yield srv
    alive = srv.alive()
    status = srv.stop()
    srv.remove()
    assert alive and status == 0


@pytest.fixture
def tls_bucket(secure, cert, monkeypatch, new_name):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert[0]))
    bucket = Client(secure.url, ca_cert=str(cert[0]), timeout=(3, 10)).bucket(new_name())
    bucket.create()
    yield bucket
    bucket.delete()


@pytest.fixture
def tls_wire(secure, cert):
    wire = Wire(secure.url)
    wire.session.verify = str(cert[0])
    return wire


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, 65537, 5_000_000])
def test_put_and_get(tls_bucket, size):
    data = b"x" * size
    tls_bucket.object("o").get_writer().put_content(data)
    assert tls_bucket.object("o").get_reader().read_all() == data


def test_put_file(tls_bucket, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"z" * 300_000)
    tls_bucket.object("f").get_writer().put_file(path)
    assert tls_bucket.object("f").get_reader().read_all() == b"z" * 300_000


def test_append_and_upload(tls_bucket):
    writer = tls_bucket.object("a").get_writer()
    handle = writer.append_content(b"one ")
    handle = writer.append_content(b"two", handle=handle)
    writer.append_content(b"", handle=handle, flush=True)
    assert tls_bucket.object("a").get_reader().read_all() == b"one two"
    upload = tls_bucket.object("m").multipart_upload().create()
    upload.add_part(1).put_content(b"1" * 100_000)
    upload.add_part(2).put_content(b"2")
    upload.complete()
    assert tls_bucket.object("m").get_reader().read_all() == b"1" * 100_000 + b"2"


def test_object_file(tls_bucket):
    with tls_bucket.object("o").get_writer().as_file(mode="w") as f:
        f.write(b"first ")
        f.write(b"second")
    with tls_bucket.object("o").get_reader().as_file() as f:
        assert io.BytesIO(f.read()).getvalue() == b"first second"


def test_list_and_props(tls_bucket):
    for name in ("a b", "c/d", "ü"):
        tls_bucket.object(name).get_writer().put_content(name.encode())
    assert [e.name for e in tls_bucket.list_all_objects()] == sorted(["a b", "c/d", "ü"])
    assert tls_bucket.object("a b").get_reader().read_all() == b"a b"


def test_others_are_not_redirected(tls_wire, tls_bucket):
    for headers in ({}, {"Connection": "close"}, {"User-Agent": "ais/python/1.0"}):
        r = tls_wire.put(tls_bucket.name, "o", b"data", headers=headers, allow_redirects=False)
        assert r.status_code == 200, headers


def test_question_without_a_body(secure, cert, tls_bucket):
    """What the SDK sends first, for a name that needs escaping."""
    host = secure.url.removeprefix("https://")
    context = ssl.create_default_context(cafile=str(cert[0]))
    with socket.create_connection(("127.0.0.1", secure.port), timeout=10) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(f"PUT /v1/objects/{tls_bucket.name}/a%20b?provider=ais HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ais/python/2.0\r\n"
                        "Connection: close\r\nContent-Length: 1000\r\n\r\n".encode())
            head = tls.recv(65536).decode()
    assert head.startswith("HTTP/1.1 307 ")
    location = next(line for line in head.split("\r\n") if line.startswith("Location: "))
    assert location.startswith(f"Location: {secure.url}/v1/objects/{tls_bucket.name}/a%20b?provider=ais&pid=")
    assert "&utm=" in location
