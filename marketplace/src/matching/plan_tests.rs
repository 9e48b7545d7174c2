use super::*;
use crate::matching::demand::Demand;
use sublet_protocol::gpu::{BenchScore, GpuInfo, GpuVendor};

fn usd(price: &str) -> MicroUsd {
    price.parse().unwrap()
}

fn gpu(id: &str, floor: &str) -> GpuOffer {
    GpuOffer {
        gpu: GpuInfo {
            id: GpuId::new(id).unwrap(),
            name: "Test RTX 4090".into(),
            vendor: GpuVendor::Nvidia,
            software: false,
            memory_bytes: Some(24 << 30),
            driver: None,
            pci: None,
            score: Some(BenchScore {
                score: 1000,
                fp32_mflops: 1,
                bandwidth_mb_s: 1,
            }),
        },
        floor: HourlyPrice(usd(floor)),
    }
}

fn scored(id: &str, floor: &str, score: u32) -> GpuOffer {
    let mut offer = gpu(id, floor);
    if let Some(s) = &mut offer.gpu.score {
        s.score = score;
    }
    offer
}

fn rig(id: &str, gpus: Vec<GpuOffer>) -> Standing {
    Standing {
        rig: RigId::new(id).unwrap(),
        gpus,
        limits: HostLimits {
            cpu_milli: 4_000,
            memory_bytes: 8 << 30,
            output_bytes: 1 << 30,
            disk_bytes: None,
            longest_ms: None,
        },
        sandbox: Default::default(),
        work: Default::default(),
        busy: BTreeSet::new(),
    }
}

fn order(extra: &str) -> Order {
    let yaml = format!(
        "services:\n  a:\n    image: r.test/a@sha256:{}\n    x-sublet:\n      max_price_per_hour: 1.00\n{extra}",
        "0".repeat(64)
    );
    Order {
        job: JobId::new("job-1").unwrap(),
        renter: RenterId::new("alice").unwrap(),
        spec: sublet_protocol::job::parse(&yaml).unwrap(),
        tried: BTreeSet::new(),
        resting: BTreeSet::new(),
    }
}

fn decide(order: &Order, book: Vec<Standing>) -> Outcome {
    let free = BTreeMap::from([(order.renter.clone(), usd("10"))]);
    plan(std::slice::from_ref(order), book, free).remove(0).1
}

#[track_caller]
fn taken(order: &Order, book: Vec<Standing>) -> (String, Vec<String>, MicroUsd) {
    match decide(order, book) {
        Outcome::Matched(m) => (
            m.rig.to_string(),
            m.gpus.iter().map(|g| g.id.to_string()).collect(),
            m.price.0,
        ),
        Outcome::Waits(why) => panic!("{why}"),
    }
}

#[track_caller]
fn waits(order: &Order, book: Vec<Standing>) -> String {
    match decide(order, book) {
        Outcome::Waits(why) => why,
        Outcome::Matched(m) => panic!("{m:?}"),
    }
}

#[test]
fn the_cheapest_wins_then_the_faster_then_the_order_of_ids() {
    let book = || {
        vec![
            rig("r-c", vec![scored("c", "0.50", 900)]),
            rig("r-b", vec![scored("b", "0.40", 900)]),
            rig("r-a", vec![scored("a", "0.40", 950)]),
        ]
    };
    assert_eq!(taken(&order(""), book()).0, "r-a");
    let mut even = book();
    even[2].gpus[0] = scored("a", "0.40", 900);
    assert_eq!(taken(&order(""), even.clone()).0, "r-a");
    even.reverse();
    assert_eq!(taken(&order(""), even).0, "r-a");
}

#[test]
fn several_gpus_cost_the_sum_of_their_floors() {
    let book = vec![rig(
        "r",
        vec![gpu("a", "0.50"), gpu("b", "0.30"), gpu("c", "0.40")],
    )];
    let two = order("      gpu: {count: 2}\n");
    assert_eq!(
        taken(&two, book.clone()),
        ("r".into(), vec!["b".into(), "c".into()], usd("0.70"))
    );
    let three = order("      gpu: {count: 3}\n");
    assert_eq!(
        waits(&three, book),
        "3 GPUs on offer, but no rig has 3 free ones that fit together under $1.00/h"
    );
}

