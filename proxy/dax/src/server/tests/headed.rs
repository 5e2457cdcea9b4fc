//! Connections of a client that wants its answers behind headers, as the Java client of the SDK v2 does.

use super::*;

const PREAMBLE: &str = "674a37796e65354701f6a000";

/// An answer as such a client takes it.
fn headed(answer: &str) -> String {
    let answer = answer.replace(' ', "");
    format!("{:08x}01000000{answer}", answer.len() / 2 + 8)
}

#[tokio::test(start_paused = true)]
async fn every_answer_stands_behind_a_header_of_its_own() {
    let front = front();
    let mut peer = front.connect();
    // At once, after a while, at once; and what is defined by the way.
    peer.send(&format!("{PREAMBLE} {} {} {} {ENDPOINTS}", get("nope"), get("slow"), get("ready"))).await;
    peer.expect(&headed("80bfff")).await;
    peer.expect(&headed("80bfff")).await;
    peer.expect(&(headed("80bf004101ff") + &headed(NODE))).await;
    peer.send(&format!("013a495927bb816176 {}", get("ready"))).await;
    peer.expect(&(headed("8002") + &headed("80bf004101ff"))).await;
}

#[tokio::test]
async fn what_has_no_answer_has_no_header() {
    let front = front_with(Auth::Keys(Arc::new(OneKey)), DaxSettings::default());
    let mut peer = front.connect();
    peer.send(PREAMBLE).await;
    peer.io.write_all(&claim_frame(SIGNED_AT, true)).await.unwrap();
    peer.send(ENDPOINTS).await;
    peer.expect(&headed(NODE)).await;
}

#[tokio::test]
async fn errors_stand_behind_headers_too() {
    let front = front();
    let mut peer = front.connect();
    // A table nobody knows, and then bytes that are no request, which end the connection.
    peer.send(&format!("{PREAMBLE} 013a2c43e27e444e6f7065 013a12ae9a75 a0")).await;
    peer.io.shutdown().await.unwrap();
    let mut left = &peer.rest().await[..];
    for codes in ["8304171818", "840418251826182c"] {
        let length = u32::from_be_bytes(left[..4].try_into().unwrap()) as usize;
        assert_eq!(left[4..8], [1, 0, 0, 0]);
        let answer = hex(&left[8..length]);
        assert!(answer.starts_with(codes), "{answer}");
        left = &left[length..];
    }
    assert!(left.is_empty());
}
