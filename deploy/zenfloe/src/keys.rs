//! `zenfloe keys`.

use std::path::Path;

use zenfloe_keyring::{KeyFileError, SealKeys, TokenKeys};
use zenfloe_process::{ExitCode, Failure};

use crate::args::Keys;

/// Runs the command.
pub(crate) fn keys(command: &Keys) -> Result<(), Failure> {
    match command {
        Keys::New { seal, token } => {
            new(seal, token)?;
            println!(
                "{}: seals raw records; extractor and transformer need it",
                seal.display()
            );
            println!("{}: makes tokens; the transformer alone needs it", token.display());
            println!("Keep copies where the warehouse's users cannot read them: without the seal key raw records");
            println!("cannot be opened, with another token key equal people get other tokens.");
            Ok(())
        }
    }
}

/// Makes both files, or says which of them is in the way.
pub(crate) fn new(seal: &Path, token: &Path) -> Result<(), Failure> {
    for path in [seal, token] {
        if path.exists() {
            let what = format!("`{}` exists already and is never replaced", path.display());
            return Err(Failure::new(ExitCode::Configuration, what).remedy("name other files with --seal and --token"));
        }
    }
    let failed = |error: KeyFileError| Failure::from_error(ExitCode::Configuration, &error);
    SealKeys::generate().write_new(seal).map_err(failed)?;
    TokenKeys::generate().write_new(token).map_err(failed)
}
