//! Spans of time as people write them: `60`, `60s`, `15m`, `24h`, `30d`.

use crate::clock::Seconds;

/// Reads a span; a number alone is seconds.
pub fn parse(text: &str) -> Result<Seconds, String> {
    let wrong = || format!("{text:?} is no span of time: write 60s, 15m, 24h or 30d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u32 = match text.strip_prefix(digits).unwrap_or_default() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).map(Seconds::new).ok_or_else(wrong)
}

/// Reads a span from `least` to `most`.
pub fn parse_within(text: &str, least: Seconds, most: Seconds) -> Result<Seconds, String> {
    let span = parse(text)?;
    if span < least || span > most {
        return Err(format!("{text:?} is out of bounds: from {} to {}", write(least), write(most)));
    }
    Ok(span)
}

/// Writes a span in the largest unit that it is a whole number of.
pub fn write(span: Seconds) -> String {
    let seconds = span.as_u32();
    match seconds {
        0 => "0".to_owned(),
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// The bounds of an access token's life, also where a resource has its own.
pub const ACCESS_TOKEN_BOUNDS: (Seconds, Seconds) = (Seconds::minutes(1), Seconds::days(7));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("60", 60), ("60s", 60), ("15m", 900), ("24h", 86_400), ("30d", 2_592_000), ("0", 0)]
        {
            assert_eq!(parse(text), Ok(Seconds::new(seconds)), "{text}");
        }
        for wrong in ["", "m", "-1", "+1", "1.5h", "1 h", "1w", "1hh", "h1", "4294967296", "4294967295m", "٣"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_is_written_so_that_it_can_be_read() {
        for text in ["0", "59s", "1m", "90m", "24h", "30d"] {
            let span = parse(text).unwrap();
            assert_eq!(parse(&write(span)), Ok(span));
        }
        assert_eq!(write(Seconds::hours(24)), "1d");
    }
}
