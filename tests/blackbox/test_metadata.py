"""HEAD in both forms, every property, and custom metadata."""

import re
import time
from email.utils import parsedate_to_datetime

import pytest
from aistore.sdk.errors import AISError

from conftest import SDK_MAJOR, attributes
from wire import CHECKSUMS, check_error, custom

DATA = b"some content"


@pytest.fixture(scope="module", autouse=True)
def objects(wire, shared):
    wire.exchange("PUT", wire.path(shared, "dir/o"), [("Ais-Custom-Md", "k1=v1"), ("Ais-Custom-Md", "k2=v2")], DATA)


# -- HEAD v1


def test_head_v1(wire, shared):
    r = wire.head(shared, "dir/o")
    assert (r.status_code, r.content) == (200, b"")
    h = r.headers
    assert h["Content-Length"] == str(len(DATA))
    assert h["Ais-Name"] == "dir/o"
    assert h["Ais-Bucket-Name"] == shared
    assert h["Ais-Bucket-Provider"] == "ais"
    assert h["Ais-Present"] == "true"
    assert h["Ais-Checksum-Type"] == "xxhash2"
    assert h["Ais-Checksum-Value"] == CHECKSUMS["xxhash2"](DATA)
    assert h["Ais-Version"] == "1"
    assert abs(int(h["Ais-Atime"]) / 1e9 - time.time()) < 300
    assert custom(r) == {"k1": "v1", "k2": "v2"}


def test_head_v1_location(wire, shared):
    h = wire.head(shared, "dir/o").headers
    assert re.fullmatch(r"t\[[^\]]+\]:mp\[.+\]", h["Ais-Location"])
    assert int(h["Ais-Mirror-Copies"]) >= 1
    assert h["Ais-Mirror-Paths"].startswith("[") and h["Ais-Mirror-Paths"].endswith("]")


def test_head_v1_missing(wire, shared):
    err = check_error(wire.head(shared, "nope"), 404, "ErrNotFound")
    assert f"ais://{shared}/nope" in err["message"]


@pytest.mark.parametrize("presence", [0, 2, 4])
def test_head_with_presence(wire, shared, presence):
    r = wire.head(shared, "dir/o", params={"presence": presence})
    assert r.headers["Content-Length"] == str(len(DATA))


@pytest.mark.parametrize("presence", [1, 3])
def test_head_existence_only(wire, shared, presence):
    assert wire.head(shared, "dir/o", params={"presence": presence}).status_code == 200
    assert wire.head(shared, "nope", params={"presence": presence}).status_code == 404


def test_head_of_what_must_be_outside(wire, shared):
    check_error(wire.head(shared, "dir/o", params={"presence": 5}), 400)


def test_head_silent(wire, shared):
    assert wire.head(shared, "nope", params={"sln": "true"}).status_code == 404


def test_head_by_sdk(client, shared):
    props = client.bucket(shared).object("dir/o").props
    assert props.name == "dir/o"
    assert props.bucket_name == shared
    assert props.size == len(DATA)
    assert props.checksum_type == "xxhash2"
    assert props.checksum_value == CHECKSUMS["xxhash2"](DATA)
    assert props.obj_version == "1"
    assert props.present
    assert props.mirror_copies >= 1
    assert props.location
    assert props.custom_metadata == {"k1": "v1", "k2": "v2"}


def test_head_missing_by_sdk(client, shared):
    with pytest.raises(AISError) as err:
        client.bucket(shared).object("nope").head()
    assert err.value.status_code == 404


@pytest.mark.skipif(SDK_MAJOR >= 2, reason="head() returns no headers any more")
def test_head_returns_headers(client, shared):
    assert client.bucket(shared).object("dir/o").head()["Ais-Version"] == "1"


# -- HEAD v2

ALWAYS = {"ais-present"}
V2 = {
    "name": set(),
    "size": set(),
    "checksum": {"ais-checksum-type", "ais-checksum-value"},
    "atime": {"ais-atime"},
    "version": {"ais-version"},
    "custom": {"ais-custom-md"},
    "location": {"ais-location"},
    "copies": {"ais-mirror-copies", "ais-mirror-paths"},
    "ec": set(),
    "chunked": set(),
    "last-modified": {"last-modified"},
    "etag": {"etag"},
}


