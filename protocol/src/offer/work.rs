//! Which work an owner takes: by what it is for, and by who publishes its image. Both are open until the owner
//! chooses.

use crate::job::{Category, ImageRef, JobSpec};
use crate::lease::EndCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The owner's rules. An empty list of what is taken takes everything that is not refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkRules {
    /// Categories that are taken; none named: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// Categories that are refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_categories: Vec<Category>,
    /// Publishers whose images are taken, as the beginning of the image's name: a registry, or a registry and
    /// folders of it. None named: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub publishers: Vec<String>,
    /// Publishers whose images are refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_publishers: Vec<String>,
}

/// Why a job is not taken, with the code that the lease ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its category.
    Category,
    /// The publisher of its image.
    Publisher,
}

impl Refusal {
    /// The code that the lease ends with.
    pub fn end_code(self) -> EndCode {
        match self {
            Self::Category => EndCode::CategoryRefused,
            Self::Publisher => EndCode::PublisherRefused,
        }
    }

    /// What the renter is told. The owner's lists are the owner's.
    pub fn text(self, spec: &JobSpec) -> String {
        match self {
            Self::Category => format!(
                "The rig's owner does not take work of the category `{}`.",
                spec.category.name()
            ),
            Self::Publisher => format!(
                "The rig's owner does not take images from where {} comes from.",
                spec.image.name()
            ),
        }
    }
}

impl WorkRules {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Why a job is not taken, if it is not.
    pub fn refuses(&self, spec: &JobSpec) -> Option<Refusal> {
        let category = &spec.category;
        let named = |list: &[Category]| list.contains(category);
        if named(&self.refused_categories)
            || !(self.categories.is_empty() || named(&self.categories))
        {
            return Some(Refusal::Category);
        }
        let published = |list: &[String]| list.iter().any(|by| is_of(&spec.image, by));
        if published(&self.refused_publishers)
            || !(self.publishers.is_empty() || published(&self.publishers))
        {
            return Some(Refusal::Publisher);
        }
        None
    }
}

/// Whether the image's name begins with a publisher's, in whole parts.
fn is_of(image: &ImageRef, publisher: &str) -> bool {
    let (name, publisher) = (full(image.name()), full(publisher));
    name.strip_prefix(publisher.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A name with its registry: one without belongs to the engine's own, in whose eyes a single word is a folder's.
fn full(name: &str) -> String {
    const USUAL: &str = "docker.io";
    let name = name.trim_end_matches('/');
    let first = name.split('/').next().unwrap_or_default();
    if first.contains(['.', ':']) || first == "localhost" {
        name.to_owned()
    } else {
        format!("{USUAL}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(image: &str, category: &str) -> JobSpec {
        let text = format!(
            "services:\n  a:\n    image: {image}@sha256:{}\n    x-sublet: {{max_price_per_hour: 1, category: {category}}}\n",
            "0".repeat(64)
        );
        crate::job::parse(&text).unwrap()
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn nothing_is_refused_until_the_owner_chooses() {
        let rules = WorkRules::default();
        assert!(rules.is_empty());
        assert_eq!(rules.refuses(&job("r.example/a", "mining")), None);
        assert_eq!(serde_json::to_string(&rules).unwrap(), "{}");
    }

    #[test]
    fn categories_are_taken_or_refused_by_name() {
        let only = WorkRules {
            categories: vec![Category::Rendering, Category::Training],
            ..WorkRules::default()
        };
        assert_eq!(only.refuses(&job("r.example/a", "rendering")), None);
        assert_eq!(
            only.refuses(&job("r.example/a", "other")),
            Some(Refusal::Category)
        );
        let but = WorkRules {
            refused_categories: vec![Category::Mining],
            ..WorkRules::default()
        };
        assert_eq!(but.refuses(&job("r.example/a", "other")), None);
        let refused = but.refuses(&job("r.example/a", "mining"));
        assert_eq!(
            refused.map(Refusal::end_code),
            Some(EndCode::CategoryRefused)
        );
    }

    #[test]
    fn a_publisher_is_the_beginning_of_a_name_in_whole_parts() {
        let only = |publishers: &[&str]| WorkRules {
            publishers: words(publishers),
            ..WorkRules::default()
        };
        let takes = |publisher: &str, image: &str| {
            only(&[publisher]).refuses(&job(image, "other")).is_none()
        };
        assert!(takes("r.example", "r.example/a/b"));
        assert!(takes("r.example/", "r.example/a"));
        assert!(takes("r.example/a", "r.example/a"));
        assert!(!takes("r.example/a", "r.example/ab"));
        assert!(!takes("r.example", "r.example.evil/a"));
        assert!(!takes("r.example", "r.example:5000/a"));
        assert!(takes("studio", "docker.io/studio/tracer"));
        assert!(takes("docker.io/studio", "studio/tracer"));
        let but = WorkRules {
            refused_publishers: words(&["r.example/bad"]),
            ..only(&["r.example"])
        };
        assert_eq!(
            but.refuses(&job("r.example/bad/a", "other")),
            Some(Refusal::Publisher)
        );
        assert_eq!(but.refuses(&job("r.example/good", "other")), None);
    }
}
