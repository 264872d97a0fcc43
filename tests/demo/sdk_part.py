"""The demo's Python part: reads objects that the `orlop` command stored, writes some, lists, all through the official SDK. Usage: sdk_part.py ENDPOINT COUNT"""
import itertools
import statistics
import sys
import time

from aistore.sdk import Client


def main():
    client, count = Client(sys.argv[1]), int(sys.argv[2])
    bucket = client.bucket("demo")
    names = [e.name for e in itertools.islice(bucket.list_objects_iter(props="name,size"), count)]
    times, size = [], 0
    began = time.perf_counter()
    for name in names:
        t = time.perf_counter()
        data = bucket.object(name).get_reader().read_all()
        times.append((time.perf_counter() - t) * 1e3)
        size += len(data)
        copy = client.bucket("demo").object("sdk/" + name)
        copy.get_writer().put_content(data)
        if copy.get_reader().read_all() != data:
            sys.exit(f"{name}: what was read back differs")
    took = time.perf_counter() - began
    listed = sum(1 for _ in bucket.list_objects_iter(prefix="sdk/"))
    if listed != len(names):
        sys.exit(f"{len(names)} objects were written, {listed} are listed")
    q = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
    print(f"{len(names):>8,} objects  {size / 2**20:>8.1f} MiB  read, written and read again in {took:.1f} s   read p50 {q[49]:.2f} ms  p99 {q[98]:.2f} ms")


main()
