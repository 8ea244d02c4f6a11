//! A least and a greatest value.

/// Bounds, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<T> {
    /// The least.
    pub low: T,
    /// The greatest.
    pub high: T,
}

impl<T: PartialOrd + Copy> Range<T> {
    /// Whether a value is within the bounds.
    pub fn has(&self, value: T) -> bool {
        self.low <= value && value <= self.high
    }
}
