use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_registry::contract::{self, Subject};
use zenfloe_registry::{Class, FileRegistry, Registry, RegistryError};

struct File(PathBuf);

#[async_trait]
impl Subject for File {
    async fn open(&self) -> Arc<dyn Registry> {
        Arc::new(FileRegistry::open(&self.0).await.expect("it opens"))
    }

    async fn restart(&self) {}

    fn schemas(&self) -> Vec<String> {
        crate::product_schemas()
    }
}

struct Memory(FileRegistry);

#[async_trait]
impl Subject for Memory {
    async fn open(&self) -> Arc<dyn Registry> {
        Arc::new(self.0.clone())
    }

    async fn restart(&self) {}

    fn schemas(&self) -> Vec<String> {
        crate::product_schemas()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    contract::all(&File(folder.path().join("new/log.sqlite"))).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract::all(&Memory(FileRegistry::in_memory().expect("it opens"))).await;
}

#[tokio::test]
async fn a_damaged_file_is_told_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    std::fs::write(&path, vec![7; 10_000]).expect("written");
    let error = FileRegistry::open(&path).await.err().expect("it is none");
    assert!(matches!(error, RegistryError::Broken { .. }), "{error}");
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("log.sqlite"), "{error}");
}

#[tokio::test]
async fn an_incompatible_schema_is_told_by_its_field() {
    let registry = FileRegistry::in_memory().expect("it opens");
    let schema =
        |kind: &str| format!(r#"{{"type":"record","name":"r","fields":[{{"name":"amount","type":"{kind}"}}]}}"#);
    registry.register("s", &schema("long")).await.expect("the first one");
    let error = registry
        .register("s", &schema("boolean"))
        .await
        .expect_err("it cannot read it")
        .to_string();
    assert!(error.contains("version 1") && error.contains("amount"), "{error}");
}
