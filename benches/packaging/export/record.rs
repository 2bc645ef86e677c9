//! Ordinary lines: events with the properties that Mixpanel's own libraries send, and profiles.
//!
//! Some 820 bytes a line, which level 6 packs about 12 times for one person and 7 times for a mixture of thousands.

use std::io::{self, Write};

use super::{
    people::{Subject, uuid},
    random::Random,
};

const EVENTS: [&str; 6] =
    ["Page View", "Product Viewed", "Search", "Add to Cart", "Checkout Started", "Order Completed"];
const PAGES: [&str; 6] =
    ["home", "products", "search/results", "cart", "checkout", "account/orders"];
const BROWSERS: [&str; 4] = ["Chrome", "Safari", "Firefox", "Microsoft Edge"];
const SYSTEMS: [&str; 5] = ["Windows", "Mac OS X", "Android", "iOS", "Linux"];
const CITIES: [(&str, &str, &str); 6] = [
    ("Berlin", "Land Berlin", "DE"),
    ("Paris", "Île-de-France", "FR"),
    ("Madrid", "Comunidad de Madrid", "ES"),
    ("Milan", "Lombardy", "IT"),
    ("Zürich", "Zurich", "CH"),
    ("Vienna", "Vienna", "AT"),
];
const REFERRERS: [&str; 4] =
    ["www.google.com", "duckduckgo.com", "news.example.test", "newsletter.example.test"];
const ADJECTIVES: [&str; 8] =
    ["Quiet", "Wooden", "Folding", "Green", "Heavy", "Waterproof", "Second-hand", "Small"];
const THINGS: [&str; 8] =
    ["Chair", "Lamp", "Tent", "Kettle", "Backpack", "Bicycle", "Shelf", "Radio"];
const PLANS: [&str; 3] = ["free", "pro", "team"];
/// 2023-11-14, the time of the first line; each following one is seven seconds later.
const FIRST: u64 = 1_700_000_000;

/// An event of `subject`.
pub(super) fn event(
    out: &mut Vec<u8>,
    subject: &Subject,
    number: u64,
    random: &mut Random,
) -> io::Result<()> {
    event_with(out, subject, number, random, &format_args!("\"distinct_id\":\"{}\",", subject.id()))
}

/// An event with the looks of `subject`'s, and with `ids` at the place of its distinct_id: members, each with a comma
/// behind it.
pub(super) fn event_with(
    out: &mut Vec<u8>,
    subject: &Subject,
    number: u64,
    random: &mut Random,
    ids: &dyn std::fmt::Display,
) -> io::Result<()> {
    let mut habits = Random::new(subject.habits);
    let (browser, system) = (habits.skewed(&BROWSERS), habits.skewed(&SYSTEMS));
    let (city, region, country) = *habits.even(&CITIES);
    let (version, width) = (habits.below(20) + 110, 1280 + 160 * habits.below(5));
    let (referrer, plan) = (habits.skewed(&REFERRERS), habits.skewed(&PLANS));
    let time = FIRST + 7 * number;
    let page = random.skewed(&PAGES);
    // One session has events close to each other, so it packs well only where a person's lines are together.
    let session = uuid(&mut Random::new(subject.habits ^ (number / 64)));
    write!(
        out,
        "{{\"event\":\"{event}\",\"properties\":{{\"time\":{time},{ids}\"$browser\":\"{browser}\",\
         \"$browser_version\":{version},\"$city\":\"{city}\",\
         \"$current_url\":\"https://shop.example.test/{page}?item={item}&ref=home\",\
         \"$device_id\":\"{device}\",\"$initial_referrer\":\"https://{referrer}/\",\
         \"$insert_id\":\"{insert}\",\"$lib_version\":\"2.47.0\",\
         \"$mp_api_timestamp_ms\":{sent},\"$os\":\"{system}\",\"$region\":\"{region}\",\
         \"$screen_height\":{height},\"$screen_width\":{width},\"mp_country_code\":\"{country}\",\
         \"mp_lib\":\"web\",\"mp_processing_time_ms\":{processed},\"session\":\"{session}\",\
         \"trace\":\"{trace:016x}{span:08x}\",\"title\":\"{title} {kind}\",\"load_ms\":{load},\
         \"scroll\":{scroll},\"plan\":\"{plan}\",\"price\":{price}.{cents:02},\
         \"currency\":\"EUR\",\"experiments\":[\"new-checkout\",\"fast-search\"],\
         \"logged_in\":true,\"coupon\":null}}}}",
        event = random.skewed(&EVENTS),
        item = random.below(500),
        device = subject.device,
        insert = insert_id(random),
        sent = time * 1000 + random.below(1000),
        height = width * 10 / 16,
        processed = time * 1000 + 1500,
        trace = random.next(),
        span = random.next() >> 32,
        title = random.even(&ADJECTIVES),
        kind = random.even(&THINGS),
        load = random.below(4000),
        scroll = random.below(100),
        price = random.below(90),
        cents = 10 * random.below(10) + 9,
    )
}

/// Sixteen letters and digits, as the vendor's libraries make them.
fn insert_id(random: &mut Random) -> String {
    const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let letter = |_| usize::try_from(random.below(36)).ok().and_then(|n| LETTERS.get(n));
    (0..16).filter_map(letter).map(|&letter| char::from(letter)).collect()
}

/// A profile of `subject`.
pub(super) fn profile(
    out: &mut Vec<u8>,
    subject: &Subject,
    number: u64,
    random: &mut Random,
) -> io::Result<()> {
    let mut habits = Random::new(subject.habits);
    let (city, region, country) = *habits.even(&CITIES);
    write!(
        out,
        "{{\"$distinct_id\":\"{id}\",\"$properties\":{{\"$email\":\"{id}\",\"$city\":\"{city}\",\
         \"$region\":\"{region}\",\"$country_code\":\"{country}\",\"$last_seen\":{seen},\
         \"orders\":{orders},\"lifetime_value\":{value}.5,\"plan\":\"{plan}\"}}}}",
        id = subject.id(),
        seen = FIRST + 7 * number,
        orders = random.below(40),
        value = random.below(3000),
        plan = habits.skewed(&PLANS),
    )
}
