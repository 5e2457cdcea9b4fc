//! Ids of attribute lists: one meaning each, for ever.

use api::ErrorKind;

use super::faults::Disks;
use super::*;
use crate::attribute_lists::{Demand, FIRST_ID, Names, PASSING_IDS};

fn names(text: &str) -> Names {
    text.split(' ').map(str::to_owned).collect()
}

async fn define(store: &Embedded, text: &str) -> u64 {
    store.define_attribute_list(&cx(), names(text), Demand::Client).await.unwrap()
}

#[test]
fn an_id_of_an_attribute_list_outlives_every_crash() {
    let disks = Disks::new();
    run(async {
        for round in 0..3 {
            let store = disks.open();
            for at in 0..round {
                assert_eq!(store.attribute_lists().names(FIRST_ID + at), Some(names(&format!("a{at} b"))));
            }
            assert_eq!(define(&store, &format!("a{round} b")).await, FIRST_ID + round);
            assert_eq!(define(&store, "a0 b").await, FIRST_ID);
            if round == 1 {
                store.close().await.unwrap();
            }
            drop(store);
            disks.crash();
        }
    });
}

#[test]
fn those_who_ask_at_once_get_one_id() {
    run(async {
        let store = store();
        let (one, same, other) =
            tokio::join!(define(&store, "a b"), define(&store, "a b"), define(&store, "b a"));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(store.attribute_lists().len(), 2);
    });
}

#[test]
fn a_stretch_of_passing_ids_is_given_once() {
    let disks = Disks::new();
    run(async {
        let mut next = None;
        for _ in 0..3 {
            let store = disks.open();
            for _ in 0..2 {
                let first = store.take_passing_ids(&cx()).await.unwrap();
                assert!(next.is_none_or(|next| next == first) && first > u64::from(u32::MAX));
                next = Some(first + PASSING_IDS);
            }
            drop(store);
            disks.crash();
        }
    });
}

#[test]
fn names_that_no_item_can_have_are_refused() {
    run(async {
        let store = store();
        let long = "n".repeat(65_536);
        for bad in [Names::default(), names("a  b"), vec![long].into(), vec!["n".repeat(60_000); 7].into()] {
            let refused = store.define_attribute_list(&cx(), bad, Demand::Client).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::ValidationException);
        }
        assert!(store.attribute_lists().is_empty());
    });
}
