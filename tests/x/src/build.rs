//! Calling cargo, with one build folder for everything, and running what it built.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, prerequisite, say};

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// `${XDG_CACHE_HOME:-~/.cache}/forebay`: build output and tools, shared by all clones on this machine, because the storage engine in
/// it takes ten minutes to compile.
pub fn cache() -> Result<PathBuf, Failure> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|caches| caches.join("forebay"))
        .ok_or_else(|| {
            "neither XDG_CACHE_HOME nor HOME is set; set one to say where builds are kept".to_owned()
        })
}

/// Where cargo builds: CARGO_TARGET_DIR where it is set, else [`cache`].
pub fn target() -> Result<PathBuf, Failure> {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
        Some(set) => std::path::absolute(&set).map_err(|error| format!("CARGO_TARGET_DIR {set:?}: {error}")),
        None => cache(),
    }
}

/// Cargo, in the root of the workspace, building into [`target`].
pub fn cargo(args: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).env("CARGO_TARGET_DIR", target()?);
    Ok(command)
}

/// Runs a command to its end, which must be a good one.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    let status = command.status().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// A command as one would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Builds the binary `name` of `package` and answers where it is.
pub fn binary(package: &str, name: &str) -> Result<PathBuf, Failure> {
    prerequisite::ensure(prerequisite::NATIVE)?;
    let built = target()?.join("release").join(name);
    if built.exists() {
        say(&format!("building {name}"));
    } else {
        say(&format!(
            "building {name}; the first build takes 10 to 15 minutes, because it compiles the storage engine (later ones take seconds)"
        ));
    }
    run(&mut cargo(&["build", "--release", "--package", package, "--bin", name])?)?;
    Ok(built)
}

/// `cargo x dev`: the node, in place of this process, so that signals reach it directly.
pub fn dev(args: &[String]) -> Result<(), Failure> {
    let forebay = binary("forebay-proxy", "forebay")?;
    Err(become_it(Command::new(forebay).arg("dev").args(args)))
}

/// `cargo x bench`: the whole benchmark beside the peers, or, with arguments, the load generator; in place of this process.
pub fn bench(args: &[String]) -> Result<(), Failure> {
    let bench = binary("forebay-bench", "forebay-bench")?;
    if !args.is_empty() {
        return Err(become_it(Command::new(bench).args(args)));
    }
    let forebay = binary("forebay-proxy", "forebay")?;
    let path = prerequisite::ensure_clients()?;
    say("measuring beside Redis, DynamoDB Local and dynalite: about ten minutes on an idle machine");
    Err(become_it(Command::new(root().join("bench/run.sh")).arg(forebay).arg(bench).env("PATH", path)))
}

/// Returns only to say why it could not.
fn become_it(command: &mut Command) -> Failure {
    let shown = shown(command);
    let error = command.exec();
    format!("cannot run {shown}: {error}")
}
