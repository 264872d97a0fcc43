"""The operations that killpoints kills: what each needs, does, and may have left behind.

An operation works on a store that holds what `prepare` made. After the kill and a restart, `check` gets whether the operation was acknowledged and returns what
is wrong. The rule is the same for all: acknowledged means new; else old or new, as a whole, and the operation can be done again.
"""

import json
from urllib.parse import quote

BUCKET = "kill"
SMALL, LARGE, HUGE = 700, 300_000, 1_500_000
OK = (200, 204)


class Operation:
    name = ""

    def __init__(self, content):
        self.content = content

    def data(self, key, gen, size):
        return self.content.of(key, gen, size)

    def prepare(self, wire):
        pass

    def act(self, wire):
        """The status of the operation."""
        raise NotImplementedError

    def check(self, wire, acked):
        raise NotImplementedError


def read(wire, key):
    """The content, None when absent, or a text that tells the failure."""
    status, _, body = wire.get(BUCKET, key)
    return body if status == 200 else None if status == 404 else f"status {status} {body[:200]!r}"


def judge(key, found, old, new, acked):
    if found == new:
        return []
    if found == old and not acked:
        return []
    what = f"{len(found)} bytes" if isinstance(found, bytes) else found
    return [f"{key}: {what}, neither old nor new" if found != old else f"{key}: old although the new one was acknowledged"]


class Put(Operation):
    """old and new: sizes, or None for absent."""

    def __init__(self, content, name, old, new):
        super().__init__(content)
        self.name = name
        self.old = None if old is None else self.data("o", 1, old)
        self.new = self.data("o", 2, new)

    def prepare(self, wire):
        if self.old is not None:
            wire.expect(wire.put(BUCKET, "o", self.old))

    def act(self, wire):
        return wire.put(BUCKET, "o", self.new)[0]

    def check(self, wire, acked):
        return judge("o", read(wire, "o"), self.old, self.new, acked)


class Delete(Operation):
    def __init__(self, content, name, size):
        super().__init__(content)
        self.name = name
        self.old = self.data("o", 1, size)

    def prepare(self, wire):
        wire.expect(wire.put(BUCKET, "o", self.old))

    def act(self, wire):
        return wire.delete(BUCKET, "o")[0]

    def check(self, wire, acked):
        return judge("o", read(wire, "o"), self.old, None, acked)


class Rename(Operation):
    """Also onto a name that exists. Both names together are allowed before the acknowledgement (two disks), neither never."""

    def __init__(self, content, name, size, target):
        super().__init__(content)
        self.name = name
        self.value = self.data("from", 1, size)
        self.target = None if target is None else self.data("to", 1, target)

    def prepare(self, wire):
        wire.expect(wire.put(BUCKET, "from", self.value))
        if self.target is not None:
            wire.expect(wire.put(BUCKET, "to", self.target))

    def act(self, wire):
        return wire.rename(BUCKET, "from", "to")[0]

    def check(self, wire, acked):
        problems = judge("to", read(wire, "to"), self.target, self.value, acked)
        source, target = read(wire, "from"), read(wire, "to")
        problems += judge("from", source, self.value, None, acked)
        if source is None and target != self.value:
            problems.append("rename: neither name holds the object")
        return problems


class Copy(Operation):
    name = "copy"

    def prepare(self, wire):
        self.value = self.data("from", 1, LARGE)
        wire.expect(wire.put(BUCKET, "from", self.value))

    def act(self, wire):
        to = quote(f"ais/@#/{BUCKET}/to", safe="")
        return wire.request("PUT", wire.path(BUCKET, "from") + f"?object_to={to}")[0]

    def check(self, wire, acked):
        return judge("to", read(wire, "to"), None, self.value, acked) + judge("from", read(wire, "from"), self.value, self.value, acked)


class Custom(Operation):
    name = "custom-metadata"

    def prepare(self, wire):
        self.value = self.data("o", 1, LARGE)
        wire.expect(wire.put(BUCKET, "o", self.value, {"Ais-Custom-Md": "color=old"}))

    def act(self, wire):
        body = json.dumps({"action": "", "value": {"color": "new"}})
        return wire.request("PATCH", wire.path(BUCKET, "o"), body, {"Content-Type": "application/json"})[0]

    def check(self, wire, acked):
        problems = judge("o", read(wire, "o"), self.value, self.value, acked)
        status, headers, _ = wire.head(BUCKET, "o")
        pairs = headers.get_all("Ais-Custom-Md") or [] if status == 200 else []
        found = [p for p in ",".join(pairs).split(",") if p.startswith("color=")]
        if found not in ([["color=new"]] if acked else [["color=old"], ["color=new"]]):
            problems.append(f"custom metadata: {pairs}")
        return problems


