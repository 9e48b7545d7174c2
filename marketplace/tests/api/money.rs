//! Money: from top-up to the last voucher, and what happens when it runs out.

use crate::support::{TestMarket, job, now_ms, output};
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::renter::JobState;

#[tokio::test]
async fn a_whole_job_settles_to_the_micro_usd() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 1_234_567)]).await;
    let yaml = job(
        "2.00",
        "      outputs: [/out/picture.png]\n      deadline: 10m\n",
    );
    let submitted = renter.submit(&yaml).await.unwrap();

    let grant = rig.granted().await;
    assert_eq!(grant.job, submitted);
    assert_eq!(grant.price.0, MicroUsd(1_234_567));
    // 120 s ahead: 90 s of silence and two heartbeats.
    let ahead = grant.price.cost(120_000);
    assert_eq!(grant.funded_ms, grant.price.affordable_ms(ahead));
    let account = renter.account().await;
    assert_eq!((account.reserved, account.spent), (ahead, MicroUsd::ZERO));

    rig.report(&grant.lease, LeaseState::Accepted, 0).await;
    let reply = rig.report(&grant.lease, LeaseState::Running, 777).await;
    let gross = grant.price.cost(777);
    let net = grant.fee.net(gross);
    assert_eq!(rig.held, net);
    let funded = reply.funding[0].funded_ms;
    assert_eq!(funded, grant.price.affordable_ms(grant.price.cost(120_777)));

    let view = renter.job(&submitted).await;
    assert_eq!((view.state, view.charged), (JobState::Leased, gross));
    let telemetry = view.leases[0].telemetry.as_ref().unwrap();
    assert_eq!(telemetry.temperature_c, Some(61));

    let picture = b"a picture".as_slice();
    let uploaded = rig.output("/out/picture.png", picture).await;
    let code = EndCode::Completed;
    let last = rig.ends(
        &grant.lease,
        LeaseState::Finished,
        1_901,
        code,
        vec![uploaded],
    );
    let reply = rig.beat(vec![last.clone()]).await;
    let gross = grant.price.cost(1_901);
    let net = grant.fee.net(gross);
    assert_eq!(reply.settled, std::slice::from_ref(&grant.lease));
    let statement = reply.statement.unwrap();
    assert_eq!(statement.voucher.amount, net);
    let line = &statement.lines[0];
    assert_eq!(
        (line.paid_ms, line.gross, line.net, line.last),
        (1_901, gross, net, true)
    );
    assert_eq!(line.fee.0 + line.net.0, line.gross.0);
    assert_eq!(reply.funding, []);

    // The rig did not hear it, and says it again: the same answer, and nothing is paid twice.
    let again = rig.beat(vec![last]).await;
    assert_eq!(again.settled, std::slice::from_ref(&grant.lease));
    assert_eq!(again.statement.unwrap().voucher.amount, net);
    // Then it forgets the lease, and there is nothing left to sign.
    assert_eq!(rig.beat(vec![]).await.statement, None);

    let view = renter.job(&submitted).await;
    assert_eq!((view.state, view.charged), (JobState::Completed, gross));
    assert_eq!(view.leases[0].state, LeaseState::Settled);
    let account = renter.account().await;
    assert_eq!(account.reserved, MicroUsd::ZERO);
    assert_eq!(account.spent, gross);
    assert_eq!(account.balance.0 + gross.0, 1_000_000);
    market.audit().await;
}

#[tokio::test]
async fn an_empty_account_submits_nothing_that_costs() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "0");
    let refused = renter.submit(&job("0.50", "")).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::NoFunds);
    assert!(refused.detail.contains("topup alice"), "{refused}");
    renter.submit(&job("0", "")).await.unwrap();
}

#[tokio::test]
async fn a_job_waits_for_money_and_starts_with_it() {
    let market = TestMarket::start().await;
    // 0.1 s of the price.
    let renter = market.renter("alice", "0.00001");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let waits = |view: &sublet_protocol::renter::JobView| {
        view.waiting_for
            .as_ref()
            .is_some_and(|why| why.contains("does not cover"))
    };
    renter.until(&submitted, waits).await;
    renter.top_up("1");
    assert_eq!(rig.granted().await.job, submitted);
    market.audit().await;
}

