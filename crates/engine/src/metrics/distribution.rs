//! How values are distributed: counts of narrow buckets.
//!
//! # Promises
//! - A percentile is off by no more than the width of its bucket: of durations a third at most.
//! - The counts up to a bound of the table are exact.
//!
//! Proof: the tests below.

/// Bounds of durations in microseconds: ten for each factor of ten, from 0.1 ms to eleven days.
const DURATIONS: [u64; 101] = durations();

/// Bounds of sizes: powers of two.
const SIZES: [u64; 14] = {
    let mut bounds = [1; 14];
    let mut at = 1;
    while at < bounds.len() {
        bounds[at] = bounds[at - 1] * 2;
        at += 1;
    }
    bounds
};

const fn durations() -> [u64; 101] {
    let steps = [10, 12, 15, 20, 25, 30, 40, 50, 60, 80];
    let mut bounds = [0; 101];
    let (mut at, mut unit) = (0, 10);
    while at < 100 {
        bounds[at] = steps[at % 10] * unit;
        at += 1;
        if at % 10 == 0 {
            unit *= 10;
        }
    }
    bounds[100] = 10 * unit;
    bounds
}

/// How often which values were seen.
#[derive(Clone, Debug)]
pub struct Distribution {
    bounds: &'static [u64],
    /// By bound, as far as there are any; the last one may be of what is above all bounds.
    counts: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Distribution {
    /// Of durations, in microseconds.
    pub const fn of_durations() -> Self {
        Self { bounds: &DURATIONS, counts: Vec::new(), count: 0, sum: 0, max: 0 }
    }

    /// Of sizes.
    pub const fn of_sizes() -> Self {
        Self { bounds: &SIZES, counts: Vec::new(), count: 0, sum: 0, max: 0 }
    }

    /// One more value.
    pub fn observe(&mut self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    /// All values of another one, of the same kind.
    pub fn merge(&mut self, other: &Distribution) {
        debug_assert_eq!(self.bounds.len(), other.bounds.len(), "durations and sizes are mixed");
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// What came after `earlier`, which is this one as it was then. The greatest value is known as
    /// well as its bucket, if greater ones had been before.
    pub fn since(&self, earlier: &Distribution) -> Self {
        debug_assert_eq!(self.bounds.len(), earlier.bounds.len(), "durations and sizes are mixed");
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(before).map(|(count, before)| count - before);
        let counts: Vec<u64> = counts.collect();
        let last = counts.iter().rposition(|count| *count > 0);
        let bound = last.map_or(0, |at| self.bounds.get(at).copied().unwrap_or(self.max));
        Self {
            bounds: self.bounds,
            count: self.count - earlier.count,
            sum: self.sum.saturating_sub(earlier.sum),
            max: if self.max > earlier.max { self.max } else { bound.min(self.max) },
            counts,
        }
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All of them together.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The greatest one; 0 if there was none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// How many values there were up to this bound, which is one of the table.
    pub fn up_to(&self, bound: u64) -> u64 {
        debug_assert!(self.bounds.contains(&bound), "{bound} is in the middle of a bucket");
        let at = self.bounds.partition_point(|other| *other <= bound);
        self.counts.iter().take(at).sum()
    }

    /// The value that this part of all does not exceed, between 0 and 1; 0 if there was none.
    pub fn percentile(&self, part: f64) -> f64 {
        let wanted = (self.count as f64 * part).max(1.0);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            if (seen + count) as f64 >= wanted && *count > 0 {
                let low = if at == 0 { 0 } else { self.bounds[at - 1] };
                let high = self.bounds.get(at).copied().unwrap_or(self.max).min(self.max);
                let within = (wanted - seen as f64) / *count as f64;
                return low as f64 + (high.saturating_sub(low)) as f64 * within;
            }
            seen += count;
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bounds_grow_from_a_tenth_of_a_millisecond_to_eleven_days() {
        assert!(DURATIONS.is_sorted_by(|one, next| one < next));
        assert_eq!((DURATIONS[0], DURATIONS[10]), (100, 1_000));
        assert_eq!(DURATIONS[100], 1_000_000_000_000);
        assert_eq!(SIZES[13], 8_192);
    }

    #[test]
    fn nothing_was_seen_yet() {
        let none = Distribution::of_durations();
        assert_eq!((none.count(), none.max(), none.percentile(0.5)), (0, 0, 0.0));
    }

    #[test]
    fn a_value_that_is_a_bound_is_up_to_it() {
        let mut seen = Distribution::of_durations();
        [5_000, 5_001].into_iter().for_each(|value| seen.observe(value));
        assert_eq!((seen.up_to(5_000), seen.up_to(10_000)), (1, 2));
    }

    #[test]
    fn the_greatest_of_what_came_later_is_as_exact_as_its_bucket() {
        let of = |values: &[u64]| {
            let mut seen = Distribution::of_durations();
            values.iter().for_each(|value| seen.observe(*value));
            seen
        };
        let earlier = of(&[700, 9_000]);
        assert_eq!(of(&[700, 9_000, 10_001]).since(&earlier).max(), 10_001);
        let later = of(&[700, 9_000, 701]).since(&earlier);
        assert_eq!((later.count(), later.sum(), later.max()), (1, 701, 800));
        let none = earlier.since(&earlier);
        assert_eq!((none.count(), none.max(), none.percentile(0.99)), (0, 0, 0.0));
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_values_within_a_bucket(
            mut values in prop::collection::vec(100_u64..10_000_000_000, 1..200),
            part in 0.01_f64..1.0,
        ) {
            let mut seen = Distribution::of_durations();
            values.iter().for_each(|value| seen.observe(*value));
            values.sort_unstable();
            let rank = ((values.len() as f64 * part).ceil() as usize).max(1);
            let (told, exact) = (seen.percentile(part), values[rank - 1] as f64);
            prop_assert!(told <= exact * 1.34 && told >= exact * 0.74, "{told} for {exact}");
        }

        #[test]
        fn two_that_are_merged_are_one_that_saw_both(
            one in prop::collection::vec(0_u64..u64::MAX, 0..50),
            other in prop::collection::vec(0_u64..u64::MAX, 0..50),
        ) {
            let of = |values: &[u64]| {
                let mut seen = Distribution::of_durations();
                values.iter().for_each(|value| seen.observe(*value));
                seen
            };
            let mut merged = of(&one);
            merged.merge(&of(&other));
            let both = of(&[&one[..], &other[..]].concat());
            prop_assert_eq!(merged.count(), both.count());
            prop_assert_eq!((merged.sum(), merged.max()), (both.sum(), both.max()));
            prop_assert_eq!(merged.percentile(0.9), both.percentile(0.9));
            let (later, alone) = (both.since(&of(&one)), of(&other));
            prop_assert_eq!(later.count(), alone.count());
            for bound in DURATIONS {
                prop_assert_eq!(later.up_to(bound), alone.up_to(bound));
            }
        }
    }
}
