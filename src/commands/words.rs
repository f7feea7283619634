//! From words to values: what a flag or a line of a file says, as something that the store can keep. Both go through
//! here, so that a command and `apply` accept and refuse the same.

use std::io::Read;
use std::path::Path;

use super::failure::Failure;
use crate::clock::Seconds;
use crate::config::span;
use crate::oauth::client::{Client, Credential, KeySource};
use crate::oauth::client_metadata::ClientMetadata;
use crate::oauth::grant_type::GrantType;
use crate::oauth::guard::{Rule, Rules, UpstreamUrl};
use crate::oauth::ids::{ClientId, UserName};
use crate::oauth::key_set::KeySet;
use crate::oauth::key_set_url::KeySetUrl;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::Scope;

const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=256;
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 32..=512;
/// More than any password or secret, so that a wrong pipe is noticed before memory runs out.
const STDIN_BYTES_MAX: u64 = 64 * 1024;

/// A user name as typed.
pub(super) fn user_name(text: &str) -> Result<UserName, Failure> {
    UserName::parse(text).map_err(|why| Failure::new(format!("could not read the user name {text:?}: {why}")))
}

/// An e-mail address: hardly more than that it looks like one.
pub(super) fn email(text: &str) -> Result<String, Failure> {
    let looks_right = text.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty());
    if !looks_right || text.len() > 254 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Failure::new(format!(
            "could not read the address {text:?}: write it like alice@home.example"
        )));
    }
    Ok(text.to_owned())
}

/// A name that people read.
pub(super) fn display_name(text: &str) -> Result<String, Failure> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 256 || name.chars().any(char::is_control) {
        return Err(Failure::new(format!(
            "could not use the name {text:?}: it has 1 to 256 characters on one line"
        )));
    }
    Ok(name.to_owned())
}

/// A resource's URI.
pub(super) fn resource_uri(text: &str) -> Result<ResourceUri, Failure> {
    ResourceUri::parse(text).map_err(|why| {
        Failure::new(format!(
            "could not read the URI {text:?}: {why}; give the address that clients connect to, such as https://notes.home.example/mcp"
        ))
    })
}

/// Scopes, separated by spaces.
pub(super) fn scope(text: &str) -> Result<Scope, Failure> {
    Scope::parse(text).map_err(|why| {
        Failure::new(format!(
            "could not read the scopes {text:?}: {why}; separate them by spaces: \"notes:read notes:write\""
        ))
    })
}

/// How long a resource's access tokens live.
pub(super) fn token_lifetime(text: &str) -> Result<Seconds, Failure> {
    let (least, most) = span::ACCESS_TOKEN_BOUNDS;
    span::parse_within(text, least, most)
        .map_err(|why| Failure::new(format!("could not read the token lifetime: {why}")))
}

/// Where a guarded resource's requests go.
pub(super) fn upstream(text: &str) -> Result<UpstreamUrl, Failure> {
    UpstreamUrl::parse(text)
        .map_err(|why| Failure::new(format!("could not read the upstream {text:?}: {why}")))
}

/// What a guarded resource's calls need.
pub(super) fn rules(texts: &[String]) -> Result<Rules, Failure> {
    let rules: Vec<_> = texts.iter().map(|text| rule(text)).collect::<Result<_, _>>()?;
    Rules::of(rules).map_err(|why| Failure::new(format!("could not use the rules: {why}")))
}

fn rule(text: &str) -> Result<Rule, Failure> {
    let rule =
        Rule::parse(text).map_err(|why| Failure::new(format!("could not read the rule {text:?}: {why}")))?;
    if rule.is_about_a_method() {
        return Ok(rule);
    }
    Err(Failure::new(format!(
        "could not use the rule {text:?}: no method of MCP is called {}, so it would protect nothing; for tools of that \
         name write {:?}",
        rule.method(),
        rule.of_tools().to_string()
    )))
}

/// A redirect URI.
pub(super) fn redirect_uri(text: &str) -> Result<RedirectUri, Failure> {
    RedirectUri::parse(text)
        .map_err(|why| Failure::new(format!("could not use the redirect URI {text:?}: {why}")))
}

