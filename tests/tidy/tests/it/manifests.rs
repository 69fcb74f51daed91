//! One version and one set of features of everything, in one place.

use crate::tree::{assert_none, files, folder, metadata};

#[test]
fn members_take_lints_edition_and_version_from_the_workspace() {
    let mut faults = Vec::new();
    for package in metadata().packages {
        let text = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        let inherited = [
            "[lints]\nworkspace = true",
            "version.workspace = true",
            "edition.workspace = true",
            "rust-version.workspace = true",
            "license.workspace = true",
            "publish.workspace = true",
        ];
        let missing = inherited.iter().filter(|line| !text.contains(**line));
        faults.extend(missing.map(|line| format!("{}: {line:?}", folder(&package))));
    }
    assert_none(&faults, "a member's manifest lacks");
}

#[test]
fn members_name_no_version_of_a_dependency() {
    let mut faults = Vec::new();
    for package in metadata().packages {
        let text = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        let mut is_among_dependencies = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                is_among_dependencies = line.ends_with("dependencies]");
            }
            let is_entry = is_among_dependencies && line.contains('=') && !line.starts_with('#');
            if is_entry && !line.contains("workspace = true") {
                faults.push(format!("{}: {line}", folder(&package)));
            }
        }
    }
    assert_none(&faults, "versions stand in the workspace's manifest");
}

#[test]
fn no_file_chooses_a_toolchain() {
    // A machine that cannot fetch toolchains builds with the one that it has.
    let faults: Vec<String> = files()
        .into_iter()
        .map(|file| file.name)
        .filter(|name| name.contains("rust-toolchain"))
        .collect();
    assert_none(&faults, "`rust-version` says enough");
}
