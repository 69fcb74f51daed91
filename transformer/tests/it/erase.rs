//! People who are erased: out of the clean topics, and away for ever, whatever comes or comes again.

use std::collections::BTreeMap;

use apache_avro::types::Value;
use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use zenfloe_keyring::{TokenKeys, Tokens};
use zenfloe_pii::TOKEN_CLASSES;
use zenfloe_record::{KnownKind, KnownValue, Owner};
use zenfloe_transformer::{Erase, ErasedCounts, From, Replay, ReplayProgress, erase, replay};

use crate::Site;
use crate::clean::Clean;
use crate::raw::{email, ticket, user};

const WHO: i64 = 3;

impl Site {
    /// What an extractor writes of a user.
    async fn make_known(&self, id: i64) {
        self.make_people().await;
        let second = format!("second.{}", email(id));
        let values = [
            (KnownKind::Name, format!("Qanary Zfc{id}")),
            (KnownKind::Email, email(id)),
            (KnownKind::Email, second),
        ];
        let known = |(kind, value)| KnownValue {
            of: Owner::User(id),
            kind,
            value,
        };
        self.write(values.map(|value| self.known(&known(value))).into()).await;
    }

    async fn erase(&self, what: &Erase) -> ErasedCounts {
        let done = erase(&self.parts(), what, CancellationToken::new()).await;
        let counts = done.expect("nothing is in the way");
        assert!(counts.is_complete);
        counts
    }

    async fn erase_user(&self) -> ErasedCounts {
        self.erase(&Erase {
            people: vec![WHO],
            ..Erase::default()
        })
        .await
    }

    async fn replay_all(&self) {
        let what = Replay {
            collections: Vec::new(),
            from: From::All,
            is_dry_run: false,
        };
        let done = replay(self.parts(), what, ReplayProgress::default(), CancellationToken::new()).await;
        assert!(done.expect("nothing is in the way").is_complete);
    }

    /// The user's tokens under every version.
    fn tokens(&self) -> Vec<String> {
        let keys = TokenKeys::load(&self.keys.path().join("token")).expect("just written");
        let all = Tokens::all(&keys, "acme", &TOKEN_CLASSES);
        let second = format!("second.{}", email(WHO));
        let of =
            |tokens: &Tokens| [email(WHO), second.clone()].map(|address| tokens.token("email", address.as_bytes()));
        all.iter().flat_map(of).collect()
    }

    /// What compaction keeps of the clean topics.
    async fn kept(&self) -> Vec<Clean> {
        let mut kept: BTreeMap<(String, Bytes), Clean> = BTreeMap::new();
        for clean in self.clean().await {
            kept.insert((clean.table.clone(), clean.kafka_key.clone()), clean);
        }
        kept.into_values().collect()
    }

    /// Claims that nobody reads of the user any more.
    async fn assert_gone(&self) {
        let tokens = self.tokens();
        for clean in self.kept().await {
            let text = String::from_utf8_lossy(&clean.value).into_owned();
            let left = tokens.iter().find(|token| text.contains(token.as_str()));
            assert_eq!(left, None, "{} {:?}", clean.table, clean.kafka_key);
            let is_own = clean.table == "users" && clean.row_key() == b"3";
            assert!(!is_own || self.shown(&clean, "name").is_none(), "the user's own row");
        }
    }

    fn shown(&self, clean: &Clean, column: &str) -> Option<String> {
        match self.fields(clean).remove(column).expect("a column") {
            Value::Union(_, value) => match *value {
                Value::String(text) => Some(text),
                _ => None,
            },
            other => panic!("no nullable column: {other:?}"),
        }
    }

    /// The subject of a ticket as it was written last.
    async fn subject(&self, key: &[u8]) -> Option<String> {
        let rows = self.rows_of("tickets").await;
        let last = rows.iter().rfind(|clean| clean.row_key() == key).expect("written");
        self.shown(last, "subject")
    }
}

async fn site() -> Site {
    let site = Site::new();
    site.make_raw().await;
    for id in 1..=5 {
        site.make_known(id).await;
    }
    site.page(1, 5).await;
    site.transform().await;
    site
}

#[tokio::test]
async fn what_is_there_is_cleaned_and_the_rest_stays() {
    let site = site().await;
    let before = site.clean().await.len();
    let counts = site.erase_user().await;
    assert_eq!((counts.subjects, counts.unknown, counts.values), (1, 0, 3));
    // Ticket 3, user 3 and both identities.
    assert_eq!(counts.rows, 4);
    assert_eq!(site.clean().await.len(), before + 4);
    site.assert_gone().await;
    assert_eq!(site.subject(b"3").await.as_deref(), Some("write to [erased] please"));
    assert!(
        site.subject(b"2")
            .await
            .expect("a subject")
            .starts_with("write to [email:k1_")
    );
    // A second time there is nothing to do but to say so.
    assert_eq!(site.erase_user().await.rows, 0);
    let people = site.records("acme.people").await;
    assert_eq!(people.iter().filter(|record| record.value.is_none()).count(), 3);
}

