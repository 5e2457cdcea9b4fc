//! The first bytes between two nodes: each proves that it knows the cluster's secret, without sending it.
//!
//! ```text
//! dialler                                             acceptor
//!   hello      magic, versions, lane, group, nonce ─▶
//!              ◀─ challenge      status, version, nonce
//!   answer     proof ─▶
//!              ◀─ verdict        status, proof
//! ```
//!
//! A proof is HMAC-SHA256, keyed by the secret, over who gives it (dialler or acceptor), the whole hello and the whole challenge:
//! so over both nonces, the lane, the group and the versions offered and chosen. Nothing that was said once is of use
//! again, on another lane, or in the other direction. The dialler proves itself first, so that whoever merely connects learns
//! nothing that was made with the secret.
//!
//! A dialler that there is no place for is told so in the verdict: what it sends after a good one may have been read, and whether
//! it had an effect it could not tell.
//!
//! Bounded: each message has one length but for the group's name, and all of it must be done within [`LIMIT`]. Nothing is
//! read beyond the last message. Whoever accepts bounds how many of these are under way. A stream that got an error here is of no further use.

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use ring::hmac;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::secret::{GROUP_BYTES_MAX, Membership};

/// Longest a handshake may take, silence of the peer included.
pub const LIMIT: Duration = Duration::from_secs(5);
/// The version of what is said after the handshake, and of the handshake itself.
pub const VERSION: u16 = 1;
/// The oldest version that this program still speaks.
pub const OLDEST: u16 = 1;

/// What begins every hello.
const MAGIC: &[u8; 8] = b"forebay\x01";
const NONCE_BYTES: usize = 32;
const PROOF_BYTES: usize = 32;
/// A hello up to the group's name: magic, oldest and newest version, lane, length of the name.
const HEAD_BYTES: usize = MAGIC.len() + 2 + 2 + 1 + 1;
const CHALLENGE_BYTES: usize = 1 + 2 + NONCE_BYTES;
const VERDICT_BYTES: usize = 1 + PROOF_BYTES;

/// Random bytes that are used once.
pub type Nonce = [u8; NONCE_BYTES];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Messages of the replicated log.
    Raft,
    /// Requests that one node passes on to another.
    Forward,
    /// Questions about the cluster, and changes to it.
    Control,
    /// Leases to answer from memory.
    Lease,
}

impl Lane {
    const fn byte(self) -> u8 {
        match self {
            Lane::Raft => 1,
            Lane::Forward => 2,
            Lane::Control => 3,
            Lane::Lease => 4,
        }
    }

    const fn of(byte: u8) -> Option<Lane> {
        match byte {
            1 => Some(Lane::Raft),
            2 => Some(Lane::Forward),
            3 => Some(Lane::Control),
            4 => Some(Lane::Lease),
            _ => None,
        }
    }
}

/// Why two nodes do not speak to each other. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It knows another secret.
    #[error("the peer has another cluster secret; give every node the same [cluster] secret_file")]
    WrongSecret,
    /// It belongs to another cluster.
    #[error("the peer belongs to another cluster; check [cluster] name and nodes on both")]
    OtherGroup,
    /// No version that both speak.
    #[error(
        "the peer speaks another version of the protocol between nodes; this node speaks {OLDEST} to {VERSION}; upgrade one \
         minor version at a time"
    )]
    OtherVersion,
    /// What it asks for does not exist here.
    #[error("the peer asks for a kind of connection that this version does not know; upgrade this node")]
    UnknownLane,
    /// It has too much to do, or is about to stop.
    #[error(
        "the peer has no place for this connection: too many wait there, or it starts or stops just now; try again"
    )]
    Busy,
    /// It said something that no node says.
    #[error(
        "the peer is not a node of Forebay; check that the address names a peer port, and that both sides use TLS or neither does"
    )]
    NotANode,
    /// It was silent.
    #[error("the peer did not finish the handshake within {LIMIT:?}; check the network between the nodes")]
    Silent,
    /// The connection failed.
    #[error("the connection failed during the handshake: {0}")]
    Io(#[from] io::Error),
}

impl Refusal {
    /// Whether it is met again until somebody changes a setting or a program.
    pub fn is_lasting(&self) -> bool {
        match self {
            Refusal::WrongSecret
            | Refusal::OtherGroup
            | Refusal::OtherVersion
            | Refusal::UnknownLane
            | Refusal::NotANode => true,
            Refusal::Busy | Refusal::Silent | Refusal::Io(_) => false,
        }
    }
}

