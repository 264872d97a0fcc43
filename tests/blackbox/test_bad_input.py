"""Requests that are wrong: each gets a clear error, and nothing changes."""

import json

import pytest

from wire import JSON_TYPE, check_error

HOST = b"Host: x\r\n"


def _status(got):
    assert got.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), got[:100]
    return int(got[9:12])


# -- error bodies in detail


def test_error_of_a_missing_bucket(wire, new_name):
    name = new_name()
    r = wire.bucket("DELETE", name, "destroy-bck")
    err = check_error(r, 404, "ErrBckNotFound")
    assert err["message"] == f'bucket "ais://{name}" does not exist'
    assert (err["method"], err["url_path"], err["caller"]) == ("DELETE", f"/v1/buckets/{name}", "")
    assert err["remote_addr"].startswith("127.0.0.1:")
    assert err["node"].startswith("p[")


def test_error_of_a_second_create(wire, bck):
    err = check_error(wire.bucket("POST", bck, "create-bck"), 409, "ErrBucketAlreadyExists")
    assert err["message"] == f'bucket "ais://{bck}" already exists'


def test_error_of_a_head(wire, new_name):
    name = new_name()
    err = check_error(wire.head_bucket(name), 404, "ErrBckNotFound")
    assert (err["method"], err["url_path"]) == ("HEAD", f"/v1/buckets/{name}")


def test_error_path_has_no_query(wire, new_name):
    name = new_name()
    err = check_error(wire.get(name, "a b", params={"provider": "ais"}), 404)
    assert err["url_path"] == f"/v1/objects/{name}/a b"


def test_plain_errors_have_no_type(wire, bck):
    assert "tcode" not in check_error(wire.bucket("POST", bck, "zzz"), 400)


def test_error_for_a_missing_object_names_it(wire, bck):
    for method in ("GET", "DELETE"):
        assert f"ais://{bck}/dir/o" in check_error(wire.obj(method, bck, "dir/o"), 404)["message"]


def test_errors_keep_the_connection(wire, bck):
    for _ in range(10):
        assert wire.get(bck, "nope").status_code == 404
        assert wire.head(bck, "nope").status_code == 404
    assert wire.put(bck, "o", b"x").status_code == 200


# -- paths and methods


@pytest.mark.parametrize("path", ["/v1/foo", "/v1/foo/bar", "/v1", "/v2/buckets", "/nothing", "/v1/bucketsx"])
def test_unknown_path(wire, path):
    assert wire.request("GET", path).status_code == 400


def test_unknown_path_message(wire):
    check_error(wire.request("GET", "/v1/foo"), 400, text="invalid request URI")


@pytest.mark.parametrize(
    "method, path", [("DELETE", "/v1/daemon"), ("PATCH", "/v1/daemon"), ("PATCH", "/v1/cluster")]
)
def test_method_not_allowed(wire, method, path):
    r = wire.request(method, path)
    assert r.status_code == 405
    assert "GET" in r.headers["Allow"]


@pytest.mark.parametrize("path", ["/v1/buckets", "/v1/objects", "/v1/daemon", "/v1/cluster"])
def test_options(wire, path):
    r = wire.request("OPTIONS", path)
    assert r.status_code == 200
    allowed = {m.strip() for m in r.headers["Allow"].split(",")}
    assert "GET" in allowed


@pytest.mark.parametrize("path, items", [("/v1/buckets", 3), ("/v1/objects", 4), ("/v1/objects/b", 4)])
def test_path_too_short(wire, path, items):
    method = "POST" if items == 3 else "PUT"
    check_error(wire.action(method, path, "create-bck"), 400, text="too short")


@pytest.mark.parametrize("provider", ["zzz", "AIS ", "ht"])
def test_unknown_provider(wire, bck, provider):
    for r in (
        wire.head_bucket(bck, params={"provider": provider}),
        wire.put(bck, "o", b"x", params={"provider": provider}),
        wire.list(bck, params={"provider": provider}),
    ):
        check_error(r, 400, "ErrInvalidBackendProvider")


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure", "s3"])
def test_absent_backend(wire, new_name, provider):
    r = wire.head_bucket(new_name(), params={"provider": provider})
    check_error(r, 404)


def test_unknown_remote_cluster(wire, bck):
    r = wire.head_bucket(bck, params={"namespace": "@nosuchuuid#"})
    assert 400 <= r.status_code < 500


# -- the envelope


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"action":', b"[]", b"5", b'"create-bck"', b"{'action':'create-bck'}", b'{"action":5}',
     b'{"action":"create-bck",}', b"\xff\xfe", b"\x00", b'{"action":{}}',
     b'{"action":["create-bck"]}', b'{"name":5,"action":"create-bck"}'],
    ids=ascii,
)
def test_broken_envelope(wire, new_name, body):
    name = new_name()
    r = wire.request("POST", f"/v1/buckets/{name}", data=body, headers={"Content-Type": JSON_TYPE})
    check_error(r, 400)
    assert wire.head_bucket(name).status_code == 404


def test_more_after_the_envelope(wire, bck):
    r = wire.request("DELETE", f"/v1/buckets/{bck}", data=b'{"action":"destroy-bck"} more')
    check_error(r, 400)
    assert wire.head_bucket(bck).status_code == 200


