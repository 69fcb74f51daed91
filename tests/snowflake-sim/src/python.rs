//! Python environments, made once in the cache of the tests: fakesnow with Snowflake's own connector, and a newer one.

use std::path::PathBuf;

use anyhow::Result;
use zenfloe_harness::PythonPins;

const PINS: PythonPins = PythonPins {
    // Another set of pins is another folder.
    name: "fakesnow-0.12.1-compiled",
    pure: include_str!("../pins/pure.txt"),
    binary: include_str!("../pins/binary.txt"),
};

/// The folder of the environment's programs, `python` and `fakesnow` among them; made where it is missing.
///
/// Blocking: it may run the package manager. What cannot be installed is named with what to do.
pub fn programs() -> Result<PathBuf> {
    Ok(zenfloe_harness::python(&PINS)?)
}

/// The core of the fifth generation is another program than the fourth's, and fakesnow does without it.
const CONNECTOR_5: PythonPins = PythonPins {
    name: "snowflake-connector-5.2.0",
    pure: include_str!("../pins/connector-5-pure.txt"),
    binary: include_str!("../pins/connector-5-binary.txt"),
};

/// The folder of the programs of an environment with Snowflake's connector 5.2; as [`programs`] otherwise.
pub fn connector_5() -> Result<PathBuf> {
    Ok(zenfloe_harness::python(&CONNECTOR_5)?)
}
