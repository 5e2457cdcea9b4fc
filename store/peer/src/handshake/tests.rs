//! Two nodes, and whoever stands between or poses as one.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

fn of(group: &str, secret: u8) -> Membership {
    Membership::new(group, &[secret; 32]).unwrap()
}

fn ours() -> Membership {
    of("forebay", b'a')
}

type Outcome = (Result<u16, Refusal>, Result<(Lane, u16), Refusal>);

/// Both sides of one handshake.
async fn meet(dialler: &Membership, acceptor: &Membership, lane: Lane) -> Outcome {
    let (mut near, mut far) = duplex(16);
    let dialling = async {
        let outcome = dial(&mut near, dialler, lane, [1; 32]).await;
        drop(near);
        outcome
    };
    tokio::join!(dialling, accept(&mut far, acceptor, [2; 32]))
}

#[tokio::test]
async fn two_nodes_of_one_cluster_agree_on_lane_and_version_and_read_nothing_of_what_follows() {
    for lane in [Lane::Raft, Lane::Forward, Lane::Control] {
        let (mut near, mut far) = duplex(4096);
        let dialling = async {
            assert_eq!(dial(&mut near, &ours(), lane, [1; 32]).await.unwrap(), VERSION);
            near.write_all(b"next").await.unwrap();
        };
        let accepting = async {
            assert_eq!(accept(&mut far, &ours(), [2; 32]).await.unwrap(), (lane, VERSION));
            let mut next = [0; 4];
            far.read_exact(&mut next).await.unwrap();
            assert_eq!(&next, b"next");
        };
        tokio::join!(dialling, accepting);
    }
}

#[tokio::test]
async fn another_secret_or_cluster_is_refused_on_both_sides() {
    let (dialled, accepted) = meet(&of("forebay", b'b'), &ours(), Lane::Raft).await;
    assert!(matches!((dialled, accepted), (Err(Refusal::WrongSecret), Err(Refusal::WrongSecret))));
    let (dialled, accepted) = meet(&of("other", b'a'), &ours(), Lane::Raft).await;
    assert!(matches!((dialled, accepted), (Err(Refusal::OtherGroup), Err(Refusal::OtherGroup))));
}

/// Says `bytes` to an acceptor and answers what both made of it: the acceptor's outcome, and the status byte it sent.
async fn say(bytes: &[u8]) -> (Refusal, Option<u8>) {
    let (mut near, mut far) = duplex(4096);
    near.write_all(bytes).await.unwrap();
    near.shutdown().await.unwrap();
    let refusal = accept(&mut far, &ours(), [2; 32]).await.unwrap_err();
    drop(far);
    let mut said = Vec::new();
    near.read_to_end(&mut said).await.unwrap();
    (refusal, said.first().copied())
}

#[tokio::test]
async fn another_version_or_lane_is_refused_with_a_reason_and_no_challenge() {
    let mut newer = hello(&ours(), Lane::Raft, &[1; 32]);
    newer[8..12].copy_from_slice(&[0, VERSION as u8 + 1, 0, VERSION as u8 + 3]);
    assert!(matches!(say(&newer).await, (Refusal::OtherVersion, Some(3))));
    let mut older = hello(&ours(), Lane::Raft, &[1; 32]);
    older[8..12].copy_from_slice(&[0, 0, 0, OLDEST as u8 - 1]);
    assert!(matches!(say(&older).await, (Refusal::OtherVersion, Some(3))));
    let mut lane = hello(&ours(), Lane::Raft, &[1; 32]);
    lane[12] = 9;
    assert!(matches!(say(&lane).await, (Refusal::UnknownLane, Some(4))));
}

#[tokio::test]
async fn a_newer_node_that_still_speaks_our_version_is_answered_in_it() {
    let mut spanning = hello(&ours(), Lane::Raft, &[1; 32]);
    spanning[10..12].copy_from_slice(&(VERSION + 7).to_be_bytes());
    let (mut near, mut far) = duplex(4096);
    near.write_all(&spanning).await.unwrap();
    let accepting = tokio::spawn(async move { accept(&mut far, &ours(), [2; 32]).await });
    let mut challenge = [0; CHALLENGE_BYTES];
    near.read_exact(&mut challenge).await.unwrap();
    assert_eq!((challenge[0], u16::from_be_bytes([challenge[1], challenge[2]])), (0, VERSION));
    let proof = Said { hello: &spanning, challenge: &challenge }.proof(&ours(), Side::Dialler);
    near.write_all(proof.as_ref()).await.unwrap();
    assert_eq!(accepting.await.unwrap().unwrap(), (Lane::Raft, VERSION));
}

