//! The destination contract over fakesnow as it is published and over a front that adds what it lacks; what the
//! protocol may do to a loader; what the road may do; three loaders over one topic.

mod bench;
mod loss;
mod protocol;
mod refusal;
mod statements;
mod store;

use std::time::Duration;

use snowflake_sim::{Fault, Front};
use store::{Store, settings};
use zenfloe_destination::contract;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_on_fakesnow_as_it_is_published() {
    let store = Store::published().await;
    contract::all(&store).await;
}

/// Statuses, lost replies, expired tokens and answers that say "not yet" must not be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_behind_the_front_in_bad_weather() {
    let store = Store::fronted(settings()).await;
    let (blowing, contract) = (weather(store.front(), 7), contract::all(&store));
    tokio::select! {
        () = blowing => unreachable!("the weather has no end"),
        () = contract => {}
    }
    println!("{} requests came twice and ran once", store.front().repeated());
}

/// Waits until the front has been asked for so many more statements. By the clock, a slow machine had more bad weather.
pub(crate) async fn pass(front: &Front, statements: u64) {
    let until = front.asked() + statements;
    while front.asked() < until {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn weather(front: &Front, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    loop {
        let (part, fault) = match rng.u8(0..6) {
            0 => ("COMMIT", Fault::LostReply),
            1 => ("", Fault::Status(503, None)),
            2 => ("UPDATE", Fault::Status(429, Some(0))),
            3 => ("", Fault::Expired),
            4 => ("SELECT", Fault::Slow(rng.u32(1..3))),
            _ => ("INSERT", Fault::LostReply),
        };
        front.fail(part, fault, rng.u32(0..5), 1);
        pass(front, rng.u64(4..26)).await;
    }
}
