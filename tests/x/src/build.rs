//! Calling cargo, with one build folder for everything, and running what it built.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{Failure, prerequisite, say};

/// The root of the workspace that `cargo x` was called in. What was compiled in is only for whoever calls the program by itself: in a
/// build folder that clones share, another one may have compiled it.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let package =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&package).join("../..")
    })
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

/// Whether a variable tells a program that cargo runs which package it is of. Build scripts that look at these would else run anew, and
/// all that stands on them be compiled again, whenever somebody builds without this program in between.
fn is_of_this_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// Cargo, in the root of the workspace, building into [`target`].
pub fn cargo(args: &[&str]) -> Result<Command, Failure> {
    let target = target()?;
    claim(&target, root())?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).env("CARGO_TARGET_DIR", target);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_this_package)) {
        command.env_remove(name);
    }
    Ok(command)
}

/// Makes what is built of our crates the work of this clone.
///
/// Cargo knows the members of a workspace by their place in it, and whether to build them again by the age of their files. So in a
/// folder that two clones share, what one has built passes for what the other holds, as long as the other's files are older. Whoever
/// comes after another clone therefore forgets our crates; those of others stay, the storage engine among them.
fn claim(target: &Path, root: &Path) -> Result<(), Failure> {
    let trouble = |error| format!("{}: {error}", target.display());
    let root = root.canonicalize().map_err(trouble)?;
    let mark = target.join("forebay-built-from.txt");
    let built = target.join("release/.fingerprint");
    let from = std::fs::read_to_string(&mark);
    if from.as_deref().is_ok_and(|from| Path::new(from) == root) {
        return Ok(());
    }
    if built.is_dir() {
        for entry in std::fs::read_dir(&built).map_err(trouble)? {
            let entry = entry.map_err(trouble)?;
            if entry.file_name().to_string_lossy().starts_with("forebay") {
                std::fs::remove_dir_all(entry.path()).map_err(trouble)?;
            }
        }
    }
    std::fs::create_dir_all(target).map_err(trouble)?;
    std::fs::write(&mark, root.to_string_lossy().as_bytes()).map_err(trouble)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_not_told_of_this_package() {
        let command = cargo(&["version"]).expect("there is a place for what is built");
        let removed: Vec<_> = command
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .filter_map(|(name, _)| name.to_str())
            .collect();
        assert!(
            removed.contains(&"CARGO_PKG_NAME") && removed.contains(&"CARGO_MANIFEST_DIR"),
            "{removed:?}"
        );
        assert!(!removed.contains(&"CARGO_HOME") && !removed.contains(&"CARGO"), "{removed:?}");
    }

    #[test]
    fn what_another_clone_built_is_forgotten() {
        let target = std::env::temp_dir().join(format!("forebay-claim-{}", std::process::id()));
        let (ours, theirs) = (
            target.join("release/.fingerprint/forebay-store-0123456789abcdef"),
            target.join("release/.fingerprint/librocksdb-sys-0123456789abcdef"),
        );
        let build =
            || [&ours, &theirs].map(|crates| std::fs::create_dir_all(crates).expect("a folder is made"));
        let (here, there) = (root(), root().join("tests"));
        build();
        claim(&target, here).expect("it is ours to claim");
        assert!(!ours.exists() && theirs.exists(), "who built it was not known");
        build();
        claim(&target, here).expect("it is ours to claim");
        assert!(ours.exists(), "it was built here");
        claim(&target, &there).expect("it is ours to claim");
        assert!(!ours.exists() && theirs.exists(), "it was built elsewhere");
        std::fs::remove_dir_all(&target).expect("it goes as it came");
    }
}