def _own_headers(resp):
    return {k.lower() for k in resp.headers if k.lower().startswith("ais-") or k.lower() in ("etag", "last-modified")}


@pytest.mark.parametrize("prop", V2)
def test_head_v2_one_property(wire, shared, prop):
    r = wire.head(shared, "dir/o", prop)
    assert r.status_code == 200
    assert r.headers["Content-Length"] == str(len(DATA))
    assert r.headers["Ais-Present"] == "true"
    assert _own_headers(r) == ALWAYS | V2[prop]


def test_head_v2_all_properties(wire, shared):
    r = wire.head(shared, "dir/o", ",".join(V2))
    assert _own_headers(r) == ALWAYS.union(*V2.values())


def test_head_v2_values_equal_v1(wire, shared):
    one, two = wire.head(shared, "dir/o"), wire.head(shared, "dir/o", "checksum,version,custom,location,copies")
    for key in ("Ais-Checksum-Type", "Ais-Checksum-Value", "Ais-Version", "Ais-Location", "Ais-Mirror-Copies"):
        assert one.headers[key] == two.headers[key]
    assert one.headers["Ais-Mirror-Paths"] == f"[{two.headers['Ais-Mirror-Paths']}]"
    assert custom(one) == custom(two)


def test_head_v2_etag_is_quoted(wire, shared):
    etag = wire.head(shared, "dir/o", "etag").headers["Etag"]
    assert re.fullmatch(r'"[^"]+"', etag)


def test_head_v2_etag_follows_the_content(wire, bck):
    wire.put(bck, "o", b"1")
    first = wire.head(bck, "o", "etag").headers["Etag"]
    assert wire.head(bck, "o", "etag").headers["Etag"] == first
    wire.put(bck, "o", b"2")
    assert wire.head(bck, "o", "etag").headers["Etag"] != first


def test_head_v2_last_modified(wire, bck):
    wire.put(bck, "o", b"1")
    text = wire.head(bck, "o", "last-modified").headers["Last-Modified"]
    assert text.endswith(" GMT")
    assert abs(parsedate_to_datetime(text).timestamp() - time.time()) < 60


@pytest.mark.parametrize("props", ["cached", "status", "bogus", "size,bogus"])
def test_head_v2_bad_property(wire, shared, props):
    check_error(wire.head(shared, "dir/o", props), 400, text="property")


def test_head_v2_missing(wire, shared):
    check_error(wire.head(shared, "nope", "size"), 404, "ErrNotFound")


def test_head_v2_no_version(wire, make_bucket):
    bck = make_bucket({"versioning": {"enabled": False}})
    wire.put(bck, "o", b"x")
    assert "Ais-Version" not in wire.head(bck, "o", "version").headers


def test_head_v2_no_custom(wire, bck):
    wire.put(bck, "o", b"x")
    assert "Ais-Custom-Md" not in wire.head(bck, "o", "custom").headers


def test_head_v2_by_sdk(client, shared):
    attrs = attributes(client.bucket(shared).object("dir/o"), "checksum,version,custom,etag,last-modified")
    assert attrs.size == len(DATA)
    assert attrs.present
    assert attrs.checksum_value == CHECKSUMS["xxhash2"](DATA)
    assert attrs.custom_metadata == {"k1": "v1", "k2": "v2"}
    assert attrs.etag and not attrs.etag.startswith('"')
    assert attrs.last_modified
    assert attrs.chunks is None


# -- custom metadata


def _patch(wire, bck, name, value, **params):
    return wire.action("PATCH", wire.path(bck, name), "", value, params=params)


def test_custom_with_put(wire, bck):
    status, headers, _ = wire.exchange(
        "PUT", wire.path(bck, "o"), [("Ais-Custom-Md", "a=1"), ("Ais-Custom-Md", "b=x=y z")], b"data"
    )
    assert status == 200
    assert sorted(headers.get_all("Ais-Custom-Md")) == ["a=1", "b=x=y z"]
    assert custom(wire.get(bck, "o")) == {"a": "1", "b": "x=y z"}
    assert custom(wire.head(bck, "o")) == {"a": "1", "b": "x=y z"}


