"""List-objects: forms, paging, prefixes, properties, flags."""

import random

import msgspec
import pytest
from aistore.sdk.errors import ErrBckNotFound
from aistore.sdk.list_object_flag import ListObjectFlag

from wire import (
    CHECKSUMS, ENTRY_CACHED, ENTRY_DIR, MSGPACK_TYPE, NAME_ONLY, NAME_SIZE, NO_DIRS, NO_RECURSION, check_error,
)

NAMES = sorted(
    ["a", "b/1", "b/2", "b/c/3", "b/c/4", "d.txt", "e-0", "e-1", "e-2", "f/g/h/i", "z"] + [f"n/{i:03}" for i in range(40)]
)
LONG_TO_SHORT = {
    "name": "n", "checksum": "cs", "atime": "a", "version": "v", "location": "t", "custom-md": "m", "size": "s",
    "copies": "c", "flags": "f",
}


@pytest.fixture(scope="module", autouse=True)
def objects(wire, shared):
    for name in NAMES:
        wire.put(shared, name, name.encode())


@pytest.fixture(scope="module")
def listed(client, shared):
    return client.bucket(shared)


def _entries(wire, bck, **msg):
    r = wire.list(bck, **msg)
    assert r.status_code == 200, r.text
    return r.json()["entries"] or []


# -- forms


def test_json_form(wire, shared):
    r = wire.list(shared, prefix="a")
    assert r.headers["Content-Type"].startswith("application/json")
    doc = r.json()
    assert set(doc) == {"uuid", "continuation_token", "entries", "flags"}
    assert doc["continuation_token"] == ""
    assert len(doc["uuid"]) >= 9
    assert doc["entries"] == [{"name": "a", "size": "1", "flags": ENTRY_CACHED}]


def test_msgpack_form(wire, shared):
    r = wire.list(shared, accept=MSGPACK_TYPE, prefix="a")
    assert r.headers["Content-Type"] == MSGPACK_TYPE
    doc = msgspec.msgpack.decode(r.content)
    assert set(doc) == {"UUID", "ContinuationToken", "Entries", "Flags"}
    assert doc["Entries"] == [{"n": "a", "s": 1, "f": ENTRY_CACHED}]


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html, application/json"])
def test_other_accept_gets_json(wire, shared, accept):
    r = wire.list(shared, accept=accept)
    assert r.headers["Content-Type"].startswith("application/json")


def test_msgpack_in_a_list_of_types(wire, shared):
    r = wire.list(shared, accept="application/json, application/msgpack")
    assert r.headers["Content-Type"] == MSGPACK_TYPE


@pytest.mark.parametrize(
    "props",
    ["", "name", "name,size", "name,size,checksum,atime,version,location,copies,custom,status,cached", "size", "version"],
)
def test_both_forms_say_the_same(wire, shared, props):
    plain = wire.list(shared, props=props).json()
    packed = msgspec.msgpack.decode(wire.list(shared, accept=MSGPACK_TYPE, props=props).content)
    assert plain["continuation_token"] == packed["ContinuationToken"]
    assert len(plain["entries"]) == len(packed["Entries"]) == len(NAMES)
    for one, two in zip(plain["entries"], packed["Entries"]):
        want = {LONG_TO_SHORT[k]: v for k, v in one.items()}
        if "s" in want:
            want["s"] = int(want["s"])
        assert want == two


def test_both_forms_page_alike(wire, shared):
    plain = wire.list(shared, pagesize=7, prefix="n/").json()
    packed = msgspec.msgpack.decode(wire.list(shared, accept=MSGPACK_TYPE, pagesize=7, prefix="n/").content)
    assert plain["continuation_token"] == packed["ContinuationToken"] == "n/006"


def test_nothing_found(wire, shared):
    assert wire.list(shared, prefix="nothing").json()["entries"] is None
    packed = msgspec.msgpack.decode(wire.list(shared, accept=MSGPACK_TYPE, prefix="nothing").content)
    assert not packed["Entries"]


def test_without_a_body(wire, shared):
    entries = wire.request("GET", f"/v1/buckets/{shared}").json()["entries"]
    assert [e["name"] for e in entries] == NAMES


def test_easy_url(wire, shared):
    entries = wire.request("GET", f"/ais/{shared}").json()["entries"]
    assert [e["name"] for e in entries] == NAMES


