//! `forebay`: arguments, telemetry, settings, then [`forebay_proxy::run`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use forebay_proxy::config::Config;
use forebay_proxy::run::{Failure, run};

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
}

#[derive(Args)]
struct Dev {
    /// Directory of the data.
    #[arg(long, value_name = "DIR", default_value = "forebay-data", conflicts_with = "in_memory")]
    data: PathBuf,
    /// Keep everything in memory and lose it at the end.
    #[arg(long)]
    in_memory: bool,
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
struct Node {
    /// The config file, TOML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print the effective settings and stop.
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
            run(config)
        }
        Command::Node(node) => {
            let config: Config = host::settings::load(&node.config, &node.overrides)?;
            config.check()?;
            if node.print_config {
                print!("{}", host::settings::print(&config).map_err(Failure::internal)?);
                return Ok(());
            }
            run(config)
        }
    }
}
