//! Compares amounts that are written differently: `1024Mi` and `1Gi`, `0.5` and `500m`.

use serde_json::Value;

/// Whether both are the same amount.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    matches!((amount(a), amount(b)), (Some(a), Some(b)) if a == b)
}

/// The amount in billionths.
fn amount(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let split = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(split)?;
    billionths(number)?.checked_mul(numerator(suffix)?)?.checked_div(denominator(suffix))
}

fn billionths(number: &str) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let negative = whole.starts_with('-');
    let whole: i128 = if matches!(whole, "" | "-" | "+") { 0 } else { whole.parse().ok()? };
    let fraction: i128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let whole = whole.checked_mul(1_000_000_000)?;
    if negative { whole.checked_sub(fraction) } else { whole.checked_add(fraction) }
}

fn numerator(suffix: &str) -> Option<i128> {
    Some(match suffix {
        "" | "n" | "u" | "m" => 1,
        "k" => 10_i128.pow(3),
        "M" => 10_i128.pow(6),
        "G" => 10_i128.pow(9),
        "T" => 10_i128.pow(12),
        "P" => 10_i128.pow(15),
        "E" => 10_i128.pow(18),
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        "Ei" => 1 << 60,
        exponent => 10_i128.checked_pow(exponent.strip_prefix(['e', 'E'])?.parse().ok()?)?,
    })
}

fn denominator(suffix: &str) -> i128 {
    match suffix {
        "n" => 1_000_000_000,
        "u" => 1_000_000,
        "m" => 1_000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::same;

    #[test]
    fn notations_of_one_amount_are_equal() {
        for (a, b) in [
            (json!("1Gi"), json!("1024Mi")),
            (json!("0.5"), json!("500m")),
            (json!("1e3"), json!("1k")),
            (json!(2), json!("2")),
            (json!(".5Gi"), json!("512Mi")),
            (json!("100n"), json!("0.1u")),
            (json!("-1.5"), json!("-1500m")),
        ] {
            assert!(same(&a, &b), "{a} {b}");
        }
    }

    #[test]
    fn other_amounts_and_other_texts_differ() {
        for (a, b) in [
            (json!("1Gi"), json!("1G")),
            (json!("1"), json!("1m")),
            (json!("much"), json!("much")),
            (json!(true), json!("1")),
            (json!("1Zi"), json!("1Zi")),
        ] {
            assert!(!same(&a, &b), "{a} {b}");
        }
    }
}