def test_envelope_keys_in_any_case(wire, cleanup, new_name):
    name = new_name()
    cleanup.append(name)
    r = wire.request("POST", f"/v1/buckets/{name}", json={"ACTION": "create-bck", "Value": {"versioning": {"enabled": False}}})
    assert r.status_code == 200
    assert wire.bucket_props(name)["versioning"]["enabled"] is False


def test_unknown_envelope_keys_are_ignored(wire, cleanup, new_name):
    name = new_name()
    cleanup.append(name)
    r = wire.request("POST", f"/v1/buckets/{name}", json={"action": "create-bck", "bogus": {"x": [1]}})
    assert r.status_code == 200


def test_envelope_without_a_content_type(wire, cleanup, new_name):
    name = new_name()
    cleanup.append(name)
    r = wire.request("POST", f"/v1/buckets/{name}", data=b'{"action":"create-bck"}')
    assert r.status_code == 200


def test_envelope_with_escapes(wire, cleanup, new_name):
    name = new_name()
    cleanup.append(name)
    r = wire.request("POST", f"/v1/buckets/{name}", data=b' \n{ "a\\u0063tion" : "create\\u002dbck" }\r\n ')
    assert r.status_code == 200


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "PUT"])
@pytest.mark.parametrize("action", ["zzz", "", "CREATE-BCK", "list "])
def test_unknown_bucket_action(wire, bck, method, action):
    check_error(wire.bucket(method, bck, action), 400)
    assert wire.head_bucket(bck).status_code == 200


def test_unknown_bucket_action_message(wire, bck):
    check_error(wire.bucket("POST", bck, "zzz"), 400, text='invalid action "zzz"')


def test_unknown_query_action(wire):
    check_error(wire.action("GET", "/v1/buckets", "zzz"), 400, text='invalid action "zzz"')


def test_unknown_object_action(wire, bck):
    wire.put(bck, "o", b"x")
    check_error(wire.post(bck, "o", "zzz"), 400)
    assert wire.content(bck, "o") == b"x"


def test_missing_object_envelope(wire, bck):
    wire.put(bck, "o", b"x")
    check_error(wire.obj("POST", bck, "o"), 400)


@pytest.mark.parametrize(
    "value",
    [{"foo": 1}, {"mirror": {"copies": "x"}}, {"mirror": []}, {"checksum": {"type": 5}}, {"versioning": {"enabled": 1}},
     {"lru": {"batch_size": "many"}}, {"access": -1}, {"features": "x"}, 5, "x", [1], True],
    ids=json.dumps,
)
def test_create_with_bad_props(wire, new_name, value):
    name = new_name()
    check_error(wire.bucket("POST", name, "create-bck", value), 400)
    assert wire.head_bucket(name).status_code == 404


def test_unknown_field_is_named(wire, new_name):
    r = wire.bucket("POST", new_name(), "create-bck", {"checksum": {"typo": "md5"}})
    check_error(r, 400, text="found unknown field: typo")


@pytest.mark.parametrize("msg", [{"objnames": "o"}, {"template": 5}, {"objnames": [1]}, {"zz": 1}], ids=str)
def test_bad_list_of_objects(wire, bck, msg):
    wire.put(bck, "o", b"x")
    check_error(wire.bucket("DELETE", bck, "delete-listrange", msg), 400)
    assert wire.content(bck, "o") == b"x"


@pytest.mark.orlop_only
def test_deep_envelope(wire, new_name):
    body = b'{"action":"create-bck","value":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    r = wire.request("POST", f"/v1/buckets/{new_name()}", data=body)
    assert r.status_code in (400, 413)
    assert wire.request("GET", "/v1/health").status_code == 200


@pytest.mark.orlop_only
def test_oversized_envelope(wire, new_name):
    name = new_name()
    body = b'{"action":"create-bck","name":"' + b"x" * (64 << 20) + b'"}'
    try:
        r = wire.request("POST", f"/v1/buckets/{name}", data=body)
        assert r.status_code in (400, 413)
    except OSError:
        pass
    assert wire.head_bucket(name).status_code == 404


# -- headers


def test_intra_cluster_header_is_refused(wire):
    r = wire.request("GET", "/v1/health", headers={"Ais-Caller-Id": "x"})
    assert r.status_code == 403


def test_many_query_parameters(wire, bck):
    query = "&".join(f"k{i}=v" for i in range(300))
    r = wire.request("GET", f"/v1/objects/{bck}/o?{query}")
    assert 400 <= r.status_code < 500


@pytest.mark.parametrize("key", ["provider", "namespace", "props", "presence"])
def test_huge_query_value(wire, bck, key):
    r = wire.head(bck, "o", params={key: "x" * 5000})
    assert 400 <= r.status_code < 500


def test_host_is_required(wire):
    assert _status(wire.raw(b"GET /v1/health HTTP/1.1\r\n\r\n")) == 400


def test_http_1_0(wire):
    assert _status(wire.raw(b"GET /v1/health HTTP/1.0\r\n\r\n")) in (200, 505)


