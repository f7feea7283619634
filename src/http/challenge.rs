//! The challenges of a 401 as a client reads them (`WWW-Authenticate`, RFC 9110 11.6.1).

use hyper::HeaderMap;
use hyper::header::WWW_AUTHENTICATE;

/// One challenge: a scheme, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    parameters: Vec<Parameter>,
}

/// A parameter of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    name: String,
    /// The value without quotes and escapes.
    pub value: String,
    /// Whether it is written as the grammar has it: as a token, or in quotes that end.
    pub is_well_formed: bool,
}

impl Challenge {
    /// The scheme, as it was spelled.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether it is of this scheme; case does not matter.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The first parameter of this name; case does not matter.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
    }
}

/// Every challenge of an answer, in its order, whether it stands in a header of its own or behind a comma. What cannot be
/// read is passed over, as clients do; a value without the quotes that it needs is taken up to the next comma or space.
pub fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let mut found = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let text = String::from_utf8_lossy(value.as_bytes());
        read(&text, &mut found);
    }
    found
}

fn read(text: &str, found: &mut Vec<Challenge>) {
    let before = found.len();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let length = rest.bytes().take_while(|byte| is_token_byte(*byte)).count();
        if rest.is_empty() {
            return;
        }
        if length == 0 {
            // Nothing that could be a name: on to the next comma.
            rest = rest.find(',').map_or("", |comma| &rest[comma..]);
            continue;
        }
        let (word, after) = rest.split_at(length);
        match after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            // A word with an equals sign belongs to the challenge that has begun in this header.
            Some(after) if found.len() > before => {
                let (parameter, after) = parameter(word, after.trim_start_matches([' ', '\t']));
                if let Some(challenge) = found.last_mut() {
                    challenge.parameters.push(parameter);
                }
                rest = after;
            }
            Some(after) => rest = parameter(word, after).1,
            None => {
                found.push(Challenge { scheme: word.to_owned(), parameters: Vec::new() });
                rest = without_token68(after);
            }
        }
    }
}

/// What follows a scheme, without the one value that some schemes have in place of parameters.
fn without_token68(text: &str) -> &str {
    let value = text.trim_start_matches([' ', '\t']);
    let is_token68_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let length = value.bytes().take_while(|byte| is_token68_byte(*byte)).count();
    let after = value[length..].trim_start_matches('=').trim_start_matches([' ', '\t']);
    match length > 0 && (after.is_empty() || after.starts_with(',')) {
        true => after,
        false => text,
    }
}

/// The parameter of this name whose value begins `text`, and what follows it.
fn parameter<'a>(name: &str, text: &'a str) -> (Parameter, &'a str) {
    let made = |value: String, is_well_formed| Parameter { name: name.to_owned(), value, is_well_formed };
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        let is_token = !value.is_empty() && value.bytes().all(is_token_byte);
        return (made(value.to_owned(), is_token), after);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (made(value, true), &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (made(value, false), "")
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        challenges(&headers)
    }

    fn value(challenge: &Challenge, name: &str) -> String {
        challenge.parameter(name).unwrap_or_else(|| panic!("no {name} in {challenge:?}")).value.clone()
    }

    fn schemes(challenges: &[Challenge]) -> Vec<&str> {
        challenges.iter().map(Challenge::scheme).collect()
    }

    #[test]
    fn a_challenge_is_a_scheme_and_parameters() {
        let found = of(&[r#"Bearer resource_metadata="https://h/x", scope="a b", error=invalid_token"#]);
        assert_eq!(schemes(&found), ["Bearer"]);
        assert!(found[0].is("bearer"));
        assert_eq!(value(&found[0], "resource_metadata"), "https://h/x");
        assert_eq!(value(&found[0], "SCOPE"), "a b");
        assert_eq!(value(&found[0], "error"), "invalid_token");
        assert!(found[0].parameters.iter().all(|parameter| parameter.is_well_formed));
        assert_eq!(found[0].parameter("realm"), None);
    }

    #[test]
    fn several_challenges_stand_in_one_header_or_in_several() {
        // RFC 9110 11.6.1 and RFC 7235's own example.
        let found = of(&[r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#]);
        assert_eq!(schemes(&found), ["Basic", "Newauth"]);
        assert_eq!(value(&found[1], "title"), r#"Login to "apps""#);
        assert_eq!(value(&found[1], "type"), "1");
        let found = of(&["Negotiate", r#"NTLM, Bearer scope="x, y=z, Basic""#, "DPoP algs=\"ES256\""]);
        assert_eq!(schemes(&found), ["Negotiate", "NTLM", "Bearer", "DPoP"]);
        assert_eq!(value(&found[2], "scope"), "x, y=z, Basic");
        let found = of(&["Negotiate a87421000492aa874209af8bc028==, Bearer realm = \"x\""]);
        assert_eq!(schemes(&found), ["Negotiate", "Bearer"]);
        assert_eq!(value(&found[1], "realm"), "x");
    }

    #[test]
    fn what_is_written_badly_is_read_as_clients_do_and_told_apart() {
        let found = of(&["Bearer resource_metadata=https://h/x, scope=\"a"]);
        let parameters: Vec<_> =
            found[0].parameters.iter().map(|one| (one.value.as_str(), one.is_well_formed)).collect();
        assert_eq!(parameters, [("https://h/x", false), ("a", false)]);
        for odd in ["", ",, ,", "=", "\"", "(x)", "realm=\"x\"", "\u{e4}"] {
            assert_eq!(of(&[odd]), [], "{odd:?}");
        }
        assert_eq!(schemes(&of(&[r#"(x), Bearer realm="a\"#])), ["Bearer"]);
        // A parameter before any scheme belongs to nobody, and least of all to the header before.
        assert_eq!(of(&["Basic", r#"realm="x""#])[0].parameters, []);
    }
}
