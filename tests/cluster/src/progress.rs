//! Says on standard error what is being done and how long it has taken.

use std::io::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// One line, with the time since the first one.
pub fn say(text: impl AsRef<str>) {
    let seconds = BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64();
    // Nobody reads a closed standard error; the work goes on.
    let _ = writeln!(std::io::stderr(), "{seconds:7.1}s {}", text.as_ref());
}

/// Calls `ready` until it says yes, at most for `limit`; whether it did.
pub(crate) fn wait_until(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    loop {
        if ready() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
