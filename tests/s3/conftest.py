"""Three servers, and a client of each: one node's S3 port, /s3 of its public port, and /s3 of a proxy whose cluster has two targets."""

import os
import pathlib
import random
import string
import sys

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "cluster"), str(TESTS / "blackbox")]
ACCESS, SECRET = "AKTESTTESTTEST", "a-secret/of+tests"
os.environ.update(ORLOP_ACCESS_KEY=ACCESS, ORLOP_SECRET_KEY=SECRET)

from cluster import Cluster  # noqa: E402
from server import Server, free_port  # noqa: E402


def client(endpoint, access=ACCESS, secret=SECRET, **config):
    return boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=access, aws_secret_access_key=secret, region_name="us-east-1",
                        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1, "mode": "standard"}, **config))


def anonymous(endpoint):
    return client(endpoint, signature_version=UNSIGNED)


def refusal(call, **args):
    """(code, status) of a request that must be refused."""
    with pytest.raises(ClientError) as e:
        call(**args)
    r = e.value.response
    assert r["ResponseMetadata"].get("RequestId") or r["ResponseMetadata"]["HTTPHeaders"].get("x-amz-request-id")
    return r["Error"]["Code"], r["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="session")
def node():
    port = free_port()
    server = Server(mountpaths=2, options=["--s3-listen", f"127.0.0.1:{port}"]).start()
    yield server.url, f"http://127.0.0.1:{port}"
    alive, status = server.alive(), server.stop()
    text = server.log_text()[-4000:]
    server.remove()
    assert alive and status == 0, text


@pytest.fixture(scope="session")
def proxy():
    with Cluster(2, 2) as c:
        c.rebalanced()
        yield f"http://127.0.0.1:{c.proxies[1].port}"
        assert all(m.alive() for m in c.members)


@pytest.fixture(scope="session", params=["port", "mounted", "cluster"])
def endpoint(request):
    if request.param == "cluster":
        return request.getfixturevalue("proxy") + "/s3"
    native, s3 = request.getfixturevalue("node")
    return s3 if request.param == "port" else native + "/s3"


@pytest.fixture(scope="session")
def s3(endpoint):
    return client(endpoint)


@pytest.fixture
def bucket(s3):
    name = "t-" + "".join(random.choices(string.ascii_lowercase, k=12))
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for o in page.get("Contents", []):
            s3.delete_object(Bucket=name, Key=o["Key"])
    s3.delete_bucket(Bucket=name)
