//! Processes that die at every boundary of a page.

use zendesk_sim::Op;

use super::line::Death;
use super::{Desk, SPEED, still};

/// Lets processes die until one comes to the end; returns how many died.
async fn die_until_done(desk: &Desk, rng: &mut fastrand::Rng, changes: usize) -> u32 {
    for deaths in 0.. {
        let line = desk.line(desk.api_token());
        let death = if rng.bool() {
            Death::BeforeTheRequest
        } else {
            Death::BehindTheAnswer
        };
        // Each life may be longer than those before, because a pass over everything must fit into the last one.
        line.dies_after(rng.u32(1..6 + 2 * deaths), death);
        let is_done = tokio::select! {
            ended = desk.bench.once(line.clone()) => { ended.expect("nothing fails but the process"); true }
            () = line.died.notified() => false,
        };
        if is_done {
            return deaths;
        }
        if changes > 0 {
            desk.change(changes, rng.u64(..));
        }
    }
    unreachable!("the loop has no end of its own")
}

#[tokio::test]
async fn deaths_at_page_boundaries_lose_and_double_nothing() {
    for seed in 1..=4 {
        let mut desk = Desk::start(still(700, seed), SPEED);
        desk.page = 50;
        let mut rng = fastrand::Rng::with_seed(seed);
        let deaths = die_until_done(&desk, &mut rng, 0).await;
        assert!(deaths >= 3, "seed {seed}: {deaths} deaths");
        desk.prove_complete().await;
    }
}

#[tokio::test]
async fn deaths_while_the_account_changes_lose_and_double_nothing() {
    for seed in 11..=14 {
        let mut desk = Desk::start(still(300, seed), SPEED);
        desk.page = 50;
        let mut rng = fastrand::Rng::with_seed(seed);
        let deaths = die_until_done(&desk, &mut rng, 15).await;
        assert!(deaths >= 3, "seed {seed}: {deaths} deaths");
        desk.prove_exactly_once().await;
        for _ in 0..2 {
            desk.pass().await;
        }
        desk.prove_complete().await;
    }
}

#[tokio::test]
async fn a_long_history_changes_while_it_is_filled() {
    let mut desk = Desk::start(still(600, 21), SPEED);
    desk.page = 50;
    let mut rng = fastrand::Rng::with_seed(21);
    for _ in 0..12 {
        let line = desk.line(desk.api_token());
        line.dies_after(rng.u32(2..9), Death::BehindTheAnswer);
        tokio::select! {
            ended = desk.bench.once(line.clone()) => { ended.expect("nothing fails but the process"); }
            () = line.died.notified() => {}
        }
        let ids: Vec<i64> = desk
            .simulator
            .records(zendesk_sim::Collection::Tickets)
            .map(|truth| truth.id)
            .collect();
        for id in rng.choose_multiple(ids, 10) {
            // What is deleted cannot be updated; what is scrubbed moves all the same.
            let _ = desk.simulator.apply(Op::SystemUpdate { id });
        }
        desk.settle();
    }
    for _ in 0..2 {
        desk.pass().await;
    }
    desk.prove_complete().await;
}
