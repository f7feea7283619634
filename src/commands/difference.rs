//! What a change is, for the person who asked for it: each part that differs, from what to what.

use std::fmt;

use serde::Serialize;

use super::answer::plain;

/// A part of something, as it was and as it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// Which part, in the words of an `apply` file.
    field: &'static str,
    /// `None` where it is a secret.
    #[serde(flatten)]
    values: Option<Values>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Values {
    from: String,
    to: String,
}

impl Difference {
    /// Of a secret: that it is another one, and never which.
    pub(super) const fn of_a_secret(field: &'static str) -> Self {
        Self { field, values: None }
    }

    /// Of two texts, if they differ.
    pub(super) fn between(
        field: &'static str,
        from: impl fmt::Display,
        to: impl fmt::Display,
    ) -> Option<Self> {
        let text = |value: &dyn fmt::Display| match value.to_string() {
            nothing if nothing.is_empty() => "none".to_owned(),
            text => text,
        };
        let values = Values { from: text(&from), to: text(&to) };
        (values.from != values.to).then_some(Self { field, values: Some(values) })
    }
}

/// `name: Notes -> My notes`, on one line.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some(Values { from, to }) => write!(f, "{}: {} -> {}", self.field, plain(from), plain(to)),
            None => write!(f, "{}: a new one", self.field),
        }
    }
}
