//! Machines with and without batteries, networks with and without a price.

use std::time::{Duration, Instant};

use sublet_core::facts::Power;

use super::{MachineSources, MachineWatch, power};
use crate::sensors::testing::{Bus, Tree, until};

fn supply(sys: &Tree, name: &str, facts: &[(&str, &str)]) {
    for (fact, value) in facts {
        sys.write(
            &format!("class/power_supply/{name}/{fact}"),
            format!("{value}\n"),
        );
    }
}

fn battery(sys: &Tree, status: &str, percent: &str) {
    let facts = [
        ("type", "Battery"),
        ("present", "1"),
        ("status", status),
        ("capacity", percent),
    ];
    supply(sys, "BAT0", &facts);
}

fn on_battery(percent: u8) -> Option<Power> {
    Some(Power::Battery {
        percent: Some(percent),
    })
}

#[test]
fn a_machine_without_a_battery_is_on_mains_whatever_its_mouse_runs_on() {
    let sys = Tree::new();
    assert_eq!(power::read(sys.path()), Some(Power::Mains));
    assert!(power::is_quick(sys.path()));
    let mouse = [
        ("type", "Battery"),
        ("scope", "Device"),
        ("status", "Discharging"),
        ("capacity", "20"),
    ];
    supply(&sys, "hidpp_battery_0", &mouse);
    assert_eq!(power::read(sys.path()), Some(Power::Mains));
}

#[test]
fn a_laptop_is_on_battery_once_its_charger_is_out() {
    let sys = Tree::new();
    supply(&sys, "AC", &[("type", "Mains"), ("online", "1")]);
    battery(&sys, "Charging", "80");
    assert_eq!(power::read(sys.path()), Some(Power::Mains));
    supply(&sys, "AC", &[("online", "0")]);
    battery(&sys, "Discharging", "79");
    assert_eq!(power::read(sys.path()), on_battery(79));
    supply(
        &sys,
        "ucsi-source-psy-USBC000:001",
        &[("type", "USB"), ("online", "1")],
    );
    assert_eq!(power::read(sys.path()), Some(Power::Mains), "by USB");
}

#[test]
fn without_a_charger_to_ask_the_battery_tells() {
    let sys = Tree::new();
    battery(&sys, "Discharging", "150");
    assert_eq!(power::read(sys.path()), on_battery(100));
    battery(&sys, "Full", "100");
    assert_eq!(power::read(sys.path()), Some(Power::Mains));
    battery(&sys, "Unknown", "100");
    assert_eq!(power::read(sys.path()), None, "not known is not mains");
    supply(&sys, "BAT0", &[("present", "0")]);
    assert_eq!(power::read(sys.path()), Some(Power::Mains), "an empty bay");
}

struct FakeNetworkManager(u32);

#[zbus::interface(name = "org.freedesktop.NetworkManager")]
impl FakeNetworkManager {
    #[zbus(property)]
    fn metered(&self) -> u32 {
        self.0
    }
}

#[tokio::test]
async fn a_metered_network_is_told_when_it_becomes_one_and_the_service_is_never_started() {
    const SERVICE: &str = "org.freedesktop.NetworkManager";
    const PATH: &str = "/org/freedesktop/NetworkManager";
    let bus = Bus::start().await;
    let started = bus.startable(SERVICE);
    let sys = Tree::new();
    let watch = MachineWatch::start_at(MachineSources {
        sys: sys.path().to_owned(),
        system_bus: Some(bus.address()),
    });
    let metered = || watch.latest(Instant::now()).metered.map(|it| it.value);
    until("no service", || metered().filter(|metered| !metered)).await;
    assert!(!started.exists(), "it was started by being asked");

    let host = zbus::connection::Builder::address(bus.address().as_str())
        .unwrap()
        .serve_at(PATH, FakeNetworkManager(1))
        .unwrap()
        .build()
        .await
        .unwrap();
    host.request_name(SERVICE).await.unwrap();
    until("a metered network", || metered().filter(|metered| *metered)).await;

    let object = host
        .object_server()
        .interface::<_, FakeNetworkManager>(PATH)
        .await
        .unwrap();
    object.get_mut().await.0 = 4;
    object
        .get()
        .await
        .metered_changed(object.signal_emitter())
        .await
        .unwrap();
    until("an unmetered one", || metered().filter(|metered| !metered)).await;

    drop(bus);
    until("unknown", || metered().is_none().then_some(())).await;
    assert!(!started.exists());
}

#[tokio::test]
async fn readings_carry_their_age() {
    let sys = Tree::new();
    let watch = MachineWatch::start_at(MachineSources {
        sys: sys.path().to_owned(),
        system_bus: None,
    });
    until("the first reading", || watch.latest(Instant::now()).power).await;
    let later = watch.latest(Instant::now() + Duration::from_secs(60));
    let power = later.power.unwrap();
    assert_eq!(power.value, Power::Mains);
    assert!(power.age_ms >= 60_000 - 3_000, "{power:?}");
    assert_eq!(later.metered.map(|it| it.value), Some(false));
}
