"""What a bucket's owner lays down: policy, canned ACLs, CORS."""

import json
import urllib.error
import urllib.request

import pytest
from conftest import anonymous, refusal


def statement(effect, action, bucket, path="/*", **more):
    return {"Effect": effect, "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{bucket}{path}", **more}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_policy(s3, endpoint, bucket):
    nobody = anonymous(endpoint)
    s3.put_object(Bucket=bucket, Key="open/o", Body=b"x")
    s3.put_object(Bucket=bucket, Key="closed/o", Body=b"x")
    assert refusal(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    text = policy(statement("Allow", "s3:GetObject", bucket, "/open/*"), statement("Deny", "s3:DeleteObject", bucket))
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    assert nobody.get_object(Bucket=bucket, Key="open/o")["Body"].read() == b"x"
    for call, args in ((nobody.get_object, {"Key": "closed/o"}), (nobody.put_object, {"Key": "open/o", "Body": b"y"}),
                       (nobody.delete_object, {"Key": "open/o"}), (nobody.list_objects_v2, {}), (s3.delete_object, {"Key": "open/o"})):
        assert refusal(call, Bucket=bucket, **args) == ("AccessDenied", 403)
    assert s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "open/o"}]})["Errors"][0]["Code"] == "AccessDenied"
    for bad in ("{", "{}", policy(statement("Maybe", "s3:GetObject", bucket))):
        assert refusal(s3.put_bucket_policy, Bucket=bucket, Policy=bad)[0] == "MalformedPolicy"
    s3.delete_bucket_policy(Bucket=bucket)
    assert refusal(nobody.get_object, Bucket=bucket, Key="open/o") == ("AccessDenied", 403)


def test_acls(s3, endpoint, bucket):
    nobody = anonymous(endpoint)
    s3.put_object(Bucket=bucket, Key="public", Body=b"x", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="private", Body=b"x")
    assert nobody.get_object(Bucket=bucket, Key="public")["Body"].read() == b"x"
    assert refusal(nobody.get_object, Bucket=bucket, Key="private") == ("AccessDenied", 403)
    assert refusal(nobody.list_objects_v2, Bucket=bucket) == ("AccessDenied", 403)
    s3.put_object_acl(Bucket=bucket, Key="public", ACL="private")
    assert refusal(nobody.get_object, Bucket=bucket, Key="public") == ("AccessDenied", 403)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert nobody.list_objects_v2(Bucket=bucket)["KeyCount"] == 2
    assert refusal(nobody.put_object, Bucket=bucket, Key="new", Body=b"") == ("AccessDenied", 403)
    assert refusal(nobody.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 2


def options(url, **headers):
    request = urllib.request.Request(url, method="OPTIONS", headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request) as r:
            return r.status, dict(r.headers)
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers)


def test_cors(s3, endpoint, bucket):
    assert refusal(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.shore.example"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    ask = {"Origin": "https://a.shore.example", "Access_Control_Request_Method": "GET"}
    status, head = options(f"{endpoint}/{bucket}/o", **ask)
    assert status == 200 and head["Access-Control-Allow-Origin"] in ("https://a.shore.example", "*") and head["Access-Control-Max-Age"] == "60"
    assert options(f"{endpoint}/{bucket}/o", **{**ask, "Access_Control_Request_Method": "PUT"})[0] == 403
    assert options(f"{endpoint}/{bucket}/o", **{**ask, "Origin": "https://elsewhere.example"})[0] == 403
    s3.delete_bucket_cors(Bucket=bucket)
    with pytest.raises(Exception):
        s3.get_bucket_cors(Bucket=bucket)
