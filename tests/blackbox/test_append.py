"""Append: pieces that become visible by a flush."""

import os

import pytest

from wire import CHECKSUMS, check_error, custom


def _append(wire, bck, name, data, handle="", kind="append", **kw):
    return wire.put(bck, name, data, params={"append_type": kind, "append_handle": handle}, **kw)


def _handle(resp):
    assert resp.status_code == 200, resp.text
    return resp.headers["Ais-Append-Handle"]


def test_append_by_sdk(bucket):
    writer = bucket.object("o").get_writer()
    handle = ""
    for piece in (b"one,", b"two,", b"three"):
        handle = writer.append_content(piece, handle=handle)
        assert handle
    assert writer.append_content(b"", handle=handle, flush=True) == ""
    assert bucket.object("o").get_reader().read_all() == b"one,two,three"


def test_invisible_until_the_flush(wire, bck):
    handle = _handle(_append(wire, bck, "o", b"piece"))
    assert wire.head(bck, "o").status_code == 404
    assert wire.names(bck) == []
    assert _append(wire, bck, "o", b"", handle, "flush").status_code == 200
    assert wire.content(bck, "o") == b"piece"
    assert wire.names(bck) == ["o"]


def test_append_to_an_existing_object(wire, bck):
    wire.put(bck, "o", b"old,")
    handle = _handle(_append(wire, bck, "o", b"new"))
    assert wire.content(bck, "o") == b"old,"
    _append(wire, bck, "o", b"", handle, "flush")
    assert wire.content(bck, "o") == b"old,new"


def test_checksum_after_append(wire, bck):
    handle = _handle(_append(wire, bck, "o", b"hello "))
    handle = _handle(_append(wire, bck, "o", b"world", handle))
    _append(wire, bck, "o", b"", handle, "flush")
    r = wire.head(bck, "o")
    assert r.headers["Ais-Checksum-Value"] == CHECKSUMS[r.headers["Ais-Checksum-Type"]](b"hello world")
    assert r.headers["Content-Length"] == "11"


def test_version_after_append(wire, bck):
    wire.put(bck, "o", b"1")
    _append(wire, bck, "o", b"", _handle(_append(wire, bck, "o", b"2")), "flush")
    assert wire.head(bck, "o").headers["Ais-Version"] == "2"


def test_many_pieces(wire, bck):
    pieces = [os.urandom(i * 37 % 5000) for i in range(40)]
    handle = ""
    for piece in pieces:
        handle = _handle(_append(wire, bck, "o", piece, handle))
    _append(wire, bck, "o", b"", handle, "flush")
    assert wire.content(bck, "o") == b"".join(pieces)


def test_large_pieces(wire, bck):
    pieces = [os.urandom(1 << 20) for _ in range(4)]
    handle = ""
    for piece in pieces:
        handle = _handle(_append(wire, bck, "o", piece, handle))
    _append(wire, bck, "o", b"", handle, "flush")
    assert wire.content(bck, "o") == b"".join(pieces)


def test_two_sessions_do_not_mix(wire, bck):
    a = _handle(_append(wire, bck, "a", b"a1"))
    b = _handle(_append(wire, bck, "b", b"b1"))
    a = _handle(_append(wire, bck, "a", b"a2", a))
    _append(wire, bck, "b", b"", b, "flush")
    _append(wire, bck, "a", b"", a, "flush")
    assert wire.content(bck, "a") == b"a1a2"
    assert wire.content(bck, "b") == b"b1"


def test_append_keeps_custom_metadata(wire, bck):
    wire.put(bck, "o", b"1", headers={"Ais-Custom-Md": "k=v"})
    _append(wire, bck, "o", b"", _handle(_append(wire, bck, "o", b"2")), "flush")
    assert wire.content(bck, "o") == b"12"
    assert custom(wire.head(bck, "o")) == {"k": "v"}


def test_flush_with_a_wrong_checksum(wire, bck):
    handle = _handle(_append(wire, bck, "o", b"data"))
    r = _append(wire, bck, "o", b"", handle, "flush",
                headers={"Ais-Checksum-Type": "xxhash2", "Ais-Checksum-Value": "0" * 16})
    check_error(r, (400, 500))
    assert wire.head(bck, "o").status_code == 404


def test_flush_with_a_right_checksum(wire, bck):
    handle = _handle(_append(wire, bck, "o", b"data"))
    r = _append(wire, bck, "o", b"", handle, "flush",
                headers={"Ais-Checksum-Type": "xxhash2", "Ais-Checksum-Value": CHECKSUMS["xxhash2"](b"data")})
    assert r.status_code == 200
    assert wire.content(bck, "o") == b"data"


def test_flush_of_nothing(wire, bck):
    check_error(_append(wire, bck, "o", b"", "", "flush"), 400)


@pytest.mark.parametrize("handle", ["garbage", "a|b", "a|b|c", "nosuch1|/etc/passwd|xxhash2|AAAA"])
def test_bad_handle(wire, bck, handle):
    r = _append(wire, bck, "o", b"x", handle)
    check_error(r, (400, 404))
    assert wire.names(bck) == []


@pytest.mark.orlop_only
def test_handle_of_empty_fields(wire, bck):
    check_error(_append(wire, bck, "o", b"x", "|||"), (400, 404))


@pytest.mark.orlop_only
def test_handle_of_another_place_writes_nothing_there(wire, bck, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"safe")
    target = next(iter(wire.request("GET", "/v1/daemon", params={"what": "smap"}).json()["tmap"]))
    parts = _handle(_append(wire, bck, "o", b"x")).split("|")
    handle = "|".join([target, str(victim)] + parts[2:]) if len(parts) == 4 else f"{target}|{victim}|xxhash2|AAAA"
    _append(wire, bck, "o", b"overwritten", handle)
    assert victim.read_bytes() == b"safe"


def test_unknown_kind(wire, bck):
    check_error(_append(wire, bck, "o", b"x", "", "zzz"), 400, text="append_type")


def test_append_to_a_missing_bucket(wire, new_name):
    check_error(_append(wire, new_name(), "o", b"x"), 404, "ErrBckNotFound")


def test_append_to_a_bad_name(wire, bck):
    r = wire.request("PUT", f"/v1/objects/{bck}/..%2Fx", data=b"x", params={"append_type": "append", "append_handle": ""})
    check_error(r, 400, "errInvalidPath")
