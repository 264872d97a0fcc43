"""Buckets: life, names, properties, listing, rename, copy."""

import json
import time

import pytest
from aistore.sdk.errors import AISError, ErrBckAlreadyExists, ErrBckNotFound, InvalidBckProvider

from conftest import wait_job
from wire import check_error, custom, until

ALL_ACCESS = "18446744073709551615"
READ_ONLY = 1 + 2 + 256 + 512  # GET, HEAD object, HEAD bucket, LIST


# -- create, head, delete


def test_create_then_listed(client, bucket):
    assert bucket.name in {b.name for b in client.cluster().list_buckets()}


def test_create_twice_is_refused(client, bucket):
    with pytest.raises(ErrBckAlreadyExists) as err:
        client.bucket(bucket.name).create()
    assert err.value.status_code == 409


def test_create_exist_ok(client, bucket):
    bucket.object("kept").get_writer().put_content(b"x")
    client.bucket(bucket.name).create(exist_ok=True)
    assert bucket.object("kept").get_reader().read_all() == b"x"


def test_delete_takes_objects_with_it(client, wire, new_name, cleanup):
    name = new_name()
    cleanup.append(name)
    b = client.bucket(name).create()
    b.object("o").get_writer().put_content(b"old")
    b.delete()
    with pytest.raises(ErrBckNotFound):
        client.bucket(name).list_objects()
    client.bucket(name).create()
    assert wire.names(name) == []
    assert wire.head(name, "o").status_code == 404


def test_delete_missing(client, new_name):
    with pytest.raises(ErrBckNotFound):
        client.bucket(new_name()).delete()


def test_delete_missing_ok(client, new_name):
    client.bucket(new_name()).delete(missing_ok=True)


def test_bucket_of_an_alias_of_the_provider(client):
    assert client.bucket("any", provider="ais").provider.value == "ais"


def test_evict_of_a_local_bucket(bucket):
    with pytest.raises(InvalidBckProvider):
        bucket.evict()


def test_head_missing_is_an_error_for_the_sdk(client, new_name):
    with pytest.raises(AISError) as err:
        client.bucket(new_name()).head()
    assert err.value.status_code == 404


@pytest.mark.parametrize("name", ["a", "Z", "0", "a-b_c.d", "-x", "x" * 64, "9.9"])
def test_good_names(wire, cleanup, name):
    cleanup.append(name)
    wire.bucket("DELETE", name, "destroy-bck")
    assert wire.bucket("POST", name, "create-bck").status_code == 200
    r = wire.action("GET", "/v1/buckets", "list", None, name)
    assert [b["name"] for b in r.json()] == [name]


@pytest.mark.parametrize(
    "path, text",
    [
        ("bad%20name", "bucket name is invalid"),
        ("a..b", "bucket name is invalid"),
        ("%23x", "bucket name is invalid"),
        ("a%24", "bucket name is invalid"),
        ("~a", "bucket name is invalid"),
        ("%2A", "bucket name is invalid"),
        ("%C3%BC", "bucket name is invalid"),
        ("x" * 65, "too long"),
        (".abc", "reserved bucket name"),
    ],
)
def test_bad_names(wire, path, text):
    check_error(wire.bucket("POST", path, "create-bck"), 400, text=text)


@pytest.mark.parametrize("name", ["*", ".", "", " ", "a and b", "#a", "$a", "~a"])
def test_bad_names_by_sdk(client, name):
    with pytest.raises(AISError):
        client.bucket(name).create()


def test_names_are_case_sensitive(wire, cleanup, new_name):
    low = new_name("case")
    high = low.upper()
    cleanup += [low, high]
    assert wire.bucket("POST", low, "create-bck").status_code == 200
    assert wire.bucket("POST", high, "create-bck").status_code == 200
    wire.put(low, "o", b"low")
    assert wire.head(high, "o").status_code == 404


# -- properties

PROP_KEYS = {
    "backend_bck", "write_policy", "provider", "Renamed", "checksum", "extra", "rate_limit", "ec", "chunks",
    "mirror", "lru", "access", "features", "bid", "created", "versioning",
}


def test_default_props_complete(wire, bck):
    assert PROP_KEYS <= set(wire.bucket_props(bck))


