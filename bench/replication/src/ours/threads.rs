//! What the threads of this process have done so far.

use std::{collections::BTreeMap, fs};

/// Of a second: how the kernel counts processor time for programs.
const TICKS: f64 = 100.0;

/// Seconds of processor time by the name of the threads, without the numbers behind it.
pub(super) fn now() -> BTreeMap<String, f64> {
    let mut used = BTreeMap::new();
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for line in tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok()) {
        if let Some((name, seconds)) = read(&line) {
            *used.entry(name).or_insert(0.0) += seconds;
        }
    }
    used
}

/// Since an earlier look; threads that came meanwhile count whole.
pub(super) fn since(before: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let of = |name: &str| before.get(name).copied().unwrap_or_default();
    now().into_iter().map(|(name, seconds)| (name.clone(), seconds - of(&name))).collect()
}

fn read(line: &str) -> Option<(String, f64)> {
    let (_, rest) = line.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let [user, system] = [fields.next()?, fields.next()?].map(str::parse::<f64>);
    Some((name.to_owned(), (user.ok()? + system.ok()?) / TICKS))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_thread_is_named_and_counted() {
        let line = "7 (store-writer) S 1 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0";
        assert_eq!(read(line), Some(("store-writer".to_owned(), 2.0)));
        assert_eq!(read("no thread"), None);
    }
}
