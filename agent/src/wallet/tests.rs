//! The wallet, told as stories and as random histories.

use jiff::tz::TimeZone;
use k256::ecdsa::SigningKey;
use proptest::prelude::*;
use rusqlite::Connection;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::keys::RigKey;
use sublet_protocol::local::Wallet;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::voucher::{
    Channel, VoucherDomain, VoucherError, VoucherLine, VoucherStatement,
};

use super::{Applied, Book, Entry, LARGEST, WalletError, apply};

const HOUR: u64 = 3_600_000;
/// 2026-03-01 12:00 UTC.
const NOON: u64 = 1_772_366_400_000;

/// A marketplace's key, its channel to one rig, and what it has promised each lease.
pub(crate) struct Payer {
    key: SigningKey,
    pub(crate) channel: Channel,
}

impl Payer {
    pub(crate) fn new(seed: u8) -> Self {
        let key = SigningKey::from_slice(&[seed; 32]).unwrap();
        let rig = RigKey::of(&ed25519_dalek::SigningKey::from_bytes(&[9; 32]));
        let domain = VoucherDomain {
            name: "Sublet".into(),
            version: "1".into(),
            chain_id: 31337,
            contract: "0x00000000000000000000000000000000000000aa".into(),
        };
        let channel = Channel::between(&key, &rig, domain);
        Self { key, channel }
    }

    /// A statement whose voucher is over `amount`.
    pub(crate) fn promises(&self, amount: u64, lines: Vec<VoucherLine>) -> Entry {
        Entry::Receive {
            statement: VoucherStatement {
                voucher: self.channel.sign(&self.key, MicroUsd(amount)).unwrap(),
                lines,
            },
            channel: self.channel.clone(),
            at_ms: NOON,
        }
    }

    /// A statement whose voucher is what its lines add up to.
    pub(crate) fn pays(&self, lines: Vec<VoucherLine>) -> Entry {
        self.promises(lines.iter().map(|line| line.net.0).sum(), lines)
    }
}

pub(crate) fn lease(number: u64) -> LeaseId {
    LeaseId::new(format!("lease-{number}")).unwrap()
}

/// Each lease has terms of its own, with prices that do not divide.
fn terms(number: u64) -> (HourlyPrice, BasisPoints) {
    (
        HourlyPrice(MicroUsd(350_003 + 77_777 * number)),
        BasisPoints::new(500 + u16::try_from(number).unwrap() * 7).unwrap(),
    )
}

pub(crate) fn runs(number: u64, used_ms: u64) -> Entry {
    let (price, fee) = terms(number);
    Entry::Accrue {
        lease: lease(number),
        name: format!("job-{number}"),
        price,
        fee,
        used_ms,
        at_ms: NOON + used_ms,
    }
}

pub(crate) fn line(number: u64, paid_ms: u64) -> VoucherLine {
    let (price, fee) = terms(number);
    let gross = price.cost(paid_ms);
    VoucherLine {
        lease: lease(number),
        paid_ms,
        gross,
        fee: fee.fee(gross),
        net: fee.net(gross),
        last: false,
    }
}

fn closes(number: u64) -> Entry {
    Entry::Close {
        lease: lease(number),
        at_ms: NOON,
    }
}

struct Till(Connection);

impl Till {
    fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .pragma_update(None, "foreign_keys", true)
            .unwrap();
        connection
            .execute_batch(include_str!("../store/0001_first.sql"))
            .unwrap();
        Self(connection)
    }

    fn take(&self, entry: Entry) -> Result<Applied, WalletError> {
        apply(&self.0, &entry).unwrap()
    }

    fn view(&self) -> Wallet {
        Book::new(&self.0).view(NOON, &TimeZone::UTC).unwrap()
    }

    fn problems(&self) -> Vec<String> {
        Book::new(&self.0).audit().unwrap().problems
    }

    /// Everything the database holds of the wallet, for comparing before and after.
    fn everything(&self) -> String {
        let mut all = String::new();
        for table in ["channel", "voucher", "earning", "entry", "posting"] {
            let mut statement = self.0.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    all.push_str(&format!("{:?} ", row.get_ref(column).unwrap()));
                }
                all.push('\n');
            }
        }
        all
    }
}

