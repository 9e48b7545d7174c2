//! What settings would have made of the owner's last weeks; of made-up ones, while too few are recorded.

use std::collections::BTreeMap;
use sublet_core::Settings;
use sublet_core::facts::GpuFacts;
use sublet_core::history::{
    Asked, Demand, DemandFrom, Quarter, Record, Warmth, card, demand, exemplary, outcome, prices,
    recorded,
};
use sublet_core::profit::{self, Draw};
use sublet_core::settings::Mode;
use sublet_core::simulate::{Card, EXAMPLES, Example, Trace};
use sublet_protocol::ids::GpuId;
use sublet_protocol::local::preview::{
    Basis, BasisKind, Note, NoteCode, Outcome, Preview, PriceFrom, PriceRange, Range,
};
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::reason::Figure;

/// So much has to be recorded before it stands for the owner's weeks: three days, in ms.
pub const NEEDED_MS: u64 = 3 * 24 * 3_600_000;
/// What a marketplace keeps, while it has not told: 5 %.
const ASSUMED_FEE: u16 = 500;

/// What is known of the rig.
#[derive(Debug, Clone)]
pub struct Rig {
    /// Its GPUs, each with what it draws while it works, where anything tells.
    pub gpus: Vec<(GpuFacts, Option<Draw>)>,
    /// What the marketplace keeps, once it told.
    pub fee: Option<BasisPoints>,
}

/// What was recorded.
#[derive(Debug, Clone)]
pub struct Told {
    /// Over which time, ms since 1970.
    pub from_ms: u64,
    /// Until when.
    pub to_ms: u64,
    /// When the agent ran, and what the owner did.
    pub record: Record,
    /// What was measured, by GPU.
    pub quarters: BTreeMap<GpuId, Vec<Quarter>>,
}

impl Told {
    /// How much of it the agent ran, in ms.
    fn ran_ms(&self) -> u64 {
        self.record.ran.iter().map(|(from, to)| to - from).sum()
    }
}

/// The cards of a trace.
pub fn cards(rig: &Rig, told: &Told) -> Vec<Card> {
    rig.gpus
        .iter()
        .map(|(gpu, draw)| {
            let measured = told.quarters.get(&gpu.info.id).into_iter().flatten();
            card(gpu, *draw, Warmth::of(measured))
        })
        .collect()
}

/// The record as a trace, in which every hour pays what lies in the middle of what was seen.
pub fn own_trace(rig: &Rig, told: &Told, settings: &Settings) -> Option<Trace> {
    let asked = asked(rig, told, settings);
    let middle = (asked.price.low.0.0 + asked.price.high.0.0) / 2;
    recorded(
        &told.record,
        cards(rig, told),
        HourlyPrice(MicroUsd(middle)),
        asked.fee,
        asked.demand.percent,
    )
}

/// `before` are the settings in force, `after` what would be instead; `named` is the preset that it comes from.
pub fn preview(
    rig: &Rig,
    told: &Told,
    before: &Settings,
    after: Option<&Settings>,
    named: Option<&str>,
) -> Preview {
    let asked = asked(rig, told, before);
    let ran_ms = told.ran_ms();
    let cards = cards(rig, told);
    let own = (ran_ms >= NEEDED_MS)
        .then(|| {
            let price = asked.price.high;
            recorded(
                &told.record,
                cards.clone(),
                price,
                asked.fee,
                asked.demand.percent,
            )
        })
        .flatten();
    let example = match own {
        Some(_) => None,
        None => Some(example(named, after.unwrap_or(before))),
    };
    let made_up = |example| {
        exemplary(
            example,
            cards,
            asked.price.high,
            asked.fee,
            asked.demand.percent,
        )
    };
    let trace = own.or_else(|| example.and_then(made_up));
    let of = |settings: &Settings| match &trace {
        Some(trace) => outcome(
            trace,
            settings,
            &Asked {
                low: asked.price.low,
                high: asked.price.high,
                demand_percent: asked.demand.percent,
                power_known: rig.gpus.iter().all(|(_, draw)| draw.is_some()),
            },
        ),
        // A machine without a GPU earns nothing, whatever is chosen.
        None => nothing(),
    };
    Preview {
        faults: Vec::new(),
        basis: Basis {
            kind: match example {
                None => BasisKind::Recorded,
                Some(_) => BasisKind::Example,
            },
            example: example.map(|example| example.name().to_owned()),
            from_ms: told.from_ms,
            to_ms: told.to_ms,
            recorded_ms: ran_ms,
            needed_ms: NEEDED_MS,
        },
        price: asked.price,
        demand_percent: asked.demand.percent,
        before: of(before),
        after: after.map(of),
        notes: notes(rig, &asked, after.unwrap_or(before), example, ran_ms),
    }
}

