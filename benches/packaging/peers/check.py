"""Compares what was packaged with a split of its own: other language, other JSON parser, same rules.

usage: check.py OUT                       every archive against its manifest and the counts
       check.py OUT EXPORT PEOPLE         and against an independent split of the export, byte by byte

OUT holds packaged.json (what the packaging says it made) and the archives it names. The last line is JSON:
    archives        compared
    damaged         archives that their manifest, or what was said of them, does not describe
    different       archives whose records are not, byte by byte, those of the independent split
    wrong, lost     records in an archive that are not that person's, and records that should be there and are not
    withheld        requests without an archive
    withheld_unduly of those, the ones that no doubt explains
    in_doubt        requests that are to be withheld: a record names them together with somebody else, or names an id
                    twice (one that breaks off may be read far enough to name somebody, or not); or they got nothing while strays are left
    given_in_doubt  if any are withheld: requests in doubt that have an archive all the same
    counts_differ   whether read, given and quarantined are other numbers than the independent split's
    strays          the independent split's reasons, with how many records of each

The rules, from the documentation of the split: a record is given if a JSON parser finds ids of one person of the batch
in it, at the top level or in `properties`, and those keys stand only once in their object.
"""
import collections
import hashlib
import json
import re
import sys
import zipfile

IDS = ("distinct_id", "$distinct_id", "$user_id", "$distinct_id_before_identity")
DEVICE = "$device_id"
ONCE = {"event", "properties", "$properties", DEVICE, *IDS}
PREFIX = "$device:"
TEXT = re.compile(rb'"([^"]*)"')
BLANKS = b" \t\n\r\x0c"


class Object(list):
    """An object as a list of its pairs, so that a key that stands twice is seen."""


class Number(str):
    """A whole number as it was written."""


class Fraction(str):
    """Any other number as it was written."""


def refuse(word):
    raise ValueError("not JSON: " + word)


DECODER = json.JSONDecoder(object_pairs_hook=Object, parse_int=Number, parse_float=Fraction, parse_constant=refuse)


class Ambiguous(Exception):
    def __init__(self, named):
        super().__init__()
        self.named = named


def id_of(value):
    """The text of an id, None where there is none."""
    if isinstance(value, Number):
        number = int(value)
        # Beyond 64 bits, and for -0, a number is no longer its digits.
        if value == "-0" or not -(2**63) <= number < 2**64:
            raise TypeError
        return str(number)
    if value is None or (isinstance(value, str) and not isinstance(value, Fraction)):
        return value
    raise TypeError


def flat(value):
    """The elements of a list, of lists in it as well; of anything else, itself."""
    if isinstance(value, list) and not isinstance(value, Object):
        for element in value:
            yield from flat(element)
    else:
        yield value


def look(pairs, descend, found):
    """Collects ids into `found`; returns whether something is ambiguous."""
    seen = set()
    ambiguous = False
    for key, value in pairs:
        ambiguous |= key in ONCE and key in seen
        seen.add(key)
        if key in IDS or key == DEVICE:
            # A list is no id, but whoever stands in one may be meant.
            ambiguous |= isinstance(value, list)
            for value in flat(value):
                try:
                    name = id_of(value)
                except TypeError:
                    ambiguous = True
                    continue
                if name is not None:
                    found.append((key == DEVICE, name))
        elif key == "properties" and descend and isinstance(value, Object):
            ambiguous |= look(value, False, found)
    return ambiguous


def read(record):
    """(is a profile, ids) of a record. ValueError if it is malformed."""
    pairs = DECODER.decode(record.decode("utf-8"))
    if not isinstance(pairs, Object):
        raise ValueError("not an object")
    found = []
    if look(pairs, True, found):
        raise Ambiguous(found)
    keys = {key for key, _ in pairs}
    return "event" not in keys and bool(keys & {"$distinct_id", "$properties"}), found


class People:
    def __init__(self, listed):
        self.requests = [person["request"] for person in listed]
        self.of = collections.defaultdict(set)
        for number, person in enumerate(listed):
            for name in person["ids"]:
                self.of[name].add(number)
        # Requests that share an id are one person's.
        self.person = list(range(len(listed)))
        for sharing in self.of.values():
            low = min(self.person[number] for number in sharing)
            joined = {self.person[number] for number in sharing}
            if len(joined) > 1:
                self.person = [low if person in joined else person for person in self.person]

    def named(self, found):
        requests = set()
        for is_device, name in found:
            requests |= self.of.get(name, set())
            if is_device:
                other = name[len(PREFIX):] if name.startswith(PREFIX) else PREFIX + name
                requests |= self.of.get(other, set())
        return requests


class Share:
    """What one request got of one kind, as hashes."""

    def __init__(self, profiles):
        self.profiles = profiles
        self.count = 0
        self.whole = hashlib.sha256()
        self.records = collections.Counter()

    def add(self, record):
        if self.profiles:
            self.whole.update(b",\n" if self.count else b"[\n")
            self.whole.update(record)
        else:
            self.whole.update(record + b"\n")
        self.count += 1
        self.records[digest(record)] += 1

    def finish(self):
        if self.profiles:
            self.whole.update(b"\n]\n" if self.count else b"[]\n")
        return self