#[tokio::test]
async fn a_range_of_versions_cannot_be_narrowed_on_the_way() {
    // Whoever changes what was offered changes what the proof is about.
    let (mut near, mut middle_near) = duplex(4096);
    let (mut middle_far, mut far) = duplex(4096);
    let middle = async move {
        let mut hello = vec![0; HEAD_BYTES + 7 + NONCE_BYTES];
        middle_near.read_exact(&mut hello).await.unwrap();
        hello[8..10].copy_from_slice(&0u16.to_be_bytes());
        middle_far.write_all(&hello).await.unwrap();
        tokio::io::copy_bidirectional(&mut middle_near, &mut middle_far).await.unwrap();
    };
    let ends = async {
        let dialling = async {
            let outcome = dial(&mut near, &ours(), Lane::Raft, [1; 32]).await;
            drop(near);
            outcome
        };
        let accepting = async {
            let outcome = accept(&mut far, &ours(), [2; 32]).await;
            drop(far);
            outcome
        };
        tokio::join!(dialling, accepting)
    };
    let ((), (dialled, accepted)) = tokio::join!(middle, ends);
    assert!(matches!((dialled, accepted), (Err(Refusal::WrongSecret), Err(Refusal::WrongSecret))));
}

/// What a dialler said in a handshake that went well, as somebody on the way heard it.
async fn overheard() -> (Vec<u8>, Vec<u8>) {
    let (mut near, mut far) = duplex(4096);
    let hello = hello(&ours(), Lane::Forward, &[1; 32]);
    let accepting = tokio::spawn(async move { accept(&mut far, &ours(), [2; 32]).await });
    near.write_all(&hello).await.unwrap();
    let mut challenge = [0; CHALLENGE_BYTES];
    near.read_exact(&mut challenge).await.unwrap();
    let proof = Said { hello: &hello, challenge: &challenge }.proof(&ours(), Side::Dialler);
    near.write_all(proof.as_ref()).await.unwrap();
    accepting.await.unwrap().unwrap();
    (hello, proof.as_ref().to_vec())
}

#[tokio::test]
async fn what_was_said_once_is_of_no_use_again() {
    let (hello, proof) = overheard().await;
    let (mut near, mut far) = duplex(4096);
    near.write_all(&hello).await.unwrap();
    near.write_all(&proof).await.unwrap();
    assert!(matches!(accept(&mut far, &ours(), [3; 32]).await, Err(Refusal::WrongSecret)));
}

#[tokio::test]
async fn a_proof_for_one_lane_opens_no_other() {
    let (mut hello, proof) = overheard().await;
    hello[12] = Lane::Raft.byte();
    let (mut near, mut far) = duplex(4096);
    near.write_all(&hello).await.unwrap();
    near.write_all(&proof).await.unwrap();
    // The same nonce even: only the lane differs.
    assert!(matches!(accept(&mut far, &ours(), [2; 32]).await, Err(Refusal::WrongSecret)));
}

/// One who does not know the secret and poses as the acceptor, sending back to the dialler what the dialler proves.
async fn reflect(mut stream: DuplexStream) {
    let mut hello = vec![0; HEAD_BYTES + 7 + NONCE_BYTES];
    stream.read_exact(&mut hello).await.unwrap();
    let mut challenge = [0; CHALLENGE_BYTES];
    challenge[1..3].copy_from_slice(&VERSION.to_be_bytes());
    challenge[3..].copy_from_slice(&hello[HEAD_BYTES + 7..]);
    stream.write_all(&challenge).await.unwrap();
    let mut proof = [0; PROOF_BYTES];
    stream.read_exact(&mut proof).await.unwrap();
    stream.write_all(&[0]).await.unwrap();
    stream.write_all(&proof).await.unwrap();
}

#[tokio::test]
async fn a_proof_sent_back_to_its_maker_proves_nothing() {
    let (mut near, far) = duplex(4096);
    let membership = ours();
    let (dialled, ()) = tokio::join!(dial(&mut near, &membership, Lane::Raft, [1; 32]), reflect(far));
    assert!(matches!(dialled, Err(Refusal::WrongSecret)));
}