#[tokio::test]
async fn a_replay_from_the_beginning_brings_nobody_back() {
    let site = site().await;
    site.erase_user().await;
    site.replay_all().await;
    site.assert_gone().await;
}

#[tokio::test]
async fn what_others_write_of_the_person_later_is_erased_too() {
    let site = site().await;
    site.erase_user().await;
    let mut of_another = ticket(9, 1_700_000_900);
    of_another["subject"] = json!(format!(
        "ask QANARY ZFC3 or {}, call Qanary Zfc4",
        email(WHO).to_uppercase()
    ));
    of_another["recipient"] = json!(email(WHO));
    site.append(vec![
        site.record("tickets", 9_000, &of_another),
        site.record("users", 9_001, &user(WHO)),
    ])
    .await;
    site.transform().await;
    site.assert_gone().await;
    let subject = site.subject(b"9").await.expect("a subject");
    assert!(subject.starts_with("ask [erased] or [erased], call "), "{subject}");
}

#[tokio::test]
async fn an_import_of_old_records_brings_nobody_back() {
    let site = site().await;
    site.erase_user().await;
    let old = [
        site.record("users", 0, &user(WHO)),
        site.record("tickets", 0, &ticket(WHO, 1_600_000_000)),
    ];
    site.append(old.into()).await;
    site.transform().await;
    site.assert_gone().await;
}

#[tokio::test]
async fn a_key_that_is_rotated_afterwards_brings_nobody_back() {
    let site = site().await;
    site.erase_user().await;
    let path = site.keys.path().join("token");
    TokenKeys::rotate(&path).expect("begun");
    TokenKeys::switch(&path).expect("switched");
    // The new key makes a new revision, which a transformer puts in force.
    site.page(2, 5).await;
    site.transform().await;
    site.replay_all().await;
    assert!(site.tokens().iter().any(|token| token.starts_with("k2_")));
    site.assert_gone().await;
    assert!(site.subject(b"2").await.expect("a subject").contains("[email:k2_"));
    TokenKeys::retire(&path, 1).expect("nobody asks for the old one");
    site.page(3, 5).await;
    site.transform().await;
    site.assert_gone().await;
}

#[tokio::test]
async fn people_are_found_by_their_addresses_and_addresses_without_people_go_alone() {
    let site = site().await;
    let what = Erase {
        emails: vec![
            format!(" SECOND.{}", email(WHO)),
            "nobody@canary-mail.example".into(),
            "".into(),
        ],
        ..Erase::default()
    };
    let counts = site.erase(&what).await;
    assert_eq!(counts.subjects, 2);
    site.assert_gone().await;
    let mut mentions = ticket(8, 1_700_000_800);
    mentions["subject"] = json!("see nobody@canary-mail.example");
    site.append(vec![site.record("tickets", 9_000, &mentions)]).await;
    site.transform().await;
    assert_eq!(site.subject(b"8").await.as_deref(), Some("see [erased]"));
}

#[tokio::test]
async fn what_zendesk_deletes_for_good_is_erased_by_the_transformer() {
    let site = site().await;
    let gone = json!({"id": WHO, "active": false, "permanently_deleted": true, "updated_at": "2026-02-02T03:04:05Z"});
    let scrubbed = json!({
        "id": 4, "generated_timestamp": 1_700_000_999, "status": "deleted", "subject": "SCRUBBED",
        "updated_at": "2026-02-02T03:04:05Z",
    });
    site.append(vec![
        site.record("users", 9_000, &gone),
        site.record("tickets", 9_001, &scrubbed),
    ])
    .await;
    site.transform().await;
    site.assert_gone().await;
    let rules = site.records("acme.rules").await;
    for subject in ["erased/person/3", "erased/ticket/4"] {
        let entry = rules.iter().rfind(|record| record.key == subject).expect("entered");
        let value = String::from_utf8_lossy(entry.value.as_ref().expect("a value")).into_owned();
        assert!(
            value.contains(r#""state":"done""#) && !value.contains("canary"),
            "{value}"
        );
    }
    // What an import brings of the ticket afterwards is key and version alone.
    site.append(vec![site.record("tickets", 0, &ticket(4, 1_600_000_000))])
        .await;
    site.transform().await;
    assert_eq!(site.subject(b"4").await, None);
}

#[tokio::test]
async fn texts_of_the_person_stay_where_they_are_to_stay() {
    for keeps_texts in [false, true] {
        let site = site().await;
        let mut own = ticket(9, 1_700_000_900);
        own["submitter_id"] = json!(WHO);
        own["subject"] = json!("my printer burns");
        site.append(vec![site.record("tickets", 9_000, &own)]).await;
        site.transform().await;
        let what = Erase {
            people: vec![WHO],
            keeps_texts,
            ..Erase::default()
        };
        site.erase(&what).await;
        let expected = keeps_texts.then_some("my printer burns");
        assert_eq!(site.subject(b"9").await.as_deref(), expected);
    }
}