def test_missing_bucket(wire, new_name):
    check_error(wire.list(new_name()), 404, "ErrBckNotFound")


def test_missing_bucket_by_sdk(client, new_name):
    with pytest.raises(ErrBckNotFound):
        client.bucket(new_name()).list_objects()


def test_empty_bucket_by_sdk(bucket):
    page = bucket.list_objects()
    assert (page.entries, page.continuation_token) == ([], "")
    assert bucket.list_all_objects() == []


# -- order and paging


def test_all_in_order(wire, shared):
    assert wire.names(shared) == NAMES


@pytest.mark.parametrize("size", [1, 2, 7, 50, 51, 52, 1000])
def test_pages(wire, shared, size):
    got, token, uuid, pages = [], "", "", 0
    while True:
        doc = wire.list(shared, pagesize=size, continuation_token=token, uuid=uuid).json()
        page = [e["name"] for e in doc["entries"] or []]
        assert len(page) <= size
        got += page
        pages += 1
        token, uuid = doc["continuation_token"], doc["uuid"]
        if not token:
            break
        assert token == page[-1] and len(page) == size
        assert pages < 100
    assert got == NAMES


def test_token_without_the_listings_id(wire, shared):
    assert wire.names(shared, pagesize=2, continuation_token="b/1") == ["b/2", "b/c/3"]


def test_token_that_is_no_name(wire, shared):
    assert wire.names(shared, pagesize=2, continuation_token="b/1x") == ["b/2", "b/c/3"]


def test_token_at_the_end(wire, shared):
    doc = wire.list(shared, continuation_token="z").json()
    assert (doc["entries"], doc["continuation_token"]) == (None, "")


def test_start_after(wire, shared):
    assert wire.names(shared, start_after="f/g/h/i") == [n for n in NAMES if n > "f/g/h/i"]


def test_start_after_with_prefix(wire, shared):
    assert wire.names(shared, start_after="n/037", prefix="n/") == ["n/038", "n/039"]


def test_id_is_kept_over_pages(wire, shared):
    first = wire.list(shared, pagesize=5).json()
    second = wire.list(shared, pagesize=5, uuid=first["uuid"], continuation_token=first["continuation_token"]).json()
    assert second["uuid"] == first["uuid"]


def test_large_page_size(wire, shared):
    assert wire.names(shared, pagesize=1_000_000) == NAMES


@pytest.mark.orlop_only
def test_negative_page_size(wire, shared):
    check_error(wire.list(shared, pagesize=-1), 400)


def test_pages_by_sdk(listed):
    page = listed.list_objects(page_size=10)
    assert len(page.entries) == 10
    second = listed.list_objects(page_size=10, uuid=page.uuid, continuation_token=page.continuation_token)
    assert [e.name for e in page.entries + second.entries] == NAMES[:20]


def test_iterator_by_sdk(listed):
    assert [e.name for e in listed.list_objects_iter(page_size=8)] == NAMES


def test_all_by_sdk(listed):
    assert [e.name for e in listed.list_all_objects(page_size=9)] == NAMES


def test_all_iterator_by_sdk(listed):
    names = [o.name for o in listed.list_all_objects_iter(prefix="e-", props="name,size,version")]
    assert names == ["e-0", "e-1", "e-2"]


def test_start_after_by_sdk(listed):
    assert [e.name for e in listed.list_all_objects(start_after="n/037")] == ["n/038", "n/039", "z"]


def test_changes_between_pages(wire, bck):
    for i in range(10):
        wire.put(bck, f"o{i}", b"x")
    first = wire.list(bck, pagesize=4).json()
    assert first["continuation_token"] == "o3"
    wire.delete(bck, "o3")
    wire.delete(bck, "o5")
    rest = wire.list(bck, uuid=first["uuid"], continuation_token="o3").json()
    assert [e["name"] for e in rest["entries"] if e["name"] != "o5"] == ["o4", "o6", "o7", "o8", "o9"]


def test_fresh_listing_sees_every_change(wire, bck):
    rnd, want = random.Random(1), set()
    for i in range(60):
        name = f"k{rnd.randrange(15)}"
        if rnd.random() < 0.4:
            wire.delete(bck, name)
            want.discard(name)
        else:
            wire.put(bck, name, b"%d" % i)
            want.add(name)
        if i % 6 == 0:
            assert wire.names(bck) == sorted(want)
    assert wire.names(bck) == sorted(want)


