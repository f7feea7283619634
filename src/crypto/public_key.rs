//! Public keys of others, and signatures checked with them: what they sign, we never can.
//!
//! A key knows its one algorithm, so nothing that travels beside a signature can choose how it is checked.

use std::fmt;

use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::digest::to_base64url;

const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;
/// Below it a signature is no riddle; above it, one would cost us more than it is worth (ring's own limits).
const RSA_EXPONENT_MIN: u64 = 3;
const RSA_EXPONENT_MAX: u64 = (1 << 33) - 1;

/// How a client signs its assertions (RFC 7518 3.1, RFC 8037 3.1). Longer than the list of what this server signs
/// with, [`Algorithm`](super::jwk::Algorithm): hosted clients sign with RSA, and only checking RSA is cheap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssertionAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl AssertionAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The `alg` value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads an `alg` value.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == text)
    }
}

impl fmt::Display for AssertionAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A public key that checks signatures. Equal keys are equal byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// Big-endian, without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed: `0x04 || x || y` (SEC 1 2.3.3).
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

/// The numbers are no key that could be trusted; says what a key has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfitKey(pub &'static str);

impl fmt::Display for UnfitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnfitKey {}

/// Proof that a signature is its key's. Only [`PublicKey::verify`] makes one.
#[derive(Debug)]
pub struct SignatureValid(());

impl PublicKey {
    /// An RSA key from its modulus and exponent, big-endian (RFC 7518 6.3.1); leading zeros do not count.
    pub fn rsa(n: &[u8], e: &[u8]) -> Result<Self, UnfitKey> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) || !is_odd(n) {
            return Err(UnfitKey("an RSA modulus is odd and has 2048 to 8192 bits"));
        }
        // Eight bytes hold the largest exponent and more.
        let exponent = (e.len() <= 8).then(|| e.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
        if !exponent.is_some_and(|value| (RSA_EXPONENT_MIN..=RSA_EXPONENT_MAX).contains(&value)) || !is_odd(e)
        {
            return Err(UnfitKey("an RSA exponent is odd, at least 3 and below 2^33"));
        }
        Ok(Self(Kind::Rsa { n: n.to_vec(), e: e.to_vec() }))
    }

    /// A P-256 key from the coordinates of its point, 32 bytes each (RFC 7518 6.2.1). A point that is not on the curve
    /// is taken, and no signature is ever its.
    pub fn p256(x: &[u8], y: &[u8]) -> Result<Self, UnfitKey> {
        if x.len() != 32 || y.len() != 32 {
            return Err(UnfitKey("a P-256 key has two coordinates of 32 bytes each"));
        }
        let mut point = [4; 65];
        point[1..33].copy_from_slice(x);
        point[33..].copy_from_slice(y);
        Ok(Self(Kind::P256(point)))
    }

    /// An Ed25519 key from its 32 bytes (RFC 8037 2), unless it is one of the few under which anybody can sign.
    pub fn ed25519(x: &[u8]) -> Result<Self, UnfitKey> {
        let key: [u8; 32] = x.try_into().map_err(|_| UnfitKey("an Ed25519 key has 32 bytes"))?;
        if is_of_small_order(key) {
            return Err(UnfitKey("this Ed25519 key is a point of small order: anybody could sign for it"));
        }
        Ok(Self(Kind::Ed25519(key)))
    }

    /// The one algorithm that this key checks.
    pub const fn algorithm(&self) -> AssertionAlgorithm {
        match self.0 {
            Kind::Rsa { .. } => AssertionAlgorithm::Rs256,
            Kind::P256(_) => AssertionAlgorithm::Es256,
            Kind::Ed25519(_) => AssertionAlgorithm::EdDsa,
        }
    }

    /// Whether `signature`, as JWS spells it (RFC 7518 3.3, 3.4), is this key's under `message`; `None` if it is not,
    /// whatever is wrong with it.
    #[must_use = "the signature may be wrong"]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Option<SignatureValid> {
        let verified = match &self.0 {
            Kind::Rsa { n, e } => {
                PublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Kind::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Kind::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        verified.ok().map(|()| SignatureValid(()))
    }
}

