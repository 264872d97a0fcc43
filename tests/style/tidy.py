"""Rules of the tree that a machine can keep: no unsafe calls, no statuses below api, RocksDB and OpenSSL each behind one door, no strays."""
import pathlib
import re
import subprocess
import sys

BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca|tmpnam|mktemp)\s*\(")
RULES = [
    # (what, pattern of the line, folders where it is fine)
    ("RocksDB is seen in store alone", re.compile(r"#include [<\"]rocksdb/"), {"store"}),
    ("OpenSSL is seen in base and os alone", re.compile(r"#include <openssl/"), {"base", "os"}),
    ("libraft is seen in cluster alone", re.compile(r"#include <raft"), {"cluster"}),
    ("sockets are opened in os alone", re.compile(r"\bsocket\s*\(AF_"), {"os"}),
    ("wall clock only through os/clock.h", re.compile(r"\b(clock_gettime|gettimeofday|time)\s*\((NULL|CLOCK|&)"), {"os", "base"}),
]
STRAYS = re.compile(r"/work/|/root/|pypi\.org|crates\.io|proxy\.golang|deb\.debian\.org|registry\.npmjs|\bTODO\b(?!\(#\d+\))")


def main():
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    bad = 0

    def complain(path, n, text):
        nonlocal bad
        bad += 1
        print(f"tidy: {path}:{n}: {text}")

    for name in filter(None, files):
        p = pathlib.Path(name)
        if not p.is_file() or p.is_symlink() or "fuzz-corpus" in p.parts:
            continue
        try:
            text = p.read_text()
        except UnicodeDecodeError:
            complain(p, 0, "not text")
            continue
        code = p.suffix in (".c", ".h") and p.parts[0] == "src"
        for n, line in enumerate(text.split("\n"), 1):
            if name != "tests/style/tidy.py" and STRAYS.search(line):
                complain(p, n, "a path, host name or loose note that does not belong in the tree")
            if not code:
                continue
            if BANNED.search(line):
                complain(p, n, "unsafe call")
            for what, pattern, fine in RULES:
                if pattern.search(line) and p.parts[1] not in fine and not p.name.endswith(("_test.c", "_fuzz.c")):
                    complain(p, n, what)
            if "\t" in line:
                complain(p, n, "tab")
            if len(line) > 180:
                complain(p, n, f"line of {len(line)} characters")
        if p.parts[0] == "src" and "#include <raft.h>" in text and p.name != "raft_core.h" and not p.name.endswith("_test.c"):
            complain(p, 0, "libraft is seen through cluster/raft_core.h")
        if code and text.count("\n") > 1200:
            complain(p, 0, f"{text.count(chr(10))} lines: did two ideas move in?")
    print(f"tidy: {len(files)} files, {bad} findings")
    sys.exit(1 if bad else 0)


main()
