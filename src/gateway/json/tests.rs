//! What is heard of JSON, and what is refused.

use super::text::TEXT_BYTES_MAX;
use super::*;

/// Writes down all that is heard.
fn scribe(heard: &mut String) -> impl FnMut(usize, Event<'_>) {
    |depth, event| {
        heard.push_str(&match event {
            Event::Begin(kind) => format!("({depth}{kind:?} "),
            Event::Name(name) => format!("{depth}{name:?}: "),
            Event::Text(text) => format!("{text:?}"),
            Event::Number(number) => number.unwrap_or("?").to_owned(),
            Event::End => format!("{depth})"),
        });
    }
}

fn read(pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<String, NotJson> {
    let (mut reader, mut heard) = (Reader::new(usize::MAX), String::new());
    let mut hear = scribe(&mut heard);
    pieces.into_iter().try_for_each(|piece| reader.feed(piece.as_ref(), &mut hear))?;
    reader.finish(&mut hear)?;
    drop(hear);
    Ok(heard)
}

/// What is heard of a text, the same in pieces of every size.
fn heard(text: &[u8]) -> Result<String, NotJson> {
    let whole = read(std::iter::once(text));
    for size in 1..text.len().min(16) {
        assert_eq!(read(text.chunks(size)), whole, "{}", String::from_utf8_lossy(text));
    }
    whole
}

#[test]
fn names_and_texts_are_heard_at_their_depth_with_their_escapes_undone() {
    let text = br#" {"a":[-1.5e3,{"b":"x\n\u00e9\ud83d\ude00"}],"\u0063":null} "#;
    let expected = "(0Object 0Some(\"a\"): (1Array (2Other -1.5e32)(2Object 2Some(\"b\"): \
                    (3Text Some(\"x\\n\u{e9}\u{1f600}\")3)2)1)0Some(\"c\"): (1Other 1)0)";
    assert_eq!(heard(text).as_deref(), Ok(expected));
}

/// JSON, and what could be taken for it.
const TEXTS: [&str; 71] = [
    "",
    " ",
    "null",
    "true",
    "false",
    "nul",
    "nulll",
    "tru",
    "True",
    "0",
    "-0",
    "-",
    "01",
    "1.",
    "1.5",
    ".5",
    "1e5",
    "1E+5",
    "1e",
    "1e+",
    "1.5e-3",
    "+1",
    "0x1",
    "NaN",
    "Infinity",
    "\"\"",
    "\"a",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\t\"",
    "\"\\\"\"",
    "'a'",
    "[]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2]",
    "[",
    "]",
    "{}",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{\"a\"}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:1}",
    "{\"a\":}",
    "{,}",
    "{\"a\":1 \"b\":2}",
    "[}",
    "{]",
    "{\"a\":[}",
    "1 2",
    "{} {}",
    "[] x",
    "/**/1",
    "1//",
    "\u{feff}1",
    "\u{a0}1",
    "\u{e9}",
    "\"\u{e9}\"",
    "\"\\/\"",
    "\"\u{7f}\"",
    "\"\u{2028}\"",
    "[[[[]]]]",
    "{\"\":{\"\":{}}}",
    "1\n",
    "\r\n[\t]\n",
    "[1]\u{0}",
];

/// Texts that are none.
const NOT_UNICODE: [&[u8]; 6] =
    [b"\"\xff\"", b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"\"\xf4\x90\x80\x80\"", b"\"\xe9\"", b"\xff"];

/// The two readers must agree on what is JSON, or a message could be one thing here and another behind.
#[test]
fn it_takes_what_serde_json_takes_and_refuses_what_serde_json_refuses() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut texts: Vec<Vec<u8>> = TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect();
    texts.extend(NOT_UNICODE.map(<[u8]>::to_vec));
    texts.push(deep(DEPTH_MAX).into_bytes());
    for text in texts {
        let theirs = serde_json::from_slice::<serde_json::Value>(&text).is_ok();
        assert_eq!(heard(&text).is_ok(), theirs, "{:?}", String::from_utf8_lossy(&text));
    }
    assert!(heard(deep(DEPTH_MAX + 1).as_bytes()).is_err());
}

#[test]
fn half_a_surrogate_pair_is_no_text_and_spoils_nothing_else() {
    for half in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ude00""#, r#""\ud83d\n""#, r#""\ud83d\ud83d""#] {
        assert_eq!(heard(half.as_bytes()).as_deref(), Ok("(0Text None0)"), "{half}");
    }
    let long = format!("\"{}\"", "a".repeat(TEXT_BYTES_MAX + 1));
    assert_eq!(heard(long.as_bytes()).as_deref(), Ok("(0Text None0)"));
}

#[test]
fn r_28_any_bytes_end_in_a_verdict_and_never_in_a_crash() {
    let alphabet = b"{}[]\":,\\u0d8eE+-.tfn \xc3\xa9\xff\x00a";
    let mut seed: u64 = 1;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..next() % 24).map(|_| alphabet[next() % alphabet.len()]).collect();
        let ours = read(std::iter::once(&text)).is_ok();
        let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
        // serde_json leaves half surrogates and broken UTF-8 in texts that it ignores.
        assert!(theirs || !ours, "{:?}", String::from_utf8_lossy(&text));
    }
}
