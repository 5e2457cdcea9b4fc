//! What an operator asks of a cluster from the command line, over the peer port of one of its nodes.
//!
//! It takes the secret: whoever can read a node's config and secret may change the cluster, nobody else. A node that stands alone
//! has none; it is asked by a socket in its data directory, see [`crate::alone`]. The admin port has no
//! such questions, since it asks nobody who they are.

mod no_primary;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use host::clock::SystemClock;

use crate::cluster::about::About;
use crate::cluster::control::{self, Ask, MemberStatus, Said, Stage, Status};
use crate::cluster::node::Plan;
use crate::cluster::peers::{Peers, is_lasting};
use crate::cluster::settings::split_address;
use crate::cluster::visibility::WriteVisibility;
use crate::config::Config;
use crate::parameters::{self, ParameterStatus};
use crate::run::Failure;
use crate::surroundings::System;

/// A member whose silence is longer is shown with it.
const SILENCE_SHOWN: Duration = Duration::from_secs(1);

/// A change that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A node becomes a member.
    Add {
        /// Its peer address.
        address: String,
    },
    /// A member goes.
    Remove {
        /// Its number.
        number: u64,
    },
    /// Another node becomes the primary.
    Transfer {
        /// Its number.
        number: Option<u64>,
    },
}

/// Prints how a cluster stands, as the node at `node` knows, or the one that the config is of.
pub fn status(config: &Config, node: Option<&str>, json: bool) -> Result<(), Failure> {
    let status = status_of(config, node)?;
    print(&match json {
        true => serde_json::to_string_pretty(&status).map_err(Failure::internal)? + "\n",
        false => describe(&status),
    })
}

/// Prints the cluster's parameters, or one of them, as the node at `node` obeys them, or the one that the config is of.
pub fn parameters(
    config: &Config,
    node: Option<&str>,
    name: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    if let Some(name) = name {
        parameters::named(name).map_err(Failure::Usage)?;
    }
    let status = status_of(config, node)?;
    if status.parameters.is_empty() {
        return Err(Failure::TryAgain(
            "the node's store is not open, or its version knows no parameters".into(),
        ));
    }
    let asked = status.parameters.iter().filter(|parameter| name.is_none_or(|name| name == parameter.name));
    let asked: Vec<&ParameterStatus> = asked.collect();
    print(&match json {
        true => serde_json::to_string_pretty(&asked).map_err(Failure::internal)? + "\n",
        false => asked.into_iter().map(|parameter| describe_parameter(parameter, status.node)).collect(),
    })
}

/// Sets a parameter of the cluster, `value` as somebody has written it.
pub fn set_parameter(config: &Config, node: Option<&str>, name: &str, value: &str) -> Result<(), Failure> {
    let (parameter, value) = parameters::read(name, value).map_err(Failure::Usage)?;
    done(ask_for(config, node, &Ask::SetParameter { name: parameter.name().to_owned(), value })?)
}

/// Has a change made, by whichever node is the primary.
pub fn change(config: &Config, node: Option<&str>, change: Change) -> Result<(), Failure> {
    let asked = match change {
        Change::Add { address } => Ask::Join { address },
        Change::Remove { number } => Ask::Remove { node: number },
        Change::Transfer { number } => Ask::Transfer { to: number },
    };
    if config.cluster.is_none() {
        return Err(Failure::Usage("the config has no [cluster]: this node stands alone".into()));
    }
    done(ask_for(config, node, &asked)?)
}

fn done(said: Said) -> Result<(), Failure> {
    match said {
        Said::Done => Ok(()),
        Said::Joined { node, .. } => {
            println!("it is member {node} now");
            Ok(())
        }
        Said::Refused { .. } | Said::NotPrimary { .. } | Said::Status(_) => Err(unexpected(said)),
    }
}

fn status_of(config: &Config, node: Option<&str>) -> Result<Box<Status>, Failure> {
    let said = match reach(config, node)? {
        Reach::Cluster { plan, first } => ask(async |system| {
            let asked = control::ask(&plan.peers(&system), &first, &Ask::Status).await;
            asked.map_err(unanswered)
        })?,
        Reach::Alone(data) => {
            ask(async |_| control::ask_alone(&data, &Ask::Status).await.map_err(Failure::try_again))?
        }
    };
    match said {
        Said::Status(status) => Ok(status),
        other => Err(unexpected(other)),
    }
}

/// Has something done, by whichever node is the primary.
fn ask_for(config: &Config, node: Option<&str>, change: &Ask) -> Result<Said, Failure> {
    match reach(config, node)? {
        Reach::Cluster { plan, first } => {
            let all: Vec<String> =
                std::iter::once(first).chain(plan.settings.nodes.iter().cloned()).collect();
            ask(async |system| {
                let peers = plan.peers(&system);
                match control::ask_primary(&peers, &all, change).await {
                    Ok(Said::NotPrimary { .. }) => Err(why_no_primary(&peers, &all).await),
                    said => said.map_err(unanswered),
                }
            })
        }
        Reach::Alone(data) => {
            ask(async |_| control::ask_alone(&data, change).await.map_err(Failure::try_again))
        }
    }
}

