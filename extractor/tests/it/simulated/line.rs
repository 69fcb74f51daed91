//! The line to Zendesk: small pages, and a place where the process dies.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use zenfloe_catalog::Collection;
use zenfloe_zendesk::{Client, Identity, Page, Place, Source, SourceError, Vault};

/// When a request is the last one of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// It is never sent.
    BeforeTheRequest,
    /// Its answer arrives and is lost.
    BehindTheAnswer,
}

pub(crate) struct Line {
    client: Client,
    page: u32,
    /// Requests that are still answered, and how the one after them ends.
    life: Mutex<Option<(u32, Death)>>,
    /// Told when the process has died.
    pub(crate) died: Notify,
}

impl Line {
    pub(crate) fn new(client: Client, page: u32) -> Self {
        Self {
            client,
            page,
            life: Mutex::default(),
            died: Notify::new(),
        }
    }

    /// Lets the process die behind so many pages.
    pub(crate) fn dies_after(&self, pages: u32, death: Death) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Some((pages, death));
    }

    /// How this request ends the process, if it does.
    fn death(&self) -> Option<Death> {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, death) = life.as_mut()?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        Some(*death)
    }

    async fn die(&self) -> ! {
        self.died.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Source for Line {
    async fn page(&self, collection: &Collection, after: &Place) -> Result<Page, SourceError> {
        let death = self.death();
        if death == Some(Death::BeforeTheRequest) {
            self.die().await
        }
        let mut small = collection.clone();
        small.endpoint.page_size = small.endpoint.page_size.min(self.page);
        let answer = self.client.page(&small, after).await;
        if death.is_some() {
            self.die().await
        }
        answer
    }

    async fn probe(&self, collection: &Collection) -> Result<(), SourceError> {
        self.client.probe(collection).await
    }

    async fn identity(&self) -> Result<Identity, SourceError> {
        self.client.identity().await
    }

    async fn entrust(&self, vault: Option<Arc<dyn Vault>>, kept: Option<Vec<u8>>) {
        self.client.entrust(vault, kept).await;
    }

    async fn settle(&self) {
        self.client.settle().await;
    }
}
