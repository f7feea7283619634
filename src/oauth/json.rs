//! JSON in which a member means one thing: the text of keys and assertions, where two readers must not differ.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::Malformed;

/// Reads a JSON text in which no object, at whatever depth, has a member twice (RFC 7515 4, RFC 7517 4). Parsers differ
/// in which of the two they believe, and serde_json's [`Value`] would silently take the last.
pub fn parse(text: &[u8]) -> Result<Value, Malformed> {
    match serde_json::from_slice::<Unrepeated>(text) {
        Ok(Unrepeated(value)) => Ok(value),
        Err(why) if why.is_data() => Err(Malformed("the JSON has a member twice in one object")),
        Err(_) => Err(Malformed("the text is no JSON")),
    }
}

struct Unrepeated(Value);

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a repeated member")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number without end"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unrepeated(value)) = sequence.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unrepeated(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a repeated member"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_repeats_it_reads_what_serde_json_reads() {
        for text in [
            "null",
            "true",
            "-1",
            "18446744073709551615",
            "1.5e3",
            r#""a\u00e9\n\ud83d\ude00""#,
            "[]",
            "{}",
            r#" { "a" : [ { "a" : 1 }, { "a" : 2 } ], "A" : { "a" : null } } "#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_at_every_depth() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"[[{"a":null,"b":1,"a":null}]]"#,
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Malformed("the JSON has a member twice in one object")));
        }
    }

    #[test]
    fn what_is_no_json_is_refused_without_a_crash() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            " ",
            "{",
            "{}x",
            "{} {}",
            "{'a':1}",
            "{a:1}",
            "{\"a\":1,}",
            "[1,]",
            "01",
            "1e999",
            "NaN",
            "nul",
            "\u{feff}{}",
            "\"\\ud800\"",
            "\"\n\"",
            "/**/{}",
            &deep,
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Malformed("the text is no JSON")), "{text:.40}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse(b"{\"\xc0\x80\":1}").is_err());
    }
}