def test_comma_does_not_split_custom(wire, bck):
    wire.put(bck, "o", b"data", headers={"Ais-Custom-Md": "a=1, b=2"})
    assert custom(wire.head(bck, "o")) == {"a": "1, b=2"}


def test_malformed_custom(wire, bck):
    check_error(wire.put(bck, "o", b"data", headers={"Ais-Custom-Md": "nothing"}), 400)
    assert wire.head(bck, "o").status_code == 404


def test_custom_merge(wire, bck):
    wire.put(bck, "o", b"data", headers={"Ais-Custom-Md": "a=1"})
    assert _patch(wire, bck, "o", {"b": "2"}).status_code == 200
    assert custom(wire.head(bck, "o")) == {"a": "1", "b": "2"}
    _patch(wire, bck, "o", {"a": "3"})
    assert custom(wire.head(bck, "o")) == {"a": "3", "b": "2"}


def test_custom_replace(wire, bck):
    wire.put(bck, "o", b"data", headers={"Ais-Custom-Md": "a=1"})
    assert _patch(wire, bck, "o", {"c": "3"}, **{"set-new-custom": "true"}).status_code == 200
    assert custom(wire.head(bck, "o")) == {"c": "3"}


def test_custom_by_sdk(bucket):
    obj = bucket.object("o")
    obj.get_writer().put_content(b"data")
    obj.get_writer().set_custom_props({"k1": "v1", "k2": "v2"})
    assert obj.props.custom_metadata == {"k1": "v1", "k2": "v2"}
    obj.get_writer().set_custom_props({"k2": "x"})
    assert obj.props.custom_metadata == {"k1": "v1", "k2": "x"}
    obj.get_writer().set_custom_props({"k9": "v9"}, replace_existing=True)
    assert obj.props.custom_metadata == {"k9": "v9"}


def test_custom_keeps_the_content(wire, bck):
    wire.put(bck, "o", b"data")
    before = wire.head(bck, "o").headers["Ais-Checksum-Value"]
    _patch(wire, bck, "o", {"a": "b"})
    assert wire.content(bck, "o") == b"data"
    assert wire.head(bck, "o").headers["Ais-Checksum-Value"] == before


def test_custom_null_changes_nothing(wire, bck):
    wire.put(bck, "o", b"data", headers={"Ais-Custom-Md": "a=1"})
    assert _patch(wire, bck, "o", None).status_code == 200
    assert custom(wire.head(bck, "o")) == {"a": "1"}


@pytest.mark.parametrize("value", [{"a": 5}, {"a": {"b": "c"}}, [1], "x", 7], ids=str)
def test_custom_of_a_wrong_type(wire, bck, value):
    wire.put(bck, "o", b"data", headers={"Ais-Custom-Md": "a=1"})
    check_error(_patch(wire, bck, "o", value), 400)
    assert custom(wire.head(bck, "o")) == {"a": "1"}


def test_custom_of_a_missing_object(wire, bck):
    check_error(_patch(wire, bck, "nope", {"a": "b"}), 404, "ErrNotFound")


def test_custom_unicode_value(wire, bck):
    wire.put(bck, "o", b"data")
    _patch(wire, bck, "o", {"k": "grün"})
    raw = wire.head(bck, "o").raw.headers.getlist("Ais-Custom-Md")
    assert [v.encode("latin-1").decode() for v in raw] == ["k=grün"]


def test_many_custom_keys(wire, bck):
    want = {f"key-{i}": f"value {i}" for i in range(40)}
    wire.put(bck, "o", b"data")
    assert _patch(wire, bck, "o", want).status_code == 200
    assert custom(wire.head(bck, "o")) == want


def test_custom_in_listing(wire, bck):
    wire.put(bck, "o", b"data", headers={"Ais-Custom-Md": "a=1"})
    entry = wire.list(bck, props="name,custom").json()["entries"][0]
    assert entry["custom-md"] == "[a:1]"


def test_atime_moves_with_reads(wire, bck):
    wire.put(bck, "o", b"data")
    before = int(wire.head(bck, "o").headers["Ais-Atime"])
    end = time.monotonic() + 10
    while time.monotonic() < end:
        wire.content(bck, "o")
        if int(wire.head(bck, "o").headers["Ais-Atime"]) > before:
            return
    pytest.fail("atime did not move")
