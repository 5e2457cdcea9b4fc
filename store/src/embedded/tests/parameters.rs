//! Parameters of the whole group: durable, the same on every member, and set only where every member can read them.

use raft::Bootstrap;

use super::group::{Group, eventually};
use super::*;
use crate::command::{FIRST_LEVEL, SEMANTICS_LEVEL};
use crate::parameters::{Parameter, ParameterError, TTL_MILLIS_MAX};

const QUERY: Parameter = Parameter::QueryTtlMillis;
const RECORD: Parameter = Parameter::RecordTtlMillis;

fn value(store: &Embedded, parameter: Parameter) -> Option<u64> {
    store.parameters().borrow().get(parameter)
}

#[test]
fn a_parameter_is_what_was_set_last_and_nothing_where_it_was_unset() {
    run(async {
        let store = store();
        assert_eq!(value(&store, QUERY), None);
        for set in [Some(0), Some(TTL_MILLIS_MAX), None, Some(7)] {
            store.set_parameter(&cx(), QUERY, set).await.unwrap();
            assert_eq!((value(&store, QUERY), value(&store, RECORD)), (set, None));
        }
        let refused = store.set_parameter(&cx(), QUERY, Some(TTL_MILLIS_MAX + 1)).await.unwrap_err();
        assert!(matches!(refused, ParameterError::OutOfBounds { .. }), "{refused}");
        assert_eq!(value(&store, QUERY), Some(7));
    });
}

#[test]
fn parameters_reach_every_member_by_the_log_by_a_state_and_over_a_restart() {
    run(async {
        let mut group = Group::of(3).await;
        let set = async |group: &Group, parameter, value| {
            eventually("it is set", async || {
                group.primary().await.set_parameter(&cx(), parameter, value).await.ok()
            })
            .await;
        };
        set(&group, QUERY, Some(0)).await;
        for id in [1, 2, 3] {
            group.agrees(id).await;
            assert_eq!(value(&group.store(id), QUERY), Some(0), "node {id}");
        }
        // One that was away for longer than the log is kept has it from the state.
        let away = Group::forget_for(&mut group).await;
        set(&group, QUERY, None).await;
        set(&group, RECORD, Some(1_234)).await;
        group.open(away, Bootstrap::Join);
        group.agrees(away).await;
        assert_eq!(
            (value(&group.store(away), QUERY), value(&group.store(away), RECORD)),
            (None, Some(1_234))
        );
        group.flush(away).await;
        group.kill(away).await;
        group.open(away, Bootstrap::Join);
        assert_eq!(value(&group.store(away), RECORD), Some(1_234));
        group.agrees(away).await;
        assert_eq!(group.digest(away), group.digest(group.primary_id().await));
        group.stop().await;
    });
}

#[test]
fn while_a_member_could_not_read_it_no_parameter_is_set_and_the_refusal_names_the_member() {
    run(async {
        let mut group = Group::at_level(3, FIRST_LEVEL).await;
        group.level = SEMANTICS_LEVEL;
        let old = group.replica_id().await;
        for id in [1, 2, 3].into_iter().filter(|id| *id != old) {
            group.kill(id).await;
            group.open(id, Bootstrap::Join);
            group.put(key("a", id as i64)).await;
        }
        eventually("a newer primary refuses", async || {
            let id = group.primary_id().await;
            let refused = group.store(id).set_parameter(&cx(), QUERY, Some(0)).await.unwrap_err();
            if id == old {
                let newer = group.places.keys().copied().find(|id| *id != old).unwrap();
                let _ = group.store(old).log().transfer_leadership(newer).await;
                return None;
            }
            // Of one that was just started again nobody has heard yet.
            (refused == ParameterError::NotSupported { members: vec![old] }).then_some(())
        })
        .await;
        group.kill(old).await;
        group.open(old, Bootstrap::Join);
        eventually("it is set", async || {
            group.primary().await.set_parameter(&cx(), QUERY, Some(0)).await.ok()
        })
        .await;
        group.agrees(old).await;
        assert_eq!(value(&group.store(old), QUERY), Some(0));
        group.stop().await;
    });
}
