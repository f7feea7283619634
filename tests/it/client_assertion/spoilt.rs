//! Assertions spoilt bit by bit and at random: nothing but the original is ever good, and nothing makes the server fall.

use vestibule::crypto::digest::to_base64url;
use vestibule::oauth::client_assertion::ClientAssertion;
use vestibule::oauth::key_set::KeySet;

use super::{Pkj, good};

#[test]
fn every_bit_of_an_assertion_counts() {
    let pkj = Pkj::new();
    for key in pkj.keys() {
        let text = key.assert(&good());
        pkj.assert_good(&text, "the original");
        let mut tried = 0;
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A form that is not UTF-8 does not get so far.
            let Ok(spoilt) = String::from_utf8(bytes) else { continue };
            assert!(pkj.judge(&spoilt).is_err(), "{} bit {bit}", key.kid());
            tried += 1;
        }
        assert_eq!(tried, text.len() * 7);
    }
}

#[test]
fn a_part_of_an_assertion_is_none() {
    let pkj = Pkj::new();
    for key in pkj.keys() {
        let text = key.assert(&good());
        for length in 0..text.len() {
            assert!(pkj.judge(&text[..length]).is_err(), "{} {length}", key.kid());
            assert!(pkj.judge(&text[text.len() - length..]).is_err(), "{} {length}", key.kid());
            let without_one = format!("{}{}", &text[..length], &text[length + 1..]);
            assert!(pkj.judge(&without_one).is_err(), "{} {length}", key.kid());
        }
    }
}

/// Numbers that look random and are the same in every run (xorshift64*, Vigna 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).expect("31 bits") % limit
    }

    /// Changes some bytes of a text: cuts, doubles, moves and replaces, with a liking for what means something.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const SPICES: [&[u8]; 20] = [
            b"\"",
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b",",
            b"\\u0000",
            b"\\ud800",
            b"\xff",
            b"\0",
            b"1e999",
            b"-1",
            b"null",
            b".",
            b"=",
            b"\"alg\":\"none\",",
            b"\"exp\":1,",
            b"9999999999999999999",
            b"\xf0\x9f\x98\x80",
        ];
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(8)).min(bytes.len());
            match self.below(5) {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, piece);
                }
                2 => drop(bytes.splice(at..end, SPICES[self.below(SPICES.len())].iter().copied())),
                3 => bytes[at..end].reverse(),
                _ => {
                    bytes[at..end].iter_mut().for_each(|byte| *byte = u8::try_from(self.below(256)).unwrap())
                }
            }
        }
    }
}

/// Mutates what is signed rather than the text around it, so that most rounds get past base64url.
#[test]
fn random_headers_and_claims_are_refused_without_a_fall() {
    let (pkj, mut dice) = (Pkj::new(), Dice(0x5eed));
    let (head, body) =
        (r#"{"alg":"ES256","kid":"es256","typ":"JWT"}"#.as_bytes(), good().to_string().into_bytes());
    let signature = to_base64url(&pkj.p256.signature_of(b"something else"));
    let (mut parsed, mut refused) = (0, std::collections::BTreeMap::new());
    for round in 0..20_000 {
        let (mut head, mut body) = (head.to_vec(), body.clone());
        dice.mutate(if round % 2 == 0 { &mut head } else { &mut body });
        let text = format!("{}.{}.{signature}", to_base64url(&head), to_base64url(&body));
        parsed += usize::from(ClientAssertion::parse(&text).is_ok());
        let why = pkj.judge(&text).expect_err("the signature is of something else");
        assert!(why.to_string().len() < 4_096, "{why}");
        *refused.entry(why.reason()).or_insert(0) += 1;
    }
    assert!(parsed > 100, "some get as far as the keys: {parsed}");
    assert!(refused.len() > 10, "they fail in many ways: {refused:?}");
}

#[test]
fn random_texts_are_refused_without_a_fall() {
    let (pkj, mut dice) = (Pkj::new(), Dice(0xca5e));
    let original = pkj.ed25519.assert(&good());
    for _ in 0..20_000 {
        let mut bytes = original.clone().into_bytes();
        dice.mutate(&mut bytes);
        let Ok(text) = String::from_utf8(bytes) else { continue };
        assert!(text == original || pkj.judge(&text).is_err(), "{text}");
    }
}

#[test]
fn random_key_sets_are_read_or_refused_without_a_fall() {
    let (pkj, mut dice) = (Pkj::new(), Dice(0x0ff));
    let original = pkj.published.to_json();
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = original.clone().into_bytes();
        dice.mutate(&mut bytes);
        if let Ok(set) = KeySet::parse(&bytes) {
            assert_eq!(KeySet::parse(set.to_json().as_bytes()), Ok(set), "what is kept is read back");
            read += 1;
        }
    }
    assert!(read > 100, "some are still key sets: {read}");
}
