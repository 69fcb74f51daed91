//! How crates and files are cut.

use std::fs;

use cargo_metadata::{Package, Target, TargetKind};

use crate::tree::{area, assert_none, files, folder, metadata, root};

/// Most files are far shorter; this is where a reader gives up.
const LONGEST_FILE: usize = 700;
/// A crate's doc says what it is for: a name is not enough.
const SHORTEST_DOC: usize = 60;

/// A file has one subject.
#[test]
fn no_source_file_is_longer_than_a_reader_bears() {
    let long: Vec<String> = files()
        .iter()
        .filter(|file| file.is_rust())
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(file, lines)| format!("{}: {lines} lines", file.name))
        .collect();
    assert_none(&long, "split by subject");
}

fn is_of(target: &Target, kind: &TargetKind) -> bool {
    target.kind.contains(kind)
}

/// What a crate is for, which invariants it holds, what it does not know.
#[test]
fn every_crate_says_what_it_is_for() {
    let mut faults = Vec::new();
    for package in metadata().packages {
        let targets = package.targets.iter();
        for target in targets.filter(|target| is_of(target, &TargetKind::Lib) || is_of(target, &TargetKind::Bin)) {
            let text = fs::read_to_string(&target.src_path).expect("a crate's root file");
            let doc: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
            if doc.len() < SHORTEST_DOC {
                faults.push(format!("{} ({})", folder(&package), target.name));
            }
        }
    }
    assert_none(&faults, "the crate's doc does not say what it is for");
}

/// Each costs a link, and two cores have few to spare.
#[test]
fn a_crate_has_one_binary_of_integration_tests() {
    let mut faults = Vec::new();
    for package in metadata().packages {
        let tests: Vec<_> = package
            .targets
            .iter()
            .filter(|target| is_of(target, &TargetKind::Test))
            .map(|target| target.name.as_str())
            .collect();
        if tests.len() > 1 {
            faults.push(format!("{}: {}", folder(&package), tests.join(", ")));
        }
    }
    assert_none(&faults, "make them modules of `tests/it/main.rs`");
}

/// Whoever looks for something looks into the README first.
#[test]
fn the_readme_names_each_crate() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let faults: Vec<String> = metadata()
        .packages
        .iter()
        .filter(|package| !is_named(&readme, package))
        .map(folder)
        .collect();
    assert_none(&faults, "the table \"Where things are\" of README.md lacks");
}

/// The row of the top-level folder, and in it the crate's own folder.
fn is_named(readme: &str, package: &Package) -> bool {
    let top = format!("| `{}/` |", area(package));
    let folder = folder(package);
    let own = folder.split_once('/').map(|(_, own)| format!("`{own}`"));
    readme
        .lines()
        .filter(|line| line.starts_with(&top))
        .any(|line| own.as_ref().is_none_or(|own| line.contains(own)))
}
