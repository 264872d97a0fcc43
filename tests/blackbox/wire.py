"""Plain HTTP towards one gateway, without retries, and the checks that all replies share.

The SDK retries some statuses for a minute and a half and hides headers; tests that look at
statuses, headers or error bodies use this instead.
"""

import hashlib
import http.client
import json
import socket
import time
from urllib.parse import quote, urlsplit

import requests
import xxhash

TIMEOUT = 20
JSON_TYPE = "application/json"
MSGPACK_TYPE = "application/msgpack"
ERROR_KEYS = {"message", "method", "url_path", "remote_addr", "caller", "node", "status"}

# Flags of the list message
NAME_ONLY, NAME_SIZE, NO_RECURSION, NO_DIRS = 16, 32, 2048, 8192
# Flags of a listed entry
ENTRY_CACHED, ENTRY_DIR, ENTRY_CHUNKED = 64, 256, 8192


class Wire:
    """One gateway. Every method returns the final response, redirects followed."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False

    def request(self, method, path, **kw):
        kw.setdefault("timeout", TIMEOUT)
        kw.setdefault("allow_redirects", True)
        return self.session.request(method, self.url + path, **kw)

    def action(self, method, path, action, value=None, name="", **kw):
        """A request with the JSON envelope."""
        body = {"action": action, "name": name, "value": value}
        return self.request(method, path, json=body, **kw)

    # -- buckets

    def bucket(self, method, bck, action, value=None, **kw):
        return self.action(method, f"/v1/buckets/{bck}", action, value, **kw)

    def head_bucket(self, bck, **kw):
        return self.request("HEAD", f"/v1/buckets/{bck}", **kw)

    def bucket_props(self, bck):
        r = self.head_bucket(bck)
        assert r.status_code == 200
        return json.loads(r.headers["Ais-Bucket-Props"])

    def set_props(self, bck, value):
        return self.bucket("PATCH", bck, "set-bprops", value)

    def list(self, bck, accept=None, params=None, **msg):
        headers = {"Accept": accept} if accept else {}
        return self.bucket("GET", bck, "list", msg, headers=headers, params=params)

    def names(self, bck, **msg):
        """Names of one page."""
        r = self.list(bck, **msg)
        assert r.status_code == 200, r.text
        return [e["name"] for e in r.json()["entries"] or []]

    # -- objects

    @staticmethod
    def path(bck, name):
        return f"/v1/objects/{bck}/{quote(name, safe='/')}"

    def obj(self, method, bck, name, **kw):
        return self.request(method, self.path(bck, name), **kw)

    def put(self, bck, name, data, **kw):
        return self.obj("PUT", bck, name, data=data, **kw)

    def get(self, bck, name, **kw):
        return self.obj("GET", bck, name, **kw)

    def head(self, bck, name, props=None, **kw):
        params = dict(kw.pop("params", None) or {})
        if props is not None:
            params["props"] = props
        return self.obj("HEAD", bck, name, params=params, **kw)

    def delete(self, bck, name, **kw):
        return self.obj("DELETE", bck, name, **kw)

    def content(self, bck, name):
        r = self.get(bck, name)
        assert r.status_code == 200, (r.status_code, r.text[:300])
        return r.content

    def post(self, bck, name, action, value=None, new_name="", **kw):
        return self.action("POST", self.path(bck, name), action, value, new_name, **kw)

    # -- what requests cannot do: repeated headers, odd paths, odd bodies

    def exchange(self, method, target, headers=(), body=None, chunked=False):
        """Sends exactly these headers and this request target. Follows redirects to other nodes.

        body: bytes, or a list of pieces when chunked. Returns (status, headers, body).
        """
        url = self.url
        for _ in range(3):
            parts = urlsplit(url)
            conn = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
            try:
                conn.putrequest(method, target, skip_accept_encoding=True)
                for key, value in headers:
                    conn.putheader(key, value)
                if chunked:
                    conn.putheader("Transfer-Encoding", "chunked")
                    conn.endheaders(iter(body), encode_chunked=True)
                else:
                    if body is not None:
                        conn.putheader("Content-Length", str(len(body)))
                    conn.endheaders(body)
                resp = conn.getresponse()
                data = resp.read()
            finally:
                conn.close()
            if resp.status not in (301, 302, 307, 308):
                return resp.status, resp.headers, data
            there = urlsplit(resp.headers["Location"])
            url = f"{there.scheme}://{there.netloc}"
            target = there.path + ("?" + there.query if there.query else "")
        raise AssertionError("too many redirects")

    def raw(self, payload, timeout=TIMEOUT):
        """Sends bytes on a fresh connection, then reads until the peer closes or falls silent."""
        parts = urlsplit(self.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=timeout) as sock:
            got = b""
            try:
                sock.sendall(payload)
            except OSError:
                pass  # refused before the end; the answer may still be there
            sock.settimeout(timeout)
            try:
                while True:
                    piece = sock.recv(65536)
                    if not piece:
                        break
                    got += piece
                    if _complete(got):
                        break
            except OSError:
                pass
            return got


def _complete(data):
    """Whether one whole response with a Content-Length has arrived."""
    head, sep, body = data.partition(b"\r\n\r\n")
    if not sep:
        return False
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-length":
            return len(body) >= int(value)
    return False


def custom(resp):
    """Custom metadata of a response, from its repeated header."""
    return dict(v.split("=", 1) for v in resp.raw.headers.getlist("Ais-Custom-Md"))


def check_error(resp, status, tcode=None, text=None):
    """Checks an error's status, headers and JSON form, and returns the JSON."""
    statuses = status if isinstance(status, tuple) else (status,)
    head = resp.request.method == "HEAD"
    doc = resp.headers.get("Hdr-Error", "") if head else resp.text
    assert resp.status_code in statuses, (resp.status_code, doc[:300])
    assert resp.headers["Content-Type"].startswith(JSON_TYPE)
    assert resp.headers["X-Content-Type-Options"] == "nosniff"
    if head:
        assert resp.content == b""
    else:
        assert doc.endswith("}\n")
    err = json.loads(doc)
    assert set(err) - {"tcode"} == ERROR_KEYS
    assert err["status"] == resp.status_code
    assert err["message"] and isinstance(err["message"], str)
    assert err["node"][:2] in ("p[", "t[") and err["node"].endswith("]")
    assert isinstance(err["caller"], str)
    assert ":" in err["remote_addr"]
    if not err["caller"]:
        assert err["method"] == resp.request.method
    if tcode is not None:
        assert err.get("tcode", "") in (tcode if isinstance(tcode, tuple) else (tcode,))
    if text is not None:
        assert text in err["message"], err["message"]
    return err


def crc32c(data):
    """CRC-32C (Castagnoli), reflected, as 8 hex digits."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return f"{crc ^ 0xFFFFFFFF:08x}"


CHECKSUMS = {
    "xxhash": lambda d: xxhash.xxh64(d).hexdigest(),
    "xxhash2": lambda d: xxhash.xxh64(d).hexdigest(),
    "md5": lambda d: hashlib.md5(d).hexdigest(),
    "crc32c": crc32c,
    "sha256": lambda d: hashlib.sha256(d).hexdigest(),
    "sha512": lambda d: hashlib.sha512(d).hexdigest(),
}


def until(check, timeout=15, step=0.05):
    """Waits until check() is true."""
    end = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < end, f"still not: {check}"
        time.sleep(step)
