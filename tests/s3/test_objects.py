"""Objects: bytes, metadata, ranges, conditions, tags, copies."""

import hashlib

import pytest
from conftest import refusal

DATA = b"what the shore was made of\n" * 4000


@pytest.mark.parametrize("key", ["plain", "a/b c+&é.txt", "dir/", "%41", "x" * 1024, "q?d=1#f", "日本"])
def test_names(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=DATA)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == DATA
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


def test_sizes(s3, bucket):
    for size in (0, 1, 32 * 1024, 32 * 1024 + 1, 3_000_000):
        body = (DATA * (size // len(DATA) + 1))[:size]
        etag = s3.put_object(Bucket=bucket, Key="o", Body=body)["ETag"]
        r = s3.get_object(Bucket=bucket, Key="o")
        assert r["Body"].read() == body and r["ContentLength"] == size
        assert etag == r["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'


def test_metadata_is_kept(s3, bucket):
    given = {"ContentType": "text/x-shore", "CacheControl": "no-store", "ContentDisposition": "inline", "ContentLanguage": "de", "ContentEncoding": "x-none"}
    s3.put_object(Bucket=bucket, Key="o", Body=DATA, Metadata={"one": "1", "two": "zwei"}, **given)
    for r in (s3.head_object(Bucket=bucket, Key="o"), s3.get_object(Bucket=bucket, Key="o")):
        assert {k: r[k] for k in given} == given and r["Metadata"] == {"one": "1", "two": "zwei"}
    r = s3.get_object(Bucket=bucket, Key="o", ResponseContentType="text/html", ResponseCacheControl="private")
    assert r["ContentType"] == "text/html" and r["CacheControl"] == "private"
    s3.put_object(Bucket=bucket, Key="o", Body=DATA)
    assert s3.head_object(Bucket=bucket, Key="o")["Metadata"] == {}


def test_ranges(s3, bucket):
    s3.put_object(Bucket=bucket, Key="o", Body=DATA)
    for text, part in (("bytes=0-0", DATA[:1]), ("bytes=5-99", DATA[5:100]), ("bytes=-7", DATA[-7:]), (f"bytes={len(DATA) - 3}-", DATA[-3:])):
        r = s3.get_object(Bucket=bucket, Key="o", Range=text)
        assert r["Body"].read() == part and r["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert refusal(s3.get_object, Bucket=bucket, Key="o", Range=f"bytes={len(DATA)}-") == ("InvalidRange", 416)


def test_checksums(s3, bucket):
    for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        put = s3.put_object(Bucket=bucket, Key="o", Body=DATA, ChecksumAlgorithm=name)
        got = s3.get_object(Bucket=bucket, Key="o", ChecksumMode="ENABLED")
        assert got["Body"].read() == DATA
        assert put[f"Checksum{name}"] == got[f"Checksum{name}"] == s3.head_object(Bucket=bucket, Key="o", ChecksumMode="ENABLED")[f"Checksum{name}"]
    assert refusal(s3.put_object, Bucket=bucket, Key="o", Body=DATA, ChecksumSHA256="A" * 43 + "=")[0] == "BadDigest"
    assert refusal(s3.put_object, Bucket=bucket, Key="o", Body=DATA, ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")[0] == "BadDigest"
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == DATA


def test_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="o", Body=b"1", IfNoneMatch="*")["ETag"]
    assert refusal(s3.put_object, Bucket=bucket, Key="o", Body=b"2", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert refusal(s3.put_object, Bucket=bucket, Key="o", Body=b"2", IfMatch='"other"') == ("PreconditionFailed", 412)
    assert refusal(s3.get_object, Bucket=bucket, Key="o", IfNoneMatch=etag)[1] == 304
    assert refusal(s3.get_object, Bucket=bucket, Key="o", IfMatch='"other"')[1] == 412
    s3.put_object(Bucket=bucket, Key="o", Body=b"2", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="o", IfNoneMatch=etag)["Body"].read() == b"2"
    assert refusal(s3.put_object, Bucket=bucket, Key="none", Body=b"2", IfMatch=etag) == ("NoSuchKey", 404)


def test_tags(s3, bucket):
    tags = [{"Key": "a+b", "Value": "é"}, {"Key": "c", "Value": ""}]
    s3.put_object(Bucket=bucket, Key="o", Body=b"", Tagging="x=y")
    assert s3.get_object_tagging(Bucket=bucket, Key="o")["TagSet"] == [{"Key": "x", "Value": "y"}]
    s3.put_object_tagging(Bucket=bucket, Key="o", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="o")["TagSet"] == tags
    assert refusal(s3.put_object_tagging, Bucket=bucket, Key="o", Tagging={"TagSet": [{"Key": "k" * 129, "Value": ""}]})[0] == "InvalidTag"
    s3.delete_object_tagging(Bucket=bucket, Key="o")
    assert s3.get_object_tagging(Bucket=bucket, Key="o")["TagSet"] == []


def test_copies(s3, bucket):
    for size in (100, 2_000_000):
        body = (DATA * 20)[:size]
        s3.put_object(Bucket=bucket, Key="from é", Body=body, Metadata={"m": "1"}, ContentType="text/x-a")
        for i in range(6):  # some of these names belong to another target
            r = s3.copy_object(Bucket=bucket, Key=f"to{i}", CopySource={"Bucket": bucket, "Key": "from é"})
            got = s3.get_object(Bucket=bucket, Key=f"to{i}")
            assert got["Body"].read() == body and got["Metadata"] == {"m": "1"} and got["ETag"] == r["CopyObjectResult"]["ETag"]
    s3.copy_object(Bucket=bucket, Key="to0", CopySource={"Bucket": bucket, "Key": "to0"}, MetadataDirective="REPLACE", Metadata={"n": "2"})
    assert s3.head_object(Bucket=bucket, Key="to0")["Metadata"] == {"n": "2"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="to0", CopySource={"Bucket": bucket, "Key": "to0"}) == ("InvalidRequest", 400)
    assert refusal(s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "none"}) == ("NoSuchKey", 404)


def test_deletes(s3, bucket):
    keys = [f"d/{i}" for i in range(60)]
    for k in keys:
        s3.put_object(Bucket=bucket, Key=k, Body=b"x")
    s3.delete_object(Bucket=bucket, Key="never was")
    r = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys[:50]] + [{"Key": "never was"}]})
    assert len(r["Deleted"]) == 51 and not r.get("Errors")
    assert refusal(s3.head_object, Bucket=bucket, Key=keys[0])[1] == 404
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 10
    assert refusal(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
