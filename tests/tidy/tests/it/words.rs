//! What no file may say.

use crate::tree::{File, assert_none, files};

/// Written in parts, so that this file does not say it.
const UNFINISHED: [&str; 6] = [
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X:"),
    concat!("#[ign", "ore"),
];
const MACHINES: [&str; 4] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Files that others wrote or that machines write.
fn is_foreign(file: &File) -> bool {
    file.name == "Cargo.lock" || file.name == "LICENSE"
}

fn mentions(words: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files().iter().filter(|file| !is_foreign(file)) {
        for (number, line) in file.text.lines().enumerate() {
            let said = words.iter().filter(|word| line.contains(**word));
            faults.extend(said.map(|word| format!("{}:{}: {word}", file.name, number + 1)));
        }
    }
    faults
}

#[test]
fn no_file_holds_unfinished_work() {
    assert_none(&mentions(&UNFINISHED), "finish it");
}

#[test]
fn no_file_names_a_machine() {
    assert_none(
        &mentions(&MACHINES),
        "what depends on a machine is found out or configured",
    );
}

#[test]
fn no_build_remembers_its_folder() {
    assert_none(
        &mentions(&[concat!("env!(\"CARGO_MANI", "FEST_DIR")]),
        "clones share built crates: a path is relative to the package's folder, where its tests run",
    );
}

#[test]
fn every_lint_that_is_switched_off_has_a_reason() {
    let mut faults = Vec::new();
    for file in files().iter().filter(|file| file.is_rust()) {
        for attribute in attributes(&file.text) {
            if !attribute.contains("reason = \"") {
                faults.push(format!("{}: {}", file.name, attribute.replace('\n', " ")));
            }
        }
    }
    assert_none(&faults, "say why: `reason = \"…\"`");
}

/// The attributes of a file that switch a lint off, each from its first to its last character.
fn attributes(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (line, after) = rest.split_once('\n')?;
            let openings = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
            let whole = rest;
            rest = after;
            if openings.iter().any(|opening| line.trim_start().starts_with(opening)) {
                return whole.split(")]").next();
            }
        }
    })
}

#[test]
fn attributes_are_found_wherever_they_stand() {
    let text = "#[allow(a)]\nfn f() {\n    #[expect(\n        b,\n        reason = \"c\"\n    )]\n}\n// #[allow(d)]\n";
    let found: Vec<_> = attributes(text).map(|attribute| attribute.contains("reason")).collect();
    assert_eq!(found, [false, true]);
}