#[tokio::test]
async fn a_job_whose_money_runs_out_is_paid_to_the_last_covered_moment() {
    let market = TestMarket::start().await;
    // 6 s at 100 micro-USD a second.
    let renter = market.renter("alice", "0.0006");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let grant = rig.granted().await;
    let began = now_ms();
    assert_eq!(grant.funded_ms, grant.price.affordable_ms(MicroUsd(600)));
    assert_eq!(renter.account().await.balance, MicroUsd::ZERO);

    let reply = rig.report(&grant.lease, LeaseState::Running, 1_500).await;
    assert_eq!(
        reply.funding[0].funded_ms, grant.funded_ms,
        "there is no more to set aside"
    );

    // The rig's meter is read a little late; what is beyond the money is nobody's.
    let used = grant.funded_ms + 150;
    while now_ms() < began + used {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let last = rig.ends(
        &grant.lease,
        LeaseState::Failed,
        used,
        EndCode::OutOfFunds,
        vec![],
    );
    let reply = rig.beat(vec![last]).await;
    assert_eq!(reply.refused, []);
    let line = reply.statement.unwrap().lines[0].clone();
    assert_eq!((line.paid_ms, line.gross), (grant.funded_ms, MicroUsd(600)));
    assert_eq!(rig.held, MicroUsd(570));

    let view = renter.job(&submitted).await;
    assert_eq!(
        (view.state, view.charged),
        (JobState::Failed, MicroUsd(600))
    );
    let account = renter.account().await;
    assert_eq!(
        (account.balance, account.reserved, account.spent),
        (MicroUsd::ZERO, MicroUsd::ZERO, MicroUsd(600))
    );
    market.audit().await;
}

#[tokio::test]
async fn a_top_up_in_mid_job_reaches_the_running_lease() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "0.001");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    renter.submit(&job("0.36", "")).await.unwrap();
    let grant = rig.granted().await;
    let before = rig.report(&grant.lease, LeaseState::Running, 100).await;
    renter.top_up("1");
    let after = rig.report(&grant.lease, LeaseState::Running, 200).await;
    assert!(after.funding[0].funded_ms > before.funding[0].funded_ms);
    assert!(after.funding[0].funded_ms >= 120_200);
    market.audit().await;
}

#[tokio::test]
async fn money_is_set_aside_for_no_more_than_the_deadline() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    renter
        .submit(&job("0.36", "      deadline: 7s\n"))
        .await
        .unwrap();
    let grant = rig.granted().await;
    assert_eq!(renter.account().await.reserved, MicroUsd(700));
    assert!(grant.funded_ms >= 7_000);
    let reply = rig.report(&grant.lease, LeaseState::Running, 1_000).await;
    assert_eq!(reply.funding[0].funded_ms, grant.funded_ms);
}

#[tokio::test]
async fn outputs_other_than_those_asked_for_are_not_taken() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let yaml = job("0.36", "      outputs: [/out/a.png]\n");
    let submitted = renter.submit(&yaml).await.unwrap();
    let lease = rig.granted().await.lease;
    let other = vec![output("/out/b.png", b"b")];
    for outputs in [vec![], other] {
        let report = rig.ends(
            &lease,
            LeaseState::Finished,
            10,
            EndCode::Completed,
            outputs,
        );
        let reply = rig.beat(vec![report]).await;
        assert_eq!(reply.refused[0].problem.code, ProblemCode::BadRequest);
        assert!(reply.refused[0].problem.detail.contains("/out/a.png"));
    }
    assert_eq!(renter.job(&submitted).await.state, JobState::Leased);
}

#[tokio::test]
async fn the_first_reply_of_a_session_says_what_is_owed() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    renter.submit(&job("0.36", "")).await.unwrap();
    let lease = rig.granted().await.lease;
    let report = rig.ends(
        &lease,
        LeaseState::Finished,
        1_000,
        EndCode::JobFailed,
        vec![],
    );
    rig.beat(vec![report]).await;
    // The wallet was lost, and starts anew.
    let mut again = market.rig(1).await;
    again.beat(vec![]).await;
    assert_eq!(again.held, MicroUsd(95));
    assert_eq!(again.beat(vec![]).await.statement, None);
}
