//! Numbers that look random and can be had again.

use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator of our own: the same seed gives the same numbers for ever.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`, of which there is at least one.
    pub fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        usize::try_from(z % sides as u64).unwrap_or(0)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).unwrap_or(0)
    }

    /// One of several texts.
    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.roll(choices.len())]
    }
}

/// `WATERBUCK_SEED`, else one that differs from run to run; to be printed with a failure.
pub fn seed() -> u64 {
    let named = std::env::var("WATERBUCK_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|time| time.as_secs());
    named.unwrap_or_else(|| now.unwrap_or_default())
}
