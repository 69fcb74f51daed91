//! The numbers of transform configurations.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_transformer::{Class, StageError, run};

use crate::raw::user;
use crate::{Site, caught_up};

impl Site {
    /// The revisions of a user's rows in the order in which they were written.
    async fn revisions(&self) -> Vec<i32> {
        let rows = self.rows_of("users").await.into_iter();
        rows.filter(|row| row.row_key() == b"1")
            .map(|row| row.version.revision)
            .collect()
    }

    async fn another_user(&self, extracted_at: i64) {
        let page = vec![self.record("users", extracted_at, &user(1))];
        self.append(page).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_has_the_next_number_and_a_return_as_well() {
    let mut site = Site::new();
    site.make_raw().await;
    let first = site.config.clone();
    for (round, exclude) in [None, None, Some("users.notes"), Some("users.notes"), None]
        .into_iter()
        .enumerate()
    {
        site.config = first.clone();
        site.config.exclude.extend(exclude.map(str::to_owned));
        site.another_user(round as i64 + 1).await;
        site.transform().await;
    }
    assert_eq!(site.revisions().await, [1, 1, 2, 2, 3]);
    assert_eq!(site.progress.snapshot().revision, 3);
}

#[tokio::test(start_paused = true)]
async fn settings_that_change_no_row_have_no_number() {
    let mut site = Site::new();
    site.make_raw().await;
    site.another_user(1).await;
    site.transform().await;
    site.config.batch_records = 1;
    site.config.linger = Duration::from_secs(1);
    // Processes of one source may read different topics; they agree on the number all the same.
    site.collections.retain(|collection| collection.name == "users");
    site.another_user(2).await;
    site.transform().await;
    assert_eq!(site.revisions().await, [1, 1]);
    site.config.regions = vec!["US".into()];
    site.another_user(3).await;
    site.transform().await;
    assert_eq!(site.revisions().await, [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn an_older_configuration_stops_when_a_newer_one_has_come() {
    let mut site = Site::new();
    site.make_raw().await;
    let older = run(
        site.parts_over(site.log.clone(), "t0", CancellationToken::new()),
        CancellationToken::new(),
    );
    site.config.exclude.insert("users.notes".into());
    let newer = run(
        site.parts_over(site.log.clone(), "t1", caught_up()),
        CancellationToken::new(),
    );
    let newer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        newer.await
    };
    let (older, newer) = tokio::join!(older, newer);
    assert!(newer.expect("the newest").is_complete);
    let error = older.expect_err("no longer the newest");
    assert!(
        matches!(
            error,
            StageError::NotNewest {
                ours: Some(1),
                newest: 2,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.class(), Class::Configuration);
}

#[tokio::test(start_paused = true)]
async fn two_that_start_at_once_agree_on_one_number() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 5).await;
    let member = |name| {
        run(
            site.parts_over(site.log.clone(), name, caught_up()),
            CancellationToken::new(),
        )
    };
    let (a, b, c) = tokio::join!(member("a"), member("b"), member("c"));
    for ended in [a, b, c] {
        assert!(ended.expect("no error").is_complete);
    }
    assert!(site.clean().await.iter().all(|row| row.version.revision == 1));
    site.assert_exactly_once().await;
}
