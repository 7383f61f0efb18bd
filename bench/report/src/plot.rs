//! A picture of points on two logarithmic axes.
//!
//! ```text
//!  up ▲       o
//!     │   o  o     x      a colour for each series, a line through its points
//!     └──────────▶ across
//! ```

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
const COLOURS: [&str; 4] = ["#1f6fb2", "#c4501b", "#2e8540", "#7a3e9d"];

/// Points of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// Where they are: across, up; above zero, or not drawn.
    pub points: Vec<(f64, f64)>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// What is across.
    pub across: String,
    /// What is up.
    pub up: String,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// A logarithmic axis over whole powers of ten.
#[derive(Debug, Clone, Copy)]
struct Axis {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(figures: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = figures.clone().fold(f64::INFINITY, f64::min);
        let high = figures.fold(f64::NEG_INFINITY, f64::max);
        if !(low.is_finite() && high.is_finite()) {
            return Self { low: 0, high: 1, from, to };
        }
        let low = power(low.log10().floor());
        Self { low, high: power(high.log10().ceil()).max(low + 1), from, to }
    }

    fn place(&self, figure: f64) -> f64 {
        let share = (figure.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + share * (self.to - self.from)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "no figure has more than a few hundred digits")]
fn power(exponent: f64) -> i32 {
    exponent as i32
}

impl Plot {
    /// The picture as SVG.
    #[must_use]
    pub fn draw(&self, title: &str) -> String {
        let drawn = || {
            let points = self.series.iter().flat_map(|series| series.points.iter().copied());
            points.filter(|(across, up)| *across > 0.0 && *up > 0.0)
        };
        let across = Axis::over(drawn().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let up = Axis::over(drawn().map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut lines = vec![
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" \
                 font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
            ),
            text(LEFT, TOP / 2.0, "start", title),
            text((LEFT + WIDTH) / 2.0, HEIGHT - BOTTOM / 4.0, "middle", &self.across),
            text(LEFT / 8.0, TOP - 10.0, "start", &self.up),
        ];
        for exponent in across.low..=across.high {
            let at = across.place(10f64.powi(exponent));
            lines.push(rule(at, up.from, at, up.to));
            lines.push(text(at, up.from + 18.0, "middle", &label(exponent)));
        }
        for exponent in up.low..=up.high {
            let at = up.place(10f64.powi(exponent));
            lines.push(rule(across.from, at, across.to, at));
            lines.push(text(across.from - 8.0, at + 4.0, "end", &label(exponent)));
        }
        for (number, (series, colour)) in self.series.iter().zip(COLOURS.iter().cycle()).enumerate() {
            lines.push(draw_series(series, across, up, colour));
            let at = TOP + 16.0 * (number as f64 + 1.0);
            let name = text(LEFT + 12.0, at, "start", &series.name);
            lines.push(name.replacen("<text", &format!("<text fill=\"{colour}\""), 1));
        }
        lines.join("\n") + "\n</svg>\n"
    }
}

fn draw_series(series: &Series, across: Axis, up: Axis, colour: &str) -> String {
    let mut points: Vec<_> = series.points.iter().filter(|(across, up)| *across > 0.0 && *up > 0.0).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut path, mut dots) = (String::new(), String::new());
    for (x, y) in points.into_iter().map(|point| (across.place(point.0), up.place(point.1))) {
        // Writing to a string does not fail.
        let _ = write!(path, "{x:.1},{y:.1} ");
        let _ = write!(dots, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    let path = path.trim_end();
    format!("<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"0.4\"/>{dots}")
}

fn rule(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>")
}

fn text(x: f64, y: f64, anchor: &str, content: &str) -> String {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>")
}

fn label(exponent: i32) -> String {
    10f64.powi(exponent).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_within_the_axes() {
        let axis = Axis::over([3.0, 400.0].into_iter(), 10.0, 310.0);
        assert_eq!((axis.low, axis.high), (0, 3));
        assert!((axis.place(10.0) - 110.0).abs() < 1e-9 && (axis.place(1_000.0) - 310.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_to_draw_is_an_empty_picture() {
        let series = vec![Series { name: "none".to_owned(), points: vec![(0.0, 1.0)] }];
        let picture = Plot { across: String::new(), up: String::new(), series }.draw("title");
        assert!(picture.ends_with("</svg>\n") && !picture.contains("circle") && !picture.contains("NaN"));
    }
}
