"""Who may: signatures of every form, and what is changed after signing."""

import urllib.error
import urllib.request

import pytest
from conftest import anonymous, client, refusal


def test_wrong_people(s3, endpoint, bucket):
    assert refusal(client(endpoint, secret="another").list_buckets) == ("SignatureDoesNotMatch", 403)
    assert refusal(client(endpoint, access="NOBODY").list_buckets) == ("InvalidAccessKeyId", 403)
    s3.put_object(Bucket=bucket, Key="o", Body=b"x")
    for call in (lambda c: refusal(c.get_object, Bucket=bucket, Key="o"), lambda c: refusal(c.put_object, Bucket=bucket, Key="o", Body=b"y"),
                 lambda c: refusal(c.delete_object, Bucket=bucket, Key="o"), lambda c: refusal(c.list_buckets)):
        assert call(anonymous(endpoint)) == ("AccessDenied", 403)
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"x"


def fetch(url, method="GET", data=None, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers or {})) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def test_presigned(s3, endpoint, bucket):
    s3.put_object(Bucket=bucket, Key="o p", Body=b"content")
    s3.put_object(Bucket=bucket, Key="other", Body=b"secret")
    v4 = client(endpoint, signature_version="s3v4")
    url = v4.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "o p"}, ExpiresIn=60)
    assert fetch(url) == (200, b"content")
    for bad in (url.replace("o%20p", "other"), url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"), url + "&versionId=null", url[:-1] + ("0" if url[-1] != "0" else "1")):
        assert fetch(bad)[0] in (400, 403), bad
    assert fetch(url, "DELETE")[0] == 403
    put = v4.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "new"}, ExpiresIn=60)
    assert fetch(put, "PUT", b"fresh")[0] == 200
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"fresh"
    assert fetch(put, "PUT", b"x", {"x-amz-meta-smuggled": "1"})[0] == 403


def test_changed_after_signing(s3, endpoint, bucket):
    """Body, header, query and path of a signed request, altered on its way."""
    s3.put_object(Bucket=bucket, Key="o", Body=b"old")

    def send(change):
        c = client(endpoint, signature_version="s3v4")
        c.meta.events.register("before-send.s3.PutObject", change)
        return c

    def body(request, **_):
        request.body = b"evil"

    def header(request, **_):
        request.headers["x-amz-meta-new"] = "1"

    def query(request, **_):
        request.url += "?tagging"

    def path(request, **_):
        request.url = request.url.replace("/o", "/p")

    for change in (body, header, query, path):
        with pytest.raises(Exception):
            send(change).put_object(Bucket=bucket, Key="o", Body=b"good")
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"old"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
