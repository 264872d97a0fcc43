"""Fails on a public prototype without a comment directly above it, and on a folder without a README.

Public: headers of src/<folder>/ but priv.h. A run of prototypes without an empty line between them shares the comment above the first.
"""
import pathlib
import re
import sys

PROTO = re.compile(r"^(?!typedef|static|#|extern const)[A-Za-z_].*\b([a-z][a-z0-9_]*)\s*\([^;{]*\)[^;{=]*;", re.S)


def undocumented(path):
    """Yields (line, name) of prototypes without a comment."""
    lines = path.read_text().split("\n")
    i, in_comment, above, depth = 0, False, False, 0
    while i < len(lines):
        line = lines[i]
        s = line.strip()
        if in_comment:
            in_comment = "*/" not in s
            above = True
        elif s.startswith("/*"):
            in_comment = "*/" not in s
            above = True
        elif not s:
            above = False
        elif s.startswith("#"):
            while lines[i].endswith("\\"):
                i += 1
            above = False
        else:
            depth_before = depth
            stmt, start = line, i
            while depth_before == 0 and "{" not in stmt and ";" not in stmt and i + 1 < len(lines):
                i += 1
                stmt += "\n" + lines[i]
            depth += stmt.count("{") - stmt.count("}")
            if depth_before == 0 and "{" not in stmt:
                m = PROTO.match(stmt)
                if m and not above:
                    yield start + 1, m.group(1)
                above = above and (bool(m) or stmt.startswith(("typedef", "#define")))
            elif depth == 0:
                above = False
        i += 1


def main():
    bad, headers = 0, 0
    for folder in sorted(p for p in pathlib.Path("src").iterdir() if p.is_dir() and any(p.iterdir())):
        if not (folder / "README.md").exists():
            print(f"docs: {folder} has no README.md")
            bad += 1
        for h in sorted(folder.glob("*.h")):
            if h.name == "priv.h":
                continue
            headers += 1
            if not h.read_text().startswith("/*"):
                print(f"docs: {h} does not open with a comment")
                bad += 1
            for line, name in undocumented(h):
                print(f"docs: {h}:{line}: {name}() has no comment above it")
                bad += 1
    print(f"docs: {headers} headers, {bad} findings")
    sys.exit(1 if bad else 0)


main()
