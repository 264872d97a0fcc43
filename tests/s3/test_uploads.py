"""Multipart uploads."""

import hashlib
import io

import pytest
from conftest import refusal

MIB = 2 ** 20


def upload(s3, bucket, key, parts, **args):
    uid = s3.create_multipart_upload(Bucket=bucket, Key=key, **args)["UploadId"]
    done = [{"PartNumber": n, "ETag": s3.upload_part(Bucket=bucket, Key=key, UploadId=uid, PartNumber=n, Body=body)["ETag"]} for n, body in parts]
    return uid, done


def test_parts_with_gaps_in_any_order(s3, bucket):
    parts = [(7, b"end"), (1, b"a" * 5 * MIB), (3, b"b" * (5 * MIB + 1))]
    uid, done = upload(s3, bucket, "o", parts, Metadata={"m": "1"}, ContentType="text/x-a")
    listed = s3.list_parts(Bucket=bucket, Key="o", UploadId=uid)["Parts"]
    assert [(p["PartNumber"], p["Size"]) for p in listed] == [(1, 5 * MIB), (3, 5 * MIB + 1), (7, 3)]
    done.sort(key=lambda p: p["PartNumber"])
    first = s3.complete_multipart_upload(Bucket=bucket, Key="o", UploadId=uid, MultipartUpload={"Parts": done})
    body = b"".join(b for _, b in sorted(parts))
    digests = b"".join(hashlib.md5(b).digest() for _, b in sorted(parts))
    assert first["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    got = s3.get_object(Bucket=bucket, Key="o")
    assert got["Body"].read() == body and got["Metadata"] == {"m": "1"} and got["ContentType"] == "text/x-a" and got["ETag"] == first["ETag"]
    again = s3.complete_multipart_upload(Bucket=bucket, Key="o", UploadId=uid, MultipartUpload={"Parts": done})
    assert again["ETag"] == first["ETag"]
    second = s3.get_object(Bucket=bucket, Key="o", PartNumber=2)
    assert second["PartsCount"] == 3 and second["Body"].read() == parts[2][1]
    assert refusal(s3.get_object, Bucket=bucket, Key="o", PartNumber=4)[1] == 416


def test_refusals(s3, bucket):
    uid, done = upload(s3, bucket, "o", [(1, b"x"), (2, b"y")])
    complete = lambda parts: refusal(s3.complete_multipart_upload, Bucket=bucket, Key="o", UploadId=uid, MultipartUpload={"Parts": parts})  # noqa: E731
    assert complete(done) == ("EntityTooSmall", 400)
    assert complete(done[::-1]) == ("InvalidPartOrder", 400)
    assert complete([{"PartNumber": 3, "ETag": done[0]["ETag"]}]) == ("InvalidPart", 400)
    assert complete([{"PartNumber": 1, "ETag": done[1]["ETag"]}]) == ("InvalidPart", 400)
    s3.abort_multipart_upload(Bucket=bucket, Key="o", UploadId=uid)
    assert complete(done[:1]) == ("NoSuchUpload", 404)
    assert refusal(s3.head_object, Bucket=bucket, Key="o")[1] == 404


def test_managed_transfers(s3, bucket):
    body = bytes(range(256)) * 100_000
    s3.upload_fileobj(io.BytesIO(body), bucket, "big")
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy")
    out = io.BytesIO()
    s3.download_fileobj(bucket, "copy", out)
    assert out.getvalue() == body


def test_checksum_of_parts(s3, bucket):
    uid = s3.create_multipart_upload(Bucket=bucket, Key="o", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for n, body in ((1, b"a" * 5 * MIB), (2, b"b")):
        p = s3.upload_part(Bucket=bucket, Key="o", UploadId=uid, PartNumber=n, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": n, "ETag": p["ETag"], "ChecksumSHA256": p["ChecksumSHA256"]})
    done = s3.complete_multipart_upload(Bucket=bucket, Key="o", UploadId=uid, MultipartUpload={"Parts": parts})
    assert done["ChecksumSHA256"].endswith("-2")
    assert s3.head_object(Bucket=bucket, Key="o", ChecksumMode="ENABLED")["ChecksumSHA256"] == done["ChecksumSHA256"]
    with pytest.raises(Exception):
        s3.complete_multipart_upload(Bucket=bucket, Key="o", UploadId="nonsense", MultipartUpload={"Parts": parts})
