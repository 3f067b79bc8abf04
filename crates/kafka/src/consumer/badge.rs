//! Which pipeline a member of a group works for, as other members see it.

/// Marks a client id that carries a badge.
const MARK: &str = "sluicegate";

/// Which pipeline a member of a group works for. The members of a group must all have the same one.
///
/// A client id carries it, since that is all that a broker tells of a member to everybody: `sluicegate.NAME.FINGERPRINT`, behind
/// a client id of the user's own where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// The pipeline's name. A dot in it would be read back as the end of something else.
    pub pipeline: String,
    /// What all processes of the pipeline have in common, and no other pipeline has.
    pub fingerprint: String,
}

impl Badge {
    /// The client id that shows it.
    pub(super) fn client_id(&self, own: Option<&str>) -> String {
        let shown = format!("{MARK}.{}.{}", self.pipeline, self.fingerprint);
        own.map_or_else(|| shown.clone(), |own| format!("{own}.{shown}"))
    }

    /// The badge in a client id; `None` where it has none.
    pub(super) fn of(client_id: &str) -> Option<Self> {
        let mut parts = client_id.rsplitn(3, '.');
        let (fingerprint, pipeline, before) = (parts.next()?, parts.next()?, parts.next()?);
        let marked = before == MARK || before.strip_suffix(MARK).is_some_and(|own| own.ends_with('.'));
        marked.then(|| Self { pipeline: pipeline.to_owned(), fingerprint: fingerprint.to_owned() })
    }
}

impl std::fmt::Display for Badge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the pipeline `{}` with the fingerprint {}", self.pipeline, self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_read_back_from_a_client_id_and_from_no_other() {
        let badge = Badge { pipeline: "live-2_x".to_owned(), fingerprint: "00ff".to_owned() };
        assert_eq!(badge.client_id(None), "sluicegate.live-2_x.00ff");
        for own in [None, Some("billing"), Some("a.b"), Some("")] {
            assert_eq!(Badge::of(&badge.client_id(own)), Some(badge.clone()), "{own:?}");
        }
        for other in ["rdkafka", "", "my.own.id", "xsluicegate.live.00ff", "sluicegate.live"] {
            assert_eq!(Badge::of(other), None, "{other}");
        }
    }
}
