//! The wall clock, as far as the driver has told it.

use crate::Micros;

/// Turns `now`, which never goes back, into the wall clock, which may be set.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    now: Micros,
    wall: Micros,
}

impl Clock {
    /// The wall clock said `wall` at `now`.
    pub(crate) fn set(&mut self, now: Micros, wall: Micros) {
        (self.now, self.wall) = (now, wall);
    }

    /// What the wall clock says at `now`.
    pub(crate) fn wall(&self, now: Micros) -> Micros {
        self.wall + now.since(self.now)
    }

    /// When, by `now`, the wall clock will say `wall`; in the past when it said so already.
    pub(crate) fn when(&self, wall: Micros) -> Micros {
        if wall >= self.wall { self.now + wall.since(self.wall) } else { self.now - self.wall.since(wall) }
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use crate::Micros;

    #[test]
    fn untold_the_wall_clock_is_now() {
        assert_eq!(Clock::default().wall(Micros(5)), Micros(5));
        assert_eq!(Clock::default().when(Micros(5)), Micros(5));
    }

    #[test]
    fn a_set_clock_moves_the_wall_and_not_the_time_between() {
        let mut clock = Clock::default();
        clock.set(Micros(100), Micros(1_000));
        assert_eq!(clock.wall(Micros(150)), Micros(1_050));
        assert_eq!(clock.when(Micros(1_050)), Micros(150));
        assert_eq!(clock.when(Micros(990)), Micros(90));
    }
}