class Append(Operation):
    """piece: which of the acknowledged pieces is the one under way; 0: the flush."""

    def __init__(self, content, name, piece, old, size):
        super().__init__(content)
        self.name = name
        self.piece, self.size = piece, size
        self.old = None if old is None else self.data("o", 1, old)
        self.handle = ""

    def part(self, n):
        return self.data(f"piece{n}", n, self.size)

    def prepare(self, wire):
        if self.old is not None:
            wire.expect(wire.put(BUCKET, "o", self.old))
        self.before = self.old or b""
        for n in range(1, self.piece if self.piece else 3):
            status, self.handle, body = wire.append(BUCKET, "o", self.handle, self.part(n))
            assert status == 200, body
            self.before += self.part(n)

    def act(self, wire):
        if not self.piece:
            return wire.flush(BUCKET, "o", self.handle)[0]
        status, handle, _ = wire.append(BUCKET, "o", self.handle, self.part(self.piece))
        self.handle = handle or self.handle
        return status

    def check(self, wire, acked):
        if not self.piece:
            problems = judge("o", read(wire, "o"), self.old, self.before, acked)
            if not problems and read(wire, "o") == self.old:
                problems = self.flush_again(wire, [self.before])
            return problems
        problems = judge("o", read(wire, "o"), self.old, self.old, acked)
        if not self.handle:
            return problems
        full = self.before + self.part(self.piece)
        return problems or self.flush_again(wire, [full] if acked else [self.before, full])

    def flush_again(self, wire, allowed):
        status, _, body = wire.flush(BUCKET, "o", self.handle)
        if status != 200:
            return [f"flush after the restart: {status} {body[:200]!r}"]
        return [] if read(wire, "o") in allowed else ["flush after the restart: not the acknowledged pieces"]


class Multipart(Operation):
    """stage: create, part, complete or abort."""

    def __init__(self, content, stage, old):
        super().__init__(content)
        self.name = f"multipart-{stage}"
        self.stage = stage
        self.old = None if old is None else self.data("o", 1, old)
        self.parts = [self.data("part", n, LARGE) for n in (1, 2)]
        self.upload = ""

    def prepare(self, wire):
        if self.old is not None:
            wire.expect(wire.put(BUCKET, "o", self.old))
        if self.stage == "create":
            return
        status, self.upload = wire.upload_create(BUCKET, "o")
        assert status == 200, self.upload
        for n in (1,) if self.stage == "part" else (1, 2):
            wire.expect(wire.upload_part(BUCKET, "o", self.upload, n, self.parts[n - 1]))

    def act(self, wire):
        if self.stage == "create":
            status, self.upload = wire.upload_create(BUCKET, "o")
            return status
        if self.stage == "part":
            return wire.upload_part(BUCKET, "o", self.upload, 2, self.parts[1])[0]
        if self.stage == "complete":
            return wire.upload_complete(BUCKET, "o", self.upload, [1, 2])[0]
        body = json.dumps({"action": "mpt-abort"})
        return wire.request("DELETE", wire.path(BUCKET, "o") + f"?uploadId={self.upload}", body, {"Content-Type": "application/json"})[0]

    def check(self, wire, acked):
        whole = b"".join(self.parts)
        if self.stage == "complete":
            problems = judge("o", read(wire, "o"), self.old, whole, acked)
            if not problems and read(wire, "o") == self.old:
                problems = self.complete(wire, [1, 2], whole)
            return problems
        problems = judge("o", read(wire, "o"), self.old, self.old, acked)
        if problems:
            return problems
        if self.stage == "create":
            if not acked:
                return []
            reply = wire.upload_part(BUCKET, "o", self.upload, 1, self.parts[0])
            return self.complete(wire, [1], self.parts[0]) if reply[0] == 200 else [f"part after the restart: {reply[0]}"]
        if self.stage == "part":
            both = wire.upload_complete(BUCKET, "o", self.upload, [1, 2])[0]
            if both == 200:
                return judge("o", read(wire, "o"), whole, whole, True)
            return ["the acknowledged part is gone"] if acked else self.complete(wire, [1], self.parts[0])
        status = wire.upload_complete(BUCKET, "o", self.upload, [1, 2])[0]
        if status == 200:
            return ["an aborted upload came back"] if acked else judge("o", read(wire, "o"), whole, whole, True)
        return judge("o", read(wire, "o"), self.old, self.old, True)

    def complete(self, wire, numbers, want):
        status, _, body = wire.upload_complete(BUCKET, "o", self.upload, numbers)
        if status != 200:
            return [f"complete after the restart: {status} {body[:200]!r}"]
        return judge("o", read(wire, "o"), want, want, True)


