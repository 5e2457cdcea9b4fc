//! What an operator asks of a cluster from the command line, over the peer port of one of its nodes.
//!
//! It takes the secret: whoever can read a node's config and secret may change the cluster, nobody else. The admin port has no
//! such questions, since it asks nobody who they are.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use host::clock::SystemClock;

use crate::cluster::control::{self, Ask, Said, Stage, Status};
use crate::cluster::node::Plan;
use crate::cluster::visibility::WriteVisibility;
use crate::config::Config;
use crate::run::Failure;
use crate::surroundings::System;

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
    let plan = plan_of(config)?;
    let address = node.unwrap_or(&plan.address).to_owned();
    let said = ask(&plan, |peers| async move { control::ask(&peers, &address, &Ask::Status).await })?;
    let Said::Status(status) = said else { return Err(unexpected(said)) };
    let text = match json {
        true => serde_json::to_string_pretty(&status).map_err(Failure::internal)? + "\n",
        false => describe(&status),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::internal)
}

/// Has a change made, by whichever node is the primary.
pub fn change(config: &Config, node: Option<&str>, change: Change) -> Result<(), Failure> {
    let plan = plan_of(config)?;
    let first = node.unwrap_or(&plan.address).to_owned();
    let addresses: Vec<String> = std::iter::once(first).chain(plan.settings.nodes.iter().cloned()).collect();
    let asked = match change {
        Change::Add { address } => Ask::Join { address },
        Change::Remove { number } => Ask::Remove { node: number },
        Change::Transfer { number } => Ask::Transfer { to: number },
    };
    let said = ask(&plan, |peers| async move { control::ask_primary(&peers, &addresses, &asked).await })?;
    match said {
        Said::Done => Ok(()),
        Said::Joined { node } => {
            println!("it is member {node} now");
            Ok(())
        }
        Said::Refused { why } => Err(Failure::TryAgain(why)),
        Said::NotPrimary { .. } | Said::Status(_) => Err(unexpected(said)),
    }
}

fn plan_of(config: &Config) -> Result<Plan, Failure> {
    Plan::of(config)?
        .ok_or_else(|| Failure::Usage("the config has no [cluster]: this node stands alone".into()))
}

fn unexpected(said: Said) -> Failure {
    Failure::TryAgain(match said {
        Said::NotPrimary { .. } => "the cluster has no primary at the moment; try again".into(),
        Said::Refused { why } => why,
        Said::Status(_) | Said::Joined { .. } | Said::Done => "the node answered something else".into(),
    })
}

fn ask<F>(plan: &Plan, question: impl FnOnce(crate::cluster::peers::Peers) -> F) -> Result<Said, Failure>
where
    F: Future<Output = std::io::Result<Said>>,
{
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let system = Arc::new(System::new(Arc::new(SystemClock::new())));
    runtime.block_on(question(plan.peers(&system))).map_err(Failure::try_again)
}

fn describe(status: &Status) -> String {
    let mut text = format!("cluster  {}\n", status.cluster);
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
    if status.changing {
        text += "members  are being changed\n";
    }
    let set: BTreeSet<WriteVisibility> =
        status.members.iter().map(|member| member.about.write_visibility).collect();
    if set.len() > 1 {
        text += "warning  members differ in [cluster] write_visibility: where it is \"node\" they answer without a lease\n";
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
        text += &format!(
            "  {:>4}  {role}  {}  {}  zone {}{behind}{stopping}\n",
            member.node, member.address, about.name, about.zone
        );
    }
    text
}
