//! The envelope: serialization, algorithm, type, and all that a header might talk this server into.

use ring::hmac;
use serde_json::{Value, json};
use vestibule::crypto::digest::to_base64url;
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;
use vestibule::crypto::public_key::AssertionAlgorithm;

use super::{Pkj, good, key_set, with, without};
use crate::harness::ClientKey;

/// The header of `key`.
fn header(key: &ClientKey) -> Value {
    json!({ "alg": key.algorithm().as_str(), "kid": key.kid() })
}

/// A good assertion but for its header.
fn under(key: &ClientKey, header: &Value) -> String {
    key.sign(&header.to_string(), &good().to_string())
}

#[test]
fn a_jwt_01_a_text_without_a_signature_proves_nothing() {
    let pkj = Pkj::new();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for header in [json!({ "alg": alg }), json!({ "alg": alg, "kid": "es256" })] {
            let signed = format!("{}.{}", part(&header), part(&good()));
            let stolen = pkj.p256.signature_of(signed.as_bytes());
            for signature in [String::new(), to_base64url(&stolen)] {
                let text = format!("{signed}.{signature}");
                pkj.assert_refused(&text, "assertion_algorithm_unsupported", &text);
            }
        }
    }
    for key in pkj.keys() {
        let text = key.assert(&good());
        let (signed, _) = text.rsplit_once('.').unwrap();
        pkj.assert_refused(&format!("{signed}."), "assertion_signature_wrong", key.kid());
    }
}

#[test]
fn a_jwt_02_a_public_key_is_no_shared_secret() {
    let pkj = Pkj::new();
    let pem = include_str!("../../vectors/test_key_rsa_2048_public.pem");
    let der = pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    let secrets = [pem, pem.trim_end(), &der, &pkj.rsa.jwk().to_string(), &pkj.p256.jwk().to_string(), ""];
    for secret in secrets {
        for (alg, reason) in [
            ("HS256", "assertion_algorithm_unsupported"),
            ("HS384", "assertion_algorithm_unsupported"),
            ("HS512", "assertion_algorithm_unsupported"),
            ("RS256", "assertion_signature_wrong"),
            ("ES256", "assertion_signature_wrong"),
            ("EdDSA", "assertion_signature_wrong"),
        ] {
            for header in [json!({ "alg": alg }), json!({ "alg": alg, "kid": alg.to_lowercase() })] {
                let signed = format!("{}.{}", part(&header), part(&good()));
                let tag =
                    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
                let text = format!("{signed}.{}", to_base64url(tag.as_ref()));
                pkj.assert_refused(&text, reason, header);
            }
        }
    }
}

#[test]
fn a_jwt_03_only_the_three_algorithms_by_their_exact_names() {
    let pkj = Pkj::new();
    for alg in [
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES384",
        "ES512",
        "ES256K",
        "Ed25519",
        "Ed448",
        "rs256",
        "Es256",
        "eddsa",
        "EDDSA",
        "ES256 ",
        " ES256",
        "ES256\0",
        "RS256,ES256",
        "RSA-OAEP",
        "dir",
    ] {
        for key in pkj.keys() {
            let text = under(key, &with(header(key), "alg", alg));
            pkj.assert_refused(&text, "assertion_algorithm_unsupported", alg);
        }
    }
    for alg in [Value::Null, json!(256), json!(["ES256"]), json!({ "ES256": true }), json!(true)] {
        let text = under(&pkj.p256, &with(header(&pkj.p256), "alg", alg.clone()));
        pkj.assert_refused(&text, "assertion_algorithm_unsupported", alg);
    }
    let text = under(&pkj.p256, &without(header(&pkj.p256), "alg"));
    pkj.assert_refused(&text, "assertion_algorithm_unsupported", "no alg");
}

#[test]
fn a_jwt_03_the_key_decides_how_it_is_checked() {
    let pkj = Pkj::new();
    for key in pkj.keys() {
        for said in AssertionAlgorithm::ALL.into_iter().filter(|said| *said != key.algorithm()) {
            let text = under(key, &with(header(key), "alg", said.as_str()));
            pkj.assert_refused(&text, "assertion_algorithm_differs", &text);
            let other = pkj.key(said);
            for header in [json!({ "alg": said.as_str() }), header(other)] {
                pkj.assert_refused(&under(key, &header), "assertion_signature_wrong", header);
            }
        }
    }
}

