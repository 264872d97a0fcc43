"""Fails on an upward call: compares the symbol graph of the folders' libraries with what their CMakeLists.txt declare.

Includes can look clean while calls are circular, so the objects are asked, not the sources. Usage: layers.py BUILD_DIR
"""
import collections
import pathlib
import re
import subprocess
import sys

ORDER = ["base", "os", "net", "meta", "ec", "s3", "store", "backend", "cluster", "flow", "jobs", "api", "daemon", "client", "cli", "bench"]


def below(folder):
    return set(ORDER[:ORDER.index(folder)])


# STYLE: who may use whom, at most.
MAY = {
    "base": set(), "os": {"base"}, "net": {"base", "os"}, "meta": {"base"}, "ec": {"base"}, "s3": {"base", "os", "net", "meta"},
    "store": {"base", "os", "meta"},
    "backend": {"base", "os", "net", "meta", "s3"}, "cluster": {"base", "os", "net", "meta"},
    "flow": below("flow"), "jobs": below("jobs"), "api": below("api"), "daemon": below("daemon"),
    "client": {"base", "os", "net", "meta"}, "cli": {"base", "os", "net", "meta", "client"},
    "bench": below("jobs"),
}


def declared(folder):
    text = pathlib.Path(f"src/{folder}/CMakeLists.txt").read_text()
    uses = set()
    for m in re.finditer(r"\bUSES\b([a-z0-9 \n]*)", text):
        uses |= set(m.group(1).split())
    return uses & set(ORDER)


def symbols(archive):
    out = subprocess.run(["nm", "-P", "--no-sort", archive], capture_output=True, text=True, check=True).stdout
    defined, wanted, unit = set(), collections.defaultdict(set), "?"
    for line in out.splitlines():
        if line.endswith(":"):
            unit = line[:-1].split("[")[-1].rstrip("]")
            continue
        f = line.split()
        if len(f) < 2:
            continue
        if f[1] == "U":
            wanted[f[0]].add(unit)
        elif f[1].isupper():
            defined.add(f[0])
    return defined, wanted


def main():
    build = pathlib.Path(sys.argv[1])
    libs = {f: build / "src" / f / f"liborlop-{f}.a" for f in ORDER}
    libs = {f: p for f, p in libs.items() if p.exists()}
    if len(libs) < 5:
        sys.exit(f"layers: no libraries below {build}: build first")
    table = {f: symbols(str(p)) for f, p in libs.items()}
    owner = {}
    for f, (defined, _) in table.items():
        for s in defined:
            owner[s] = f
    bad = 0
    for f, (_, wanted) in table.items():
        uses = declared(f)
        for extra in sorted(uses - MAY[f] - {f}):
            print(f"layers: {f} declares a use of {extra}, which stands above it or beside it")
            bad += 1
        for s, units in sorted(wanted.items()):
            o = owner.get(s)
            if o is None or o == f or o in uses:
                continue
            # what a declared library may itself use is linked with it
            kind = "calls upward into" if o not in MAY[f] else "uses without declaring"
            if o in MAY[f]:
                continue
            print(f"layers: {f} ({', '.join(sorted(units))}) {kind} {o}: {s}")
            bad += 1
    # Private names ("store__x") stay in their folder.
    for f, (_, wanted) in table.items():
        for s, units in wanted.items():
            if "__" in s[1:] and owner.get(s) not in (None, f) and re.match(r"[a-z0-9]+__", s):
                print(f"layers: {f} ({', '.join(sorted(units))}) uses {owner[s]}'s private {s}")
                bad += 1
    print(f"layers: {len(libs)} folders, {len(owner)} symbols, {bad} violations")
    sys.exit(1 if bad else 0)


main()
