//! The Python environment with fakesnow and Snowflake's own connector, made once in the cache of the tests.

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
