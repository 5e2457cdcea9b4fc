//! `forebay`: arguments, telemetry, settings, then [`forebay_proxy::run`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use forebay_proxy::cluster::visibility::WriteVisibility;
use forebay_proxy::config::Config;
use forebay_proxy::operate::{self, Change};
use forebay_proxy::preflight;
use forebay_proxy::recover::{self, Losses};
use forebay_proxy::run::{Failure, run, run_several};
use forebay_proxy::several;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An in-memory write-through cache in front of a DynamoDB-API store.
#[derive(Parser)]
#[command(name = "forebay", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run on this machine only, without a config: any credentials are accepted.
    Dev(Dev),
    /// Run one node as a config file says.
    Node(Node),
    /// Say how a cluster stands, as one of its nodes knows.
    Status(Status),
    /// Change who belongs to a cluster, or which node is the primary.
    Member(MemberArguments),
    /// Say or set what all nodes of a cluster obey: record-ttl-millis, query-ttl-millis.
    Param(ParamArguments),
    /// Make another cluster of what one stopped node has, after a majority has lost its data for ever.
    ///
    /// Says what there is and what is lost, and changes nothing without --accept-lost-writes.
    Recover(Recover),
}

#[derive(Args)]
struct Dev {
    /// Directory of the data.
    #[arg(long, value_name = "DIR", default_value = "forebay-data", conflicts_with = "in_memory")]
    data: PathBuf,
    /// Keep everything in memory and lose it at the end.
    #[arg(long)]
    in_memory: bool,
    /// Run so many nodes of one cluster, on 127.0.0.1, 127.0.0.2 and so on, the same ports on each.
    #[arg(long, value_name = "N", default_value_t = 1)]
    nodes: usize,
    /// Of several nodes: acknowledge a write once the node that answers serves nothing older ("node"), or once no node does ("all").
    #[arg(long, value_name = "WHERE", default_value = "node")]
    write_visibility: WriteVisibility,
    /// Port of the DynamoDB API over HTTP; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    http_port: u16,
    /// Port of the DAX protocol; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8111)]
    dax_port: u16,
    /// Port of the DAX protocol over TLS, opened where a certificate is set; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 9111)]
    dax_tls_port: u16,
    /// Port of the gRPC service; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8500)]
    grpc_port: u16,
    /// Port for health, metrics and settings; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    admin_port: u16,
    /// Set any setting of the config file, as section.field=value.
    #[arg(long = "set", value_name = "SETTING")]
    overrides: Vec<String>,
}

#[derive(Args)]
struct Status {
    #[command(flatten)]
    asked: Asked,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Whom an operator asks.
#[derive(Args)]
struct Asked {
    /// The config file of any node: it has the secret, and where the nodes are.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Ask the node whose peer port this is, instead of the one that the file is of.
    #[arg(long, value_name = "HOST:PORT")]
    node: Option<String>,
    /// Set any setting of the config file, as section.field=value.
    #[arg(long = "set", value_name = "SETTING")]
    overrides: Vec<String>,
}

#[derive(Args)]
struct MemberArguments {
    #[command(subcommand)]
    change: MemberChange,
}

#[derive(Subcommand)]
enum MemberChange {
    /// List the members.
    List(Status),
    /// Make the node at an address a member under a new number; it must not have begun yet. A node does so by itself when it starts with
    /// an empty directory.
    Add {
        /// Its peer address, as the others reach it.
        address: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Remove a member, for good: it can come back only with an empty directory, under another number.
    Remove {
        /// Its number.
        number: u64,
        #[command(flatten)]
        asked: Asked,
    },
    /// Make another node the primary.
    TransferPrimary {
        /// Its number. Left out: whichever has followed best.
        number: Option<u64>,
        #[command(flatten)]
        asked: Asked,
    },
}

#[derive(Args)]
struct ParamArguments {
    #[command(subcommand)]
    what: Param,
}

#[derive(Subcommand)]
enum Param {
    /// Say what the parameters are, and where that comes from.
    Get {
        /// Which. Left out: all.
        name: Option<String>,
        #[command(flatten)]
        asked: Asked,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set a parameter, for all nodes and in effect at once.
    Set {
        /// Which: record-ttl-millis or query-ttl-millis.
        name: String,
        /// Milliseconds; "default" for what each node's config says. 0 is for items never by time, for pages none are cached.
        value: String,
        #[command(flatten)]
        asked: Asked,
    },
}

#[derive(Args)]
struct Recover {
    /// The config file of the node whose data is to live on; with a new [cluster] name, unless it is only looked at.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Do it, although what the other nodes have acknowledged and this one never heard of is lost.
    #[arg(long)]
    accept_lost_writes: bool,
    /// Set any setting of the config file, as section.field=value.
    #[arg(long = "set", value_name = "SETTING")]
    overrides: Vec<String>,
}

#[derive(Args)]
struct Node {
    /// The config file, TOML. Left out with --print-config: none, so that the defaults are shown.
    #[arg(long, value_name = "FILE", required_unless_present = "print_config")]
    config: Option<PathBuf>,
    /// Print the effective settings and stop; refuse what a start would refuse, but open no port and no data.
    #[arg(long)]
    print_config: bool,
    /// Set any setting of the config file, as section.field=value.
    #[arg(long = "set", value_name = "SETTING")]
    overrides: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked = !error.use_stderr();
            let printed = error.print();
            return if asked && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(Failure::USAGE) };
        }
    };
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("forebay: {failure}");
            failure.exit_code()
        }
    }
}