fn nothing() -> Outcome {
    Outcome {
        time_ms: 0,
        rentable_ms: Range::default(),
        gross: Range::default(),
        fee: Range::default(),
        electricity: Some(Range::default()),
        net: Some(Range::default()),
        lost_ms: BTreeMap::new(),
    }
}

/// Whose weeks to make up: the preset's kind, else whoever would choose such a mode.
fn example(named: Option<&str>, settings: &Settings) -> Example {
    let by_name = EXAMPLES
        .into_iter()
        .find(|example| Some(example.name()) == named);
    by_name.unwrap_or(match settings.each.mode {
        Mode::Always => Example::Farm,
        Mode::GpuIdle => Example::Studio,
        Mode::Away | Mode::Schedule | Mode::Off => Example::Gamer,
    })
}

/// What is taken of the market.
struct Market {
    price: PriceRange,
    demand: Demand,
    fee: BasisPoints,
}

fn asked(rig: &Rig, told: &Told, settings: &Settings) -> Market {
    let fee = rig
        .fee
        .or_else(|| BasisPoints::new(ASSUMED_FEE).ok())
        .unwrap_or_default();
    let quarters = || told.quarters.values().flatten();
    let offset_ms = i64::from(told.record.utc_offset_s) * 1_000;
    let day = |ms: u64| ms.saturating_add_signed(offset_ms) / (24 * 3_600_000);
    let price = match prices(quarters()) {
        Some((low, high)) => PriceRange {
            low,
            high,
            from: PriceFrom::Seen,
        },
        None => {
            let price = least(rig, settings, fee);
            PriceRange {
                low: price,
                high: price,
                from: PriceFrom::Floor,
            }
        }
    };
    Market {
        price,
        demand: demand(quarters(), day),
        fee,
    }
}

/// What the owner asks at least of any card, electricity at its dearest hour included.
fn least(rig: &Rig, settings: &Settings, fee: BasisPoints) -> HourlyPrice {
    let bands = settings.tariff.bands.iter().map(|band| band.price);
    let kwh = bands
        .chain([settings.tariff.base])
        .max()
        .unwrap_or_default();
    let of = |(gpu, draw): &(GpuFacts, Option<Draw>)| {
        let cost = profit::electricity(draw.map_or(0, Draw::mw), kwh);
        let covers = profit::break_even(cost, fee).unwrap_or_default();
        settings.gpu(&gpu.info.id).floor.max(covers)
    };
    rig.gpus.iter().map(of).max().unwrap_or(settings.each.floor)
}

/// What all of it rests on.
fn notes(
    rig: &Rig,
    asked: &Market,
    settings: &Settings,
    example: Option<Example>,
    ran_ms: u64,
) -> Vec<Note> {
    let mut notes = vec![
        weeks(example, ran_ms),
        price(&asked.price),
        demanded(&asked.demand),
    ];
    if rig.fee.is_none() {
        let percent = f64::from(asked.fee.get()) / 100.0;
        notes.push(note(
            NoteCode::FeeAssumed,
            format!("The marketplace has not told its fee yet; {percent} % is assumed."),
            [("permyriad", number(asked.fee.get()))],
        ));
    }
    let bands = settings.tariff.bands.iter().map(|band| band.price);
    let mut kwh = bands.chain([settings.tariff.base]);
    if kwh.all(|kwh| kwh == MicroUsd::ZERO) {
        notes.push(note(
            NoteCode::ElectricityUnpriced,
            "No price of electricity is set, so none is taken off.".to_owned(),
            [],
        ));
    } else {
        let real = rig.gpus.iter().filter(|(gpu, _)| !gpu.info.software);
        notes.extend(real.map(|(gpu, draw)| power(&gpu.info.name, *draw)));
    }
    notes
}

