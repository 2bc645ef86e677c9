//! Addresses: of Redis in the settings, of exports in Mixpanel's answers.
//!
//! The first line is a list of export hosts, the second a link, the third an address of Redis.
//!
//! Dictionary: address
#![no_main]

use gdpr_worker::{
    mixpanel::{ExportHosts, LinkRefusal, fuzzing::followed},
    queue::{SCHEMES, fuzzing::place},
};
use libfuzzer_sys::fuzz_target;

const PASSWORD: &str = "hunter2-not-shown";
const LISTED: [&str; 4] = ["amazonaws.com", "mixpanel.com", "emulator", "[::1]"];

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (hosts, link, redis) = (line(), line(), line());
    default_list(link);
    some_list(link);
    any_list(hosts, link);
    redis_address(redis);
});

/// Scheme, host and port of an address that was taken, which must be one of the web and hold no credentials.
fn parts(url: &str) -> (&str, String, Option<u16>) {
    let (scheme, rest) = url.split_once("://").expect("a web address");
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    assert!(!authority.contains(['@', '\\']), "{url}");
    match authority
        .rsplit_once(':')
        .filter(|(host, _)| !host.starts_with('[') || host.ends_with(']'))
    {
        Some((host, port)) => (scheme, host.to_owned(), Some(port.parse().expect("a port"))),
        None => (scheme, authority.to_owned(), None),
    }
}

fn is_within(host: &str, listed: &str) -> bool {
    host == listed
        || host.strip_suffix(listed).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
}

/// Storage services: https on its own port, of the services and their subdomains.
fn default_list(link: &str) {
    let Ok(url) = followed(&ExportHosts::default(), link) else { return };
    let (scheme, host, port) = parts(&url);
    let listed = ["storage.googleapis.com", "amazonaws.com", "mixpanel.com"];
    assert!(scheme == "https" && port.is_none(), "{url}");
    assert!(listed.iter().any(|listed| is_within(&host, listed)), "{url}");
}

/// Hosts that an operator lists by name may be plain, on the port that was listed.
fn some_list(link: &str) {
    let hosts: ExportHosts =
        "amazonaws.com, mixpanel.com, emulator:9100, [::1]:9000".parse().expect("a list");
    let Ok(url) = followed(&hosts, link) else { return };
    let (scheme, host, port) = parts(&url);
    match host.as_str() {
        "emulator" => assert_eq!(port, Some(9100), "{url}"),
        "[::1]" => assert_eq!(port, Some(9000), "{url}"),
        host => {
            assert!(scheme == "https" && port.is_none(), "{url}");
            assert!(LISTED[..2].iter().any(|listed| is_within(host, listed)), "{url}");
        }
    }
}

/// Whatever is listed: no credentials, no other scheme, and no word of the link in a refusal.
fn any_list(hosts: &str, link: &str) {
    let Ok(hosts) = hosts.parse::<ExportHosts>() else { return };
    match followed(&hosts, link) {
        Ok(url) => assert!(["http", "https"].contains(&parts(&url).0), "{url}"),
        Err(LinkRefusal::PrivateAddress) => panic!("no name was resolved"),
        Err(_) => {}
    }
}

/// A password is never shown, neither in an error nor in what people see of an address.
fn redis_address(redis: &str) {
    let _ = place(redis);
    if redis.contains(PASSWORD) {
        return;
    }
    // A path of the file system has no password in it.
    for scheme in SCHEMES.iter().filter(|scheme| !scheme.contains("unix")) {
        hides(&format!("{scheme}://user:{PASSWORD}@{redis}"));
        hides(&format!("{scheme}://:{PASSWORD}@{redis}"));
    }
    hides(&format!("redis+sentinel://a/{redis}?sentinel_auth=user:{PASSWORD}"));
    // An address that lacks its beginning.
    hides(&format!("user:{PASSWORD}@{redis}"));
    hides(&format!("redis:/user:{PASSWORD}@{redis}"));
}

fn hides(url: &str) {
    let shown = match place(url) {
        Ok((place, _)) => place,
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains(PASSWORD), "{shown}");
}