#[test]
fn what_does_not_meet_the_needs_is_named() {
    let book = || vec![rig("r", vec![gpu("a", "0.50"), gpu("b", "0.60")])];
    for (extra, words) in [
        (
            "      gpu: {vram_min: 48g}\n",
            "2 GPUs on offer, none with 49152 MiB of its own memory",
        ),
        (
            "      gpu: {score_min: 2000}\n",
            "2 GPUs on offer, none with a score of 2000 or more",
        ),
        (
            "      gpu: {model: h100}\n",
            "2 GPUs on offer, none with `h100` in its name",
        ),
    ] {
        assert_eq!(waits(&order(extra), book()), words);
    }
    assert_eq!(taken(&order("      gpu: {model: rtx 40}\n"), book()).0, "r");

    let mut large = order("");
    large.spec.cpu_milli = 8_000;
    assert!(waits(&large, book()).contains("8 cores"));
    let mut cheap = order("");
    cheap.spec.max_price = HourlyPrice(usd("0.20"));
    assert_eq!(waits(&cheap, book()), "2 GPUs on offer, none under $0.20/h");
    assert_eq!(waits(&order(""), vec![]), "no GPU is on offer right now");
}

#[test]
fn a_software_adapter_is_taken_only_where_the_job_allows_it_and_is_named_as_such() {
    let mut soft = gpu("a", "0.10");
    soft.gpu.software = true;
    soft.gpu.name = "llvmpipe".into();
    let book = vec![rig("r", vec![soft])];
    assert!(waits(&order(""), book.clone()).contains("does not take software adapters"));
    let allowed = order("      gpu: {allow_software: true}\n");
    match decide(&allowed, book) {
        Outcome::Matched(m) => assert_eq!(m.gpus[0].name, "llvmpipe (software)"),
        Outcome::Waits(why) => panic!("{why}"),
    }
}

#[test]
fn a_job_is_not_sent_where_it_would_be_refused() {
    use sublet_protocol::job::Category;
    use sublet_protocol::offer::{Enforced, Part};

    let picky = || {
        let mut picky = rig("picky", vec![gpu("g", "0.10")]);
        picky.work.categories = vec![Category::Rendering];
        picky.work.publishers = vec!["r.test".into()];
        picky.limits.longest_ms = Some(60 * 60_000);
        picky
    };
    let plain = order("");
    assert!(waits(&plain, vec![picky()]).contains("category `other`"));
    let renders = order("      category: rendering\n");
    assert_eq!(taken(&renders, vec![picky()]).0, "picky");
    let mut elsewhere = renders.clone();
    let name = format!("s.test/a@sha256:{}", "0".repeat(64));
    elsewhere.spec.image = name.parse().unwrap();
    assert!(waits(&elsewhere, vec![picky()]).contains("images from where"));
    let long = order("      category: rendering\n      deadline: 61m\n");
    assert!(waits(&long, vec![picky()]).contains("61 minutes"));

    let kept_apart = order("      isolation: gvisor\n      gpu: {allow_software: true}\n");
    let mut soft = rig("soft", vec![gpu("s", "0.10")]);
    soft.gpus[0].gpu.software = true;
    assert!(waits(&kept_apart, vec![soft.clone()]).contains("gVisor"));
    soft.sandbox.enforced = Some(Enforced {
        gvisor: Part::Works,
        ..Enforced::default()
    });
    assert_eq!(taken(&kept_apart, vec![soft.clone()]).0, "soft");
    soft.gpus[0].gpu.software = false;
    assert!(waits(&kept_apart, vec![soft]).contains("gVisor"));
}

#[test]
fn a_gpu_is_given_out_once() {
    let mut second = order("");
    second.job = JobId::new("job-2").unwrap();
    let orders = [order(""), second];
    let free = BTreeMap::from([(orders[0].renter.clone(), usd("10"))]);
    let outcomes = plan(&orders, vec![rig("r", vec![gpu("a", "0.50")])], free);
    assert!(matches!(outcomes[0].1, Outcome::Matched(_)));
    match &outcomes[1].1 {
        Outcome::Waits(why) => assert_eq!(why, "1 GPU on offer, none of them free right now"),
        Outcome::Matched(m) => panic!("{m:?}"),
    }
}

#[test]
fn a_rig_that_could_not_is_asked_last_and_one_that_refused_is_not_asked() {
    let book = || {
        vec![
            rig("r-a", vec![gpu("a", "0.10")]),
            rig("r-b", vec![gpu("b", "0.90")]),
        ]
    };
    let mut again = order("");
    again.tried = BTreeSet::from([RigId::new("r-a").unwrap()]);
    assert_eq!(taken(&again, book()).0, "r-b");
    assert_eq!(taken(&again, book()[..1].to_vec()).0, "r-a");
    again.resting.clone_from(&again.tried);
    assert_eq!(
        waits(&again, book()[..1].to_vec()),
        "1 GPU on offer, but the rigs that fit refused the job or failed at it a moment ago"
    );
}

