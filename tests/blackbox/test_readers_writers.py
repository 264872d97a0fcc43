"""The SDK's readers and writers."""

import io
import os
import random
import tarfile

import pytest
import requests
from aistore.sdk.errors import AISError

from wire import check_error, until

SIZE = (1 << 20) + 12_345
DATA = os.urandom(SIZE)


@pytest.fixture(scope="module")
def obj(client, shared):
    obj = client.bucket(shared).object("data")
    obj.get_writer().put_content(DATA)
    return obj


# -- ObjectReader


def test_read_all(obj):
    assert obj.get_reader().read_all() == DATA


@pytest.mark.parametrize("chunk", [1000, 4096, 65536, SIZE - 1, SIZE, SIZE + 1])
def test_iterate(obj, chunk):
    pieces = list(obj.get_reader(chunk_size=chunk))
    assert b"".join(pieces) == DATA
    assert all(len(p) <= chunk for p in pieces)


def test_raw(obj):
    assert obj.get_reader().raw().read() == DATA


def test_attributes_come_with_the_read(obj):
    reader = obj.get_reader()
    reader.read_all()
    assert reader.attributes.size == SIZE
    assert reader.attributes.obj_version == "1"
    assert reader.attributes.access_time


def test_attributes_without_a_read(obj):
    attrs = obj.get_reader().attributes
    assert (attrs.size, attrs.present) == (SIZE, True)


def test_reader_head(obj):
    assert obj.get_reader().head().size == SIZE


def test_reader_with_a_writer(obj, tmp_path):
    path = tmp_path / "out"
    with open(path, "wb") as out:
        obj.get_reader(writer=out)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("chunk", [None, 100_000])
def test_parallel_read(obj, workers, chunk):
    with obj.get_reader(num_workers=workers, chunk_size=chunk).read_all() as buf:
        assert buf.tobytes() == DATA


def test_parallel_iteration(obj):
    assert b"".join(bytes(p) for p in obj.get_reader(num_workers=3, chunk_size=77_777)) == DATA


def test_parallel_read_of_a_small_object(bucket):
    bucket.object("s").get_writer().put_content(b"tiny")
    with bucket.object("s").get_reader(num_workers=4).read_all() as buf:
        assert buf.tobytes() == b"tiny"


def test_parallel_read_of_a_chunked_object(bucket):
    parts = [os.urandom(100_000 + i) for i in range(4)]
    upload = bucket.object("m").multipart_upload().create()
    for i, part in enumerate(parts, 1):
        upload.add_part(i).put_content(part)
    upload.complete()
    with bucket.object("m").get_reader(num_workers=3, chunk_size=60_000).read_all() as buf:
        assert buf.tobytes() == b"".join(parts)


def test_same_reader_twice(obj):
    reader = obj.get_reader()
    assert reader.read_all() == DATA
    assert reader.read_all() == DATA


def test_direct(obj):
    assert obj.get_reader(direct=True).read_all() == DATA


def test_latest_on_a_local_bucket(obj):
    assert obj.get_reader(latest=True).read_all() == DATA


# -- ObjectFileReader


def test_file_read_all(obj):
    with obj.get_reader().as_file() as f:
        assert f.read() == DATA
        assert f.read() == b""


@pytest.mark.parametrize("size", [1023, 4096, 100_000])
def test_file_read_in_steps(obj, size):
    with obj.get_reader(chunk_size=5000).as_file() as f:
        out = b""
        while piece := f.read(size):
            assert len(piece) <= size
            out += piece
    assert out == DATA


def test_file_read_of_random_sizes(obj):
    rnd = random.Random(3)
    with obj.get_reader(chunk_size=33_333).as_file() as f:
        out = []
        while piece := f.read(rnd.randrange(1, 70_000)):
            out.append(piece)
    assert b"".join(out) == DATA


def test_file_closed(obj):
    f = obj.get_reader().as_file()
    f.read(10)
    f.close()
    with pytest.raises(ValueError):
        f.read(1)


def test_file_stopped_early_leaves_the_server_well(obj):
    for _ in range(10):
        with obj.get_reader(chunk_size=1000).as_file() as f:
            assert f.read(10) == DATA[:10]
    assert obj.get_reader().read_all() == DATA