# -- prefixes


@pytest.mark.parametrize("prefix", ["a", "b/", "b/c/", "b/c/3", "e-", "e-1", "n/", "n/01", "f/g/h/i", "z"])
def test_prefix(wire, shared, prefix):
    assert wire.names(shared, prefix=prefix) == [n for n in NAMES if n.startswith(prefix)]


def test_prefix_with_pages(wire, shared):
    assert wire.names(shared, prefix="n/", pagesize=5, continuation_token="n/031") == [f"n/{i:03}" for i in range(32, 37)]


def test_trailing_star_is_dropped(wire, shared):
    assert wire.names(shared, prefix="b/*") == ["b/1", "b/2", "b/c/3", "b/c/4"]


@pytest.mark.parametrize("prefix", ["../", "a/../b", "/../"])
def test_bad_prefix(wire, shared, prefix):
    check_error(wire.list(shared, prefix=prefix), 400, "errInvalidPath")


def test_prefix_by_sdk(listed):
    assert [e.name for e in listed.list_all_objects(prefix="b/c")] == ["b/c/3", "b/c/4"]


@pytest.mark.orlop_only
def test_prefix_equal_to_a_folder(wire, bck):
    for name in ("dir/x", "dir-1", "dirt", "dir"):
        wire.put(bck, name, b"x")
    assert wire.names(bck, prefix="dir") == ["dir", "dir-1", "dir/x", "dirt"]


# -- properties


@pytest.mark.parametrize(
    "props, keys",
    [
        ("name", {"name", "flags"}),
        ("", {"name", "size", "flags"}),
        ("name,size", {"name", "size", "flags"}),
        ("size", {"name", "size", "flags"}),
        ("name,checksum", {"name", "checksum", "flags"}),
        ("name,version", {"name", "version", "flags"}),
        ("name,atime", {"name", "atime", "flags"}),
        ("name,copies", {"name", "copies", "flags"}),
        ("name,location", {"name", "location", "flags"}),
    ],
)
def test_props(wire, shared, props, keys):
    for entry in _entries(wire, shared, props=props, prefix="b/"):
        assert set(entry) == keys


def test_prop_values(wire, shared):
    entry = _entries(wire, shared, props="name,size,checksum,version,copies,location,atime", prefix="f/")[0]
    assert entry["size"] == "7"
    assert entry["checksum"] == CHECKSUMS["xxhash2"](b"f/g/h/i")
    assert entry["version"] == "1"
    assert entry["copies"] == 1
    assert entry["location"].startswith("t[")
    assert entry["atime"].endswith("UTC")


def test_atime_follows_reads(wire, bck):
    wire.put(bck, "read", b"x" * 100)
    layout = "2006-01-02T15:04:05.000000000Z07:00"
    before = _entries(wire, bck, props="name,atime", time_format=layout)[0]["atime"]
    assert wire.get(bck, "read").status_code == 200
    assert _entries(wire, bck, props="name,atime", time_format=layout)[0]["atime"] > before


@pytest.mark.parametrize("layout, length", [("2006", 4), ("2006-01-02", 10), ("2006-01-02T15:04:05Z07:00", 20)])
def test_time_format(wire, shared, layout, length):
    atime = _entries(wire, shared, props="name,atime", time_format=layout, prefix="a")[0]["atime"]
    assert len(atime) == length and atime[:2] == "20"


def test_unknown_props_are_ignored(wire, shared):
    assert set(_entries(wire, shared, props="name,zzz", prefix="a")[0]) <= {"name", "size", "flags"}


def test_props_by_sdk(listed):
    entry = listed.list_objects(prefix="b/1", props="name,size,checksum,atime,version,cached,copies,location").entries[0]
    assert (entry.name, entry.size, entry.version) == ("b/1", 3, "1")
    assert entry.checksum == CHECKSUMS["xxhash2"](b"b/1")
    assert entry.atime and entry.location
    assert entry.is_cached() and entry.is_ok()


# -- flags


