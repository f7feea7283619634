//! What the owner reads: a word for each reason, and a sentence that tells what to do.

use std::collections::BTreeSet;

use vestibule::crypto::public_key::AssertionAlgorithm::{Es256, Rs256};
use vestibule::oauth::assertion_problem::AssertionProblem as Problem;
use vestibule::oauth::error::Malformed;
use vestibule::oauth::key_set::{KeySetProblem, NoKey};

use super::{NOW, TOKEN_ENDPOINT, issuer};

/// Every reason, with whatever a stranger could put into it.
fn problems() -> Vec<Problem> {
    let evil = || "a\"b\r\nc\u{202e}d\u{1b}[31m".to_owned();
    vec![
        Problem::TooLong(10_240),
        Problem::NotCompact,
        Problem::HeaderUnreadable(Malformed("the text is no JSON")),
        Problem::ClaimsUnreadable(Malformed("the text is no JSON")),
        Problem::AlgorithmUnsupported(Some(evil())),
        Problem::TypeForeign(Some(evil())),
        Problem::HeaderExtended,
        Problem::KidMalformed,
        Problem::ClaimMissing("jti"),
        Problem::ClaimMalformed { claim: "jti", expected: "a text of 1 to 256 characters" },
        Problem::SubjectDiffers { iss: evil(), sub: evil() },
        Problem::AudienceIsList,
        Problem::AudienceWrong { aud: evil(), issuer: issuer(), token_endpoint: TOKEN_ENDPOINT.to_owned() },
        Problem::Expired { exp: NOW, iat: Some(NOW), now: NOW },
        Problem::ExpiryTooFar { exp: NOW, now: NOW },
        Problem::FromTheFuture { claim: "iat", at: NOW, now: NOW },
        Problem::NoKey(NoKey::KidUnknown(evil())),
        Problem::NoKey(NoKey::KidRepeated(evil())),
        Problem::NoKey(NoKey::AlgorithmDiffers { kid: evil(), key: Es256, assertion: Rs256 }),
        Problem::NoKey(NoKey::AlgorithmUnknown(Es256)),
        Problem::NoKey(NoKey::KidMissing(5)),
        Problem::SignatureWrong { kid: Some(evil()) },
    ]
}

#[test]
fn every_reason_has_its_own_word_and_a_sentence_on_one_line() {
    let problems = problems();
    let mut told: Vec<(&str, String)> = problems.iter().map(|why| (why.reason(), why.to_string())).collect();
    let sets = [
        KeySetProblem::TooLong,
        KeySetProblem::NotJson(Malformed("the text is no JSON")),
        KeySetProblem::NotAKeySet,
        KeySetProblem::TooManyKeys(21),
        KeySetProblem::PrivateKey,
        KeySetProblem::NoUsableKey(Some(Malformed("a key is meant for another alg"))),
    ];
    told.extend(sets.iter().map(|why| (why.reason(), why.to_string())));
    let words: BTreeSet<&str> = told.iter().map(|(word, _)| *word).collect();
    assert_eq!(words.len(), told.len(), "a word for each");
    for (word, sentence) in told {
        assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{word}");
        assert!(sentence.len() > 30 && sentence.bytes().all(|b| matches!(b, b' '..=b'~')), "{sentence:?}");
        assert!(!sentence.contains("  "), "{sentence:?}");
    }
}
