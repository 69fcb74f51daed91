use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use zenfloe_harness as harness;
use zenfloe_registry::contract::{self, Subject};
use zenfloe_registry::{Class, Config, HttpRegistry, Registry, RegistryError};

const SCHEMA: &str = r#"{"type":"record","name":"r","fields":[{"name":"id","type":"long"}]}"#;

struct Http {
    url: String,
    server: Mutex<harness::Registry>,
}

#[async_trait]
impl Subject for Http {
    async fn open(&self) -> Arc<dyn Registry> {
        open(&self.url)
    }

    // In good order: killed, this registry's store forgets what it confirmed in the last half second.
    async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.stop().await.expect("it stops");
        server.restart().await.expect("it starts again");
    }

    fn schemas(&self) -> Vec<String> {
        crate::product_schemas()
    }
}

fn open(url: &str) -> Arc<dyn Registry> {
    Arc::new(HttpRegistry::new(&Config::new(url)).expect("a client"))
}

async fn start() -> Http {
    let server = harness::Registry::start().await.expect("a registry");
    Http {
        url: server.url.clone(),
        server: Mutex::new(server),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_registry_keeps_the_contract() {
    let http = start().await;
    contract::all(&http).await;

    // A subject that was checked by nobody is checked from the first registration on.
    let server = http.server.lock().await;
    server.set_compatibility("NONE").await.expect("set");
    let registry = open(&http.url);
    registry.register("lax-value", SCHEMA).await.expect("registered");
    let error = registry
        .register("lax-value", &SCHEMA.replace("long", "string"))
        .await
        .expect_err("refused");
    assert!(matches!(error, RegistryError::Incompatible { .. }), "{error}");
    drop(server);

    away(&http).await;
}

/// A registry that is away is waited for, and what is known needs no asking.
async fn away(http: &Http) {
    let knowing = open(&http.url);
    let id = knowing.register("away-value", SCHEMA).await.expect("registered");
    knowing.schema(id).await.expect("known");
    http.server.lock().await.stop().await.expect("it stops");
    assert_eq!(knowing.register("away-value", SCHEMA).await.expect("remembered"), id);
    knowing.schema(id).await.expect("remembered");
    for error in [
        knowing.ping().await.expect_err("it is away"),
        knowing
            .register("other-value", SCHEMA)
            .await
            .map(drop)
            .expect_err("it is away"),
        open(&http.url).schema(id).await.map(drop).expect_err("it is away"),
    ] {
        assert_eq!(error.class(), Class::Retry, "{error}");
        assert!(error.to_string().contains("127.0.0.1"), "it says where: {error}");
    }
    http.server.lock().await.restart().await.expect("it starts again");
    assert_eq!(open(&http.url).register("away-value", SCHEMA).await.expect("found"), id);
}

/// What stands before a registry in the tests of sign-in: it answers as told.
#[derive(Clone)]
struct Gate {
    /// `None` lets everybody in.
    authorization: Option<String>,
    /// May levels be set?
    levels: bool,
    status: StatusCode,
}

impl Gate {
    async fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let answer = move |method, uri, headers| std::future::ready(self.answer(&method, &uri, &headers));
        let app = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}/behind/a/path")
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> impl IntoResponse + use<> {
        let said = headers.get("authorization").and_then(|value| value.to_str().ok());
        if self.authorization.is_some() && self.authorization.as_deref() != said {
            return (StatusCode::UNAUTHORIZED, "<html>who are you?</html>".to_owned());
        }
        if self.status != StatusCode::OK {
            return (self.status, r#"{"error_code":1,"message":"as told"}"#.to_owned());
        }
        match (method.as_str(), uri.path()) {
            ("GET", "/behind/a/path/schemas/types") => (StatusCode::OK, r#"["AVRO"]"#.to_owned()),
            ("GET", "/behind/a/path/config/s") => (StatusCode::OK, r#"{"compatibilityLevel":"BACKWARD"}"#.to_owned()),
            ("PUT", "/behind/a/path/config/s") if self.levels => (StatusCode::OK, "{}".to_owned()),
            ("PUT", "/behind/a/path/config/s") => (StatusCode::FORBIDDEN, r#"{"message":"read only"}"#.to_owned()),
            ("POST", "/behind/a/path/subjects/s/versions") => (StatusCode::OK, r#"{"id":7}"#.to_owned()),
            _ => (StatusCode::NOT_FOUND, String::new()),
        }
    }
}

fn gate() -> Gate {
    Gate {
        authorization: None,
        levels: true,
        status: StatusCode::OK,
    }
}

#[tokio::test]
async fn the_path_is_kept_and_the_password_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "s3cret\n").expect("written");
    let encoded = data_encoding::BASE64.encode(b"key:s3cret");
    let url = Gate {
        authorization: Some(format!("Basic {encoded}")),
        ..gate()
    }
    .serve()
    .await;
    let config = Config {
        user: Some("key".into()),
        password_file: Some(file.clone()),
        ..Config::new(format!("{url}/"))
    };
    let registry = HttpRegistry::new(&config).expect("a client");
    registry.ping().await.expect("signed in");
    assert_eq!(registry.register("s", SCHEMA).await.expect("registered"), 7);

    std::fs::write(&file, "wrong").expect("written");
    let wrong = HttpRegistry::new(&config).expect("a client");
    for error in [
        wrong.ping().await.expect_err("refused"),
        wrong.register("s", SCHEMA).await.map(drop).expect_err("refused"),
        wrong.schema(7).await.map(drop).expect_err("refused"),
    ] {
        assert!(matches!(error, RegistryError::Forbidden { .. }), "{error}");
        assert!(!error.to_string().contains("wrong"), "no password in {error}");
    }
}

#[tokio::test]
async fn a_level_that_may_not_be_set_is_told() {
    let url = Gate {
        levels: false,
        ..gate()
    }
    .serve()
    .await;
    let error = open(&url).register("s", SCHEMA).await.expect_err("checked too loosely");
    assert_eq!(error.class(), Class::Stop);
    let said = error.to_string();
    assert!(said.contains("`BACKWARD`") && said.contains("read only"), "{said}");
}

#[tokio::test]
async fn a_registry_in_trouble_is_waited_for() {
    for status in [500, 502, 503, 504, 429] {
        let status = StatusCode::from_u16(status).expect("a status");
        let url = Gate { status, ..gate() }.serve().await;
        let registry = open(&url);
        for error in [
            registry.ping().await.expect_err("in trouble"),
            registry.register("s", SCHEMA).await.map(drop).expect_err("in trouble"),
            registry.schema(7).await.map(drop).expect_err("in trouble"),
        ] {
            assert_eq!(error.class(), Class::Retry, "{status}: {error}");
        }
    }
}

#[tokio::test]
async fn what_is_no_registry_is_told() {
    let url = gate().serve().await;
    let error = open(&url.replace("/behind", ""))
        .ping()
        .await
        .expect_err("the wrong path");
    assert!(matches!(error, RegistryError::Broken { .. }), "{error}");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let config = Config {
        timeout: Duration::from_millis(300),
        ..Config::new(format!("http://{}", silent.local_addr().expect("an address")))
    };
    let error = HttpRegistry::new(&config)
        .expect("a client")
        .ping()
        .await
        .expect_err("nobody answers");
    assert_eq!(error.class(), Class::Retry, "{error}");
}
