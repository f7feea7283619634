//! Media types of request bodies, read strictly (RFC 9110 8.3.1).

use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};

/// Whether a body is JSON by its headers: declared so, and neither compressed nor in another character set.
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    is_declared(headers, "application/json")
        && encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether the body is declared, exactly once, as `wanted` (lower case). Parameters are tolerated, except a
/// `charset` other than UTF-8.
pub(super) fn is_declared(headers: &HeaderMap, wanted: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    value.to_str().is_ok_and(|value| is_media_type(value, wanted))
}

fn is_media_type(value: &str, wanted: &str) -> bool {
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default().trim_matches([' ', '\t']);
    essence.eq_ignore_ascii_case(wanted) && parts.all(is_harmless_parameter)
}

/// An empty parameter (a trailing `;`) is allowed by the grammar. A `;` within a quoted value is not
/// understood, and refused by the quote that then misses.
fn is_harmless_parameter(parameter: &str) -> bool {
    let parameter = parameter.trim_matches([' ', '\t']);
    if parameter.is_empty() {
        return true;
    }
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let value = match value.strip_prefix('"') {
        Some(rest) => match rest.strip_suffix('"') {
            Some(inner) if !inner.contains(['"', '\\']) => inner,
            _ => return false,
        },
        None if is_token(value) => value,
        None => return false,
    };
    is_token(name) && (!name.eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8"))
}

fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_http_02_media_types_are_read_strictly() {
        for good in [
            "application/json",
            "Application/JSON",
            " application/json ",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json;",
            "application/json; boundary=x ; v=\"a b\"",
        ] {
            assert!(is_media_type(good, "application/json"), "{good}");
        }
        for bad in [
            "",
            ";",
            "application",
            "application/jsonx",
            "application/json-patch+json",
            "application/json, application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded, application/json",
            "application/json; charset=utf-16",
            "application/json; charset",
            "application/json; charset=",
            "application/json; charset=\"utf-8",
            "application/json charset=utf-8",
            "application/json; a b=c",
        ] {
            assert!(!is_media_type(bad, "application/json"), "{bad}");
        }
    }

    #[test]
    fn a_http_02_two_content_types_are_none() {
        let mut headers = HeaderMap::new();
        assert!(!is_declared(&headers, "application/json"));
        headers.append(CONTENT_TYPE, "application/json".parse().unwrap());
        assert!(is_declared(&headers, "application/json"));
        headers.append(CONTENT_TYPE, "application/json".parse().unwrap());
        assert!(!is_declared(&headers, "application/json"));
    }
}
