"""Reads of a part of an object."""

import os
import random

import pytest
from aistore.sdk.errors import AISError

from wire import CHECKSUMS, check_error

SIZE = 200_000
DATA = os.urandom(SIZE)
SMALL = b"0123456789"


@pytest.fixture(scope="module", autouse=True)
def objects(wire, shared):
    wire.put(shared, "big", DATA)
    wire.put(shared, "small", SMALL)
    wire.put(shared, "empty", b"")


def _get(wire, bck, name, spec):
    return wire.get(bck, name, headers={"Range": spec})


@pytest.mark.parametrize(
    "spec, first, last",
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=2-4", 2, 4),
        ("bytes=9-9", 9, 9),
        ("bytes=5-", 5, 9),
        ("bytes=0-", 0, 9),
        ("bytes=9-", 9, 9),
        ("bytes=5-500", 5, 9),
        ("bytes=0-9223372036854775806", 0, 9),
        ("bytes=-1", 9, 9),
        ("bytes=-3", 7, 9),
        ("bytes=-10", 0, 9),
        ("bytes=-500", 0, 9),
    ],
)
def test_range(wire, shared, spec, first, last):
    r = _get(wire, shared, "small", spec)
    assert r.status_code == 206
    assert r.content == SMALL[first : last + 1]
    assert r.headers["Content-Range"] == f"bytes {first}-{last}/10"
    assert r.headers["Content-Length"] == str(last - first + 1)
    assert r.headers["Accept-Ranges"] == "bytes"
    assert r.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("first, last", [(0, 4095), (4095, 4097), (32767, 32769), (65536, 131071), (1, SIZE - 2), (SIZE - 1, SIZE - 1)])
def test_range_of_a_larger_object(wire, shared, first, last):
    r = _get(wire, shared, "big", f"bytes={first}-{last}")
    assert r.status_code == 206
    assert r.content == DATA[first : last + 1]


def test_random_ranges(wire, shared):
    rnd = random.Random(7)
    for _ in range(60):
        first = rnd.randrange(SIZE)
        last = rnd.randrange(first, SIZE)
        assert _get(wire, shared, "big", f"bytes={first}-{last}").content == DATA[first : last + 1], (first, last)


@pytest.mark.parametrize("spec", ["bytes=10-", "bytes=10-20", "bytes=500-600"])
def test_unsatisfiable(wire, shared, spec):
    r = _get(wire, shared, "small", spec)
    check_error(r, 416, "ErrRangeNotSatisfiable")
    assert r.headers["Content-Range"] == "bytes */10"


def test_range_of_an_empty_object(wire, shared):
    check_error(_get(wire, shared, "empty", "bytes=0-0"), 416)


@pytest.mark.parametrize("spec", ["bytes=abc", "bytes=5-2", "bytes=1-x", "bytes=1-2-3", "bytes=--1"])
def test_malformed(wire, shared, spec):
    check_error(_get(wire, shared, "small", spec), 416)


@pytest.mark.orlop_only
def test_unknown_unit_is_ignored(wire, shared):
    """RFC 9110, section 14.2."""
    r = _get(wire, shared, "small", "lines=1-2")
    assert r.status_code == 200
    assert r.content == SMALL


@pytest.mark.orlop_only
@pytest.mark.parametrize("spec", ["bytes=", "bytes=-", "bytes", "bytes=18446744073709551616-"])
def test_malformed_beyond_the_reference(wire, shared, spec):
    r = _get(wire, shared, "small", spec)
    check_error(r, 416)


def test_several_ranges(wire, shared):
    check_error(_get(wire, shared, "small", "bytes=0-1,4-5"), 416)


def test_range_of_a_missing_object(wire, shared):
    check_error(_get(wire, shared, "nope", "bytes=0-1"), 404, "ErrNotFound")


def test_checksum_header_is_of_the_whole(wire, shared):
    whole = wire.get(shared, "small").headers["Ais-Checksum-Value"]
    assert _get(wire, shared, "small", "bytes=0-1").headers["Ais-Checksum-Value"] == whole


def test_checksum_of_the_range_on_request(wire, make_bucket):
    bck = make_bucket({"checksum": {"enable_read_range": True}})
    wire.put(bck, "o", SMALL)
    r = _get(wire, bck, "o", "bytes=2-5")
    assert r.headers["Ais-Checksum-Value"] == CHECKSUMS["xxhash2"](SMALL[2:6])


@pytest.mark.parametrize("spec, want", [("bytes=2-4", SMALL[2:5]), ("bytes=7-", SMALL[7:]), ("bytes=-2", SMALL[-2:])])
def test_range_by_sdk(client, shared, spec, want):
    assert client.bucket(shared).object("small").get_reader(byte_range=spec).read_all() == want


def test_unsatisfiable_by_sdk(client, shared):
    with pytest.raises(AISError) as err:
        client.bucket(shared).object("small").get_reader(byte_range="bytes=100-200").read_all()
    assert err.value.status_code == 416


def test_connection_survives_a_refused_range(wire, shared):
    for _ in range(5):
        assert _get(wire, shared, "small", "bytes=99-").status_code == 416
        assert wire.content(shared, "small") == SMALL


def test_overwritten_object_has_its_new_ranges(wire, shared):
    wire.put(shared, "changing", b"a" * 100)
    assert _get(wire, shared, "changing", "bytes=50-").content == b"a" * 50
    wire.put(shared, "changing", b"b" * 60)
    r = _get(wire, shared, "changing", "bytes=50-")
    assert (r.content, r.headers["Content-Range"]) == (b"b" * 10, "bytes 50-59/60")