class BucketCreate(Operation):
    name = "bucket-create"

    def act(self, wire):
        return wire.create_bucket("fresh")[0]

    def check(self, wire, acked):
        here = wire.bucket_props("fresh") is not None
        if acked and not here:
            return ["the acknowledged bucket is gone"]
        if not here:
            wire.expect(wire.create_bucket("fresh"))
        wire.expect(wire.put("fresh", "x", b"1"))
        return []


class BucketDestroy(Operation):
    name = "bucket-destroy"

    def prepare(self, wire):
        wire.expect(wire.create_bucket("doomed"))
        self.value = self.data("x", 1, LARGE)
        wire.expect(wire.put("doomed", "x", self.value))
        wire.expect(wire.put("doomed", "y", b"small"))

    def act(self, wire):
        return wire.destroy_bucket("doomed")[0]

    def check(self, wire, acked):
        here = wire.bucket_props("doomed") is not None
        if here:
            if acked:
                return ["the destroyed bucket came back"]
            if wire.get("doomed", "x")[2] != self.value or wire.get("doomed", "y")[2] != b"small":
                return ["the bucket is still there but not its objects"]
            return []
        wire.expect(wire.create_bucket("doomed"))  # the same name again: nothing of the old one may show
        return [f"a new bucket shows the old one's objects: {n}" for n in wire.names("doomed")] + (
            ["a new bucket serves the old one's object"] if wire.get("doomed", "x")[0] != 404 else [])


class BucketProps(Operation):
    name = "bucket-props"

    def act(self, wire):
        return wire.action("PATCH", f"/v1/buckets/{BUCKET}", "set-bprops", {"checksum": {"type": "md5"}})[0]

    def check(self, wire, acked):
        found = wire.bucket_props(BUCKET)["checksum"]["type"]
        return [] if found in (("md5",) if acked else ("md5", "xxhash2", "xxhash")) else [f"checksum type {found}"]


class BucketRename(Operation):
    name = "bucket-rename"

    def prepare(self, wire):
        wire.expect(wire.create_bucket("before"))
        self.value = self.data("x", 1, LARGE)
        wire.expect(wire.put("before", "x", self.value))

    def act(self, wire):
        to = quote("ais/@#/after/", safe="")
        return wire.action("POST", f"/v1/buckets/before?bck_to={to}", "move-bck")[0]

    def check(self, wire, acked):
        # The job behind it may be on its way: one of the two names serves the object at any time.
        found = [b for b in ("before", "after") if wire.bucket_props(b) is not None and wire.get(b, "x")[2] == self.value]
        return [] if found else ["the object is under neither name"]


def all_operations(content):
    return [
        Put(content, "put-empty", None, 0),
        Put(content, "put-small", None, SMALL),
        Put(content, "put-large", None, LARGE),
        Put(content, "put-huge", None, HUGE),
        Put(content, "overwrite-small-by-small", SMALL, SMALL + 1),
        Put(content, "overwrite-small-by-large", SMALL, LARGE),
        Put(content, "overwrite-large-by-small", LARGE, SMALL),
        Put(content, "overwrite-large-by-large", LARGE, LARGE + 1),
        Delete(content, "delete-small", SMALL),
        Delete(content, "delete-large", LARGE),
        Rename(content, "rename-small", SMALL, None),
        Rename(content, "rename-large-onto-small", LARGE, SMALL),
        Rename(content, "rename-small-onto-large", SMALL, LARGE),
        Copy(content),
        Custom(content),
        Append(content, "append-first", 1, None, SMALL),
        Append(content, "append-first-to-object", 1, LARGE, SMALL),
        Append(content, "append-second", 2, None, 100_000),
        Append(content, "append-third-to-object", 3, SMALL, SMALL),
        Append(content, "append-flush", 0, LARGE, 50_000),
        Append(content, "append-flush-small", 0, None, SMALL),
        Multipart(content, "create", None),
        Multipart(content, "part", SMALL),
        Multipart(content, "complete", LARGE),
        Multipart(content, "abort", SMALL),
        BucketCreate(content),
        BucketDestroy(content),
        BucketProps(content),
        BucketRename(content),
    ]
