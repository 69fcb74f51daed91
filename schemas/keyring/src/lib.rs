//! Holds key bytes: the one crate that seals raw values and makes tokens.
//!
//! Two root key files, so that two duties can be kept apart: the *seal* file (extractor, transformer,
//! and the commands that read raw) and the *token* file (transformer, erase). The extractor cannot
//! make tokens. A file holds several versions: tokens are rotated from one to the next, and a seal key that is
//! destroyed makes what was sealed under it unreadable. Erased people are recognised by marks, under a key that no
//! rotation changes. Beside the files stands the private key that signs in to a warehouse ([`Signer`]).
//!
//! Invariants: key bytes never leave this crate, never print, and are wiped when dropped; every
//! encoding has a golden vector, because values of one release are opened by the next.
//!
//! What it does not know: what a record means, which column is personal, where a log is.

mod file;
mod mark;
mod roots;
mod seal;
mod signer;
mod token;

pub use file::{KeyFileError, KeyInfo, KeyKind, KeyState, KeyVersion, SealKeys, TokenKeys};
pub use mark::{MARK_LENGTH, Mark, Marks};
pub use seal::{OpenError, Opener, SealPurpose, Sealer};
pub use signer::{Signer, SignerError};
pub use token::{TOKEN_LENGTH, Tokens};

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A 256-bit key; wiped when dropped, printed never.
type Key = Zeroizing<[u8; 32]>;

/// HKDF-SHA-256 without salt; `info` says what the key is for.
fn derive(root: &Key, info: &str) -> Key {
    let mut key = Key::default();
    Hkdf::<Sha256>::new(None, root.as_slice())
        .expand(info.as_bytes(), key.as_mut_slice())
        .expect("32 bytes are less than HKDF's limit");
    key
}

/// Fresh random bytes from the operating system.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
