//! The `Cookie` header of RFC 6265 5.4.

use hyper::HeaderMap;
use hyper::header::COOKIE;

/// The value of the cookie called `name`. `None` also when it was sent with two different values: a cookie
/// of a parent domain or another path may shadow ours, and picking one would let its owner choose.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = None;
    for line in headers.get_all(COOKIE) {
        let Ok(line) = line.to_str() else {
            continue;
        };
        for pair in line.split(';') {
            let Some((key, value)) = pair.split_once('=') else {
                continue;
            };
            if key.trim() != name {
                continue;
            }
            let value = value.trim();
            if found.is_some_and(|other| other != value) {
                return None;
            }
            found = Some(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(lines: &[&'static str], name: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, line.parse().unwrap());
        }
        find(&headers, name).map(str::to_owned)
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name() {
        let lines = &["a=1; __Host-session=x=y;c=", "d=4"];
        assert_eq!(cookie(lines, "a").as_deref(), Some("1"));
        assert_eq!(cookie(lines, "__Host-session").as_deref(), Some("x=y"));
        assert_eq!(cookie(lines, "c").as_deref(), Some(""));
        assert_eq!(cookie(lines, "d").as_deref(), Some("4"));
        for absent in ["A", "session", "__host-session", "", "x"] {
            assert_eq!(cookie(lines, absent), None, "{absent}");
        }
        assert_eq!(cookie(&[], "a"), None);
    }

    #[test]
    fn a_cookie_with_two_values_is_no_cookie() {
        assert_eq!(cookie(&["a=1; a=2"], "a"), None);
        assert_eq!(cookie(&["a=1", "a=2"], "a"), None);
        assert_eq!(cookie(&["a=1; a=1"], "a").as_deref(), Some("1"));
    }
}