@pytest.mark.parametrize(
    "request_line", [b"GARBAGE", b"GET", b"GET /v1/health", b"GET /v1/health HTTP/9.9", b"G\x00T / HTTP/1.1", b"GET  /v1/health HTTP/1.1"],
    ids=ascii,
)
def test_broken_request_line(wire, request_line):
    got = wire.raw(request_line + b"\r\n" + HOST + b"\r\n", timeout=5)
    assert _status(got) in (400, 501, 505)


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: abc\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Bad Header: x\r\n",
        b": x\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
    ],
    ids=ascii,
)
def test_broken_headers(wire, bck, lines):
    target = wire.path(bck, "o").encode()
    got = wire.raw(b"PUT " + target + b" HTTP/1.1\r\n" + HOST + lines + b"\r\nhello", timeout=5)
    assert _status(got) in (400, 501)
    assert wire.head(bck, "o").status_code == 404


@pytest.mark.orlop_only
@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 5 \x0b\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"X: a\r\n folded\r\n",
        b"X : a\r\n",
        b"X: a\x00b\r\n",
        b"Host: y\r\n",
    ],
    ids=ascii,
)
def test_broken_headers_beyond_the_reference(wire, bck, lines):
    target = wire.path(bck, "o").encode()
    got = wire.raw(b"PUT " + target + b" HTTP/1.1\r\n" + HOST + lines + b"\r\n0\r\n\r\n", timeout=5)
    assert _status(got) in (400, 411, 501)
    assert wire.head(bck, "o").status_code == 404


def test_huge_header(wire):
    got = wire.raw(b"GET /v1/health HTTP/1.1\r\n" + HOST + b"X: " + b"x" * (4 << 20) + b"\r\n\r\n", timeout=5)
    assert got == b"" or _status(got) in (400, 431)
    assert wire.request("GET", "/v1/health").status_code == 200


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"5\r\nab", b"-1\r\n\r\n", b"ffffffffffffffffff\r\n"], ids=ascii)
def test_broken_chunks(wire, bck, chunk):
    target = wire.path(bck, "o").encode()
    wire.raw(b"PUT " + target + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk, timeout=0.5)
    assert wire.head(bck, "o").status_code == 404


def test_pipelined_requests(wire):
    got = wire.raw(
        b"GET /v1/daemon?what=software_version HTTP/1.1\r\n" + HOST + b"\r\nGET /v1/health HTTP/1.1\r\n" + HOST
        + b"Connection: close\r\n\r\n"
    )
    assert got.startswith(b"HTTP/1.1 200")


# -- nothing falls through to another operation


@pytest.mark.parametrize("action", ["mpt-abrt", "delete", "destroy-bck", "delete-listrange", "evict-remote-bck"])
def test_delete_of_an_object_with_an_unknown_action(wire, bck, action):
    wire.put(bck, "o", b"keep")
    check_error(wire.action("DELETE", wire.path(bck, "o"), action), 400)
    assert wire.content(bck, "o") == b"keep"


def test_delete_with_an_upload_means_no_object(wire, bck):
    wire.put(bck, "o", b"keep")
    check_error(wire.delete(bck, "o", params={"uploadId": "abcdefgh"}), 400)
    assert wire.content(bck, "o") == b"keep"


def test_an_encoded_resource_is_the_same_resource(wire, bck):
    """More items than a bucket's path has are refused however the first one is written."""
    status, _, _ = wire.exchange("DELETE", f"/v1/%62uckets/{bck}/extra", body=b'{"action":"destroy-bck"}')
    assert status == 400
    assert wire.head_bucket(bck).status_code == 200


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", "x"])
def test_web_pages_of_other_sites_change_nothing(wire, new_name, origin):
    name = new_name()
    check_error(wire.bucket("POST", name, "create-bck", headers={"Origin": origin}), 403)
    assert wire.head_bucket(name).status_code == 404


# -- what would take memory or time without bound


def test_a_long_time_format(wire, bck):
    wire.put(bck, "o", b"x")
    check_error(wire.list(bck, props="name,atime", time_format="x" * 65), 400)


def test_a_message_of_too_many_values(wire, bck):
    body = b'{"action":"delete-listrange","value":{"objnames":[' + b'"",' * 2_000_000 + b'"x"]}}'
    assert wire.request("DELETE", f"/v1/buckets/{bck}", data=body).status_code == 413


def test_a_message_of_unknown_length_is_a_short_one(wire, bck):
    names = b'"n",' * 300_000
    status, _, _ = wire.exchange("DELETE", f"/v1/buckets/{bck}", chunked=True,
                                 body=[b'{"action":"delete-listrange","value":{"objnames":[', names, b'"x"]}}'])
    assert status == 413


@pytest.mark.parametrize("value", ["a\u001bb", "a\rb", "a\nb", "a\u007f"])
def test_custom_metadata_with_control_bytes(wire, bck, value):
    wire.put(bck, "o", b"x")
    check_error(wire.action("PATCH", wire.path(bck, "o"), "", {"k": value}), 400)
    check_error(wire.action("PATCH", wire.path(bck, "o"), "", {value: "v"}), 400)
