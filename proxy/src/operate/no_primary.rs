//! What is missing where a change finds no primary, as the node that was asked knows.

use std::time::Duration;

use crate::cluster::control::{MemberStatus, Stage, Status};
use crate::run::Failure;

/// An election is over by then, or there are reasons for it that are to be told.
const ELECTION_MAX: Duration = Duration::from_secs(5);

/// How little a node knows of why there is none: the less, the better it is to be asked.
pub fn ignorance(status: &Status) -> u8 {
    match status.stage {
        Stage::Member if status.removed => 3,
        Stage::Member if status.node.is_some() && !status.members.is_empty() => 0,
        Stage::Member | Stage::Starting => 1,
        Stage::Empty | Stage::Founding { .. } => 2,
    }
}

/// Why there is no primary that could make a change, and what to do. `address` is where the node was asked.
pub fn why(status: &Status, address: &str) -> Failure {
    match &status.stage {
        Stage::Starting => {
            return try_again(format!("the node at {address} is starting: try again when it is ready"));
        }
        Stage::Empty | Stage::Founding { .. } => {
            return try_again(format!(
                "the node at {address} belongs to no cluster yet, and no other that was asked knows a primary: `forebay status` says \
                 whom it waits for"
            ));
        }
        Stage::Member => {}
    }
    let Some(own) = status.node else {
        return try_again(format!(
            "the store of the node at {address} is not open, and no other that was asked knows a primary: try again when it is ready, or \
             ask another by --node"
        ));
    };
    if status.removed {
        return Failure::Usage(format!(
            "node {own}, which was asked, was removed from the cluster, and knows no primary: ask a member by --node"
        ));
    }
    let voters: Vec<&MemberStatus> = status.members.iter().filter(|member| member.voter).collect();
    let of = |member: &MemberStatus| {
        let trouble = status.unreached.iter().find(|trouble| trouble.address == member.address);
        trouble
            .filter(|_| member.node != own)
            .map(|trouble| format!("{} ({}: {})", member.node, member.address, trouble.why))
    };
    let unreached: Vec<String> = voters.iter().filter_map(|member| of(member)).collect();
    if voters.is_empty() {
        return try_again(format!(
            "node {own}, which was asked, has joined and heard nothing of the cluster yet, and no other that was asked knows a primary: try \
             again when it is ready, or ask another by --node"
        ));
    }
    let (all, majority) = (voters.len(), voters.len() / 2 + 1);
    let there = all - unreached.len();
    if there < majority {
        return try_again(format!(
            "the cluster has no primary: a change needs a majority of its {all} voters, and node {own} hears from {}. It can't reach {}. \
             Bring {} back",
            nobody_or(there - voters.iter().filter(|member| member.node == own).count()),
            unreached.join("; "),
            of_them(majority - there, unreached.len()),
        ));
    }
    match status.age_millis.map(Duration::from_millis) {
        Some(age) if age < ELECTION_MAX => try_again(
            "the cluster has no primary at the moment, an election is under way: try again in some seconds"
                .to_owned(),
        ),
        age => try_again(format!(
            "the cluster has no primary: a change needs a majority of its {all} voters, and node {own} has heard from none {}, though it \
             knows of {} that it can't reach. `forebay status` of the others, by --node, says whom they reach",
            age.map_or("since it was started".to_owned(), |age| format!("for {} s", age.as_secs())),
            if unreached.is_empty() { "nobody".to_owned() } else { format!("only {}", unreached.join("; ")) },
        )),
    }
}

fn nobody_or(others: usize) -> String {
    match others {
        0 => "none of the others".to_owned(),
        1 => "only one other".to_owned(),
        others => format!("only {others} others"),
    }
}

fn of_them(missing: usize, unreached: usize) -> String {
    match (missing, unreached) {
        (1, 1) => "it".to_owned(),
        (1, _) => "one of them".to_owned(),
        (missing, unreached) if missing == unreached => "them".to_owned(),
        (missing, _) => format!("{missing} of them"),
    }
}

