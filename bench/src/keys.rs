//! Which key comes next. Seeded, so that two targets see the same keys in the same order.

/// A small generator of evenly spread random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    state: u64,
    count: u64,
}

impl Keys {
    /// Keys 0 to `count - 1`, from a seed.
    pub(crate) fn new(seed: u64, count: u64) -> Keys {
        Keys { state: seed, count: count.max(1) }
    }

    /// The next key, drawn evenly.
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * u128::from(self.count)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn every_key_is_drawn_about_as_often() {
        let (mut keys, mut seen) = (Keys::new(7, 100), [0u32; 100]);
        for _ in 0..100_000 {
            seen[keys.draw() as usize] += 1;
        }
        assert!(seen.iter().all(|times| (800..1200).contains(times)), "{seen:?}");
    }
}
