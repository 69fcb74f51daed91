//! `zenfloe keys`.

use std::path::Path;

use zenfloe_keyring::{KeyFileError, KeyInfo, KeyState, SealKeys, TokenKeys};
use zenfloe_process::{ExitCode, Failure};
use zenfloe_record::SourceName;

use crate::args::{Keys, WithConfig};
use crate::config::Config;

/// Runs the command; no key is ever printed.
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
        Keys::Rotate {
            config,
            seal,
            switch,
            source,
        } => match (seal, switch) {
            (true, _) => rotate_seal(config, source.as_deref()),
            (false, true) => switch_token(config),
            (false, false) => rotate_token(config),
        },
        Keys::Retire {
            config,
            seal,
            version,
            destroys,
        } => match seal {
            true => destroy(config, *version, *destroys),
            false => retire(config, *version),
        },
        Keys::Show { config } => show(config),
    }
}

fn failed(error: &KeyFileError) -> Failure {
    Failure::from_error(ExitCode::Configuration, error)
}

/// Makes both files, or says which of them is in the way.
pub(crate) fn new(seal: &Path, token: &Path) -> Result<(), Failure> {
    for path in [seal, token] {
        if path.exists() {
            let what = format!("`{}` exists already and is never replaced", path.display());
            return Err(Failure::new(ExitCode::Configuration, what).remedy("name other files with --seal and --token"));
        }
    }
    SealKeys::generate().write_new(seal).map_err(|error| failed(&error))?;
    TokenKeys::generate().write_new(token).map_err(|error| failed(&error))
}

fn rotate_seal(config: &WithConfig, source: Option<&str>) -> Result<(), Failure> {
    let config = Config::load(&config.config)?;
    let source: Option<SourceName> = match source {
        Some(name) => Some(config.source(Some(name))?.0.clone()),
        None => None,
    };
    let version = SealKeys::rotate(&config.keys.seal, source.as_ref()).map_err(|error| failed(&error))?;
    let whose = source.map_or_else(|| "of every source".to_owned(), |source| format!("of `{source}`"));
    println!(
        "version {version} seals what is written {whose} from now on, once extractor and transformer have the file"
    );
    println!("and are started anew; what was sealed before still opens");
    Ok(())
}

fn rotate_token(config: &WithConfig) -> Result<(), Failure> {
    let config = Config::load(&config.config)?;
    let version = TokenKeys::rotate(&config.keys.token).map_err(|error| failed(&error))?;
    println!("version {version} is in the file and makes nothing yet");
    println!("`zenfloe keys rotate --switch` puts it in use; every transformer of the source needs the file then");
    Ok(())
}

fn switch_token(config: &WithConfig) -> Result<(), Failure> {
    let config = Config::load(&config.config)?;
    let version = TokenKeys::switch(&config.keys.token).map_err(|error| failed(&error))?;
    println!("version {version} makes all tokens from now on, once the transformers are started anew");
    println!(
        "`zenfloe replay --all` makes those of rows anew whose raw records are kept, `zenfloe resync` those of older ones"
    );
    Ok(())
}

fn retire(config: &WithConfig, version: u16) -> Result<(), Failure> {
    let config = Config::load(&config.config)?;
    TokenKeys::retire(&config.keys.token, version).map_err(|error| failed(&error))?;
    println!("version {version} is out of the file; erased people are still recognised");
    Ok(())
}

fn destroy(config: &WithConfig, version: u16, is_meant: bool) -> Result<(), Failure> {
    if !is_meant {
        let what =
            format!("without version {version} every raw record, dead letter and person sealed under it is lost");
        return Err(Failure::new(ExitCode::Usage, what).remedy("say --yes if that is meant"));
    }
    let config = Config::load(&config.config)?;
    SealKeys::destroy(&config.keys.seal, version).map_err(|error| failed(&error))?;
    println!(
        "version {version} is destroyed in `{}`; destroy its copies too",
        config.keys.seal.display()
    );
    println!("what was sealed under it is unreadable; a replay makes dead letters of it");
    Ok(())
}

fn show(config: &WithConfig) -> Result<(), Failure> {
    let config = Config::load(&config.config)?;
    let seal = SealKeys::load(&config.keys.seal).map_err(|error| failed(&error))?;
    let token = TokenKeys::load(&config.keys.token).map_err(|error| failed(&error))?;
    for (what, path, infos) in [
        ("seal", &config.keys.seal, seal.infos()),
        ("token", &config.keys.token, token.infos()),
    ] {
        println!("{what} keys ({})", path.display());
        infos.iter().for_each(|info| println!("  {}", line(info)));
    }
    Ok(())
}

fn line(info: &KeyInfo) -> String {
    let state = match info.state {
        KeyState::InUse => "in use",
        KeyState::Next => "next",
        KeyState::Kept => "kept",
        KeyState::Destroyed => "destroyed",
    };
    let check = info.check.as_deref().unwrap_or("-");
    let source = info
        .source
        .as_ref()
        .map_or(String::new(), |source| format!("  of `{source}` alone"));
    format!("version {:<4} {state:<10} check {check}{source}", info.version)
}
