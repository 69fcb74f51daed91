//! TLS, with `openssl` as the server: it serves files, which is enough to answer a ping.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use zenfloe_registry::{Class, Config, HttpRegistry, Registry, RegistryError};

/// A server that ends with its handle.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder);
    command
}

/// Serves `folder` with a certificate of its own for 127.0.0.1, `server.pem`.
fn serve(folder: &Path) -> Server {
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 10 -subj /CN=localhost \
                -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.pem";
    let made = openssl(folder, make)
        .output()
        .expect("openssl is installed (Debian: apt-get install openssl)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut child = openssl(
        folder,
        "s_server -accept 127.0.0.1:0 -cert server.pem -key server.key -WWW",
    )
    .stdin(Stdio::null())
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    let port = lines.find_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.trim().parse().ok());
    std::thread::spawn(move || lines.for_each(drop)); // a full pipe would stop it
    Server {
        child,
        port: port.expect("it says where it listens"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_trusted_certificate_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("path/schemas")).expect("a folder");
    std::fs::write(folder.path().join("path/schemas/types"), r#"["JSON","AVRO"]"#).expect("written");
    let server = serve(folder.path());
    let mut config = Config::new(format!("https://127.0.0.1:{}/path", server.port));
    let error = HttpRegistry::new(&config)
        .expect("a client")
        .ping()
        .await
        .expect_err("not trusted");
    assert!(matches!(error, RegistryError::Broken { .. }), "{error}");
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("certificate"), "{error}");

    config.ca_file = Some(folder.path().join("server.pem"));
    HttpRegistry::new(&config)
        .expect("a client")
        .ping()
        .await
        .expect("trusted");
}
