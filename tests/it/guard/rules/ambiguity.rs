//! Bodies that two parsers read as two things. Each of them is harmless to one reader and deletes to another, and the
//! server behind never hears of it.

use super::*;

/// A body, and who would read it as a call of `delete_note`.
const TWO_READINGS: [(&str, &str); 46] = [
    (r#"{"method":"tools/list","method":"tools/call","params":{"name":"delete_note"}}"#, "the last counts"),
    (r#"{"method":"tools/call","method":"tools/list","params":{"name":"delete_note"}}"#, "the first counts"),
    (
        r#"{"method":"tools/call","params":{"name":"list"},"params":{"name":"delete_note"}}"#,
        "the last counts",
    ),
    (r#"{"method":"tools/call","params":{"name":"list","name":"delete_note"}}"#, "the last counts"),
    (r#"{"method":"tools/call","params":{"name":"delete_note","name":"list"}}"#, "the first counts"),
    (r#"{"method":"tools/list","\u006dethod":"tools/call","params":{"name":"delete_note"}}"#, "an escape"),
    (r#"{"method":"tools/call","params":{"name":"list","nam\u0065":"delete_note"}}"#, "an escape"),
    (r#"{"method":"tools/list","Method":"tools/call","params":{"name":"delete_note"}}"#, "Go ignores case"),
    (r#"{"METHOD":"tools/call","params":{"name":"delete_note"}}"#, "Go ignores case"),
    (r#"{"method":"tools/call","Params":{"name":"delete_note"}}"#, "Go ignores case"),
    (r#"{"method":"tools/call","params":{"NAME":"delete_note"}}"#, "Go ignores case"),
    (r#"{"method":"tools/call","param\u017f":{"name":"delete_note"}}"#, "Go folds by Unicode"),
    (r#"{"method\u0000":"tools/call","params":{"name":"delete_note"}}"#, "C ends names at zero"),
    (r#"{"method":"tools/call\u0000","params":{"name":"delete_note"}}"#, "C ends texts at zero"),
    (r#"{"method":"tools/call","params\u0000x":{"name":"delete_note"}}"#, "C ends names at zero"),
    (r#"{"method":" tools/call","params":{"name":"delete_note"}}"#, "a method that is trimmed"),
    (r#"{"method":"tools/call\r\n","params":{"name":"delete_note"}}"#, "a method that is trimmed"),
    (
        r#"{"__proto__":{"method":"tools/call","params":{"name":"delete_note"}}}"#,
        "Object.assign sets a prototype",
    ),
    (
        r#"{"method":"tools/call","params":{"__proto__":{"name":"delete_note"}}}"#,
        "Object.assign sets a prototype",
    ),
    (r#"{"meth\ud800od":"tools/call","params":{"name":"delete_note"}}"#, "half a pair is left out"),
    (
        r#"{"method":"tools/call","params":{"name":"delete_note"}} {"method":"tools/list"}"#,
        "the first of two",
    ),
    (r#"{"method":"tools/list"}{"method":"tools/call","params":{"name":"delete_note"}}"#, "lines of JSON"),
    (
        "{\"method\":\"tools/list\"}\n{\"method\":\"tools/call\",\"params\":{\"name\":\"delete_note\"}}\n",
        "lines",
    ),
    (
        r#"{"method":"tools/list"},{"method":"tools/call","params":{"name":"delete_note"}}"#,
        "a list without brackets",
    ),
    (r#"{"method":"tools/list"}]"#, "a bracket too much"),
    (r#"{"method":"tools/list"} trailing"#, "the rest is left out"),
    ("{\"method\":\"tools/list\"}\0", "the rest is left out"),
    ("\u{feff}{\"method\":\"tools/list\"}", "a byte order mark"),
    (r#"{"method":"tools/list",}"#, "a comma too much"),
    (r#"{method:"tools/list"}"#, "JSON5"),
    (r#"{'method':'tools/list'}"#, "JSON5"),
    (r#"{"method":"tools/list"/*,"method":"tools/call"*/}"#, "comments"),
    ("{\"method\":\"tools/list\"//\n}", "comments"),
    (r#"{"method":"tools/list","params":{"x":NaN}}"#, "Python reads NaN"),
    (r#"{"method":"tools/list","params":{"x":-Infinity}}"#, "Python reads Infinity"),
    (r#"{"method":"tools/list","params":{"x":01}}"#, "octal"),
    (r#"{"method":"tools/list","params":{"x":0x1}}"#, "hexadecimal"),
    (r#"{"method":"tools/list","params":{"x":+1}}"#, "a sign"),
    (r#"{"method":"tools/list","params":{"x":"\x41"}}"#, "an escape of JavaScript's"),
    ("{\"method\":\"tools/list\",\"params\":{\"x\":\"a\nb\"}}", "a line feed in a text"),
    ("{\"method\":\"tools/list\",\"params\":{\"x\":\"a\0b\"}}", "a zero in a text"),
    ("{\"method\":\u{a0}\"tools/list\"}", "white space of Unicode's"),
    (r#"["tools/list"]"#, "a list of no messages"),
    (
        r#"[{"method":"tools/list"},[{"method":"tools/call","params":{"name":"delete_note"}}]]"#,
        "a list in a list",
    ),
    (r#"{"method":["tools/call"],"params":{"name":"delete_note"}}"#, "a method that is made a text"),
    (r#""tools/call""#, "no message"),
];

#[tokio::test]
async fn what_two_parsers_could_read_as_two_things_is_refused() {
    let (behind, server, token) = reader().await;
    for (body, who) in TWO_READINGS {
        let answer = send(&server, &token, body).await;
        assert_eq!(answer.status(), 400, "{who}: {body}");
        let error: serde_json::Value = serde_json::from_str(answer.body()).expect("JSON");
        assert_eq!((&error["jsonrpc"], &error["error"]["code"]), (&json!("2.0"), &json!(-32_600)), "{body}");
        assert_eq!(error["id"], json!(null));
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn what_is_called_by_a_name_that_somebody_reads_as_another_needs_what_every_name_needs() {
    let (behind, server, token) = reader().await;
    for params in [
        r#"["delete_note"]"#,
        r#"{"name":["delete_note"]}"#,
        r#"{"name":{"toString":"delete_note"}}"#,
        r#"{"name":null}"#,
        r#"{"name":"delete_note\u0000.txt"}"#,
        r#"{"name":"delete_note"}"#,
        r#"{"name":"\u0064elete_note"}"#,
        r#"{"name":" delete_note"}"#,
        r#"{"name":"delete_note\t"}"#,
        r#"{"name":"\ud800delete_note"}"#,
        r#"{"arguments":{"name":"list"},"name":"delete_note"}"#,
        r#"{"uri":"list","name":"delete_note"}"#,
        "null",
        "\"delete_note\"",
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        assert_eq!(send(&server, &token, &body).await.status(), 403, "{params}");
    }
    let long = format!(r#"{{"method":"tools/call","params":{{"name":"{}"}}}}"#, "x".repeat(5000));
    assert_eq!(send(&server, &token, &long).await.status(), 403);
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn other_encodings_of_unicode_and_broken_ones_are_refused() {
    let (behind, server, token) = reader().await;
    let text = call("delete_note");
    let utf16: Vec<u16> = text.encode_utf16().collect();
    let in_pairs =
        |bytes: fn(u16) -> [u8; 2]| utf16.iter().flat_map(|unit| bytes(*unit)).collect::<Vec<u8>>();
    let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let with = |bytes: &[u8]| [br#"{"method":"tools/list","x":""#, bytes, br#""}"#].concat();
    let bodies = [
        in_pairs(u16::to_le_bytes),
        in_pairs(u16::to_be_bytes),
        [&[0xff, 0xfe][..], &in_pairs(u16::to_le_bytes)].concat(),
        utf32,
        text.replace('"', "+ACI-").into_bytes(),
        with(b"\xff"),
        with(b"\xc0\xa2,\xc0\xa2method"),
        with(b"\xe0\x80\xa2"),
        with(b"\xed\xa0\x80"),
        with(b"\xf4\x90\x80\x80"),
        with(b"\xc3"),
        with(b"\x1f\x8b\x08"),
    ];
    for body in bodies {
        let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let mut wire = request("POST", "/notes", &token, &headers).into_bytes();
        wire.extend_from_slice(&body);
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(server.raw(&wire).await.status(), 400, "{shown}");
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn depth_has_an_end_before_that_of_other_parsers() {
    let (behind, server, token) = reader().await;
    let deep = |depth: usize| {
        format!(
            r#"{{"method":"tools/call","params":{{"name":"list","arguments":{}{}}}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert_eq!(send(&server, &token, &deep(98)).await.status(), 200);
    for depth in [99, 10_000, 200_000] {
        assert_eq!(send(&server, &token, &deep(depth)).await.status(), 400, "{depth}");
    }
    assert_eq!(behind.asked().iter().filter(|asked| asked.is_whole).count(), 1);
}

/// Members of messages, of which a text is put together.
const MEMBERS: [&str; 12] = [
    r#""method":"tools/call""#,
    r#""method":"tools/list""#,
    r#""params":{"name":"list"}"#,
    r#""params":{"name":"delete_note"}"#,
    r#""params":{"arguments":{"name":"delete_note"},"name":"list"}"#,
    r#""params":{"name":"list","NAME":"delete_note"}"#,
    r#""Params":{"name":"delete_note"}"#,
    r#""id":1"#,
    r#""x":{"method":"tools/call","params":{"name":"delete_note"}}"#,
    r#""x":[1,{"__proto__":null}]"#,
    r#""__proto__":{"params":{"name":"delete_note"}}"#,
    r#""jsonrpc":"2.0""#,
];

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// A message, or nearly one.
    fn message(&mut self) -> String {
        let count = 1 + self.roll(4);
        let members: Vec<&str> = (0..count).map(|_| MEMBERS[self.roll(MEMBERS.len())]).collect();
        let mut text = format!("{{{}}}", members.join(","));
        match self.roll(4) {
            // An escape in the place of a letter.
            0 => {
                let letters: Vec<(usize, char)> =
                    text.char_indices().filter(|(_, c)| c.is_ascii_lowercase()).collect();
                let (at, c) = letters[self.roll(letters.len())];
                text.replace_range(at..=at, &format!("\\u{:04x}", u32::from(c)));
            }
            // A slip of the pen.
            1 => {
                let at = self.roll(text.len());
                let slip = ["", ",", "\"", "}", "{", " ", "\\", "\0", "]", "a"][self.roll(10)];
                text.replace_range(at..=at, slip);
            }
            _ => {}
        }
        text
    }
}

/// Texts of all kinds are tried on the guard and on a parser that takes the last of equal names, as most do: of what the
/// guard lets pass, that parser sees no call that the token does not allow.
#[tokio::test]
async fn r_28_what_passes_is_to_another_parser_what_it_was_to_the_guard() {
    let (behind, server, token) = reader().await;
    let mut dice = Dice(7);
    let mut connection = crate::harness::Connection::open(&server).await;
    let (mut passed, mut refused) = (0, 0);
    for _ in 0..600 {
        let body = match dice.roll(4) {
            0 => format!("[{},{}]", dice.message(), dice.message()),
            _ => dice.message(),
        };
        let asked = server
            .post("/notes")
            .header("authorization", &format!("Bearer {token}"))
            .body("application/json", body.clone().into_bytes());
        let answer = connection.send(asked.into_request()).await;
        if answer.status == Status::OK {
            passed += 1;
            let seen: serde_json::Value =
                serde_json::from_slice(&behind.last().body).expect("what passes is JSON");
            let deletes = |message: &serde_json::Value| {
                message["method"] == "tools/call" && message["params"]["name"] == "delete_note"
            };
            assert!(!deletes(&seen) && !seen.as_array().is_some_and(|all| all.iter().any(deletes)), "{body}");
        } else {
            refused += 1;
        }
        if answer.header("connection") == Some("close") {
            connection = crate::harness::Connection::open(&server).await;
        }
    }
    assert!(passed > 50 && refused > 50, "{passed} passed, {refused} refused");
}