#[test]
fn a_jwt_04_no_header_brings_its_own_key() {
    let pkj = Pkj::new();
    let evil = ClientKey::new(AssertionAlgorithm::Es256);
    let mut jwk = evil.jwk();
    for kid in ["es256", "evil", "https://evil.test/keys"] {
        jwk["kid"] = kid.into();
        let gifts = [
            ("jwk", jwk.clone()),
            ("jku", json!("https://evil.test/jwks.json")),
            ("x5u", json!("https://evil.test/chain.pem")),
            ("x5c", json!(["MIIB"])),
            ("x5t#S256", json!("AAAA")),
            ("keys", json!([jwk.clone()])),
        ];
        for (name, gift) in gifts {
            let header = with(json!({ "alg": "ES256", "kid": kid }), name, gift);
            let reason = if kid == "es256" { "assertion_signature_wrong" } else { "assertion_kid_unknown" };
            pkj.assert_refused(&under(&evil, &header), reason, &header);
            pkj.assert_refused(
                &under(&evil, &without(header.clone(), "kid")),
                "assertion_signature_wrong",
                &header,
            );
            let honest = with(header, "kid", "es256");
            pkj.assert_good(&under(&pkj.p256, &honest), honest);
        }
    }
}

#[test]
fn a_jwt_05_a_kid_is_a_name_and_nothing_else() {
    let pkj = Pkj::new();
    for kid in [
        "../../etc/passwd",
        "/dev/null",
        "' OR 1=1--",
        "es256' --",
        "ES256",
        "es256 ",
        "es256\0",
        "es256\n",
        "*",
        "https://evil.test/key",
        "\u{202e}652se",
        &"k".repeat(256),
        &"é".repeat(256),
    ] {
        let text = under(&pkj.p256, &with(header(&pkj.p256), "kid", kid));
        pkj.assert_refused(&text, "assertion_kid_unknown", kid);
        assert!(pkj.judge(&text).unwrap_err().fresh_keys_may_help());
    }
    for kid in
        [json!(""), json!("k".repeat(257)), json!("k".repeat(5_000)), json!(1), json!(null), json!(["es256"])]
    {
        let text = under(&pkj.p256, &with(header(&pkj.p256), "kid", kid.clone()));
        pkj.assert_refused(&text, "assertion_kid_malformed", kid);
    }
    let text = under(&pkj.p256, &with(header(&pkj.p256), "kid", "k".repeat(10_240)));
    pkj.assert_refused(&text, "assertion_too_long", "10 KB");
}

#[test]
fn a_jwt_05_a_kid_of_two_keys_names_neither() {
    let [one, other] = [(); 2].map(|()| ClientKey::new(AssertionAlgorithm::Es256));
    let pkj = Pkj { published: key_set(&[one.jwk(), other.jwk()]), ..Pkj::new() };
    for key in [&one, &other] {
        pkj.assert_refused(&key.assert(&good()), "assertion_kid_repeated", "two keys of one name");
        assert!(!pkj.judge(&key.assert(&good())).unwrap_err().fresh_keys_may_help());
        pkj.assert_good(&under(key, &json!({ "alg": "ES256" })), "without kid both are tried");
    }
}

