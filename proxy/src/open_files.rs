//! The files that a node may have open, of which each connection is one: how many connections that leaves.
//!
//! Who set no bound of connections gets as many as fit, up to [`CONNECTIONS`], and is told only if that is few; who set one is told
//! if it can't be kept. What is told says what is needed, what there is and what to do. Deliberately raises no limit: that is
//! `host`'s.

use crate::config::{NodeSettings, StoreSettings};

/// Connections held at a time where no bound was set and files suffice.
pub const CONNECTIONS: usize = 20_000;
/// Fewer connections than this are worth a word to whoever asked for no number.
const FEW: usize = 1_000;
/// What else is open: listeners, polls, standard streams, telemetry, the admin port's connections, those to other nodes.
const OTHERS: u64 = 128;
/// What each of the store's two instances is taken to have open where its settings let it have any number.
const OF_AN_INSTANCE: u64 = 512;

/// How many connections a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The most at a time.
    pub connections: usize,
    /// What there is to say about it, if anything.
    pub warning: Option<String>,
}

/// Finds out how many connections fit beside the store into `files`, where that is limited.
pub fn fit(node: &NodeSettings, store: &StoreSettings, files: Option<u64>) -> Fit {
    let wanted = node.max_connections.unwrap_or(CONNECTIONS);
    let beside = of_store(store) + OTHERS;
    let needed = wanted as u64 + beside;
    let Some(files) = files.filter(|files| *files < needed) else {
        return Fit { connections: wanted, warning: None };
    };
    // A store that is small has far fewer open than it may, so that where there are few files it gets the lesser half of them.
    let connections = files.saturating_sub(beside).max(files / 2).max(1);
    let connections = usize::try_from(connections).unwrap_or(wanted).min(wanted);
    let is_told = node.max_connections.is_some() || connections < FEW;
    let warning = is_told.then(|| {
        format!(
            "{wanted} connections need {needed} open files, {beside} of them for the store and others, and this process may \
             open {files}: it will hold {connections} connections at a time. Let it open {needed} (its hard limit: ulimit -Hn, \
             LimitNOFILE= of systemd, --ulimit nofile= of Docker), or set [node] max_connections to what you need"
        )
    });
    Fit { connections, warning }
}

fn of_store(store: &StoreSettings) -> u64 {
    if store.in_memory {
        return 0;
    }
    2 * u64::try_from(store.engine.max_open_files).unwrap_or(OF_AN_INSTANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(asked: Option<usize>, files: Option<u64>) -> Fit {
        let node = NodeSettings { max_connections: asked, ..NodeSettings::default() };
        fit(&node, &StoreSettings::default(), files)
    }

    #[test]
    fn who_asked_for_no_number_gets_what_fits_and_hears_nothing_of_it() {
        let silent = |connections| Fit { connections, warning: None };
        assert_eq!(fitted(None, None), silent(20_000));
        assert_eq!(fitted(None, Some(1 << 20)), silent(20_000));
        assert_eq!(fitted(None, Some(21_152)), silent(20_000));
        // The hard limit of many containers.
        assert_eq!(fitted(None, Some(20_000)), silent(18_848));
        let few = fitted(None, Some(1_024));
        assert!(few.connections == 512 && few.warning.is_some());
    }

    #[test]
    fn who_asked_for_more_than_fits_is_told_what_is_needed_what_there_is_and_what_to_do() {
        assert_eq!(fitted(Some(15_000), Some(20_000)), Fit { connections: 15_000, warning: None });
        let Fit { connections, warning } = fitted(Some(20_000), Some(20_000));
        assert_eq!(connections, 18_848);
        let warning = warning.unwrap();
        for part in [
            "need 21152 open files, 1152 of them",
            "may open 20000",
            "hold 18848",
            "ulimit -Hn",
            "LimitNOFILE=",
        ] {
            assert!(warning.contains(part), "{part}: {warning}");
        }
    }

    #[test]
    fn a_store_in_memory_has_no_files_and_one_without_a_bound_is_taken_to_have_some() {
        let (node, mut store) = (NodeSettings::default(), StoreSettings::default());
        store.engine.max_open_files = -1;
        assert_eq!(fit(&node, &store, Some(20_000)).connections, 18_848);
        store.in_memory = true;
        assert_eq!(fit(&node, &store, Some(20_000)).connections, 19_872);
    }
}
