//! What leaves and what does not: golden tokens, texts with and without personal data, damaged texts.

mod erased;
mod fuzz;
mod golden;
mod hard;
mod people;
mod speed;
mod texts;

use std::cell::RefCell;

use data_encoding::BASE64;
use zenfloe_keyring::{TokenKeys, Tokens};
use zenfloe_pii::{Guard, Privacy, TOKEN_CLASSES};

/// The guard of source `acme` under the key of bytes 00 to 1f.
fn privacy(regions: &[&str]) -> Privacy {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token.key");
    let root: Vec<u8> = (0..32).collect();
    std::fs::write(&file, format!("zenfloe token keys\n1 {}\n", BASE64.encode(&root))).expect("written");
    restrict(&file);
    let keys = TokenKeys::load(&file).expect("a key file");
    Privacy::new(Tokens::new(&keys, "acme", TOKEN_CLASSES), regions).expect("regions")
}

#[cfg(unix)]
fn restrict(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("restricted");
}

#[cfg(not(unix))]
fn restrict(_file: &std::path::Path) {}

/// The text as the guard of regions US and DE leaves it.
fn redacted(text: &str) -> String {
    thread_local! {
        static GUARD: RefCell<Privacy> = RefCell::new(privacy(&["US", "DE"]));
    }
    let mut out = String::new();
    GUARD.with_borrow_mut(|guard| guard.redact(text, &mut out));
    out
}

/// The text with tokens left out of its placeholders: `[email]`.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(":k1_") {
        shape.push_str(&rest[..start]);
        rest = &rest[start + ":k1_".len() + 26..];
    }
    shape.push_str(rest);
    shape
}