def test_file_of_missing(client, shared):
    with pytest.raises((AISError, requests.RequestException)):
        client.bucket(shared).object("nope").get_reader().as_file(max_resume=0).read()


def test_file_as_tar(bucket):
    buf = io.BytesIO()
    with tarfile.open(fileobj=buf, mode="w") as tar:
        for name in ("one", "two"):
            info = tarfile.TarInfo(name)
            info.size = 5000
            tar.addfile(info, io.BytesIO(name.encode() * 1666 + b"--"))
    bucket.object("x.tar").get_writer().put_content(buf.getvalue())
    with bucket.object("x.tar").get_reader().as_file() as f, tarfile.open(fileobj=f, mode="r|") as tar:
        assert [m.name for m in tar] == ["one", "two"]


# -- ObjectFileWriter


def test_write_mode(bucket):
    obj = bucket.object("w")
    obj.get_writer().put_content(b"old content")
    with obj.get_writer().as_file(mode="w") as f:
        assert f.write(b"new ") == 4
        f.write(b"content!")
    assert obj.get_reader().read_all() == b"new content!"


def test_append_mode(bucket):
    obj = bucket.object("a")
    obj.get_writer().put_content(b"old ")
    with obj.get_writer().as_file(mode="a") as f:
        f.write(b"and ")
        f.write(b"new")
    assert obj.get_reader().read_all() == b"old and new"


def test_append_mode_of_a_new_object(bucket):
    with bucket.object("n").get_writer().as_file(mode="a") as f:
        f.write(b"created")
    assert bucket.object("n").get_reader().read_all() == b"created"


def test_flush_makes_visible(bucket):
    obj = bucket.object("f")
    with obj.get_writer().as_file(mode="w") as f:
        f.write(b"first,")
        f.flush()
        assert obj.get_reader().read_all() == b"first,"
        f.write(b"second")
    assert obj.get_reader().read_all() == b"first,second"


def test_write_after_close(bucket):
    f = bucket.object("c").get_writer().as_file(mode="w")
    f.close()
    with pytest.raises(ValueError):
        f.write(b"x")


def test_write_nothing(bucket):
    with bucket.object("z").get_writer().as_file(mode="w"):
        pass
    assert bucket.object("z").get_reader().read_all() == b""


def test_write_many_pieces(bucket):
    pieces = [os.urandom(random.Random(i).randrange(1, 9000)) for i in range(30)]
    with bucket.object("p").get_writer().as_file(mode="w") as f:
        for piece in pieces:
            f.write(piece)
    assert bucket.object("p").get_reader().read_all() == b"".join(pieces)


# -- two at once (the reference makes writers wait for slow readers)


@pytest.mark.orlop_only
def test_read_while_overwritten(wire, bck):
    """A read sees one whole content, old or new."""
    old, new = b"o" * (6 << 20), b"n" * (5 << 20)
    wire.put(bck, "o", old)
    r = wire.get(bck, "o", stream=True)
    first = r.raw.read(1000)
    assert first == old[:1000]
    wire.put(bck, "o", new)
    rest = r.raw.read()
    assert first + rest == old
    assert wire.content(bck, "o") == new


@pytest.mark.orlop_only
def test_read_while_deleted(wire, bck):
    data = os.urandom(1 << 20) * 5
    wire.put(bck, "o", data)
    r = wire.get(bck, "o", stream=True)
    first = r.raw.read(1000)
    wire.delete(bck, "o")
    assert first + r.raw.read() == data
    check_error(wire.get(bck, "o"), 404)


def test_broken_upload_leaves_nothing(wire, bck):
    head = f"PUT {wire.path(bck, 'o')} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode()
    got = wire.raw(head + b"x" * 1000, timeout=0.5)
    assert b" 200 " not in got[:20]
    assert wire.head(bck, "o").status_code == 404
    until(lambda: wire.names(bck) == [])


def test_broken_upload_keeps_the_old_object(wire, bck):
    wire.put(bck, "o", b"old")
    head = f"PUT {wire.path(bck, 'o')} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode()
    wire.raw(head + b"x" * 1000, timeout=0.5)
    assert wire.content(bck, "o") == b"old"
