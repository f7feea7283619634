//! Messages told for certain, and those that nobody can tell.

use super::*;

fn calls(text: &str) -> Result<Vec<(String, String)>, Unclear> {
    let read = |size: usize| {
        let mut messages = Messages::new();
        text.as_bytes().chunks(size).try_for_each(|piece| messages.feed(piece))?;
        messages.finish()?;
        let calls = messages.so_far().iter().map(|message| {
            assert!(message.is_settled());
            let Call { method, target } = message.call();
            (method.to_owned(), format!("{target:?}"))
        });
        Ok(calls.collect())
    };
    let whole = read(text.len().max(1));
    assert_eq!(read(1), whole, "{text}");
    whole
}

#[test]
fn a_message_says_what_it_calls_wherever_its_members_stand() {
    for (text, method, target) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, "tools/list", "None"),
        (r#"{"method":"tools/call","params":{"name":"a","arguments":{}}}"#, "tools/call", r#"Named("a")"#),
        (
            r#"{"params":{"arguments":{"name":"x","method":"y"},"name":"a"},"method":"tools/call"}"#,
            "tools/call",
            r#"Named("a")"#,
        ),
        (
            r#"{"\u006dethod":"tools\/call","params":{"n\u0061me":"del\u0065te"}}"#,
            "tools/call",
            r#"Named("delete")"#,
        ),
        (r#"{"method":"resources/read","params":{"uri":"u","name":"n"}}"#, "resources/read", r#"Named("u")"#),
        (r#"{"method":"tools/call","params":{"uri":"u","name":"n"}}"#, "tools/call", r#"Named("n")"#),
        (r#"{"id":1,"result":{"method":"tools/call"}}"#, "", "None"),
        (r#"{"method":"tools/call","params":["delete"]}"#, "tools/call", "Unclear"),
        (r#"{"method":"tools/call","params":null}"#, "tools/call", "Unclear"),
        (r#"{"method":"tools/call","params":{"name":["delete"]}}"#, "tools/call", "Unclear"),
        (r#"{"method":"tools/call","params":{"name":1}}"#, "tools/call", "Unclear"),
        (r#"{"method":"tools/call","params":{"name":"\ud800"}}"#, "tools/call", "Unclear"),
        (r#"{"method":"x","params":{"_meta":{"name":"q"},"deep":{"uri":"r"}}}"#, "x", "None"),
        (r#"{"method":"x","params":{"deep":{"__proto__":{}},"name":"n"}}"#, "x", r#"Named("n")"#),
        (r#"{"method":"tools/call","params":{"name":"delete\u0000x"}}"#, "tools/call", "Unclear"),
        (r#"{"method":"tools/call","params":{"name":" delete"}}"#, "tools/call", "Unclear"),
        (r#"{"method":"tools/call","params":{"name":"delete\u00a0"}}"#, "tools/call", "Unclear"),
    ] {
        assert_eq!(calls(text), Ok(vec![(method.to_owned(), target.to_owned())]), "{text}");
    }
}

#[test]
fn an_id_is_heard_as_text_or_number_wherever_it_stands() {
    let id = |text: &str| {
        let mut messages = Messages::new();
        messages.feed(text.as_bytes()).unwrap();
        messages.so_far()[0].id().map(Value::to_string)
    };
    for (text, heard) in [
        (r#"{"id":7,"method":"a"}"#, Some("7")),
        (r#"{"method":"a","id":"x\"y"}"#, Some(r#""x\"y""#)),
        (r#"{"params":{"id":1},"id":-2.5}"#, Some("-2.5")),
        (r#"{"id":null}"#, None),
        (r#"{"id":[1]}"#, None),
        (r#"{"id":{"id":1}}"#, None),
        (r#"{"params":{"id":1}}"#, None),
    ] {
        assert_eq!(id(text).as_deref(), heard, "{text}");
    }
}

#[test]
fn a_list_has_all_its_messages() {
    let text = r#"[{"method":"a"},{"params":{"name":"n"},"method":"b"},{"id":3,"result":1}]"#;
    let expected = [("a", "None"), ("b", r#"Named("n")"#), ("", "None")];
    assert_eq!(calls(text), Ok(expected.map(|(method, target)| (method.into(), target.into())).to_vec()));
    assert_eq!(calls("[]"), Ok(Vec::new()));
    let many = format!("[{}]", vec![r#"{"method":"a"}"#; MESSAGES_MAX + 1].join(","));
    assert_eq!(calls(&many), Err(Unclear::NotMessages));
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    for text in [
        r#"{"method":"a","method":"b"}"#,
        r#"{"method":"a","\u006dethod":"a"}"#,
        r#"{"method":"a","Method":"b"}"#,
        r#"{"method":"a","METHOD":"b"}"#,
        r#"{"params":{},"params":{}}"#,
        r#"{"method":"a","Params":{}}"#,
        r#"{"method":"a","param\u017f":{}}"#,
        r#"{"method\u0000":"a"}"#,
        r#"{"method\u0000x":"a"}"#,
        r#"{"method":"a","params":{"name\u0000":"x"}}"#,
        r#"{"method":"a","params":{"ur\u0131":"x"}}"#,
        r#"{"method":"a","params":{"\u0055R\u0130":"x"}}"#,
        r#"{"__proto__":{"method":"a"}}"#,
        r#"{"method":"a","\u005f_proto__":{"params":{"name":"x"}}}"#,
        r#"{"method":"a","params":{"__proto__":{"name":"x"}}}"#,
        r#"{"meth\ud800od":"a"}"#,
        r#"{"method":"a","params":{"nam\udc00e":"x"}}"#,
        r#"{"method":"tools/call\u0000"}"#,
        r#"{"method":" tools/call"}"#,
        r#"{"method":"tools/call\n"}"#,
        r#"{"method":"t\u00f6\u00f6ls/call"}"#,
        r#"{"method":"a","params":{"name":"x","name":"y"}}"#,
        r#"{"method":"a","params":{"name":"x","Name":"y"}}"#,
        r#"{"method":"a","params":{"uri":"x","URI":"y"}}"#,
        r#"[{"method":"a"},{"method":"a","method":"b"}]"#,
    ] {
        assert_eq!(calls(text), Err(Unclear::Ambiguous), "{text}");
    }
    for text in [
        r#""method""#,
        "1",
        "null",
        "[1]",
        r#"[{"method":"a"},[]]"#,
        r#"{"method":1}"#,
        r#"{"method":null}"#,
        r#"{"method":{}}"#,
        r#"{"method":"\ud800"}"#,
    ] {
        assert_eq!(calls(text), Err(Unclear::NotMessages), "{text}");
    }
    for text in [
        "",
        "{",
        r#"{"method":"a"} {"method":"b"}"#,
        r#"{"method":"a"}x"#,
        "{'method':'a'}",
        r#"{"method":"a",}"#,
    ] {
        assert_eq!(calls(text), Err(Unclear::NotJson), "{text}");
    }
}

#[test]
fn a_header_that_names_the_call_is_compared_with_it() {
    let mut messages = Messages::new();
    messages.feed(r#"{"method":"tools/call","params":{"name":"löschen"}}"#.as_bytes()).unwrap();
    let [message] = messages.so_far() else { panic!("one message") };
    assert!(message.calls("tools/call") && !message.calls("tools/list"));
    assert!(message.is_called_with("=?base64?bMO2c2NoZW4=?="));
    for other in ["delete", "=?base64?ZGVsZXRl?=", "=?base64?%%%?=", "=?BASE64?bMO2c2NoZW4=?=", ""] {
        assert!(!message.is_called_with(other), "{other}");
    }
}

#[test]
fn what_is_asked_for_is_settled_as_soon_as_it_can_be() {
    let mut messages = Messages::new();
    messages.feed(br#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"#).unwrap();
    assert!(!messages.so_far()[0].is_settled());
    messages.feed(br#"","arguments":{"big":""#).unwrap();
    assert!(messages.so_far()[0].is_settled());
    messages.feed(br#""},"name":"b"#).unwrap_err();
}
