//! Made-up people: a shop's events and a profile, the same for the same id and day for ever.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::dice::{Dice, hash};

const EVENTS: [&str; 8] = [
    "Page View",
    "Product Viewed",
    "Search",
    "Add to Cart",
    "Checkout Started",
    "Order Completed",
    "Sign In",
    "Newsletter Opened",
];
const PRODUCTS: [&str; 8] = [
    "Desk Lamp",
    "Kettle",
    "Wool Blanket",
    "Running Shoes",
    "Notebook",
    "Backpack",
    "Headphones",
    "Bicycle Bell",
];
const CITIES: [(&str, &str); 8] = [
    ("Vienna", "AT"),
    ("Zürich", "CH"),
    ("Hamburg", "DE"),
    ("Lyon", "FR"),
    ("Porto", "PT"),
    ("San José", "US"),
    ("Kraków", "PL"),
    ("大阪市", "JP"),
];
const BROWSERS: [&str; 4] = ["Firefox", "Chrome", "Safari", "Edge"];
const SYSTEMS: [&str; 4] = ["Windows", "Mac OS X", "Android", "iOS"];
const DAYS: i64 = 700;

/// Event number `index` of a person, somewhere in the 700 days before `today`.
pub(crate) fn event(id: &str, index: u32, today: DateTime<Utc>) -> Value {
    let mut dice = Dice::of(id, u64::from(index) + 1);
    let (city, country) = home(id);
    let name = dice.one_of(&EVENTS);
    let seconds = i64::try_from(dice.below(DAYS.unsigned_abs() * 86_400)).unwrap_or(0);
    let time = (today - TimeDelta::seconds(seconds)).timestamp();
    let mut properties = json!({
        "time": time,
        "distinct_id": id,
        "$insert_id": format!("{:016x}{:08x}", hash(id), index),
        "$city": city,
        "mp_country_code": country,
        "$browser": dice.one_of(&BROWSERS),
        "$os": dice.one_of(&SYSTEMS),
        "mp_lib": "web",
        "mp_processing_time_ms": time * 1000 + 350,
    });
    match name {
        "Search" => properties["query"] = json!(dice.one_of(&PRODUCTS).to_lowercase()),
        "Order Completed" | "Checkout Started" => {
            properties["order_id"] = json!(format!("o-{:08}", dice.below(100_000_000)));
            properties["items"] = json!([dice.one_of(&PRODUCTS), dice.one_of(&PRODUCTS)]);
            properties["total_cents"] = json!(dice.below(30_000) + 500);
            properties["coupon"] = Value::Null;
        }
        "Product Viewed" | "Add to Cart" => {
            properties["product"] = json!(dice.one_of(&PRODUCTS));
            properties["price_cents"] = json!(dice.below(15_000) + 199);
        }
        _ => properties["current_url_path"] = json!(format!("/shop/{}", dice.below(500))),
    }
    json!({ "event": name, "properties": properties })
}

/// The profile of a person.
pub(crate) fn profile(id: &str, today: DateTime<Utc>) -> Value {
    let mut dice = Dice::of(id, 0);
    let (city, country) = home(id);
    let number = dice.below(1_000_000);
    let days = i64::try_from(dice.below(30)).unwrap_or(0);
    json!({
        "$distinct_id": id,
        "$properties": {
            "$name": format!("Customer {number}"),
            "$email": format!("customer-{number}@example.test"),
            "$city": city,
            "$country_code": country,
            "$last_seen": (today - TimeDelta::days(days)).format("%Y-%m-%dT%H:%M:%S").to_string(),
            "plan": dice.one_of(&["free", "pro", "family"]),
            "orders": dice.below(40),
            "newsletter": dice.happens(0.5),
        }
    })
}

fn home(id: &str) -> (&'static str, &'static str) {
    Dice::of(id, u64::MAX).one_of(&CITIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_always_has_the_same_records() {
        let today = Utc::now();
        assert_eq!(event("u1", 3, today), event("u1", 3, today));
        assert_eq!(profile("u1", today), profile("u1", today));
        assert_ne!(event("u1", 3, today), event("u2", 3, today));
    }

    #[test]
    fn every_event_names_its_person_and_has_its_own_insert_id() {
        let today = Utc::now();
        let events: Vec<Value> = (0..20).map(|index| event("u1", index, today)).collect();
        let ids: std::collections::HashSet<_> =
            events.iter().map(|event| event["properties"]["$insert_id"].to_string()).collect();
        assert!(events.iter().all(|event| event["properties"]["distinct_id"] == "u1"));
        assert_eq!(ids.len(), 20);
    }
}
