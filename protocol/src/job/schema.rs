//! The job file's JSON Schema, for editors. The page of it in `docs/` is the schema itself; a test holds its keys to
//! those that the parser takes, level by level.

/// JSON Schema, draft 2020-12.
pub const SCHEMA: &str = include_str!("../../../docs/job.schema.json");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::parse;
    use serde_json::Value;
    use std::collections::BTreeSet;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    /// A whole file with this text at each level's mark.
    fn file(level: &str, text: &str) -> String {
        let at = |name: &str| if name == level { text } else { "" };
        format!(
            "{}services:\n  a:\n    image: r.example/a@{DIGEST}\n{}    deploy:\n{}      resources:\n{}        \
             limits:\n{}          pids: 64\n        reservations:\n{}          devices:\n            - capabilities: \
             [gpu]\n{}    x-sublet:\n      max_price_per_hour: 1\n{}      gpu:\n        score_min: 1\n{}      checkpoint:\n        folder: /checkpoint\n{}",
            at("file"),
            at("service"),
            at("deploy"),
            at("resources"),
            at("limits"),
            at("reservations"),
            at("device"),
            at("sublet"),
            at("gpu"),
            at("checkpoint"),
        )
    }

    /// The levels, and how far their keys are indented.
    const LEVELS: [(&str, usize); 10] = [
        ("file", 0),
        ("service", 4),
        ("deploy", 6),
        ("resources", 8),
        ("limits", 10),
        ("reservations", 10),
        ("device", 14),
        ("sublet", 6),
        ("gpu", 8),
        ("checkpoint", 8),
    ];

    fn level<'a>(schema: &'a Value, name: &str) -> &'a Value {
        if name == "file" {
            schema
        } else {
            &schema["$defs"][name]
        }
    }

    fn with_key(name: &str, indent: usize, key: &str, value: &str) -> String {
        file(name, &format!("{}{key}: {value}\n", " ".repeat(indent)))
    }

    /// The keys that the parser knows at a level, those that it refuses by name included: it lists them where one is
    /// unknown.
    fn known(name: &str, indent: usize) -> BTreeSet<String> {
        let error = parse(&with_key(name, indent, "no_such_key", "1")).unwrap_err();
        assert!(error.what.contains("no_such_key"), "{name}: {error}");
        let (_, keys) = error.what.split_once("expected ").unwrap();
        let keys = keys.trim_start_matches("one of ").replace(" or ", ", ");
        keys.split(", ")
            .map(|key| key.trim_matches('`').to_owned())
            .collect()
    }

    #[test]
    fn the_schema_has_every_key_that_is_taken_and_none_that_is_refused() {
        parse(&file("", "")).unwrap();
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let mut refused = 0;
        for (name, indent) in LEVELS {
            let object = level(&schema, name);
            assert_eq!(object["additionalProperties"], false, "{name}");
            let described: BTreeSet<String> = object["properties"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect();
            let known = known(name, indent);
            assert!(!known.is_empty(), "{name}");
            for key in &known {
                // A value that no key takes shows whether the key is refused for itself.
                let error = parse(&with_key(name, indent, key, "{no: [such, value]}")).unwrap_err();
                let is_refused =
                    error.what.contains("is refused") || error.what.contains("not serve it yet");
                refused += usize::from(is_refused);
                assert_eq!(
                    described.contains(key),
                    !is_refused,
                    "{name}.{key}: {error}"
                );
            }
            assert!(
                described.is_subset(&known),
                "{name}: {described:?} and {known:?}"
            );
        }
        assert!(refused >= 17, "{refused}");
    }

    #[test]
    fn what_the_schema_demands_the_parser_demands() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let image = format!("    image: r.example/a@{DIGEST}\n");
        let price = "      max_price_per_hour: 1\n";
        let capabilities = "            - capabilities: [gpu]\n";
        // Each with what stands in its place.
        let demanded = [
            ("service", "image", image.as_str(), ""),
            ("sublet", "max_price_per_hour", price, ""),
            (
                "checkpoint",
                "folder",
                "        folder: /checkpoint\n",
                "        interval: 5m\n",
            ),
            (
                "device",
                "capabilities",
                capabilities,
                "            - driver: any\n",
            ),
            (
                "limits",
                "pids",
                "          pids: 64\n",
                "          cpus: 1\n",
            ),
        ];
        for (name, key, line, instead) in demanded {
            let required = level(&schema, name)["required"].as_array();
            let required = required.is_some_and(|keys| keys.iter().any(|k| k == key));
            let without = file("", "").replace(line, instead);
            assert_eq!(parse(&without).is_err(), required, "{name}.{key}");
        }
    }
}
