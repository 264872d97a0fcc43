"""Object names: what may be in them, and what may not."""

from urllib.parse import quote

import pytest

from conftest import attributes
from wire import check_error

GOOD = [
    "plain",
    "a/b/c",
    "dir/sub dir/file name.txt",
    "percent%",
    "percent%20literal",
    "100%25",
    "what?",
    "what?x=y&z=1",
    "hash#tag",
    "plus+sign",
    "a b+c%d",
    "amp&equals=",
    "semi;colon:comma,",
    "quote'double\"",
    "back\\slash",
    "brackets[0]{1}(2)<3>",
    "pipe|caret^tilde~",
    "at@dollar$bang!star*",
    "ünïcödé",
    "日本語/ファイル",
    "emoji-🚀",
    "e\u0301-combining",
    ".hidden",
    "..dots",
    "dots..",
    "a/.b/c",
    "a/..b",
    "-dash",
    "trailing.",
    "UPPER",
    "~tilde",
    "nul-in-text\\0",
    "x" * 255,
    "/".join(["s" * 100] * 9),
]


@pytest.mark.parametrize("name", GOOD, ids=ascii)
def test_good_name(wire, shared, name):
    data = name.encode()
    assert wire.put(shared, name, data).status_code == 200
    assert wire.content(shared, name) == data
    assert wire.head(shared, name).status_code == 200
    assert wire.names(shared, prefix=name) == [name]
    assert wire.delete(shared, name).status_code == 200
    check_error(wire.get(shared, name), 404)


@pytest.mark.parametrize("name", [n for n in GOOD if len(n) < 200], ids=ascii)
def test_good_name_by_sdk(bucket, name):
    obj = bucket.object(name)
    obj.get_writer().put_content(b"data")
    assert obj.get_reader().read_all() == b"data"
    assert attributes(obj, "size").size == 4
    assert [e.name for e in bucket.list_all_objects()] == [name]
    obj.delete()
    assert bucket.list_all_objects() == []


def test_all_names_together(wire, bck):
    """None is taken for another."""
    for name in GOOD:
        wire.put(bck, name, name.encode())
    for name in GOOD:
        assert wire.content(bck, name) == name.encode()
    assert sorted(wire.names(bck)) == sorted(GOOD)


def test_encoded_slash_is_a_slash(wire, bck):
    wire.request("PUT", f"/v1/objects/{bck}/a%2Fb", data=b"x")
    assert wire.names(bck) == ["a/b"]
    assert wire.content(bck, "a/b") == b"x"


def test_plus_in_a_path_is_a_plus(wire, bck):
    wire.request("PUT", f"/v1/objects/{bck}/a+b", data=b"x")
    wire.request("PUT", f"/v1/objects/{bck}/a%20b", data=b"y")
    assert sorted(wire.names(bck)) == ["a b", "a+b"]


def test_names_are_case_sensitive(wire, bck):
    wire.put(bck, "name", b"1")
    wire.put(bck, "NAME", b"2")
    assert (wire.content(bck, "name"), wire.content(bck, "NAME")) == (b"1", b"2")


def test_forms_of_unicode_stay_apart(wire, bck):
    wire.put(bck, "\u00e9", b"composed")
    wire.put(bck, "e\u0301", b"decomposed")
    assert wire.content(bck, "\u00e9") == b"composed"
    assert wire.content(bck, "e\u0301") == b"decomposed"


@pytest.mark.parametrize("target", ["..%2Fx", "a/..%2Fx", "a/%2e%2e/x", "%2E/x", "a/.%2Fx", "a/..", "dir/", "~/x", "dir%2F"])
def test_bad_name(wire, bck, target):
    status, _, body = wire.exchange("PUT", f"/v1/objects/{bck}/{target}", body=b"x")
    assert status == 400, body[:200]
    assert b"errInvalidPath" in body
    assert wire.names(bck) == []


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "POST"])
def test_bad_name_with_each_method(wire, bck, method):
    status, _, body = wire.exchange(
        method, f"/v1/objects/{bck}/..%2Fx", [("Content-Type", "application/json")], b'{"action":"rename-obj","name":"y"}'
    )
    assert status == 400, body[:200]


