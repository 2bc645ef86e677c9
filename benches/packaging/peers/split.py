"""The split that one would write in Python: json, a dict of lists, zipfile. Says its peak of memory as JSON.

usage: split.py EXPORT PEOPLE OUT
"""
import hashlib
import json
import os
import sys
import zipfile


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def archive(path, request, events, profiles):
    texts = {
        "events.ndjson": b"".join(events),
        "profile.json": b"[\n" + b",\n".join(profiles) + b"\n]\n" if profiles else b"[]\n",
    }
    entries = [
        {"name": name, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()} for name, text in texts.items()
    ]
    counts = {"events": len(events), "profiles": len(profiles)}
    texts["manifest.json"] = json.dumps({"request": request, "counts": counts, "entries": entries}, indent=2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
        for name, text in texts.items():
            out.writestr(name, text)


def main(export, people, out):
    with open(people) as listed:
        requests = {person["request"]: person["ids"] for person in json.load(listed)}
    owner = {i: request for request, ids in requests.items() for i in ids}
    events = {request: [] for request in requests}
    profiles = {request: [] for request in requests}
    given = 0
    with open(export, "rb") as lines:
        for line in lines:
            record = json.loads(line)
            if "event" in record:
                request = owner.get(record["properties"]["distinct_id"])
                kind = events
            else:
                request = owner.get(record["$distinct_id"])
                kind, line = profiles, line[:-1]
            if request is not None:
                kind[request].append(line)
                given += 1
    for request in requests:
        archive(os.path.join(out, request + ".zip"), request, events[request], profiles[request])
    print(json.dumps({"peak_rss_bytes": peak(), "given": given, "archives": len(requests)}))


main(*sys.argv[1:])
