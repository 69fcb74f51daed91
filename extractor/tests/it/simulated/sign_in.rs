//! Credentials: right ones, wrong ones, and ones that expire.

use zendesk_sim::{Credentials, Limits, Plan, SimConfig};
use zenfloe_catalog::Catalog;
use zenfloe_extractor::{StageError, check, selected};
use zenfloe_zendesk::Auth;

use super::{Desk, SPEED, fast, still};

fn refused(desk: &Desk) -> usize {
    let requests = desk.simulator.requests();
    requests.iter().filter(|request| request.status == 401).count()
}

#[tokio::test]
async fn tokens_are_renewed_before_they_expire() {
    let config = SimConfig {
        limits: Limits::of(Plan::Team),
        credentials: Credentials {
            access_seconds: 300,
            ..Credentials::default()
        },
        ..fast(1_100, 81, 120.0)
    };
    let mut desk = Desk::start(config, 120.0);
    desk.page = 20;
    desk.bench.config.collections.only.insert("tickets".into());
    desk.try_pass(desk.oauth()).await.expect("a pass");
    let requests = desk.simulator.requests();
    let took = (requests[requests.len() - 1].at_ms - requests[0].at_ms) / 1_000;
    let tokens = requests
        .iter()
        .filter(|request| request.path.contains("oauth/tokens"))
        .count();
    assert!(tokens >= 2, "{tokens} tokens in {took} s");
    assert_eq!(refused(&desk), 0, "none was used to its end");
    desk.prove_exactly_once().await;
}

#[tokio::test]
async fn a_token_that_is_withdrawn_is_replaced_and_the_page_asked_for_again() {
    let mut desk = Desk::start(still(600, 82), SPEED);
    desk.page = 50;
    let line = desk.line(desk.oauth());
    desk.bench.once(line.clone()).await.expect("a pass");
    desk.simulator.revoke_access_tokens();
    desk.change(100, 82);
    for _ in 0..2 {
        desk.bench.once(line.clone()).await.expect("a pass");
    }
    // Requests that were under way together with the first one.
    assert!((1..=8).contains(&refused(&desk)), "{}", refused(&desk));
    desk.prove_complete().await;
}

#[tokio::test]
async fn wrong_credentials_stop_with_nothing_lost() {
    let desk = Desk::start(still(100, 83), SPEED);
    let wrong = [
        Auth::ApiToken {
            email: "nobody@desk.example".into(),
            token: desk.secret(Credentials::TOKEN),
        },
        Auth::OauthClient {
            client_id: "nobody".into(),
            client_secret: desk.secret(Credentials::CLIENT_SECRET),
            scope: "read".into(),
        },
    ];
    for auth in wrong {
        let error = desk.try_pass(auth).await.expect_err("a person is needed");
        assert!(matches!(error, StageError::Source(_)), "{error}");
    }
    desk.pass().await;
    desk.prove_complete().await;
}

#[tokio::test]
async fn a_check_says_who_we_are_and_what_may_be_read() {
    let desk = Desk::start(still(50, 84), SPEED);
    let collections = selected(Catalog::builtin(), &desk.bench.config).expect("known names");
    for auth in [desk.api_token(), desk.oauth()] {
        let findings = check(&*desk.line(auth), &collections).await;
        assert!(findings.iter().all(|finding| finding.is_good()), "{findings:?}");
        assert_eq!(
            findings.len(),
            1 + collections.len(),
            "one of ourselves, one of each collection"
        );
    }
    let wrong = Auth::ApiToken {
        email: "nobody@desk.example".into(),
        token: desk.secret(Credentials::TOKEN),
    };
    let findings = check(&*desk.line(wrong), &collections).await;
    assert_eq!(
        findings.len(),
        1,
        "without credentials nothing else can be told: {findings:?}"
    );
    assert!(!findings[0].is_good());
}