def test_dots_in_the_request_line(wire, bck):
    status, _, _ = wire.exchange("PUT", f"/v1/objects/{bck}/../../../tmp/x", body=b"x")
    assert status == 400


@pytest.mark.parametrize("path", ["/v1/objects/{}", "/v1/objects/{}/", "/v1/objects", "/v1/objects/"])
def test_no_name(wire, bck, path):
    status, _, _ = wire.exchange("PUT", path.format(bck), body=b"x")
    assert status == 400


def test_long_name(wire, bck):
    name = "/".join(["n" * 127] * 8)
    assert len(name) == 1023
    wire.put(bck, name, b"long")
    assert wire.content(bck, name) == b"long"
    wire.delete(bck, name)
    assert wire.head(bck, name).status_code == 404


def test_long_neighbours_stay_apart(wire, bck):
    stem = "n" * 240 + "/" + "m" * 240
    for end in "abc":
        wire.put(bck, stem + end, end.encode())
    for end in "abc":
        assert wire.content(bck, stem + end) == end.encode()


@pytest.mark.orlop_only
def test_long_name_is_listed_as_it_is(wire, bck):
    name = "n" * 1024
    assert wire.put(bck, name, b"long").status_code == 200
    assert wire.names(bck) == [name]


@pytest.mark.orlop_only
def test_name_beyond_any_limit(wire, bck):
    r = wire.put(bck, "n" * 6000, b"x")
    assert 400 <= r.status_code < 500
    assert wire.names(bck) == []


@pytest.mark.orlop_only
def test_object_and_folder_of_one_name(wire, bck):
    wire.put(bck, "a", b"object")
    wire.put(bck, "a/b", b"inside")
    wire.put(bck, "a/b/c", b"deeper")
    assert wire.content(bck, "a") == b"object"
    assert wire.content(bck, "a/b") == b"inside"
    assert wire.names(bck) == ["a", "a/b", "a/b/c"]
    wire.delete(bck, "a")
    assert wire.content(bck, "a/b") == b"inside"


@pytest.mark.orlop_only
def test_double_slash_is_kept(wire, bck):
    status, _, _ = wire.exchange("PUT", f"/v1/objects/{bck}/a//b", body=b"two")
    assert status == 200
    wire.put(bck, "a/b", b"one")
    assert sorted(wire.names(bck)) == ["a//b", "a/b"]
    assert wire.exchange("GET", f"/v1/objects/{bck}/a//b")[2] == b"two"
    assert wire.content(bck, "a/b") == b"one"


@pytest.mark.orlop_only
@pytest.mark.parametrize("name", ["tab\there", "line\nbreak", "cr\rhere", "bell\x07", "del\x7f", "esc\x1b["], ids=ascii)
def test_control_characters(wire, bck, name):
    """Kept as they are, or refused; never changed."""
    r = wire.put(bck, name, b"x")
    if r.status_code == 200:
        assert wire.content(bck, name) == b"x"
        assert wire.names(bck) == [name]
    else:
        check_error(r, 400)
        assert wire.names(bck) == []


@pytest.mark.orlop_only
def test_nul_is_refused(wire, bck):
    status, _, _ = wire.exchange("PUT", f"/v1/objects/{bck}/nul%00x", body=b"x")
    assert status == 400
    assert wire.names(bck) == []


@pytest.mark.orlop_only
@pytest.mark.parametrize("target", ["bad%zz", "bad%", "bad%4"])
def test_broken_escape(wire, bck, target):
    status, _, _ = wire.exchange("PUT", f"/v1/objects/{bck}/{target}", body=b"x")
    assert status == 400
    assert wire.names(bck) == []


def test_name_encoded_in_full(wire, bck):
    name = "every char"
    full = "".join(f"%{b:02X}" for b in name.encode())
    assert wire.request("PUT", f"/v1/objects/{bck}/{full}", data=b"x").status_code == 200
    assert wire.content(bck, name) == b"x"
    assert quote(name) != full