def test_name_only(wire, shared):
    entries = _entries(wire, shared, flags=str(NAME_ONLY))
    assert [e["name"] for e in entries] == NAMES
    assert all(set(e) == {"name", "flags"} for e in entries)


def test_name_size(wire, shared):
    entries = _entries(wire, shared, flags=str(NAME_SIZE))
    assert [int(e["size"]) for e in entries] == [len(n) for n in NAMES]


def test_no_recursion(wire, shared):
    entries = _entries(wire, shared, flags=str(NO_RECURSION))
    got = [(e["name"], bool(e["flags"] & ENTRY_DIR)) for e in entries]
    assert got == [
        ("a", False), ("b/", True), ("d.txt", False), ("e-0", False), ("e-1", False), ("e-2", False), ("f/", True),
        ("n/", True), ("z", False),
    ]
    assert not any("size" in e for e in entries if e["flags"] & ENTRY_DIR)


def test_no_recursion_below_a_prefix(wire, shared):
    entries = _entries(wire, shared, flags=str(NO_RECURSION), prefix="b/")
    assert [(e["name"], bool(e["flags"] & ENTRY_DIR)) for e in entries] == [("b/1", False), ("b/2", False), ("b/c/", True)]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_no_recursion_in_pages(wire, shared, size):
    got, token = [], ""
    while True:
        doc = wire.list(shared, flags=str(NO_RECURSION), pagesize=size, continuation_token=token).json()
        got += [e["name"] for e in doc["entries"] or []]
        token = doc["continuation_token"]
        if not token:
            break
        assert len(got) < 50
    assert got == ["a", "b/", "d.txt", "e-0", "e-1", "e-2", "f/", "n/", "z"]


def test_no_directories_of_one_level(wire, shared):
    """The flag is about the recursive walk: with one level they are what tells of the rest."""
    assert wire.names(shared, flags=str(NO_RECURSION | NO_DIRS)) == wire.names(shared, flags=str(NO_RECURSION))


def test_no_directories_recursive(wire, shared):
    assert wire.names(shared, flags=str(NO_DIRS)) == NAMES


def test_flags_by_sdk(listed):
    entries = listed.list_objects(flags=[ListObjectFlag.NAME_ONLY]).entries
    assert [e.name for e in entries] == NAMES
    assert all(not e.size for e in entries)
    entries = listed.list_objects(flags=[ListObjectFlag.NAME_SIZE]).entries
    assert all(e.size for e in entries)


@pytest.mark.parametrize("flag", [1, 2, 64, 128, 256])
def test_flags_without_effect_on_a_local_bucket(wire, shared, flag):
    assert wire.names(shared, flags=str(flag)) == NAMES


def test_inventory_flag_excludes_start_after(wire, shared):
    check_error(wire.list(shared, flags="32768", start_after="x"), 400)


# -- one target


def test_list_of_the_only_target(wire, shared):
    target = next(iter(wire.request("GET", "/v1/daemon", params={"what": "smap"}).json()["tmap"]))
    assert wire.names(shared, target=target) == NAMES


def test_list_of_an_unknown_target(wire, shared):
    check_error(wire.list(shared, target="xxxxxxxxx"), (400, 404), "errNodeNotFound")


# -- bad input


@pytest.mark.parametrize(
    "msg",
    [
        {"flags": "abc"}, {"props": 5}, {"pagesize": "5"}, {"prefix": 1}, {"uuid": 5}, {"continuation_token": []},
        {"flags": {}}, {"pagesize": 1.5},
    ],
    ids=str,
)
def test_wrong_types(wire, shared, msg):
    check_error(wire.list(shared, **msg), 400)


def test_short_uuid(wire, shared):
    check_error(wire.list(shared, uuid="x"), 400)


def test_unknown_field(wire, shared):
    check_error(wire.list(shared, bogus=1), 400, text="found unknown field: bogus")


@pytest.mark.parametrize("value", [5, "x", [1], True], ids=str)
def test_message_that_is_no_object(wire, shared, value):
    check_error(wire.bucket("GET", shared, "list", value), 400)


def test_no_message_for_a_bucket_in_the_path(wire, shared):
    check_error(wire.bucket("GET", shared, "list", None), 400)


def test_message_without_a_bucket(wire):
    check_error(wire.action("GET", "/v1/buckets", "list", {}), 400)
