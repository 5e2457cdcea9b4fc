//! Bytes that no node would send, to both sides: never a panic, never a wait beyond the limit, never let in.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// Attempts in every run.
const ATTEMPTS: u64 = 20_000;

/// Numbers of a seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 7
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Sound bytes with some of them changed, cut, repeated or put in; or, one time in eight, none of them.
fn broken(numbers: &mut Numbers, sound: &[u8]) -> Vec<u8> {
    if numbers.below(8) == 0 {
        return (0..numbers.below(300)).map(|_| numbers.next() as u8).collect();
    }
    let mut bytes = sound.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len().max(1));
        match numbers.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), numbers.next() as u8),
            2 => bytes.extend_from_within(at.min(bytes.len())..),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
        }
    }
    bytes
}

#[tokio::test(start_paused = true)]
async fn broken_bytes_let_nobody_in_and_hold_nobody_up() {
    let membership = Membership::new("forebay", &[b'a'; 32]).unwrap();
    for seed in 0..ATTEMPTS {
        let numbers = &mut Numbers(seed);
        let (mut near, mut far) = duplex(4096);
        let begun = tokio::time::Instant::now();
        let closes = numbers.below(2) == 0;
        if numbers.below(2) == 0 {
            let hello = hello(&membership, Lane::Raft, &[1; 32]);
            // A proof of the right length that nobody made.
            let sound = [hello, vec![7; PROOF_BYTES]].concat();
            near.write_all(&broken(numbers, &sound)).await.unwrap();
            if closes {
                near.shutdown().await.unwrap();
            }
            let outcome = accept(&mut far, &membership, [2; 32]).await;
            assert!(outcome.is_err(), "seed {seed}: {outcome:?}");
        } else {
            let mut sound = vec![0; CHALLENGE_BYTES + VERDICT_BYTES];
            sound[2] = VERSION as u8;
            far.write_all(&broken(numbers, &sound)).await.unwrap();
            if closes {
                far.shutdown().await.unwrap();
            }
            let outcome = dial(&mut near, &membership, Lane::Raft, [1; 32]).await;
            assert!(outcome.is_err(), "seed {seed}: {outcome:?}");
            let mut sent = Vec::new();
            drop(near);
            far.read_to_end(&mut sent).await.unwrap();
            assert!(sent.len() <= HEAD_BYTES + 7 + NONCE_BYTES + PROOF_BYTES, "seed {seed}");
        }
        assert!(begun.elapsed() <= LIMIT, "seed {seed}");
    }
}
