//! Every reason to refuse, from a request that gives it to the bytes of the answer.
//!
//! Each table has a row per variant of its enum, and does not compile when one is missing. Every row is walked: a
//! request provokes it over a real socket, and the whole body is compared, so that an answer can hold nothing of what
//! was sent. There is no variant that no request can provoke.

use crate::harness::Answer;

mod authorize;
mod page;
mod registration;
mod token;

/// What a refusal looks like from outside.
struct Row {
    /// The word in the audit log.
    reason: &'static str,
    /// `error`.
    error: &'static str,
    /// `error_description`.
    description: &'static str,
}

impl Row {
    /// The body of a machine endpoint's answer.
    fn json(&self) -> String {
        assert!(!self.description.contains(['"', '\\']), "RFC 6749 5.2: {}", self.description);
        format!(r#"{{"error":"{}","error_description":"{}"}}"#, self.error, self.description)
    }

    /// Status, body and headers of a machine endpoint's answer.
    #[track_caller]
    fn assert_answered(&self, answer: &Answer) {
        let (status, challenge) = match self.error {
            "invalid_client" => (401, Some(r#"Basic realm="vestibule""#)),
            "temporarily_unavailable" => (503, None),
            _ => (400, None),
        };
        assert_eq!(answer.text(), self.json(), "{}", self.reason);
        assert_eq!(answer.status.as_u16(), status, "{}", self.reason);
        assert_eq!(answer.header("www-authenticate"), challenge, "{}", self.reason);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{}", self.reason);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", self.reason);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{}", self.reason);
        assert_eq!(answer.header("location"), None, "{}", self.reason);
    }
}

/// A row per variant, `pattern = example => reason, error, description;`. The match has no arm for the rest, so a new
/// variant does not compile until it has a row.
macro_rules! table {
    ($kind:ty; $($pattern:pat = $example:expr => $reason:literal, $error:literal, $description:literal;)*) => {
        const ROWS: &[Row] =
            &[$(Row { reason: $reason, error: $error, description: $description }),*];

        fn reason_of(refusal: &$kind) -> &'static str {
            match refusal {
                $($pattern => $reason,)*
            }
        }

        /// An example per row, in the order of the rows.
        fn examples() -> Vec<$kind> {
            let examples = vec![$($example),*];
            for (example, row) in examples.iter().zip(ROWS) {
                assert_eq!((reason_of(example), example.reason()), (row.reason, row.reason));
            }
            examples
        }
    };
}

use table;
