//! The shape of an SDL file. Keys that a job has no counterpart for are read too, so that they can be told with their
//! places; keys that SDL does not have are errors.

use crate::job::scalar::Scalar;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// A part that is only told of.
pub(super) type Foreign = Option<Spanned<Anything>>;

/// Whatever stands there, and whether that is nothing.
pub(super) struct Anything {
    pub empty: bool,
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Anything;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("anything")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Anything, E> {
                Ok(Anything { empty: !value })
            }
            fn visit_i64<E>(self, _: i64) -> Result<Anything, E> {
                Ok(Anything { empty: false })
            }
            fn visit_u64<E>(self, _: u64) -> Result<Anything, E> {
                Ok(Anything { empty: false })
            }
            fn visit_f64<E>(self, _: f64) -> Result<Anything, E> {
                Ok(Anything { empty: false })
            }
            fn visit_str<E>(self, text: &str) -> Result<Anything, E> {
                Ok(Anything {
                    empty: text.is_empty(),
                })
            }
            fn visit_unit<E>(self) -> Result<Anything, E> {
                Ok(Anything { empty: true })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Anything, A::Error> {
                let mut empty = true;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    empty = false;
                }
                Ok(Anything { empty })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Anything, A::Error> {
                let mut empty = true;
                while let Some((_, value)) = map.next_entry::<IgnoredAny, Anything>()? {
                    // `anyOf: []` asks for nothing.
                    empty &= value.empty;
                }
                Ok(Anything { empty })
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sdl {
    pub version: Spanned<Scalar>,
    #[serde(default)]
    pub include: Foreign,
    pub services: Spanned<BTreeMap<String, Service>>,
    pub profiles: Profiles,
    pub deployment: Spanned<BTreeMap<String, BTreeMap<String, Deployment>>>,
    #[serde(default)]
    pub endpoints: Foreign,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub image: Spanned<String>,
    pub command: Option<Spanned<Vec<Scalar>>>,
    pub args: Option<Vec<Scalar>>,
    pub env: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub expose: Foreign,
    #[serde(default)]
    pub params: Foreign,
    #[serde(default)]
    pub credentials: Foreign,
    #[serde(default)]
    pub dependencies: Foreign,
    #[serde(default, rename = "depends-on")]
    pub depends_on: Foreign,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profiles {
    pub compute: BTreeMap<String, Compute>,
    pub placement: BTreeMap<String, Placement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compute {
    pub resources: Resources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resources {
    pub cpu: Cpu,
    pub memory: Memory,
    pub storage: Option<Spanned<Storages>>,
    pub gpu: Option<Spanned<Gpu>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cpu {
    pub units: Spanned<Scalar>,
    #[serde(default)]
    pub attributes: Foreign,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    pub size: Spanned<Scalar>,
    #[serde(default)]
    pub attributes: Foreign,
}

/// One, or a list of them.
pub(super) struct Storages(pub Vec<Storage>);

impl<'de> Deserialize<'de> for Storages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Storages;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a storage with its size, or a list of them")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Storages, A::Error> {
                let one = Storage::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Storages(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Storages, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(Storages(all))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Storage {
    pub size: Scalar,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub attributes: Option<Anything>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gpu {
    pub units: Spanned<Scalar>,
    pub attributes: Option<GpuAttributes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GpuAttributes {
    pub vendor: Spanned<BTreeMap<String, Option<Vec<GpuModel>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GpuModel {
    pub model: Option<Spanned<String>>,
    pub ram: Option<Spanned<Scalar>>,
    pub interface: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Placement {
    #[serde(default)]
    pub attributes: Foreign,
    #[serde(default, rename = "signedBy")]
    pub signed_by: Foreign,
    pub pricing: BTreeMap<String, Spanned<Price>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    pub denom: String,
    pub amount: Scalar,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deployment {
    pub profile: Spanned<String>,
    pub count: Spanned<u32>,
}