#[test]
fn a_jwt_06_extensions_that_must_not_be_ignored_are_refused() {
    let pkj = Pkj::new();
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(["http://example.invalid/UNDEFINED"])),
        ("crit", json!(["alg"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
    ] {
        let header = with(header(&pkj.p256), name, value);
        pkj.assert_refused(&under(&pkj.p256, &header), "assertion_header_extended", &header);
    }
    let header = json!({ "alg": "ES256", "kid": "es256", "b64": false, "crit": ["b64"] });
    pkj.assert_refused(&under(&pkj.p256, &header), "assertion_header_extended", &header);
}

#[test]
fn a_jwt_06_only_the_compact_serialization_letter_by_letter() {
    let pkj = Pkj::new();
    let text = pkj.p256.assert(&good());
    let [head, body, tail]: [&str; 3] = text.split('.').collect::<Vec<_>>().try_into().unwrap();
    let json = json!({ "protected": head, "payload": body, "signature": tail });
    let spoilt = [
        String::new(),
        ".".to_owned(),
        head.to_owned(),
        format!("{head}.{body}"),
        format!("{text}."),
        format!(".{text}"),
        format!("{text}.{tail}"),
        format!("{head}..{body}.{tail}"),
        format!("{head}.{body}.{tail}.{tail}.{tail}"),
        format!("{text}="),
        format!("{head}=.{body}.{tail}"),
        format!("{head}.{body}==.{tail}"),
        format!("{text} "),
        format!(" {text}"),
        format!("{text}\n"),
        format!("{text}\r\n"),
        format!("{head}. {body}.{tail}"),
        format!("{head}.{body}.{}\n{}", &tail[..40], &tail[40..]),
        format!("{text}\0"),
        format!("\u{feff}{text}"),
        format!("Bearer {text}"),
        format!("\"{text}\""),
        text.replace('.', ","),
        json.to_string(),
        json!({ "payload": body, "signatures": [{ "protected": head, "signature": tail }] }).to_string(),
    ];
    for spoilt in spoilt {
        pkj.assert_refused(&spoilt, "assertion_not_compact", &spoilt);
    }
    pkj.assert_refused("..", "assertion_header_unreadable", "nothing in three parts");
    pkj.assert_refused(&format!("{head}..{tail}"), "assertion_claims_unreadable", "detached payload");
    pkj.assert_refused(&format!(".{body}.{tail}"), "assertion_header_unreadable", "no header");
}

/// Bits that carry nothing can be set to anything by a lax reader, which gives one signature many spellings.
#[test]
fn a_jwt_06_one_value_has_one_spelling_in_base64url() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let pkj = Pkj::new();
    for key in pkj.keys() {
        let text = key.assert(&good());
        let (rest, last) = text.split_at(text.len() - 1);
        let value = ALPHABET.iter().position(|c| *c == last.as_bytes()[0]).unwrap();
        // 64 and 256 bytes leave four bits over.
        for more in 1..16 {
            let spoilt = format!("{rest}{}", char::from(ALPHABET[value ^ more]));
            pkj.assert_refused(&spoilt, "assertion_not_compact", &spoilt);
        }
        let signature = text.rsplit('.').next().unwrap();
        assert!(signature.contains(['-', '_']) || key.kid() != "rs256", "342 characters without either");
        let standard =
            format!("{}.{}", text.rsplit_once('.').unwrap().0, signature.replace('-', "+").replace('_', "/"));
        if standard != text {
            pkj.assert_refused(&standard, "assertion_not_compact", "the other alphabet");
        }
    }
}

#[test]
fn a_jwt_06_what_is_too_long_is_not_read() {
    let pkj = Pkj::new();
    let padded = |length: usize| pkj.p256.assert(&with(good(), "padding", "x".repeat(length)));
    let (mut fits, mut length) = (padded(0), 0);
    while padded(length + 3).len() <= 8192 {
        length += 3;
        fits = padded(length);
    }
    assert!(fits.len() > 8188);
    pkj.assert_good(&fits, "8 KiB");
    pkj.assert_refused(&padded(length + 3), "assertion_too_long", "more than 8 KiB");
    pkj.assert_refused(&"A".repeat(1 << 20), "assertion_too_long", "1 MB");
    pkj.assert_refused(&".".repeat(8192), "assertion_not_compact", "the last byte that is read");
    pkj.assert_refused(&".".repeat(8193), "assertion_too_long", "the first that is not");
}

#[test]
fn a_jwt_06_nothing_encrypted_and_nothing_nested() {
    let pkj = Pkj::new();
    let jwe = json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "rs256" });
    let text = format!("{}.{}.{}.{}.{}", part(&jwe), "AAAA", "AAAA", part(&good()), "AAAA");
    pkj.assert_refused(&text, "assertion_not_compact", "JWE");
    // CVE-2026-9793: raw JSON where a signed text belongs.
    let text = format!("{}.{}.{}", part(&jwe), part(&good()), "AAAA");
    pkj.assert_refused(&text, "assertion_algorithm_unsupported", "JWE of three parts");
    let inner = pkj.p256.assert(&good());
    let header = with(header(&pkj.p256), "cty", "JWT").to_string();
    pkj.assert_refused(&pkj.p256.sign(&header, &inner), "assertion_claims_unreadable", "nested");
    let quoted = json!(inner).to_string();
    pkj.assert_refused(&pkj.p256.sign(&header, &quoted), "assertion_claims_unreadable", "nested as JSON");
}