def digest(record):
    return hashlib.blake2b(record, digest_size=8).digest()


def split(export, people):
    """The independent split: shares of every request, counts, requests in doubt, strays."""
    shares = [(Share(False), Share(True)) for _ in people.requests]
    strays = collections.Counter()
    doubt = set()
    maybe = set()
    total = given = 0
    with open(export, "rb") as lines:
        for line in lines:
            record = line.strip(BLANKS)
            if not record:
                continue
            total += 1
            try:
                profile, found = read(record)
            except Ambiguous as ambiguous:
                strays["ambiguous"] += 1
                doubt |= people.named(ambiguous.named)
                continue
            except ValueError:
                strays["malformed"] += 1
                # How far it was read before it broke is the parser's affair: whoever stands in it may be in doubt.
                texts = [text.decode("utf-8", "replace") for text in TEXT.findall(record)]
                maybe |= people.named([(True, text) for text in texts])
                continue
            requests = people.named(found)
            if not requests:
                strays["nobody"] += 1
            elif len({people.person[number] for number in requests}) > 1:
                strays["several"] += 1
                doubt |= requests
            else:
                given += 1
                for number in requests:
                    shares[number][profile].add(record)
    if strays["nobody"] or strays["malformed"] or strays["ambiguous"]:
        doubt |= {number for number, (events, profiles) in enumerate(shares) if events.count + profiles.count == 0}
    for pair in shares:
        for share in pair:
            share.finish()
    return shares, (total, given, total - given), (doubt, maybe), strays


def records_of(entry, stream):
    """Each record of an entry, and the hash of the whole."""
    whole = hashlib.sha256()
    profiles = entry == "profile.json"
    records = []

    def lines():
        for line in stream:
            whole.update(line)
            record = line.rstrip(b"\n")
            if profiles:
                if record in (b"[", b"]", b"[]"):
                    continue
                record = record[:-1] if record.endswith(b",") else record
            yield record

    for record in lines():
        records.append(digest(record))
    return records, whole.hexdigest()


def inspect(archive):
    """{entry: (records, sha256)} of an archive that agrees with its manifest and with what was said of it."""
    with open(archive["location"], "rb") as file:
        said = hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else None
    if said not in (None, archive["sha256"]):
        raise ValueError("another file than was said")
    contents = {}
    with zipfile.ZipFile(archive["location"]) as opened:
        names = opened.namelist()
        if names[-1] != "manifest.json" or len(set(names)) != len(names):
            raise ValueError("unexpected entries")
        manifest = json.loads(opened.read("manifest.json"))
        listed = {entry["name"]: entry for entry in manifest["entries"]}
        if set(listed) != set(names[:-1]) or len(listed) != len(manifest["entries"]):
            raise ValueError("the manifest lists other entries")
        for name in names[:-1]:
            with opened.open(name) as stream:  # checks the CRC at its end
                contents[name] = records_of(name, stream)
            if contents[name][1] != listed[name]["sha256"] or opened.getinfo(name).file_size != listed[name]["bytes"]:
                raise ValueError("the manifest describes another entry")
    for name, count in (("events.ndjson", "events"), ("profile.json", "profiles")):
        found = len(contents[name][0])
        if not found == manifest["counts"][count] == archive[count]:
            raise ValueError("other counts")
    if manifest["request"] != archive["request"]:
        raise ValueError("another request's")
    return contents


def compare(contents, shares, facts):
    differs = False
    for name, share in zip(("events.ndjson", "profile.json"), shares):
        records, whole = contents[name]
        differs |= whole != share.whole.hexdigest()
        found = collections.Counter(records)
        facts["wrong"] += sum((found - share.records).values())
        facts["lost"] += sum((share.records - found).values())
    facts["different"] += differs


def main(out, export=None, people=None):
    with open(out + "/packaged.json") as file:
        packaged = json.load(file)
    facts = collections.Counter(archives=0, damaged=0, different=0, wrong=0, lost=0)
    if export:
        with open(people) as file:
            people = People(json.load(file))
        shares, counts, (doubt, maybe), strays = split(export, people)
        number = {request: n for n, request in enumerate(people.requests)}
        withheld = set(number.values()) - {number[archive["request"]] for archive in packaged["archives"]}
        facts.update(withheld=len(withheld), withheld_unduly=len(withheld - doubt - maybe), in_doubt=len(doubt))
        facts["given_in_doubt"] = len(doubt - withheld) if withheld else 0
        facts["counts_differ"] = int(counts != (packaged["read"], packaged["given"], packaged["quarantined"]))
    faults = collections.Counter()
    for archive in packaged["archives"]:
        facts["archives"] += 1
        try:
            contents = inspect(archive)
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as fault:
            faults[fault.args[0] if type(fault) is ValueError else type(fault).__name__] += 1
            facts["damaged"] += 1
            continue
        facts["records"] += len(contents["events.ndjson"][0]) + len(contents["profile.json"][0])
        if export:
            compare(contents, shares[number[archive["request"]]], facts)
    for fault, count in faults.items():
        print(f"damaged archives: {count}: {fault}", file=sys.stderr)
    print(json.dumps({**facts, "strays": strays} if export else facts))


main(*sys.argv[1:])