@pytest.mark.parametrize(
    "section, values",
    [
        ("checksum", {"type": "xxhash2", "validate_cold_get": False, "validate_warm_get": False,
                      "validate_obj_move": False, "enable_read_range": False}),
        ("versioning", {"enabled": True, "validate_warm_get": False, "synchronize": False}),
        ("mirror", {"copies": 2, "burst_buffer": 512, "enabled": False}),
        ("write_policy", {"data": "immediate", "md": "immediate"}),
        ("chunks", {"objsize_limit": "0B", "max_monolithic_size": "1TiB", "chunk_size": "1GiB"}),
        ("backend_bck", {"name": "", "provider": "", "namespace": {"uuid": "", "name": ""}}),
    ],
)
def test_default_prop_values(wire, bck, section, values):
    assert wire.bucket_props(bck)[section] == values


def test_default_ec_values(wire, bck):
    ec = wire.bucket_props(bck)["ec"]
    assert ec["enabled"] is False
    assert (ec["data_slices"], ec["parity_slices"], ec["objsize_limit"]) == (2, 2, 262144)


def test_numbers_of_64_bits_are_strings(wire, bck):
    props = wire.bucket_props(bck)
    assert props["access"] == ALL_ACCESS
    assert props["features"] == "0"
    assert int(props["bid"]) >> 63 == 1
    assert abs(int(props["created"]) / 1e9 - time.time()) < 300


def test_bucket_ids_differ(wire, make_bucket):
    one, two = make_bucket(), make_bucket()
    assert wire.bucket_props(one)["bid"] != wire.bucket_props(two)["bid"]


def test_recreated_bucket_gets_a_new_id(wire, bck):
    before = wire.bucket_props(bck)["bid"]
    wire.bucket("DELETE", bck, "destroy-bck")
    wire.bucket("POST", bck, "create-bck")
    assert wire.bucket_props(bck)["bid"] != before


def test_create_with_props(wire, make_bucket):
    bck = make_bucket({"checksum": {"type": "md5"}, "versioning": {"enabled": False}})
    props = wire.bucket_props(bck)
    assert props["checksum"]["type"] == "md5"
    assert props["versioning"]["enabled"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"checksum": {"type": "sha256"}},
        {"checksum": {"enable_read_range": True}},
        {"versioning": {"enabled": False}},
        {"lru": {"enabled": True}},
        {"write_policy": {"md": "never"}},
        {"write_policy": {"md": "delayed"}},
        {"mirror": {"burst_buffer": 128}},
        {"chunks": {"objsize_limit": "8MiB", "chunk_size": "2MiB"}},
        {"extra": {"custom": "note"}},
        {"features": "16"},
    ],
    ids=lambda c: json.dumps(c, separators=(",", ":")),
)
def test_set_props(wire, bck, change):
    before = wire.bucket_props(bck)
    r = wire.set_props(bck, change)
    assert r.status_code == 200, r.text
    after = wire.bucket_props(bck)
    for section, values in change.items():
        if isinstance(values, dict):
            for key, value in values.items():
                assert after[section][key] == value
            rest = {k: v for k, v in before[section].items() if k not in values}
            assert {k: v for k, v in after[section].items() if k not in values} == rest
        else:
            assert after[section] == values
    assert {k: v for k, v in after.items() if k not in change} == {k: v for k, v in before.items() if k not in change}


def test_set_nothing(wire, bck):
    before = wire.bucket_props(bck)
    assert wire.set_props(bck, {}).status_code == 200
    assert wire.set_props(bck, None).status_code == 200
    assert wire.bucket_props(bck) == before