/// The status byte of a challenge or a verdict where nothing is refused.
const FINE: u8 = 0;

/// What stands in the status byte where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    WrongSecret,
    OtherGroup,
    OtherVersion,
    UnknownLane,
    Busy,
}

impl Status {
    const fn byte(self) -> u8 {
        match self {
            Status::WrongSecret => 1,
            Status::OtherGroup => 2,
            Status::OtherVersion => 3,
            Status::UnknownLane => 4,
            Status::Busy => 5,
        }
    }

    /// What a dialler makes of the byte.
    fn judge(byte: u8) -> Result<(), Refusal> {
        Err(match byte {
            FINE => return Ok(()),
            1 => Refusal::WrongSecret,
            2 => Refusal::OtherGroup,
            3 => Refusal::OtherVersion,
            4 => Refusal::UnknownLane,
            5 => Refusal::Busy,
            _ => Refusal::NotANode,
        })
    }

    fn refusal(self) -> Refusal {
        match Status::judge(self.byte()) {
            Err(refusal) => refusal,
            Ok(()) => Refusal::NotANode,
        }
    }
}

/// Who gives a proof.
#[derive(Debug, Clone, Copy)]
enum Side {
    Dialler,
    Acceptor,
}

impl Side {
    const fn label(self) -> &'static [u8] {
        match self {
            Side::Dialler => b"forebay peer dialler\0",
            Side::Acceptor => b"forebay peer acceptor\0",
        }
    }
}

/// Both messages that a proof covers.
struct Said<'a> {
    hello: &'a [u8],
    challenge: &'a [u8],
}

impl Said<'_> {
    fn bytes(&self, side: Side) -> Vec<u8> {
        // The hello has its own length in it, so that no byte of one part can pass for another's.
        [side.label(), self.hello, self.challenge].concat()
    }

    fn proof(&self, membership: &Membership, side: Side) -> hmac::Tag {
        hmac::sign(membership.key(), &self.bytes(side))
    }

    /// In constant time.
    fn holds(&self, membership: &Membership, side: Side, proof: &[u8]) -> bool {
        hmac::verify(membership.key(), &self.bytes(side), proof).is_ok()
    }
}

fn hello(membership: &Membership, lane: Lane, nonce: &Nonce) -> Vec<u8> {
    let group = membership.group().as_bytes();
    let length = u8::try_from(group.len()).expect("a membership has a name of 64 bytes at most");
    let mut hello = Vec::with_capacity(HEAD_BYTES + group.len() + NONCE_BYTES);
    hello.extend_from_slice(MAGIC);
    hello.extend_from_slice(&OLDEST.to_be_bytes());
    hello.extend_from_slice(&VERSION.to_be_bytes());
    hello.extend_from_slice(&[lane.byte(), length]);
    hello.extend_from_slice(group);
    hello.extend_from_slice(nonce);
    hello
}

/// The dialler's side, on a fresh connection. `nonce` is random, and used for this alone. Answers the version both speak.
pub async fn dial<S>(
    stream: &mut S,
    membership: &Membership,
    lane: Lane,
    nonce: Nonce,
) -> Result<u16, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio::time::timeout(LIMIT, dial_unbounded(stream, membership, lane, nonce))
        .await
        .map_err(|_| Refusal::Silent)?
}

async fn dial_unbounded<S>(
    stream: &mut S,
    membership: &Membership,
    lane: Lane,
    nonce: Nonce,
) -> Result<u16, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let hello = hello(membership, lane, &nonce);
    send(stream, &hello).await?;
    let mut challenge = [0; CHALLENGE_BYTES];
    stream.read_exact(&mut challenge).await?;
    Status::judge(challenge[0])?;
    let version = u16::from_be_bytes([challenge[1], challenge[2]]);
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(Refusal::NotANode);
    }
    let said = Said { hello: &hello, challenge: &challenge };
    send(stream, said.proof(membership, Side::Dialler).as_ref()).await?;
    let mut verdict = [0; VERDICT_BYTES];
    stream.read_exact(&mut verdict).await?;
    Status::judge(verdict[0])?;
    if !said.holds(membership, Side::Acceptor, &verdict[1..]) {
        return Err(Refusal::WrongSecret);
    }
    Ok(version)
}

/// The acceptor's side, on a fresh connection. `nonce` is random, and used for this alone. Answers what the connection is for,
/// and the version both speak. A dialler that is refused is told why.
pub async fn accept<S>(stream: &mut S, membership: &Membership, nonce: Nonce) -> Result<(Lane, u16), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_where(stream, membership, nonce, Some).await
}

