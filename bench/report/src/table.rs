//! Rows as people read them.

use crate::Row;

/// A line for each row, in columns.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = ["", "ours", "rival", "ratio", "limit", "goal", "unit"].map(str::to_owned);
    let lines = rows.iter().map(|row| {
        [
            row.row.clone(),
            number(row.ours),
            number(row.rival),
            number(row.ratio),
            number(row.limit),
            number(row.goal),
            row.unit.clone(),
        ]
    });
    let lines: Vec<[String; 7]> = std::iter::once(head).chain(lines).collect();
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let is_text = column == 0 || column == line.len() - 1;
            let padded = if is_text { format!("{cell:width$}  ") } else { format!("{cell:>width$}  ") };
            text.push_str(&padded);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Three digits that matter.
fn number(figure: Option<f64>) -> String {
    match figure {
        None => "-".to_owned(),
        Some(figure) if figure.abs() >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure.abs() >= 10.0 => format!("{figure:.1}"),
        Some(figure) if figure.abs() >= 1.0 || figure == 0.0 => format!("{figure:.2}"),
        Some(figure) => format!("{figure:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            Row::new("rate", "1/s", Some(12_345.6), Some(1_000.0), None, Some(20_000.0)),
            Row::new("a longer name", "ms", Some(0.1234), None, Some(0.05), None),
        ];
        let expected = "\
               \u{20} ours  rival  ratio  limit   goal  unit
rate           12346   1000   12.3      -  20000  1/s
a longer name  0.123      -      -  0.050      -  ms
";
        let squeezed = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let table = table(&rows);
        assert_eq!(squeezed(&table), squeezed(expected));
        let columns: Vec<_> = table.lines().map(|line| line.find(['1', '0', 'o']).is_some()).collect();
        assert_eq!(columns, [true; 3]);
    }
}