@pytest.mark.parametrize(
    "change, text",
    [
        ({"checksum": {"type": "foo"}}, '"foo"'),
        ({"write_policy": {"data": "delayed"}}, "delayed"),
        ({"write_policy": {"md": "zzz"}}, "zzz"),
        ({"chunks": {"chunk_size": "1"}}, "chunk_size"),
        ({"nosuch": 1}, "found unknown field: nosuch"),
        ({"checksum": {"kind": "md5"}}, "found unknown field: kind"),
        ({"bid": "4"}, "found unknown field: bid"),
        ({"created": "4"}, "found unknown field: created"),
        ({"provider": "aws"}, "found unknown field: provider"),
        ({"access": "x"}, None),
        ({"mirror": {"copies": "2"}}, None),
        ({"versioning": {"enabled": "yes"}}, None),
        ({"versioning": True}, None),
        ("x", None),
        ([], None),
    ],
    ids=lambda c: json.dumps(c, separators=(",", ":")) if not isinstance(c, str) else c.split()[0],
)
def test_set_bad_props(wire, bck, change, text):
    before = wire.bucket_props(bck)
    check_error(wire.set_props(bck, change), 400, text=text)
    assert wire.bucket_props(bck) == before


def test_set_ec_without_targets(wire, bck):
    r = wire.set_props(bck, {"ec": {"enabled": True, "data_slices": 20, "parity_slices": 10}})
    check_error(r, 400, "ErrNotEnoughTargets")
    assert wire.bucket_props(bck)["ec"]["enabled"] is False


def test_set_props_of_a_missing_bucket(wire, new_name):
    check_error(wire.set_props(new_name(), {}), 404, "ErrBckNotFound")


def test_reset_props(wire, make_bucket):
    bck = make_bucket({"checksum": {"type": "md5"}})
    wire.set_props(bck, {"versioning": {"enabled": False}, "lru": {"enabled": True}})
    bid = wire.bucket_props(bck)["bid"]
    assert wire.bucket("PATCH", bck, "reset-bprops").status_code == 200
    props = wire.bucket_props(bck)
    assert props["checksum"]["type"] == "xxhash2"
    assert props["versioning"]["enabled"] is True
    assert props["bid"] == bid


def test_reset_keeps_objects(wire, bck):
    wire.put(bck, "o", b"kept")
    wire.set_props(bck, {"checksum": {"type": "md5"}})
    wire.bucket("PATCH", bck, "reset-bprops")
    assert wire.content(bck, "o") == b"kept"


WRITES = {
    "PUT": lambda w, b: w.put(b, "o2", b"2"),
    "DELETE": lambda w, b: w.delete(b, "o"),
    "custom": lambda w, b: w.action("PATCH", w.path(b, "o"), "", {"a": "b"}),
    "rename": lambda w, b: w.post(b, "o", "rename-obj", new_name="o3"),
    "append": lambda w, b: w.put(b, "o", b"2", params={"append_type": "append", "append_handle": ""}),
    "copy": lambda w, b: w.put(b, "o", b"", params={"object_to": f"ais/@#/{b}/o4"}),
    "destroy": lambda w, b: w.bucket("DELETE", b, "destroy-bck"),
    "move": lambda w, b: w.bucket("POST", b, "move-bck", params=_bck_to(b + "2")),
}


@pytest.mark.parametrize("what", WRITES)
def test_access_denies(wire, bck, what):
    wire.put(bck, "o", b"1")
    assert wire.set_props(bck, {"access": str(READ_ONLY)}).status_code == 200
    try:
        err = check_error(WRITES[what](wire, bck), 403)
        assert f"ais://{bck}" in err["message"]
        assert err.get("tcode", "ErrBucketAccessDenied") == "ErrBucketAccessDenied"
        assert wire.content(bck, "o") == b"1"
        assert wire.names(bck) == ["o"]
    finally:
        wire.set_props(bck, {"access": ALL_ACCESS})


READS = {
    "list": (1 + 2 + 256, lambda w, b: w.list(b)),
    "summary": (1 + 2 + 256, lambda w, b: w.bucket("GET", b, "summary-bck", {})),
    "copy": (2 + 256 + 512, lambda w, b: w.bucket("POST", b, "copy-bck", params=_bck_to(b + "2"))),
    "copy-list": (2 + 256 + 512, lambda w, b: w.bucket("POST", b, "copy-listrange", {"tobck": {"name": b + "2", "provider": "ais"}, "template": "o"})),
}


@pytest.mark.parametrize("what", READS)
def test_access_denies_reads(wire, bck, what):
    """A bucket that may not be read is neither told of nor copied to one that may."""
    access, request = READS[what]
    wire.put(bck, "o", b"1")
    assert wire.set_props(bck, {"access": str(access)}).status_code == 200
    try:
        assert request(wire, bck).status_code == 403
        assert wire.head_bucket(bck + "2").status_code == 404
    finally:
        wire.set_props(bck, {"access": ALL_ACCESS})


