//! The governor against a card of physics: `T' = (ambient + R * power - T) / tau`, read in whole degrees, a second late.
//!
//! What can be promised depends on how fast a card heats at its target. Here that is up to 1.25 °C a second, on top of
//! a target already reached: a cooler of 450 W that stores 360 J for each degree, with its fan standing still. (From
//! 1.75 °C a second on, two seconds of blindness are too many: such a card gets hotter than that once, and is stopped.)

use super::*;
use crate::facts::GpuFacts;
use crate::testing::card;
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(super) struct Physics {
    pub ambient_c: f64,
    /// °C for each watt.
    pub resistance: f64,
    pub tau_s: f64,
    pub most_w: f64,
    /// Sensors cut off what is behind the point, or round it.
    pub cuts_off: bool,
}

/// One card with a job on it, second by second.
pub(super) struct Bench {
    physics: Physics,
    temperature: f64,
    sensor: i32,
    pub gpu: GpuFacts,
    pub settings: GpuSettings,
    pub governor: Governor,
    pub limit_mw: u32,
    pub permitted: bool,
    now: Moment,
    /// A job that was stopped for heat; the next one comes when it is cool.
    stopped: bool,
    pub acts: Vec<Act>,
    pub frozen_s: u32,
    pub stops: u32,
}

impl Bench {
    pub fn new(physics: Physics, permitted: bool) -> Self {
        let most_mw = (physics.most_w * 1000.0) as u32;
        let mut gpu = card("gpu-a", false);
        gpu.power_range = Some(PowerRange {
            lowest_mw: most_mw / 3,
            highest_mw: most_mw,
            default_mw: most_mw,
        });
        let temperature = physics.ambient_c;
        Self {
            temperature,
            sensor: temperature as i32,
            physics,
            gpu,
            settings: GpuSettings::default(),
            governor: Governor::default(),
            limit_mw: most_mw,
            permitted,
            now: Moment {
                mono_ms: 1_000,
                boot_ms: 1_000,
                wall_ms: 0,
            },
            stopped: false,
            acts: Vec::new(),
            frozen_s: 0,
            stops: 0,
        }
    }

    /// One second under a load of 0 to 1; the temperature at its end.
    pub fn second(&mut self, load: f64) -> f64 {
        let late = self.sensor;
        self.sensor = if self.physics.cuts_off {
            self.temperature.floor() as i32
        } else {
            self.temperature.round() as i32
        };
        if self.stopped && late < self.settings.heat.cool_c {
            self.stopped = false;
        }
        let idle_w = 0.05 * self.physics.most_w;
        let runs = !self.stopped && !self.governor.frozen();
        let wanted_w = idle_w.max(load * self.physics.most_w);
        let drawn_w = if runs {
            wanted_w.min(f64::from(self.limit_mw) / 1000.0)
        } else {
            idle_w
        };
        let sensed = self.gpu.sensed.get_or_insert_default();
        sensed.temperature_c = Some(late);
        sensed.power_limit_mw = Some(self.limit_mw);
        sensed.power_mw = Some((drawn_w * 1000.0) as u32);
        self.govern();
        let runs = !self.stopped && !self.governor.frozen();
        self.frozen_s += u32::from(!runs);
        let power_w = if runs {
            wanted_w.min(f64::from(self.limit_mw) / 1000.0)
        } else {
            idle_w
        };
        // Exact over the second, as the power is constant in it.
        let balance = self.physics.ambient_c + self.physics.resistance * power_w;
        self.temperature =
            balance + (self.temperature - balance) * (-1.0 / self.physics.tau_s).exp();
        self.now.mono_ms += 1_000;
        self.temperature
    }