/// A grant type.
pub(super) fn grant_type(text: &str) -> Result<GrantType, Failure> {
    GrantType::parse(text).ok_or_else(|| {
        let known: Vec<_> = GrantType::ALL.iter().map(|grant| grant.as_str()).collect();
        Failure::new(format!("could not use the grant {text:?}: there are {}", known.join(", ")))
    })
}

/// A client's id.
pub(super) fn client_id(text: &str) -> Result<ClientId, Failure> {
    ClientId::parse(text).map_err(|why| Failure::new(format!("could not read the client id {text:?}: {why}")))
}

/// A password. It is not in the message, whatever is wrong with it.
pub(super) fn password(text: &str) -> Result<&str, Failure> {
    if !PASSWORD_CHARS.contains(&text.chars().count()) {
        return Err(Failure::new(
            "could not use the password: it has 8 to 256 characters; choose another one",
        ));
    }
    Ok(text)
}

/// A client secret that the owner made.
pub(super) fn secret(text: &str) -> Result<&str, Failure> {
    if !SECRET_BYTES.contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Failure::new(
            "could not use the secret: it has 32 to 512 visible ASCII characters; make one with: openssl rand -hex 32",
        ));
    }
    Ok(text)
}

/// A client's public keys: in a file, or where they are to be fetched.
pub(super) fn key_source(file: Option<&Path>, url: Option<&str>) -> Result<Option<KeySource>, Failure> {
    match (file, url) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Failure::new(
            "could not use the client's keys: they are given twice, as a file and by URL; leave out one of the two",
        )),
        (Some(file), None) => {
            let refuse = |why: &dyn std::fmt::Display| {
                Failure::new(format!("could not use the keys in {}: {why}", file.display()))
            };
            let text = std::fs::read(file).map_err(|why| refuse(&why))?;
            KeySet::parse(&text).map(|keys| Some(KeySource::Here(keys))).map_err(|why| refuse(&why))
        }
        (None, Some(url)) => KeySetUrl::parse(url)
            .map(|url| Some(KeySource::At(url)))
            .map_err(|why| Failure::new(format!("could not use the jwks_uri {url:?}: {why}"))),
    }
}

/// What stands on stdin, without the line's end.
pub(super) fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(STDIN_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|source| {
        Failure::new(format!("could not read the password from stdin: {source}; send it as UTF-8 text"))
    })?;
    Ok(without_newline(&text).to_owned())
}

/// Text without the one line end that editors and `echo` put after it.
pub(super) fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// What a client may do where nothing is said: sign people in if there is somewhere to send them back to, or else act
/// for itself.
pub(super) fn default_grants(redirect_uris: &[RedirectUri]) -> Vec<GrantType> {
    match redirect_uris {
        [] => vec![GrantType::ClientCredentials],
        _ => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
    }
}

/// Refuses a client whose parts do not fit together.
pub(super) fn check_client(client: &Client) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::new(format!("could not use the client {:?}: {why}", client.name)));
    let interactive = client.may_use(GrantType::AuthorizationCode);
    if interactive && client.redirect_uris.is_empty() {
        return refuse("authorization_code needs somewhere to send people back to; give it a redirect URI");
    }
    if client.may_use(GrantType::RefreshToken) && !interactive {
        return refuse("refresh_token comes with authorization_code; give it both grants, or neither");
    }
    if client.may_use(GrantType::ClientCredentials) && matches!(client.credential, Credential::Public) {
        return refuse(
            "client_credentials needs a secret, and a public client has none; leave out one of the two",
        );
    }
    Ok(())
}

/// A client's metadata (RFC 7591) as the database keeps it.
///
/// # Panics
/// Never: it is made of texts.
pub(super) fn metadata_json(client: &Client) -> String {
    serde_json::to_string(&ClientMetadata::of(client)).expect("client metadata is texts and lists of texts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_belongs_to_the_editor_and_the_rest_to_the_password() {
        assert_eq!(without_newline("secret\n"), "secret");
        assert_eq!(without_newline("secret\r\n"), "secret");
        assert_eq!(without_newline("secret\n\n"), "secret\n");
        assert_eq!(without_newline(" secret "), " secret ");
    }

    #[test]
    fn a_refused_secret_is_not_in_the_message() {
        assert!(!password("hunter2").unwrap_err().to_string().contains("hunter2"));
        assert!(!secret("hunter2").unwrap_err().to_string().contains("hunter2"));
    }
}
