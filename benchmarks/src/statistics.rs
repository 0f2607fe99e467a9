//! Medians, percentiles and means of measurements.

/// Measurements of one thing, in seconds, sorted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn add(&mut self, seconds: f64) {
        let place = self.0.partition_point(|known| *known <= seconds);
        self.0.insert(place, seconds);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The middle one, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> Option<f64> {
        let middle = self.0.len() / 2;
        let upper = self.0.get(middle)?;
        if self.0.len() % 2 == 1 {
            return Some(*upper);
        }
        Some((self.0[middle - 1] + upper) / 2.0)
    }

    /// The smallest measurement that `percent` of all do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }

    pub(crate) fn min(&self) -> Option<f64> {
        self.0.first().copied()
    }

    pub(crate) fn max(&self) -> Option<f64> {
        self.0.last().copied()
    }

    /// Of runs that did `count` things each, how many a second they did: the median run, the
    /// slowest and the fastest.
    pub(crate) fn rates(&self, count: u64) -> [Option<f64>; 3] {
        [self.median(), self.max(), self.min()]
            .map(|seconds| seconds.map(|seconds| count as f64 / seconds))
    }
}

/// The geometric mean; `None` of nothing.
pub(crate) fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let logarithms: f64 = values.iter().map(|value| value.ln()).sum();
    Some((logarithms / values.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        let mut samples = Samples::default();
        values.iter().for_each(|value| samples.add(*value));
        samples
    }

    #[test]
    fn medians_and_percentiles_are_of_the_sorted_values() {
        assert_eq!(samples(&[3.0, 1.0, 2.0]).median(), Some(2.0));
        assert_eq!(samples(&[4.0, 1.0, 2.0, 3.0]).median(), Some(2.5));
        assert_eq!(samples(&[]).median(), None);
        let hundred = samples(&(1..=100).rev().map(f64::from).collect::<Vec<_>>());
        assert_eq!(hundred.percentile(99), Some(99.0));
        assert_eq!(hundred.percentile(50), Some(50.0));
        assert_eq!(samples(&[7.0]).percentile(99), Some(7.0));
    }

    #[test]
    fn the_fastest_run_is_the_shortest() {
        let rates = samples(&[2.0, 1.0, 4.0]).rates(8);
        assert_eq!(rates, [Some(4.0), Some(2.0), Some(8.0)]);
        assert_eq!(samples(&[]).rates(8), [None; 3]);
    }

    #[test]
    fn the_geometric_mean_is_of_ratios() {
        let mean = geometric_mean(&[0.5, 2.0]).unwrap();
        assert!((mean - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[]), None);
    }
}
