//! How long a fetched document may be used before it is asked for again (RFC 9111 4.2), within bounds of ours.

use hyper::HeaderMap;
use hyper::header::{AGE, CACHE_CONTROL, DATE, EXPIRES};

use crate::clock::Seconds;

/// At least: a host that forbids caching would otherwise be asked at every request of everybody.
const LEAST: Seconds = Seconds::minutes(1);

/// At most: what a host takes back is gone after a day.
const MOST: Seconds = Seconds::hours(24);

/// Where the host says nothing.
const USUAL: Seconds = Seconds::hours(1);

/// The time for which an answer with these headers is fresh, from one minute to one day.
pub(super) fn of(headers: &HeaderMap) -> Seconds {
    let stated =
        max_age(headers).map(|age| age.saturating_sub(age_so_far(headers))).or_else(|| expires_in(headers));
    let seconds = stated.and_then(|seconds| u32::try_from(seconds).ok().or(Some(u32::MAX)));
    seconds.map_or(USUAL, Seconds::new).clamp(LEAST, MOST)
}

/// `max-age`, or nothing left where the answer may not be stored or reused. Of several directives the strictest counts.
fn max_age(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directives = lines.flat_map(|line| line.split(',')).map(str::trim);
    directives
        .filter_map(|directive| {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => Some(0),
                // A number that cannot be read is no promise (RFC 9111 4.2.1).
                "max-age" => Some(whole(value.trim().trim_matches('"')).unwrap_or(0)),
                _ => None,
            }
        })
        .min()
}

/// How old the answer was already when a cache on the way sent it.
fn age_so_far(headers: &HeaderMap) -> u64 {
    headers.get(AGE).and_then(|age| age.to_str().ok()).and_then(|age| whole(age.trim())).unwrap_or(0)
}

/// From `Date` to `Expires`, both by the host's clock. An `Expires` that is no date has passed (RFC 9111 5.3).
fn expires_in(headers: &HeaderMap) -> Option<u64> {
    let expires = headers.get(EXPIRES)?;
    let date = |value: &hyper::header::HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok();
    let span = date(expires)
        .zip(headers.get(DATE).and_then(date))
        .and_then(|(end, now)| end.duration_since(now).ok());
    Some(span.map_or(0, |span| span.as_secs()))
}

/// Digits only; more than fit are as many as there can be.
fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(headers: &[(&'static str, &str)]) -> u32 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        of(&map).as_u32()
    }

    #[test]
    fn a_cimd_16_what_a_host_says_of_caching_is_kept_within_a_minute_and_a_day() {
        assert_eq!(fresh(&[]), 3600);
        assert_eq!(fresh(&[("cache-control", "max-age=600")]), 600);
        assert_eq!(fresh(&[("cache-control", "public, Max-Age=\"600\"")]), 600);
        for never in ["no-store", "no-cache, max-age=600", "max-age=0", "max-age=-5", "max-age=x", "max-age="]
        {
            assert_eq!(fresh(&[("cache-control", never)]), 60, "{never}");
        }
        for ever in ["max-age=1000000000000", "max-age=99999999999999999999999"] {
            assert_eq!(fresh(&[("cache-control", ever)]), 86_400, "{ever}");
        }
        assert_eq!(fresh(&[("cache-control", "max-age=600"), ("cache-control", "max-age=300")]), 300);
        assert_eq!(fresh(&[("cache-control", "max-age=600"), ("age", "500")]), 100);
        assert_eq!(fresh(&[("cache-control", "max-age=600"), ("age", "-500")]), 600);
        assert_eq!(fresh(&[("cache-control", "max-age=600"), ("age", "99999999999999999999999")]), 60);
    }

    #[test]
    fn a_cimd_16_an_expiry_date_counts_from_the_hosts_own_clock() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(fresh(&[date, ("expires", "Sun, 06 Nov 1994 09:19:37 GMT")]), 1800);
        assert_eq!(fresh(&[date, ("expires", "Sun, 06 Nov 1994 08:00:00 GMT")]), 60);
        assert_eq!(fresh(&[date, ("expires", "0")]), 60);
        assert_eq!(fresh(&[("expires", "Sun, 06 Nov 2044 09:19:37 GMT")]), 60, "by whose clock?");
        let expires = ("expires", "Sun, 06 Nov 1994 08:00:00 GMT");
        assert_eq!(fresh(&[date, expires, ("cache-control", "max-age=600")]), 600, "max-age counts more");
    }
}
