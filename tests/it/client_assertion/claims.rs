//! The claims: for whom, by whom, from when to when, and once.

use serde_json::{Value, json};
use vestibule::clock::{Seconds, UnixTime};
use vestibule::oauth::client_assertion::ClientAssertion;

use super::{NOW, Pkj, TOKEN_ENDPOINT, good, issuer, with, without};
use crate::harness::ISSUER;

/// An instant so many seconds from now.
fn at(seconds: i64) -> i64 {
    NOW.as_i64() + seconds
}

impl Pkj {
    #[track_caller]
    fn assert_claims_good(&self, claims: &Value) {
        self.assert_good(&self.p256.assert(claims), claims);
    }

    #[track_caller]
    fn assert_claims_refused(&self, claims: &Value, reason: &str) {
        self.assert_refused(&self.p256.assert(claims), reason, claims);
    }

    /// What the owner reads of a refusal.
    fn complaint(&self, claims: &Value) -> String {
        self.judge(&self.p256.assert(claims)).unwrap_err().to_string()
    }
}

/// rfc7523bis would refuse the token endpoint's URL, which clients still send; its own server's alone is accepted.
#[test]
fn a_jwt_08_c_ja_01_the_audience_is_the_issuer_or_the_token_endpoint() {
    let pkj = Pkj::new();
    for aud in [ISSUER, TOKEN_ENDPOINT] {
        pkj.assert_claims_good(&with(good(), "aud", aud));
    }
    for aud in [
        "https://as.test/token",
        "https://as.test/oauth/token/",
        "https://as.test/oauth/token?",
        "https://as.test/oauth/token#",
        "https://as.test/oauth//token",
        "https://as.test/oauth/Token",
        "https://AS.test/oauth/token",
        "https://as.test:443/oauth/token",
        "http://as.test/oauth/token",
        "https://as.test/oauth/%74oken",
        "https://as.test/oauth/token https://other.test",
        "/oauth/token",
    ] {
        pkj.assert_claims_refused(&with(good(), "aud", aud), "assertion_audience_wrong");
    }
}

#[test]
fn a_jwt_09_no_other_spelling_and_no_other_server_is_the_audience() {
    let pkj = Pkj::new();
    for aud in [
        "https://as.test/",
        "https://AS.TEST",
        "HTTPS://as.test",
        "https://as.test:443",
        "https://as.test.",
        "http://as.test",
        "as.test",
        "https://as.test/oauth/authorize",
        "https://as.test/oauth/par",
        "https://as.test/oauth/introspect",
        "https://as.test/oauth/revoke",
        "https://as.test/.well-known/oauth-authorization-server",
        "https://other.test",
        "https://as.test.evil.test",
        "https://as.test@evil.test",
        "https://as.test\0",
        "https://as.test ",
        "https://as.test,https://other.test",
        "*",
        "",
        "pkj",
    ] {
        pkj.assert_claims_refused(&with(good(), "aud", aud), "assertion_audience_wrong");
    }
    for aud in [
        json!([ISSUER]),
        json!([TOKEN_ENDPOINT]),
        json!([ISSUER, TOKEN_ENDPOINT]),
        json!([ISSUER, "https://other.test"]),
        json!(["https://other.test", ISSUER]),
        json!([ISSUER, ISSUER]),
        json!([[ISSUER]]),
        json!([]),
    ] {
        pkj.assert_claims_refused(&with(good(), "aud", aud), "assertion_audience_is_list");
    }
    for aud in [json!({ "aud": ISSUER }), json!(null), json!(1), json!(true)] {
        pkj.assert_claims_refused(&with(good(), "aud", aud), "assertion_claim_malformed");
    }
    pkj.assert_claims_refused(&without(good(), "aud"), "assertion_claim_missing");
    let complaint = pkj.complaint(&with(good(), "aud", "https://as.test/"));
    for told in [r#""https://as.test/""#, "is https://as.test,", TOKEN_ENDPOINT] {
        assert!(complaint.contains(told), "{complaint}");
    }
}

