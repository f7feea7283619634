//! How our types go into SQLite and come back, parsed again.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::clock::{Seconds, UnixTime};
use crate::crypto::jwk::Algorithm;
use crate::oauth::client::{Assertion, RegisteredBy};
use crate::oauth::error::Malformed;
use crate::oauth::grant_type::{AuthMethod, GrantType};
use crate::oauth::guard::{Rules, UpstreamUrl};
use crate::oauth::ids::{AuthorizationId, ClientId, GrantId, UserId, UserName};
use crate::oauth::key_set::KeySet;
use crate::oauth::key_set_url::KeySetUrl;
use crate::oauth::pkce::PkceChallenge;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::Scope;
use crate::oauth::secret::SecretHash;

fn corrupt(why: Malformed) -> FromSqlError {
    FromSqlError::Other(Box::new(why))
}

macro_rules! text {
    ($($kind:ty: $read:expr, $write:expr;)*) => {$(
        impl ToSql for $kind {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let write: fn(&$kind) -> &str = $write;
                Ok(ToSqlOutput::Borrowed(ValueRef::Text(write(self).as_bytes())))
            }
        }

        impl FromSql for $kind {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let read: fn(&str) -> Result<$kind, Malformed> = $read;
                read(value.as_str()?).map_err(corrupt)
            }
        }
    )*};
}

text! {
    ClientId: ClientId::parse, ClientId::as_str;
    UserId: UserId::parse, UserId::as_str;
    UserName: UserName::parse, UserName::as_str;
    AuthorizationId: AuthorizationId::parse, AuthorizationId::as_str;
    ResourceUri: ResourceUri::parse, ResourceUri::as_str;
    UpstreamUrl: UpstreamUrl::parse, UpstreamUrl::as_str;
    RegisteredBy: |text| RegisteredBy::parse(text).ok_or(Malformed("registered_by is unknown")), |by| by.as_str();
    KeySetUrl: KeySetUrl::parse, KeySetUrl::as_str;
    Assertion: |text| Assertion::parse(text).ok_or(Malformed("assertion is unknown")), |assertion| assertion.as_str();
    AuthMethod: |text| AuthMethod::parse(text).ok_or(Malformed("auth_method is unknown")), |method| method.as_str();
    Algorithm: |text| Algorithm::parse(text).ok_or(Malformed("algorithm is unknown")), |algorithm| algorithm.as_str();
}

macro_rules! number {
    ($($kind:ty: $read:expr, $write:expr;)*) => {$(
        impl ToSql for $kind {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let write: fn($kind) -> i64 = $write;
                Ok(ToSqlOutput::from(write(*self)))
            }
        }

        impl FromSql for $kind {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let read: fn(i64) -> Option<$kind> = $read;
                let number = value.as_i64()?;
                read(number).ok_or(FromSqlError::OutOfRange(number))
            }
        }
    )*};
}

number! {
    UnixTime: |at| Some(UnixTime::new(at)), UnixTime::as_i64;
    Seconds: |span| u32::try_from(span).ok().map(Seconds::new), |span| i64::from(span.as_u32());
    GrantId: |id| Some(GrantId::new(id)), GrantId::as_i64;
}

macro_rules! digest {
    ($($kind:ty;)*) => {$(
        impl ToSql for $kind {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
            }
        }

        impl FromSql for $kind {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 32]>::column_result(value).map(<$kind>::from_bytes)
            }
        }
    )*};
}

digest! {
    SecretHash;
    PkceChallenge;
}

impl ToSql for Scope {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.to_string()))
    }
}

impl FromSql for Scope {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).map_err(corrupt)
    }
}

impl FromSql for Rules {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_stored(value.as_str()?).map_err(corrupt)
    }
}

impl ToSql for KeySet {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.to_json()))
    }
}

impl FromSql for KeySet {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?.as_bytes()).map_err(|why| FromSqlError::Other(Box::new(why)))
    }
}

/// A list in one column, separated by spaces; none of the values can contain one.
pub(super) struct List<T>(pub Vec<T>);

/// A value that can stand in a [`List`].
pub(super) trait Listed: Sized {
    fn parse(text: &str) -> Result<Self, Malformed>;
    fn as_str(&self) -> &str;
}

impl Listed for ResourceUri {
    fn parse(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }

    fn as_str(&self) -> &str {
        self.as_str()
    }
}

impl Listed for RedirectUri {
    fn parse(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }

    fn as_str(&self) -> &str {
        self.as_str()
    }
}

impl Listed for GrantType {
    fn parse(text: &str) -> Result<Self, Malformed> {
        Self::parse(text).ok_or(Malformed("grant type is unknown"))
    }

    fn as_str(&self) -> &str {
        (*self).as_str()
    }
}

impl<T: Listed> FromSql for List<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let words = value.as_str()?.split(' ').filter(|word| !word.is_empty());
        words.map(T::parse).collect::<Result<_, _>>().map(Self).map_err(corrupt)
    }
}

/// The text of a list column.
pub(super) fn joined<T: Listed>(list: &[T]) -> String {
    list.iter().map(T::as_str).collect::<Vec<_>>().join(" ")
}
