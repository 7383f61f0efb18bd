//! Rows, table, plot and JSON of a bench.

mod plot;
mod table;

use serde::Serialize;
use std::{fs, io, io::Write as _, path::Path};

pub use plot::{Plot, Series};

/// A figure of both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub row: String,
    /// Ours.
    pub ours: Option<f64>,
    /// The other's.
    pub rival: Option<f64>,
    /// What nobody could be better than on this machine.
    pub limit: Option<f64>,
    /// What ours is to be.
    pub goal: Option<f64>,
    /// The unit of all of them.
    pub unit: String,
    /// Ours for one of the other's.
    pub ratio: Option<f64>,
}

impl Row {
    /// A row, with its ratio.
    #[must_use]
    pub fn new(
        row: impl Into<String>,
        unit: &str,
        ours: Option<f64>,
        rival: Option<f64>,
        limit: Option<f64>,
        goal: Option<f64>,
    ) -> Self {
        let ratio = ours.zip(rival).filter(|(_, rival)| *rival > 0.0).map(|(ours, rival)| ours / rival);
        Self { row: row.into(), ours, rival, limit, goal, unit: unit.to_owned(), ratio }
    }
}

/// What a bench has found.
#[derive(Debug, Clone)]
pub struct Report {
    /// Of the files.
    pub name: &'static str,
    /// What was compared.
    pub title: String,
    /// The figures.
    pub rows: Vec<Row>,
    /// The picture.
    pub plot: Plot,
}

impl Report {
    /// Prints the table; writes `<name>.json` and `<name>.svg` into a folder, which is made.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let (rows, picture) =
            (folder.join(self.name).with_extension("json"), folder.join(self.name).with_extension("svg"));
        fs::write(&rows, serde_json::to_string_pretty(&self.rows)? + "\n")?;
        fs::write(&picture, self.plot.draw(&self.title))?;
        let mut out = io::stdout().lock();
        writeln!(out, "\n{}\n\n{}", self.title, table::table(&self.rows))?;
        writeln!(out, "{}\n{}", rows.display(), picture.display())
    }
}

/// Tells how far the bench is.
pub fn say(line: impl AsRef<str>) {
    // Nobody reads it: the bench goes on.
    drop(writeln!(io::stderr(), "{}", line.as_ref()));
}

/// The middle of some figures; of an even number, the lower of the two.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len().checked_sub(1)? / 2;
    figures.get(middle).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_a_figure_that_was_measured() {
        assert_eq!(
            [median(vec![3.0, 1.0, 2.0]), median(vec![2.0, 1.0]), median(Vec::new())],
            [Some(2.0), Some(1.0), None]
        );
    }

    #[test]
    fn a_report_is_a_list_of_rows_and_a_picture() {
        let folder = std::env::temp_dir().join(format!("peerwright-bench-report-{}", std::process::id()));
        let rows = vec![Row::new("rate", "1/s", Some(6.0), Some(2.0), None, Some(9.0))];
        let series = vec![Series { name: "ours".to_owned(), points: vec![(1.0, 2.0), (100.0, 9.0)] }];
        let plot = Plot { across: "x".to_owned(), up: "y".to_owned(), series };
        Report { name: "one", title: "a < b".to_owned(), rows, plot }.write(&folder).unwrap();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let rows: serde_json::Value = serde_json::from_str(&read("one.json")).unwrap();
        let expected = serde_json::json!([
            {"row": "rate", "ours": 6.0, "rival": 2.0, "limit": null, "goal": 9.0, "unit": "1/s", "ratio": 3.0}
        ]);
        assert_eq!(rows, expected);
        let picture = read("one.svg");
        assert!(picture.starts_with("<svg") && picture.contains("a &lt; b"));
        fs::remove_dir_all(folder).unwrap();
    }
}
