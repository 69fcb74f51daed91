//! Who may depend on whom.

use crate::tree::{Arrow, area, arrows, assert_none, folder, metadata};

/// What tests of the product may be played with: none of it is in a build of the product.
const PROPS: [&str; 4] = ["zendesk-sim", "snowflake-sim", "zenfloe-harness", "zenfloe-oracle"];
/// What the demo starts, and what it proves its tables with.
const OF_THE_DEMO: [&str; 2] = ["zendesk-sim", "zenfloe-oracle"];
/// What knows nothing of the product, so that it cannot share the product's mistakes.
const STRANGERS: [&str; 2] = ["zendesk-sim", "zenfloe-harness"];

/// Stages share `schemas/` and nothing else, so that each can be read, tested and scaled alone.
#[test]
fn arrows_point_from_deploy_over_stages_to_schemas() {
    let metadata = metadata();
    let forbidden: Vec<String> = arrows(&metadata)
        .iter()
        .filter(|arrow| !is_allowed(arrow))
        .map(written)
        .collect();
    assert_none(&forbidden, "a stage may use `schemas/` and its own folder");
}

/// Nothing outside `tests/` depends on `tests/`, but for the demo; tests of the product may use the
/// simulators, the harness and the oracle as dev-dependencies, which no build of the product contains.
fn is_allowed(arrow: &Arrow<'_>) -> bool {
    let to = arrow.to.name.as_str();
    match (area(arrow.from).as_str(), area(arrow.to).as_str()) {
        ("tests", _) => true,
        (_, "tests") if arrow.only_in_tests => PROPS.contains(&to),
        (_, "tests") => arrow.from.name.as_str() == "zenfloe" && OF_THE_DEMO.contains(&to),
        ("schemas", to) => to == "schemas",
        ("deploy", _) => true,
        (stage, to) => to == "schemas" || to == stage,
    }
}

fn written(arrow: &Arrow<'_>) -> String {
    format!("{} -> {}", folder(arrow.from), folder(arrow.to))
}

/// A simulator that shared a type with the client that it tests would share its mistakes.
#[test]
fn simulators_and_harness_know_nothing_of_the_product() {
    let metadata = metadata();
    let is_stranger = |arrow: &&Arrow<'_>| {
        let name = arrow.from.name.as_str();
        name.ends_with("-sim") || STRANGERS.contains(&name)
    };
    let arrows = arrows(&metadata);
    let faults: Vec<String> = arrows
        .iter()
        .filter(is_stranger)
        .filter(|arrow| area(arrow.to) != "tests")
        .map(written)
        .collect();
    assert_none(&faults, "simulators and harness use nothing of the product");
}

/// The tidy rules read the tree and run none of it: they hold before anything compiles.
#[test]
fn nothing_depends_on_the_rules_and_the_rules_on_nothing() {
    let metadata = metadata();
    let arrows = arrows(&metadata);
    let touches = |arrow: &&Arrow<'_>| {
        [&arrow.from.name, &arrow.to.name]
            .iter()
            .any(|name| name.as_str() == "zenfloe-tidy")
    };
    let faults: Vec<String> = arrows.iter().filter(touches).map(written).collect();
    assert_none(&faults, "`tests/tidy` stands alone");
}
