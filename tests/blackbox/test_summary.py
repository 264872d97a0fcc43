"""Bucket summary and bucket information: the two-step protocol."""

import json
import time

import pytest

from wire import check_error

SIZES = {"a": 10, "p/1": 100, "p/2": 300, "q": 0}


@pytest.fixture(scope="module", autouse=True)
def objects(wire, shared):
    for name, size in SIZES.items():
        wire.put(shared, name, b"x" * size)


def _summary(wire, bck, **msg):
    """First call, then polls with the returned id. Returns the final response."""
    path = f"/v1/buckets/{bck}" if bck else "/v1/buckets"
    r = wire.action("GET", path, "summary-bck", {"uuid": "", **msg})
    assert r.status_code == 202, r.text
    uuid = r.text.strip('"')
    assert uuid == uuid.strip() and len(uuid) >= 9
    end = time.monotonic() + 15
    while time.monotonic() < end:
        r = wire.action("GET", path, "summary-bck", {"uuid": uuid, **msg})
        if r.status_code not in (202, 206):
            return r
        time.sleep(0.05)
    raise AssertionError("summary does not end")


def _info(wire, path, **params):
    r = wire.head_bucket(path, params=params)
    assert r.status_code == 202
    assert "Ais-Bucket-Props" in r.headers
    params["uuid"] = r.headers["Ais-Xaction-Id"]
    end = time.monotonic() + 15
    while time.monotonic() < end:
        r = wire.head_bucket(path, params=params)
        if r.status_code not in (202, 206):
            return r
        time.sleep(0.05)
    raise AssertionError("information does not come")


def test_summary(wire, shared):
    r = _summary(wire, shared, prefix="", cached=True, present=True)
    assert r.status_code == 200
    (doc,) = r.json()
    assert (doc["name"], doc["provider"], doc["namespace"]) == (shared, "ais", {"uuid": "", "name": ""})
    assert doc["ObjCount"] == {"obj_count_present": "4", "obj_count_remote": "0"}
    assert doc["TotalSize"]["size_all_present_objs"] == "410"
    assert int(doc["TotalSize"]["total_disks_size"]) > 0
    assert doc["ObjSize"]["obj_max_size"] == 300
    assert set(doc["ObjSize"]) == {"obj_min_size", "obj_avg_size", "obj_max_size"}
    assert set(doc["TotalSize"]) == {"size_on_disk", "size_all_present_objs", "size_all_remote_objs", "total_disks_size"}


def test_summary_by_prefix(wire, shared):
    (doc,) = _summary(wire, shared, prefix="p/").json()
    assert doc["ObjCount"]["obj_count_present"] == "2"
    assert doc["TotalSize"]["size_all_present_objs"] == "400"
    assert (doc["ObjSize"]["obj_min_size"], doc["ObjSize"]["obj_max_size"]) == (100, 300)
    assert doc["ObjSize"]["obj_avg_size"] == 200


def test_summary_of_an_empty_bucket(wire, bck):
    (doc,) = _summary(wire, bck).json()
    assert doc["ObjCount"]["obj_count_present"] == "0"
    assert doc["TotalSize"]["size_all_present_objs"] == "0"
    assert doc["ObjSize"]["obj_max_size"] == 0


def test_summary_of_all_buckets(wire, shared, bck):
    names = {d["name"] for d in _summary(wire, "", cached=True, present=True).json()}
    assert {shared, bck} <= names


def test_summary_with_defaults(wire, shared):
    r = wire.action("GET", f"/v1/buckets/{shared}", "summary-bck", None)
    assert r.status_code == 202


def test_summary_by_sdk(client, shared):
    doc = client.bucket(shared).summary()
    assert doc["ObjCount"]["obj_count_present"] == "4"
    assert doc["name"] == shared


def test_summary_of_a_missing_bucket(wire, new_name):
    check_error(wire.bucket("GET", new_name(), "summary-bck", {"uuid": ""}), 404, "ErrBckNotFound")


def test_summary_of_an_unknown_id(wire, shared):
    check_error(wire.bucket("GET", shared, "summary-bck", {"uuid": "nosuchid1"}), 404, ("ErrNotFound", "ErrXactNotFound"))


def test_summary_of_an_unknown_field(wire, shared):
    check_error(wire.bucket("GET", shared, "summary-bck", {"zz": 1}), 400, text="found unknown field: zz")


@pytest.mark.parametrize("msg", [{"prefix": 5}, {"cached": "yes"}, {"uuid": 1}], ids=str)
def test_summary_of_wrong_types(wire, shared, msg):
    check_error(wire.bucket("GET", shared, "summary-bck", msg), 400)


def test_info(wire, shared):
    r = _info(wire, shared, bsumm_remote="true", presence="0")
    assert r.status_code == 200
    assert json.loads(r.headers["Ais-Bucket-Props"])["provider"] == "ais"
    doc = json.loads(r.headers["Ais-Bucket-Summ"])
    assert doc["ObjCount"]["obj_count_present"] == "4"
    assert doc["TotalSize"]["size_all_present_objs"] == "410"
    assert isinstance(doc["used_pct"], int)


@pytest.mark.parametrize("remote", ["false", "False", "True", "1"])
def test_info_spelling_of_booleans(wire, shared, remote):
    doc = json.loads(_info(wire, shared, bsumm_remote=remote, presence="2").headers["Ais-Bucket-Summ"])
    assert doc["ObjCount"]["obj_count_present"] == "4"


def test_info_by_prefix(wire, shared):
    doc = json.loads(_info(wire, f"{shared}/p", bsumm_remote="false").headers["Ais-Bucket-Summ"])
    assert doc["ObjCount"]["obj_count_present"] == "2"


def test_info_by_sdk(client, shared):
    props, summary = client.bucket(shared).info()
    assert json.loads(props)["checksum"]["type"] == "xxhash2"
    assert summary["ObjCount"]["obj_count_present"] == "4"


def test_info_of_an_unknown_id(wire, shared):
    check_error(wire.head_bucket(shared, params={"bsumm_remote": "false", "uuid": "nosuchid1"}), 404, ("ErrNotFound", "ErrXactNotFound"))


def test_info_of_a_missing_bucket(wire, new_name):
    check_error(wire.head_bucket(new_name(), params={"bsumm_remote": "true"}), 404, "ErrBckNotFound")


def test_prefix_without_summary(wire, shared):
    check_error(wire.head_bucket(f"{shared}/p"), 400)


def test_plain_head_has_no_summary(wire, shared):
    r = wire.head_bucket(shared)
    assert (r.status_code, r.content) == (200, b"")
    assert "Ais-Bucket-Summ" not in r.headers and "Ais-Xaction-Id" not in r.headers


def test_summary_follows_changes(wire, bck):
    wire.put(bck, "o", b"x" * 50)
    assert _summary(wire, bck).json()[0]["TotalSize"]["size_all_present_objs"] == "50"
    wire.put(bck, "o", b"x" * 20)
    assert _summary(wire, bck).json()[0]["TotalSize"]["size_all_present_objs"] == "20"
    wire.delete(bck, "o")
    assert _summary(wire, bck).json()[0]["ObjCount"]["obj_count_present"] == "0"