    fn govern(&mut self) {
        let (governor, acts) = if self.stopped {
            release(&self.governor, &self.gpu, self.now)
        } else {
            govern(&self.governor, &self.gpu, &self.settings, self.now)
        };
        self.governor = governor;
        for act in &acts {
            match *act {
                Act::SetPowerLimit { limit_mw } | Act::RestorePowerLimit { limit_mw } => {
                    if self.permitted {
                        self.limit_mw = limit_mw;
                    } else {
                        self.governor.refused();
                    }
                }
                Act::Stop => {
                    self.stopped = true;
                    self.stops += 1;
                }
                Act::Freeze | Act::Thaw => {}
            }
        }
        self.acts.extend(acts);
    }
}

/// Any card that heats at most so fast at 80 °C.
fn physics(fastest: f64) -> impl Strategy<Value = Physics> {
    (
        20.0..300.0f64,
        10.0..45.0f64,
        75.0..600.0f64,
        0.0..1.0f64,
        any::<bool>(),
    )
        .prop_map(move |(tau_s, ambient_c, most_w, share, cuts_off)| {
            // From a balance well below the target to the one that heats fastest.
            let hottest = 80.0 + fastest * tau_s;
            let balance = 60.0 + share * (hottest - 60.0);
            Physics {
                ambient_c,
                resistance: (balance - ambient_c) / most_w,
                tau_s,
                most_w,
                cuts_off,
            }
        })
}

/// Loads, each with how long it lasts, in s.
fn loads() -> impl Strategy<Value = Vec<(f64, u32)>> {
    let load = prop_oneof![3 => Just(1.0), 1 => Just(0.0), 4 => 0.0..1.0f64];
    prop::collection::vec((load, 1u32..240), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn it_never_gets_hotter_than_its_limit_and_two_degrees(
        physics in physics(1.25), loads in loads(), permitted: bool, told: bool
    ) {
        let mut bench = Bench::new(physics, permitted);
        if !told {
            bench.gpu.power_range = None;
        }
        let most = f64::from(bench.settings.heat.hot_c + 2);
        let lowest_mw = bench.limit_mw / 3;
        let (mut last_change, mut second) = (None, 0);
        for (load, lasts) in loads {
            for _ in 0..lasts {
                let before = bench.limit_mw;
                let temperature = bench.second(load);
                prop_assert!(temperature < most, "{temperature} at {second} s");
                prop_assert!(bench.limit_mw >= lowest_mw);
                if bench.limit_mw != before {
                    prop_assert!(last_change.is_none_or(|last| second - last >= 5));
                    last_change = Some(second);
                }
                second += 1;
            }
        }
    }

    #[test]
    fn a_card_that_stays_below_its_target_by_itself_is_never_slowed(
        tau_s in 20.0..300.0f64, ambient_c in 10.0..45.0f64, most_w in 75.0..600.0f64, balance in 50.0..79.9f64,
        cuts_off: bool, permitted: bool, loads in loads()
    ) {
        let resistance = (balance - ambient_c) / most_w;
        let mut bench = Bench::new(Physics { ambient_c, resistance, tau_s, most_w, cuts_off }, permitted);
        for (load, lasts) in loads {
            for _ in 0..lasts {
                bench.second(load);
            }
        }
        prop_assert_eq!(bench.acts, vec![]);
    }

    #[test]
    fn what_was_changed_is_put_back_whatever_happened(
        physics in physics(1.25), loads in loads(), crash in 0u32..2_000, percent in prop::option::of(30u8..100)
    ) {
        let mut bench = Bench::new(physics, true);
        let before_mw = bench.limit_mw;
        bench.settings.quiet = percent.map(|power_percent| Quiet { power_percent, fan_percent: None });
        let mut second = 0;
        for (load, lasts) in loads {
            for _ in 0..lasts {
                bench.second(load);
                second += 1;
                if second == crash {
                    let stored = serde_json::to_string(&bench.governor).unwrap();
                    bench.governor = serde_json::from_str(&stored).unwrap();
                }
            }
        }
        bench.stopped = true;
        bench.settings.heat.cool_c = -300;
        for _ in 0..20 {
            bench.second(0.0);
        }
        prop_assert_eq!(bench.limit_mw, before_mw);
        prop_assert_eq!(bench.governor.leftover(), None);
    }
}