fn try_again(why: String) -> Failure {
    Failure::TryAgain(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::about::About;
    use crate::cluster::control::Desk;
    use crate::cluster::troubles::Trouble;

    fn status(voters: u64, unreached: &[u64], age_millis: Option<u64>) -> Status {
        let member = |node| MemberStatus {
            node,
            address: format!("n{node}:8501"),
            voter: node <= voters,
            about: About::default(),
            matched: None,
            heard_millis: None,
            present: true,
        };
        let trouble =
            |node: &u64| Trouble { address: format!("n{node}:8501"), why: "Connection refused".to_owned() };
        Status {
            node: Some(1),
            // A learner does not count, whether it is there or not.
            members: (1..=voters + 1).map(member).collect(),
            unreached: unreached.iter().map(trouble).collect(),
            age_millis,
            ..Desk::alone("c").status_before(Stage::Member)
        }
    }

    fn said(status: &Status) -> String {
        match why(status, "n1:8501") {
            Failure::TryAgain(why) => why,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn who_is_missing_for_a_majority_is_named() {
        assert_eq!(
            said(&status(3, &[2, 3], Some(900))),
            "the cluster has no primary: a change needs a majority of its 3 voters, and node 1 hears from none of the others. It can't \
             reach 2 (n2:8501: Connection refused); 3 (n3:8501: Connection refused). Bring one of them back"
        );
        let two = said(&status(2, &[2], Some(90_000)));
        assert!(two.contains("its 2 voters") && two.ends_with("Bring it back"), "{two}");
        let five = said(&status(5, &[2, 3, 4, 6], None));
        assert!(
            five.contains("hears from only one other") && five.ends_with("Bring one of them back"),
            "{five}"
        );
        assert!(!five.contains("n6"), "{five}");
        let five = said(&status(5, &[2, 3, 4, 5], None));
        assert!(five.ends_with("Bring 2 of them back"), "{five}");
    }

    #[test]
    fn an_election_is_spoken_of_where_one_is_likely() {
        let soon = said(&status(3, &[2], Some(900)));
        assert!(soon.contains("an election is under way: try again"), "{soon}");
        let late = said(&status(3, &[2], Some(12_345)));
        assert!(late.contains("has heard from none for 12 s") && late.contains("only 2 (n2:8501"), "{late}");
        let never = said(&status(3, &[], None));
        assert!(never.contains("since it was started") && never.contains("knows of nobody"), "{never}");
    }

    #[test]
    fn a_node_that_can_not_know_says_so() {
        let desk = Desk::alone("c");
        for (stage, part) in [
            (Stage::Starting, "is starting"),
            (Stage::Empty, "belongs to no cluster yet"),
            (Stage::Founding { nodes: Vec::new() }, "belongs to no cluster yet"),
            (Stage::Member, "is not open"),
        ] {
            let said = said(&desk.status_before(stage));
            assert!(said.contains("the node at n1:8501") && said.contains(part), "{said}");
        }
        let new = Status { node: Some(57), members: Vec::new(), ..status(3, &[], None) };
        assert!(
            said(&new).contains("node 57, which was asked, has joined and heard nothing"),
            "{}",
            said(&new)
        );
        let removed = Status { removed: true, ..status(3, &[2, 3], Some(9_000)) };
        assert!(
            matches!(why(&removed, "n1:8501"), Failure::Usage(why) if why.contains("ask a member by --node"))
        );
    }

    #[test]
    fn who_knows_most_is_believed() {
        let desk = Desk::alone("c");
        let removed = Status { removed: true, ..status(3, &[2, 3], None) };
        let new = Status { members: Vec::new(), ..status(3, &[], None) };
        let member = status(3, &[2, 3], None);
        let empty = desk.status_before(Stage::Empty);
        let mut all = [&removed, &empty, &new, &member];
        all.sort_by_key(|status| ignorance(status));
        assert_eq!(all, [&member, &new, &empty, &removed]);
    }
}
