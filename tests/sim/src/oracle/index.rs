//! An index holds every item that has its key, as the item is, and nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is wrong with an index that holds whole items with attribute `g`, beside its table; both by primary key.
pub fn check(items: &BTreeMap<String, Value>, entries: &BTreeMap<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for (key, item) in items {
        match (item.get("g"), entries.get(key)) {
            (None, None) => {}
            (Some(_), Some(entry)) if entry == item => {}
            (Some(_), Some(entry)) => faults.push(format!("the index holds {entry} for {item}")),
            (Some(_), None) => faults.push(format!("the index lacks {key}")),
            (None, Some(_)) => faults.push(format!("the index holds {key}, which has no index key")),
        }
    }
    let gone = entries.keys().filter(|key| !items.contains_key(*key));
    faults.extend(gone.map(|key| format!("the index holds {key}, which is gone")));
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_is_seen() {
        let with = |g: &str| json!({"p": {"S": "a"}, "g": {"S": g}});
        let map = |value: Value| BTreeMap::from([("a".to_owned(), value)]);
        let bare = map(json!({"p": {"S": "a"}}));
        assert!(check(&map(with("x")), &map(with("x"))).is_empty());
        assert!(check(&bare, &BTreeMap::new()).is_empty());
        assert_eq!(check(&map(with("x")), &map(with("y"))).len(), 1);
        assert_eq!(check(&map(with("x")), &BTreeMap::new()).len(), 1);
        assert_eq!(check(&bare, &map(with("x"))).len(), 1);
        assert_eq!(check(&BTreeMap::new(), &map(with("x"))).len(), 1);
    }
}
