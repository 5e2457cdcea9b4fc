//! How connections end when the node stops, by the client at their other end.

use tokio::time::Instant;

use super::*;

/// The preamble of the client that calls itself so.
fn preamble(user_agent: &str) -> String {
    let text = hex(user_agent.as_bytes());
    format!("674a37796e65354700 f6 a1 69557365724167656e74 {:02x}{text} 00", 0x60 + user_agent.len())
}

/// A connection of that client, used once, of a node that is asked to stop now.
async fn stopped(user_agent: &str) -> Peer {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{} {ENDPOINTS}", preamble(user_agent))).await;
    peer.expect(NODE).await;
    let stop = std::mem::replace(&mut peer.stop, tokio::sync::oneshot::channel().0);
    stop.send(()).unwrap();
    peer
}

/// When the connection ends, after nothing more has come.
async fn end_of(peer: &mut Peer) -> Instant {
    assert_eq!(peer.io.read(&mut [0]).await.unwrap(), 0);
    Instant::now()
}

const JAVASCRIPT: [&str; 2] = ["DaxJSV3Client-3.1.0", "DaxJSClient-1.2.10"];

#[tokio::test(start_paused = true)]
async fn an_idle_connection_of_a_javascript_client_is_closed_under_its_next_request() {
    for agent in JAVASCRIPT {
        let mut peer = stopped(agent).await;
        let began = Instant::now();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!peer.served.is_finished());
        peer.send(ENDPOINTS).await;
        // At once, and with no answer: the client takes the end of the connection for what came of its request.
        assert_eq!(end_of(&mut peer).await - began, Duration::from_secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_of_a_javascript_client_is_closed_in_the_end() {
    for agent in JAVASCRIPT {
        let mut peer = stopped(agent).await;
        let began = Instant::now();
        assert_eq!(end_of(&mut peer).await - began, DaxSettings::default().farewell_timeout());
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_of_another_client_is_closed_at_once() {
    for agent in ["DaxPythonClient-2.1.0", "DaxGoClient-1.2.14", ""] {
        let mut peer = stopped(agent).await;
        let began = Instant::now();
        assert_eq!(end_of(&mut peer).await - began, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_holds_up_no_stop() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&PREAMBLE[..8]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stop = std::mem::replace(&mut peer.stop, tokio::sync::oneshot::channel().0);
    stop.send(()).unwrap();
    let began = Instant::now();
    assert_eq!(end_of(&mut peer).await - began, Duration::ZERO);
}