#[test]
fn a_jwt_07_json_says_one_thing_and_in_one_case() {
    let pkj = Pkj::new();
    let (good, key) = (good().to_string(), &pkj.p256);
    for header in [
        r#"{"alg":"ES256","alg":"ES256","kid":"es256"}"#,
        r#"{"alg":"none","kid":"es256","alg":"ES256"}"#,
        r#"{"alg":"ES256","\u0061lg":"ES256"}"#,
        r#"{"alg":"ES256","kid":"evil","kid":"es256"}"#,
        r#"{"alg":"ES256","x":{"y":1,"y":2}}"#,
        r#"["ES256"]"#,
        r#""ES256""#,
        "null",
        "",
        "{",
        r#"{"alg":"ES256"}}"#,
        r#"{"alg":"ES256"}{}"#,
        "\u{feff}{\"alg\":\"ES256\"}",
        r#"{"alg":"ES256","x":"\ud800"}"#,
        "{'alg':'ES256'}",
    ] {
        pkj.assert_refused(&key.sign(header, &good), "assertion_header_unreadable", header);
    }
    pkj.assert_refused(&key.sign(r#"{"ALG":"ES256"}"#, &good), "assertion_algorithm_unsupported", "ALG");
    pkj.assert_good(&key.sign(" {\r\n\t\"alg\" : \"ES256\" } ", &good), "space around is JSON's own");
    let header = header(key).to_string();
    for claims in [
        good.replacen('{', r#"{"sub":"evil","#, 1),
        good.replacen('{', r#"{"sub":"pkj","#, 1),
        good.replacen('{', r#"{"\u0061ud":"https://evil.test","#, 1),
        good.replacen('{', r#"{"exp":1,"#, 1),
        good.replacen('{', r#"{"x":[{"y":1,"y":1}],"#, 1),
        format!("[{good}]"),
        format!("{good}{good}"),
        "[".repeat(5_000),
        "7".to_owned(),
        String::new(),
    ] {
        pkj.assert_refused(&key.sign(&header, &claims), "assertion_claims_unreadable", &claims);
    }
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        let shouted = good.replacen(&format!("\"{name}\""), &format!("\"{}\"", name.to_uppercase()), 1);
        pkj.assert_refused(&key.sign(&header, &shouted), "assertion_claim_missing", &shouted);
    }
}

#[test]
fn a_jwt_07_text_is_utf_8() {
    let pkj = Pkj::new();
    let (head, body) = (header(&pkj.p256).to_string(), good().to_string());
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82"] {
        let spoil = |json: &str| [&json.as_bytes()[..json.len() - 1], b",\"x\":\"", bytes, b"\"}"].concat();
        for (head, body, reason) in [
            (spoil(&head), body.clone().into_bytes(), "assertion_header_unreadable"),
            (head.clone().into_bytes(), spoil(&body), "assertion_claims_unreadable"),
        ] {
            let signed = format!("{}.{}", to_base64url(&head), to_base64url(&body));
            let signature = to_base64url(&pkj.p256.signature_of(signed.as_bytes()));
            pkj.assert_refused(&format!("{signed}.{signature}"), reason, format!("{bytes:02x?}"));
        }
    }
}

#[test]
fn c_ja_09_an_assertion_may_say_its_type_or_not() {
    let pkj = Pkj::new();
    for typ in [
        "JWT",
        "jwt",
        "application/jwt",
        "Application/JWT",
        "client-authentication+jwt",
        "Client-Authentication+JWT",
        "application/client-authentication+jwt",
    ] {
        for key in pkj.keys() {
            pkj.assert_good(&under(key, &with(header(key), "typ", typ)), typ);
        }
    }
}

#[test]
fn a_jwt_11_another_kind_of_token_is_no_assertion() {
    let pkj = Pkj::new();
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "dpop+jwt",
        "id_token+jwt",
        "logout+jwt",
        "secevent+jwt",
        "oauth-id-jag+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
        "authorization-grant+jwt",
        "JOSE",
        "JWE",
        "",
        " JWT",
        "JWT ",
        "JWT; charset=utf-8",
        "application/",
        "application/application/jwt",
        "text/jwt",
        "x-client-authentication+jwt",
    ] {
        let text = under(&pkj.p256, &with(header(&pkj.p256), "typ", typ));
        pkj.assert_refused(&text, "assertion_type_foreign", typ);
    }
    for typ in [json!(null), json!(1), json!(["JWT"]), json!({})] {
        let text = under(&pkj.p256, &with(header(&pkj.p256), "typ", typ.clone()));
        pkj.assert_refused(&text, "assertion_type_foreign", typ);
    }
}

/// Even if its key stood in the client's set, and the claims were those of an assertion.
#[test]
fn a_jwt_11_an_access_token_of_this_server_is_no_assertion() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm), "at+jwt").unwrap();
        let jwk = serde_json::to_value(key.jwk()).unwrap();
        let pkj = Pkj { published: key_set(&[jwk]), ..Pkj::new() };
        let token = key.sign(good().to_string().as_bytes());
        pkj.assert_refused(&token, "assertion_type_foreign", algorithm.as_str());
    }
}

fn part(json: &Value) -> String {
    to_base64url(json.to_string().as_bytes())
}
