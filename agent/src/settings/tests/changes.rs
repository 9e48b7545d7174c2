//! Changes of the owner's text: what is not touched stays as it was written.

use super::*;
use crate::settings::edit::{EditError, changed};
use serde_json::json;
use sublet_protocol::local::settings::{
    SettingsChange, SettingsEdit, SettingsPut, SettingsSource, SettingsView,
};

fn edits(edits: &[(&str, Option<serde_json::Value>)]) -> SettingsChange {
    let edits = edits.iter().map(|(key, value)| SettingsEdit {
        key: (*key).to_owned(),
        value: value.clone(),
    });
    SettingsChange::Edits(edits.collect())
}

fn set(text: &str, key: &str, value: serde_json::Value) -> String {
    changed(text, &edits(&[(key, Some(value))])).unwrap()
}

fn unset(text: &str, key: &str) -> String {
    changed(text, &edits(&[(key, None)])).unwrap()
}

const MINE: &str = "\
# My rig.
version = 1

[price]   # money
floor = \"0.5\"   # not less
electricity = \"0.31\"

# Quiet at night.
[quiet]
# the fan rattles above this
fan_percent = 50
power_percent = 70
";

#[test]
fn a_value_is_replaced_where_it_stands() {
    assert_eq!(
        set(MINE, "price.floor", json!("0.75")),
        MINE.replace("0.5", "0.75")
    );
    assert_eq!(
        set(MINE, "quiet.fan_percent", json!(40)),
        MINE.replace("fan_percent = 50", "fan_percent = 40")
    );
    assert_eq!(
        set(MINE, "price.floor", json!("0.5")),
        MINE,
        "and nothing else moves"
    );
}

#[test]
fn a_new_key_goes_into_its_table_and_a_new_table_to_the_end() {
    assert_eq!(
        set(MINE, "quiet.power_percent", json!(60)),
        MINE.replace("70", "60")
    );
    let bare = "[price]\nfloor = \"1\"\n\n[heat]\nhot_c = 80\n";
    assert_eq!(
        set(bare, "price.electricity", json!("0.3")),
        "[price]\nfloor = \"1\"\nelectricity = \"0.3\"\n\n[heat]\nhot_c = 80\n"
    );
    assert_eq!(
        set(bare, "rent.mode", json!("off")),
        format!("{bare}\n[rent]\nmode = \"off\"\n")
    );
    assert_eq!(
        set("", "rent.mode", json!("off")),
        "version = 1\n\n[rent]\nmode = \"off\"\n"
    );
}

#[test]
fn a_gpu_gets_a_table_of_its_own() {
    let text = set("", "gpu.GPU-1.mode", json!("off"));
    assert_eq!(text, "version = 1\n\n[gpu.GPU-1]\nmode = \"off\"\n");
    let text = set(&text, "gpu.GPU-1.heat.hot_c", json!(80));
    let own = read(&text)
        .settings
        .gpu(&GpuId::new("GPU-1").unwrap())
        .clone();
    assert_eq!((own.mode, own.heat.hot_c), (Mode::Off, 80));
    let text = unset(&unset(&text, "gpu.GPU-1.heat.hot_c"), "gpu.GPU-1.mode");
    assert_eq!(text, "version = 1\n");
}

#[test]
fn every_way_to_write_a_table_can_be_changed() {
    for text in [
        "rent = {mode = \"always\"}\n",
        "rent.mode = \"always\"\n",
        "[rent]\nmode = \"always\"\n",
        "[rent]\n[rent.nothing]\n",
    ] {
        let text = set(text, "rent.away_minutes", json!(7));
        let night = json!([{"days": "mon", "from": "22:00", "to": "08:00"}]);
        let text = set(&text, "rent.hours", night.clone());
        let text = set(&text, "rent.hours", night);
        if !text.contains("nothing") {
            let choices = read(&text);
            assert_eq!(choices.settings.away_ms, 420_000, "{text}");
            assert_eq!(choices.hours.len(), 1, "{text}");
            assert_eq!(choices.settings.each.mode, Mode::Always, "{text}");
        }
    }
    let text = set(
        "gpu = {GPU-1 = {floor = \"1\"}}\n",
        "gpu.GPU-1.heat.hot_c",
        json!(80),
    );
    let own = read(&text)
        .settings
        .gpu(&GpuId::new("GPU-1").unwrap())
        .clone();
    assert_eq!(own.heat.hot_c, 80, "{text}");
}

#[test]
fn lists_become_blocks_that_read() {
    let text = set(
        "[rent]\nmode = \"schedule\"\n\n[heat]\nhot_c = 80\n",
        "rent.hours",
        json!([{"days": "mon-fri", "from": "22:00", "to": "08:00"}, {"days": "sat", "from": "08:00", "to": "24:00"}]),
    );
    assert!(
        text.contains("[[rent.hours]]\ndays = \"mon-fri\"\n"),
        "{text}"
    );
    assert_eq!(read(&text).hours.len(), 2);
    assert_eq!(read(&set(&text, "rent.hours", json!([]))).hours, []);
    assert_eq!(read(&unset(&text, "rent.hours")).hours, []);
    let text = set(&text, "programs.exclusive", json!(["blender"]));
    assert_eq!(read(&text).programs, ["blender"]);
}

