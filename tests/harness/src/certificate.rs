//! A certificate authority and a server certificate for this machine, made by `openssl`.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::system;

/// PEM files of a throw-away authority and of a server that it vouches for as `localhost` and
/// `127.0.0.1`.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// The authority's certificate, which clients trust.
    pub(crate) authority: PathBuf,
    /// The server's certificate.
    pub(crate) server: PathBuf,
    /// The server's private key, PKCS 8, not encrypted.
    pub(crate) key: PathBuf,
}

const SETTINGS: &str = "\
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
";

impl Certificate {
    /// Makes the files in `folder`. They are valid for ten days.
    pub(crate) fn make(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io("creating a folder for certificates"))?;
        std::fs::write(folder.join("settings"), SETTINGS).map_err(Error::io("writing settings of openssl"))?;
        let openssl = |arguments: &str| {
            let mut command = system::OPENSSL.command(&|line| eprintln!("{line}"))?;
            command.args(arguments.split(' ')).current_dir(folder);
            system::run(&mut command).map(drop)
        };
        let new_key = "-config settings -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(&format!(
            "req -x509 {new_key} -extensions authority -subj /CN=zenfloe-test-authority -days 10 \
             -keyout authority.key -out authority.pem"
        ))?;
        openssl(&format!("req -new {new_key} -keyout server.key -out server.csr"))?;
        openssl(
            "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 10 \
             -extfile settings -extensions server -out server.pem",
        )?;
        Ok(Self {
            authority: folder.join("authority.pem"),
            server: folder.join("server.pem"),
            key: folder.join("server.key"),
        })
    }
}