#[test]
fn an_hour_is_metered_proven_and_shown() {
    let till = Till::new();
    let payer = Payer::new(1);
    assert_eq!(till.take(runs(0, HOUR)), Ok(Applied::Changed));
    let (gross, fee, net) = (350_003, 17_500, 332_503);
    let view = till.view();
    assert_eq!(
        (view.gross.0, view.fee.0, view.net.0, view.today.0),
        (gross, fee, net, net)
    );
    assert_eq!((view.proven.0, view.unproven.0), (0, net));
    assert_eq!(view.voucher, None);

    assert_eq!(
        till.take(payer.pays(vec![line(0, HOUR)])),
        Ok(Applied::Changed)
    );
    let view = till.view();
    assert_eq!((view.proven.0, view.unproven.0), (net, 0));
    assert_eq!(view.voucher.unwrap().amount.0, net);
    let earning = &view.earnings[0];
    assert_eq!(earning.voucher, Some(MicroUsd(net)));
    assert_eq!(
        (earning.name.as_str(), earning.at_ms),
        ("job-0", NOON + HOUR)
    );
    let book = Book::new(&till.0);
    assert_eq!(book.lease_net(&lease(0)).unwrap().0, net);
    assert_eq!(book.proven_ms(&lease(0)).unwrap(), HOUR);
    assert_eq!(book.lease_net(&lease(5)).unwrap().0, 0);
    assert_eq!(till.problems(), Vec::<String>::new());
}

#[test]
fn many_small_steps_make_the_same_as_one_large_one() {
    let (small, large) = (Till::new(), Till::new());
    for step in 1..=500 {
        small.take(runs(1, step * 777)).unwrap();
    }
    large.take(runs(1, 500 * 777)).unwrap();
    assert_eq!(small.view().earnings, large.view().earnings);
    assert_eq!(small.problems(), Vec::<String>::new());
}

#[test]
fn a_repeat_changes_nothing() {
    let till = Till::new();
    let payer = Payer::new(1);
    let history = [
        runs(0, HOUR),
        payer.pays(vec![line(0, HOUR / 2)]),
        closes(0),
    ];
    for entry in &history {
        assert_eq!(till.take(entry.clone()), Ok(Applied::Changed));
        let before = till.everything();
        assert_eq!(till.take(entry.clone()), Ok(Applied::Unchanged));
        assert_eq!(till.everything(), before);
    }
}

#[test]
fn a_lost_statement_is_made_good_by_the_next() {
    let till = Till::new();
    let payer = Payer::new(1);
    till.take(runs(0, HOUR)).unwrap();
    till.take(runs(1, HOUR)).unwrap();
    till.take(payer.pays(vec![line(0, 1000)])).unwrap();
    // Lost: lease 0 up to 2000 ms, lease 1 up to 1000 ms.
    till.take(payer.pays(vec![line(0, 3000), line(1, 2000)]))
        .unwrap();
    assert_eq!(
        till.view().proven,
        MicroUsd(line(0, 3000).net.0 + line(1, 2000).net.0)
    );
    assert_eq!(till.problems(), Vec::<String>::new());
}

#[test]
fn each_earning_points_at_the_voucher_that_proves_its_last_cent() {
    let till = Till::new();
    let payer = Payer::new(1);
    till.take(runs(0, HOUR)).unwrap();
    till.take(runs(1, HOUR)).unwrap();
    let first = line(0, HOUR).net.0;
    till.take(payer.pays(vec![line(0, HOUR)])).unwrap();
    // Lease 0 is over: later statements list lease 1 alone.
    for part in 1..=4 {
        let paid = line(1, part * HOUR / 4);
        let sum = first + paid.net.0;
        till.take(payer.promises(sum, vec![paid])).unwrap();
    }
    let view = till.view();
    let pointed = |number| {
        view.earnings
            .iter()
            .find(|earning| earning.lease == lease(number))
            .unwrap()
            .voucher
    };
    assert_eq!(pointed(0), Some(MicroUsd(first)));
    assert_eq!(pointed(1), Some(MicroUsd(first + line(1, HOUR).net.0)));
    // Vouchers in between prove nothing any more and are forgotten.
    assert_eq!(Book::new(&till.0).vouchers().unwrap().len(), 2);
    assert_eq!(till.problems(), Vec::<String>::new());
}