#[test]
fn what_was_noted_beside_a_key_outlives_it() {
    let text = unset(MINE, "price.floor");
    assert!(
        text.contains("# not less") && !text.contains("floor"),
        "{text}"
    );
    assert!(
        text.contains("[price]   # money\n# not less\nelectricity"),
        "{text}"
    );
    let text = unset(MINE, "quiet.fan_percent");
    assert!(
        text.contains("[quiet]\n# the fan rattles above this\npower_percent = 70\n"),
        "{text}"
    );
    let text = unset(&unset(&text, "quiet.power_percent"), "price.electricity");
    for note in ["# My rig.", "# the fan rattles", "# Quiet at night."] {
        assert!(text.contains(note), "{text}");
    }
    read(&text);
    assert_eq!(unset("[heat]\nhot_c = 80\n", "heat.hot_c"), "");
    assert_eq!(unset(MINE, "limits.cpus"), MINE, "what is not there");
}

#[test]
fn a_preset_is_a_whole_rule_and_leaves_the_rest_alone() {
    let text = changed(MINE, &SettingsChange::Preset("farm".into())).unwrap();
    let choices = read(&text);
    assert_eq!(choices.settings.each.mode, Mode::Always);
    assert_eq!(choices.settings.each.quiet, None);
    assert_eq!(choices.settings.each.floor, HourlyPrice(MicroUsd(500_000)));
    assert!(text.contains("# the fan rattles above this"), "{text}");
    for from in PRESETS {
        for to in PRESETS {
            let text = changed(from.text, &SettingsChange::Preset(to.name.into())).unwrap();
            assert_eq!(read(&text), read(to.text), "{from} to {to}");
        }
    }
}

#[test]
fn what_cannot_be_changed_says_why() {
    let refused = |text, change| changed(text, &change).unwrap_err();
    let hot = || edits(&[("heat.hot_c", Some(json!(80)))]);
    match refused("[heat\n", hot()) {
        EditError::NotToml(faults) => assert_eq!(faults[0].at.place().unwrap().line, 1),
        other => panic!("{other}"),
    }
    assert!(matches!(
        refused("heat = 5\n", hot()),
        EditError::InTheWay(_)
    ));
    assert!(matches!(
        refused("", edits(&[("heat", Some(json!(1)))])),
        EditError::NoSuchKey(_)
    ));
    assert!(matches!(
        refused("", edits(&[("rent.hours", Some(json!([null])))])),
        EditError::NoValue(_)
    ));
}

proptest! {
    #[test]
    fn a_number_that_is_set_is_the_number_that_reads(minutes in 1_u32..=1440, at in 0_usize..4) {
        let text = ["", MINE, "rent = {mode = \"off\"}\n", "# only a comment"][at];
        let text = set(text, "rent.away_minutes", json!(minutes));
        prop_assert_eq!(read(&text).settings.away_ms, u64::from(minutes) * 60_000);
    }
}

fn source_of(view: &SettingsView, key: &str) -> (SettingsSource, Option<u32>) {
    let value = view.values.iter().find(|value| value.key == key).unwrap();
    (value.source, value.line)
}

#[test]
fn the_view_says_what_holds_and_who_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), MINE).unwrap();
    let overrides = Overrides {
        preset: Some("farm".parse().unwrap()),
        floor: Some(HourlyPrice(MicroUsd(1))),
        ..Overrides::default()
    };
    let view = Watched::open(folder.path(), overrides, Vec::new()).view();
    assert_eq!(view.sentence, "Rents always, from $0.000001 an hour.");
    assert_eq!(
        source_of(&view, "rent.mode"),
        (SettingsSource::Preset, None)
    );
    assert_eq!(
        source_of(&view, "quiet.fan_percent"),
        (SettingsSource::Preset, None)
    );
    assert_eq!(
        source_of(&view, "price.floor"),
        (SettingsSource::CommandLine, None)
    );
    assert_eq!(
        source_of(&view, "price.electricity"),
        (SettingsSource::File, Some(6))
    );
    assert_eq!(
        source_of(&view, "heat.hot_c"),
        (SettingsSource::Default, None)
    );
    let in_force: Vec<_> = view
        .presets
        .iter()
        .filter(|preset| preset.in_force)
        .collect();
    assert_eq!(in_force.len(), 1);
    assert_eq!(in_force[0].name, "farm");
}

#[test]
fn a_change_while_the_file_is_bad_can_only_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, "[rent]\nmode = \"alway\"\n").unwrap();
    let mut watched = open(folder.path());
    let revision = watched.view().revision;
    let put = |change| SettingsPut {
        revision: revision.clone(),
        change,
    };
    assert!(
        watched
            .change(&put(edits(&[("heat.hot_c", Some(json!(80)))])))
            .is_err()
    );
    let view = watched
        .change(&put(edits(&[("rent.mode", Some(json!("always")))])))
        .unwrap();
    assert_eq!((view.problem, view.faults.len()), (None, 0));
    assert_eq!(watched.good.settings.each.mode, Mode::Always);
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "[rent]\nmode = \"always\"\n"
    );
}

#[test]
fn a_look_without_the_agent_keeps_nothing_as_good() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), "heat.hot_c = 95\n").unwrap();
    assert!(
        Watched::peek(folder.path()).problem.is_none(),
        "no card is known"
    );
    assert!(!folder.path().join(GOOD_FILE_NAME).exists());
    assert!(
        open(folder.path()).problem.is_some(),
        "the card slows down at 90 °C"
    );
}
