"""Buckets and lists."""

from conftest import refusal


def test_life(s3, bucket):
    assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert refusal(s3.create_bucket, Bucket=bucket) == ("BucketAlreadyOwnedByYou", 409)
    assert refusal(s3.create_bucket, Bucket="Upper") == ("InvalidBucketName", 400)
    assert refusal(s3.list_objects_v2, Bucket="there-is-none") == ("NoSuchBucket", 404)
    assert refusal(s3.delete_bucket, Bucket="there-is-none") == ("NoSuchBucket", 404)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def test_what_is_not_built_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="o", Body=b"x")
    for name in ("get_bucket_lifecycle_configuration", "delete_bucket_lifecycle", "get_bucket_website",
                 "delete_bucket_website", "get_bucket_replication", "get_bucket_logging", "delete_bucket_encryption"):
        assert refusal(getattr(s3, name), Bucket=bucket)[1] == 501, name
    assert refusal(s3.put_object, Bucket=bucket, Key="o", Body=b"y", ServerSideEncryption="AES256")[1] == 501
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"x"


def names(s3, method, bucket, size, **args):
    keys, prefixes = [], []
    for page in s3.get_paginator(method).paginate(Bucket=bucket, PaginationConfig={"PageSize": size}, **args):
        keys += [o["Key"] for o in page.get("Contents", [])]
        prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
    return keys, prefixes


def fold(keys, prefix, delimiter):
    plain, folded = [], []
    for k in sorted(keys):
        rest = k[len(prefix):]
        if not k.startswith(prefix):
            continue
        at = rest.find(delimiter) if delimiter else -1
        if at < 0:
            plain.append(k)
        elif prefix + rest[:at + len(delimiter)] not in folded:
            folded.append(prefix + rest[:at + len(delimiter)])
    return plain, folded


def test_versions_of_what_has_none(s3, bucket):
    for i in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{i}", Body=b"x")
    found = [v for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}) for v in page["Versions"]]
    assert [(v["Key"], v["VersionId"], v["IsLatest"]) for v in found] == [(f"k{i}", "null", True) for i in range(5)]
    s3.delete_object(Bucket=bucket, Key="k0", VersionId="null")
    assert refusal(s3.head_object, Bucket=bucket, Key="k0")[1] == 404
    assert refusal(s3.get_object, Bucket=bucket, Key="k1", VersionId="abc")[0] in ("NoSuchVersion", "InvalidArgument")


def test_lists(s3, bucket):
    keys = [f"{a}/{b}-{i}" for a in "abc" for b in "xy" for i in range(4)] + ["a", "a/", "b", "zz", "é/ü"]
    for k in keys:
        s3.put_object(Bucket=bucket, Key=k, Body=k.encode())
    for method in ("list_objects_v2", "list_objects"):
        for prefix in ("", "a", "a/", "a/x", "none"):
            for delimiter in ("", "/", "-", "x-"):
                want = fold(keys, prefix, delimiter)
                for size in (1, 3, 1000):
                    args = {"Prefix": prefix, **({"Delimiter": delimiter} if delimiter else {})}
                    assert names(s3, method, bucket, size, **args) == want, (method, prefix, delimiter, size)
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, StartAfter="b/y-3")["Contents"]] == [k for k in sorted(keys) if k > "b/y-3"]
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    one = s3.list_objects_v2(Bucket=bucket, Prefix="zz")["Contents"][0]
    assert one["Size"] == 2 and one["ETag"] == s3.head_object(Bucket=bucket, Key="zz")["ETag"]