#[test]
fn what_is_unpaid_at_the_close_is_written_off_and_a_late_voucher_brings_it_back() {
    let till = Till::new();
    let payer = Payer::new(1);
    till.take(runs(0, HOUR)).unwrap();
    till.take(payer.pays(vec![line(0, HOUR / 2)])).unwrap();
    till.take(closes(0)).unwrap();
    let (half, net) = (line(0, HOUR / 2).net.0, line(0, HOUR).net.0);
    let view = till.view();
    assert_eq!(
        (view.proven.0, view.unproven.0, view.written_off.0),
        (half, 0, net - half)
    );
    assert_eq!(till.problems(), Vec::<String>::new());

    till.take(payer.pays(vec![line(0, HOUR)])).unwrap();
    let view = till.view();
    assert_eq!((view.proven.0, view.written_off.0), (net, 0));
    assert_eq!(till.problems(), Vec::<String>::new());
}

#[test]
fn time_metered_after_the_close_is_written_off_at_once() {
    let till = Till::new();
    till.take(runs(0, HOUR)).unwrap();
    till.take(closes(0)).unwrap();
    till.take(runs(0, 2 * HOUR)).unwrap();
    let view = till.view();
    assert_eq!((view.unproven.0, view.written_off), (0, view.net));
    assert_eq!(till.problems(), Vec::<String>::new());
}

#[test]
fn a_lease_that_has_not_run_may_be_listed_with_nothing_in_it() {
    let till = Till::new();
    let payer = Payer::new(1);
    assert_eq!(
        till.take(payer.pays(vec![line(3, 0)])),
        Ok(Applied::Changed)
    );
    assert_eq!(till.view().earnings, vec![]);
    assert_eq!(till.problems(), Vec::<String>::new());
}

#[test]
fn a_statement_that_disagrees_with_our_reckoning_is_refused_whole() {
    let till = Till::new();
    let payer = Payer::new(1);
    till.take(runs(0, HOUR)).unwrap();
    till.take(runs(1, HOUR)).unwrap();
    till.take(payer.pays(vec![line(0, 2000)])).unwrap();
    let before = till.everything();

    let good = || line(0, 4000);
    let net = good().net.0;
    let with = |spoil: fn(&mut VoucherLine)| {
        let mut line = good();
        spoil(&mut line);
        line
    };
    let signed = |entry: Entry, spoil: fn(&mut VoucherStatement)| match entry {
        Entry::Receive {
            mut statement,
            channel,
            at_ms,
        } => {
            spoil(&mut statement);
            Entry::Receive {
                statement,
                channel,
                at_ms,
            }
        }
        other => other,
    };
    let moved = |entry: Entry| match entry {
        Entry::Receive {
            statement,
            mut channel,
            at_ms,
        } => {
            channel.domain.chain_id = 1;
            Entry::Receive {
                statement,
                channel,
                at_ms,
            }
        }
        other => other,
    };
    type Expected = fn(&WalletError) -> bool;
    let cases: Vec<(Entry, Expected)> = vec![
        (
            payer.promises(net, vec![with(|line| line.gross.0 += 1)]),
            |e| matches!(e, WalletError::WrongFigure { what: "gross", .. }),
        ),
        (
            payer.promises(net, vec![with(|line| line.fee.0 += 1)]),
            |e| matches!(e, WalletError::WrongFigure { what: "fee", .. }),
        ),
        (
            payer.promises(net, vec![with(|line| line.net.0 -= 1)]),
            |e| matches!(e, WalletError::WrongFigure { what: "net", .. }),
        ),
        (payer.promises(net - 1, vec![good()]), |e| {
            matches!(e, WalletError::WrongSum { .. })
        }),
        (payer.promises(net + 1, vec![good()]), |e| {
            matches!(e, WalletError::WrongSum { .. })
        }),
        (payer.promises(2 * net, vec![good(), good()]), |e| {
            matches!(e, WalletError::ListedTwice(_))
        }),
        (payer.pays(vec![line(0, HOUR + 1)]), |e| {
            matches!(e, WalletError::MoreThanMetered { .. })
        }),
        (payer.pays(vec![line(0, 1999), line(1, 4000)]), |e| {
            matches!(e, WalletError::Shrunk { .. })
        }),
        (payer.pays(vec![good(), line(2, 4000)]), |e| {
            matches!(e, WalletError::UnknownLease(_))
        }),
        (payer.pays(vec![line(0, 1000)]), |e| {
            matches!(e, WalletError::Voucher(VoucherError::Lower { .. }))
        }),
        (Payer::new(2).pays(vec![good()]), |e| {
            matches!(e, WalletError::OtherChannel(_))
        }),
        (
            signed(payer.pays(vec![good()]), |statement| {
                statement.voucher.amount.0 += 1;
            }),
            |e| matches!(e, WalletError::Voucher(VoucherError::WrongSigner { .. })),
        ),
        (
            signed(payer.pays(vec![good()]), |statement| {
                statement.voucher.channel = "0xab".into();
            }),
            |e| matches!(e, WalletError::Voucher(VoucherError::OtherChannel { .. })),
        ),
        (
            signed(payer.pays(vec![good()]), |statement| {
                statement.voucher.signature = "0x00".into();
            }),
            |e| matches!(e, WalletError::Voucher(VoucherError::Malformed(_))),
        ),
        (moved(payer.pays(vec![good()])), |e| {
            matches!(e, WalletError::ChannelChanged(_))
        }),
        (payer.promises(LARGEST + 1, vec![good()]), |e| {
            matches!(e, WalletError::TooLarge(_))
        }),
    ];
    for (entry, expected) in cases {
        let error = till.take(entry.clone()).expect_err(&format!("{entry:?}"));
        assert!(expected(&error), "{entry:?}: {error}");
        assert_eq!(till.everything(), before, "{error}");
    }
    assert_eq!(till.take(payer.pays(vec![good()])), Ok(Applied::Changed));
}