#[test]
fn money_that_does_not_reach_keeps_a_job_waiting() {
    let poor = order("");
    let book = vec![rig("r", vec![gpu("a", "0.36")])];
    for (free, starts) in [("0", false), ("0.000499", false), ("0.0005", true)] {
        let free = BTreeMap::from([(poor.renter.clone(), usd(free))]);
        let outcome = plan(std::slice::from_ref(&poor), book.clone(), free)
            .remove(0)
            .1;
        assert_eq!(
            matches!(outcome, Outcome::Matched(_)),
            starts,
            "{outcome:?}"
        );
    }
    let nothing = plan(
        std::slice::from_ref(&poor),
        vec![rig("r", vec![gpu("a", "0")])],
        BTreeMap::new(),
    );
    assert!(matches!(nothing[0].1, Outcome::Matched(_)));
}

proptest::proptest! {
    #[test]
    fn whatever_is_matched_meets_every_need(
        floors in proptest::collection::vec((0u64..2_000_000, 0u32..2000, 0u64..48), 0..8),
        count in 1u32..4, score in 0u32..2000, vram in 0u64..48, most in 0u64..2_000_000,
    ) {
        let gpus = floors.iter().enumerate().map(|(n, (floor, score, memory))| {
            let mut offer = scored(&format!("g{n}"), "0", *score);
            offer.floor = HourlyPrice(MicroUsd(*floor));
            offer.gpu.memory_bytes = Some(memory << 30);
            offer
        });
        let all: Vec<GpuOffer> = gpus.collect();
        let book: Vec<Standing> = all.chunks(3).enumerate().map(|(n, part)| rig(&format!("r{n}"), part.to_vec())).collect();
        let mut wanted = order("");
        wanted.spec.gpu.count = count;
        wanted.spec.gpu.score_min = score;
        wanted.spec.gpu.vram_min_bytes = vram << 30;
        wanted.spec.max_price = HourlyPrice(MicroUsd(most));
        let fits = |offer: &GpuOffer| {
            offer.gpu.score.map_or(0, |s| s.score) >= score && offer.gpu.memory_bytes.unwrap_or(0) >= vram << 30
        };
        // The cheapest by trying every set.
        let cheapest = book.iter().filter_map(|standing| {
            let mut floors: Vec<u64> = standing.gpus.iter().filter(|o| fits(o)).map(|o| o.floor.0.0).collect();
            floors.sort_unstable();
            (floors.len() >= count as usize).then(|| floors[..count as usize].iter().sum::<u64>())
        }).filter(|price| *price <= most).min();
        match decide(&wanted, book) {
            Outcome::Matched(m) => {
                proptest::prop_assert_eq!(Some(m.price.0.0), cheapest);
                proptest::prop_assert_eq!(m.gpus.len(), count as usize);
                for leased in &m.gpus {
                    proptest::prop_assert!(all.iter().any(|o| o.gpu.id == leased.id && fits(o)));
                }
            }
            Outcome::Waits(why) => proptest::prop_assert!(cheapest.is_none(), "{}", why),
        }
    }
}

#[test]
fn a_rig_hears_what_waiting_orders_would_pay_it() {
    let priced = |job: &str, price: &str, count: u32| {
        let mut order = order("");
        order.job = JobId::new(job).unwrap();
        order.spec.max_price = HourlyPrice(usd(price));
        order.spec.gpu.count = count;
        order
    };
    let demand = |orders: &[Order], money: &str| {
        let free = BTreeMap::from([(RenterId::new("alice").unwrap(), usd(money))]);
        Demand::of(orders.iter().cloned(), &free)
    };
    let dear = rig("r", vec![gpu("a", "0.50"), gpu("b", "0.50")]);
    let best = |orders: &[Order], standing: &Standing| {
        demand(orders, "10").best_for(standing).map(|price| price.0)
    };

    assert_eq!(best(&[], &dear), None);
    let orders = [priced("j1", "0.10", 1), priced("j2", "0.30", 1)];
    assert_eq!(best(&orders, &dear), Some(usd("0.30")), "below the floor");
    assert_eq!(
        best(&[priced("j", "0.80", 2)], &dear),
        Some(usd("0.40")),
        "for each GPU"
    );
    assert_eq!(best(&[priced("j", "0.90", 3)], &dear), None, "it has two");
    let mut busy = dear.clone();
    busy.busy.insert(GpuId::new("a").unwrap());
    assert_eq!(best(&[priced("j", "0.80", 2)], &busy), None);

    let mut picky = priced("j", "0.30", 1);
    picky.spec.gpu.score_min = 1001;
    assert_eq!(best(&[picky], &dear), None, "it is too slow for it");
    let mut refused = priced("j", "0.30", 1);
    refused.resting.insert(dear.rig.clone());
    assert_eq!(best(&[refused], &dear), None);
    let poor = demand(&[priced("j", "0.30", 1)], "0").best_for(&dear);
    assert_eq!(poor, None, "nobody can pay it");
}