fn weeks(example: Option<Example>, ran_ms: u64) -> Note {
    let days = ran_ms / (24 * 3_600_000);
    match example.map(Example::name) {
        Some(kind) => note(
            NoteCode::ExampleWeeks,
            format!(
                "Too little of your own time is recorded yet, so made-up weeks of a {kind} stand for it."
            ),
            [("example", name(kind))],
        ),
        None => note(
            NoteCode::OwnWeeks,
            format!("It rests on {days} days of your own, as they were recorded."),
            [("days", number(days))],
        ),
    }
}

fn price(price: &PriceRange) -> Note {
    let PriceRange { low, high, from } = price;
    match from {
        PriceFrom::Seen => note(
            NoteCode::PriceSeen,
            format!("Jobs that ran here or waited paid {low} to {high} an hour."),
            [("low", number(low.0.0)), ("high", number(high.0.0))],
        ),
        PriceFrom::Floor => note(
            NoteCode::PriceFloor,
            format!(
                "No price was seen yet, so an hour is taken to pay the least that you ask: {low}."
            ),
            [("price", number(low.0.0))],
        ),
    }
}

fn demanded(demand: &Demand) -> Note {
    let [low, high] = demand.percent;
    let range = [("low", number(low)), ("high", number(high))];
    match demand.from {
        DemandFrom::Seen { days } => note(
            NoteCode::DemandSeen,
            format!("Of the hours on offer, {low} to {high} % were asked for on {days} days."),
            range.into_iter().chain([("days", number(days))]),
        ),
        DemandFrom::Assumed => note(
            NoteCode::DemandAssumed,
            format!(
                "Nobody knows yet how much will be asked for; {low} to {high} % of the hours are assumed."
            ),
            range,
        ),
    }
}

fn power(gpu: &str, draw: Option<Draw>) -> Note {
    let watts = draw.map_or(0, |draw| draw.mw().div_ceil(1_000));
    let figures = [("gpu", name(gpu)), ("watts", number(watts))];
    match draw {
        Some(Draw::Measured(_)) => note(
            NoteCode::PowerMeasured,
            format!("{gpu} draws {watts} W while it works, as measured."),
            figures,
        ),
        Some(Draw::AtMost(_)) => note(
            NoteCode::PowerAtMost,
            format!("What {gpu} draws was never measured; its limit of {watts} W stands for it."),
            figures,
        ),
        None => note(
            NoteCode::PowerUnknown,
            format!("Nothing tells what {gpu} draws, so its electricity is not known."),
            [("gpu", name(gpu))],
        ),
    }
}