#[test]
fn terms_are_fixed_and_figures_bounded() {
    let till = Till::new();
    till.take(runs(0, HOUR)).unwrap();
    let before = till.everything();
    let (price, fee) = terms(1);
    let accrue = |number, used_ms| Entry::Accrue {
        lease: lease(number),
        name: "x".into(),
        price,
        fee,
        used_ms,
        at_ms: NOON,
    };
    assert_eq!(
        till.take(accrue(0, 2 * HOUR)),
        Err(WalletError::TermsChanged(lease(0)))
    );
    for huge in [LARGEST + 1, u64::MAX] {
        assert!(matches!(
            till.take(accrue(1, huge)),
            Err(WalletError::TooLarge(_))
        ));
    }
    assert_eq!(till.everything(), before);
}

#[test]
fn two_marketplaces_are_kept_apart() {
    let till = Till::new();
    let (one, two) = (Payer::new(1), Payer::new(2));
    till.take(runs(0, HOUR)).unwrap();
    till.take(runs(1, HOUR)).unwrap();
    till.take(one.pays(vec![line(0, HOUR)])).unwrap();
    till.take(two.pays(vec![line(1, HOUR)])).unwrap();
    assert_eq!(till.view().proven, till.view().net);
    assert_eq!(till.problems(), Vec::<String>::new());
}

#[test]
fn today_begins_at_local_midnight() {
    let till = Till::new();
    let midnight = NOON - 12 * HOUR;
    let at = |number, at_ms| {
        let Entry::Accrue {
            lease,
            name,
            price,
            fee,
            used_ms,
            ..
        } = runs(number, HOUR)
        else {
            unreachable!()
        };
        Entry::Accrue {
            lease,
            name,
            price,
            fee,
            used_ms,
            at_ms,
        }
    };
    till.take(at(0, midnight - 1)).unwrap();
    till.take(at(1, midnight)).unwrap();
    let view = till.view();
    assert_eq!(view.today, line(1, HOUR).net);
    let nets: Vec<_> = view.periods.iter().map(|period| period.net).collect();
    // It is Sunday, the first of March: the week holds yesterday, the month does not.
    let both = line(0, HOUR).net.saturating_add(line(1, HOUR).net);
    assert_eq!(nets, [view.today, both, view.today, both]);
    assert!(
        view.periods
            .iter()
            .all(|p| p.gross == p.net.saturating_add(p.fee))
    );
}

#[test]
fn the_export_has_a_row_for_each_lease_with_its_proof() {
    let till = Till::new();
    let payer = Payer::new(1);
    till.take(runs(0, HOUR)).unwrap();
    till.take(runs(1, 2 * HOUR)).unwrap();
    till.take(payer.pays(vec![line(0, HOUR)])).unwrap();
    let csv = Book::new(&till.0).export_csv().unwrap();
    let rows: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 3);
    let columns = |row: &str| row.split(',').count();
    assert!(rows.iter().all(|row| columns(row) == columns(rows[0])));
    assert!(rows[1].starts_with("2026-03-01T14:00:00Z,lease-1,job-1,7200000,0.427780,"));
    assert!(
        rows[2].starts_with(
            "2026-03-01T13:00:00Z,lease-0,job-0,3600000,0.350003,0.350003,0.017500,0.332503,0.332503,\
             0.000000,0.000000,0x"
        ),
        "{}",
        rows[2]
    );
}

