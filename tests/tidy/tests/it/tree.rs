//! The workspace as it stands: its members, and the files that git keeps.

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The workspace's own folder: tests run in their package's.
pub(crate) fn root() -> PathBuf {
    Path::new("../..").canonicalize().expect("the workspace")
}

/// The members, without what they depend on.
pub(crate) fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata")
}

/// The folder of a workspace member, relative to the root: `loader/sqlite`.
pub(crate) fn folder(package: &Package) -> String {
    let manifest = package.manifest_path.parent().expect("a folder").as_std_path();
    manifest
        .strip_prefix(root())
        .expect("inside the workspace")
        .display()
        .to_string()
}

/// The top-level folder of a member.
pub(crate) fn area(package: &Package) -> String {
    folder(package).split('/').next().expect("a first part").to_owned()
}

/// One workspace member that uses another.
pub(crate) struct Arrow<'m> {
    pub(crate) from: &'m Package,
    pub(crate) to: &'m Package,
    /// A dev-dependency: it is in no build of the product.
    pub(crate) only_in_tests: bool,
}

/// Every arrow between two members.
pub(crate) fn arrows(metadata: &Metadata) -> Vec<Arrow<'_>> {
    let mut found = Vec::new();
    for from in &metadata.packages {
        for dependency in &from.dependencies {
            let to = metadata
                .packages
                .iter()
                .find(|package| package.name.as_str() == dependency.name);
            found.extend(to.map(|to| Arrow {
                from,
                to,
                only_in_tests: dependency.kind == DependencyKind::Development,
            }));
        }
    }
    assert!(found.len() > 20, "the members are found");
    found
}

/// A text file that git keeps.
pub(crate) struct File {
    /// Relative to the root.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.name.ends_with(".rs")
    }
}

/// The text files that git keeps, and those that it would take in.
pub(crate) fn files() -> Vec<File> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git");
    assert!(listed.status.success(), "git lists the files");
    let names = String::from_utf8(listed.stdout).expect("UTF-8");
    let files: Vec<File> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let text = std::fs::read_to_string(root().join(name)).ok()?;
            Some(File {
                name: name.to_owned(),
                text,
            })
        })
        .collect();
    assert!(files.len() > 100, "the files are found");
    files
}

/// Fails with the faults, if there are any.
pub(crate) fn assert_none(faults: &[String], remedy: &str) {
    assert!(faults.is_empty(), "{remedy}:\n  {}", faults.join("\n  "));
}
