"""Checksums: every type, given by the client and kept by the bucket."""

import os

import pytest

from wire import CHECKSUMS, check_error

DATA = os.urandom(5000)
WRONG = {
    "xxhash": "0" * 16, "xxhash2": "f" * 16, "md5": "0" * 32, "crc32c": "00000000", "sha256": "0" * 64, "sha512": "0" * 128,
}


def _sum(kind, value):
    return {"Ais-Checksum-Type": kind, "Ais-Checksum-Value": value}


@pytest.mark.parametrize("kind", CHECKSUMS)
def test_put_with_a_right_checksum(wire, shared, kind):
    r = wire.put(shared, f"right-{kind}", DATA, headers=_sum(kind, CHECKSUMS[kind](DATA)))
    assert r.status_code == 200
    # what is kept and returned is of the bucket's type, not the client's
    assert r.headers["Ais-Checksum-Type"] == "xxhash2"
    assert r.headers["Ais-Checksum-Value"] == CHECKSUMS["xxhash2"](DATA)
    assert wire.content(shared, f"right-{kind}") == DATA


@pytest.mark.parametrize("kind", CHECKSUMS)
def test_put_with_a_wrong_checksum(wire, bck, kind):
    r = wire.put(bck, "o", DATA, headers=_sum(kind, WRONG[kind]))
    check_error(r, (400, 500), "ErrBadCksum", kind)
    assert wire.head(bck, "o").status_code == 404
    assert wire.names(bck) == []


@pytest.mark.parametrize("kind", CHECKSUMS)
def test_wrong_checksum_keeps_the_old_object(wire, bck, kind):
    wire.put(bck, "o", b"old", headers={"Ais-Custom-Md": "a=b"})
    check_error(wire.put(bck, "o", DATA, headers=_sum(kind, WRONG[kind])), (400, 500), "ErrBadCksum")
    r = wire.get(bck, "o")
    assert (r.content, r.headers["Ais-Version"]) == (b"old", "1")


def test_wrong_checksum_of_a_large_body(wire, bck):
    data = os.urandom(1 << 20) * 8
    check_error(wire.put(bck, "o", data, headers=_sum("md5", WRONG["md5"])), (400, 500), "ErrBadCksum")
    assert wire.names(bck) == []


@pytest.mark.parametrize("kind", CHECKSUMS)
def test_bucket_of_each_type(wire, make_bucket, kind):
    bck = make_bucket({"checksum": {"type": kind}})
    r = wire.put(bck, "o", DATA)
    want = (kind, CHECKSUMS[kind](DATA))
    assert (r.headers["Ais-Checksum-Type"], r.headers["Ais-Checksum-Value"]) == want
    for r in (wire.get(bck, "o"), wire.head(bck, "o"), wire.head(bck, "o", "checksum")):
        assert (r.headers["Ais-Checksum-Type"], r.headers["Ais-Checksum-Value"]) == want
    assert wire.list(bck, props="name,checksum").json()["entries"][0]["checksum"] == want[1]


@pytest.mark.parametrize("kind", CHECKSUMS)
def test_empty_object_of_each_type(wire, make_bucket, kind):
    bck = make_bucket({"checksum": {"type": kind}})
    assert wire.put(bck, "o", b"").headers["Ais-Checksum-Value"] == CHECKSUMS[kind](b"")


@pytest.mark.parametrize("client_kind", CHECKSUMS)
def test_client_type_other_than_the_buckets(wire, make_bucket, client_kind):
    bck = make_bucket({"checksum": {"type": "sha256"}})
    r = wire.put(bck, "o", DATA, headers=_sum(client_kind, CHECKSUMS[client_kind](DATA)))
    assert (r.headers["Ais-Checksum-Type"], r.headers["Ais-Checksum-Value"]) == ("sha256", CHECKSUMS["sha256"](DATA))


def test_bucket_without_checksums(wire, make_bucket):
    bck = make_bucket({"checksum": {"type": "none"}})
    r = wire.put(bck, "o", DATA)
    assert r.status_code == 200
    assert not r.headers.get("Ais-Checksum-Value")
    assert not wire.get(bck, "o").headers.get("Ais-Checksum-Value")
    assert wire.content(bck, "o") == DATA


def test_change_of_type_keeps_old_objects(wire, bck):
    wire.put(bck, "o", DATA)
    wire.set_props(bck, {"checksum": {"type": "md5"}})
    r = wire.get(bck, "o")
    assert r.content == DATA
    assert r.headers["Ais-Checksum-Value"] == CHECKSUMS[r.headers["Ais-Checksum-Type"]](DATA)
    assert wire.put(bck, "new", DATA).headers["Ais-Checksum-Type"] == "md5"


def test_same_content_with_checksum_is_no_new_version(wire, bck):
    head = _sum("xxhash2", CHECKSUMS["xxhash2"](DATA))
    assert wire.put(bck, "o", DATA, headers=head).headers["Ais-Version"] == "1"
    assert wire.put(bck, "o", DATA, headers=head).status_code == 200
    assert wire.head(bck, "o").headers["Ais-Version"] == "1"
    assert wire.content(bck, "o") == DATA


@pytest.mark.orlop_only
def test_claimed_checksum_of_the_old_content_is_checked(wire, bck):
    """A body that does not fit its checksum is refused, even when the checksum is the stored object's."""
    wire.put(bck, "o", DATA)
    r = wire.put(bck, "o", b"other", headers=_sum("xxhash2", CHECKSUMS["xxhash2"](DATA)))
    check_error(r, (400, 500), "ErrBadCksum")
    assert wire.content(bck, "o") == DATA


@pytest.mark.parametrize(
    "headers",
    [{"Ais-Checksum-Value": "45"}, {"Ais-Checksum-Type": "md5"}, {"Ais-Checksum-Type": "none", "Ais-Checksum-Value": "zz"}],
    ids=["value alone", "type alone", "none"],
)
def test_half_a_checksum_is_ignored(wire, bck, headers):
    assert wire.put(bck, "o", DATA, headers=headers).status_code == 200
    assert wire.content(bck, "o") == DATA


@pytest.mark.orlop_only
@pytest.mark.parametrize("kind", ["foo", "sha1", "x" * 300])
def test_unknown_type(wire, bck, kind):
    check_error(wire.put(bck, "o", DATA, headers=_sum(kind, "00")), 400)
    assert wire.names(bck) == []


def test_sdk_and_plain_agree(wire, bucket):
    bucket.object("o").get_writer().put_content(DATA)
    attrs = bucket.object("o").get_reader().attributes
    assert (attrs.checksum_type, attrs.checksum_value) == ("xxhash2", CHECKSUMS["xxhash2"](DATA))