#[test]
fn an_audit_sees_a_posting_or_a_figure_that_was_tampered_with() {
    for tampering in [
        "UPDATE posting SET amount = amount + 1 WHERE account = 'fee'",
        "DELETE FROM posting WHERE account = 'vouchered'",
        "UPDATE earning SET proven = proven - 1",
        "UPDATE earning SET used_ms = used_ms * 2",
        "UPDATE voucher SET signature = '0x00'",
        "INSERT INTO entry (lease, kind, quarter) VALUES ('lease-0', 'close', 1)",
    ] {
        let till = Till::new();
        till.take(runs(0, HOUR)).unwrap();
        till.take(Payer::new(1).pays(vec![line(0, HOUR)])).unwrap();
        assert_eq!(till.problems(), Vec::<String>::new());
        till.0.execute_batch(tampering).unwrap();
        assert_ne!(till.problems(), Vec::<String>::new(), "{tampering}");
    }
}

/// A step of a random history over a few leases.
#[derive(Debug, Clone)]
enum Step {
    Run(u64, u64),
    /// The marketplace pays every lease up to this share (in thousandths) of what its rig metered, and says so;
    /// or the statement is lost on the way.
    Pay {
        permille: u64,
        lost: bool,
    },
    Close(u64),
    /// Something that was said before is said again.
    Again(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u64..4, 0u64..20_000_000).prop_map(|(lease, ms)| Step::Run(lease, ms)),
        4 => (0u64..=1000, any::<bool>()).prop_map(|(permille, lost)| Step::Pay { permille, lost }),
        1 => (0u64..4).prop_map(Step::Close),
        3 => any::<prop::sample::Index>().prop_map(Step::Again),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_books_agree(steps in steps()) {
        let till = Till::new();
        let payer = Payer::new(1);
        let mut metered = [0u64; 4];
        let mut paid = [0u64; 4];
        let mut said: Vec<Entry> = Vec::new();
        let mut received = 0u64;
        for step in steps {
            let entry = match step {
                Step::Run(number, ms) => {
                    let slot = &mut metered[usize::try_from(number).unwrap()];
                    *slot = (*slot).max(ms);
                    Some(runs(number, ms))
                }
                Step::Pay { permille, lost } => {
                    for (paid, metered) in paid.iter_mut().zip(metered) {
                        *paid = (*paid).max(metered * permille / 1000);
                    }
                    let lines: Vec<_> = (0..).zip(paid).map(|(number, ms)| line(number, ms)).collect();
                    if !lost {
                        received = lines.iter().map(|line| line.net.0).sum();
                    }
                    (!lost).then(|| payer.pays(lines))
                }
                Step::Close(number) => Some(closes(number)),
                Step::Again(which) if !said.is_empty() => {
                    // Late and twice: refused or without effect on what is proven, never an error of the database.
                    let entry = which.get(&said).clone();
                    let before = till.everything();
                    if till.take(entry).is_err() {
                        prop_assert_eq!(till.everything(), before);
                    }
                    None
                }
                Step::Again(_) => None,
            };
            if let Some(entry) = entry {
                prop_assert!(till.take(entry.clone()).is_ok());
                let settled = till.everything();
                prop_assert_eq!(till.take(entry.clone()), Ok(Applied::Unchanged));
                prop_assert_eq!(till.everything(), settled);
                said.push(entry);
            }
            let view = till.view();
            prop_assert_eq!(till.problems(), Vec::<String>::new());
            prop_assert_eq!(view.net.0, view.proven.0 + view.unproven.0 + view.written_off.0);
            prop_assert_eq!(view.gross.0, view.fee.0 + view.net.0);
            prop_assert_eq!(view.proven.0, received);
            let owed: u64 = (0..).zip(metered).map(|(number, ms)| line(number, ms).net.0).sum();
            prop_assert_eq!(view.net.0, owed);
        }
    }

    #[test]
    fn the_order_of_a_lease_s_meter_readings_does_not_matter(
        (readings, shuffled) in prop::collection::vec(0u64..20_000_000, 1..20)
            .prop_flat_map(|readings| (Just(readings.clone()), Just(readings).prop_shuffle()))
    ) {
        let (one, other) = (Till::new(), Till::new());
        for ms in readings { one.take(runs(0, ms)).unwrap(); }
        for ms in shuffled { other.take(runs(0, ms)).unwrap(); }
        prop_assert_eq!(one.view().net, other.view().net);
        prop_assert_eq!(other.problems(), Vec::<String>::new());
    }
}
