//! The contract that every log passes.

use std::sync::Arc;

use tokio::task::JoinSet;
use zenfloe_log::contract::{Case, cases};

use crate::cluster::Cluster;

/// Cases side by side: most of their time is spent waiting.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept() {
    let cluster = Arc::new(Cluster::start().await);
    let (alone, together): (Vec<Case>, Vec<Case>) = cases().into_iter().partition(|case| case.restarts);
    let mut failed = Vec::new();
    let mut running = JoinSet::new();
    for case in together {
        while running.len() >= AT_ONCE {
            failed.extend(running.join_next().await.and_then(Result::err));
        }
        let cluster = cluster.clone();
        running.spawn(async move { case.run(&*cluster).await });
    }
    while let Some(ended) = running.join_next().await {
        failed.extend(ended.err());
    }
    assert!(failed.is_empty(), "{failed:#?}");
    for case in alone {
        case.run(&*cluster).await;
    }
}
