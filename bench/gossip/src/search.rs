//! The highest rate that holds: steps up or down until it is between two rates, then the middle of them, again and again.

/// The two rates are as close as is asked when one is so many times the other.
const CLOSE: f64 = 1.06;
/// No search tries more rates.
const MOST_TRIES: u32 = 12;
/// No lower rate is tried.
const LOWEST: f64 = 1.0;

/// A search that goes on.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    holds: Option<f64>,
    fails: Option<f64>,
    start: f64,
    /// How much larger or smaller the next rate is before it is between two.
    step: f64,
    tries: u32,
}

impl Search {
    pub(crate) fn new(start: f64, step: f64) -> Self {
        Self { holds: None, fails: None, start: start.max(LOWEST), step, tries: 0 }
    }

    /// What to try next; `None` when the search is over.
    pub(crate) fn next(&self) -> Option<f64> {
        if self.tries >= MOST_TRIES {
            return None;
        }
        match (self.holds, self.fails) {
            (None, None) => Some(self.start),
            (Some(holds), None) => Some(holds * self.step),
            (None, Some(fails)) => Some(fails / self.step).filter(|rate| *rate >= LOWEST),
            (Some(holds), Some(fails)) => (fails / holds > CLOSE).then(|| (holds * fails).sqrt()),
        }
    }

    /// What came of a rate.
    pub(crate) fn tell(&mut self, rate: f64, holds: bool) {
        self.tries += 1;
        let best = if holds { &mut self.holds } else { &mut self.fails };
        *best = Some(rate);
    }

    /// The highest rate that held.
    pub(crate) fn best(&self) -> Option<f64> {
        self.holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(limit: f64, start: f64, step: f64) -> (Option<f64>, u32) {
        let mut search = Search::new(start, step);
        while let Some(rate) = search.next() {
            search.tell(rate, rate <= limit);
        }
        (search.best(), search.tries)
    }

    #[test]
    fn the_limit_is_found_from_below_and_from_above() {
        for limit in [20.0, 91.0, 300.0, 1_000.0] {
            for start in [10.0, 100.0, 900.0] {
                let (found, tries) = find(limit, start, 2.0);
                let found = found.unwrap();
                assert!(found <= limit && found * CLOSE >= limit * 0.98, "{limit} from {start}: {found} in {tries}");
            }
        }
    }

    #[test]
    fn nothing_holds_and_everything_holds_end_as_well() {
        assert_eq!(find(0.0, 100.0, 2.0).0, None);
        assert_eq!(find(f64::INFINITY, 100.0, 2.0).1, MOST_TRIES);
    }
}
