"""The gateway under test, and what tests make on it.

AIS_ENDPOINT: use this running server. Else start the daemon (ORLOPD overrides its path).
ORLOP=1 together with AIS_ENDPOINT: the server is Orlop, so tests marked orlop_only run too.
"""

import os
import random
import string
from importlib.metadata import version

import pytest
from aistore.sdk import Client
from aistore.sdk.retry_config import RetryConfig
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
from urllib3.util.retry import Retry

from server import Server
from wire import Wire

SDK_MAJOR = int(version("aistore").split(".")[0])
EXTERNAL = os.environ.get("AIS_ENDPOINT", "")
IS_ORLOP = not EXTERNAL or os.environ.get("ORLOP", "") == "1"


def pytest_report_header():
    return f"SDK {version('aistore')}, server {EXTERNAL or 'started here'}"


def pytest_collection_modifyitems(items):
    skip = pytest.mark.skip(reason="holds for Orlop only")
    for item in items:
        if not IS_ORLOP and item.get_closest_marker("orlop_only"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def server():
    """The daemon's process, or None when AIS_ENDPOINT names a server."""
    if EXTERNAL:
        yield None
        return
    srv = Server().start()
    yield srv
    alive = srv.alive()
    status = srv.stop()
    tail = srv.log_text()[-6000:]
    srv.remove()
    assert alive, f"the daemon died during the tests:\n{tail}"
    assert status == 0, f"exit status {status} after SIGTERM:\n{tail}"


@pytest.fixture(scope="session")
def endpoint(server):
    return server.url if server else EXTERNAL.rstrip("/")


@pytest.fixture(scope="session")
def wire(endpoint):
    return Wire(endpoint)


def sdk_client(url):
    """An SDK client that fails at once instead of retrying."""
    no_retry = RetryConfig(
        http_retry=Retry(total=0, raise_on_status=False),
        network_retry=Retrying(stop=stop_after_attempt(1), retry=retry_if_exception_type(()), reraise=True),
    )
    return Client(url, retry_config=no_retry, timeout=(3, 20))


@pytest.fixture(scope="session")
def client(endpoint):
    return sdk_client(endpoint)


def random_name(prefix="bb"):
    return f"{prefix}-" + "".join(random.choices(string.ascii_lowercase + string.digits, k=10))


@pytest.fixture
def new_name():
    """Makes bucket names; what exists under them at the end is removed by `cleanup`."""
    return random_name


@pytest.fixture
def cleanup(wire):
    """A list of bucket names to destroy after the test."""
    names = []
    yield names
    for name in names:
        wire.bucket("DELETE", name, "destroy-bck")


@pytest.fixture
def make_bucket(wire, cleanup):
    """Makes a bucket, with properties if given, and returns its name."""

    def make(props=None):
        name = random_name()
        cleanup.append(name)
        r = wire.bucket("POST", name, "create-bck", props)
        assert r.status_code == 200, r.text
        return name

    return make


@pytest.fixture
def bck(make_bucket):
    """The name of a fresh bucket."""
    return make_bucket()


@pytest.fixture
def bucket(client, bck):
    """The same bucket, as the SDK's object."""
    return client.bucket(bck)


@pytest.fixture(scope="module")
def shared(wire):
    """One bucket for a whole module; tests in it use names of their own or only read."""
    name = random_name("shared")
    r = wire.bucket("POST", name, "create-bck")
    assert r.status_code == 200, r.text
    yield name
    wire.bucket("DELETE", name, "destroy-bck")


def attributes(obj, props):
    """HEAD with selected properties, in the spelling of either SDK."""
    return obj.head_v2(props) if SDK_MAJOR < 2 else obj.head(props)


def wait_job(client, job_id, timeout=30):
    result = client.job(job_id).wait(timeout=timeout)
    assert result.success, result.error
    return result
