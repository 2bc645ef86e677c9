//! Where a client is: its address, and how a record gets it when the SDK asked for a place (`ip=1`).

use std::net::IpAddr;

use axum::http::HeaderMap;

use super::record::Kind;

/// The address of the client: the peer's, or behind a proxy the last one in `X-Forwarded-For`, which is the one that the
/// proxy itself saw. Those before it are the client's own words.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, behind_proxy: bool) -> IpAddr {
    let forwarded = || {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        let last = last.rsplit(',').next()?.trim();
        last.parse().ok().or_else(|| Some(last.parse::<std::net::SocketAddr>().ok()?.ip()))
    };
    let address: Option<IpAddr> = if behind_proxy { forwarded() } else { None };
    address.unwrap_or(peer).to_canonical()
}

/// `json` with the address put in at `at`, the place after an opening brace; everything else byte for byte.
pub(super) fn located(json: &str, at: usize, kind: Kind, address: IpAddr) -> String {
    let key = match kind {
        Kind::Event => "ip",
        Kind::Profile => "$ip",
    };
    let (head, tail) = json.split_at(at);
    let comma = if tail.trim_start().starts_with('}') { "" } else { "," };
    format!("{head}\"{key}\":\"{address}\"{comma}{tail}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn seen(forwarded: &[&str], behind_proxy: bool) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        client("192.0.2.1".parse().unwrap(), &headers, behind_proxy).to_string()
    }

    #[test]
    fn only_the_word_of_the_proxy_counts() {
        assert_eq!(seen(&["203.0.113.9"], false), "192.0.2.1");
        assert_eq!(seen(&["10.9.9.9, 203.0.113.9"], true), "203.0.113.9");
        assert_eq!(seen(&["10.9.9.9", "203.0.113.9"], true), "203.0.113.9");
        assert_eq!(seen(&["[2001:db8::1]:443"], true), "2001:db8::1");
        assert_eq!(seen(&["::ffff:203.0.113.9"], true), "203.0.113.9");
        assert_eq!(seen(&["\",\"distinct_id\":\"x"], true), "192.0.2.1");
        assert_eq!(seen(&[], true), "192.0.2.1");
    }

    #[test]
    fn an_address_is_put_in_and_the_rest_stays() {
        let address = "203.0.113.9".parse().unwrap();
        assert_eq!(located("{ }", 1, Kind::Profile, address), r#"{"$ip":"203.0.113.9" }"#);
        assert_eq!(
            located(r#"{"event":"A","properties":{"n":1.0}}"#, 27, Kind::Event, address),
            r#"{"event":"A","properties":{"ip":"203.0.113.9","n":1.0}}"#
        );
    }
}