#[test]
fn a_jwt_12_c_ja_02_a_client_speaks_for_itself() {
    let pkj = Pkj::new();
    for (iss, sub) in [
        ("pkj", "conf"),
        ("conf", "pkj"),
        ("pkj", "PKJ"),
        ("pkj", "pkj "),
        ("pkj", ""),
        ("", "pkj"),
        (ISSUER, "pkj"),
        ("pkj", "usr_AAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        let claims = with(with(good(), "iss", iss), "sub", sub);
        pkj.assert_claims_refused(&claims, "assertion_subject_differs");
    }
    let long = "c".repeat(513);
    for id in ["", " ", "a b", "pkj\0", "pkj\n", "pkjé", "usr_AAAAAAAAAAAAAAAAAAAAAA", &long] {
        let claims = with(with(good(), "iss", id), "sub", id);
        pkj.assert_claims_refused(&claims, "assertion_claim_malformed");
    }
    for name in ["iss", "sub"] {
        pkj.assert_claims_refused(&without(good(), name), "assertion_claim_missing");
        for wrong in [json!(null), json!(1), json!(["pkj"]), json!({})] {
            pkj.assert_claims_refused(&with(good(), name, wrong), "assertion_claim_malformed");
        }
    }
}

/// The keys are looked up by the name in the text: it must be told before the signature, and not believed.
#[test]
fn a_jwt_12_the_unverified_name_is_the_one_that_is_verified() {
    let pkj = Pkj::new();
    for id in ["conf", "https://c.test/client.json", &"c".repeat(256)] {
        let text = pkj.ed25519.assert(&with(with(good(), "iss", id), "sub", id));
        let assertion = ClientAssertion::parse(&text).unwrap();
        assert_eq!(assertion.unverified_client_id().as_str(), id);
        let verified = assertion.verify(&pkj.published, &issuer(), TOKEN_ENDPOINT, NOW).unwrap();
        assert_eq!(verified.client_id(), assertion.unverified_client_id());
    }
}

#[test]
fn c_ja_03_an_assertion_ends_soon_but_not_before_a_slow_clock_has_had_its_minute() {
    let pkj = Pkj::new();
    for seconds in [-59, -1, 0, 1, 300, 3600, 3660] {
        pkj.assert_claims_good(&with(good(), "exp", at(seconds)));
    }
    for exp in [at(-60), at(-61), at(-86_400), 1, 0, -1, -9_007_199_254_740_991] {
        pkj.assert_claims_refused(&with(good(), "exp", exp), "assertion_expired");
    }
    for exp in [at(3661), at(86_400), at(365 * 86_400), 4_294_967_296, 9_007_199_254_740_991] {
        pkj.assert_claims_refused(&with(good(), "exp", exp), "assertion_expiry_too_far");
    }
    pkj.assert_claims_refused(&without(good(), "exp"), "assertion_claim_missing");
}

#[test]
fn c_ja_03_an_instant_is_a_number_with_or_without_a_fraction() {
    let pkj = Pkj::new();
    let claims = |name: &str, number: &str| {
        let claims = with(good(), name, "@").to_string().replace("\"@\"", number);
        pkj.p256.sign(r#"{"alg":"ES256"}"#, &claims)
    };
    let (soon, just_gone) = (at(300), at(-61));
    for number in [format!("{soon}.0"), format!("{soon}.999"), format!("{soon}e0"), "1.8e9".to_owned()] {
        pkj.assert_good(&claims("exp", &number), number);
    }
    // Downwards: a fraction never makes an assertion last longer.
    pkj.assert_refused(
        &claims("exp", &format!("{just_gone}.999")),
        "assertion_expired",
        "61 s ago and a bit",
    );
    let verified = pkj.judge(&claims("exp", &format!("{soon}.999"))).unwrap();
    assert_eq!(verified.remember_until(), UnixTime::new(soon + 60));
    for name in ["exp", "nbf", "iat"] {
        for number in [
            "9007199254740992",
            "-9007199254740992",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "1e300",
            "-1e300",
            "null",
            "true",
            "[]",
            "{}",
            "\"\"",
            "\"1800000000\"",
            "\"2027-01-15T08:05:00Z\"",
        ] {
            pkj.assert_refused(&claims(name, number), "assertion_claim_malformed", number);
        }
    }
}

#[test]
fn a_jwt_14_an_assertion_from_the_future_is_refused_beyond_the_skew() {
    let pkj = Pkj::new();
    for name in ["nbf", "iat"] {
        for seconds in [-86_400 * 365, -3600, 0, 59, 60] {
            pkj.assert_claims_good(&with(good(), name, at(seconds)));
        }
        for seconds in [61, 120, 3600, 86_400 * 365] {
            pkj.assert_claims_refused(&with(good(), name, at(seconds)), "assertion_from_the_future");
        }
    }
    pkj.assert_claims_good(&without(good(), "iat"));
    pkj.assert_claims_refused(&with(without(good(), "iat"), "nbf", at(61)), "assertion_from_the_future");
}

#[test]
fn the_owner_is_told_by_how_much_the_clocks_differ() {
    let pkj = Pkj::new();
    let late = with(with(good(), "exp", at(-400)), "iat", at(-700));
    let complaint = pkj.complaint(&late);
    for told in
        ["ended 400 s ago", "made 700 s ago", "2027-01-15T07:53:20Z", "2027-01-15T08:00:00Z", "clocks"]
    {
        assert!(complaint.contains(told), "{told}: {complaint}");
    }
    assert!(!pkj.complaint(&without(late, "iat")).contains("made"));
    let early = pkj.complaint(&with(good(), "nbf", at(90)));
    assert!(early.contains("at least 90 s ahead: the nbf"), "{early}");
    let far = pkj.complaint(&with(good(), "exp", at(7200)));
    assert!(far.contains("7200 s") && far.contains("3600 s"), "{far}");
}

#[test]
fn a_jwt_15_every_assertion_has_a_name_of_its_own() {
    let pkj = Pkj::new();
    for jti in ["1", " ", "\0", &"j".repeat(256), &"é".repeat(256), &"\u{1f600}".repeat(256)] {
        pkj.assert_claims_good(&with(good(), "jti", jti));
    }
    let long = [json!(""), json!("j".repeat(257)), json!("é".repeat(257)), json!("j".repeat(5_000))];
    let other = [json!(null), json!(1), json!(1.5), json!(true), json!(["j-1"]), json!({ "j": 1 })];
    for jti in long.into_iter().chain(other) {
        pkj.assert_claims_refused(&with(good(), "jti", jti), "assertion_claim_malformed");
    }
    pkj.assert_claims_refused(&with(good(), "jti", "j".repeat(10_240)), "assertion_too_long");
    pkj.assert_claims_refused(&without(good(), "jti"), "assertion_claim_missing");
}

/// What the server remembers is the client and the `jti`, whatever else changes around them.
#[test]
fn a_jwt_15_a_name_used_twice_is_recognised_and_another_is_not() {
    let pkj = Pkj::new();
    let hash = |text: &str| *pkj.judge(text).unwrap().jti_hash();
    let first = hash(&pkj.p256.assert(&good()));
    assert_eq!(hash(&pkj.p256.assert(&good())), first, "signed again");
    assert_eq!(hash(&pkj.rsa.assert(&good())), first, "with another key");
    assert_eq!(hash(&pkj.p256.assert(&with(good(), "exp", at(60)))), first, "for another time");
    assert_eq!(hash(&pkj.p256.assert(&with(good(), "aud", TOKEN_ENDPOINT))), first, "for the other audience");
    let escaped = good().to_string().replace("j-1", "\\u006a-1");
    assert_eq!(hash(&pkj.p256.sign(r#"{"alg":"ES256"}"#, &escaped)), first, "spelled otherwise");
    let of = |id: &str, jti: &str| {
        hash(&pkj.p256.assert(&with(with(with(good(), "iss", id), "sub", id), "jti", jti)))
    };
    let pairs =
        [("pkj", "j-1"), ("pkj", "j-2"), ("pkj", "J-1"), ("pk", "jj-1"), ("pkjj", "-1"), ("pkj", "j-1\0")];
    let hashes = pairs.map(|(id, jti)| of(id, jti));
    assert_eq!(hashes[0], first);
    for (one, hash) in hashes.iter().enumerate() {
        assert!(hashes[one + 1..].iter().all(|other| other != hash), "{:?}", pairs[one]);
    }
}

#[test]
fn a_jwt_15_it_is_remembered_for_as_long_as_it_could_be_used() {
    let pkj = Pkj::new();
    let assertion = ClientAssertion::parse(&pkj.p256.assert(&good())).unwrap();
    let judge = |now| assertion.verify(&pkj.published, &issuer(), TOKEN_ENDPOINT, now);
    let until = judge(NOW).unwrap().remember_until();
    assert_eq!(until, NOW.plus(Seconds::minutes(6)));
    assert!(judge(until.minus(Seconds::new(1))).is_ok());
    assert_eq!(judge(until).unwrap_err().reason(), "assertion_expired");
}

#[test]
fn claims_that_mean_nothing_here_are_ignored() {
    let pkj = Pkj::new();
    let mut claims = good();
    for (name, value) in [
        ("client_id", json!("conf")),
        ("scope", json!("admin")),
        ("cnf", json!({ "jkt": "x" })),
        ("authorization_details", json!([{ "type": "x" }])),
        ("http://claims.example.com/member", json!(true)),
    ] {
        claims = with(claims, name, value);
    }
    pkj.assert_claims_good(&claims);
}