/// Why a node did not answer. Where it is refused for what is set here or there, another try meets the same.
fn unanswered(error: std::io::Error) -> Failure {
    match is_lasting(&error) {
        true => Failure::Usage(error.to_string()),
        false => Failure::try_again(error),
    }
}

/// Of the nodes that were asked the one that knows most says what is missing; of those that know the same, the first.
async fn why_no_primary(peers: &Peers, addresses: &[String]) -> Failure {
    let asking =
        addresses.iter().map(async |address| match control::ask(peers, address, &Ask::Status).await {
            Ok(Said::Status(status)) => Some((status, address)),
            _ => None,
        });
    let answers = futures_util::future::join_all(asking).await;
    match answers.into_iter().flatten().min_by_key(|(status, _)| no_primary::ignorance(status)) {
        Some((status, address)) => no_primary::why(&status, address),
        None => unexpected(Said::NotPrimary { primary: None }),
    }
}

/// How the nodes of a config are reached.
enum Reach {
    /// By their peer ports, this one first.
    Cluster { plan: Box<Plan>, first: String },
    /// By the socket in the data directory of the only one.
    Alone(PathBuf),
}

fn reach(config: &Config, node: Option<&str>) -> Result<Reach, Failure> {
    if let Some(plan) = Plan::of(config)? {
        let first = node.unwrap_or(&plan.address).to_owned();
        if split_address(&first).is_none() {
            return Err(Failure::Usage(format!(
                "--node {first:?} is no address: it is the host and port of a peer port, host:port"
            )));
        }
        return Ok(Reach::Cluster { plan: Box::new(plan), first });
    }
    if node.is_some() {
        return Err(Failure::Usage(
            "the config has no [cluster]: this node stands alone, and there is no other to ask by --node"
                .into(),
        ));
    }
    if config.store.in_memory {
        return Err(Failure::Usage(
            "a node that stands alone is asked by a socket in its data directory, and this one keeps its data in memory: \
             change its settings and start it again"
                .into(),
        ));
    }
    Ok(Reach::Alone(config.store.data.clone()))
}

fn unexpected(said: Said) -> Failure {
    match said {
        Said::NotPrimary { .. } => {
            Failure::TryAgain("the cluster has no primary at the moment: try again in some seconds".into())
        }
        Said::Refused { why, again: true } => Failure::TryAgain(why),
        Said::Refused { why, again: false } => Failure::Usage(why),
        Said::Status(_) | Said::Joined { .. } | Said::Done => {
            Failure::TryAgain("the node answered something else".into())
        }
    }
}

fn ask(question: impl AsyncFnOnce(Arc<System>) -> Result<Said, Failure>) -> Result<Said, Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let system = Arc::new(System::new(Arc::new(SystemClock::new())));
    runtime.block_on(question(system))
}

/// Errors: nobody reads standard output any more.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::internal)
}

fn describe_parameter(parameter: &ParameterStatus, node: Option<u64>) -> String {
    let ParameterStatus { name, value, set, tables } = parameter;
    let field = name.replace('-', "_");
    let of = node.map_or(String::new(), |node| format!(" of node {node}"));
    let from = match set {
        true => "set for the cluster".to_owned(),
        false => format!("not set: [cache] {field}{of}, or its default"),
    };
    let mut text = format!("{name:<18} {value:<11} {from}\n");
    for (table, value) in tables {
        text += &format!("  {table:<16} {value:<11} [cache.tables.{table}] {field}{of}\n");
    }
    text
}

fn describe(status: &Status) -> String {
    let mut text = match status.cluster.as_str() {
        "" => "cluster  none, this node stands alone\n".to_owned(),
        cluster => format!("cluster  {cluster}\n"),
    };
    match &status.stage {
        Stage::Starting => return text + "this node is starting\n",
        Stage::Empty => return text + "this node has nothing yet, and waits for the others\n",
        Stage::Founding { nodes } => {
            return text + &format!("this node waits for all of {} to begin\n", nodes.join(", "));
        }
        Stage::Member if status.node.is_none() => {
            return text + "this node belongs to the cluster, and its store is not open\n";
        }
        Stage::Member => {}
    }
    let shown = |number: Option<u64>| number.map_or("nobody".to_owned(), |number| number.to_string());
    text += &format!("asked    node {}\nprimary  {}\n", shown(status.node), shown(status.primary));
    let age = status.age_millis.map_or("unknown".to_owned(), |age| format!("{age} ms"));
    text += &format!("applied  {}, at most {age} old\n", status.applied);
    if let Some(failure) = &status.failure {
        text += &format!("writes   refused: {failure}\n");
    }
    if status.removed {
        text +=
            "removed  the primary says that this node is no member any more: stop it, and delete its data\n";
    }
    // One who was removed is told no more of it.
    if status.changing && !status.removed {
        text += "members  are being changed\n";
    }
    for parameter in status.parameters.iter().filter(|parameter| parameter.set) {
        text += &format!("set      {} {}\n", parameter.name, parameter.value);
    }
    if let Some(who) = differing(&status.members) {
        text += &format!(
            "warning  members differ in [cluster] write_visibility: {who}; those of \"node\" answer without a lease\n"
        );
    }
    for trouble in &status.unreached {
        text += &format!("missing  {}: {}\n", trouble.address, trouble.why);
    }
    for member in &status.members {
        let role = match (status.primary == Some(member.node), member.voter) {
            (true, _) => "primary",
            (false, true) => "replica",
            (false, false) => "learner",
        };
        let behind = member.matched.map_or(String::new(), |matched| {
            format!("  {} entries behind", status.applied.saturating_sub(matched))
        });
        let about = &member.about;
        let stopping = if about.stopping { "  stopping" } else { "" };
        let silent = silence(status, member);
        text += &format!(
            "  {:>4}  {role}  {}  {}  zone {}{behind}{silent}{stopping}\n",
            member.node, member.address, about.name, about.zone
        );
    }
    text
}

