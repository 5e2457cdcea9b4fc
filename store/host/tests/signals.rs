//! Real signals to this very process, hence a test binary of its own.

use std::process::Command;
use std::time::Duration;

use forebay_store_host::shutdown::Shutdown;

fn signal_self(name: &str) {
    let status = Command::new("kill")
        .args([name, &std::process::id().to_string()])
        .status()
        .expect("kill is installed");
    assert!(status.success());
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_is_immediate() {
    let token = Shutdown::new(Duration::from_secs(600));
    token.listen_to_signals().expect("handlers are allowed");

    signal_self("-TERM");
    tokio::time::timeout(Duration::from_secs(10), token.triggered()).await.expect("SIGTERM triggers");
    assert!(!token.is_immediate());

    signal_self("-INT");
    tokio::time::timeout(Duration::from_secs(10), token.immediate())
        .await
        .expect("the second signal is immediate");
}
