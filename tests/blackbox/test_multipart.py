"""Native multipart upload."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import attributes
from wire import CHECKSUMS, ENTRY_CHUNKED, check_error

PARTS = [os.urandom(n) for n in (70_000, 5, 40_000)]


def _create(wire, bck, name):
    r = wire.post(bck, name, "mpt-upload")
    assert r.status_code == 200, r.text
    assert r.text and r.text == r.text.strip()
    return r.text


def _part(wire, bck, name, upload, number, data, **kw):
    return wire.put(bck, name, data, params={"uploadId": upload, "partNumber": number}, **kw)


def _complete(wire, bck, name, upload, numbers):
    value = [{"part-number": n, "etag": ""} for n in numbers]
    return wire.post(bck, name, "mpt-complete", value, params={"uploadId": upload})


def _abort(wire, bck, name, upload):
    return wire.action("DELETE", wire.path(bck, name), "mpt-abort", params={"uploadId": upload})


def _upload(wire, bck, name, parts):
    upload = _create(wire, bck, name)
    for number, data in parts:
        assert _part(wire, bck, name, upload, number, data).status_code == 200
    return upload


def test_by_sdk(bucket):
    upload = bucket.object("o").multipart_upload().create()
    for i, data in enumerate(PARTS, 1):
        upload.add_part(i).put_content(data)
    upload.complete()
    assert bucket.object("o").get_reader().read_all() == b"".join(PARTS)


def test_by_sdk_from_files(bucket, tmp_path):
    upload = bucket.object("o").multipart_upload().create()
    for i, data in enumerate(PARTS, 1):
        path = tmp_path / str(i)
        path.write_bytes(data)
        upload.add_part(i).put_file(path)
    upload.complete()
    assert bucket.object("o").get_reader().read_all() == b"".join(PARTS)


def test_one_part(wire, bck):
    upload = _upload(wire, bck, "o", [(1, PARTS[0])])
    assert _complete(wire, bck, "o", upload, [1]).status_code == 200
    assert wire.content(bck, "o") == PARTS[0]


def test_part_reply(wire, bck):
    upload = _create(wire, bck, "o")
    r = _part(wire, bck, "o", upload, 1, b"x")
    assert (r.status_code, r.content) == (200, b"")
    _abort(wire, bck, "o", upload)


@pytest.mark.parametrize("order", [(3, 1, 2), (3, 2, 1), (2, 3, 1)], ids=str)
def test_parts_out_of_order(wire, bck, order):
    upload = _upload(wire, bck, "o", [(n, PARTS[n - 1]) for n in order])
    assert _complete(wire, bck, "o", upload, [1, 2, 3]).status_code == 200
    assert wire.content(bck, "o") == b"".join(PARTS)


def test_list_of_parts_out_of_order(wire, bck):
    upload = _upload(wire, bck, "o", list(enumerate(PARTS, 1)))
    assert _complete(wire, bck, "o", upload, [3, 1, 2]).status_code == 200
    assert wire.content(bck, "o") == b"".join(PARTS)


def test_parts_in_parallel(wire, bck):
    data = [os.urandom(50_000 + n) for n in range(12)]
    upload = _create(wire, bck, "o")
    with ThreadPoolExecutor(6) as pool:
        codes = pool.map(lambda n: _part(wire, bck, "o", upload, n + 1, data[n]).status_code, range(12))
        assert set(codes) == {200}
    assert _complete(wire, bck, "o", upload, range(1, 13)).status_code == 200
    assert wire.content(bck, "o") == b"".join(data)


def test_invisible_until_complete(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"x")])
    assert wire.head(bck, "o").status_code == 404
    assert wire.names(bck) == []
    _complete(wire, bck, "o", upload, [1])
    assert wire.names(bck) == ["o"]


def test_old_object_is_served_until_complete(wire, bck):
    wire.put(bck, "o", b"old")
    upload = _upload(wire, bck, "o", [(1, b"new")])
    assert wire.content(bck, "o") == b"old"
    assert _complete(wire, bck, "o", upload, [1]).status_code == 200
    assert wire.content(bck, "o") == b"new"
    assert wire.head(bck, "o").headers["Ais-Version"] == "2"


def test_chunked_properties(wire, bucket):
    upload = bucket.object("o").multipart_upload().create()
    for i, data in enumerate(PARTS, 1):
        upload.add_part(i).put_content(data)
    upload.complete()
    attrs = attributes(bucket.object("o"), "size,chunked")
    assert attrs.size == sum(map(len, PARTS))
    assert attrs.chunks.chunk_count == 3
    assert attrs.chunks.max_chunk_size == 70_000
    entry = wire.list(bucket.name).json()["entries"][0]
    assert entry["flags"] & ENTRY_CHUNKED


def test_checksum_fits_its_type(wire, bck):
    upload = _upload(wire, bck, "o", list(enumerate(PARTS, 1)))
    _complete(wire, bck, "o", upload, [1, 2, 3])
    head = wire.head(bck, "o").headers
    assert head["Ais-Checksum-Value"] == CHECKSUMS[head["Ais-Checksum-Type"]](b"".join(PARTS))


@pytest.mark.parametrize("spec, first, last", [("bytes=69990-70010", 69990, 70010), ("bytes=-7", 109998, 110004), ("bytes=0-0", 0, 0)])
def test_range_over_parts(wire, bck, spec, first, last):
    upload = _upload(wire, bck, "o", list(enumerate(PARTS, 1)))
    _complete(wire, bck, "o", upload, [1, 2, 3])
    r = wire.get(bck, "o", headers={"Range": spec})
    assert (r.status_code, r.content) == (206, b"".join(PARTS)[first : last + 1])


def test_overwrite_by_a_plain_put(wire, bck):
    upload = _upload(wire, bck, "o", list(enumerate(PARTS, 1)))
    _complete(wire, bck, "o", upload, [1, 2, 3])
    wire.put(bck, "o", b"plain")
    assert wire.content(bck, "o") == b"plain"
    assert "Ais-Chunks-Count" not in wire.head(bck, "o", "chunked").headers


def test_copy_rename_delete_of_a_chunked_object(wire, bck):
    upload = _upload(wire, bck, "o", list(enumerate(PARTS, 1)))
    _complete(wire, bck, "o", upload, [1, 2, 3])
    wire.put(bck, "o", b"", params={"object_to": f"ais/@#/{bck}/copy"})
    assert wire.content(bck, "copy") == b"".join(PARTS)
    wire.delete(bck, "o")
    assert wire.post(bck, "copy", "rename-obj", new_name="moved").status_code == 200
    assert wire.content(bck, "moved") == b"".join(PARTS)
    wire.delete(bck, "moved")
    assert wire.names(bck) == []


def test_two_uploads_of_one_name(wire, bck):
    one, two = _upload(wire, bck, "o", [(1, b"one")]), _upload(wire, bck, "o", [(1, b"two")])
    assert one != two
    _complete(wire, bck, "o", one, [1])
    assert wire.content(bck, "o") == b"one"
    _complete(wire, bck, "o", two, [1])
    assert wire.content(bck, "o") == b"two"


# -- what must fail


def test_gap(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"a"), (3, b"c")])
    check_error(_complete(wire, bck, "o", upload, [1, 3]), 400)
    assert wire.head(bck, "o").status_code == 404
    _part(wire, bck, "o", upload, 2, b"b")
    assert _complete(wire, bck, "o", upload, [1, 2, 3]).status_code == 200
    assert wire.content(bck, "o") == b"abc"


@pytest.mark.parametrize("numbers", [[], [3], [1, 2, 3]], ids=str)
def test_complete_with_wrong_parts(wire, bck, numbers):
    upload = _upload(wire, bck, "o", [(1, b"a"), (2, b"b")])
    check_error(_complete(wire, bck, "o", upload, numbers), 400)
    assert wire.head(bck, "o").status_code == 404
    assert _complete(wire, bck, "o", upload, [1, 2]).status_code == 200
    assert wire.content(bck, "o") == b"ab"


@pytest.mark.orlop_only
def test_part_sent_twice(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"first"), (2, b"b"), (1, b"again")])
    assert _complete(wire, bck, "o", upload, [1, 2]).status_code == 200
    assert wire.content(bck, "o") == b"againb"


def test_part_named_twice(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"first"), (1, b"again")])
    check_error(_complete(wire, bck, "o", upload, [1, 1]), 400, text="partial completion")
    assert _abort(wire, bck, "o", upload).status_code == 200


def test_empty_part(wire, bck):
    upload = _create(wire, bck, "o")
    check_error(_part(wire, bck, "o", upload, 1, b""), (400, 500), text="invalid size (0)")
    _abort(wire, bck, "o", upload)


@pytest.mark.orlop_only
def test_chunked_part(wire, bck):
    upload = _create(wire, bck, "o")
    path = f"{wire.path(bck, 'o')}?uploadId={upload}&partNumber=1"
    status, _, _ = wire.exchange("PUT", path, body=[b"a" * 1000, b"b"], chunked=True)
    assert status == 200
    assert _complete(wire, bck, "o", upload, [1]).status_code == 200
    assert wire.content(bck, "o") == b"a" * 1000 + b"b"


@pytest.mark.parametrize("number", ["abc", "", "1.5"])
def test_part_number_that_is_none(wire, bck, number):
    upload = _create(wire, bck, "o")
    check_error(_part(wire, bck, "o", upload, number, b"x"), 400)
    _abort(wire, bck, "o", upload)


@pytest.mark.parametrize("number", ["0", "-1", "99999999"])
def test_part_number_out_of_range(wire, bck, number):
    upload = _create(wire, bck, "o")
    check_error(_part(wire, bck, "o", upload, number, b"x"), (400, 500))
    _abort(wire, bck, "o", upload)


def test_part_of_an_unknown_upload(wire, bck):
    check_error(_part(wire, bck, "o", "nosuchid1", 1, b"x"), 404, "ErrNotFound")


def test_complete_an_unknown_upload(wire, bck):
    check_error(_complete(wire, bck, "o", "nosuchid1", [1]), 404, "ErrNotFound")


def test_complete_twice(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"x")])
    assert _complete(wire, bck, "o", upload, [1]).status_code == 200
    check_error(_complete(wire, bck, "o", upload, [1]), 404)
    assert wire.content(bck, "o") == b"x"


@pytest.mark.orlop_only
def test_upload_belongs_to_its_object(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"x")])
    check_error(_complete(wire, bck, "other", upload, [1]), 404)
    check_error(_part(wire, bck, "other", upload, 1, b"x"), 404)
    assert _complete(wire, bck, "o", upload, [1]).status_code == 200


def test_unknown_field_of_a_part(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"x")])
    r = wire.post(bck, "o", "mpt-complete", [{"part-number": 1, "foo": 1}], params={"uploadId": upload})
    check_error(r, 400, text="found unknown field: foo")
    assert _abort(wire, bck, "o", upload).status_code == 200


def test_abort(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"x" * 100_000)])
    r = _abort(wire, bck, "o", upload)
    assert (r.status_code, r.content) == (200, b"")
    check_error(_part(wire, bck, "o", upload, 2, b"y"), 404)
    check_error(_complete(wire, bck, "o", upload, [1]), 404)
    assert wire.head(bck, "o").status_code == 404


def test_abort_keeps_the_old_object(wire, bck):
    wire.put(bck, "o", b"old")
    _abort(wire, bck, "o", _upload(wire, bck, "o", [(1, b"x")]))
    assert wire.content(bck, "o") == b"old"


def test_abort_an_unknown_upload(wire, bck):
    check_error(_abort(wire, bck, "o", "nosuchid1"), 404)


def test_abort_by_sdk(bucket):
    upload = bucket.object("o").multipart_upload().create()
    upload.add_part(1).put_content(b"x")
    assert upload.abort().status_code == 200


def test_upload_to_a_missing_bucket(wire, new_name):
    check_error(wire.post(new_name(), "o", "mpt-upload"), 404, "ErrBckNotFound")


@pytest.mark.orlop_only
def test_upload_of_a_bad_name(wire, bck):
    r = wire.action("POST", f"/v1/objects/{bck}/..%2Fx", "mpt-upload")
    check_error(r, 400, "errInvalidPath")


def test_upload_dies_with_its_bucket(wire, bck):
    upload = _upload(wire, bck, "o", [(1, b"x")])
    wire.bucket("DELETE", bck, "destroy-bck")
    wire.bucket("POST", bck, "create-bck")
    check_error(_complete(wire, bck, "o", upload, [1]), 404)
    assert wire.names(bck) == []