/// The same where there is a place for the connection: `place` is asked for one once the dialler has proved who it is. `None` is
/// told as [`Refusal::Busy`], so that the dialler knows that it has said nothing yet.
pub async fn accept_where<S, P>(
    stream: &mut S,
    membership: &Membership,
    nonce: Nonce,
    place: impl FnOnce(Lane) -> Option<P>,
) -> Result<(P, u16), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio::time::timeout(LIMIT, accept_unbounded(stream, membership, nonce, place))
        .await
        .map_err(|_| Refusal::Silent)?
}

/// Refuses a connection before a word of it is read, because too many handshakes are under way. Within [`LIMIT`].
pub async fn turn_away<S: AsyncWrite + Unpin>(stream: &mut S) -> Result<(), Refusal> {
    let mut challenge = [0; CHALLENGE_BYTES];
    challenge[0] = Status::Busy.byte();
    tokio::time::timeout(LIMIT, send(stream, &challenge)).await.map_err(|_| Refusal::Silent)??;
    Ok(())
}

async fn accept_unbounded<S, P>(
    stream: &mut S,
    membership: &Membership,
    nonce: Nonce,
    place: impl FnOnce(Lane) -> Option<P>,
) -> Result<(P, u16), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut hello = [0; HEAD_BYTES + GROUP_BYTES_MAX + NONCE_BYTES];
    stream.read_exact(&mut hello[..HEAD_BYTES]).await?;
    let (offered, lane, name_bytes) = head(&hello)?;
    let length = HEAD_BYTES + name_bytes + NONCE_BYTES;
    stream.read_exact(&mut hello[HEAD_BYTES..length]).await?;
    let hello = &hello[..length];

    let group = &hello[HEAD_BYTES..HEAD_BYTES + name_bytes];
    // What version is spoken comes first: another one may know other lanes.
    let judged = match (offered, lane) {
        (Some(version), Some(lane)) if group == membership.group().as_bytes() => Ok((lane, version)),
        (None, _) => Err(Status::OtherVersion),
        (Some(_), None) => Err(Status::UnknownLane),
        (Some(_), Some(_)) => Err(Status::OtherGroup),
    };
    let mut challenge = [0; CHALLENGE_BYTES];
    let (lane, version) = match judged {
        Ok(judged) => judged,
        Err(status) => {
            challenge[0] = status.byte();
            send(stream, &challenge).await?;
            return Err(status.refusal());
        }
    };
    challenge[1..3].copy_from_slice(&version.to_be_bytes());
    challenge[3..].copy_from_slice(&nonce);
    send(stream, &challenge).await?;

    let said = Said { hello, challenge: &challenge };
    let mut proof = [0; PROOF_BYTES];
    stream.read_exact(&mut proof).await?;
    let mut verdict = [0; VERDICT_BYTES];
    if !said.holds(membership, Side::Dialler, &proof) {
        verdict[0] = Status::WrongSecret.byte();
        send(stream, &verdict).await?;
        return Err(Refusal::WrongSecret);
    }
    let Some(place) = place(lane) else {
        verdict[0] = Status::Busy.byte();
        send(stream, &verdict).await?;
        return Err(Refusal::Busy);
    };
    verdict[1..].copy_from_slice(said.proof(membership, Side::Acceptor).as_ref());
    send(stream, &verdict).await?;
    Ok((place, version))
}

/// The version to speak, the lane and the length of the group's name, from the head of a hello; of the first two none where
/// there is none that this program knows. Errors: it is no hello.
fn head(hello: &[u8]) -> Result<(Option<u16>, Option<Lane>, usize), Refusal> {
    let (magic, rest) = hello.split_at(MAGIC.len());
    let &[oldest_high, oldest_low, newest_high, newest_low, lane, length, ..] = rest else {
        return Err(Refusal::NotANode);
    };
    let oldest = u16::from_be_bytes([oldest_high, oldest_low]);
    let newest = u16::from_be_bytes([newest_high, newest_low]);
    let name_bytes = usize::from(length);
    if magic != MAGIC || oldest > newest || !(1..=GROUP_BYTES_MAX).contains(&name_bytes) {
        return Err(Refusal::NotANode);
    }
    let version = newest.min(VERSION);
    Ok(((version >= oldest.max(OLDEST)).then_some(version), Lane::of(lane), name_bytes))
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}