/// The members of its JWK that make up the key (RFC 7518 6, RFC 8037 2), and no others.
impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        match &self.0 {
            Kind::Rsa { n, e } => {
                members.serialize_entry("kty", "RSA")?;
                members.serialize_entry("n", &to_base64url(n))?;
                members.serialize_entry("e", &to_base64url(e))?;
            }
            Kind::P256(point) => {
                members.serialize_entry("kty", "EC")?;
                members.serialize_entry("crv", "P-256")?;
                members.serialize_entry("x", &to_base64url(&point[1..33]))?;
                members.serialize_entry("y", &to_base64url(&point[33..]))?;
            }
            Kind::Ed25519(key) => {
                members.serialize_entry("kty", "OKP")?;
                members.serialize_entry("crv", "Ed25519")?;
                members.serialize_entry("x", &to_base64url(key))?;
            }
        }
        members.end()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm())
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last & 1 == 1)
}

/// Whether the point's order divides eight, in any spelling. A signature with `S` zero then fits at least every eighth
/// message without a private key, and the check (RFC 8032 5.1.7) does not mind.
fn is_of_small_order(mut key: [u8; 32]) -> bool {
    const Y_OF_ORDER_8: [[u8; 32]; 2] = [
        *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
           \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
        *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\
           \x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    ];
    // The sign of x is of no account.
    key[31] &= 0x7f;
    let (low, rest) = (key[0], &key[1..31]);
    // y is 0 or 1, or -1, 0 or 1 as p - 1, p or p + 1, where p is 2^255 - 19.
    let near_zero = low <= 1 && rest.iter().all(|byte| *byte == 0) && key[31] == 0;
    let near_p = (0xec..=0xee).contains(&low) && rest.iter().all(|byte| *byte == 0xff) && key[31] == 0x7f;
    near_zero || near_p || Y_OF_ORDER_8.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::from_base64url;

    /// The payload of RFC 7515 A.2 and A.3.
    const JOE: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    /// The modulus of RFC 7515 A.2.
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

    fn bytes(text: &str) -> Vec<u8> {
        from_base64url(text).unwrap()
    }

    fn rfc_keys() -> [(PublicKey, String, &'static str); 3] {
        [
            (
                PublicKey::rsa(&bytes(N), &bytes("AQAB")).unwrap(),
                format!("eyJhbGciOiJSUzI1NiJ9.{JOE}"),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                PublicKey::p256(
                    &bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
                    &bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
                )
                .unwrap(),
                format!("eyJhbGciOiJFUzI1NiJ9.{JOE}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                PublicKey::ed25519(&bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")).unwrap(),
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ]
    }

    #[test]
    fn the_signatures_of_rfc_7515_a_2_and_a_3_and_of_rfc_8037_a_4() {
        for (at, (key, message, signature)) in rfc_keys().into_iter().enumerate() {
            assert_eq!(key.algorithm(), AssertionAlgorithm::ALL[at]);
            assert!(key.verify(message.as_bytes(), &bytes(signature)).is_some(), "{key:?}");
            assert!(key.verify(format!("{message}.").as_bytes(), &bytes(signature)).is_none(), "{key:?}");
            for (other, (another_key, ..)) in rfc_keys().into_iter().enumerate() {
                let verified = another_key.verify(message.as_bytes(), &bytes(signature));
                assert_eq!(verified.is_some(), at == other, "{key:?} {another_key:?}");
            }
        }
    }

    #[test]
    fn every_bit_of_a_signature_and_its_length_count() {
        for (key, message, signature) in rfc_keys() {
            let signature = bytes(signature);
            for bit in 0..signature.len() * 8 {
                let mut changed = signature.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(key.verify(message.as_bytes(), &changed).is_none(), "{key:?} {bit}");
            }
            for length in 0..signature.len() {
                assert!(key.verify(message.as_bytes(), &signature[..length]).is_none(), "{key:?} {length}");
            }
            for longer in [[&signature[..], &[0]].concat(), [&[0], &signature[..]].concat()] {
                assert!(key.verify(message.as_bytes(), &longer).is_none(), "{key:?}");
            }
        }
    }

    #[test]
    fn an_rsa_key_has_2048_to_8192_bits_and_a_small_odd_exponent() {
        let modulus = |bits: usize| {
            let mut n = vec![0xff; bits.div_ceil(8)];
            n[0] >>= (8 - bits % 8) % 8;
            n
        };
        let e = [1, 0, 1];
        for bits in [2048, 2049, 3072, 8191, 8192] {
            assert!(PublicKey::rsa(&modulus(bits), &e).is_ok(), "{bits}");
        }
        for bits in [8, 512, 1024, 2040, 2047, 8193, 8200, 16_384] {
            assert!(PublicKey::rsa(&modulus(bits), &e).is_err(), "{bits}");
        }
        let mut even = modulus(2048);
        even[255] = 0xfe;
        for wrong in [&even[..], &[], &[0; 256]] {
            assert!(PublicKey::rsa(wrong, &e).is_err());
        }
        let n = modulus(2048);
        for right in [&[3][..], &[17], &[1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
            assert!(PublicKey::rsa(&n, right).is_ok(), "{right:?}");
        }
        for wrong in [&[][..], &[0], &[1], &[2], &[4], &[1, 0, 0], &[2, 0, 0, 0, 1], &[1; 8], &[1; 9], &n] {
            assert!(PublicKey::rsa(&n, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn leading_zeros_make_no_other_key() {
        let (n, e) = (bytes(N), bytes("AQAB"));
        let padded = PublicKey::rsa(&[&[0, 0], &n[..]].concat(), &[&[0; 9], &e[..]].concat()).unwrap();
        assert_eq!(padded, PublicKey::rsa(&n, &e).unwrap());
        let (_, message, signature) = &rfc_keys()[0];
        assert!(padded.verify(message.as_bytes(), &bytes(signature)).is_some());
    }

    #[test]
    fn points_of_another_length_are_no_keys() {
        for length in [0, 31, 33, 64] {
            assert!(PublicKey::p256(&vec![7; length], &[7; 32]).is_err(), "{length}");
            assert!(PublicKey::p256(&[7; 32], &vec![7; length]).is_err(), "{length}");
            assert!(PublicKey::ed25519(&vec![7; length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_point_off_the_curve_signs_nothing() {
        let (_, message, signature) = &rfc_keys()[1];
        let key = PublicKey::p256(&[0; 32], &[0; 32]).unwrap();
        for signature in [bytes(signature), vec![0; 64], vec![1; 64]] {
            assert!(key.verify(message.as_bytes(), &signature).is_none());
        }
    }

    /// Each of these fools the bare check, which is why they are refused as keys.
    #[test]
    fn a_key_under_which_anybody_can_sign_is_refused() {
        let word = |low: u8, middle: u8, high: u8| {
            let mut word = [middle; 32];
            (word[0], word[31]) = (low, high);
            word
        };
        let order_8 = [
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ]
        .map(|hex| std::array::from_fn(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()));
        let near_p = [0xec, 0xed, 0xee].map(|low| word(low, 0xff, 0x7f));
        let mut forged = [0; 64];
        forged[0] = 1;
        for key in [[word(0, 0, 0), word(1, 0, 0)].as_slice(), &near_p, &order_8].concat() {
            let fooled = |key: &[u8; 32]| {
                (0..200_u8)
                    .any(|message| UnparsedPublicKey::new(&ED25519, key).verify(&[message], &forged).is_ok())
            };
            assert!(fooled(&key), "{key:02x?}");
            let mut negative = key;
            negative[31] |= 0x80;
            for spelling in [key, negative] {
                assert!(PublicKey::ed25519(&spelling).is_err(), "{spelling:02x?}");
            }
        }
        for fine in [word(2, 0, 0), word(0xeb, 0xff, 0x7f), word(0xef, 0xff, 0x7f), word(1, 0, 1)] {
            assert!(PublicKey::ed25519(&fine).is_ok(), "{fine:02x?}");
        }
    }
}
