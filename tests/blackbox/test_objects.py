"""Objects: put, get, head, overwrite, delete, copy, rename, promote, redirects."""

import os
import shutil
import tempfile
import time

import pytest
import xxhash
from aistore.sdk.errors import AISError, ErrObjNotFound

from conftest import attributes, wait_job
from wire import check_error, custom, until

PROMOTE_ROOT = "/var/lib/ais/promote"
SIZES = [0, 1, 11, 4095, 4096, 4097, 32 << 10, (32 << 10) + 1, 128 << 10, 1 << 20, (5 << 20) + 7]


# -- put and get


@pytest.mark.parametrize("size", SIZES)
def test_put_get(shared, client, size):
    data = os.urandom(size)
    obj = client.bucket(shared).object(f"size-{size}")
    obj.get_writer().put_content(data)
    assert obj.get_reader().read_all() == data
    assert attributes(obj, "size").size == size


def test_put_file(bucket, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(os.urandom(300_001))
    bucket.object("from/file").get_writer().put_file(path)
    assert bucket.object("from/file").get_reader().read_all() == path.read_bytes()


def test_put_reply_headers(wire, bck):
    before = time.time_ns()
    r = wire.put(bck, "o", b"hello world")
    assert (r.status_code, r.content) == (200, b"")
    assert r.headers["Ais-Checksum-Type"] == "xxhash2"
    assert r.headers["Ais-Checksum-Value"] == "45ab6734b21e6968"
    assert r.headers["Ais-Version"] == "1"
    assert before - 2_000_000_000 < int(r.headers["Ais-Atime"]) < time.time_ns() + 2_000_000_000


def test_put_empty_body_reply(wire, bck):
    assert wire.put(bck, "o", b"").headers["Ais-Checksum-Value"] == "ef46db3751d8e999"


def test_get_reply_headers(wire, bck):
    wire.put(bck, "o", b"hello world")
    r = wire.get(bck, "o")
    assert r.status_code == 200
    assert r.headers["Content-Type"] == "application/octet-stream"
    assert r.headers["Content-Length"] == "11"
    assert r.headers["Ais-Checksum-Value"] == "45ab6734b21e6968"
    assert r.headers["Ais-Version"] == "1"
    assert "Ais-Atime" in r.headers
    assert "Content-Encoding" not in r.headers


def test_put_chunked(wire, bck):
    body = [b"one", b"two" * 1000, b"3"]
    status, _, data = wire.exchange("PUT", wire.path(bck, "o"), body=body, chunked=True)
    assert status == 200, data[:200]
    assert wire.content(bck, "o") == b"".join(body)


def test_put_with_expect_continue(wire, bck):
    head = f"PUT {wire.path(bck, 'o')} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    got = wire.raw(head.encode() + b"12345")
    status = got.split(b"\r\n")[0] if not got.startswith(b"HTTP/1.1 100") else got.split(b"\r\n\r\n", 1)[1][:12]
    assert status[9:12] in (b"200", b"307"), got[:200]


def test_put_of_python_json_type(wire, bck):
    r = wire.put(bck, "o", b"not json", headers={"Content-Type": "application/json"})
    assert r.status_code == 200
    assert wire.content(bck, "o") == b"not json"


def test_overwrite(wire, bck):
    wire.put(bck, "o", b"first content")
    wire.put(bck, "o", b"second")
    assert wire.content(bck, "o") == b"second"
    assert wire.head(bck, "o").headers["Content-Length"] == "6"


def test_overwrite_small_by_large_by_small(wire, bck):
    for size in (10, 3 << 20, 0, 70_000, 5):
        data = os.urandom(size)
        wire.put(bck, "o", data)
        assert wire.content(bck, "o") == data


def test_get_missing_by_sdk(bucket):
    with pytest.raises(ErrObjNotFound):
        bucket.object("nope").get_reader().read_all()


def test_get_missing(wire, bck):
    err = check_error(wire.get(bck, "nope"), 404, "ErrNotFound")
    assert f"ais://{bck}/nope" in err["message"]
    assert err["node"].startswith("t[")


def test_get_twice_same_connection(wire, bck):
    wire.put(bck, "a", b"A" * 1000)
    wire.put(bck, "b", b"B" * 10)
    for _ in range(20):
        assert wire.content(bck, "a") == b"A" * 1000
        assert wire.content(bck, "b") == b"B" * 10


def test_get_after_many_overwrites(wire, bck):
    for i in range(30):
        wire.put(bck, "o", b"%d" % i)
        assert wire.content(bck, "o") == b"%d" % i


def test_put_to_a_missing_bucket(wire, new_name):
    name = new_name()
    check_error(wire.put(name, "o", b"x"), 404, "ErrBckNotFound", f"ais://{name}")


def test_provider_in_query(wire, bck):
    wire.put(bck, "o", b"x", params={"provider": "ais"})
    assert wire.get(bck, "o", params={"provider": "ais"}).content == b"x"


def test_unknown_query_parameters_are_ignored(wire, bck):
    assert wire.put(bck, "o", b"x", params={"zz": "1", "y": ""}).status_code == 200
    assert wire.get(bck, "o", params={"zz": "1"}).content == b"x"


def test_skip_vc(wire, bck):
    r = wire.put(bck, "o", b"one", params={"skip_vc": "true"})
    assert r.status_code == 200
    wire.put(bck, "o", b"two", params={"skip_vc": "true"})
    assert wire.content(bck, "o") == b"two"


def test_large_object_whole(wire, shared):
    data = os.urandom(1 << 20) * 24
    wire.put(shared, "large", data)
    got = wire.content(shared, "large")
    assert xxhash.xxh64(got).digest() == xxhash.xxh64(data).digest()


def test_get_url_of_the_sdk(wire, bucket):
    bucket.object("o").get_writer().put_content(b"by url")
    assert wire.session.get(bucket.object("o").get_url(), timeout=10).content == b"by url"


def test_list_urls(wire, bucket):
    bucket.object("o").get_writer().put_content(b"by url")
    urls = list(bucket.list_urls())
    assert [wire.session.get(u, timeout=10).content for u in urls] == [b"by url"]


def test_easy_url_put_get_delete(wire, bck):
    assert wire.request("PUT", f"/ais/{bck}/easy", data=b"e").status_code == 200
    assert wire.request("GET", f"/ais/{bck}/easy").content == b"e"
    assert wire.request("HEAD", f"/ais/{bck}/easy").headers["Content-Length"] == "1"
    assert wire.request("DELETE", f"/ais/{bck}/easy").status_code == 200
    assert wire.head(bck, "easy").status_code == 404


@pytest.mark.orlop_only
def test_easy_url_keeps_slashes(wire, bck):
    assert wire.request("PUT", f"/ais/{bck}/a/b", data=b"e").status_code == 200
    assert wire.names(bck) == ["a/b"]


# -- versions


def test_versions_count_up(wire, bck):
    versions = [wire.put(bck, "o", b"%d" % i).headers["Ais-Version"] for i in range(3)]
    assert versions == ["1", "2", "3"]
    assert wire.get(bck, "o").headers["Ais-Version"] == "3"
    assert wire.head(bck, "o").headers["Ais-Version"] == "3"


def test_versions_are_per_object(wire, bck):
    wire.put(bck, "a", b"1")
    wire.put(bck, "a", b"2")
    assert wire.put(bck, "b", b"1").headers["Ais-Version"] == "1"


def test_no_version_without_versioning(wire, make_bucket):
    bck = make_bucket({"versioning": {"enabled": False}})
    assert "Ais-Version" not in wire.put(bck, "o", b"x").headers
    assert "Ais-Version" not in wire.head(bck, "o").headers


def test_metadata_does_not_change_the_version(wire, bck):
    wire.put(bck, "o", b"x")
    wire.action("PATCH", wire.path(bck, "o"), "", {"a": "b"})
    assert wire.head(bck, "o").headers["Ais-Version"] == "1"


# -- delete


def test_delete(wire, bck):
    wire.put(bck, "o", b"x")
    r = wire.delete(bck, "o")
    assert (r.status_code, r.content) == (200, b"")
    check_error(wire.get(bck, "o"), 404, "ErrNotFound")
    check_error(wire.head(bck, "o"), 404, "ErrNotFound")
    assert wire.names(bck) == []


def test_delete_missing(wire, bck):
    check_error(wire.delete(bck, "nope"), 404, text=f"ais://{bck}/nope")


def test_delete_missing_by_sdk(bucket):
    with pytest.raises(ErrObjNotFound):
        bucket.object("nope").delete()


def test_delete_then_put_again(wire, bck):
    wire.put(bck, "o", b"old", headers={"Ais-Custom-Md": "k=v"})
    wire.delete(bck, "o")
    wire.put(bck, "o", b"new")
    r = wire.head(bck, "o")
    assert custom(r) == {}
    assert wire.content(bck, "o") == b"new"


def test_delete_one_keeps_the_other(wire, bck):
    wire.put(bck, "a", b"a")
    wire.put(bck, "ab", b"ab")
    wire.delete(bck, "a")
    assert wire.content(bck, "ab") == b"ab"


# -- copy


def _to(bck, name):
    return {"object_to": f"ais/@#/{bck}/{name}"}


def test_copy(wire, bck):
    wire.put(bck, "src", b"content", headers={"Ais-Custom-Md": "k=v"})
    r = wire.put(bck, "src", b"", params=_to(bck, "dir/dst"))
    assert (r.status_code, r.content) == (200, b"")
    assert wire.content(bck, "dir/dst") == b"content"
    assert custom(wire.head(bck, "dir/dst")) == {"k": "v"}
    assert wire.content(bck, "src") == b"content"


def test_copy_by_sdk_to_another_bucket(client, bucket, make_bucket):
    to = client.bucket(make_bucket())
    bucket.object("o").get_writer().put_content(b"x" * 100_000)
    bucket.object("o").copy(to.object("copy"))
    assert to.object("copy").get_reader().read_all() == b"x" * 100_000


def test_copy_large(wire, bck):
    data = os.urandom(3 << 20)
    wire.put(bck, "src", data)
    wire.put(bck, "src", b"", params=_to(bck, "dst"))
    wire.delete(bck, "src")
    assert wire.content(bck, "dst") == data


def test_copy_is_independent(wire, bck):
    wire.put(bck, "src", b"one")
    wire.put(bck, "src", b"", params=_to(bck, "dst"))
    wire.put(bck, "src", b"two")
    assert wire.content(bck, "dst") == b"one"


def test_copy_overwrites(wire, bck):
    wire.put(bck, "dst", b"old and longer")
    wire.put(bck, "src", b"new")
    wire.put(bck, "src", b"", params=_to(bck, "dst"))
    assert wire.content(bck, "dst") == b"new"


def test_copy_of_missing(wire, bck):
    check_error(wire.put(bck, "nope", b"", params=_to(bck, "dst")), 404, "ErrNotFound")


def test_copy_to_a_missing_bucket(wire, bck, new_name):
    wire.put(bck, "src", b"x")
    check_error(wire.put(bck, "src", b"", params=_to(new_name(), "dst")), 404, "ErrBckNotFound")


def test_copy_onto_itself_is_harmless(wire, bck):
    wire.put(bck, "o", b"content")
    wire.put(bck, "o", b"", params=_to(bck, "o"))
    assert wire.content(bck, "o") == b"content"


def test_copy_to_garbage(wire, bck):
    wire.put(bck, "o", b"x")
    check_error(wire.put(bck, "o", b"", params={"object_to": "garbage"}), 400)


@pytest.mark.orlop_only
def test_copy_to_a_bad_name(wire, bck):
    wire.put(bck, "o", b"x")
    check_error(wire.put(bck, "o", b"", params=_to(bck, "../y")), 400)
    assert wire.names(bck) == ["o"]


# -- rename


def test_rename(wire, bck):
    wire.put(bck, "old", b"content", headers={"Ais-Custom-Md": "k=v"})
    assert wire.post(bck, "old", "rename-obj", new_name="dir/new").status_code == 200
    assert wire.content(bck, "dir/new") == b"content"
    assert custom(wire.head(bck, "dir/new")) == {"k": "v"}
    assert wire.names(bck) == ["dir/new"]
    check_error(wire.get(bck, "old"), 404, "ErrNotFound")


def test_rename_over_an_existing_object(wire, bck):
    wire.put(bck, "a", b"aaa")
    wire.put(bck, "b", b"b")
    assert wire.post(bck, "a", "rename-obj", new_name="b").status_code == 200
    assert wire.content(bck, "b") == b"aaa"
    assert wire.names(bck) == ["b"]


def test_rename_missing(wire, bck):
    check_error(wire.post(bck, "nope", "rename-obj", new_name="x"), 404, "ErrNotFound")


@pytest.mark.parametrize("to", ["o", "", "../x", "x/"], ids=["self", "empty", "up", "slash"])
def test_rename_to_a_bad_name(wire, bck, to):
    wire.put(bck, "o", b"x")
    check_error(wire.post(bck, "o", "rename-obj", new_name=to), 400)
    assert wire.names(bck) == ["o"]


# -- lock state


@pytest.mark.parametrize("name", ["o", "nope"])
def test_check_lock(wire, bck, name):
    wire.put(bck, "o", b"x")
    until(lambda: wire.post(bck, name, "check-lock").status_code == 200)


# -- promote


@pytest.fixture
def promote_dir():
    try:
        os.makedirs(PROMOTE_ROOT, exist_ok=True)
        path = tempfile.mkdtemp(prefix="bb-", dir=PROMOTE_ROOT)
    except OSError as err:
        pytest.skip(f"{PROMOTE_ROOT}: {err}")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _promote(wire, bck, src, obj, **more):
    return wire.action("POST", f"/v1/objects/{bck}", "promote", {"src": src, "obj": obj, **more}, src)


def test_promote_file(wire, bck, promote_dir):
    path = os.path.join(promote_dir, "f")
    with open(path, "wb") as f:
        f.write(b"promoted" * 1000)
    assert _promote(wire, bck, path, "prom").status_code == 200
    until(lambda: wire.head(bck, "prom").status_code == 200)
    assert wire.content(bck, "prom") == b"promoted" * 1000
    assert os.path.exists(path)


def test_promote_by_sdk(client, wire, bucket, promote_dir):
    for name in ("1", "sub/2"):
        path = os.path.join(promote_dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(name)
    job = bucket.object("pre/").promote(promote_dir, recursive=True)
    if job:
        wait_job(client, job)
    until(lambda: wire.names(bucket.name) == ["pre/1", "pre/sub/2"])
    assert wire.content(bucket.name, "pre/sub/2") == b"sub/2"


def test_promote_not_recursive(wire, bck, promote_dir):
    for name in ("1", "sub/2"):
        path = os.path.join(promote_dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(name)
    assert _promote(wire, bck, promote_dir, "x/").status_code == 200
    until(lambda: wire.names(bck) == ["x/1"])


def test_promote_and_delete_source(wire, bck, promote_dir):
    path = os.path.join(promote_dir, "f")
    with open(path, "wb") as f:
        f.write(b"gone")
    assert _promote(wire, bck, path, "prom", dls=True).status_code == 200
    until(lambda: wire.head(bck, "prom").status_code == 200)
    until(lambda: not os.path.exists(path))
    assert wire.content(bck, "prom") == b"gone"


def test_promote_keeps_the_source_of_what_it_did_not_store(wire, bck, promote_dir):
    path = os.path.join(promote_dir, "f")
    with open(path, "wb") as f:
        f.write(b"new")
    wire.put(bck, "prom", b"old")
    assert _promote(wire, bck, path, "prom", dls=True, ovw=False).status_code == 200
    assert wire.content(bck, "prom") == b"old"
    assert os.path.exists(path)


def test_promote_follows_no_links(wire, bck, promote_dir, tmp_path):
    """Neither to a file nor through a directory; and what lies there is not deleted."""
    secret = tmp_path / "sub" / "secret"
    secret.parent.mkdir()
    secret.write_bytes(b"secret")
    os.symlink(secret, os.path.join(promote_dir, "file"))
    os.symlink(tmp_path, os.path.join(promote_dir, "dir"))
    for src in ("file", "dir", "dir/sub", "dir/sub/secret"):
        check_error(_promote(wire, bck, os.path.join(promote_dir, src), "x/", rcr=True, dls=True), 400)
    assert _promote(wire, bck, promote_dir, "x/", rcr=True, dls=True).status_code == 200
    assert wire.names(bck) == []
    assert secret.read_bytes() == b"secret"


def test_promote_a_path_that_is_too_long(wire, bck, promote_dir):
    check_error(_promote(wire, bck, os.path.join(promote_dir, "n" * 300), "x"), 400)
    check_error(_promote(wire, bck, os.path.join(promote_dir, "n" * 300, "x"), "x"), 400)


@pytest.mark.parametrize("src", ["/etc/passwd", "relative", PROMOTE_ROOT + "/../../x", "/"])
def test_promote_from_elsewhere(wire, bck, src):
    check_error(_promote(wire, bck, src, "x"), 400)
    assert wire.names(bck) == []


def test_promote_missing_source(wire, bck):
    check_error(_promote(wire, bck, PROMOTE_ROOT + "/no-such-file", "x"), (400, 404))


def test_promote_unknown_field(wire, bck):
    check_error(_promote(wire, bck, PROMOTE_ROOT + "/x", "x", zz=1), 400, text="found unknown field: zz")


# -- the storage node itself


@pytest.fixture(scope="module")
def target_url(wire):
    smap = wire.request("GET", "/v1/daemon", params={"what": "smap"}).json()
    return next(iter(smap["tmap"].values()))["public_net"]["direct_url"]


def test_direct_get_and_head(wire, bck, target_url):
    wire.put(bck, "o", b"direct")
    r = wire.session.get(target_url + wire.path(bck, "o"), timeout=10)
    assert (r.status_code, r.content) == (200, b"direct")
    assert wire.session.head(target_url + wire.path(bck, "o"), timeout=10).headers["Content-Length"] == "6"


def test_direct_read_by_sdk(bucket):
    bucket.object("dir/o").get_writer().put_content(b"direct" * 1000)
    assert bucket.object("dir/o").get_reader(direct=True).read_all() == b"direct" * 1000


def test_direct_read_of_missing_by_sdk(bucket):
    with pytest.raises(AISError):
        bucket.object("nope").get_reader(direct=True).read_all()