fn start(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Dev(dev) => {
            let mut config: Config = host::settings::parse("", "--set", &dev.overrides)?;
            config.store.data = dev.data;
            config.store.in_memory = dev.in_memory;
            config.listen.http_port = dev.http_port;
            config.listen.dax_port = dev.dax_port;
            config.listen.dax_tls_port = dev.dax_tls_port;
            config.listen.grpc_port = dev.grpc_port;
            config.listen.admin_port = dev.admin_port;
            match dev.nodes {
                1 => run(config),
                nodes => run_several(several::plan(&config, nodes, dev.write_visibility)?),
            }
        }
        Command::Status(Status { asked, json }) => {
            operate::status(&settings_of(&asked)?, asked.node.as_deref(), json)
        }
        Command::Member(MemberArguments { change }) => match change {
            MemberChange::List(Status { asked, json }) => {
                operate::status(&settings_of(&asked)?, asked.node.as_deref(), json)
            }
            MemberChange::Add { address, asked } => {
                operate::change(&settings_of(&asked)?, asked.node.as_deref(), Change::Add { address })
            }
            MemberChange::Remove { number, asked } => {
                operate::change(&settings_of(&asked)?, asked.node.as_deref(), Change::Remove { number })
            }
            MemberChange::TransferPrimary { number, asked } => {
                operate::change(&settings_of(&asked)?, asked.node.as_deref(), Change::Transfer { number })
            }
        },
        Command::Param(ParamArguments { what }) => match what {
            Param::Get { name, asked, json } => {
                operate::parameters(&settings_of(&asked)?, asked.node.as_deref(), name.as_deref(), json)
            }
            Param::Set { name, value, asked } => {
                operate::set_parameter(&settings_of(&asked)?, asked.node.as_deref(), &name, &value)
            }
        },
        Command::Recover(Recover { config, accept_lost_writes, overrides }) => {
            let config: Config = host::settings::load(&config, &overrides)?;
            config.check()?;
            recover::run(&config, if accept_lost_writes { Losses::Accepted } else { Losses::Refused })
        }
        Command::Node(node) => {
            let config: Config = match &node.config {
                Some(file) => host::settings::load(file, &node.overrides)?,
                None => host::settings::parse("", "--set", &node.overrides)?,
            };
            config.check()?;
            if node.print_config {
                print!("{}", host::settings::print(&config).map_err(Failure::internal)?);
                return preflight::check_files(&config);
            }
            run(config)
        }
    }
}

fn settings_of(asked: &Asked) -> Result<Config, Failure> {
    let config: Config = host::settings::load(&asked.config, &asked.overrides)?;
    config.check()?;
    Ok(config)
}
