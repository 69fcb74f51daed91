//! A private RSA key that signs in to services.

use std::fmt;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Signs with RSASSA-PKCS1-v1_5 and SHA-256 (RS256). The key never leaves it and never prints.
pub struct Signer {
    pair: RsaKeyPair,
    fingerprint: String,
}

/// Why a private key cannot be used. Never holds key bytes.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file cannot be read.
    #[error("private key `{path}` cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither of the two forms.
    #[error(
        "private key `{path}` is no PKCS#8 in PEM: it must begin with `-----BEGIN PRIVATE KEY-----` or `-----BEGIN ENCRYPTED PRIVATE KEY-----` (`openssl pkcs8 -topk8` makes one)"
    )]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// It is encrypted and nothing opens it.
    #[error("private key `{path}` is encrypted and no passphrase was given")]
    Passphrase {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase is wrong, or the encryption is one that is not understood.
    #[error("private key `{path}` cannot be decrypted: {what}")]
    Decrypt {
        /// The file.
        path: PathBuf,
        /// Which of the two it seems to be.
        what: String,
    },
    /// It is no RSA key, or one that is too small.
    #[error("private key `{path}` cannot sign: an RSA key of 2048 to 4096 bits is needed ({what})")]
    Key {
        /// The file.
        path: PathBuf,
        /// What the library said.
        what: String,
    },
}

const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

impl Signer {
    /// Reads a PKCS#8 file in PEM; `passphrase` opens an encrypted one.
    pub fn load(path: &Path, passphrase: Option<&str>) -> Result<Self, SignerError> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|source| SignerError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text, passphrase)
    }

    fn parse(path: &Path, text: &str, passphrase: Option<&str>) -> Result<Self, SignerError> {
        let path = path.to_owned();
        let Ok((label, document)) = SecretDocument::from_pem(text) else {
            return Err(SignerError::Form { path });
        };
        let document = match label {
            PLAIN => document,
            ENCRYPTED => decrypt(path.clone(), &document, passphrase)?,
            _ => return Err(SignerError::Form { path }),
        };
        if PrivateKeyInfoRef::try_from(document.as_bytes()).is_err() {
            return Err(SignerError::Form { path });
        }
        let pair = RsaKeyPair::from_pkcs8(document.as_bytes()).map_err(|error| SignerError::Key {
            path,
            what: error.to_string(),
        })?;
        let fingerprint = BASE64.encode(&Sha256::digest(public_key_info(pair.public_key().as_ref())));
        Ok(Self { pair, fingerprint })
    }

    /// The SHA-256 of the public key's SubjectPublicKeyInfo in DER, in base64.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The signature of a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .expect("the buffer has the length of the modulus");
        signature
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer(SHA256:{})", self.fingerprint)
    }
}

fn decrypt(path: PathBuf, document: &SecretDocument, passphrase: Option<&str>) -> Result<SecretDocument, SignerError> {
    let Ok(encrypted) = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()) else {
        return Err(SignerError::Decrypt {
            path,
            what: "its encryption is not understood; use PBES2 (`openssl pkcs8 -topk8 -v2 aes-256-cbc`)".into(),
        });
    };
    let Some(passphrase) = passphrase else {
        return Err(SignerError::Passphrase { path });
    };
    encrypted.decrypt(passphrase).map_err(|_| SignerError::Decrypt {
        path,
        what: "the passphrase is not its own".into(),
    })
}

/// Wraps a PKCS#1 public key as SubjectPublicKeyInfo (RFC 5280, 4.1; RFC 3279, 2.3.1).
fn public_key_info(pkcs1: &[u8]) -> Vec<u8> {
    /// `SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL }`.
    const RSA: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let bits = [&[0], pkcs1].concat();
    der(0x30, &[RSA.as_slice(), &der(0x03, &bits)].concat())
}

/// A DER value with its tag and length.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut out = vec![tag];
    if content.len() < 0x80 {
        out.push(content.len() as u8);
    } else {
        out.push(0x80 | significant.len() as u8);
        out.extend_from_slice(significant);
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl rsa -pubout -outform DER | openssl dgst -sha256 -binary | openssl base64`.
    const FINGERPRINT: &str = "jZW9F1gHRsrfTIQyD52QNeniCPx5nizNDLHNiXfSOgw=";
    /// `printf 'a message' | openssl dgst -sha256 -sign plain.p8 | openssl base64`: this signature has no random part.
    const SIGNATURE: &str = "TYU+SdRW+iBUgTnXQ+x7zBzdPHHAJ76LI53Lu8Ng0ktMYYYb7qXNWvRjsVbWIacV+f9SCi4IoqobgzYyKQjEafipPA6dCFvgyeYqRcJdTWGBsvR7+krgqvXbprTIhbMFPZtlNtmF5L28QO8ezZb3ljMv5GErmO0gNjrY1Xm/rKr+iemFluHWLOEkydRY82naTHUTRuTHUeNr4nYkxBL65iatMDh8n+ZgiLY3NJkXubbNOGQNTtvv59qoBJb897rMrL+9Pz27NmUXr227GmUWG3tTfmvH3986ELMlr2Sh9RjtArXH4GsDmr04vuK2iQqnKXgfNgJS6p7yzT/fArF0Yw==";

    fn load(file: &str, passphrase: Option<&str>) -> Result<Signer, SignerError> {
        let folder = Path::new("tests/keys");
        Signer::load(&folder.join(file), passphrase)
    }

    #[test]
    fn every_form_of_a_key_signs_as_openssl_does() {
        for (file, passphrase) in [
            ("plain.p8", None),
            ("plain.p8", Some("unused")),
            ("aes256.p8", Some("opensesame")),
            ("des3.p8", Some("opensesame")),
        ] {
            let signer = load(file, passphrase).expect("a key of the tests");
            assert_eq!(signer.fingerprint(), FINGERPRINT, "{file}");
            assert_eq!(BASE64.encode(&signer.sign(b"a message")), SIGNATURE, "{file}");
            assert_eq!(format!("{signer:?}"), format!("Signer(SHA256:{FINGERPRINT})"));
        }
    }

    #[test]
    fn what_cannot_sign_is_refused_with_the_reason() {
        for (file, passphrase, says) in [
            ("absent.p8", None, "cannot be read"),
            ("aes256.p8", None, "no passphrase was given"),
            ("des3.p8", Some("wrong"), "the passphrase is not its own"),
            ("traditional.pem", None, "openssl pkcs8 -topk8"),
            ("public.pem", None, "is no PKCS#8"),
            ("README.md", None, "is no PKCS#8"),
            ("ed25519.p8", None, "an RSA key of 2048"),
        ] {
            let error = load(file, passphrase).expect_err("refused").to_string();
            assert!(error.contains(says) && error.contains(file), "{file}: {error}");
        }
    }
}