fn note(
    code: NoteCode,
    text: String,
    figures: impl IntoIterator<Item = (&'static str, Figure)>,
) -> Note {
    let figures = figures.into_iter();
    Note {
        code,
        text,
        figures: figures
            .map(|(name, figure)| (name.to_owned(), figure))
            .collect(),
    }
}

fn number(value: impl TryInto<i64>) -> Figure {
    Figure::Number(value.try_into().unwrap_or(i64::MAX))
}

fn name(text: &str) -> Figure {
    Figure::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sublet_core::facts::{PowerRange, Sensed};
    use sublet_core::history::Line;
    use sublet_core::simulate::Change;
    use sublet_protocol::gpu::{BenchScore, GpuInfo, GpuVendor};

    const DAY: u64 = 24 * 3_600_000;
    const NOW: u64 = 20_410 * DAY;

    fn rig(draw: Option<Draw>) -> Rig {
        let id = GpuId::new("GPU-1").unwrap();
        let gpu = GpuFacts {
            info: GpuInfo {
                id,
                name: "RTX 4090".into(),
                vendor: GpuVendor::Nvidia,
                software: false,
                memory_bytes: None,
                driver: None,
                pci: None,
                score: Some(BenchScore {
                    score: 1_000,
                    fp32_mflops: 1,
                    bandwidth_mb_s: 1,
                }),
            },
            sensed: Some(Sensed::default()),
            problem: None,
            power_range: Some(PowerRange {
                lowest_mw: 100_000,
                highest_mw: 450_000,
                default_mw: 450_000,
            }),
            slowdown_c: None,
        };
        Rig {
            gpus: vec![(gpu, draw)],
            fee: BasisPoints::new(500).ok(),
        }
    }

    /// So many days on offer, of which every hour a quarter was rented at 30 cents.
    fn told(days: u64) -> Told {
        let from_ms = NOW - days * DAY;
        let quarters = (0..days * 96).map(|at| Quarter {
            from_ms: from_ms + at * 900_000,
            ms: 900_000,
            rented_ms: if at % 4 == 0 { 900_000 } else { 0 },
            offered_ms: if at % 4 == 0 { 0 } else { 900_000 },
            pays: (at % 4 == 0).then_some(HourlyPrice(MicroUsd(300_000))),
            ..Quarter::default()
        });
        let seat = Line {
            at_ms: from_ms,
            whole: true,
            change: Change {
                seat: Some(false),
                ..Change::default()
            },
        };
        let quarters: Vec<Quarter> = quarters.collect();
        Told {
            from_ms,
            to_ms: NOW,
            record: Record {
                ran: if days > 0 {
                    vec![(from_ms, NOW)]
                } else {
                    Vec::new()
                },
                lines: vec![seat],
                utc_offset_s: 3_600,
            },
            quarters: BTreeMap::from([(GpuId::new("GPU-1").unwrap(), quarters)]),
        }
    }

    fn codes(preview: &Preview) -> Vec<NoteCode> {
        preview.notes.iter().map(|note| note.code).collect()
    }

    #[test]
    fn own_weeks_count_once_there_are_three_days_of_them() {
        let rig = rig(Some(Draw::Measured(300_000)));
        let mut settings = Settings::default();
        settings.tariff.base = MicroUsd(300_000);
        let short = preview(&rig, &told(2), &settings, None, None);
        assert_eq!(short.basis.kind, BasisKind::Example);
        assert_eq!(short.basis.example.as_deref(), Some("gamer"));
        assert_eq!(short.after, None);

        let own = preview(&rig, &told(14), &settings, None, None);
        assert_eq!(own.basis.kind, BasisKind::Recorded);
        assert_eq!(
            codes(&own),
            [
                NoteCode::OwnWeeks,
                NoteCode::PriceSeen,
                NoteCode::DemandSeen,
                NoteCode::PowerMeasured
            ]
        );
        assert_eq!(own.demand_percent, [25, 25]);
        assert_eq!(own.price.low, HourlyPrice(MicroUsd(300_000)));
        // Nobody sits there: a week is rentable, less what settling takes.
        let week = 7 * DAY as i64;
        assert!(own.before.rentable_ms.low > week - 60_000, "{own:?}");
        // A quarter of 168 hours at 30 cents, less 5 %, less 9 cents of electricity an hour.
        let net = own.before.net.unwrap();
        let expected = 42 * (285_000 - 90_000);
        assert!((net.low - expected).abs() < 10_000, "{net:?} {expected}");
    }

    #[test]
    fn before_anything_is_known_every_assumption_is_named() {
        let mut settings = Settings::default();
        settings.tariff.base = MicroUsd(300_000);
        let unknown = Rig {
            fee: None,
            ..rig(None)
        };
        let preset = crate::settings::parse_text("[rent]\nmode = \"always\"\n", &[]);
        let after = preset.unwrap().choices.settings;
        let first = preview(&unknown, &told(0), &settings, Some(&after), Some("farm"));
        assert_eq!(first.basis.example.as_deref(), Some("farm"));
        // What is asked about the price of electricity is asked of what would be in force: it names none.
        assert_eq!(
            codes(&first),
            [
                NoteCode::ExampleWeeks,
                NoteCode::PriceFloor,
                NoteCode::DemandAssumed,
                NoteCode::FeeAssumed,
                NoteCode::ElectricityUnpriced
            ]
        );
        assert_eq!(first.before.net, None, "its power is not known");
        let after = first.after.unwrap();
        assert!(after.net.unwrap().high > after.net.unwrap().low);
        for note in &first.notes {
            assert!(note.text.ends_with('.'), "{note:?}");
        }
    }

    #[test]
    fn what_the_owner_asks_covers_the_dearest_hour() {
        let mut settings = Settings::default();
        settings.tariff.base = MicroUsd(2_000_000);
        let dear = preview(
            &rig(Some(Draw::AtMost(450_000))),
            &told(0),
            &settings,
            None,
            None,
        );
        assert!(dear.price.low.0 >= MicroUsd(900_000), "{:?}", dear.price);
        assert!(dear.before.net.unwrap().low >= 0);
        let none = Rig {
            gpus: Vec::new(),
            fee: None,
        };
        let nothing = preview(&none, &told(0), &settings, None, None);
        assert_eq!(nothing.before.time_ms, 0);
    }
}
