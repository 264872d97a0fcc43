"""Cluster and node state: map, health, status, configuration, statistics, logs."""

import io
import tarfile
import time

import pytest
import xxhash

from conftest import sdk_client
from server import free_port
from wire import check_error, until

SEED = 1103515245


@pytest.fixture(scope="module")
def smap(wire):
    return wire.request("GET", "/v1/daemon", params={"what": "smap"}).json()


@pytest.fixture(scope="module")
def target(smap):
    return next(iter(smap["tmap"]))


def _what(wire, place, what, **kw):
    params = {"what": what, **kw.pop("params", {})}
    return wire.request("GET", f"/v1/{place}", params=params, **kw)


def _of(wire, node, what, **kw):
    """what= of one node, by way of the gateway."""
    headers = {"Ais-Node-Id": node, **kw.pop("headers", {})}
    return _what(wire, "reverse/daemon", what, headers=headers, **kw)


# -- cluster map


def test_smap_form(smap):
    assert {"pmap", "proxy_si", "tmap", "uuid", "creation_time", "version"} <= set(smap)
    assert isinstance(smap["version"], str) and int(smap["version"]) > 0
    assert smap["proxy_si"]["daemon_id"] in smap["pmap"]
    assert smap["pmap"][smap["proxy_si"]["daemon_id"]] == smap["proxy_si"]
    time.strptime(smap["creation_time"], "%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("kind, role", [("pmap", "proxy"), ("tmap", "target")])
def test_smap_nodes(smap, kind, role):
    assert smap[kind]
    for node_id, node in smap[kind].items():
        assert (node["daemon_id"], node["daemon_type"]) == (node_id, role)
        assert isinstance(node["flags"], int)
        for net in ("public_net", "intra_control_net", "intra_data_net"):
            assert set(node[net]) == {"node_ip_addr", "daemon_port", "direct_url"}
            assert isinstance(node[net]["daemon_port"], str)
            assert node[net]["direct_url"].startswith("http")


def test_smap_digests(smap):
    for node in [*smap["pmap"].values(), *smap["tmap"].values()]:
        assert node["id_digest"] == xxhash.xxh64(node["daemon_id"], seed=SEED).intdigest()


def test_node_ids(smap):
    ids = list(smap["pmap"]) + list(smap["tmap"])
    assert len(set(ids)) == len(ids)
    assert all(len(i) >= 8 for i in ids)


def test_public_urls_answer(wire, smap):
    for node in [*smap["pmap"].values(), *smap["tmap"].values()]:
        assert wire.session.get(node["public_net"]["direct_url"] + "/v1/health", timeout=10).status_code == 200


def test_smap_is_the_same_everywhere(wire, smap):
    assert _what(wire, "cluster", "smap").json() == smap


def test_smap_by_sdk(client):
    info = client.cluster().get_info()
    assert len(info.tmap) >= 1 and len(info.pmap) >= 1
    assert info.proxy_si.daemon_id in info.pmap


def test_uuid_by_sdk(client, smap):
    assert client.cluster().get_uuid() == smap["uuid"]


def test_primary_url_by_sdk(client, smap):
    assert client.cluster().get_primary_url() == smap["proxy_si"]["public_net"]["direct_url"]


# -- health


def test_health(wire):
    r = wire.request("GET", "/v1/health")
    assert (r.status_code, r.content) == (200, b"")
    assert int(r.headers["Ais-Node-Uptime"]) > 0
    assert int(r.headers["Ais-Cluster-Uptime"]) > 0


def test_uptime_grows(wire):
    first = int(wire.request("GET", "/v1/health").headers["Ais-Node-Uptime"])
    until(lambda: int(wire.request("GET", "/v1/health").headers["Ais-Node-Uptime"]) > first)


@pytest.mark.parametrize("query", ["readiness", "prr"])
def test_health_queries(wire, query):
    assert wire.request("GET", "/v1/health", params={query: "true"}).status_code == 200


def test_health_with_cluster_information(wire, smap):
    doc = wire.request("GET", "/v1/health", params={"cii": "true"}).json()
    assert {"smap", "bmd", "rmd", "config", "etlmd", "flags"} <= set(doc)
    assert doc["smap"]["Primary"]["id"] == smap["proxy_si"]["daemon_id"]
    assert doc["smap"]["uuid"] == smap["uuid"]
    assert int(doc["flags"]) & 6 == 6


def test_ready_by_sdk(client):
    assert client.cluster().is_ready() is True


def test_not_ready_by_sdk():
    assert sdk_client(f"http://127.0.0.1:{free_port()}").cluster().is_ready() is False


# -- node status


def test_node_status(wire, smap, target):
    doc = _of(wire, target, "node_status").json()
    assert {"status", "deployment", "ais_version", "snode", "tracker", "capacity", "cluster", "sys_info", "smap_version"} <= set(doc)
    assert doc["status"] == ""
    assert doc["snode"]["daemon_id"] == target
    assert doc["smap_version"] == smap["version"]
    assert doc["ais_version"].count(".") >= 2


def test_node_status_capacity(wire, target):
    cap = _of(wire, target, "node_status").json()["capacity"]
    assert cap["mountpaths"]
    for mp in cap["mountpaths"].values():
        assert int(mp["avail"]) > 0 and isinstance(mp["used"], str)
        assert 0 <= mp["pct_used"] <= 100
        assert {"Fs", "FsType", "FsID"} <= set(mp["fs"])
    assert int(cap["total_avail"]) > 0


def test_node_status_system_information(wire, target):
    info = _of(wire, target, "node_status").json()["sys_info"]
    assert info["mem_used"] > 0 and info["mem_avail"] > 0
    assert set(info["load_avg"]) == {"One", "Five", "Fifteen"}


def test_node_status_counts_requests(wire, bck, target):
    def put_count():
        return _of(wire, target, "node_status").json()["tracker"].get("put.n", 0)

    before = put_count()
    for i in range(5):
        wire.put(bck, f"o{i}", b"x")
    until(lambda: put_count() >= before + 5)


def test_proxy_status(wire, smap):
    primary = smap["proxy_si"]["daemon_id"]
    doc = _of(wire, primary, "node_status").json()
    assert doc["snode"]["daemon_type"] == "proxy"
    assert not (doc["capacity"] or {}).get("mountpaths")


def test_performance_by_sdk(client, smap):
    doc = client.cluster().get_performance()
    assert set(doc) == set(smap["tmap"])
    for status in doc.values():
        assert isinstance(status["tracker"], dict)


# -- reverse


def test_reverse_without_a_node(wire):
    check_error(_what(wire, "reverse/daemon", "snode"), 400, text="node ID")


def test_reverse_to_an_unknown_node(wire):
    check_error(_of(wire, "xxxxxxxxx", "snode"), 404, "errNodeNotFound")


def test_reverse_to_each_node(wire, smap):
    for node in [*smap["pmap"], *smap["tmap"]]:
        assert _of(wire, node, "snode").json()["daemon_id"] == node


# -- other state


def test_bmd(wire, bck):
    doc = _what(wire, "daemon", "bmd").json()
    assert {"providers", "uuid", "version"} <= set(doc)
    props = doc["providers"]["ais"]["@#"][bck]
    assert props == wire.bucket_props(bck)


def test_bmd_version_grows(wire, make_bucket):
    before = int(_what(wire, "daemon", "bmd").json()["version"])
    make_bucket()
    assert int(_what(wire, "daemon", "bmd").json()["version"]) > before


def test_snode(wire, smap):
    assert _what(wire, "daemon", "snode").json()["daemon_id"] == smap["proxy_si"]["daemon_id"]


def test_software_version(wire):
    r = _what(wire, "daemon", "software_version")
    assert r.headers["Content-Type"].startswith("text/plain")
    assert r.text.count(".") >= 2 and r.text == r.text.strip()


def test_target_ips(wire):
    assert "127.0.0.1" in _what(wire, "cluster", "target_ips").text


def test_backends(wire):
    assert isinstance(_what(wire, "cluster", "backends").json(), list)


def test_remote_clusters(wire):
    doc = _what(wire, "cluster", "remote").json()
    assert not doc["a"] and isinstance(doc["ver"], int)


def test_mountpaths(wire, target):
    doc = _of(wire, target, "mountpaths").json()
    assert set(doc) == {"available", "waiting_dd", "disabled"}
    assert len(doc["available"]) >= 2
    assert _what(wire, "cluster", "mountpaths").json()["targets"][target] == doc


def test_disks(wire, target):
    doc = _of(wire, target, "disk").json()
    assert {"AllDiskStats", "mountpaths", "total_used", "total_avail", "pct_max", "pct_avg", "pct_min"} <= set(doc)


def test_system_information(wire, target):
    assert _of(wire, target, "sysinfo").json()["mem_used"] > 0
    doc = _what(wire, "cluster", "sysinfo").json()
    assert target in doc["target"]


def test_statistics(wire, target):
    doc = _of(wire, target, "node_stats").json()
    assert doc["snode"]["daemon_id"] == target
    assert isinstance(doc["tracker"], dict)
    assert target in _what(wire, "cluster", "node_stats").json()["target"]


def test_metric_kinds(wire, target):
    doc = _of(wire, target, "metrics").json()
    assert doc["get.n"] == "counter"
    assert doc["put.size"] == "size"
    kinds = {"counter", "latency", "size", "bw", "compbw", "gauge", "total", "special", "histogram"}
    assert set(doc.values()) <= kinds


def test_prometheus(wire):
    r = wire.request("GET", "/metrics")
    assert r.status_code == 200
    assert r.headers["Content-Type"].startswith("text/plain")
    assert "# TYPE ais_" in r.text


def test_certificate_without_tls(wire):
    check_error(_what(wire, "daemon", "tls_certificate"), 404)


@pytest.mark.parametrize("place", ["daemon", "cluster"])
@pytest.mark.parametrize("params", [{}, {"what": "zzz"}, {"what": ""}], ids=str)
def test_unknown_what(wire, place, params):
    check_error(wire.request("GET", f"/v1/{place}", params=params), 400)


# -- logs


def test_log(wire, target):
    r = _of(wire, target, "log")
    assert r.status_code == 200
    assert r.headers["Content-Type"].startswith("text/plain")


def test_log_by_sdk(client, target):
    assert isinstance(client.cluster().get_node_log(target), str)


def test_logs_of_all_by_sdk(client, smap):
    assert set(client.cluster().get_cluster_logs()) == set(smap["tmap"])


def test_log_archive_by_sdk(client, target):
    data = client.cluster().get_node_log_archive(target)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        assert isinstance(tar.getnames(), list)


# -- configuration

SECTIONS = {
    "write_policy", "checksum", "lso", "rate_limit", "keepalivetracker", "rebalance", "resilver", "log", "ec", "space",
    "lru", "transport", "disk", "fshc", "chunks", "mirror", "periodic", "client", "downloader", "auth", "backend", "proxy",
    "net", "timeout", "memsys", "versioning",
}


def _config(wire):
    return _what(wire, "cluster", "cluster_config").json()


def _set(wire, **query):
    params = {k.replace("__", "."): v for k, v in query.items()}
    return wire.request("PUT", "/v1/cluster/set-config", params=params)


@pytest.fixture
def config_back(wire):
    """Puts back what a test changes."""
    before = _config(wire)
    yield
    after = _config(wire)
    for section, values in before.items():
        if isinstance(values, dict) and values != after[section]:
            for key, value in values.items():
                if value != after[section][key]:
                    text = str(value).lower() if isinstance(value, bool) else str(value)
                    assert _set(wire, **{f"{section}__{key}": text}).status_code == 200


def test_cluster_config(wire, smap):
    doc = _config(wire)
    assert SECTIONS <= set(doc)
    assert doc["uuid"] == smap["uuid"]
    assert isinstance(doc["config_version"], str)
    assert isinstance(doc["features"], str)


@pytest.mark.parametrize(
    "path, value",
    [
        ("checksum.type", "xxhash2"), ("versioning.enabled", True), ("mirror.copies", 2), ("ec.objsize_limit", 262144),
        ("client.client_timeout", "10s"), ("lru.enabled", False), ("write_policy.data", "immediate"),
        ("chunks.chunk_size", "1GiB"), ("space.out_of_space", 95), ("net.http.use_https", False),
    ],
)
def test_config_defaults(wire, path, value):
    doc = _config(wire)
    for key in path.split("."):
        doc = doc[key]
    assert doc == value


def test_node_config_has_every_section(wire, target):
    doc = _of(wire, target, "config").json()
    assert SECTIONS <= set(doc)
    assert {"confdir", "log_dir", "host_net", "fspaths"} <= set(doc)
    assert isinstance(doc["host_net"]["port"], str)


def test_node_config_tells_where_its_state_is(wire, target):
    config = _of(wire, target, "config").json()
    assert config["confdir"].startswith("/") and config["host_net"]["port"].isdigit()
    assert all(path.startswith("/") for path in config["fspaths"])


def test_set_config_by_query(wire, config_back):
    before = int(_config(wire)["config_version"])
    r = _set(wire, periodic__stats_time="12s")
    assert (r.status_code, r.content) == (200, b"")
    assert _config(wire)["periodic"]["stats_time"] == "12s"
    until(lambda: int(_config(wire)["config_version"]) > before)


def test_set_config_by_message(wire, config_back):
    r = wire.action("PUT", "/v1/cluster", "set-config", {"lru": {"batch_size": 40000}})
    assert r.status_code == 200
    assert _config(wire)["lru"]["batch_size"] == 40000


def test_reset_config(wire):
    assert wire.action("PUT", "/v1/cluster", "reset-config").status_code == 200
    assert _config(wire)["checksum"]["type"] == "xxhash2"


def test_new_buckets_take_the_clusters_defaults(wire, make_bucket, config_back):
    old = make_bucket()
    assert _set(wire, checksum__type="md5").status_code == 200
    assert wire.bucket_props(make_bucket())["checksum"]["type"] == "md5"
    assert wire.bucket_props(old)["checksum"]["type"] == "xxhash2"


@pytest.mark.parametrize(
    "query, text",
    [
        ({"foo__bar": "1"}, "foo.bar"),
        ({"checksum__type": "zzz"}, '"zzz"'),
        ({"periodic__stats_time": "1ms"}, None),
        ({"mirror__copies": "x"}, None),
        ({"versioning__enabled": "maybe"}, None),
        ({"space__out_of_space": "20"}, None),
        ({"client__client_timeout": "soon"}, None),
    ],
    ids=str,
)
def test_set_bad_config(wire, query, text):
    before = _config(wire)
    check_error(_set(wire, **query), 400, text=text)
    assert _config(wire) == before


@pytest.mark.orlop_only
@pytest.mark.parametrize("key", ["mirror__enabled", "ec__enabled", "rate_limit__frontend__enabled"])
def test_config_that_is_not_built(wire, key):
    before = _config(wire)
    check_error(_set(wire, **{key: "true"}), (400, 501))
    assert _config(wire) == before


def test_set_no_config(wire):
    check_error(wire.request("PUT", "/v1/cluster/set-config"), 400)


def test_set_config_of_an_unknown_field(wire):
    check_error(wire.action("PUT", "/v1/cluster", "set-config", {"lru": {"zzz": 1}}), 400, text="zzz")


def test_cluster_section_on_one_node(wire, target):
    r = wire.request("PUT", "/v1/reverse/daemon/set-config", params={"mirror.copies": "3"}, headers={"Ais-Node-Id": target})
    check_error(r, 400)


def test_unknown_cluster_action(wire):
    check_error(wire.action("PUT", "/v1/cluster", "zzz"), 400, text="zzz")


def test_reset_statistics(wire, target):
    assert wire.action("PUT", "/v1/cluster", "reset-stats", False).status_code == 200
    assert _of(wire, target, "node_stats").status_code == 200


# -- mountpaths


def test_attach_a_missing_path(wire, target):
    r = wire.action(
        "PUT", "/v1/reverse/daemon/mountpaths", "attach-mp", "/no/such/path/here", headers={"Ais-Node-Id": target}
    )
    check_error(r, 404)


@pytest.mark.parametrize("method, action", [("POST", "enable-mp"), ("POST", "disable-mp"), ("DELETE", "detach-mp")])
def test_change_an_unknown_mountpath(wire, target, method, action):
    r = wire.action(
        method, "/v1/reverse/daemon/mountpaths", action, "/no/such/mountpath", headers={"Ais-Node-Id": target}
    )
    check_error(r, 404, "ErrMpathNotFound")


# -- jobs


def test_jobs_status_by_sdk(client, bucket, make_bucket):
    bucket.object("o").get_writer().put_content(b"x")
    job = bucket.copy(client.bucket(make_bucket()))
    client.job(job).wait(timeout=30)
    status = client.job(job).status()
    assert (status.uuid, status.err, status.aborted) == (job, "", False)
    assert status.end_time > 0
    assert job in {j.uuid for j in client.cluster().list_jobs_status()}


def test_status_of_an_unknown_job(wire):
    r = wire.request("GET", "/v1/cluster", params={"what": "status"}, json={"id": "nosuchjob"})
    check_error(r, 404)


def test_job_details_by_sdk(client, bucket, make_bucket):
    for i in range(3):
        bucket.object(f"o{i}").get_writer().put_content(b"x" * 100)
    job = client.job(bucket.copy(client.bucket(make_bucket())))
    job.wait(timeout=30)
    snaps = job.get_details().list_snapshots()
    assert sum(s.stats.objects for s in snaps) == 3
    assert sum(s.stats.bytes for s in snaps) == 300


def test_list_running_jobs_by_sdk(client):
    assert isinstance(client.cluster().list_running_jobs(), list)


def test_status_of_all_jobs(client):
    """Also of those that still run: "not only the active ones" is what the SDK asks for."""
    for _ in range(20):
        jobs = {client.job(job_kind="lru").start() for _ in range(3)}
        assert jobs <= {s.uuid for s in client.cluster().list_jobs_status()}
