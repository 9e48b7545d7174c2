//! What a job says of itself that a rig may choose by: what it is for, and how it wants to be kept apart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $name:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $type { $($(#[$about])* $name,)* }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What a word stands for.
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == word)
            }
        }
    };
}

words! {
    /// What a job is for, as its renter says.
    Category {
        /// Pictures and films from scenes.
        Rendering = "rendering",
        /// Models that learn.
        Training = "training",
        /// Models that answer.
        Inference = "inference",
        /// Physics, chemistry, finance and the like.
        Simulation = "simulation",
        /// Video and sound in another form.
        Transcoding = "transcoding",
        /// Proofs of work and the like.
        Mining = "mining",
        /// Anything else, and what says nothing.
        #[default]
        Other = "other",
    }
}

words! {
    /// How a job wants to be kept apart from the host.
    Isolation {
        /// As the rig does it: a container, under gVisor where that works.
        #[default]
        Container = "container",
        /// Under gVisor, or not at all.
        Gvisor = "gvisor",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_a_job_and_on_the_wire() {
        for one in Category::ALL {
            assert_eq!(
                serde_json::to_value(one).unwrap(),
                serde_json::Value::from(one.name())
            );
            assert_eq!(Category::of(one.name()), Some(*one));
        }
        for one in Isolation::ALL {
            assert_eq!(
                serde_json::to_value(one).unwrap(),
                serde_json::Value::from(one.name())
            );
        }
        assert_eq!(Category::of("anything"), None);
    }
}