/// Who has which write visibility, where that is not the same for all that have said it.
fn differing(members: &[MemberStatus]) -> Option<String> {
    let mut of: BTreeMap<WriteVisibility, Vec<String>> = BTreeMap::new();
    for member in members.iter().filter(|member| member.about != About::default()) {
        let who = format!("{} ({})", member.node, member.about.name);
        of.entry(member.about.write_visibility).or_default().push(who);
    }
    let each = of.iter().map(|(visibility, who)| format!("\"{visibility}\" on {}", who.join(", ")));
    (of.len() > 1).then(|| each.collect::<Vec<_>>().join(", "))
}

/// How long the primary, if it is the one that answers, has not heard a member, if that is long.
fn silence(status: &Status, member: &MemberStatus) -> String {
    if status.primary.is_none() || status.primary != status.node || status.node == Some(member.node) {
        return String::new();
    }
    match member.heard_millis.map(Duration::from_millis) {
        Some(heard) if heard <= SILENCE_SHOWN => String::new(),
        Some(heard) => format!("  silent for {} s", heard.as_secs()),
        None => "  not heard since this node is the primary".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::control::Desk;

    fn member(node: u64, heard_millis: Option<u64>, write_visibility: WriteVisibility) -> MemberStatus {
        let about =
            About { name: format!("n{node}"), zone: "z".into(), write_visibility, ..About::default() };
        MemberStatus {
            node,
            address: format!("h{node}:8501"),
            voter: true,
            about,
            matched: Some(7),
            heard_millis,
            present: true,
        }
    }

    fn status(members: Vec<MemberStatus>) -> Status {
        Status {
            node: Some(1),
            primary: Some(1),
            applied: 9,
            members,
            ..Desk::alone("c").status_before(Stage::Member)
        }
    }

    #[test]
    fn members_that_the_primary_does_not_hear_are_shown_with_how_long() {
        let of = |heard| member(2, heard, WriteVisibility::Node);
        let said = |status: &Status| describe(status).lines().last().unwrap_or_default().to_owned();
        assert_eq!(
            said(&status(vec![of(Some(12_900))])),
            "     2  replica  h2:8501  n2  zone z  2 entries behind  silent for 12 s"
        );
        assert!(!said(&status(vec![of(Some(900))])).contains("silent"));
        assert!(said(&status(vec![of(None)])).contains("not heard since this node is the primary"));
        // Of itself the primary has nothing to say, and a replica hears nobody but the primary.
        let own = member(1, None, WriteVisibility::Node);
        assert!(!said(&status(vec![own])).contains("heard"));
        let replica = Status { node: Some(3), ..status(vec![of(None)]) };
        assert!(!said(&replica).contains("heard"));
    }

    #[test]
    fn who_differs_in_write_visibility_is_named() {
        use WriteVisibility::{All, Node};
        let silent = MemberStatus { about: About::default(), ..member(20, None, Node) };
        let mixed = vec![member(1, None, Node), member(2, None, All), member(57, None, Node), silent.clone()];
        let said = describe(&status(mixed));
        assert!(said.contains("\"node\" on 1 (n1), 57 (n57), \"all\" on 2 (n2); those of"), "{said}");
        let alike = describe(&status(vec![member(1, None, All), member(2, None, All), silent]));
        assert!(!alike.contains("warning"), "one that has said nothing yet differs from nobody: {alike}");
    }

    #[test]
    fn a_node_that_was_removed_speaks_of_no_change() {
        let removed = Status { removed: true, changing: true, ..status(Vec::new()) };
        let said = describe(&removed);
        assert!(said.contains("removed  the primary says") && !said.contains("being changed"), "{said}");
    }

    #[test]
    fn what_can_never_be_done_is_bad_usage_and_the_rest_is_to_be_tried_again() {
        let of = |text: &str| unexpected(serde_json::from_str(text).expect("an answer"));
        // As an older node says it.
        assert!(matches!(of(r#"{"Refused":{"why":"w"}}"#), Failure::TryAgain(why) if why == "w"));
        assert!(matches!(of(r#"{"Refused":{"why":"w","again":true}}"#), Failure::TryAgain(_)));
        assert!(matches!(of(r#"{"Refused":{"why":"w","again":false}}"#), Failure::Usage(_)));
    }
}
