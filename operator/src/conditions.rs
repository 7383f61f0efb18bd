//! Conditions by the API conventions: one of each type, with the generation it speaks of, and a transition time that
//! moves only when the status flips. Pure.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::{SignedDuration, Timestamp, TimestampRound, Unit},
};

/// Longest message of a condition in bytes; the API server takes 32 KiB, people read less.
const LONGEST_MESSAGE: usize = 1024;

/// What a condition says about its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told.
    Unknown,
}

impl Truth {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition as it should be now, before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Type of the condition.
    pub kind: &'static str,
    /// Whether it holds.
    pub truth: Truth,
    /// Why, in one CamelCase word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// The generation that it is about; nothing: the one that the object has.
    pub generation: Option<i64>,
}

impl Verdict {
    /// A verdict from its parts.
    pub fn new(
        kind: &'static str,
        truth: impl Into<Truth>,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, truth: truth.into(), reason: reason.into(), message: message.into(), generation: None }
    }

    /// A verdict about this generation.
    #[must_use]
    pub fn about(self, generation: Option<i64>) -> Self {
        Self { generation, ..self }
    }
}

/// Finds a condition.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether a condition is there and says `truth`.
#[must_use]
pub fn says(conditions: &[Condition], kind: &str, truth: Truth) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == truth.as_str())
}

/// What was said before: what cannot be told right now stays as it was, and about the generation that it was about.
#[must_use]
pub fn kept(before: &[Condition], kind: &'static str) -> Option<Verdict> {
    let before = find(before, kind)?;
    let truth = match before.status.as_str() {
        "True" => Truth::True,
        "False" => Truth::False,
        _ => Truth::Unknown,
    };
    Some(Verdict::new(kind, truth, &before.reason, &before.message).about(before.observed_generation))
}

/// Turns verdicts into conditions, in their order.
#[must_use]
pub fn settle(before: &[Condition], verdicts: Vec<Verdict>, generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let settle_one = |verdict: Verdict| {
        let before = find(before, verdict.kind);
        let same = before.filter(|before| before.status == verdict.truth.as_str());
        Condition {
            type_: verdict.kind.to_owned(),
            status: verdict.truth.as_str().to_owned(),
            reason: verdict.reason,
            message: shortened(verdict.message),
            observed_generation: verdict.generation.or(generation),
            last_transition_time: same
                .map_or_else(|| Time(whole_seconds(now)), |same| same.last_transition_time.clone()),
        }
    };
    verdicts.into_iter().map(settle_one).collect()
}

/// The conditions whose status or reason is another than before: what people are told about.
pub fn transitions<'a>(before: &'a [Condition], after: &'a [Condition]) -> impl Iterator<Item = &'a Condition> {
    after.iter().filter(|after| {
        find(before, &after.type_).is_none_or(|before| before.status != after.status || before.reason != after.reason)
    })
}

/// How long ago a condition took its status.
#[must_use]
pub fn age(condition: &Condition, now: Timestamp) -> SignedDuration {
    now.duration_since(condition.last_transition_time.0)
}

/// The API server keeps times to the second; what is finer would look like a change.
fn whole_seconds(time: Timestamp) -> Timestamp {
    let round = TimestampRound::new().smallest(Unit::Second).mode(k8s_openapi::jiff::RoundMode::Trunc);
    time.round(round).unwrap_or(time)
}

fn shortened(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE - 3).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
        message.truncate(end);
        message.push_str("...");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ready(truth: Truth, reason: &str) -> Vec<Verdict> {
        vec![Verdict::new("Ready", truth, reason, "")]
    }

    #[test]
    fn the_transition_time_moves_only_when_the_status_flips() {
        let first = settle(&[], ready(Truth::False, "Starting"), Some(1), at(10));
        let other_reason = settle(&first, ready(Truth::False, "NodesNotReady"), Some(2), at(20));
        assert_eq!(other_reason[0].last_transition_time, Time(at(10)));
        assert_eq!(other_reason[0].observed_generation, Some(2));
        let flipped = settle(&other_reason, ready(Truth::True, "Ready"), Some(2), at(30));
        assert_eq!(flipped[0].last_transition_time, Time(at(30)));
    }

    #[test]
    fn a_transition_is_another_status_or_reason_not_another_message() {
        let before = settle(&[], ready(Truth::False, "Starting"), Some(1), at(10));
        let mut after = before.clone();
        after[0].message = "2 of 3".into();
        assert_eq!(transitions(&before, &after).count(), 0);
        after[0].reason = "NodesNotReady".into();
        assert_eq!(transitions(&before, &after).count(), 1);
        assert_eq!(transitions(&[], &before).count(), 1);
    }

    #[test]
    fn times_are_whole_seconds_and_messages_bounded() {
        let now = Timestamp::new(10, 999_999_999).unwrap();
        let verdict = Verdict::new("Ready", true, "Ready", "é".repeat(2000));
        let condition = settle(&[], vec![verdict], None, now).remove(0);
        assert_eq!(condition.last_transition_time, Time(at(10)));
        assert!(condition.message.len() <= LONGEST_MESSAGE && condition.message.ends_with("é..."));
    }
}
