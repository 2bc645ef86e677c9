"""Mixpanel's Python package against a door: every kind of call that it can make.

usage: python_sdk.py DOOR_URL PROJECT_TOKEN

The package raises on every answer that is not success, so a call that returns was answered as Mixpanel would. Prints how
many events and profile updates it handed over, for whoever looks at the stream afterwards.
"""

import datetime
import json
import sys

import mixpanel


def consumers(door):
    """The endpoints by hand: the package's own `api_host` always says https."""
    urls = {f"{kind}_url": f"{door}/{path}" for kind, path in
            [("events", "track"), ("people", "engage"), ("import", "import"), ("groups", "groups")]}
    return mixpanel.Consumer(retry_limit=0, **urls), mixpanel.BufferedConsumer(retry_limit=0, max_size=20, **urls)


def must_raise(call, *words):
    """Runs a call that the door must refuse, with a reason."""
    try:
        call()
    except mixpanel.MixpanelException as error:
        assert all(word in str(error) for word in words), f"another reason than expected: {error}"
        return
    raise AssertionError("the door took what it must refuse")


def drive(door, token):
    plain, buffered = consumers(door)
    events = profiles = 0

    mp = mixpanel.Mixpanel(token, consumer=plain)
    mp.track("user-1", "Plain", {"price": 12.5, "tags": ["a", "b"], "text": "Grüße + 100% & \"more\" 🎈"})
    mp.track("user-1", "With a date", {"at": datetime.datetime(2026, 1, 31, 9, 30)})
    # `Mixpanel.alias` itself pays no heed to the consumer: it always calls api.mixpanel.com. This is the event that it sends.
    mp.track("user-1", "$create_alias", {"alias": "device-1"})
    events += 3
    now = int(datetime.datetime.now().timestamp())
    for secret in ({"api_secret": "not-checked"}, {}):
        mp.import_data("key", "user-1", "Imported", now - 86_400, {"$insert_id": "import-1"}, **secret)
        events += 1
    mp.merge("key", "user-1", "device-1", api_secret="not-checked")
    events += 1

    for update, value in [
        (mp.people_set, {"plan": "pro"}), (mp.people_set_once, {"first": 1}), (mp.people_increment, {"n": 1}),
        (mp.people_append, {"list": "x"}), (mp.people_remove, {"list": "x"}), (mp.people_union, {"list": ["y"]}),
        (mp.people_unset, ["plan"]),
    ]:
        update("user-1", value)
        profiles += 1
    mp.people_track_charge("user-1", 9.99)
    mp.people_clear_charges("user-1")
    mp.people_delete("user-1")
    profiles += 3

    batch = mixpanel.Mixpanel(token, consumer=buffered)
    for number in range(45):
        batch.track(f"user-{number}", "Batched", {"number": number})
        batch.people_set(f"user-{number}", {"number": number})
    buffered.flush()
    events += 45
    profiles += 45

    must_raise(lambda: mp.group_set("company", "acme", {"plan": "pro"}), "groups are not forwarded")
    stranger = mixpanel.Mixpanel("no-token-of-any-project", consumer=plain)
    must_raise(lambda: stranger.track("user-1", "Lost"), "Invalid credentials")
    must_raise(lambda: stranger.people_set("user-1", {"a": 1}), "Invalid credentials")
    return {"events": events, "profiles": profiles}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(json.dumps(drive(sys.argv[1].rstrip("/"), sys.argv[2])))
