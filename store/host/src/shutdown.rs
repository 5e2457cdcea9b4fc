//! Stopping: one token that everything listens to, and the signals that trigger it.
//!
//! The first SIGTERM or SIGINT asks for a drain: stop accepting, finish what is in flight, be gone by the deadline. A second
//! signal means now. The token decides nothing itself: the order in which parts stop is written in the binary's `run`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How far a shutdown has come. The order of the variants is the only order it can go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Draining { until: Instant },
    Immediate,
}

/// A token that says whether the process is to stop, and by when. Clones share the state.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: Arc<watch::Sender<Phase>>,
    drain: Duration,
}

impl Shutdown {
    /// A token in the running state. `drain` is how long work in flight may take once stopping has begun.
    pub fn new(drain: Duration) -> Self {
        Shutdown { phase: Arc::new(watch::Sender::new(Phase::Running)), drain }
    }

    /// Begins the drain. Does nothing when stopping has already begun. Returns whether this call began it.
    pub fn trigger(&self) -> bool {
        let until = Instant::now() + self.drain;
        self.phase.send_if_modified(|phase| {
            let first = *phase == Phase::Running;
            if first {
                *phase = Phase::Draining { until };
            }
            first
        })
    }

    /// Ends the patience: whatever still runs is to be dropped now.
    pub fn trigger_immediate(&self) {
        self.phase.send_replace(Phase::Immediate);
    }

    /// Whether stopping has begun.
    pub fn is_triggered(&self) -> bool {
        *self.phase.borrow() != Phase::Running
    }

    /// Whether the patience is over, by a second signal.
    pub fn is_immediate(&self) -> bool {
        *self.phase.borrow() == Phase::Immediate
    }

    /// When the drain ends: `None` while running, now when immediate.
    pub fn deadline(&self) -> Option<Instant> {
        match *self.phase.borrow() {
            Phase::Running => None,
            Phase::Draining { until } => Some(until),
            Phase::Immediate => Some(Instant::now()),
        }
    }

    /// Resolves once stopping has begun.
    pub async fn triggered(&self) {
        self.wait(|phase| *phase != Phase::Running).await;
    }

    /// Resolves once the drain is over: at its deadline, or at a second signal. Never before stopping has begun.
    pub async fn drained(&self) {
        self.triggered().await;
        let Some(until) = self.deadline() else { return };
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = self.immediate() => {}
        }
    }

    /// Resolves once a second signal has said: now.
    pub async fn immediate(&self) {
        self.wait(|phase| *phase == Phase::Immediate).await;
    }

    async fn wait(&self, reached: impl FnMut(&Phase) -> bool) {
        let mut phase = self.phase.subscribe();
        phase.wait_for(reached).await.expect("this token holds the sender, so it cannot be gone");
    }

    /// Makes SIGTERM and SIGINT trigger this token: the first drains, the second is immediate.
    ///
    /// The handlers stand once this returns, so a signal that comes right after is not lost. Must be called within a runtime;
    /// a task of that runtime does the listening. Errors: the operating system refuses the handler.
    pub fn listen_to_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let token = self.clone();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = term.recv() => "SIGTERM",
                    _ = int.recv() => "SIGINT",
                };
                if token.trigger() {
                    tracing::info!(signal = name, drain = ?token.drain, "stopping: draining; a second signal stops at once");
                } else {
                    tracing::warn!(signal = name, "stopping at once");
                    token.trigger_immediate();
                    return;
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_drains_once_and_then_becomes_immediate() {
        let token = Shutdown::new(Duration::from_secs(60));
        assert!(!token.is_triggered());
        assert_eq!(token.deadline(), None);
        assert!(token.trigger());
        assert!(!token.trigger(), "the second call must not move the deadline");
        token.triggered().await;
        assert!(token.deadline().expect("draining") > Instant::now() + Duration::from_secs(50));
        assert!(!token.is_immediate());
        token.trigger_immediate();
        token.immediate().await;
        token.drained().await;
        assert!(token.deadline().expect("immediate") <= Instant::now());
        assert!(!token.trigger(), "an immediate stop does not go back to draining");
        assert!(token.is_immediate());
    }

    #[tokio::test]
    async fn the_drain_ends_at_its_deadline() {
        let token = Shutdown::new(Duration::from_millis(30));
        let began = Instant::now();
        token.trigger();
        token.drained().await;
        assert!(began.elapsed() >= Duration::from_millis(30));
        assert!(!token.is_immediate());
    }
}