#[tokio::test]
async fn whoever_accepts_proves_itself_too() {
    let (mut near, mut far) = duplex(4096);
    let posing = async {
        let mut heard = vec![0; HEAD_BYTES + 7 + NONCE_BYTES];
        far.read_exact(&mut heard).await.unwrap();
        let mut challenge = [0; CHALLENGE_BYTES];
        challenge[1..3].copy_from_slice(&VERSION.to_be_bytes());
        far.write_all(&challenge).await.unwrap();
        let mut proof = [0; PROOF_BYTES];
        far.read_exact(&mut proof).await.unwrap();
        far.write_all(&[0; VERDICT_BYTES]).await.unwrap();
    };
    let membership = ours();
    let (dialled, ()) = tokio::join!(dial(&mut near, &membership, Lane::Raft, [1; 32]), posing);
    assert!(matches!(dialled, Err(Refusal::WrongSecret)));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_time_on_both_sides_wherever_it_begins() {
    let begun = tokio::time::Instant::now();
    let (mut near, mut far) = duplex(4096);
    assert!(matches!(dial(&mut near, &ours(), Lane::Raft, [1; 32]).await, Err(Refusal::Silent)));
    assert_eq!(begun.elapsed(), LIMIT);
    // The hello is there; the proof never comes.
    assert!(matches!(accept(&mut far, &ours(), [2; 32]).await, Err(Refusal::Silent)));
    let (_near, mut far) = duplex(4096);
    assert!(matches!(accept(&mut far, &ours(), [2; 32]).await, Err(Refusal::Silent)));
    assert_eq!(begun.elapsed(), 3 * LIMIT);
    // One byte a second is silence, too.
    let (mut near, mut far) = duplex(4096);
    let slow = async {
        for byte in hello(&ours(), Lane::Raft, &[1; 32]) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            near.write_all(&[byte]).await.unwrap();
        }
    };
    let membership = ours();
    tokio::select! {
        outcome = accept(&mut far, &membership, [2; 32]) => assert!(matches!(outcome, Err(Refusal::Silent))),
        () = slow => panic!("it was waited for"),
    }
}

#[tokio::test]
async fn what_is_no_hello_gets_no_answer_and_what_is_no_answer_is_named() {
    for garbage in [
        &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0],
    ] {
        assert!(matches!(say(garbage).await, (Refusal::NotANode, None)));
    }
    let mut long = hello(&ours(), Lane::Raft, &[1; 32]);
    long[13] = 65;
    assert!(matches!(say(&long).await, (Refusal::NotANode, None)));
    assert!(matches!(say(&hello(&ours(), Lane::Raft, &[1; 32])[..20]).await, (Refusal::Io(_), None)));

    let (mut near, mut far) = duplex(4096);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert!(matches!(dial(&mut near, &ours(), Lane::Raft, [1; 32]).await, Err(Refusal::NotANode)));
}

#[tokio::test]
async fn whoever_is_turned_away_is_told_to_try_again() {
    let (mut near, mut far) = duplex(4096);
    turn_away(&mut far).await.unwrap();
    assert!(matches!(dial(&mut near, &ours(), Lane::Raft, [1; 32]).await, Err(Refusal::Busy)));
}

#[tokio::test]
async fn whoever_there_is_no_place_for_is_told_before_it_says_more() {
    for lane in [Lane::Raft, Lane::Forward, Lane::Control] {
        let (mut near, mut far) = duplex(4096);
        let (us, mut asked) = (ours(), None);
        let place = |lane| {
            asked = Some(lane);
            None::<()>
        };
        let accepting = accept_where(&mut far, &us, [2; 32], place);
        let (dialled, accepted) = tokio::join!(dial(&mut near, &us, lane, [1; 32]), accepting);
        assert!(matches!((dialled, accepted), (Err(Refusal::Busy), Err(Refusal::Busy))));
        assert_eq!(asked, Some(lane));
    }
    // Nobody else learns whether there is one.
    let (mut near, mut far) = duplex(4096);
    let (us, they) = (ours(), of("forebay", b'b'));
    let accepting = accept_where(&mut far, &us, [2; 32], |_| -> Option<()> { panic!("it proved nothing") });
    let (dialled, accepted) = tokio::join!(dial(&mut near, &they, Lane::Raft, [1; 32]), accepting);
    assert!(matches!((dialled, accepted), (Err(Refusal::WrongSecret), Err(Refusal::WrongSecret))));
}
