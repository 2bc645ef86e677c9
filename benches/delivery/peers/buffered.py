"""Sends events with Mixpanel's own Python library and its buffered consumer: URL, number of events."""
import sys
import time

from mixpanel import BufferedConsumer, Mixpanel

url, count = sys.argv[1], int(sys.argv[2])
consumer = BufferedConsumer(events_url=url + "/track", people_url=url + "/engage")
mixpanel = Mixpanel("emulator-project-token", consumer=consumer)
started = time.monotonic()
for n in range(count):
    mixpanel.track(f"user-{n % 5000:06}@example.test", "Page Viewed", {
        "page": f"/products/{n % 97}", "plan": "pro", "price": n % 500 / 10, "items": n % 7, "$browser": "Firefox",
        "$os": "Linux", "locale": "de-DE", "experiment": "b", "referrer": "newsletter", "returning": n % 3 == 0,
    })
consumer.flush()
print(time.monotonic() - started)
