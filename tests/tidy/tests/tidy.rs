//! The rules of the tree, each with its reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace")
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata")
}

/// The folder of a workspace member, relative to the root: `loader/sqlite`.
fn folder(package: &Package) -> String {
    let manifest = package.manifest_path.parent().expect("a folder").as_std_path();
    manifest
        .strip_prefix(root())
        .expect("inside the workspace")
        .display()
        .to_string()
}

/// The top-level folder of a member.
fn area(package: &Package) -> String {
    folder(package).split('/').next().expect("a first part").to_owned()
}

/// Every pair of workspace members, one depending on the other; dev-dependencies are told apart.
fn arrows(metadata: &Metadata) -> Vec<(&Package, &Package, bool)> {
    let mut found = Vec::new();
    for from in &metadata.packages {
        for dependency in &from.dependencies {
            if let Some(to) = metadata
                .packages
                .iter()
                .find(|package| package.name.as_str() == dependency.name)
            {
                found.push((from, to, dependency.kind == DependencyKind::Development));
            }
        }
    }
    assert!(found.len() > 20, "the members are found");
    found
}

/// Stages share `schemas/` and nothing else, so that each can be read, tested and scaled alone.
#[test]
fn arrows_point_from_deploy_over_stages_to_schemas() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for (from, to, only_tests) in arrows(&metadata) {
        let allowed = match (area(from).as_str(), area(to).as_str()) {
            ("schemas", "schemas") => true,
            (stage @ ("extractor" | "transformer" | "loader"), to) => to == "schemas" || to == stage,
            ("deploy", "schemas" | "extractor" | "transformer" | "loader" | "deploy") => true,
            ("tests", _) => true,
            _ => false,
        };
        // Tests may use the simulators and the harness; the demo starts the simulator and proves
        // its tables with the oracle.
        let by_tests = only_tests && area(to) == "tests";
        let demo = from.name.as_str() == "zenfloe" && ["zendesk-sim", "zenfloe-oracle"].contains(&to.name.as_str());
        if !(allowed || by_tests || demo) {
            faults.push(format!("{} -> {}", folder(from), folder(to)));
        }
    }
    assert!(faults.is_empty(), "forbidden: {faults:#?}");
}

/// The simulators must not share a type with the clients that they test.
#[test]
fn simulators_know_nothing_of_the_product() {
    let metadata = metadata();
    for (from, to, _) in arrows(&metadata) {
        assert!(!from.name.ends_with("-sim"), "{} -> {}", from.name, to.name);
    }
}

/// A library that is hard to replace, slow to build or dangerous stays behind one door.
#[test]
fn guarded_libraries_are_used_where_they_belong() {
    let rules: [(&str, &[&str]); 8] = [
        ("rdkafka", &["schemas/log-kafka"]),
        ("aes-gcm", &["schemas/keyring"]),
        ("hkdf", &["schemas/keyring"]),
        ("hmac", &["schemas/keyring"]),
        ("schema_registry_converter", &["schemas/registry"]),
        ("reqwest", &["extractor/zendesk", "schemas/registry"]),
        ("tokio-postgres", &["loader/postgres"]),
        ("rusqlite", &["schemas/log-file", "schemas/registry", "loader/sqlite"]),
    ];
    let metadata = metadata();
    for (library, homes) in rules {
        let users: BTreeSet<String> = metadata
            .packages
            .iter()
            .filter(|package| area(package) != "tests")
            .filter(|package| {
                package
                    .dependencies
                    .iter()
                    .any(|held| held.name == library && held.kind != DependencyKind::Development)
            })
            .map(folder)
            .collect();
        let allowed: BTreeSet<String> = homes.iter().map(|home| (*home).to_owned()).collect();
        assert!(
            users.is_subset(&allowed),
            "{library} is used by {users:?}, allowed: {allowed:?}"
        );
        assert!(!users.is_empty(), "{library} is used nowhere: drop the rule");
    }
}

/// One version and one set of features of everything, in one place.
#[test]
fn members_take_versions_lints_and_edition_from_the_workspace() {
    for package in metadata().packages {
        let text = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        let manifest = folder(&package);
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{manifest}: takes the workspace's lints"
        );
        assert!(
            text.contains("rust-version.workspace = true"),
            "{manifest}: takes the workspace's rust-version"
        );
        for line in text.lines().skip_while(|line| !line.contains("dependencies]")) {
            let is_dependency = line.contains('=') && !line.starts_with('[') && !line.starts_with('#');
            let own = is_dependency && (line.contains("version") || line.contains("= \"") || line.contains("git"));
            assert!(!own, "{manifest}: `{line}` names a version of its own");
        }
    }
}

fn tracked_files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git");
    assert!(listed.status.success(), "git lists the files");
    let names = String::from_utf8(listed.stdout).expect("UTF-8");
    names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(|name| root().join(name))
        .collect()
}

/// The repository speaks of the product alone.
#[test]
fn no_file_names_a_machine_or_unfinished_work() {
    let this = root().join("tests/tidy/tests/tidy.rs");
    let forbidden = [
        "/ro\u{6f}t/",
        "/w\u{6f}rk/",
        "to\u{64}o!(",
        "unimplemente\u{64}!(",
        "FIX\u{4d}E",
        "#[igno\u{72}e",
    ];
    let mut faults = Vec::new();
    for path in tracked_files() {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        if path == this || path.extension().is_some_and(|extension| extension == "lock") {
            continue;
        }
        for word in forbidden {
            if text.contains(word) {
                faults.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A file has one subject.
#[test]
fn no_source_file_is_longer_than_a_reader_bears() {
    let long: Vec<String> = tracked_files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| {
            let lines = std::fs::read_to_string(&path).ok()?.lines().count();
            (lines > 900).then(|| format!("{} has {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}