def test_synchronizing_needs_the_right_to_delete(wire, bck):
    to = bck + "-to"
    assert wire.bucket("POST", to, "create-bck", {"access": str(READ_ONLY + 4)}).status_code == 200
    try:
        wire.put(to, "only-here", b"1")
        check_error(wire.bucket("POST", bck, "copy-bck", {"synchronize": True}, params=_bck_to(to)), 403, "ErrBucketAccessDenied")
        assert wire.content(to, "only-here") == b"1"
    finally:
        wire.set_props(to, {"access": ALL_ACCESS})
        wire.bucket("DELETE", to, "destroy-bck")


def test_access_lets_through_what_it_grants(wire, bck):
    wire.put(bck, "o", b"1")
    assert wire.set_props(bck, {"access": str(READ_ONLY + 4)}).status_code == 200
    try:
        assert wire.put(bck, "o", b"2").status_code == 200
        assert wire.content(bck, "o") == b"2"
        check_error(wire.delete(bck, "o"), 403, "ErrBucketAccessDenied")
    finally:
        wire.set_props(bck, {"access": ALL_ACCESS})


@pytest.mark.parametrize("access", ["0", "1", "4"])
def test_properties_stay_readable(wire, bck, access):
    """Clients read the properties before they change them: without this bit, a bucket would be lost to the command line."""
    assert wire.set_props(bck, {"access": access}).status_code == 200
    assert wire.bucket_props(bck)["access"] == access
    assert wire.set_props(bck, {"access": ALL_ACCESS}).status_code == 200


@pytest.mark.orlop_only
@pytest.mark.parametrize("change", [{"mirror": {"enabled": True}}, {"rate_limit": {"frontend": {"enabled": True}}}], ids=str)
def test_what_is_not_built_is_not_accepted(wire, bck, change):
    before = wire.bucket_props(bck)
    check_error(wire.set_props(bck, change), 501)
    assert wire.bucket_props(bck) == before


def test_access_can_always_be_given_back(wire, bck):
    wire.set_props(bck, {"access": "1"})
    assert wire.set_props(bck, {"access": ALL_ACCESS}).status_code == 200
    assert wire.put(bck, "o", b"x").status_code == 200


# -- list buckets


def test_list_buckets_is_sorted(wire, make_bucket):
    for _ in range(3):
        make_bucket()
    r = wire.action("GET", "/v1/buckets", "list", None, params={"provider": "ais"})
    names = [b["name"] for b in r.json()]
    assert names == sorted(names)


@pytest.mark.parametrize("where", [{"provider": "aws"}, {"provider": "ais", "namespace": "@nobody"}], ids=str)
def test_list_buckets_of_others(wire, where):
    """What the cluster itself holds of them is nothing; asking them is an error."""
    r = wire.action("GET", "/v1/buckets", "list", params=where | {"presence": "2"})
    assert (r.status_code, r.json()) == (200, [])
    check_error(wire.action("GET", "/v1/buckets", "list", params=where), (400, 404))


def test_list_buckets_form(wire, bck):
    r = wire.action("GET", "/v1/buckets", "list")
    assert r.headers["Content-Type"].startswith("application/json")
    mine = [b for b in r.json() if b["name"] == bck]
    assert mine == [{"name": bck, "provider": "ais", "namespace": {"uuid": "", "name": ""}}]


def test_list_buckets_without_body(wire, bck):
    assert bck in [b["name"] for b in wire.request("GET", "/v1/buckets").json()]


def test_list_buckets_by_easy_url(wire, bck):
    assert bck in [b["name"] for b in wire.request("GET", "/ais").json()]


@pytest.mark.parametrize("presence", [0, 2, 3])
def test_list_buckets_with_presence(wire, bck, presence):
    r = wire.action("GET", "/v1/buckets", "list", params={"presence": presence, "provider": "ais"})
    assert bck in [b["name"] for b in r.json()]


