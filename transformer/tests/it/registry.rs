//! A registry in memory that can be away.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use zenfloe_registry::{Registry, RegistryError};

#[derive(Default)]
pub(crate) struct BookRegistry {
    schemas: Mutex<Vec<(String, Arc<str>)>>,
    /// Calls that still fail.
    pub(crate) failures: AtomicU32,
    /// Refuses every schema.
    pub(crate) is_strict: std::sync::atomic::AtomicBool,
}

impl BookRegistry {
    /// Subject and schema of an id.
    pub(crate) fn entry(&self, id: u32) -> (String, Arc<str>) {
        self.schemas.lock().expect("not poisoned")[id as usize - 1].clone()
    }

    fn answer(&self) -> Result<(), RegistryError> {
        let left = self.failures.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(());
        }
        self.failures.store(left - 1, Ordering::Relaxed);
        Err(RegistryError::Away {
            what: "connection refused".into(),
        })
    }
}

#[async_trait]
impl Registry for BookRegistry {
    async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        self.answer()?;
        if self.is_strict.load(Ordering::Relaxed) {
            return Err(RegistryError::Incompatible {
                subject: subject.into(),
                why: "field `x`".into(),
            });
        }
        let mut schemas = self.schemas.lock().expect("not poisoned");
        let entry = (subject.to_owned(), Arc::from(schema));
        let known = schemas.iter().position(|held| *held == entry);
        let index = known.unwrap_or_else(|| {
            schemas.push(entry);
            schemas.len() - 1
        });
        Ok(u32::try_from(index + 1).expect("few schemas"))
    }

    async fn schema(&self, id: u32) -> Result<Arc<str>, RegistryError> {
        self.answer()?;
        Ok(self.entry(id).1)
    }

    async fn ping(&self) -> Result<(), RegistryError> {
        self.answer()
    }
}
