//! `cargo x check` only reads; `cargo x fix` writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{cache, cargo, root, run};
use crate::{Failure, prerequisite, say};

/// The tool that checks licences and sources, pinned so that it judges the same everywhere.
const CARGO_DENY: &str = "0.20.2";

/// Workspaces beside the main one, with their manifests. Each says in its own why it is one.
pub const OWN_WORKSPACES: [(&str, &str); 2] =
    [("the simulation", "tests/sim/Cargo.toml"), ("the generated code", "tests/proto/Cargo.toml")];

/// What cargo is to be told of a workspace besides its manifest: its settings, which cargo finds by itself only where it is called
/// in that folder.
pub fn own_settings(manifest: &str) -> Vec<String> {
    let settings = Path::new(manifest).with_file_name(".cargo/config.toml");
    match root().join(&settings).exists() {
        true => vec!["--config".to_owned(), settings.display().to_string()],
        false => Vec::new(),
    }
}

/// Formatting, lints and licences.
pub fn check() -> Result<(), Failure> {
    prerequisite::ensure_rust_components()?;
    prerequisite::ensure(prerequisite::NATIVE)?;
    say("check: formatting");
    run(&mut cargo(&["fmt", "--all", "--check"])?)?;
    say("check: lints (the first time this compiles the storage engine, 10 to 15 minutes)");
    let lints = ["clippy", "--release", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    run(&mut cargo(&lints)?)?;
    for (name, manifest) in OWN_WORKSPACES {
        say(&format!("check: {name}, a workspace of its own"));
        let settings = own_settings(manifest);
        let manifest = ["--manifest-path", manifest];
        run(cargo(&["fmt"])?.args(manifest).args(["--", "--check"]))?;
        let lints = ["--release", "--all-targets", "--locked", "--", "-D", "warnings"];
        run(cargo(&["clippy"])?.args(manifest).args(settings).args(lints))?;
    }
    let deny = cargo_deny()?;
    say("check: licences, duplicates, sources");
    run(Command::new(deny).current_dir(root()).args(["--locked", "check", "licenses", "bans", "sources"]))?;
    say("check: all good");
    Ok(())
}

/// Formats, and applies what the lints suggest.
pub fn fix() -> Result<(), Failure> {
    prerequisite::ensure_rust_components()?;
    prerequisite::ensure(prerequisite::NATIVE)?;
    say("fix: lints");
    let lints =
        ["clippy", "--release", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"];
    run(&mut cargo(&lints)?)?;
    say("fix: formatting");
    run(&mut cargo(&["fmt", "--all"])?)?;
    OWN_WORKSPACES
        .iter()
        .try_for_each(|(_, manifest)| run(&mut cargo(&["fmt", "--manifest-path", manifest])?))
}

/// Makes the checked-in code of the gRPC definitions anew.
pub fn proto() -> Result<(), Failure> {
    say("proto: compiling the generators (the first time a minute)");
    let test = ["test", "--release", "--manifest-path", "tests/proto/Cargo.toml", "--locked"];
    run(cargo(&test)?.env("FOREBAY_WRITE_GENERATED", "1"))
}

fn cargo_deny() -> Result<PathBuf, Failure> {
    let tools = cache()?.join("tools").join(format!("cargo-deny-{CARGO_DENY}"));
    let program = tools.join("bin").join("cargo-deny");
    if !program.exists() {
        say(&format!(
            "installing cargo-deny {CARGO_DENY} into {} (compiles for some minutes, once)",
            tools.display()
        ));
        let version = format!("={CARGO_DENY}");
        let mut install = cargo(&["install", "--locked", "--version", &version, "cargo-deny", "--root"])?;
        run(install.arg(&tools))?;
    }
    Ok(program)
}