def test_query_one_bucket(wire, bck):
    r = wire.action("GET", "/v1/buckets", "list", None, bck, params={"provider": "ais"})
    assert [b["name"] for b in r.json()] == [bck]


def test_query_a_missing_bucket(wire, new_name):
    r = wire.action("GET", "/v1/buckets", "list", None, new_name(), params={"provider": "ais"})
    assert r.status_code == 200
    assert not r.json()


def test_list_buckets_of_an_absent_backend(wire):
    check_error(wire.action("GET", "/v1/buckets", "list", params={"provider": "aws"}), 400, "ErrMissingBackend")


def test_list_buckets_of_an_unknown_provider(wire):
    r = wire.action("GET", "/v1/buckets", "list", params={"provider": "zzz"})
    check_error(r, 400, "ErrInvalidBackendProvider")


# -- rename


def test_rename(client, wire, bck, bucket, new_name, cleanup):
    to = new_name()
    cleanup.append(to)
    bucket.object("a/b").get_writer().put_content(b"moved")
    bucket.object("a/b").get_writer().set_custom_props({"k": "v"})
    wait_job(client, bucket.rename(to_bck_name=to))
    assert wire.content(to, "a/b") == b"moved"
    assert custom(wire.head(to, "a/b")) == {"k": "v"}
    assert wire.names(to) == ["a/b"]
    until(lambda: wire.head_bucket(bck).status_code == 404)


def test_rename_keeps_props(client, wire, make_bucket, new_name, cleanup):
    bck, to = make_bucket({"checksum": {"type": "md5"}}), new_name()
    cleanup.append(to)
    wait_job(client, client.bucket(bck).rename(to_bck_name=to))
    assert wire.bucket_props(to)["checksum"]["type"] == "md5"


def test_old_name_is_free_after_rename(client, wire, bck, bucket, new_name, cleanup):
    to = new_name()
    cleanup.append(to)
    bucket.object("o").get_writer().put_content(b"x")
    wait_job(client, bucket.rename(to_bck_name=to))
    until(lambda: wire.head_bucket(bck).status_code == 404)
    assert wire.bucket("POST", bck, "create-bck").status_code == 200
    assert wire.names(bck) == []
    assert wire.names(to) == ["o"]


def _bck_to(name):
    return {"bck_to": f"ais/@#/{name}/"}


def test_rename_onto_itself(wire, bck):
    check_error(wire.bucket("POST", bck, "move-bck", params=_bck_to(bck)), 400)


def test_rename_onto_another(wire, make_bucket):
    one, two = make_bucket(), make_bucket()
    wire.put(two, "o", b"two")
    check_error(wire.bucket("POST", one, "move-bck", params=_bck_to(two)), 400, "ErrBucketAlreadyExists")
    assert wire.content(two, "o") == b"two"


def test_rename_of_a_missing_bucket(wire, new_name):
    check_error(wire.bucket("POST", new_name(), "move-bck", params=_bck_to(new_name())), 404, "ErrBckNotFound")


@pytest.mark.parametrize("params", [{}, {"bck_to": "garbage"}, {"bck_to": "ais/@#/b d/"}], ids=["none", "form", "name"])
def test_rename_to_nowhere(wire, bck, params):
    check_error(wire.bucket("POST", bck, "move-bck", params=params), 400)
    assert wire.head_bucket(bck).status_code == 200


# -- copy


@pytest.fixture
def filled(bucket):
    for name in ("p-1.txt", "p-2.txt", "q/3.jpg"):
        bucket.object(name).get_writer().put_content(name.encode())
    return bucket


def test_copy_all(client, wire, filled, make_bucket):
    to = make_bucket()
    wait_job(client, filled.copy(client.bucket(to)))
    assert wire.names(to) == ["p-1.txt", "p-2.txt", "q/3.jpg"]
    assert wire.content(to, "q/3.jpg") == b"q/3.jpg"
    assert wire.names(filled.name) == ["p-1.txt", "p-2.txt", "q/3.jpg"]


def test_copy_makes_the_destination(client, wire, filled, new_name, cleanup):
    to = new_name()
    cleanup.append(to)
    wait_job(client, filled.copy(client.bucket(to)))
    assert len(wire.names(to)) == 3


def test_copy_by_prefix(client, wire, filled, make_bucket):
    to = make_bucket()
    wait_job(client, filled.copy(client.bucket(to), prefix_filter="p-"))
    assert wire.names(to) == ["p-1.txt", "p-2.txt"]


def test_copy_with_prepend(client, wire, filled, make_bucket):
    to = make_bucket()
    wait_job(client, filled.copy(client.bucket(to), prepend="new/", prefix_filter="q/"))
    assert wire.names(to) == ["new/q/3.jpg"]


def test_copy_dry_run_writes_nothing(client, wire, filled, make_bucket):
    to = make_bucket()
    wait_job(client, filled.copy(client.bucket(to), dry_run=True))
    assert wire.names(to) == []


def test_copy_keeps_metadata(client, wire, filled, make_bucket):
    to = make_bucket()
    filled.object("p-1.txt").get_writer().set_custom_props({"color": "red"})
    wait_job(client, filled.copy(client.bucket(to)))
    r = wire.head(to, "p-1.txt")
    assert custom(r) == {"color": "red"}
    assert r.headers["Ais-Checksum-Value"] == wire.head(filled.name, "p-1.txt").headers["Ais-Checksum-Value"]


def test_copy_overwrites(client, wire, filled, make_bucket):
    to = make_bucket()
    wire.put(to, "p-1.txt", b"old content")
    wait_job(client, filled.copy(client.bucket(to)))
    assert wire.content(to, "p-1.txt") == b"p-1.txt"


def test_copy_onto_itself(wire, bck):
    check_error(wire.bucket("POST", bck, "copy-bck", {}, params=_bck_to(bck)), 400)


def test_copy_of_a_missing_bucket(wire, new_name):
    check_error(wire.bucket("POST", new_name(), "copy-bck", {}, params=_bck_to(new_name())), 404, "ErrBckNotFound")


def test_copy_with_an_unknown_field(wire, bck, new_name):
    r = wire.bucket("POST", bck, "copy-bck", {"zz": 1}, params=_bck_to(new_name()))
    check_error(r, 400, text="found unknown field: zz")


def test_copy_synchronize_excludes_prepend(wire, bck, new_name):
    r = wire.bucket("POST", bck, "copy-bck", {"synchronize": True, "prepend": "x"}, params=_bck_to(new_name()))
    check_error(r, 400, text="prepend")


# -- many objects at once


def test_delete_a_list_of_objects(client, wire, filled):
    wait_job(client, filled.objects(obj_names=["p-1.txt", "q/3.jpg"]).delete())
    until(lambda: wire.names(filled.name) == ["p-2.txt"])


def test_delete_a_template_of_objects(client, wire, bucket):
    for i in range(6):
        bucket.object(f"t-{i}").get_writer().put_content(b"x")
    wait_job(client, bucket.objects(obj_template="t-{1..4}").delete())
    until(lambda: wire.names(bucket.name) == ["t-0", "t-5"])


def test_put_files_of_a_folder(wire, bucket, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "top.txt").write_bytes(b"top")
    (tmp_path / "in" / "low.txt").write_bytes(b"low")
    bucket.put_files(tmp_path, recursive=True, prepend="pre/")
    assert wire.names(bucket.name) == ["pre/in/low.txt", "pre/top.txt"]
    assert wire.content(bucket.name, "pre/in/low.txt") == b"low"


@pytest.mark.parametrize("action", ["evict-remote-bck", "evict-listrange"])
def test_evict_needs_a_remote_bucket(wire, bck, action):
    wire.put(bck, "o", b"x")
    check_error(wire.bucket("DELETE", bck, action, {"objnames": ["o"]}), 400, "ErrNotRemoteBck")
    assert wire.content(bck, "o") == b"x"


def test_prefetch_needs_a_remote_bucket(wire, bck):
    check_error(wire.bucket("POST", bck, "prefetch-listrange", {"objnames": ["o"]}), 400, "ErrNotRemoteBck")


@pytest.mark.orlop_only
def test_delete_of_nothing_deletes_nothing(wire, bck):
    wire.put(bck, "o", b"x")
    check_error(wire.bucket("DELETE", bck, "delete-listrange", {}), 400)
    assert wire.content(bck, "o") == b"x"


